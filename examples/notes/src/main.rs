//! A folder of notes: list, read, search and write, and nothing beyond the folder.

use mcp_secure::{capability::fs::WalkLimits, prelude::*};

/// The folder with the user's notes.
#[capability(fs, private)]
pub struct Notes;

struct NotesServer;

/// A note that contains what was searched for.
#[mcp_secure::output]
struct Match {
    /// The note.
    note: String,
    /// The number of the first line that matches, from 1.
    line: usize,
}

/// What a search found.
#[mcp_secure::output]
struct Matches {
    /// At most 50 notes.
    matches: Vec<Match>,
}

#[secure_server]
impl NotesServer {
    /// List all notes.
    #[tool(scope = "notes:read")]
    async fn list_notes(&self, notes: Fs<Notes, ReadOnly>) -> ToolResult<String> {
        Ok(names(&notes).await?.join("\n"))
    }

    /// Read one note.
    #[tool(scope = "notes:read")]
    async fn read_note(
        &self,
        /// The note, such as `ideas/boat.md`.
        name: RelPath,
        notes: Fs<Notes, ReadOnly>,
    ) -> ToolResult<String> {
        Ok(notes.read_to_string(&name).await?)
    }

    /// Find the notes that contain a word.
    #[tool(scope = "notes:read", timeout = "20s", concurrency = 2)]
    async fn search_notes(
        &self,
        /// The word, as it is written.
        #[arg(min_len = 1, max_len = 200)]
        word: String,
        notes: Fs<Notes, ReadOnly>,
    ) -> ToolResult<Json<Matches>> {
        let mut matches = Vec::new();
        for note in names(&notes).await? {
            // A file that is no text, or went away meanwhile, does not match.
            let Ok(text) = notes.read_to_string(&RelPath::parse(&note)?).await else {
                continue;
            };
            if let Some(line) = text.lines().position(|line| line.contains(&word)) {
                matches.push(Match {
                    note,
                    line: line + 1,
                });
            }
            if matches.len() == 50 {
                break;
            }
        }
        Ok(Json(Matches { matches }))
    }

    /// Write a note, replacing the one that has this name. A person must agree each time.
    #[tool(scope = "notes:write")]
    async fn write_note(
        &self,
        /// The note, such as `ideas/boat.md`.
        name: RelPath,
        /// The whole text.
        #[arg(max_len = 10_000)]
        text: String,
        notes: Approved<Fs<Notes, ReadWrite>>,
    ) -> ToolResult<String> {
        notes.write(&name, &text).await?;
        Ok(format!("wrote {} bytes to {name}", text.len()))
    }

    /// Ask for a summary of one note.
    #[prompt(scope = "notes:read")]
    async fn summarize(
        &self,
        /// The note.
        name: RelPath,
        notes: Fs<Notes, ReadOnly>,
    ) -> ToolResult<String> {
        Ok(format!(
            "Summarize this note in three sentences:\n\n{}",
            notes.read_to_string(&name).await?
        ))
    }

    /// Completes the name of the note to summarize.
    #[completion(prompt = "summarize", arg = "name")]
    async fn complete_note(
        &self,
        prefix: String,
        notes: Fs<Notes, ReadOnly>,
    ) -> ToolResult<Vec<String>> {
        Ok(names(&notes)
            .await?
            .into_iter()
            .filter(|name| name.starts_with(&prefix))
            .collect())
    }

    /// The names of all notes.
    #[resource(uri = "notes://index", mime = "text/plain", scope = "notes:read")]
    async fn index(&self, notes: Fs<Notes, ReadOnly>) -> ToolResult<String> {
        Ok(names(&notes).await?.join("\n"))
    }

    /// One note.
    #[resource(
        uri = "notes://note/{name}",
        mime = "text/markdown",
        scope = "notes:read"
    )]
    async fn note(&self, name: RelPath, notes: Fs<Notes, ReadOnly>) -> ToolResult<String> {
        Ok(notes.read_to_string(&name).await?)
    }
}

async fn names(notes: &Fs<Notes, ReadOnly>) -> ToolResult<Vec<String>> {
    let walk = notes.walk(&RelPath::root(), WalkLimits::default()).await?;
    Ok(walk
        .entries
        .iter()
        .filter(|e| e.is_file())
        .map(|e| e.path().to_string())
        .collect())
}

fn main() -> mcp_secure::Result<()> {
    let scopes = ["notes:read", "notes:write"];
    SecureServer::new(NotesServer)
        .grant(Notes::from_operator())
        // A client that cannot show the page is believed.
        .approvals(Approvals::by(By::strongest().or_in_client()))
        .stdio(Principal::local_user().scopes(scopes))
        .http(Http::on("127.0.0.1:8730").local_token(scopes))
        .run()
}
