//! One call on its way into user code: the checked arguments and what may be lent.

use std::{borrow::Cow, sync::Arc};

use rmcp::{
    RoleServer,
    model::{InputResponses, JsonObject},
    service::RequestContext,
};

use crate::{
    auth::Principal,
    capability::{Grants, Lease},
    error::{ToolError, ToolErrorKind, ToolResult},
    schema::ToolArg,
    state::Sealer,
};

/// A call as the code written by `#[secure_server]` sees it. Arguments are taken out,
/// handles are lent; neither can be had twice or from elsewhere.
pub struct Call {
    pub(crate) arguments: JsonObject,
    pub(crate) grants: Arc<Grants>,
    pub(crate) lease: Lease,
    pub(crate) principal: Arc<Principal>,
    pub(crate) approved: bool,
    pub(crate) client: ClientSide,
}

/// What a handle needs to speak to the client that made this call.
#[derive(Clone)]
pub(crate) struct ClientSide {
    /// `None` only in unit tests, where there is no client.
    pub(crate) context: Option<RequestContext<RoleServer>>,
    /// Answers of the client to an earlier round (SEP-2322), not yet validated.
    pub(crate) responses: Option<InputResponses>,
    /// The state of an earlier round, opened and checked.
    pub(crate) state: Option<serde_json::Value>,
    /// Seals what the client will carry to the next round.
    pub(crate) sealer: Sealer,
    /// The purpose that binds sealed state to this operation, its subject and its arguments.
    pub(crate) purpose: Cow<'static, str>,
    /// Names a tool's way of asking once more, so that two questions never share a key.
    pub(crate) questions: Arc<std::sync::atomic::AtomicU32>,
}

impl Call {
    pub(crate) fn is_approved(&self) -> bool {
        self.approved
    }
}

/// Takes one argument out of the call. The schema has been enforced already; this turns
/// the value into the type, whose own rules (a `RelPath`, say) may still refuse it.
#[doc(hidden)]
pub fn argument<T: ToolArg>(call: &mut Call, name: &'static str) -> ToolResult<T> {
    let value = call.arguments.remove(name).unwrap_or(serde_json::Value::Null);
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
            ToolErrorKind::Public { message, detail, .. } => {
                detail.unwrap_or_else(|| message.into_owned())
            }
            ToolErrorKind::Internal(detail) | ToolErrorKind::NotFound(detail) => detail,
            ToolErrorKind::InputRequired(_) => {
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
