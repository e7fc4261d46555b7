//! Whether what is asked has the published shape. Yields the [`Checked`] request, which
//! nothing can change any more.

#[cfg(feature = "http")]
pub(crate) mod mirror;

use std::sync::Arc;

#[cfg(feature = "http")]
use rmcp::model::ErrorData;
use rmcp::model::{ErrorCode, JsonObject, PaginatedRequestParams};
use serde_json::Value;
use tower::Layer;

use super::{Enclosed, authorize::target_of, refuse};
use crate::{
    auth::Principal,
    call::cursor_purpose,
    limits::Limits,
    pipeline::{
        BoxError, Checked, CheckedOp, McpOp, McpReply, McpRequest, Refusal, Registry, ReplyFuture,
        Rounds,
    },
    state::Sealer,
};

#[derive(Clone)]
pub(crate) struct ValidateLayer {
    registry: Arc<Registry>,
    limits: Arc<Limits>,
    sealer: Sealer,
}

impl ValidateLayer {
    pub(crate) fn new(registry: Arc<Registry>, limits: Arc<Limits>, sealer: Sealer) -> Self {
        Self {
            registry,
            limits,
            sealer,
        }
    }
}

impl<S> Layer<S> for ValidateLayer {
    type Service = ValidateService<S>;

    fn layer(&self, inner: S) -> ValidateService<S> {
        ValidateService {
            inner,
            shared: self.clone(),
        }
    }
}

#[derive(Clone)]
pub(crate) struct ValidateService<S> {
    inner: S,
    shared: ValidateLayer,
}

impl<S: Enclosed<Checked>> tower::Service<McpRequest> for ValidateService<S> {
    type Response = McpReply;
    type Error = BoxError;
    type Future = ReplyFuture;

    fn poll_ready(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: McpRequest) -> ReplyFuture {
        match self.shared.check(request) {
            Ok(checked) => Box::pin(self.inner.call(checked)),
            Err(refusal) => refuse(refusal),
        }
    }
}

