//! The desk by itself.
#![allow(clippy::unwrap_used)]

use std::{sync::Arc, time::Duration};

use super::{Bounds, Decision, Desk, DeskError, How, Offer, Pending, Person, Standing, Wanted};
use crate::state::{MemoryStore, Sealer, clock};

fn desk(cap: usize, of_one: usize, of_all: usize, time: Duration) -> Desk {
    let bounds = Bounds {
        of_one,
        of_all,
        time,
    };
    let sealer = Sealer::random().unwrap();
    Desk::new(Arc::new(MemoryStore::new(cap)), sealer, bounds, None)
}

fn person(subject: &str) -> Person {
    Person {
        issuer: "i".to_owned(),
        subject: subject.to_owned(),
    }
}

fn pending(caller: &str, people: u8, text: &str) -> Pending {
    let mut arguments = serde_json::Map::new();
    arguments.insert("text".to_owned(), text.into());
    Pending {
        caller: person(caller),
        client: None,
        server: "s".to_owned(),
        manifest: "m".to_owned(),
        tool: "t".to_owned(),
        title: None,
        description: String::new(),
        effects: Vec::new(),
        held: None,
        arguments,
        purpose: String::new(),
        people,
        others_only: None,
        remember: None,
        approver: None,
        nonce: String::new(),
        until: 0,
    }
}

