use mcp_secure::prelude::*;

struct S;

#[secure_server]
impl S {
    /// A prompt.
    #[prompt(public)]
    async fn summary(&self, name: String) -> String { name }

    #[completion(prompt = "summary", arg = "name")]
    async fn more(&self, prefix: String, limit: u8) -> Vec<String> { vec![prefix; limit.into()] }
}

fn main() {}
