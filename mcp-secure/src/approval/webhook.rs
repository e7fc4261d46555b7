//! Puts questions to a service of yours over HTTPS, and takes its answers: signed both ways as
//! Standard Webhooks does (HMAC-SHA256 over id, time and body).
//!
//! An answer is for one question: it names it, and gives back a number that was made for it and
//! the digest of its arguments. It is heard at any replica, for five minutes after it was signed,
//! and once.

use std::{
    fmt,
    path::PathBuf,
    sync::OnceLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::future::BoxFuture;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{Approver, Delivery, Heard, Question, Unheard, Unreached};
use crate::{
    Error, Result,
    call::nonce,
    capability::net::{destination::Destination, fetch::Client},
    secret_file::secret_file,
    state::Starting,
};

/// Asks a service of yours: a chat, a ticket system, a pager.
///
/// The service is one origin, written here or by the operator; what it answers leads nowhere
/// else, and a private address needs [`allow_private`](Self::allow_private). Whoever holds the
/// secret can agree to calls: give it to that service alone. What a question looks like, and
/// what an answer has to, is in the book.
///
/// ```
/// use mcp_secure::approval::{Approvals, By, Webhook};
///
/// Approvals::by(By::outside(
///     Webhook::to("https://approvals.example/questions", "/run/secrets/approvals"),
/// ));
/// ```
#[must_use = "a webhook asks nobody until something is asked by it"]
pub struct Webhook {
    name: String,
    to: Destination,
    secret: PathBuf,
    open: OnceLock<Open>,
}

/// Ready to ask.
struct Open {
    client: Client,
    headers: HeaderMap,
    /// The newest first: it signs, and all of them are taken.
    keys: Vec<Hmac<Sha256>>,
}

/// What is sent.
#[derive(Serialize)]
struct Asked<'a> {
    r#type: &'static str,
    timestamp: String,
    data: AskedData<'a>,
}

#[derive(Serialize)]
struct AskedData<'a> {
    question: &'a str,
    nonce: &'a str,
    digest: &'a str,
    server: &'a str,
    manifest: &'a str,
    tool: &'a str,
    description: &'a str,
    effects: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<&'a str>,
    arguments: &'a serde_json::Map<String, serde_json::Value>,
    caller: AskedFor<'a>,
    people: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    others: Option<&'a str>,
    until: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer_to: Option<String>,
}

#[derive(Serialize)]
struct AskedFor<'a> {
    issuer: &'a str,
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a str>,
}

/// What is heard. A question that is sent back has another type.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answered {
    r#type: String,
    #[serde(rename = "timestamp")]
    _timestamp: Option<String>,
    data: AnsweredData,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnsweredData {
    question: String,
    nonce: String,
    digest: String,
    answer: Said,
    /// Who it was, by a name that is theirs alone at the service.
    by: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Said {
    Approve,
    Refuse,
}

impl Webhook {
    /// Posts questions to this URL. The file holds what both sides sign with, as Standard
    /// Webhooks writes it: `whsec_` and base64 of 24 to 64 bytes. While it is changed there may be
    /// two, one a line, the new one first.
    pub fn to(url: impl Into<String>, secret_file: impl Into<PathBuf>) -> Self {
        Self {
            name: "webhook".to_owned(),
            to: Destination {
                url: url.into(),
                ..Destination::default()
            },
            secret: secret_file.into(),
            open: OnceLock::new(),
        }
    }

    /// What it is called in records and in the manifest, where a server has several: letters,
    /// digits and `-`. It is the end of the path that answers come to.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The service is in a private network. An address of loopback that is written as such needs
    /// no word.
    pub fn allow_private(mut self) -> Self {
        self.to.allow_private = true;
        self
    }

    /// Trusts the authority in this file, besides the usual ones.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.to.ca_file = Some(path.into());
        self
    }

    /// More headers to send, one a line: what a gateway in front of the service asks for.
    pub fn headers_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.to.headers_file = Some(path.into());
        self
    }

    fn open(&self) -> std::result::Result<&Open, Unreached> {
        let open = self.open.get();
        open.ok_or_else(|| Unreached::new("the webhook is not open"))
    }

    async fn put(&self, question: &Question) -> std::result::Result<(), Unreached> {
        let open = self.open()?;
        let body = body(question)?;
        let id = nonce().ok_or_else(|| Unreached::new("no randomness"))?;
        let mut headers = open.headers.clone();
        open.sign(&id, now(), &body, &mut headers)
            .map_err(|_| Unreached::new("the question could not be signed"))?;
        let sent = open.client.post(open.client.path(), headers, body.into());
        let answer = sent.await.map_err(|error| {
            // For the log: whoever called hears that nobody could be asked.
            let control = error.control().unwrap_or("net");
            Unreached::new(format!("{control}: {error:?}"))
        })?;
        if !answer.status.is_success() {
            let said = answer.status.as_u16();
            return Err(Unreached::new(format!("the service answers {said}")));
        }
        // Who can say at once says so in the answer; what is not signed says nothing.
        if answer.status == StatusCode::OK && answer.headers.contains_key(SIGNATURE) {
            let read = |name: &str| answer.headers.get(name).and_then(|v| v.to_str().ok());
            let said = open
                .read(&read, &answer.body)
                .map_err(|error| Unreached::new(format!("its answer does not count: {error}")))?;
            self.settle(question, &said)
                .await
                .map_err(|error| Unreached::new(format!("its answer does not count: {error}")))?;
        }
        Ok(())
    }

    /// Holds an answer against the question that is stored.
    async fn settle(
        &self,
        question: &Question,
        said: &AnsweredData,
    ) -> std::result::Result<Heard, Unheard> {
        let same = |ours: &str, theirs: &str| bool::from(ours.as_bytes().ct_eq(theirs.as_bytes()));
        let is_this = question.id() == said.question
            && same(question.nonce(), &said.nonce)
            && same(&question.digest(), &said.digest);
        let is_name = |by: &str| (1..=256).contains(&by.len()) && !by.chars().any(char::is_control);
        if !is_this || !is_name(&said.by) {
            return Err(Unheard::Changed);
        }
        let yes = matches!(said.answer, Said::Approve);
        question
            .answer(&said.by, yes)
            .await
            .map_err(|_| Unheard::Unreached)
    }
}

