use mcp_secure::prelude::*;

struct S;

#[secure_server]
impl S {
    /// Not known.
    #[tool(public, colour = "red")]
    async fn unknown(&self) {}

    /// Of tools only.
    #[prompt(public, read_only = true)]
    async fn not_a_tool(&self) -> String { String::new() }

    /// Of tools only, too.
    #[prompt(public, rate = "10/min")]
    async fn rated(&self) -> String { String::new() }

    /// Twice.
    #[tool(public, name = "a", name = "b")]
    async fn twice(&self) {}

    /// Not as a value.
    #[tool = "public"]
    async fn by_value(&self) {}

    /// Not a list.
    #[tool(public; hidden)]
    async fn semicolon(&self) {}

    /// Not a string.
    #[tool(public, title = 3)]
    async fn title(&self) {}

    /// Not a switch.
    #[tool(public, idempotent = "yes")]
    async fn switch(&self) {}
}

fn main() {}
