//! What a signature becomes: the definition that dispatch, policy and manifest are read from.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::{future::Future, time::Duration};

use mcp_secure::{
    __private::{Access, SecureInit, SecureService, Target},
    prelude::*,
};

/// The folder with the user's notes.
#[capability(fs, private)]
pub struct Notes;

/// Where drafts are kept.
#[capability(fs, name = "my.drafts")]
pub struct Drafts;

pub struct Archive(Fs<Drafts, ReadWrite>, Fs<Notes, ReadOnly>);

impl Extractor for Archive {
    type From = (Fs<Drafts, ReadWrite>, Fs<Notes, ReadOnly>);
    fn extract((drafts, notes): Self::From) -> ToolResult<Self> {
        Ok(Self(drafts, notes))
    }
}

#[mcp_secure::args]
struct Search {
    /// A word.
    word: String,
    limit: Option<u32>,
}

#[mcp_secure::output]
struct Found {
    count: u32,
}

struct NotesServer;

/// Ask for a note by its name.
#[secure_server]
impl NotesServer {
    #[init]
    async fn init(notes: Fs<Notes, ReadOnly>) -> mcp_secure::Result<Self> {
        drop(notes);
        Ok(Self)
    }

    /// Read one note.
    ///
    /// The whole of it.
    #[tool(
        scope = ["notes:read", "notes:list"], name = "notes.read", title = "Read a note", hidden,
        timeout = "30s", concurrency = 4, max_output = "1 MiB", idempotent = true,
    )]
    async fn read_note(
        &self,
        notes: Fs<Notes, ReadOnly>,
        /// Which one.
        #[arg(max_len = 64, min_len = 1, pattern = "^[a-z]+$", header = "Note")]
        name: String,
        #[arg(range = -1..=10)] r#type: Option<i32>,
    ) -> ToolResult<String> {
        let _ = (notes, r#type);
        Ok(name)
    }

    /// Move drafts.
    #[tool(public, unapproved = "drafts are scratch space")]
    async fn file(&self, #[handle] archive: Archive) {
        drop((archive.0, archive.1));
    }

    /// Search.
    #[tool(public)]
    async fn search(&self, Args(search): Args<Search>) -> Json<Found> {
        Json(Found {
            count: search.limit.unwrap_or(0) + u32::from(search.word.is_empty()),
        })
    }

    /// Only there with a feature that nobody has.
    #[cfg(any())]
    #[tool(public)]
    async fn never(&self, what: Nothing) {}

    /// Write.
    #[tool(public)]
    async fn write(&self, notes: Approved<Fs<Notes, ReadWrite>>) {
        drop(notes);
    }

    /// A note.
    #[resource(uri = "notes://{name}", mime = "text/plain", scope = "notes:read")]
    async fn note(&self, name: String) -> String {
        name
    }

    /// Summarise.
    #[prompt(public)]
    async fn summary(&self, name: String, length: Option<u32>) -> String {
        format!("{name} {length:?}")
    }

    #[completion(resource = "notes://{name}", arg = "name")]
    async fn names(&self, prefix: String, notes: Fs<Notes, ReadOnly>) -> Vec<String> {
        drop(notes);
        vec![prefix]
    }
}

