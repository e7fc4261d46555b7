//! A client that can say anything: pipes, sockets and JSON, no SDK.
//!
//! A test says on which [`Way`]s it runs, starts a [`Server`] in one place
//! ([`Setup::start`]), speaks through a [`Client`], and looks at three things: what the caller
//! was told, which lines user code left, and what the audit log says.

mod client;
mod http;
mod namespace;
mod pki;
mod server;
mod wire;

pub(crate) use client::{Begun, Client, code, is_refusal, is_tool_error, message, text};
pub(crate) use http::Exchange;
pub(crate) use namespace::in_namespace;
pub(crate) use pki::{Authority, Pair, private};
pub(crate) use server::{Server, Setup};
pub(crate) use wire::{Caller, Wire, connect};

use serde_json::Value;

/// What carries messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Stdio,
    Http,
}

/// A generation of the protocol, which the client chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Generation {
    /// 2025-11-25: `initialize`, sessions, requests of the server.
    Sessions,
    /// 2026-07-28: `_meta` in each request, rounds instead of requests of the server.
    Rounds,
}

/// One of the four ways to a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) transport: Transport,
    pub(crate) generation: Generation,
}

impl Way {
    pub(crate) fn setup(self) -> Setup {
        Setup::on(self.transport)
    }

    /// The usual server, with the scopes for files but not for administrators.
    pub(crate) fn start(self) -> Server {
        self.setup().start()
    }

    pub(crate) fn is_modern(self) -> bool {
        self.generation == Generation::Rounds
    }
}

/// Makes four tests of one: on each transport, in each generation.
macro_rules! on_every_way {
    ($($(#[$attribute:meta])* fn $name:ident($way:ident: Way) $body:block)+) => {$(
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            fn on($way: $crate::harness::Way) $body

            #[test]
            fn stdio_2025() {
                on($crate::harness::STDIO_2025);
            }

            #[test]
            fn stdio_2026() {
                on($crate::harness::STDIO_2026);
            }

            #[test]
            fn http_2025() {
                on($crate::harness::HTTP_2025);
            }

            #[test]
            fn http_2026() {
                on($crate::harness::HTTP_2026);
            }
        }
    )+};
}
pub(crate) use on_every_way;

pub(crate) const STDIO_2025: Way = Way {
    transport: Transport::Stdio,
    generation: Generation::Sessions,
};
pub(crate) const STDIO_2026: Way = Way {
    transport: Transport::Stdio,
    generation: Generation::Rounds,
};
pub(crate) const HTTP_2025: Way = Way {
    transport: Transport::Http,
    generation: Generation::Sessions,
};
pub(crate) const HTTP_2026: Way = Way {
    transport: Transport::Http,
    generation: Generation::Rounds,
};

/// What user code puts into its errors; outside of the audit log it must be nowhere.
pub(crate) const CANARY: &str = "canary-7f3a";

/// What a test puts into arguments; it must be in no log, the audit log included.
pub(crate) const SECRET: &str = "sk-argument-5d0c";

/// The fields of a record that say what was decided and by whom.
#[track_caller]
pub(crate) fn assert_record(record: &Value, outcome: &str, decision: &str, control: Option<&str>) {
    assert_eq!(record["outcome"], outcome, "{record}");
    assert_eq!(record["decision"], decision, "{record}");
    match control {
        Some(control) => assert_eq!(record["control"], control, "{record}"),
        None => assert!(record.get("control").is_none(), "{record}"),
    }
    let uid = format!("uid:{}", rustix::process::getuid().as_raw());
    assert_eq!(record["principal"]["subject"], uid, "{record}");
    assert_eq!(record["principal"]["issuer"], "local", "{record}");
    assert_eq!(record["id"].as_str().map(str::len), Some(16), "{record}");
    assert!(
        record["manifest"]
            .as_str()
            .is_some_and(|digest| digest.len() >= 64),
        "{record}"
    );
}
