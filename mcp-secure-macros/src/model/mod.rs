//! What was read, before it is judged.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::{Attribute, Ident, ItemImpl, Path, ReturnType, Signature, Type};

use crate::errors::Errors;

mod exception;
mod place;
mod text;

pub(crate) use exception::{Exception, Exceptions};
pub(crate) use text::Text;

/// One impl block under `#[secure_server]`.
pub(crate) struct Server {
    /// Where the library is: `::mcp_secure`, unless the author says otherwise.
    pub(crate) krate: Path,
    /// The impl block without our attributes.
    pub(crate) item: ItemImpl,
    /// Its name, given or derived from the type.
    pub(crate) name: Text,
    /// Its version, if given.
    pub(crate) version: Option<Text>,
    /// What a client's model is told about it as a whole.
    pub(crate) instructions: Option<Text>,
    /// For the texts above.
    pub(crate) exceptions: Exceptions,
    /// Its marked functions, in order.
    pub(crate) functions: Vec<Function>,
}

/// One marked function.
pub(crate) struct Function {
    pub(crate) kind: Kind,
    pub(crate) ident: Ident,
    /// `#[cfg]` attributes, which hold for everything that is derived from the function.
    pub(crate) cfgs: Vec<Attribute>,
    /// It is deprecated, and we call it nevertheless.
    pub(crate) deprecated: bool,
    /// Its name in the protocol. Of no meaning for completions and `#[init]`.
    pub(crate) name: Text,
    pub(crate) title: Option<Text>,
    pub(crate) description: Option<Text>,
    pub(crate) policy: Policy,
    pub(crate) params: Vec<Param>,
    /// The strings in its body, where they are what a model is told.
    pub(crate) literals: Vec<Text>,
    /// For its texts, those of its parameters included.
    pub(crate) exceptions: Exceptions,
    /// As written, without our attributes.
    pub(crate) signature: Signature,
    /// What is wrong with it. If there is anything, nothing is derived from it.
    pub(crate) errors: Errors,
}

/// What a function was marked as.
pub(crate) enum Kind {
    Tool(Hints),
    Prompt,
    Resource {
        /// The URI, or URI template.
        uri: Text,
        mime: Option<Text>,
    },
    Completion {
        target: Target,
        argument: Text,
    },
    Init,
}

/// What a completion is for.
pub(crate) enum Target {
    Prompt(Text),
    Resource(Text),
}

/// `read_only`, `destructive`, `idempotent` and `open_world`, if given.
#[derive(Default)]
pub(crate) struct Hints {
    pub(crate) read_only: Option<Hint>,
    pub(crate) destructive: Option<Hint>,
    pub(crate) idempotent: Option<Hint>,
    pub(crate) open_world: Option<Hint>,
}

pub(crate) struct Hint {
    pub(crate) value: bool,
    /// The whole value.
    pub(crate) tokens: TokenStream,
}

/// Who may use a primitive, and how much.
#[derive(Default)]
pub(crate) struct Policy {
    /// `None` only after an error.
    pub(crate) access: Option<Access>,
    pub(crate) hidden: bool,
    pub(crate) timeout: Option<std::time::Duration>,
    pub(crate) concurrency: Option<u64>,
    pub(crate) max_output: Option<u64>,
    pub(crate) unapproved: Option<Reason>,
    pub(crate) allow_flow: Option<Reason>,
    pub(crate) rates: Rates,
}

/// How often one caller may use a tool.
#[derive(Default)]
pub(crate) struct Rates {
    pub(crate) rate: Option<Rate>,
    /// Of all callers together.
    pub(crate) total_rate: Option<Rate>,
    pub(crate) cost: Option<u32>,
    /// Calls in a day.
    pub(crate) quota: Option<u64>,
    /// Bytes in a day.
    pub(crate) output_quota: Option<u64>,
    /// The same call again; zero for any number.
    pub(crate) repeat: Option<u32>,
}

/// So many in a time, and so many at once.
pub(crate) struct Rate {
    pub(crate) count: u32,
    pub(crate) period: std::time::Duration,
    pub(crate) burst: u32,
}

pub(crate) enum Access {
    Public,
    Scopes(Vec<Text>),
}

/// Why an author lifts a rule.
pub(crate) struct Reason {
    pub(crate) key: Ident,
    pub(crate) why: Text,
}

/// One parameter after `self`.
pub(crate) enum Param {
    /// Sent by the caller.
    Argument(Argument),
    /// `Args<T>`: all arguments in one struct.
    Whole { ty: Type, inner: Type },
    /// Granted, never sent.
    Handle(Handle),
}

pub(crate) struct Argument {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    pub(crate) description: Option<Text>,
    pub(crate) rules: Rules,
}

impl Argument {
    /// Its name in the schema.
    pub(crate) fn name(&self) -> String {
        unraw(&self.ident)
    }
}

/// `#[arg(…)]`.
#[derive(Default)]
pub(crate) struct Rules {
    pub(crate) max_len: Option<u64>,
    pub(crate) min_len: Option<u64>,
    pub(crate) max_items: Option<u64>,
    pub(crate) minimum: Option<f64>,
    pub(crate) maximum: Option<f64>,
    pub(crate) pattern: Option<Text>,
    pub(crate) header: Option<Text>,
    /// `audit`: its value is in the audit record.
    pub(crate) audit: Option<Ident>,
    /// Which options were given, and where.
    pub(crate) given: Vec<Ident>,
}

pub(crate) struct Handle {
    /// How the author names it: the parameter, or its type if it has no name.
    pub(crate) label: String,
    pub(crate) ty: Type,
    /// The last segment of its type.
    pub(crate) type_name: String,
    /// Marked `#[handle]`: an extractor of the author's own.
    pub(crate) extractor: bool,
}

impl Function {
    /// The type after `->`; `None` is `()`.
    pub(crate) fn output(&self) -> Option<&Type> {
        match &self.signature.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => Some(ty),
        }
    }

    /// Something is wrong with it already, so that what is missing may be a consequence.
    pub(crate) fn errors_found(&self) -> bool {
        !self.errors.is_empty()
    }

    pub(crate) fn arguments(&self) -> impl Iterator<Item = &Argument> {
        self.params.iter().filter_map(|param| match param {
            Param::Argument(argument) => Some(argument),
            _ => None,
        })
    }

    pub(crate) fn handles(&self) -> impl Iterator<Item = &Handle> {
        self.params.iter().filter_map(|param| match param {
            Param::Handle(handle) => Some(handle),
            _ => None,
        })
    }
}

impl Kind {
    /// For messages.
    pub(crate) fn noun(&self) -> &'static str {
        match self {
            Self::Tool(_) => "tool",
            Self::Prompt => "prompt",
            Self::Resource { .. } => "resource",
            Self::Completion { .. } => "completion",
            Self::Init => "init",
        }
    }
}

/// An identifier as a name: without `r#`.
pub(crate) fn unraw(ident: &Ident) -> String {
    use syn::ext::IdentExt as _;
    ident.unraw().to_string()
}

/// The first and the last token of `tokens`, for code that must point at all of them.
pub(crate) fn ends(tokens: &impl ToTokens) -> (Span, Span) {
    let mut spans = tokens
        .to_token_stream()
        .into_iter()
        .map(|token| token.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    (first, spans.last().unwrap_or(first))
}
