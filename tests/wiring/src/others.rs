//! Servers that are about how a server starts.

use mcp_secure::prelude::*;

use crate::target::Files;

/// Made by `#[init]`, from a file of the grant.
pub(crate) struct Late {
    read_at_start: String,
    /// Kept from the start, which is over.
    kept: Fs<Files, ReadOnly>,
}

#[secure_server(name = "late")]
impl Late {
    #[init]
    async fn init(files: Fs<Files, ReadOnly>) -> mcp_secure::Result<Self> {
        let name = RelPath::parse("start.txt").map_err(|e| Error::new(e.to_string()))?;
        let read_at_start = files.read_to_string(&name).await.map_err(|e| {
            Error::new(format!("`start.txt` cannot be read: {e}")).help("put it there")
        })?;
        Ok(Self {
            read_at_start,
            kept: files,
        })
    }

    /// What was read at the start.
    #[tool(public)]
    async fn started_with(&self) -> String {
        self.read_at_start.clone()
    }

    /// Read again, with the handle of the start.
    #[tool(public)]
    async fn again(&self) -> ToolResult<String> {
        Ok(self
            .kept
            .read_to_string(&RelPath::parse("start.txt")?)
            .await?)
    }
}

/// Asks for a pattern that only a backtracking engine can match.
pub(crate) struct Quadratic;

#[secure_server(name = "quadratic")]
impl Quadratic {
    /// Match.
    #[tool(public)]
    async fn matches(&self, #[arg(pattern = r"^(?:(a+)+)(?!b)$")] word: String) -> usize {
        word.len()
    }
}

/// Has a text that no macro of this crate saw: somebody else derived the schema.
pub(crate) struct Hidden;

#[derive(mcp_secure::serde::Deserialize, mcp_secure::schemars::JsonSchema)]
#[serde(crate = "::mcp_secure::serde")]
#[schemars(crate = "::mcp_secure::schemars")]
pub(crate) struct Derived {
    #[doc = "A word.\u{E0041}"]
    word: String,
}

#[secure_server(name = "hidden")]
impl Hidden {
    /// Say it.
    #[tool(public)]
    async fn say(&self, Args(derived): Args<Derived>) -> String {
        derived.word
    }
}
