use mcp_secure::prelude::*;

/// The folder with the user's notes.
#[capability(fs, private)]
pub struct Notes;

type Quiet = Fs<Notes, ReadWrite>;

struct S;

#[secure_server]
impl S {
    /// A writer under another name.
    #[tool(public)]
    async fn alias(&self, notes: Quiet) { drop(notes) }
}

fn main() {}
