use mcp_secure::prelude::*;

/// The folder with the user's notes.
#[capability(fs, private)]
pub struct Notes;

pub struct Plain;

/// Writes, whatever it is called.
pub struct Harmless(Fs<Notes, ReadWrite>);

impl Extractor for Harmless {
    type From = Fs<Notes, ReadWrite>;
    fn extract(notes: Self::From) -> ToolResult<Self> {
        Ok(Harmless(notes))
    }
}

struct S;

#[secure_server]
impl S {
    /// Not an extractor.
    #[tool(public)]
    async fn plain(&self, #[handle] plain: Plain) { drop(plain) }

    /// Cannot claim less than it is made of.
    #[tool(public)]
    async fn harmless(&self, #[handle] harmless: Harmless) { drop(harmless.0) }
}

fn main() {}
