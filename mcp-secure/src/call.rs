//! One call on its way into user code: the checked arguments and what may be lent.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rmcp::{
    RoleServer,
    model::{JsonObject, ProtocolVersion},
    service::RequestContext,
};

use crate::{
    auth::Principal,
    capability::{Grants, Lease, Sealing, Shelved, Trail},
    error::{ToolError, ToolErrorKind, ToolResult},
    layer::guard::{Outlet, TextPolicy},
    schema::ToolArg,
    state::Sealer,
};

/// A call as the code written by `#[secure_server]` sees it. Arguments are taken out,
/// handles are lent; neither can be had twice or from elsewhere.
pub struct Call {
    pub(crate) arguments: JsonObject,
    pub(crate) grants: Arc<Grants>,
    pub(crate) lease: Lease,
    pub(crate) principal: Principal,
    pub(crate) approved: bool,
    /// All arguments as they were checked, for rules that hold what leaves against them;
    /// `arguments` is emptied as the tool's parameters are filled.
    #[cfg_attr(
        not(feature = "net"),
        allow(dead_code, reason = "only rules over what leaves ask")
    )]
    pub(crate) checked: Arc<JsonObject>,
    /// Where handles say what they did.
    #[cfg_attr(
        not(any(feature = "tcp", feature = "exec", feature = "sqlite")),
        allow(dead_code, reason = "files leave no steps yet")
    )]
    pub(crate) trail: Trail,
    /// What the caller came with, for the one handle that exchanges it.
    #[cfg(feature = "oauth")]
    pub(crate) inbound: Option<crate::auth::oauth::Inbound>,
    /// The state of its session.
    pub(crate) shelved: Shelved,
    /// `None` outside of requests.
    pub(crate) sealing: Option<Sealing>,
    pub(crate) client: ClientSide,
}

/// What a handle needs to speak to the client that made this call.
#[derive(Clone)]
pub(crate) struct ClientSide {
    /// `None` only in unit tests, where there is no client.
    pub(crate) context: Option<RequestContext<RoleServer>>,
    /// Answers of the client to this and earlier rounds, by question, not yet validated.
    pub(crate) answers: Arc<BTreeMap<String, serde_json::Value>>,
    pub(crate) approved: bool,
    /// Seals what the client will carry to the next round.
    pub(crate) sealer: Option<Sealer>,
    /// Binds sealed state to this operation and its arguments.
    pub(crate) purpose: Arc<str>,
    pub(crate) principal: Principal,
    /// The questions that this call has asked so far. A call that runs again asks them in the
    /// same order, so its number names a question that the author did not name.
    pub(crate) questions: Arc<Mutex<Vec<String>>>,
    /// Cleans what is said beside the answer.
    pub(crate) outlet: Outlet,
}

impl ClientSide {
    pub(crate) fn new(
        context: RequestContext<RoleServer>,
        answers: BTreeMap<String, serde_json::Value>,
        approved: bool,
        sealer: Sealer,
        purpose: String,
        principal: Principal,
        outlet: Outlet,
    ) -> Self {
        Self {
            context: Some(context),
            answers: Arc::new(answers),
            approved,
            sealer: Some(sealer),
            purpose: purpose.into(),
            principal,
            questions: Arc::default(),
            outlet,
        }
    }
}

/// Whether the request speaks 2026-07-28 or newer: no server requests, rounds instead.
pub(crate) fn is_modern(context: &RequestContext<RoleServer>) -> bool {
    context
        .protocol_version()
        .is_some_and(|version| version.as_str() >= ProtocolVersion::V_2026_07_28.as_str())
}