impl ValidateLayer {
    fn check(&self, request: McpRequest) -> Result<Checked, Refusal> {
        let mut inner = request.into_inner();
        let Some(principal) = inner.journey.principal.get().cloned() else {
            return Err(Refusal::failed(
                "validate/principal",
                "no principal to check for",
            ));
        };
        if let Some(level) = inner.connection.log_floor() {
            inner.context.extensions.insert(level);
        }
        let mut rounds = Rounds::default();
        let op = match inner.op {
            McpOp::CallTool(params) => {
                let (index, entry) = self.registry.tool(&params.name).ok_or_else(gone)?;
                rounds.responses = params.input_responses;
                rounds.carried = params.request_state;
                let given = params.arguments.unwrap_or_default();
                inner.journey.note_arguments(&given);
                #[cfg(feature = "http")]
                mirrors(&inner.context, &entry.mirrored, &given)?;
                let arguments = self
                    .object(given, &entry.input)
                    // The model reads what is wrong and can correct itself (SEP-1303).
                    .map_err(Refusal::into_tool_result)?;
                // Behind the check: what is written has the shape that its author knows.
                if let Some(values) = entry.audited.values(&arguments) {
                    let _ = inner.journey.values.set(values);
                }
                CheckedOp::Tool { index, arguments }
            }
            McpOp::GetPrompt(params) => {
                let (index, entry) = self.registry.prompt(&params.name).ok_or_else(gone)?;
                rounds.responses = params.input_responses;
                rounds.carried = params.request_state;
                let given = params.arguments.unwrap_or_default();
                inner.journey.note_arguments(&given);
                CheckedOp::Prompt {
                    index,
                    arguments: self.object(given, &entry.input)?,
                }
            }
            McpOp::ReadResource(params) => {
                if params.uri.len() > MAX_URI {
                    return Err(bad("validate/uri", "the URI is too long"));
                }
                let (index, entry, variables) =
                    self.registry.resource(&params.uri).ok_or_else(gone)?;
                rounds.responses = params.input_responses;
                rounds.carried = params.request_state;
                inner.journey.digest_arguments(&variables);
                let arguments = self.object(variables, &entry.input)?;
                CheckedOp::Resource {
                    index,
                    uri: params.uri,
                    arguments,
                }
            }
            McpOp::Complete(params) => {
                if params.argument.value.len() > MAX_PREFIX {
                    return Err(bad(
                        "validate/completion",
                        "the text is too long to complete",
                    ));
                }
                let target = target_of(&params.r#ref, &self.registry).ok_or_else(gone)?;
                match self.registry.completion(&target, &params.argument.name) {
                    Some(index) => CheckedOp::Completion {
                        index,
                        prefix: params.argument.value,
                    },
                    None => return Err(bad("validate/completion", "unknown completion")),
                }
            }
            McpOp::ListTools(page) => {
                self.list(McpOp::ListTools(None), page, "tools", &principal)?
            }
            McpOp::ListPrompts(page) => {
                self.list(McpOp::ListPrompts(None), page, "prompts", &principal)?
            }
            McpOp::ListResources(page) => {
                self.list(McpOp::ListResources(None), page, "resources", &principal)?
            }
            McpOp::ListResourceTemplates(page) => self.list(
                McpOp::ListResourceTemplates(None),
                page,
                "templates",
                &principal,
            )?,
            op @ (McpOp::Ping | McpOp::Initialize(_) | McpOp::Discover) => {
                CheckedOp::Builtin { op, offset: 0 }
            }
            McpOp::SetLevel(params) if self.registry.info.capabilities.logging.is_some() => {
                #[allow(deprecated, reason = "clients of the older revision still set it")]
                inner.connection.set_log_floor(params.level);
                let op = McpOp::SetLevel(params);
                CheckedOp::Builtin { op, offset: 0 }
            }
            _ => {
                return Err(Refusal::denied(
                    "validate/method",
                    ErrorCode::METHOD_NOT_FOUND,
                    "method not found",
                    "a method that is not served reached validation",
                ));
            }
        };
        Ok(Checked::new(
            op,
            inner.context,
            inner.journey,
            principal,
            rounds,
        ))
    }

    /// Depth first: a validator walks recursively.
    fn object(
        &self,
        object: JsonObject,
        validator: &jsonschema::Validator,
    ) -> Result<JsonObject, Refusal> {
        let value = Value::Object(object);
        if !is_within(&value, self.limits.max_depth) {
            return Err(bad("validate/depth", "the arguments nest too deeply"));
        }
        if !validator.is_valid(&value) {
            return Err(explain(&value, validator));
        }
        match value {
            Value::Object(object) => Ok(object),
            _ => Err(bad("validate/schema", "the arguments are not an object")),
        }
    }

    fn list(
        &self,
        op: McpOp,
        page: Option<PaginatedRequestParams>,
        list: &'static str,
        principal: &Principal,
    ) -> Result<CheckedOp, Refusal> {
        let offset = match page.and_then(|page| page.cursor) {
            None => 0,
            Some(cursor) => self
                .sealer
                .open(&cursor, principal, cursor_purpose(list))
                .map_err(|_| bad("validate/cursor", "the cursor is not valid"))?,
        };
        Ok(CheckedOp::Builtin { op, offset })
    }
}

/// Whether the `Mcp-Param-*` headers say what the arguments say: over HTTP, in the revision
/// that has them.
#[cfg(feature = "http")]
fn mirrors(
    context: &rmcp::service::RequestContext<rmcp::RoleServer>,
    mirrored: &[mirror::Mirrored],
    given: &JsonObject,
) -> Result<(), Refusal> {
    if mirrored.is_empty() || !crate::call::is_modern(context) {
        return Ok(());
    }
    let Some(parts) = context.extensions.get::<http::request::Parts>() else {
        return Ok(());
    };
    mirror::check(mirrored, &parts.headers, given).map_err(|message| Refusal {
        error: ErrorData::header_mismatch(message.clone(), None),
        ..Refusal::denied("validate/header", ErrorCode::HEADER_MISMATCH, "", message)
    })
}

/// What is wrong, by place and rule: values are never quoted (spec TOOLS-10).
fn explain(value: &Value, validator: &jsonschema::Validator) -> Refusal {
    let mut message = String::from("the arguments do not match the schema");
    for error in validator.iter_errors(value).take(3) {
        let place = error.instance_path().to_string();
        let place = if place.is_empty() {
            "the arguments"
        } else {
            place.as_str()
        };
        message.push_str("; at ");
        message.extend(place.chars().take(128).filter(|c| !c.is_control()));
        message.push_str(": ");
        // A pattern says nothing to a person, and little to a model; its description does.
        if matches!(
            error.kind(),
            jsonschema::error::ValidationErrorKind::Pattern { .. }
        ) {
            message.push_str("value does not have the required form");
        } else {
            let words = error.masked().to_string();
            message.extend(words.chars().take(256).filter(|c| !c.is_control()));
        }
    }
    bad("validate/schema", message)
}

/// Whether a value nests at most `levels` deep. Recursion is bounded by the parser's own
/// limit, which is 128.
pub(crate) fn is_within(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(|item| is_within(item, levels - 1)),
        Value::Object(members) => {
            levels > 0 && members.values().all(|member| is_within(member, levels - 1))
        }
        _ => true,
    }
}

fn bad(control: &'static str, message: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    let message = message.into();
    Refusal::denied(control, ErrorCode::INVALID_PARAMS, message.clone(), message)
}

/// Authorize has found it; if it is gone now, something changed what was authorized.
fn gone() -> Refusal {
    Refusal::failed("validate/gone", "what was authorized is not there")
}

const MAX_URI: usize = 4096;
const MAX_PREFIX: usize = 1024;
