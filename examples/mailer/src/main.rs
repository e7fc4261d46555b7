//! Mail through the HTTP API of a mail service: to whom the call says, and to nobody else.

use mcp_secure::{
    prelude::*,
    serde_json::{Value, json},
    vault::{Vault, VaultKey},
};

/// The API that sends mail: a service's, or a relay in your own network.
#[capability(net, allow_private, credential = "mail")]
pub struct Mail;

struct Mailer;

/// What became of a message.
#[mcp_secure::output]
struct Delivery {
    /// `queued`, `sent`, `bounced` and so on, in the words of the service.
    status: String,
}

#[secure_server]
impl Mailer {
    /// Send a mail. A person must agree each time.
    #[tool(scope = "mail:send")]
    async fn send_mail(
        &self,
        /// One address, such as `ada@shop.example`.
        #[arg(max_len = 254, pattern = "^[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+$")]
        to: String,
        #[arg(min_len = 1, max_len = 200)] subject: String,
        /// The whole text.
        #[arg(max_len = 10_000)]
        text: String,
        mail: Approved<Net<Mail, Post>>,
    ) -> ToolResult<String> {
        let message = json!({
            "From": FROM, "To": to, "Subject": subject, "TextBody": text,
        });
        let answer = mail.path("/email").json(&message).send().await?;
        if !answer.status().is_success() {
            return Err(ToolError::new("the mail service did not take the message"));
        }
        Ok(format!("sent to {to}"))
    }

    /// What became of a message.
    #[tool(scope = "mail:read")]
    async fn delivery(
        &self,
        /// Its number, from the service.
        #[arg(min_len = 1, max_len = 64)]
        id: String,
        mail: Net<Mail, Get>,
    ) -> ToolResult<Json<Delivery>> {
        let answer = mail.path("/messages/{id}").segment("id", id).send().await?;
        if !answer.status().is_success() {
            return Err(ToolError::new("the mail service knows of no such message"));
        }
        let about: Value = answer.json().await?;
        let status = about.get("status").and_then(Value::as_str);
        let status = status.unwrap_or("unknown").to_owned();
        Ok(Json(Delivery { status }))
    }
}

fn main() -> mcp_secure::Result<()> {
    let scopes = ["mail:send", "mail:read"];
    SecureServer::new(Mailer)
        .vault(Vault::file("vault/mailer", VaultKey::file("keys/mailer")))
        .grant(
            Mail::from_operator()
                .egress(
                    EgressRule::on("POST", "/email")
                        .addresses_from_arguments(&["example.com"])
                        .from_arguments("/To")
                        .without("/Cc")
                        .without("/Bcc"),
                )
                .egress(EgressRule::on("GET", "/messages/{}"))
                .egress_only(),
        )
        .stdio(Principal::local_user().scopes(scopes))
        .http(Http::on("127.0.0.1:8731").local_token(scopes))
        .run()
}

const FROM: &str = "mailer@example.com";
