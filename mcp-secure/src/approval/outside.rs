//! Approvers outside of the client and of the page: whoever you have that can reach a person.

use std::{fmt, sync::Arc, time::Duration};

use futures::future::BoxFuture;

use super::{Decision, Decisions, Desk, How, Pending, Person};
use crate::{pipeline::arguments_digest, state::Starting};

/// Puts questions before persons on a way of its own, and says what they answered.
///
/// What it says is believed: it runs in this process, and the server's author chose it. It has to
/// know who answers, by means that neither the client nor a model has.
///
/// ```
/// use futures::future::BoxFuture;
/// use mcp_secure::approval::{Approver, Question, Unreached};
///
/// /// Asks the person at the machine.
/// struct Desk;
///
/// impl Approver for Desk {
///     fn name(&self) -> &str {
///         "desk"
///     }
///
///     fn ask(&self, question: Question) -> BoxFuture<'_, Result<(), Unreached>> {
///         Box::pin(async move {
///             let yes = question.tool() == "ring_the_bell";
///             question.answer("the clerk", yes).await?;
///             Ok(())
///         })
///     }
/// }
/// ```
pub trait Approver: Send + Sync + 'static {
    /// What it is called in the manifest, and whose persons they are: two approvers with one name
    /// have the same persons.
    fn name(&self) -> &str;

    /// Called once, before the server serves and before its sandbox closes.
    ///
    /// # Errors
    ///
    /// Stops the start.
    fn start(&self, starting: &mut Starting<'_>) -> crate::Result<()> {
        let _ = starting;
        Ok(())
    }

    /// Called once when the server serves: what persons said that holds for a while, for an approver
    /// that lists it and takes it back.
    fn serves(&self, decisions: Decisions) {
        let _ = decisions;
    }

    /// Puts a question. It may return before anybody has answered, and keep the question; it is
    /// dropped when its time is over.
    ///
    /// # Errors
    ///
    /// When it is certain that nobody can be asked. The call is refused.
    fn ask(&self, question: Question) -> BoxFuture<'_, Result<(), Unreached>>;

    /// Whether answers are posted to this server: it listens for them then, where it would listen
    /// for nothing else.
    fn takes_answers(&self) -> bool {
        false
    }

    /// Takes what somebody posted to `/approve/answer/NAME`, the name being this approver's. It has
    /// to find out who that was: anybody who reaches the server can post there.
    ///
    /// # Errors
    ///
    /// Why it does not count. Whoever posted it is told no more than that.
    #[cfg(feature = "http")]
    fn hear<'a>(&'a self, delivery: Delivery<'a>) -> BoxFuture<'a, Result<Heard, Unheard>> {
        let _ = delivery;
        Box::pin(std::future::ready(Err(Unheard::Unsigned)))
    }
}

/// What was posted as an answer, before anybody knows by whom.
#[cfg(feature = "http")]
pub struct Delivery<'a> {
    pub(super) headers: &'a http::HeaderMap,
    pub(super) body: &'a [u8],
    pub(super) desk: &'a Arc<Desk>,
    pub(super) approver: &'a str,
}

#[cfg(feature = "http")]
impl<'a> Delivery<'a> {
    /// A header that came once, and is text.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let mut values = self.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        }
    }

    /// All of it; 16 KiB at most.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The question of this name, while it can be answered, whichever replica asked it. `None` if
    /// there is none, or if another approver was asked.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub async fn question(&self, id: &str) -> Result<Option<Question>, Unreached> {
        let pending = self.desk.read(id).await;
        let pending = pending.map_err(|error| Unreached::new(error.to_string()))?;
        Ok(pending
            .filter(|pending| pending.approver.as_deref() == Some(self.approver))
            .map(|pending| {
                let desk = Arc::clone(self.desk);
                Question::new(desk, self.approver, id.to_owned(), pending, None)
            }))
    }
}

/// Why what was posted does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unheard {
    /// Nobody that this approver knows has signed it.
    Unsigned,
    /// It was signed too long ago, or by a clock that is ahead.
    Stale,
    /// It is no answer, or one to another question or other arguments.
    Changed,
    /// It could not be remembered. It may be sent again.
    Unreached,
}

impl Unheard {
    #[cfg(feature = "http")]
    pub(crate) fn control(self) -> &'static str {
        match self {
            Self::Unsigned => "approve/signature",
            Self::Stale => "approve/stale",
            Self::Changed => "approve/changed",
            Self::Unreached => "approve/store",
        }
    }
}

impl fmt::Display for Unheard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unsigned => "it is not signed by whom it has to be",
            Self::Stale => "it was signed at another time",
            Self::Changed => "it is no answer to what was asked",
            Self::Unreached => "it could not be remembered",
        })
    }
}

impl std::error::Error for Unheard {}

/// Nobody could be asked, and why: for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreached(String);

