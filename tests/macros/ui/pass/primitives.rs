//! Every primitive, option and kind of parameter, with nothing but `mcp-secure`.

#![allow(missing_docs, unreachable_pub, dead_code, clippy::too_many_arguments)]

use mcp_secure::prelude::*;

/// The folder with the user's notes.
#[capability(fs, private)]
pub struct Notes;

/// Where drafts are kept.
#[capability(fs, name = "my.drafts")]
pub(crate) struct Drafts;

/// The notes, seen as an archive.
pub struct Archive(#[allow(dead_code)] Fs<Notes, ReadOnly>);

impl Extractor for Archive {
    type From = Fs<Notes, ReadOnly>;
    fn extract(notes: Self::From) -> ToolResult<Self> {
        Ok(Archive(notes))
    }
}

/// What to look for.
#[mcp_secure::args]
struct Search {
    /// A word.
    word: String,
    limit: Option<u32>,
}

/// An order.
#[mcp_secure::args]
#[mcp_secure::output]
enum Order {
    /// As written.
    Newest,
    Oldest,
}

#[mcp_secure::args]
#[derive(Clone)]
struct Flattened {
    #[serde(flatten)]
    rest: std::collections::BTreeMap<String, u8>,
}

#[mcp_secure::output]
struct Weather {
    celsius: i32,
}

struct NotesServer {
    greeting: String,
}

/// Ask for a note by its name.
#[secure_server]
impl NotesServer {
    #[init]
    async fn init(notes: Fs<Notes, ReadOnly>) -> mcp_secure::Result<Self> {
        drop(notes);
        Ok(Self {
            greeting: "hello".into(),
        })
    }

    /// Greet.
    #[tool(public)]
    async fn greet(&self) -> String {
        self.helper()
    }

    /// Read one note.
    ///
    /// The whole of it.
    #[tool(
        scope = "notes:read",
        name = "notes.read",
        title = "Read a note",
        hidden,
        timeout = "30s",
        concurrency = 4,
        max_output = "1 MiB",
        read_only = true,
        idempotent = true
    )]
    async fn read_note(
        &self,
        /// Which one.
        #[arg(max_len = 64, min_len = 1, pattern = "^[a-z]+$", header = "Note")]
        name: String,
        #[arg(range = 1..=10)] lines: Option<u32>,
        #[arg(range = -0.5..)] offset: f64,
        #[arg(max_items = 3)] mut words: Vec<String>,
        notes: Fs<Notes, ReadOnly>,
        who: Principal,
        _: Progress,
        r#type: bool,
    ) -> ToolResult<String> {
        let _ = (lines, offset, notes, who, r#type);
        words.push(name);
        Ok(words.concat())
    }

    /// Write one note.
    #[tool(scope = ["notes:read", "notes:write"], max_output = 1024, destructive = true)]
    async fn write_note(
        &self,
        name: String,
        notes: Approved<Fs<Notes, ReadWrite>>,
    ) -> ToolResult<()> {
        let _ = (name, notes);
        Ok(())
    }

    /// Keep a draft.
    #[tool(scope = "drafts", unapproved = "drafts are scratch space")]
    async fn draft(&self, drafts: Fs<Drafts, ReadWrite>) {
        drop(drafts);
    }

    /// Search.
    #[tool(public)]
    async fn search(&self, Args(search): Args<Search>, log: Log) -> Json<Weather> {
        let _ = log;
        Json(Weather {
            celsius: search.word.len() as i32 + search.limit.unwrap_or(0) as i32,
        })
    }

    /// Order.
    #[tool(public)]
    async fn order(&self, order: Order, #[handle] archive: Archive) -> Json<Order> {
        drop(archive);
        match order {
            Order::Newest => Json(Order::Oldest),
            Order::Oldest => Json(Order::Newest),
        }
    }

    #[deprecated]
    #[doc = "Old."]
    #[tool(public)]
    async fn old(&self, rest: Flattened) -> usize {
        rest.rest.len()
    }

    /// Only there with a feature that nobody has.
    #[cfg(any())]
    #[tool(public)]
    async fn never(&self, what: Nothing) {}

    /// Summarise.
    #[prompt(scope = "notes:read", name = "summary")]
    async fn summarise(
        &self,
        name: String,
        length: Option<u32>,
        notes: Fs<Notes, ReadOnly>,
    ) -> ToolResult<String> {
        let _ = (length, notes);
        Ok(name)
    }

    /// A note.
    #[resource(
        uri = "notes://{name}/{part}",
        mime = "text/plain; charset=utf-8",
        scope = "notes:read"
    )]
    async fn note(&self, part: u32, name: String, notes: Fs<Notes, ReadOnly>) -> ResourceBody {
        let _ = (part, notes);
        ResourceBody::Text(name)
    }

    /// The index.
    #[resource(uri = "notes:index", public)]
    async fn index(&self) -> &'static str {
        "index"
    }

    #[completion(resource = "notes://{name}/{part}", arg = "name")]
    async fn names(&self, prefix: String, notes: Fs<Notes, ReadOnly>) -> ToolResult<Vec<String>> {
        drop(notes);
        Ok(vec![prefix])
    }

    #[completion(prompt = "summary", arg = "length")]
    async fn lengths(&self, prefix: String) -> Vec<String> {
        vec![prefix]
    }

    fn helper(&self) -> String {
        self.greeting.clone()
    }

    pub const LIMIT: usize = 3;
}

fn main() {
    let _ = (
        Notes::from_operator(),
        Notes::at("/srv/notes"),
        Drafts::from_operator(),
    );
    let definition = <NotesServer as mcp_secure::__private::SecureService>::definition();
    assert_eq!(definition.name, "notes");
}
