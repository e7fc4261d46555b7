//! The smallest server: one tool over stdio.

use mcp_secure::prelude::*;

struct Hi;

#[secure_server(name = "hello")]
impl Hi {
    /// Greet somebody.
    #[tool(public)]
    async fn greet(&self, name: String) -> String {
        format!("Hello, {name}!")
    }
}

fn main() -> mcp_secure::Result<()> {
    SecureServer::new(Hi).stdio(Principal::local_user()).run()
}
