//! Approvers outside of the client and of the page: whoever you have that can reach a person.

use std::{fmt, sync::Arc};

use futures::future::BoxFuture;

use super::{Decision, Desk, How, Pending, Person};
use crate::state::Starting;

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

    /// Puts a question. It may return before anybody has answered, and keep the question; it is
    /// dropped when its time is over.
    ///
    /// # Errors
    ///
    /// When it is certain that nobody can be asked. The call is refused.
    fn ask(&self, question: Question) -> BoxFuture<'_, Result<(), Unreached>>;
}

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
    pub(crate) fn new(desk: Arc<Desk>, approver: &str, id: String, pending: Pending) -> Self {
        Self {
            desk,
            approver: approver.into(),
            id: id.into(),
            pending: Arc::new(pending),
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

    /// Says yes or no for a person, by a name that is theirs alone at this approver. One no is
    /// enough; for a yes, as many different persons as the policy wants.
    ///
    /// # Errors
    ///
    /// When it cannot be remembered: nobody has answered then.
    pub async fn answer(&self, by: &str, yes: bool) -> Result<Heard, Unreached> {
        // Whoever asked may still say no.
        if yes && self.pending.others_only.is_some() && by == self.pending.caller.subject {
            return Ok(Heard::NotYours);
        }
        let decision = Decision {
            yes,
            by: Person {
                issuer: format!("approver:{}", self.approver),
                subject: by.to_owned(),
            },
            how: How::Outside,
        };
        match self.desk.decide(&self.id, &self.pending, &decision).await {
            Ok(true) => Ok(Heard::Counted),
            Ok(false) => Ok(Heard::Over),
            Err(error) => Err(Unreached::new(error.to_string())),
        }
    }

    #[cfg(unix)]
    pub(crate) fn description(&self) -> &str {
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
