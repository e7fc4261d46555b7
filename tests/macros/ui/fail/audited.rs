use mcp_secure::prelude::*;

struct S;

/// A password of the caller's, which nobody can write anywhere.
#[derive(mcp_secure::serde::Deserialize, mcp_secure::schemars::JsonSchema)]
#[serde(crate = "mcp_secure::serde")]
#[schemars(crate = "mcp_secure::schemars")]
struct Pass(String);

#[secure_server]
impl S {
    /// Log in.
    #[tool(public)]
    async fn log_in(&self, #[arg(audit)] pass: Pass, #[arg(audit)] again: Option<Pass>) {}
}

fn main() {}
