use mcp_secure::prelude::*;

struct S;

#[secure_server]
impl S {
    /// Nobody said who.
    #[tool]
    async fn silent(&self) {}

    /// Nor here.
    #[tool(name = "quiet")]
    async fn still_silent(&self) {}

    /// Both.
    #[tool(public, scope = "a")]
    async fn both(&self) {}

    /// A value.
    #[tool(public = true)]
    async fn valued(&self) {}

    /// None in the list.
    #[prompt(scope = [])]
    async fn none(&self) -> String { String::new() }

    /// A space.
    #[resource(uri = "x:y", scope = "notes: read")]
    async fn space(&self) -> String { String::new() }

    /// Twice.
    #[tool(scope = ["a", "a"])]
    async fn twice(&self) {}

    /// A number.
    #[tool(scope = 3)]
    async fn number(&self) {}

    /// No value.
    #[tool(scope)]
    async fn empty(&self) {}
}

fn main() {}
