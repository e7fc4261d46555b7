//! The manifest: what a server can do, in a form that a reviewer reads, a digest pins and a
//! build compares with a checked-in copy.
//!
//! It has two forms. The *compiled* one holds the ceilings that the signatures and the
//! builder set; it is the same on every machine and belongs under version control. The
//! *effective* one is what the operator made of it: bound folders, lowered limits, tools
//! taken away. It names the paths of the host, so it is for the operator and is never served.
//!
//! This room reads [`Definition`](crate::definition::Definition); it knows no transport.

mod bound;
mod canonical;
mod compile;
mod diff;
mod expiry;
mod page;
mod served;
#[cfg(test)]
mod tests;
mod texts;
mod validate;

use serde::{Deserialize, Serialize};

pub use bound::{BoundBy, BoundGrant};
pub use diff::{Change, Direction};
pub use expiry::Expired;
pub(crate) use page::{size, time};
pub use texts::Texts;

/// What a server can do. See the [module](self) for its two forms.
///
/// Rows are sorted by name, so that moving code about does not change a digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Manifest {
    /// The version of this format: [`FORMAT`].
    pub format: u32,
    /// The server.
    pub server: Server,
    /// The revisions of the protocol that are spoken.
    pub protocol_versions: Vec<String>,
    /// The transports that the code declares: `stdio`, `http` or `https`, `unix`.
    pub transports: Vec<String>,
    /// The bounds of the whole server.
    pub limits: ServerLimits,
    /// Everything real that the server asks for.
    pub capabilities: Vec<Capability>,
    /// Rights that are used once, at start, by `#[init]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub init: Vec<HandleRow>,
    /// The tools.
    pub tools: Vec<Entry>,
    /// The prompts.
    pub prompts: Vec<Entry>,
    /// The resources and resource templates.
    pub resources: Vec<Entry>,
    /// The completions; each is authorized as its target is.
    pub completions: Vec<CompletionRow>,
    /// What the code asks of the operating system beside its capabilities, a line each:
    /// ``reads `/usr/share/zoneinfo` ``.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sandbox: Vec<String>,
    /// Whose word is taken for who calls over HTTP, and on which terms, a line each:
    /// `tokens of https://auth.example`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub callers: Vec<String>,
    /// That policies must permit each call, too, a line for each engine: which language, and the
    /// digest of what is known of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    /// Where it is remembered what was used once, if not in the memory of the process, and what
    /// replicas share besides, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub store: Vec<String>,
    /// Where the client's word is taken for a person's agreement, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<String>,
    /// What the operator made of it. Absent from the compiled form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective: Option<Effective>,
}

/// The version of the format that this crate writes and reads.
pub const FORMAT: u32 = 1;

/// The server as it names itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Server {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What the model is told about the server as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<Text>,
    /// Text rules that were set aside for its name, version and instructions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<Exception>,
}

/// A text that a model reads, and its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Text {
    /// The words.
    pub text: String,
    /// `sha256:` and the digest of the words in UTF-8.
    pub digest: String,
}

/// The bounds of the whole server. Times are in milliseconds, sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each is the field of `Limits` with its name")]
pub struct ServerLimits {
    pub concurrency: u64,
    pub queue: u64,
    pub queue_wait_ms: u64,
    pub tool_concurrency: u64,
    pub principal_concurrency: u64,
    pub principal_per_minute: u64,
    pub principal_burst: u64,
    pub client_per_minute: u64,
    pub client_burst: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_per_minute: Option<u64>,
    pub repeats_per_minute: u64,
    pub limit_keys: u64,
    pub pending_approvals: u64,
    pub approval_timeout_ms: u64,
    pub timeout_ms: u64,
    pub max_timeout_ms: u64,
    pub max_output: u64,
    pub max_message: u64,
    pub max_depth: u64,
    pub page_size: u64,
}

/// Something real that the operator or the code grants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Capability {
    /// The name under which it is granted.
    pub name: String,
    /// The kind of handle that reaches it: `fs` and so on; `unused` if none does.
    pub kind: String,
    /// What it holds is the user's own.
    pub private: bool,
    /// What it is for.
    pub doc: String,
    /// Who binds it to something real.
    pub source: Source,
    /// What the code binds it to beyond the folders of a host: an address, a program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reaches: Option<String>,
    /// What else the code says of it: limits, rules, private addresses that are allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub terms: Vec<String>,
    /// Text rules that were set aside for its name and doc.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<Exception>,
}

/// Who binds a capability to something real.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Source {
    /// The operator, with `--grant` or the config file.
    Operator,
    /// The code; the operator can only narrow it.
    Code,
}

