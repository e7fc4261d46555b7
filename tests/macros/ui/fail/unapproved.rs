use mcp_secure::prelude::*;

/// The folder with the user's notes.
#[capability(fs, private)]
pub struct Notes;

struct S;

#[secure_server]
impl S {
    /// Writes without asking.
    #[tool(public)]
    async fn publish(&self, notes: Fs<Notes, ReadWrite>) { drop(notes) }

    /// Writes through one of two.
    #[tool(public)]
    async fn mixed(&self, asked: Approved<Fs<Notes, ReadWrite>>, notes: Fs<Notes, ReadWrite>) { drop((asked, notes)) }

    /// Writes as a prompt.
    #[prompt(public)]
    async fn prompt(&self, notes: Fs<Notes, ReadWrite>) -> String { drop(notes); String::new() }

    /// Excuses nothing.
    #[tool(public, unapproved = "why")]
    async fn read(&self, notes: Fs<Notes, ReadOnly>) { drop(notes) }

    /// Excuses what is asked for anyway.
    #[tool(public, unapproved = "why")]
    async fn asked(&self, notes: Approved<Fs<Notes, ReadWrite>>) { drop(notes) }

    /// Excuses nothing at all.
    #[tool(public, unapproved = "why")]
    async fn pure_(&self) {}
}

fn main() {}
