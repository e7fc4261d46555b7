use mcp_secure::prelude::*;

struct S;

#[secure_server(instructions = "Be\u{2066}have.")]
impl S {
    #[tool(public)]
    async fn undescribed(&self) {}

    ///
    #[prompt(public)]
    async fn blank(&self) -> String { String::new() }

    #[doc = concat!("a", "b")]
    #[resource(uri = "x:y", public)]
    async fn computed(&self) -> String { String::new() }

    #[doc = "Adds.\u{E0049}\u{E0067}"]
    #[tool(public)]
    async fn tagged(&self) {}

    /// Reads.
    ///
    #[doc = "Then\u{202E}this."]
    /// And​ so on.
    #[tool(public, title = "A\nB")]
    async fn reversed(&self, #[doc = "A\u{7}bell."] bell: u8) {}

    /// No title.
    #[tool(public, title = "")]
    async fn untitled(&self) {}

    /// A reason that an auditor cannot see.
    #[tool(public, unapproved = "fine\u{200B}")]
    async fn excused(&self) {}
}

fn main() {}
