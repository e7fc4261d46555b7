//! The smallest server: one tool over stdio.

use mcp_secure::prelude::*;
struct Hello;
#[secure_server]
impl Hello {
    /// Greet somebody.
    #[tool(public)]
    async fn greet(&self, name: String) -> String { format!("Hello, {name}!") }
}
fn main() -> mcp_secure::Result<()> {
    SecureServer::new(Hello).stdio(Principal::local_user()).run()
}
