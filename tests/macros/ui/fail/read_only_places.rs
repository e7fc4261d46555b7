use mcp_secure::prelude::*;

/// The folder with the user's notes.
#[capability(fs, private)]
pub struct Notes;

struct S;

#[secure_server]
impl S {
    #[init]
    async fn init(notes: Fs<Notes, ReadWrite>) -> mcp_secure::Result<Self> { drop(notes); Ok(S) }

    /// A prompt.
    #[prompt(public)]
    async fn summary(&self, name: String) -> String { name }

    #[completion(prompt = "summary", arg = "name")]
    async fn names(&self, prefix: String, notes: Approved<Fs<Notes, ReadWrite>>) -> Vec<String> { drop(notes); vec![prefix] }
}

fn main() {}
