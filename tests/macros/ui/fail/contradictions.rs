use mcp_secure::prelude::*;

/// The folder with the user's notes.
#[capability(fs, private)]
pub struct Notes;

struct S;

#[secure_server]
impl S {
    /// Writes.
    #[tool(public, read_only = true)]
    async fn read_only(&self, notes: Approved<Fs<Notes, ReadWrite>>) { drop(notes) }

    /// Overwrites.
    #[tool(public, destructive = false)]
    async fn harmless(&self, notes: Approved<Fs<Notes, ReadWrite>>) { drop(notes) }

    /// Nothing flows.
    #[tool(public, allow_flow = "why")]
    async fn still(&self, notes: Fs<Notes, ReadOnly>) { drop(notes) }
}

fn main() {}