/// What a cursor of one list is sealed for.
pub(crate) fn cursor_purpose(list: &'static str) -> &'static str {
    match list {
        "tools" => "cursor:tools",
        "prompts" => "cursor:prompts",
        "resources" => "cursor:resources",
        _ => "cursor:templates",
    }
}

/// 128 random bits as text.
pub(crate) fn nonce() -> Option<String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

impl Call {
    /// For `#[init]` and for unit tests: there is no client.
    pub(crate) fn outside_of_requests(grants: Arc<Grants>, principal: Principal) -> Self {
        Self {
            arguments: JsonObject::new(),
            grants,
            lease: Lease::new(),
            principal: principal.clone(),
            approved: false,
            checked: Arc::default(),
            trail: Trail::default(),
            #[cfg(feature = "oauth")]
            inbound: None,
            shelved: Shelved {
                own: Arc::default(),
                all: None,
            },
            sealing: None,
            client: ClientSide {
                context: None,
                answers: Arc::default(),
                approved: false,
                sealer: None,
                purpose: "".into(),
                principal,
                questions: Arc::default(),
                outlet: Outlet::new(TextPolicy::default(), None),
            },
        }
    }

    #[cfg(feature = "testing")]
    pub(crate) fn approve_for_tests(&mut self) {
        self.approved = true;
    }

    pub(crate) fn is_approved(&self) -> bool {
        self.approved
    }
}

/// Takes one argument out of the call. The schema has been enforced already; this turns
/// the value into the type, whose own rules (a `RelPath`, say) may still refuse it.
#[doc(hidden)]
pub fn argument<T: ToolArg>(call: &mut Call, name: &'static str) -> ToolResult<T> {
    let value = call
        .arguments
        .remove(name)
        .unwrap_or(serde_json::Value::Null);
    from_value(value).map_err(|detail| invalid(name, &detail))
}

/// Takes an argument that arrives as text: of a prompt, or of a resource template.
#[doc(hidden)]
pub fn text_argument<T: ToolArg>(call: &mut Call, name: &'static str) -> ToolResult<T> {
    match call.arguments.remove(name) {
        Some(serde_json::Value::String(text)) => {
            // A number or a switch is spelled out in text; everything else is text itself.
            match from_value(serde_json::Value::String(text.clone())) {
                Ok(value) => Ok(value),
                Err(detail) => match serde_json::from_str::<serde_json::Value>(&text) {
                    Ok(scalar) if scalar.is_number() || scalar.is_boolean() => {
                        from_value(scalar).map_err(|detail| invalid(name, &detail))
                    }
                    _ => Err(invalid(name, &detail)),
                },
            }
        }
        other => from_value(other.unwrap_or(serde_json::Value::Null))
            .map_err(|detail| invalid(name, &detail)),
    }
}

/// Takes the whole argument object.
#[doc(hidden)]
pub fn arguments<T: ToolArg>(call: &mut Call) -> ToolResult<T> {
    let object = std::mem::take(&mut call.arguments);
    from_value(serde_json::Value::Object(object)).map_err(|detail| invalid("arguments", &detail))
}

/// A handle that could not be lent to `#[init]` stops the start, and the operator reads why.
#[doc(hidden)]
pub fn at_start<T>(lent: ToolResult<T>) -> crate::Result<T> {
    lent.map_err(|error| {
        crate::Error::new(match error.kind {
            ToolErrorKind::Public {
                message, detail, ..
            } => detail.unwrap_or_else(|| message.into_owned()),
            ToolErrorKind::Internal(detail) | ToolErrorKind::NotFound { detail, .. } => detail,
            ToolErrorKind::Protocol(..) | ToolErrorKind::InputRequired(_) => {
                "`#[init]` cannot ask a client: there is none yet".to_owned()
            }
        })
    })
}

fn from_value<T: ToolArg>(value: serde_json::Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|e| e.to_string())
}

/// The caller reads which argument is wrong, never serde's words, which quote the value.
fn invalid(name: &'static str, detail: &str) -> ToolError {
    ToolError {
        kind: ToolErrorKind::Public {
            message: format!("argument `{name}` is not acceptable").into(),
            control: Some("validate/argument"),
            detail: Some(detail.to_owned()),
        },
    }
}