fn body(question: &Question) -> std::result::Result<Vec<u8>, Unreached> {
    let (issuer, subject) = question.caller();
    let asked = Asked {
        r#type: "approval.asked",
        timestamp: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        data: AskedData {
            question: question.id(),
            nonce: question.nonce(),
            digest: &question.digest(),
            server: question.server(),
            manifest: question.manifest(),
            tool: question.tool(),
            description: question.description(),
            effects: question.effects(),
            held: question.held(),
            arguments: question.arguments(),
            caller: AskedFor {
                issuer,
                subject,
                client: question.client(),
            },
            people: question.people(),
            others: question.others(),
            until: question.until(),
            answer_to: question.answer_to(),
        },
    };
    serde_json::to_vec(&asked).map_err(|e| Unreached::new(e.to_string()))
}

impl Approver for Webhook {
    fn name(&self) -> &str {
        &self.name
    }

    fn start(&self, starting: &mut Starting<'_>) -> Result<()> {
        let wrong = |error: Error| error.before(&format!("the approver `{}`: ", self.name));
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if self.name.is_empty() || self.name.len() > 64 || !self.name.bytes().all(plain) {
            return Err(wrong(
                Error::new("that is no name for it").help("use letters, digits and `-`"),
            ));
        }
        let text = secret_file(&self.secret).map_err(wrong)?;
        let keys = keys(&text).map_err(|error| {
            wrong(error).help(format!(
                "write `whsec_` and base64 of 24 to 64 random bytes into `{}`, one a line",
                self.secret.display()
            ))
        })?;
        let opening = starting.opening();
        let what = "the secret of the approver";
        opening.secrets.push((what, self.secret.clone()));
        // A rule has one name for as long as the process lives, and a server starts once.
        let rule: &'static str = Box::leak(format!("sdk/approver/{}", self.name).into_boxed_str());
        let (client, mut headers) = self
            .to
            .open(
                rule,
                "the headers for the approver",
                Some(MOST_ASKED),
                opening,
            )
            .map_err(wrong)?;
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        let open = Open {
            client,
            headers,
            keys,
        };
        self.open
            .set(open)
            .map_err(|_| wrong(Error::new("it asks for two servers")))
    }

    fn ask(&self, question: Question) -> BoxFuture<'_, std::result::Result<(), Unreached>> {
        Box::pin(async move { self.put(&question).await })
    }

    fn takes_answers(&self) -> bool {
        true
    }

    fn hear<'a>(
        &'a self,
        delivery: Delivery<'a>,
    ) -> BoxFuture<'a, std::result::Result<Heard, Unheard>> {
        Box::pin(async move {
            let open = self.open().map_err(|_| Unheard::Unreached)?;
            let said = open.read(&|name| delivery.header(name), delivery.body())?;
            match delivery.question(&said.question).await {
                Ok(Some(question)) => self.settle(&question, &said).await,
                // It is over, or never was: whoever signed this may know of it, and hears no more.
                Ok(None) => Ok(Heard::Over),
                Err(_) => Err(Unheard::Unreached),
            }
        })
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("name", &self.name)
            .field("to", &self.to.url)
            .finish_non_exhaustive()
    }
}

