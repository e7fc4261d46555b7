//! What a server is, as derived from its signatures: the one table that dispatch, policy,
//! schema and manifest are all read from.
//!
//! Filled in by `#[secure_server]`; nothing else constructs it.

use std::time::Duration;

use futures::future::BoxFuture;

use crate::{
    call::Call,
    capability::Facts,
    error::ToolResult,
    output::{Completions, PromptReply, ResourceReply, ToolReply},
    schema::Input,
};

/// An impl block that went through `#[secure_server]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a secure server",
    note = "put `#[secure_server]` on the impl block that holds its tools"
)]
pub trait SecureService: Sized + Send + Sync + 'static {
    #[doc(hidden)]
    fn definition() -> Definition<Self>;
}

/// A service whose value is built after the sandbox is up: `#[init]` in the impl block.
pub trait SecureInit: SecureService {
    #[doc(hidden)]
    fn init(call: Call) -> BoxFuture<'static, crate::Result<Self>>;
    #[doc(hidden)]
    fn init_handles() -> Vec<&'static [Facts]>;
}

/// User code behind one primitive.
pub type Handler<S, O> = for<'a> fn(&'a S, Call) -> BoxFuture<'a, ToolResult<O>>;

/// Everything `#[secure_server]` found in one impl block.
pub struct Definition<S> {
    /// The name of the server, in kebab case.
    pub name: &'static str,
    /// The version of the user's crate.
    pub version: &'static str,
    /// What the client's model is told about the server as a whole.
    pub instructions: Option<&'static str>,
    /// For the texts above.
    pub exceptions: &'static [TextException],
    /// The tools.
    pub tools: Vec<Tool<S>>,
    /// The prompts.
    pub prompts: Vec<Prompt<S>>,
    /// The resources and resource templates.
    pub resources: Vec<Resource<S>>,
    /// The completions.
    pub completions: Vec<Completion<S>>,
}

impl<S> Definition<S> {
    /// Every scope that something here needs, sorted, once each; but not those that only what is
    /// hidden needs.
    #[cfg(feature = "http")]
    pub(crate) fn scopes(&self) -> Vec<String> {
        let tools = self.tools.iter().map(|tool| &tool.about);
        let prompts = self.prompts.iter().map(|prompt| &prompt.about);
        let resources = self.resources.iter().map(|resource| &resource.about);
        let told = tools.chain(prompts).chain(resources);
        let scopes: std::collections::BTreeSet<&str> = told
            .filter(|about| !about.policy.hidden)
            .flat_map(|about| match about.policy.access {
                Access::Scopes(scopes) => scopes,
                Access::Public => &[],
            })
            .copied()
            .collect();
        scopes.into_iter().map(str::to_owned).collect()
    }
}

/// What every primitive says of itself.
#[derive(Clone)]
pub struct About {
    /// Its name.
    pub name: &'static str,
    /// Its title for people.
    pub title: Option<&'static str>,
    /// Its description for models.
    pub description: &'static str,
    /// Who may use it, and how much.
    pub policy: Policy,
    /// For its texts, those of its schemas included.
    pub exceptions: &'static [TextException],
    /// The rights of its parameters.
    pub handles: Vec<&'static [Facts]>,
}

impl About {
    /// All rights, flat.
    pub fn facts(&self) -> impl Iterator<Item = &Facts> {
        self.handles.iter().flat_map(|of_one| of_one.iter())
    }

    /// Whether it holds a handle that asks the client something.
    pub fn asks(&self) -> bool {
        self.facts()
            .any(|facts| matches!(facts.kind, "elicit" | "sample" | "roots"))
    }

    /// Whether a person must agree to each call.
    pub fn needs_approval(&self) -> bool {
        self.facts().any(|facts| facts.approved)
    }
}

/// A tool.
pub struct Tool<S> {
    /// What it says of itself.
    pub about: About,
    /// Its arguments.
    pub input: Input,
    /// The schema of its structured output, where it has one.
    pub output: Option<rmcp::model::JsonObject>,
    /// What the author says beyond what the handles say.
    pub hints: Hints,
    /// The code.
    pub call: Handler<S, ToolReply>,
}

/// A prompt.
pub struct Prompt<S> {
    /// What it says of itself.
    pub about: About,
    /// Its arguments; all arrive as text.
    pub input: Input,
    /// The code.
    pub call: Handler<S, PromptReply>,
}

