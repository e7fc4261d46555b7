#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::auth::Assurance;

fn room(places: usize, principal: usize, queue: usize) -> Room {
    Room::new(Sizes {
        places,
        principal: Some(principal),
        tools: vec![1, 2],
        queue,
        wait: Duration::from_secs(5),
    })
}

fn enter(room: &Room, who: &str, tool: Option<usize>) -> Entry {
    room.enter(&Principal::minted("i", who, Assurance::LocalToken), tool)
}

#[track_caller]
fn runs(room: &Room, who: &str) -> Place {
    match enter(room, who, None) {
        Entry::Place(place) => place,
        Entry::Wait(_) => panic!("{who} waits"),
        Entry::Full(full) => panic!("{full:?}"),
    }
}

#[track_caller]
fn waits(room: &Room, who: &str) -> Waiting {
    match enter(room, who, None) {
        Entry::Wait(waiting) => waiting,
        Entry::Place(_) => panic!("{who} runs"),
        Entry::Full(full) => panic!("{full:?}"),
    }
}

#[track_caller]
fn refused(entry: Entry) -> Full {
    match entry {
        Entry::Full(full) => full,
        _ => panic!("there was room"),
    }
}

fn has_place(waiting: &mut Waiting) -> Option<Place> {
    waiting.told.try_recv().ok()
}

#[test]
fn each_has_its_share_of_the_places_and_nothing_is_kept() {
    let room = room(4, 2, 0);
    let (first, second) = (runs(&room, "a"), runs(&room, "a"));
    assert_eq!(refused(enter(&room, "a", None)), Full::Principal);
    let other = runs(&room, "b");
    assert!(!room.is_full());
    let third = runs(&room, "c");
    assert!(room.is_full());
    assert_eq!(refused(enter(&room, "d", None)), Full::Server);
    drop(first);
    assert!(!room.is_full());
    let again = runs(&room, "a");
    drop((second, other, third, again));
    assert!(room.state().principals.is_empty());
    assert_eq!(room.state().all.running, 0);
}

#[test]
fn a_tool_has_its_own() {
    let room = room(9, 9, 0);
    let Entry::Place(place) = enter(&room, "a", Some(0)) else {
        panic!("no place")
    };
    assert_eq!(refused(enter(&room, "b", Some(0))), Full::Tool);
    assert!(matches!(enter(&room, "b", Some(1)), Entry::Place(_)));
    drop(place);
    assert!(matches!(enter(&room, "b", Some(0)), Entry::Place(_)));
}

#[test]
fn of_those_who_wait_the_one_goes_on_who_runs_least() {
    let room = room(3, 3, 9);
    let running: Vec<Place> = (0..3).map(|_| runs(&room, "flood")).collect();
    let mut flood: Vec<Waiting> = (0..3).map(|_| waits(&room, "flood")).collect();
    let mut late = waits(&room, "late");
    let mut running = running.into_iter();
    drop(running.next());
    let place = has_place(&mut late);
    assert!(place.is_some(), "though three were there before");
    assert!(flood.iter_mut().all(|one| has_place(one).is_none()));
    drop(running.next());
    let first = has_place(&mut flood[0]);
    assert!(first.is_some(), "who came first");
    assert!(has_place(&mut flood[1]).is_none());
}

#[test]
fn nobody_fills_the_queue_alone() {
    // A quarter of the places, and so of the queue.
    let room = room(8, 2, 8);
    let _running = [
        [runs(&room, "a"), runs(&room, "a")],
        [runs(&room, "b"), runs(&room, "b")],
        [runs(&room, "c"), runs(&room, "c")],
        [runs(&room, "d"), runs(&room, "d")],
    ];
    let _mine = [waits(&room, "a"), waits(&room, "a")];
    for _ in 0..100 {
        assert_eq!(refused(enter(&room, "a", None)), Full::Principal);
    }
    let _others = [waits(&room, "e"), waits(&room, "e"), waits(&room, "f")];
    assert!(!room.is_full());
    let _last = [waits(&room, "f"), waits(&room, "g"), waits(&room, "h")];
    assert!(room.is_full());
    assert_eq!(refused(enter(&room, "i", None)), Full::Server);
}

#[test]
fn who_waits_for_a_slow_tool_keeps_no_place_empty() {
    let room = room(4, 4, 8);
    let Entry::Place(_slow) = enter(&room, "a", Some(0)) else {
        panic!("no place")
    };
    // Of eight in the queue a tool with one of four places has two.
    let _waiting: Vec<Entry> = (0..2).map(|_| enter(&room, "a", Some(0))).collect();
    assert_eq!(refused(enter(&room, "b", Some(0))), Full::Tool);
    let _others = [runs(&room, "b"), runs(&room, "b"), runs(&room, "c")];
}

#[test]
fn who_leaves_the_queue_is_forgotten_also_with_a_place_on_the_way() {
    let room = room(1, 1, 4);
    let running = runs(&room, "a");
    drop(waits(&room, "b"));
    let leaving = waits(&room, "c");
    let mut next = waits(&room, "d");
    // The place is given to `c`, who leaves without having seen it.
    drop(running);
    assert!(has_place(&mut next).is_none());
    drop(leaving);
    let place = has_place(&mut next);
    assert!(place.is_some());
    drop((place, next));
    let state = room.state();
    assert!(state.principals.is_empty() && state.all.waiting == 0 && state.all.running == 0);
}

#[tokio::test(start_paused = true)]
async fn the_wait_ends_with_a_place_with_its_time_or_with_the_server() {
    let room = room(1, 1, 4);
    let running = runs(&room, "a");
    let late = waits(&room, "b").place(Duration::from_millis(10)).await;
    assert_eq!(late.err(), Some(Full::Server));
    let waiting = waits(&room, "b");
    drop(running);
    let place = waiting.place(Duration::from_secs(5)).await.unwrap();
    let last = waits(&room, "c");
    assert_eq!(room.close(), 1);
    assert_eq!(
        last.place(Duration::from_secs(5)).await.err(),
        Some(Full::Stopping)
    );
    assert_eq!(refused(enter(&room, "d", None)), Full::Stopping);
    drop(place);
    assert!(matches!(enter(&room, "d", None), Entry::Place(_)));
}