impl Unreached {
    /// In words for the operator.
    pub fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl fmt::Display for Unreached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreached {}

/// One call that waits for persons, as an approver sees it.
#[derive(Clone)]
pub struct Question {
    desk: Arc<Desk>,
    approver: Arc<str>,
    id: Arc<str>,
    pending: Arc<Pending>,
    /// Where this server is, as others reach it.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "nobody reaches it"))]
    origin: Option<Arc<str>>,
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Heard {
    /// It counts.
    Counted,
    /// It was answered before, by this person or by enough others, or is over.
    Over,
    /// This person asked for the call, and others have to agree.
    NotYours,
}

impl Question {
    pub(crate) fn new(
        desk: Arc<Desk>,
        approver: &str,
        id: String,
        pending: Pending,
        origin: Option<&str>,
    ) -> Self {
        Self {
            desk,
            approver: approver.into(),
            id: id.into(),
            pending: Arc::new(pending),
            origin: origin.map(Into::into),
        }
    }

    /// 128 random bits as text. It is no secret to an approver, and gives no right by itself.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The server's name.
    pub fn server(&self) -> &str {
        &self.pending.server
    }

    /// The tool.
    pub fn tool(&self) -> &str {
        &self.pending.tool
    }

    /// All of its arguments, as it will be given them. They come from a model: whoever shows them
    /// has to escape them, and to make hidden characters visible.
    pub fn arguments(&self) -> &serde_json::Map<String, serde_json::Value> {
        &self.pending.arguments
    }

    /// What the tool may do and where, a line each.
    pub fn effects(&self) -> &[String] {
        &self.pending.effects
    }

    /// Who called: issuer and subject.
    pub fn caller(&self) -> (&str, &str) {
        let Person { issuer, subject } = &self.pending.caller;
        (issuer, subject)
    }

    /// The OAuth client that called, where there is one.
    pub fn client(&self) -> Option<&str> {
        self.pending.client.as_deref()
    }

    /// How many persons have to agree.
    pub fn people(&self) -> u8 {
        self.pending.people
    }

    /// Seconds since 1970, after which nobody is heard any more.
    pub fn until(&self) -> u64 {
        self.pending.until
    }

    /// The SHA-256 of the manifest that the tool is of.
    pub fn manifest(&self) -> &str {
        &self.pending.manifest
    }

    /// Random, and of this question alone: whoever gives it back has been asked.
    pub fn nonce(&self) -> &str {
        &self.pending.nonce
    }

    /// The SHA-256 of the tool and of all of its arguments, in 64 hex digits, for an answer to say
    /// what it is about.
    pub fn digest(&self) -> String {
        use sha2::{Digest as _, Sha256};
        let mut hash = Sha256::new_with_prefix(b"mcp-secure question\0");
        for part in [
            self.pending.manifest.as_str(),
            &self.pending.tool,
            &arguments_digest(&self.pending.arguments),
        ] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        crate::hex::hex(&hash.finalize())
    }

    /// Why a person has to agree, beyond what the tool's handles say.
    pub fn held(&self) -> Option<&str> {
        self.pending.held.as_deref()
    }

    /// By what scope others are known who have to agree, where the caller cannot.
    pub fn others(&self) -> Option<&str> {
        self.pending.others_only.as_deref()
    }

    /// Where an answer to it may be posted, if this server can be reached.
    #[cfg(feature = "http")]
    pub fn answer_to(&self) -> Option<String> {
        let origin = self.origin.as_deref()?;
        let prefix = super::page::PREFIX;
        Some(format!("{origin}{prefix}answer/{}", self.approver))
    }

    /// Says yes or no for a person, by a name that is theirs alone at this approver. One no is
    /// enough; for a yes, as many different persons as the policy wants.
    ///
    /// # Errors
    ///
    /// When it cannot be remembered: nobody has answered then.
    pub async fn answer(&self, by: &str, yes: bool) -> Result<Heard, Unreached> {
        self.said(by, yes, false).await
    }

    /// Says yes, and that it holds for a while. Where the policy does not allow that, it is a yes to
    /// this call.
    ///
    /// # Errors
    ///
    /// As [`answer`](Self::answer).
    pub async fn agree_for_a_while(&self, by: &str) -> Result<Heard, Unreached> {
        self.said(by, true, true).await
    }

    /// How long a yes may hold that is given for a while, and for what arguments, a line each.
    pub fn may_be_remembered(&self) -> Option<(Duration, &[String])> {
        let offer = self.pending.remember.as_ref()?;
        Some((Duration::from_secs(offer.seconds), &offer.words))
    }

    async fn said(&self, by: &str, yes: bool, remember: bool) -> Result<Heard, Unreached> {
        // Whoever asked may still say no.
        if yes && self.pending.others_only.is_some() && by == self.pending.caller.subject {
            return Ok(Heard::NotYours);
        }
        let person = Person {
            issuer: format!("approver:{}", self.approver),
            subject: by.to_owned(),
        };
        let decision = Decision::now(yes, person, How::Outside);
        match self.desk.decide(&self.id, &decision).await {
            Ok(true) => {
                if remember {
                    let desk = &self.desk;
                    desk.remember(&self.id, &self.pending, &decision, None)
                        .await;
                }
                Ok(Heard::Counted)
            }
            Ok(false) => Ok(Heard::Over),
            Err(error) => Err(Unreached::new(error.to_string())),
        }
    }

    /// What the tool says of itself.
    pub fn description(&self) -> &str {
        &self.pending.description
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question")
            .field("id", &self.id)
            .field("tool", &self.pending.tool)
            .finish_non_exhaustive()
    }
}
