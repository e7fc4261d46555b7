use mcp_secure::prelude::*;

/// The folder with the user's notes.
#[capability(fs, private)]
pub struct Notes;

struct S<M>(M);

#[secure_server]
impl<M> S<M> {
    /// Any mode.
    #[tool(public)]
    async fn any(&self, notes: Fs<Notes, M>) {}

    /// Itself.
    #[tool(public)]
    async fn itself(&self, own: Approved<Fs<Self, ReadOnly>>) {}
}

fn main() {}
