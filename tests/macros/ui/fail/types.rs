use mcp_secure::prelude::*;

pub struct Plain;

struct S;

#[secure_server]
impl S {
    /// Takes what no model can send.
    #[tool(public)]
    async fn takes(&self, plain: Plain) { drop(plain) }

    /// Takes a whole that no model can send.
    #[tool(public)]
    async fn takes_whole(&self, Args(plain): Args<Plain>) { drop(plain) }

    /// Answers what no model can read.
    #[tool(public)]
    async fn answers(&self) -> Plain { Plain }

    /// Prompts for nothing.
    #[prompt(public)]
    async fn prompts(&self, name: String) -> u32 { name.len() as u32 }

    /// Is nothing.
    #[resource(public, uri = "x:y")]
    async fn is(&self) {}

    #[completion(prompt = "prompts", arg = "name")]
    async fn completes(&self, prefix: String) -> String { prefix }

    #[init]
    async fn init() -> Result<Self, String> { Ok(S) }
}

fn main() {}
