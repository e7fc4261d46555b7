use mcp_secure::prelude::*;

struct S;

#[secure_server]
impl S {
    /// Both.
    #[tool(public, read_only = true, destructive = true)]
    async fn both(&self) {}
}

fn main() {}
