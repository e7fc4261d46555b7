use mcp_secure::prelude::*;

struct S;

#[secure_server]
impl S {
    /// A space.
    #[tool(public, name = "read note")]
    async fn space(&self) {}

    /// Nothing.
    #[prompt(public, name = "")]
    async fn empty(&self) -> String { String::new() }

    /// A look-alike.
    #[tool(public, name = "re\u{0430}d")]
    async fn cyrillic(&self) {}

    /// Not in ASCII.
    #[tool(public)]
    async fn größe(&self) {}

    /// First.
    #[tool(public, name = "same")]
    async fn first(&self) {}

    /// Second.
    #[tool(public, name = "same")]
    async fn second(&self) {}

    /// By its own name.
    #[tool(public, name = "first")]
    async fn third(&self) {}

    /// Taken from it.
    #[tool(public, name = "fifth")]
    async fn fourth(&self) {}

    /// Taken.
    #[tool(public)]
    async fn fifth(&self) {}

    /// A prompt may have the name of a tool.
    #[prompt(public, name = "same")]
    async fn prompt(&self) -> String { String::new() }
}

fn main() {}