#[test]
fn the_server_speaks_of_itself_in_the_words_of_its_block() {
    let server = NotesServer::definition();
    assert_eq!(
        (server.name, server.version),
        ("notes", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(server.instructions, Some("Ask for a note by its name."));
    let names: Vec<_> = server.tools.iter().map(|tool| tool.about.name).collect();
    assert_eq!(names, ["notes.read", "file", "search", "write"]);
}

#[test]
fn a_tool_has_the_policy_that_was_written() {
    let server = NotesServer::definition();
    let about = &server.tools[0].about;
    assert_eq!(about.title, Some("Read a note"));
    assert_eq!(about.description, "Read one note.\n\nThe whole of it.");
    assert_eq!(
        about.policy.access,
        Access::Scopes(&["notes:read", "notes:list"])
    );
    assert!(about.policy.hidden);
    assert_eq!(about.policy.timeout, Some(Duration::from_secs(30)));
    assert_eq!(about.policy.concurrency, Some(4));
    assert_eq!(about.policy.max_output, Some(1 << 20));
    assert_eq!(server.tools[0].hints.idempotent, Some(true));
    assert_eq!(server.tools[1].about.policy.access, Access::Public);
    assert_eq!(
        server.tools[1].about.policy.unapproved,
        Some("drafts are scratch space")
    );
}

#[test]
fn only_arguments_are_in_the_schema_and_they_are_narrowed() {
    let server = NotesServer::definition();
    let schema = &server.tools[0].input.schema;
    let properties = schema["properties"].as_object().unwrap();
    assert_eq!(properties.keys().collect::<Vec<_>>(), ["name", "type"]);
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["required"], mcp_secure::serde_json::json!(["name"]));
    let name = &properties["name"];
    assert_eq!(name["description"], "Which one.");
    assert_eq!(
        (&name["maxLength"], &name["minLength"]),
        (&64.into(), &1.into())
    );
    assert_eq!(name["pattern"], "^[a-z]+$");
    assert_eq!(name["x-mcp-header"], "Note");
    assert_eq!(properties["type"]["minimum"], -1);
    assert_eq!(properties["type"]["maximum"], 10);
}

#[test]
fn a_whole_struct_is_closed_and_an_output_has_its_schema() {
    let server = NotesServer::definition();
    let schema = &server.tools[2].input.schema;
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["properties"]["word"]["description"], "A word.");
    let output = server.tools[2].output.as_ref().unwrap();
    assert!(output["properties"].get("count").is_some());
    let more = mcp_secure::serde_json::json!({"word": "a", "limit": 1, "more": 1});
    assert!(mcp_secure::serde_json::from_value::<Search>(more).is_err());
}

#[test]
fn rights_are_those_of_the_types() {
    let server = NotesServer::definition();
    let facts = |tool: usize| -> Vec<(&str, bool, bool, bool)> {
        let about = &server.tools[tool].about;
        about
            .facts()
            .map(|f| (f.capability, f.writes, f.private, f.approved))
            .collect()
    };
    assert_eq!(facts(0), [("notes", false, true, false)]);
    // An extractor has every right that it is made of.
    assert_eq!(
        facts(1),
        [
            ("my.drafts", true, false, false),
            ("notes", false, true, false)
        ]
    );
    assert_eq!(facts(2), []);
    assert_eq!(facts(3), [("notes", true, true, true)]);
    assert!(server.tools[3].about.needs_approval());
    let init = NotesServer::init_handles();
    assert_eq!(init.len(), 1);
    assert_eq!(init[0][0].capability, "notes");
}

#[test]
fn a_completion_belongs_to_its_target() {
    let server = NotesServer::definition();
    let completion = &server.completions[0];
    assert_eq!(completion.target, Target::Resource("notes://{name}"));
    assert_eq!(completion.argument, "name");
    assert_eq!(completion.handles.len(), 1);
    assert_eq!(server.resources[0].mime_type, Some("text/plain"));
    let prompt = &server.prompts[0].input.arguments;
    let listed: Vec<_> = prompt
        .iter()
        .map(|a| (a.name.as_str(), a.required))
        .collect();
    assert_eq!(listed, [("name", true), ("length", false)]);
}

#[test]
fn the_functions_stay_plain() {
    // No runtime, no call, no pipeline: a future that is ready at once.
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let server = NotesServer;
    let call = std::pin::pin!(server.summary("a".into(), Some(3)));
    let std::task::Poll::Ready(text) = call.poll(&mut context) else {
        panic!("not ready")
    };
    assert_eq!(text, "a Some(3)");
}