/// A tool, a prompt, a resource or a resource template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its title for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its description for models.
    pub description: Text,
    /// The URI of a resource, or the template of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// The media type of a resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// Who may use it.
    pub access: Access,
    /// Not listed for, and not admitted to exist before, who lacks the scope.
    pub hidden: bool,
    /// Its arguments, in short; `input` pins the whole of them.
    pub arguments: Vec<Argument>,
    /// The digest of its argument schema in canonical JSON (RFC 8785).
    pub input: String,
    /// The digest of the schema of its structured output, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// The bounds that apply to one call.
    pub limits: CallLimits,
    /// What its handles can do.
    pub effects: Effects,
    /// Its handles.
    pub handles: Vec<HandleRow>,
    /// Whether a person agrees to each call.
    pub approval: Approval,
    /// Rules that the author has set aside by name, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowances: Vec<Allowance>,
    /// Text rules that were set aside for its texts, schemas included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<Exception>,
    /// What a client is told about a tool, as derived from the handles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
}

/// Who may use something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Access {
    /// Every authenticated principal.
    Public,
    /// Who holds all of these scopes.
    Scopes(Vec<String>),
}

/// One argument, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// Whether it must be given.
    pub required: bool,
    /// Its description for models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// The bounds that apply to one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CallLimits {
    /// The deadline in milliseconds.
    pub timeout_ms: u64,
    /// How many calls may run at once; prompts and resources share the server's bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u64>,
    /// The largest answer in bytes.
    pub max_output: u64,
    /// How often one caller may call it, beyond the server's rate: `10/min, 5 at once`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<RateRow>,
    /// How often all callers together may call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_rate: Option<RateRow>,
    /// How much of a caller's rate one call takes, where it is more than one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<u64>,
    /// Calls of one caller in a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<u64>,
    /// Bytes of answers to one caller in a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_quota: Option<u64>,
    /// How often the same call may come again, where the tool says so; zero is any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<u64>,
    /// Which of these the author stated: `timeout`, `concurrency`, `max_output`. The others
    /// are the server's defaults and follow when the operator lowers them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stated: Vec<String>,
}

/// So many in a time, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RateRow {
    /// How many in one period.
    pub count: u64,
    /// The period in milliseconds.
    pub period_ms: u64,
    /// How many at once after a pause.
    pub burst: u64,
}

/// What handles can do, all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Effects {
    /// Changes something that outlives the call.
    pub writes: bool,
    /// What it changes may be lost.
    pub destructive: bool,
    /// Reaches beyond this server and its host.
    pub open_world: bool,
    /// Reads what is the user's own.
    pub private: bool,
    /// Can carry data to an address that is not fixed at compile time.
    pub open_sink: bool,
}

/// One handle.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct HandleRow {
    /// The kind of handle.
    pub kind: String,
    /// The capability it is a right on; empty if there is nothing to grant.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub capability: String,
    /// The access in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub access: String,
    /// It is behind a person's agreement.
    pub approved: bool,
}

/// Whether a person agrees to each call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Approval {
    /// Each call waits for a person.
    #[serde(rename = "required")]
    Required,
    /// No right of it needs a person.
    #[serde(rename = "not needed")]
    NotNeeded,
    /// A right needs a person and the author waived it, for this reason.
    #[serde(rename = "waived")]
    Waived(String),
    /// A right needs a person and nobody said anything. The macro does not compile this, and
    /// [`Manifest::validate`] refuses it again.
    #[serde(rename = "missing")]
    Missing,
}

/// A rule that the author has set aside by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Allowance {
    /// Which rule: `unapproved` or `allow_flow`.
    pub rule: String,
    /// Why.
    pub reason: String,
}

/// A text rule that a reviewer set aside, for a while.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Exception {
    /// Which rule, by its name: `hidden/soft-hyphen`.
    pub rule: String,
    /// Why.
    pub reason: String,
    /// The last day, as `YYYY-MM-DD`. See [`Manifest::expired`].
    pub until: String,
}

/// The annotations of a tool as clients see them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each is the MCP annotation with its name")]
pub struct Annotations {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destructive: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotent: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_world: Option<bool>,
}

/// Suggestions for one argument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CompletionRow {
    /// What it completes: `prompt NAME` or `resource URI`.
    pub target: String,
    /// The argument.
    pub argument: String,
    /// Text rules that were set aside for its target and argument.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<Exception>,
    /// What its handles can do.
    pub effects: Effects,
    /// Its handles.
    pub handles: Vec<HandleRow>,
}

/// What the operator made of a compiled manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Effective {
    /// The digest of the compiled form that this came from.
    pub compiled: String,
    /// The one transport that is served, if that is decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    /// What each capability is bound to.
    pub grants: Vec<EffectiveGrant>,
    /// Tools that the operator took away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied_tools: Vec<String>,
}

/// What a capability is bound to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct EffectiveGrant {
    /// The capability.
    pub name: String,
    /// The path on this host.
    pub path: String,
    /// Where the binding was written.
    pub bound_by: String,
}
