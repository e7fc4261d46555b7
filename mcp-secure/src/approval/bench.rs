//! What the benchmark reaches. Not part of the API.

use std::{sync::Arc, time::Duration};

use super::{Bounds, Decision, Desk, How, Pending, Person};
use crate::{
    auth::{Assurance, Principal},
    state::{MemoryStore, Sealer},
};

/// Seals and opens a text as a client carries it.
pub struct BenchSeal {
    sealer: Sealer,
    principal: Principal,
}

impl BenchSeal {
    pub fn new() -> Option<Self> {
        Some(Self {
            sealer: Sealer::random().ok()?,
            principal: Principal::minted("https://issuer.example", "alice", Assurance::Declared),
        })
    }

    pub fn seal_and_open(&self, text: &str) -> Option<String> {
        let sealed = self.sealer.seal(&text, &self.principal, "bench", MINUTE)?;
        let sealed = sealed.into_string();
        self.sealer.open(&sealed, &self.principal, "bench").ok()
    }
}

/// A desk that may have so many questions.
pub struct BenchDesk(Desk);

impl BenchDesk {
    pub fn new(most: usize) -> Option<Self> {
        let bounds = Bounds {
            of_one: most,
            of_all: most,
            time: MINUTE,
        };
        let store = Arc::new(MemoryStore::new(4 * most));
        let desk = Desk::new(store, Sealer::random().ok()?, bounds, None);
        Some(Self(desk))
    }

    /// Asks for one of a thousand callers. `None` if there is no place.
    pub async fn ask(&self, number: usize, text: &str) -> Option<String> {
        let mut arguments = serde_json::Map::new();
        arguments.insert("text".to_owned(), text.into());
        let caller = Person {
            issuer: "https://issuer.example".to_owned(),
            subject: format!("person-{}", number % 1000),
        };
        let pending = Pending {
            caller,
            client: Some("desktop".to_owned()),
            server: "bench".to_owned(),
            manifest: "sha256:0".to_owned(),
            tool: "wire".to_owned(),
            title: None,
            description: "Wire money.".to_owned(),
            effects: vec!["sql read-write: ledger".to_owned()],
            held: None,
            arguments,
            purpose: "round".to_owned(),
            people: 1,
            others_only: None,
            remember: None,
            approver: None,
            nonce: String::new(),
            until: 0,
        };
        self.0.ask(&pending).await.ok()
    }

    pub async fn agree(&self, id: &str) -> bool {
        let by = Person {
            issuer: "https://issuer.example".to_owned(),
            subject: "bob".to_owned(),
        };
        let yes = Decision::now(true, by, How::Page);
        self.0.decide(id, &yes).await == Ok(true)
    }
}

const MINUTE: Duration = Duration::from_secs(600);
