use mcp_secure::prelude::*;

/// The folder with the user's notes.
#[capability(fs, private)]
pub struct Notes;

struct S;

#[secure_server]
impl S {
    /// Borrowed.
    #[tool(public)]
    async fn borrowed(&self, name: &str, list: &[u8], thing: &Thing) {}

    /// Taken apart.
    #[tool(public)]
    async fn apart(&self, (a, b): (u8, u8), _: String, ref c: u8) {}

    /// Lent by reference.
    #[tool(public)]
    async fn by_reference(&self, notes: &Fs<Notes, ReadOnly>) {}

    /// Narrowed.
    #[tool(public)]
    async fn narrowed(&self, #[arg(max_len = 3)] notes: Fs<Notes, ReadOnly>) {}

    /// Marked.
    #[tool(public)]
    async fn marked(&self, #[handle] notes: Fs<Notes, ReadOnly>) {}

    /// Marked with options.
    #[tool(public)]
    async fn options(&self, #[handle(x)] notes: Thing) {}

    /// Not in one.
    #[tool(public)]
    async fn whole_and_more(&self, Args(thing): Args<Thing>, more: String) {}

    /// Narrowed from outside.
    #[tool(public)]
    async fn whole_narrowed(&self, #[arg(max_len = 3)] Args(thing): Args<Thing>) {}

    /// As text.
    #[prompt(public)]
    async fn whole_prompt(&self, Args(thing): Args<Thing>) -> String { String::new() }

    /// Sometimes.
    #[tool(public)]
    async fn sometimes(&self, #[cfg(unix)] name: String) {}

    /// Not in ASCII.
    #[tool(public)]
    async fn letters(&self, größe: u8) {}
}

pub struct Thing;

fn main() {}