/// A resource, or a template if the URI has `{variables}`.
pub struct Resource<S> {
    /// What it says of itself.
    pub about: About,
    /// The URI, or URI template (RFC 6570, level 1).
    pub uri: &'static str,
    /// The media type of what it answers.
    pub mime_type: Option<&'static str>,
    /// Its variables; all arrive as text.
    pub input: Input,
    /// The code.
    pub call: Handler<S, ResourceReply>,
}

/// Suggestions for one argument of a prompt or one variable of a template.
///
/// It is authorized as its target is: who may not use the target may not enumerate it.
pub struct Completion<S> {
    /// The prompt's name or the template's URI.
    pub target: Target,
    /// The argument that is completed.
    pub argument: &'static str,
    /// For the two above.
    pub exceptions: &'static [TextException],
    /// The rights of its parameters.
    pub handles: Vec<&'static [Facts]>,
    /// The code. The text typed so far is its argument `prefix`.
    pub call: Handler<S, Completions>,
}

/// A text rule that a reviewer set aside: `allow_text("rule", reason = "why", until = "…")`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextException {
    /// The rule, by its name in `mcp_secure_text::rule`.
    pub rule: &'static str,
    /// Why it does not hold here.
    pub reason: &'static str,
    /// The last day on which it was meant to hold, as `YYYY-MM-DD`.
    pub until: &'static str,
    /// The macro saw a text that breaks the rule. Otherwise a schema must have one.
    pub spent: bool,
}

/// What a completion is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A prompt by name.
    Prompt(&'static str),
    /// A resource template by its URI template.
    Resource(&'static str),
}

/// Who may use a primitive, and how much of the machine it may take.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Who may use it.
    pub access: Access,
    /// A deadline of its own; the server's default otherwise.
    pub timeout: Option<Duration>,
    /// How many may run at once; the server's default otherwise.
    pub concurrency: Option<usize>,
    /// The largest answer in bytes; the server's default otherwise.
    pub max_output: Option<usize>,
    /// Not listed for, and not admitted to exist before, who lacks the scope.
    pub hidden: bool,
    /// Why an authority that writes needs no person's agreement.
    pub unapproved: Option<&'static str>,
    /// Why private data may meet an open sink here.
    pub allow_flow: Option<&'static str>,
    /// How often one caller may use it; of tools.
    pub rates: Rates,
}

/// How often one caller may use a tool, beyond what the server says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// How often.
    pub rate: Option<crate::Rate>,
    /// How often all callers together may use it.
    pub total_rate: Option<crate::Rate>,
    /// Of what the caller may ask of the server, how much one call takes: one, unless it says
    /// more.
    pub cost: Option<u32>,
    /// Calls in one day of UTC.
    pub quota: Option<u64>,
    /// Bytes of its answers in one day of UTC.
    pub output_quota: Option<u64>,
    /// How often the same arguments may come again in the server's window. Zero is any number.
    pub repeat: Option<u32>,
}

impl Policy {
    /// For everyone who is authenticated at all.
    pub const fn public() -> Self {
        Self::new(Access::Public)
    }

    /// For principals that hold all of these scopes.
    pub const fn scopes(scopes: &'static [&'static str]) -> Self {
        Self::new(Access::Scopes(scopes))
    }

    const fn new(access: Access) -> Self {
        Self {
            access,
            timeout: None,
            concurrency: None,
            max_output: None,
            hidden: false,
            unapproved: None,
            allow_flow: None,
            rates: Rates {
                rate: None,
                total_rate: None,
                cost: None,
                quota: None,
                output_quota: None,
                repeat: None,
            },
        }
    }
}

/// Who may use a primitive. There is no default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Every authenticated principal.
    Public,
    /// Who holds all of these.
    Scopes(&'static [&'static str]),
}

/// What an author may add to the derived annotations. None can contradict the handles: the
/// macro checks that at compile time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hints {
    /// Calling it twice with the same arguments is like calling it once.
    pub idempotent: Option<bool>,
    /// It changes nothing.
    pub read_only: Option<bool>,
    /// It may lose something.
    pub destructive: Option<bool>,
    /// It reaches beyond this host.
    pub open_world: Option<bool>,
}
