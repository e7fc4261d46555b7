//! Tools that keep something between calls, give something to carry, and pass on what others
//! wrote.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use mcp_secure::{
    prelude::*,
    serde::{Deserialize, Serialize},
    state::Carried,
};

use crate::{flow::Elsewhere, target::Files};

/// Baskets in memory.
static BASKETS: AtomicUsize = AtomicUsize::new(0);

pub(crate) struct Basket(Vec<String>);

impl Default for Basket {
    fn default() -> Self {
        BASKETS.fetch_add(1, Ordering::SeqCst);
        Self(Vec::new())
    }
}

impl Drop for Basket {
    fn drop(&mut self) {
        BASKETS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// An order that is not sent yet.
#[derive(Serialize, Deserialize)]
#[serde(crate = "::mcp_secure::serde")]
pub(crate) struct Draft {
    order: String,
}

impl Carried for Draft {
    const PURPOSE: &'static str = "draft";
    const LIFETIME: Duration = Duration::from_secs(600);
}

/// The same, for something else.
#[derive(Serialize, Deserialize)]
#[serde(crate = "::mcp_secure::serde")]
pub(crate) struct Voucher {
    order: String,
}

impl Carried for Voucher {
    const PURPOSE: &'static str = "voucher";
    const LIFETIME: Duration = Duration::from_secs(600);
}

/// Good for so short a time that it is over when it is brought.
#[derive(Serialize, Deserialize)]
#[serde(crate = "::mcp_secure::serde")]
pub(crate) struct Brief {
    order: String,
}

impl Carried for Brief {
    const PURPOSE: &'static str = "draft";
    const LIFETIME: Duration = Duration::ZERO;
}

#[mcp_secure::output]
pub(crate) struct Issue {
    number: u32,
    body: Untrusted<String>,
}

#[mcp_secure::output]
pub(crate) struct Plain {
    body: String,
}

pub(crate) struct Kept;

#[secure_server(name = "kept")]
impl Kept {
    /// Put a thing into the basket, and say how much is in it, and what was put in last.
    #[tool(public)]
    async fn put(&self, item: String, basket: Session<Basket>) -> ToolResult<String> {
        basket.with(|basket| {
            basket.0.push(item);
            let before = basket.0.len().saturating_sub(5);
            let last: Vec<&str> = basket.0.iter().skip(before).map(String::as_str).collect();
            format!("{}: {}", basket.0.len(), last.join(" "))
        })
    }

    /// Change half of the basket.
    #[tool(public)]
    #[allow(clippy::panic, reason = "what is tested")]
    async fn tear(&self, basket: Session<Basket>) -> ToolResult<String> {
        basket.with(|basket| {
            basket.0.push("half".to_owned());
            panic!("in the middle of it")
        })
    }

    /// How many baskets there are.
    #[tool(public)]
    async fn baskets(&self) -> usize {
        BASKETS.load(Ordering::SeqCst)
    }

    /// Begin an order.
    #[tool(public)]
    async fn draft(&self, order: String, seals: Seals<Draft>) -> ToolResult<Sealed<Draft>> {
        seals.seal(&Draft { order })
    }

    /// Begin something else.
    #[tool(public)]
    async fn voucher(&self, order: String, seals: Seals<Voucher>) -> ToolResult<Sealed<Voucher>> {
        seals.seal(&Voucher { order })
    }

    /// Begin what does not last.
    #[tool(public)]
    async fn brief(&self, order: String, seals: Seals<Brief>) -> ToolResult<Sealed<Brief>> {
        let sealed = seals.seal(&Brief { order });
        // The clock of seals counts whole seconds.
        tokio::time::sleep(Duration::from_millis(2100)).await;
        sealed
    }

    /// Show an order.
    #[tool(public)]
    async fn show(&self, draft: Sealed<Draft>, seals: Seals<Draft>) -> ToolResult<String> {
        Ok(seals.open(&draft)?.order)
    }

    /// Send an order, once.
    #[tool(public)]
    async fn send(&self, draft: Sealed<Draft>, seals: Seals<Draft>) -> ToolResult<String> {
        Ok(format!("sent {}", seals.redeem(draft).await?.order))
    }

    /// Show a page that somebody else wrote.
    #[tool(public)]
    async fn page(&self, text: String) -> Untrusted<String> {
        Untrusted::from("https://forum.example/1", text)
    }

    /// Show a page of one's own.
    #[tool(public)]
    async fn own_page(&self, text: String) -> String {
        text
    }

    /// Show an issue.
    #[tool(public)]
    async fn issue(&self, text: String) -> Json<Issue> {
        let body = Untrusted::from("https://tracker.example", text);
        Json(Issue { number: 7, body })
    }

    /// Show all of an issue.
    #[tool(public)]
    async fn whole_issue(&self, text: String) -> Untrusted<Json<Plain>> {
        Untrusted::from("https://tracker.example", Json(Plain { body: text }))
    }

    /// Show a mail that somebody else has sent.
    #[tool(public)]
    async fn mail(
        &self,
        name: RelPath,
        mails: Fs<Files, ReadOnly>,
    ) -> ToolResult<Untrusted<String>> {
        let text = mails.read_to_string(&name).await?;
        Ok(Untrusted::from("a mail", text))
    }

    /// Look something up on a host of the operator's.
    #[tool(public)]
    async fn look_elsewhere(&self, host: String, web: Net<Elsewhere, Get>) -> String {
        drop(web.path("/").host(&host));
        "looked elsewhere".to_owned()
    }

    /// Ask about a page that somebody else wrote.
    #[prompt(public)]
    async fn about(&self, text: String) -> Untrusted<String> {
        Untrusted::from("https://forum.example/2", text)
    }

    /// A page that somebody else wrote.
    #[resource(uri = "kept://page/{text}", mime = "text/plain", public)]
    async fn stored(&self, text: String) -> Untrusted<String> {
        Untrusted::from("https://forum.example/3", text)
    }
}
