//! A server with one tool that reads and one that writes.

use mcp_secure::prelude::*;

/// A folder.
#[capability(fs)]
struct Files;

struct Target;

#[secure_server(name = "audit-target")]
impl Target {
    /// Says a text back.
    #[tool(public)]
    async fn echo(&self, #[arg(max_len = 100)] text: String) -> String {
        text
    }

    /// Writes a file of this name.
    #[tool(public, unapproved = "nobody is asked in these tests")]
    async fn leave(&self, name: RelPath, files: Fs<Files, ReadWrite>) -> ToolResult<String> {
        files.write(&name, "here").await?;
        Ok("left".to_owned())
    }

    /// Panics.
    #[tool(public)]
    async fn fall(&self) -> String {
        #[allow(clippy::panic, reason = "that is what it is for")]
        {
            panic!("on purpose")
        }
    }
}

fn main() -> mcp_secure::Result<()> {
    SecureServer::new(Target)
        .grant(Files::from_operator())
        .stdio(Principal::local_user())
        .run()
}
