//! Tools over which policies rule. The policies are a text of the test's.

use mcp_secure::prelude::*;

use crate::{target::Files, traces::Traces};

/// What a transfer is about.
#[mcp_secure::args]
struct Transfer {
    /// To whom.
    to: String,
    /// How much.
    amount: i64,
    /// What for.
    note: Option<String>,
    /// Which way.
    route: Option<Route>,
    /// How fast.
    #[serde(default = "slow")]
    speed: i64,
    /// A map of the caller's.
    #[serde(default)]
    labels: std::collections::BTreeMap<String, String>,
}

/// Which way a transfer goes.
#[mcp_secure::args]
struct Route {
    /// Through which bank.
    bank: String,
}

fn slow() -> i64 {
    1
}

pub(crate) struct Policed {
    traces: Traces,
}

impl Policed {
    pub(crate) fn new(traces: Traces) -> Self {
        Self { traces }
    }
}

#[secure_server(name = "policed")]
impl Policed {
    /// Book a transfer between two accounts.
    #[tool(public)]
    async fn transfer(&self, Args(transfer): Args<Transfer>) -> String {
        self.traces.leave("transfer");
        let Transfer {
            to,
            amount,
            note,
            route,
            speed,
            labels,
        } = transfer;
        let bank = route.map(|route| route.bank);
        drop((note, bank, labels));
        format!("sent {amount} to {to} at speed {speed}")
    }

    /// Quote a price.
    #[tool(public)]
    async fn quote(&self, price: f64, tags: Vec<String>, urgent: bool, count: u64) -> String {
        self.traces.leave("quote");
        format!("{price} {} {urgent} {count}", tags.len())
    }

    /// Read a file of the user's.
    #[tool(scope = "files:read")]
    async fn read(&self, name: RelPath, files: Fs<Files, ReadOnly>) -> ToolResult<String> {
        self.traces.leave("read");
        Ok(files.read_to_string(&name).await?)
    }

    /// Say something.
    #[tool(public)]
    async fn say(&self, text: String) -> String {
        self.traces.leave("say");
        text
    }

    /// A letter to somebody.
    #[prompt(public)]
    async fn letter(&self, name: String) -> String {
        self.traces.leave("letter");
        format!("Write to {name}.")
    }

    /// Names for letters.
    #[completion(prompt = "letter", arg = "name")]
    async fn names(&self, prefix: String) -> Vec<String> {
        self.traces.leave("names");
        vec![format!("{prefix}lice")]
    }

    /// An account.
    #[resource(uri = "bank://account/{number}", public)]
    async fn account(&self, number: String) -> String {
        self.traces.leave("account");
        format!("the account {number}")
    }

    /// All accounts.
    #[resource(uri = "bank://accounts", public)]
    async fn accounts(&self) -> String {
        self.traces.leave("accounts");
        "all accounts".to_owned()
    }
}
