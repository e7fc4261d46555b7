use mcp_secure::prelude::*;

struct S;

#[secure_server]
impl S {
    /// A name that sounds like a secret, and one with a value.
    #[tool(public)]
    async fn places(
        &self,
        #[arg(audit)] api_key: String,
        #[arg(audit = true)] city: String,
        #[arg(audit, max_len = 8)] fine: String,
    ) {}

    /// Not a tool.
    #[prompt(public)]
    async fn prompt(&self, #[arg(audit)] city: String) -> String {
        city
    }
}

fn main() {}
