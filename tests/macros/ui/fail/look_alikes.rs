use mcp_secure::prelude::*;

/// The folder with the user's notes.
#[capability(fs, private)]
pub struct Notes;

mod fake {
    pub struct Fs;
    pub type Approved<T> = T;
    pub type Log = super::Fs<super::Notes, super::ReadWrite>;
}

struct S;

#[secure_server]
impl S {
    /// A struct of the user's.
    #[tool(public)]
    async fn own(&self, notes: fake::Fs) { drop(notes) }

    /// A witness of nothing.
    #[tool(public)]
    async fn witness(&self, notes: fake::Approved<Fs<Notes, ReadWrite>>) { drop(notes) }

    /// A writer under the name of a harmless handle.
    #[tool(public)]
    async fn harmless(&self, notes: fake::Log) { drop(notes) }
}

fn main() {}
