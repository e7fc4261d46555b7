//! A folder of mails: text that strangers wrote, and that a model is going to read.

use mcp_secure::{Secret, TextPolicy, prelude::*};

/// The folder with the mails, one file each.
#[capability(fs, private)]
pub struct Mails;

struct Inbox;

#[secure_server(name = "inbox")]
impl Inbox {
    /// Read one mail.
    #[tool(scope = "mail:read")]
    async fn read_mail(
        &self,
        /// The mail, such as `monday.txt`.
        name: RelPath,
        mails: Fs<Mails, ReadOnly>,
    ) -> ToolResult<Untrusted<String>> {
        let text = mails.read_to_string(&name).await?;
        Ok(Untrusted::from(format!("the mail {name}"), text))
    }
}

fn main() -> mcp_secure::Result<()> {
    SecureServer::new(Inbox)
        .grant(Mails::from_operator())
        .text(TextPolicy::default().redact(Secret::Email))
        .stdio(Principal::local_user().scopes(["mail:read"]))
        .run()
}
