use mcp_secure::prelude::*;

struct S;

#[secure_server]
impl S {
    /// No unit.
    #[tool(public, timeout = "30")]
    async fn unit(&self) {}

    /// Nothing.
    #[tool(public, timeout = "0s")]
    async fn zero(&self) {}

    /// No time.
    #[tool(public, timeout = 30)]
    async fn number(&self) {}

    /// Nobody.
    #[tool(public, concurrency = 0)]
    async fn nobody(&self) {}

    /// Everybody.
    #[tool(public, concurrency = 1000000)]
    async fn everybody(&self) {}

    /// In words.
    #[tool(public, concurrency = "four")]
    async fn words(&self) {}

    /// Decimal.
    #[tool(public, max_output = "1 MB")]
    async fn decimal(&self) {}

    /// No bytes.
    #[tool(public, max_output = 0)]
    async fn none(&self) {}

    /// No reason.
    #[tool(public, unapproved = " ")]
    async fn no_reason(&self) {}
}

fn main() {}
