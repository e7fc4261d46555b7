//! Rules over who asks, for what, with which arguments: what a scope cannot say.
//!
//! A scope says which tools a principal may use. A policy also sees the arguments, the time, what
//! the session has read and who acts for whom. Policies only take away: each call has passed the
//! scopes and the schema before, and no policy reaches past them.
//!
#![cfg_attr(
    feature = "cedar",
    doc = "[`CedarPolicies`] is the engine that comes with this crate. Another one implements \
           [`PolicyEngine`]."
)]
#![cfg_attr(
    not(feature = "cedar"),
    doc = "The feature `cedar` has an engine. Another one implements [`PolicyEngine`]."
)]
//!
//! This room knows who asks and what is served; it knows no transport.

#[cfg(feature = "cedar")]
mod cedar;
mod every;
mod surface;

use std::{borrow::Cow, path::PathBuf, time::SystemTime};

use rmcp::model::JsonObject;

#[cfg(feature = "cedar")]
pub use cedar::CedarPolicies;
pub(crate) use every::Policies;
pub use surface::{Kind, Offer, Surface};

use crate::{Result, auth::Principal, pipeline::Taint};

/// Where policies come from: set with `SecureServer::policies`.
///
/// Of several engines each must permit a request. So adding one never allows more.
pub trait PolicyEngine: Send + Sync + 'static {
    /// One line for the manifest: which language, and a digest where the policies are part of the
    /// program.
    fn row(&self) -> String;

    /// The files that the policies are read from. A server does not start whose tools can write
    /// one of them.
    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Reads the policies and holds them against what is served. Called once, before the sandbox
    /// closes and before any client is there.
    ///
    /// # Errors
    ///
    /// When a policy cannot be read, or names what does not exist: it stops the start.
    fn prepare(&self, surface: &Surface) -> Result<Prepared>;
}

/// Policies that are ready to decide.
pub struct Prepared {
    /// Decides.
    pub decider: Box<dyn Decider>,
    /// One line for the operator: what was read, and its digest.
    pub row: String,
    /// What is no error, and probably not meant: for the log of the start and for `check`.
    pub warnings: Vec<String>,
}

/// Decides, on every request. Called by many threads at once.
pub trait Decider: Send + Sync + 'static {
    /// Whether this may be done. What is not known is denied.
    fn decide(&self, question: &Question<'_>) -> Ruling;

    /// The ruling on every call of this principal's, if it is the same denial whatever the
    /// arguments are: then the thing is not listed and answers as if it did not exist.
    ///
    /// [`Question::arguments`] is `None`. Say `None` in doubt: hiding what may be called would be
    /// wrong, showing what is denied later is not.
    fn foresee(&self, question: &Question<'_>) -> Option<Ruling> {
        let _ = question;
        None
    }
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Question<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// Of which kind the thing is.
    pub kind: Kind,
    /// Its name, as in the [`Surface`].
    pub name: &'a str,
    /// The argument that is to be completed, if that is what is asked.
    pub completes: Option<&'a str>,
    /// The arguments; they match the schema. `None` if it is asked for all of them at once, and
    /// for a completion.
    pub arguments: Option<&'a JsonObject>,
    /// The URI of a resource that is read.
    pub uri: Option<&'a str>,
    /// What the session has read so far.
    pub taint: &'a Taint,
    /// The time.
    pub now: SystemTime,
}

/// What was decided, and by which policies. The caller learns neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    pub(crate) verdict: Verdict,
    pub(crate) policies: Vec<String>,
    pub(crate) reason: Cow<'static, str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Permit,
    Deny,
    Error,
}

impl Ruling {
    /// It may be done: these policies say so.
    pub fn permit(policies: Vec<String>) -> Self {
        Self::new(Verdict::Permit, policies, "")
    }

    /// It may not be done: these policies say so, or none permits it. The reason goes to the
    /// audit log: no values of arguments in it.
    pub fn deny(policies: Vec<String>, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Verdict::Deny, policies, reason)
    }

    /// It could not be decided: these policies failed. So it may not be done.
    pub fn error(policies: Vec<String>, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Verdict::Error, policies, reason)
    }

    /// Whether it may be done.
    pub fn is_permit(&self) -> bool {
        self.verdict == Verdict::Permit
    }

    fn new(verdict: Verdict, policies: Vec<String>, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            verdict,
            policies,
            reason: reason.into(),
        }
    }

    /// Which control speaks, in the audit log.
    pub(crate) fn control(&self) -> &'static str {
        match self.verdict {
            Verdict::Error => "authorize/policy-error",
            Verdict::Permit | Verdict::Deny => "authorize/policy",
        }
    }
}