impl Open {
    fn sign(
        &self,
        id: &str,
        at: u64,
        body: &[u8],
        headers: &mut HeaderMap,
    ) -> std::result::Result<(), header::InvalidHeaderValue> {
        let signature = self.keys.first().map(|key| {
            let mac = signed(key.clone(), id, &at.to_string(), body);
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        });
        headers.insert(ID, HeaderValue::from_str(id)?);
        headers.insert(TIME, HeaderValue::from(at));
        headers.insert(
            SIGNATURE,
            HeaderValue::try_from(signature.unwrap_or_default())?,
        );
        Ok(())
    }

    /// The answer, if it was signed by who holds the secret, and not long ago. Nothing of the body
    /// is looked at before.
    fn read<'h>(
        &self,
        header: &dyn Fn(&str) -> Option<&'h str>,
        body: &[u8],
    ) -> std::result::Result<AnsweredData, Unheard> {
        let (Some(id), Some(at), Some(signatures)) = (header(ID), header(TIME), header(SIGNATURE))
        else {
            return Err(Unheard::Unsigned);
        };
        let is_ours = signatures
            .split(' ')
            .take(MOST_SIGNATURES)
            .filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok())
            .any(|signature| {
                self.keys.iter().any(|key| {
                    let mac = signed(key.clone(), id, at, body);
                    mac.verify_slice(&signature).is_ok()
                })
            });
        if !is_ours {
            return Err(Unheard::Unsigned);
        }
        let at: u64 = at.parse().map_err(|_| Unheard::Unsigned)?;
        if now().abs_diff(at) > TOLERANCE.as_secs() {
            return Err(Unheard::Stale);
        }
        let answered: Answered = serde_json::from_slice(body).map_err(|_| Unheard::Changed)?;
        match answered.r#type.as_str() {
            "approval.answered" => Ok(answered.data),
            _ => Err(Unheard::Changed),
        }
    }
}

fn signed(mut mac: Hmac<Sha256>, id: &str, at: &str, body: &[u8]) -> Hmac<Sha256> {
    mac.update(id.as_bytes());
    mac.update(b".");
    mac.update(at.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

fn keys(text: &str) -> Result<Vec<Hmac<Sha256>>> {
    let mut keys = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        // Never the line itself: it is the secret.
        let wrong = || Error::new("a line of its secret is none");
        let encoded = line.strip_prefix("whsec_").ok_or_else(wrong)?;
        let key = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| wrong())?);
        if !(24..=64).contains(&key.len()) {
            return Err(wrong());
        }
        keys.push(Hmac::new_from_slice(&key).map_err(|_| wrong())?);
    }
    match keys.len() {
        1..=4 => Ok(keys),
        0 => Err(Error::new("it has no secret")),
        _ => Err(Error::new("it has more than four secrets")),
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

const ID: &str = "webhook-id";
const TIME: &str = "webhook-timestamp";
const SIGNATURE: &str = "webhook-signature";

/// Between the clocks of both sides, and on the way.
const TOLERANCE: Duration = Duration::from_secs(300);
/// Bytes of one question: half a mebibyte of arguments, as JSON writes them at worst.
const MOST_ASKED: u64 = 4 * 1024 * 1024;
const MOST_SIGNATURES: usize = 8;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The example of the specification (Standard Webhooks, "Signature scheme").
    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        // It is shorter than what the same text asks for.
        let key = STANDARD.decode("plJ3nmyCDGBKInavdOK15jsl").unwrap();
        let body = br#"{"event_type":"ping","data":{"success":true}}"#;
        let mac = signed(
            Hmac::new_from_slice(&key).unwrap(),
            "msg_loFOjxBNrRLzqYUf",
            "1731705121",
            body,
        );
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        assert_eq!(signature, "rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=");
    }

    #[test]
    fn what_is_no_secret_is_not_in_the_error() {
        for wrong in [
            "",
            "s3cret",
            "whsec_c2hvcnQ=",
            "whsec_&&&",
            "plJ3nmyCDGBKInavdOK15jsl",
        ] {
            let said = keys(wrong).unwrap_err().to_string();
            assert!(!said.contains("s3cret") && !said.contains("c2h"), "{said}");
        }
    }
}
