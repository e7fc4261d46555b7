//! The desk by itself.
#![allow(clippy::unwrap_used)]

use std::{sync::Arc, time::Duration};

use super::{Bounds, Decision, Desk, DeskError, How, Pending, Person, Standing};
use crate::state::{MemoryStore, Sealer};

fn desk(cap: usize, of_one: usize, of_all: usize, time: Duration) -> Desk {
    let bounds = Bounds {
        of_one,
        of_all,
        time,
    };
    let sealer = Sealer::random().unwrap();
    Desk::new(Arc::new(MemoryStore::new(cap)), sealer, bounds)
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
        until: 0,
    }
}

fn says(by: &str, yes: bool) -> Decision {
    Decision {
        yes,
        by: person(by),
        how: How::Outside,
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
        assert_eq!(desk.decide(&id, &asked, &says(by, true)).await, Ok(counts));
        assert_eq!(desk.standing(&id).await, Ok(Standing::Waiting));
    }
    assert_eq!(
        desk.decide(&id, &asked, &says("dave", true)).await,
        Ok(true)
    );
    assert_eq!(
        desk.standing(&id).await,
        Ok(Standing::Agreed(says("dave", true)))
    );
    assert_eq!(
        desk.decide(&id, &asked, &says("erin", false)).await,
        Ok(false)
    );

    let id = desk.ask(&asked).await.unwrap();
    assert_eq!(desk.decide(&id, &asked, &says("bob", true)).await, Ok(true));
    assert_eq!(
        desk.decide(&id, &asked, &says("carol", false)).await,
        Ok(true)
    );
    assert_eq!(desk.standing(&id).await, Ok(Standing::Refused));
    assert_eq!(
        desk.decide(&id, &asked, &says("dave", true)).await,
        Ok(false)
    );
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
    let desk = Desk::new(store.clone(), Sealer::random().unwrap(), bounds);
    let asked = pending("alice", 1, "x");
    let id = desk.ask(&asked).await.unwrap();
    let other = Desk::new(store.clone(), Sealer::random().unwrap(), bounds);
    assert_eq!(other.standing(&id).await, Ok(Standing::Gone));
    other
        .decide(&id, &asked, &says("mallory", true))
        .await
        .unwrap();
    assert_ne!(
        desk.standing(&id).await,
        Ok(Standing::Agreed(says("mallory", true)))
    );
    let forged = format!("approval/{id}/answer/0");
    assert_eq!(
        store.keep(&forged, b"{\"yes\":true}", MINUTE).await,
        Ok(false)
    );
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
    desk.decide(&id, &asked, &says("alice", false))
        .await
        .unwrap();
    assert_eq!(waiting.await.unwrap(), Ok(Standing::Refused));
    let id = desk.ask(&asked).await.unwrap();
    let soon = Duration::from_secs(1);
    assert_eq!(desk.wait(&id, soon).await, Ok(Standing::Waiting));
}