fn says(by: &str, yes: bool) -> Decision {
    Decision {
        yes,
        by: person(by),
        how: How::Outside,
        at: 0,
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// Whatever is asked for, what is kept has a bound, and what was kept stays.
#[tokio::test]
async fn ten_thousand_questions_take_no_more_than_the_store_has() {
    let hour = Duration::from_secs(3600);
    let desk = desk(256, usize::MAX, usize::MAX, hour);
    let asked = pending("alice", 1, &"x".repeat(200));
    let first = desk.ask(&asked).await.unwrap();
    let mut kept = 1;
    for _ in 1..10_000 {
        match desk.ask(&asked).await {
            Ok(_) => kept += 1,
            Err(error) => assert_eq!(error, DeskError::Full),
        }
    }
    assert_eq!(kept, 256);
    assert_eq!(desk.standing(&first).await, Ok(Standing::Waiting));
}

#[tokio::test]
async fn what_is_too_long_for_anybody_is_not_asked() {
    let desk = desk(16, 16, 16, MINUTE);
    let long = pending("alice", 1, &"x".repeat(600 * 1024));
    assert_eq!(desk.ask(&long).await, Err(DeskError::Long));
}

#[tokio::test]
async fn three_persons_are_three_and_one_no_is_enough() {
    let desk = desk(64, 16, 16, MINUTE);
    let asked = pending("alice", 3, "x");
    let id = desk.ask(&asked).await.unwrap();
    for (by, counts) in [
        ("bob", true),
        ("bob", false),
        ("carol", true),
        ("bob", false),
    ] {
        assert_eq!(desk.decide(&id, &says(by, true)).await, Ok(counts));
        assert_eq!(desk.standing(&id).await, Ok(Standing::Waiting));
    }
    assert_eq!(desk.decide(&id, &says("dave", true)).await, Ok(true));
    assert_eq!(
        desk.standing(&id).await,
        Ok(Standing::Agreed(
            ["bob", "carol", "dave"].map(|by| says(by, true)).to_vec()
        ))
    );
    assert_eq!(desk.decide(&id, &says("erin", false)).await, Ok(false));

    let id = desk.ask(&asked).await.unwrap();
    assert_eq!(desk.decide(&id, &says("bob", true)).await, Ok(true));
    assert_eq!(desk.decide(&id, &says("carol", false)).await, Ok(true));
    assert_eq!(desk.standing(&id).await, Ok(Standing::Refused));
    assert_eq!(desk.decide(&id, &says("dave", true)).await, Ok(false));
}

/// Places are given up by time and by answer, whoever has how many.
#[tokio::test(start_paused = true)]
async fn a_place_is_free_again_when_it_was_answered_or_is_over() {
    let desk = desk(4096, 3, 5, MINUTE);
    let of = |name: &str| pending(name, 1, "x");
    let first = desk.ask(&of("alice")).await.unwrap();
    for _ in 0..2 {
        desk.ask(&of("alice")).await.unwrap();
    }
    assert_eq!(desk.ask(&of("alice")).await, Err(DeskError::Full));
    for _ in 0..2 {
        desk.ask(&of("bob")).await.unwrap();
    }
    assert_eq!(desk.ask(&of("carol")).await, Err(DeskError::Full));
    assert_eq!(desk.decide(&first, &says("alice", true)).await, Ok(true));
    assert_eq!(desk.waiting(), 4);
    tokio::time::advance(MINUTE / 2).await;
    desk.ask(&of("carol")).await.unwrap();
    desk.give_up(tokio::time::Instant::now()).await;
    assert_eq!(desk.waiting(), 5, "nothing is over yet");
    tokio::time::advance(MINUTE / 2).await;
    desk.give_up(tokio::time::Instant::now()).await;
    assert_eq!(desk.waiting(), 1, "carol's");
    for _ in 0..3 {
        desk.ask(&of("alice")).await.unwrap();
    }
}

/// The wall clock goes back while a person thinks. The time that they have is the store's.
#[tokio::test]
async fn a_clock_that_is_set_back_gives_nobody_more_time() {
    let desk = desk(64, 16, 16, Duration::from_secs(2));
    let asked = pending("alice", 1, "x");
    let id = desk.ask(&asked).await.unwrap();
    clock::set(-3600);
    assert_eq!(desk.standing(&id).await, Ok(Standing::Waiting));
    tokio::time::sleep(Duration::from_millis(2200)).await;
    assert_eq!(desk.standing(&id).await, Ok(Standing::Gone));
    assert_eq!(desk.decide(&id, &says("alice", true)).await, Ok(false));
}

/// It goes forward: what was asked is over, and so is what was said to it. Nothing runs that would
/// not have run.
#[tokio::test]
async fn a_clock_that_is_set_forward_ends_what_waits_and_agrees_to_nothing() {
    let desk = desk(64, 16, 16, MINUTE);
    let asked = pending("alice", 1, "x");
    let (first, second) = (
        desk.ask(&asked).await.unwrap(),
        desk.ask(&asked).await.unwrap(),
    );
    assert_eq!(desk.decide(&first, &says("alice", true)).await, Ok(true));
    clock::set(3600);
    for id in [&first, &second] {
        assert_eq!(desk.standing(id).await, Ok(Standing::Gone));
        assert_eq!(desk.decide(id, &says("alice", true)).await, Ok(false));
    }
    clock::set(0);
    let said = vec![says("alice", true)];
    assert_eq!(desk.standing(&first).await, Ok(Standing::Agreed(said)));
    assert_eq!(desk.decide(&second, &says("alice", false)).await, Ok(true));
    assert_eq!(desk.standing(&second).await, Ok(Standing::Refused));
}

#[tokio::test]
async fn what_is_remembered_is_for_this_client_this_version_and_its_time_by_any_clock() {
    let desk = desk(1024, 16, 16, MINUTE);
    let mut asked = pending("alice", 1, "x");
    let offer = Offer::of(Duration::from_secs(2), &asked.arguments, &[]);
    let shape = offer.shape.clone();
    (asked.remember, asked.client) = (Some(offer), Some("desktop".to_owned()));
    let id = desk.ask(&asked).await.unwrap();
    let caller = person("alice");
    let wanted = |client, manifest| Wanted {
        caller: &caller,
        client,
        tool: "t",
        manifest,
        shape: &shape,
    };
    let (no, yes) = (says("alice", false), says("alice", true));
    let no = desk.remember(&id, &asked, &no, None).await;
    assert!(no.is_none(), "a no is not remembered");
    let memory = desk.remember(&id, &asked, &yes, None).await.unwrap();
    let good = wanted(Some("desktop"), "m");
    assert!(desk.remembered(&good).await.is_some());
    for other in [
        wanted(Some("phone"), "m"),
        wanted(None, "m"),
        wanted(Some("desktop"), "another version"),
    ] {
        assert!(desk.remembered(&other).await.is_none());
    }
    clock::set(3600);
    assert!(desk.remembered(&good).await.is_none());
    clock::set(-3600);
    assert!(desk.remembered(&good).await.is_some());
    tokio::time::sleep(Duration::from_millis(2200)).await;
    assert!(
        desk.remembered(&good).await.is_none(),
        "more time than was given"
    );
    clock::set(0);
    assert!(desk.revoke(&memory, &caller).await);
}

/// Another server's store, or one that somebody wrote into.
#[tokio::test]
async fn a_cell_that_this_server_did_not_write_is_nobodys_yes() {
    use crate::state::Store as _;
    let store = Arc::new(MemoryStore::new(64));
    let bounds = Bounds {
        of_one: 16,
        of_all: 16,
        time: MINUTE,
    };
    let desk = Desk::new(store.clone(), Sealer::random().unwrap(), bounds, None);
    let asked = pending("alice", 1, "x");
    let id = desk.ask(&asked).await.unwrap();
    let other = Desk::new(store.clone(), Sealer::random().unwrap(), bounds, None);
    assert_eq!(other.standing(&id).await, Ok(Standing::Gone));
    // What it cannot read it does not answer.
    let theirs = other.decide(&id, &says("mallory", true)).await;
    assert_eq!(theirs, Ok(false));
    // And what is written past it is no answer.
    let forged = format!("approval/{id}/answer/0");
    let sealed = other.seal_for(&says("mallory", true), &forged, MINUTE);
    let sealed = sealed.unwrap();
    let kept = store.keep(&forged, sealed.as_bytes(), MINUTE).await;
    assert_eq!(kept, Ok(true));
    assert_eq!(desk.standing(&id).await, Ok(Standing::Waiting));
    for name in [
        "",
        "short",
        "../../../../etc/passwd",
        "AAAAAAAAAAAAAAAAAAAAA/",
    ] {
        assert_eq!(desk.standing(name).await, Ok(Standing::Gone), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_hears_at_once_and_in_time_gives_up() {
    let desk = Arc::new(desk(64, 16, 16, MINUTE));
    let asked = pending("alice", 1, "x");
    let id = desk.ask(&asked).await.unwrap();
    let waiting = tokio::spawn({
        let (desk, id) = (Arc::clone(&desk), id.clone());
        async move { desk.wait(&id, MINUTE).await }
    });
    tokio::task::yield_now().await;
    desk.decide(&id, &says("alice", false)).await.unwrap();
    assert_eq!(waiting.await.unwrap(), Ok(Standing::Refused));
    let id = desk.ask(&asked).await.unwrap();
    let soon = Duration::from_secs(1);
    assert_eq!(desk.wait(&id, soon).await, Ok(Standing::Waiting));
}
