//! The innermost service: lists from the registry, everything else from user code.

use std::{
    collections::BTreeMap,
    sync::Arc,
    task::{Context, Poll},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rmcp::model::{
    CacheScope, CallToolResult, CompleteResult, CompletionInfo, DiscoverResult, ErrorCode,
    GetPromptResult, InputRequiredResult, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, ReadResourceResult, ResourceContents,
};

use super::{
    BoxError, Checked, CheckedOp, Journey, McpOp, McpReply, Refusal, Registry, ReplyFuture, Rounds,
    Shape, Taint, Verdict, arguments_digest,
    hardened::{HANDSHAKE, VERSIONS},
    registry::ResourceKind,
};
use crate::{
    auth::Principal,
    call::{Call, ClientSide, cursor_purpose, is_modern},
    capability::{Grants, Lease, LeaseGuard, Sealing, Shelved, Trail},
    definition::{About, Definition, Handler, SecureService},
    error::{ToolError, ToolErrorKind, ToolResult},
    layer::guard::{Outlet, TextPolicy},
    output::{Completions, PromptReply, ResourceBody, ResourceReply, ToolReply},
    policy::Kind,
    state::{Shelf, Shelves},
};

/// User code by index, as the registry counts.
pub(crate) struct Handlers<S> {
    tools: Vec<Handler<S, ToolReply>>,
    prompts: Vec<Handler<S, PromptReply>>,
    resources: Vec<Handler<S, ResourceReply>>,
    completions: Vec<Handler<S, Completions>>,
}

impl<S> Handlers<S> {
    pub(crate) fn new(definition: &Definition<S>) -> Self {
        Self {
            tools: definition.tools.iter().map(|t| t.call).collect(),
            prompts: definition.prompts.iter().map(|p| p.call).collect(),
            resources: definition.resources.iter().map(|r| r.call).collect(),
            completions: definition.completions.iter().map(|c| c.call).collect(),
        }
    }
}

/// The leaf of the stack.
pub(crate) struct Dispatch<S> {
    shared: Arc<Shared<S>>,
}

struct Shared<S> {
    service: Arc<S>,
    handlers: Handlers<S>,
    registry: Arc<Registry>,
    grants: Arc<Grants>,
    sealing: Sealing,
    /// Where requests stand alone, and what tools keep is kept by principal.
    shelves: Option<Arc<Shelves>>,
    text: TextPolicy,
}

impl<S> Clone for Dispatch<S> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<S: SecureService> Dispatch<S> {
    pub(crate) fn new(
        service: Arc<S>,
        handlers: Handlers<S>,
        registry: Arc<Registry>,
        grants: Arc<Grants>,
        sealing: Sealing,
        shelves: Option<Arc<Shelves>>,
        text: TextPolicy,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                service,
                handlers,
                registry,
                grants,
                sealing,
                shelves,
                text,
            }),
        }
    }
}

impl<S: SecureService> tower::Service<Checked> for Dispatch<S> {
    type Response = McpReply;
    type Error = BoxError;
    type Future = ReplyFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Checked) -> ReplyFuture {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { shared.run(request).await.map_err(Refusal::boxed) })
    }
}

impl<S: SecureService> Shared<S> {
    async fn run(&self, request: Checked) -> Result<McpReply, Refusal> {
        // A digest of all arguments: only for who may have to ask.
        let purpose = if self.asks(request.op()) {
            round_purpose(&request)
        } else {
            String::new()
        };
        let (op, context, journey, principal, rounds, approved) = request.into_parts();
        let trail = journey.trail.clone();
        let taint = journey.taint.clone();
        let shelf = Arc::clone(&journey.shelf);
        let outlet = Outlet::new(self.text, Some(Arc::clone(&journey)));
        match op {
            CheckedOp::Builtin { op, offset } => {
                self.builtin(op, offset, &principal, &taint, &context)
            }
            CheckedOp::Tool { index, arguments } => {
                let handler = self.handlers.tools.get(index).ok_or_else(missing)?;
                let made = self.lend(
                    arguments, context, &principal, rounds, approved, purpose, outlet, trail, shelf,
                );
                match self.call(*handler, made, &journey).await {
                    Ok(reply) => {
                        journey.note_untrusted(reply.untrusted);
                        let mut result = CallToolResult::success(reply.content);
                        result.structured_content = reply.structured;
                        Ok(McpReply::CallTool(result.into()))
                    }
                    Err(error) => {
                        // An error with a code of the protocol's own (-32021, say) is for the
                        // client, not for its model.
                        let shape = match &error.kind {
                            ToolErrorKind::Protocol(..) => Shape::Protocol,
                            _ => Shape::ToolResult,
                        };
                        outcome(error, |asked| McpReply::CallTool(asked.into()))
                            .map_err(|refusal| Refusal { shape, ..refusal })
                    }
                }
            }
            CheckedOp::Prompt { index, arguments } => {
                let handler = self.handlers.prompts.get(index).ok_or_else(missing)?;
                let made = self.lend(
                    arguments, context, &principal, rounds, approved, purpose, outlet, trail, shelf,
                );
                match self.call(*handler, made, &journey).await {
                    Ok(PromptReply {
                        messages,
                        untrusted,
                    }) => {
                        journey.note_untrusted(untrusted);
                        let mut result = GetPromptResult::new(messages);
                        result.description = self
                            .registry
                            .prompts
                            .get(index)
                            .and_then(|p| p.model.description.clone());
                        Ok(McpReply::GetPrompt(result.into()))
                    }
                    Err(error) => outcome(error, |asked| McpReply::GetPrompt(asked.into())),
                }
            }
            CheckedOp::Resource {
                index,
                uri,
                arguments,
            } => {
                let handler = self.handlers.resources.get(index).ok_or_else(missing)?;
                let mime = self.registry.resources.get(index).and_then(|r| r.mime_type);
                let made = self.lend(
                    arguments, context, &principal, rounds, approved, purpose, outlet, trail, shelf,
                );
                match self.call(*handler, made, &journey).await {
                    Ok(ResourceReply { body, untrusted }) => {
                        journey.note_untrusted(untrusted);
                        let contents = contents(body, uri, mime);
                        let mut result = ReadResourceResult::new(vec![contents]);
                        result.ttl_ms = Some(0);
                        result.cache_scope = Some(CacheScope::Private);
                        Ok(McpReply::ReadResource(result.into()))
                    }
                    Err(error) => {
                        let is_missing = matches!(error.kind, ToolErrorKind::NotFound { .. });
                        outcome(error, |asked| McpReply::ReadResource(asked.into())).map_err(
                            |mut refusal| {
                                if is_missing {
                                    refusal.error.code = ErrorCode::RESOURCE_NOT_FOUND;
                                }
                                refusal
                            },
                        )
                    }
                }
            }
            CheckedOp::Completion { index, prefix } => {
                let handler = self.handlers.completions.get(index).ok_or_else(missing)?;
                let mut arguments = serde_json::Map::new();
                arguments.insert("prefix".into(), prefix.into());
                let made = self.lend(
                    arguments, context, &principal, rounds, approved, purpose, outlet, trail, shelf,
                );
                match self.call(*handler, made, &journey).await {
                    Ok(Completions(mut values)) => {
                        let total = u32::try_from(values.len()).unwrap_or(u32::MAX);
                        let more = values.len() > CompletionInfo::MAX_VALUES;
                        values.truncate(CompletionInfo::MAX_VALUES);
                        let info = CompletionInfo::with_pagination(values, Some(total), more)
                            .map_err(|e| Refusal::failed("dispatch/completion", e))?;
                        Ok(McpReply::Complete(CompleteResult::new(info)))
                    }
                    Err(error) => outcome(error, |_| McpReply::Empty),
                }
            }
        }
    }

    /// Whether user code behind this may end the call with a question (SEP-2322).
    fn asks(&self, op: &CheckedOp) -> bool {
        let about = match op {
            CheckedOp::Tool { index, .. } => self.registry.tools.get(*index).map(|e| &e.about),
            CheckedOp::Prompt { index, .. } => self.registry.prompts.get(*index).map(|e| &e.about),
            CheckedOp::Resource { index, .. } => {
                self.registry.resources.get(*index).map(|e| &e.about)
            }
            CheckedOp::Completion { .. } | CheckedOp::Builtin { .. } => None,
        };
        about.is_some_and(About::asks)
    }

    #[allow(clippy::too_many_arguments, reason = "moved into one struct")]
    fn lend(
        &self,
        arguments: rmcp::model::JsonObject,
        context: rmcp::service::RequestContext<rmcp::RoleServer>,
        principal: &Principal,
        rounds: Rounds,
        approved: bool,
        purpose: String,
        outlet: Outlet,
        trail: Trail,
        shelf: Arc<Shelf>,
    ) -> Call {
        let mut answers: BTreeMap<String, serde_json::Value> = rounds.answers;
        answers.extend(rounds.responses.unwrap_or_default());
        let checked = Arc::new(arguments.clone());
        let stands_alone = is_modern(&context);
        #[cfg(feature = "oauth")]
        let inbound = context
            .extensions
            .get::<http::request::Parts>()
            .and_then(|parts| parts.extensions.get::<crate::auth::oauth::Inbound>())
            .cloned();
        Call {
            arguments,
            grants: Arc::clone(&self.grants),
            lease: Lease::new(),
            principal: principal.clone(),
            approved,
            checked,
            trail,
            #[cfg(feature = "oauth")]
            inbound,
            shelved: Shelved {
                own: shelf,
                all: self.shelves.clone().filter(|_| stands_alone),
            },
            sealing: Some(self.sealing.clone()),
            client: ClientSide::new(
                context,
                answers,
                approved,
                self.sealing.sealer.clone(),
                purpose,
                principal.clone(),
                outlet,
            ),
        }
    }

    async fn call<O>(
        &self,
        handler: Handler<S, O>,
        call: Call,
        journey: &Journey,
    ) -> ToolResult<O> {
        let _phase = journey.user_code();
        // Dropped when the call ends, is cancelled, panics or runs out of time: whatever
        // kept a handle finds it dead.
        let _guard = LeaseGuard(call.lease.clone());
        #[cfg(feature = "oauth")]
        let _inbound = crate::auth::oauth::InboundGuard(call.inbound.clone());
        handler(&self.service, call).await
    }

    fn builtin(
        &self,
        op: McpOp,
        offset: usize,
        principal: &Principal,
        taint: &Taint,
        context: &rmcp::service::RequestContext<rmcp::RoleServer>,
    ) -> Result<McpReply, Refusal> {
        let registry = &self.registry;
        let page_size = registry.page_size;
        match op {
            McpOp::Ping => Ok(McpReply::Empty),
            McpOp::SetLevel(_) if registry.info.capabilities.logging.is_some() => {
                Ok(McpReply::Empty)
            }
            McpOp::Initialize(request) => {
                context.peer.set_peer_info(request);
                let mut info = registry.info.clone();
                info.protocol_version = HANDSHAKE;
                Ok(McpReply::Initialize(info))
            }
            McpOp::Discover => {
                let mut result =
                    DiscoverResult::from_server_info(VERSIONS.to_vec(), registry.info.clone());
                result.ttl_ms = 0;
                result.cache_scope = CacheScope::Private;
                Ok(McpReply::Discover(result))
            }
            McpOp::ListTools(_) => {
                let visible = registry
                    .tools
                    .iter()
                    .filter(|t| registry.shows(Kind::Tool, &t.about, principal, taint));
                let (page, more) = page(visible.map(|t| t.model.clone()), offset, page_size);
                let mut result = ListToolsResult::with_all_items(page);
                result.ttl_ms = Some(0);
                result.cache_scope = Some(CacheScope::Private);
                result.next_cursor = self.cursor(more, "tools", principal)?;
                Ok(McpReply::ListTools(result))
            }
            McpOp::ListPrompts(_) => {
                let visible = registry
                    .prompts
                    .iter()
                    .filter(|p| registry.shows(Kind::Prompt, &p.about, principal, taint));
                let (page, more) = page(visible.map(|p| p.model.clone()), offset, page_size);
                let mut result = ListPromptsResult::with_all_items(page);
                result.ttl_ms = Some(0);
                result.cache_scope = Some(CacheScope::Private);
                result.next_cursor = self.cursor(more, "prompts", principal)?;
                Ok(McpReply::ListPrompts(result))
            }
            McpOp::ListResources(_) => {
                let visible = registry
                    .resources
                    .iter()
                    .filter(|r| registry.shows(Kind::Resource, &r.about, principal, taint));
                let ones = visible.filter_map(|r| match &r.kind {
                    ResourceKind::One(model) => Some(model.clone()),
                    ResourceKind::Template(..) => None,
                });
                let (page, more) = page(ones, offset, page_size);
                let mut result = ListResourcesResult::with_all_items(page);
                result.ttl_ms = Some(0);
                result.cache_scope = Some(CacheScope::Private);
                result.next_cursor = self.cursor(more, "resources", principal)?;
                Ok(McpReply::ListResources(result))
            }
            McpOp::ListResourceTemplates(_) => {
                let visible = registry
                    .resources
                    .iter()
                    .filter(|r| registry.shows(Kind::Resource, &r.about, principal, taint));
                let templates = visible.filter_map(|r| match &r.kind {
                    ResourceKind::Template(model, _) => Some(model.clone()),
                    ResourceKind::One(_) => None,
                });
                let (page, more) = page(templates, offset, page_size);
                let mut result = ListResourceTemplatesResult::with_all_items(page);
                result.ttl_ms = Some(0);
                result.cache_scope = Some(CacheScope::Private);
                result.next_cursor = self.cursor(more, "templates", principal)?;
                Ok(McpReply::ListResourceTemplates(result))
            }
            _ => Err(Refusal::failed(
                "dispatch/unreachable",
                "a refused method reached the leaf",
            )),
        }
    }

    fn cursor(
        &self,
        next: Option<usize>,
        list: &'static str,
        principal: &Principal,
    ) -> Result<Option<String>, Refusal> {
        let Some(next) = next else { return Ok(None) };
        self.sealing
            .sealer
            .seal(
                &next,
                principal,
                cursor_purpose(list),
                std::time::Duration::from_secs(3600),
            )
            .map(|sealed| Some(sealed.into_string()))
            .ok_or_else(|| Refusal::failed("dispatch/cursor", "a cursor could not be sealed"))
    }
}

/// One page and, if there is more, where the next one starts.
fn page<T>(all: impl Iterator<Item = T>, offset: usize, size: usize) -> (Vec<T>, Option<usize>) {
    let mut rest = all.skip(offset);
    let page: Vec<T> = rest.by_ref().take(size).collect();
    let next = rest.next().map(|_| offset + size);
    (page, next)
}

fn contents(body: ResourceBody, uri: String, mime: Option<&'static str>) -> ResourceContents {
    match body {
        ResourceBody::Text(text) => ResourceContents::TextResourceContents {
            uri,
            mime_type: Some(mime.unwrap_or("text/plain").to_owned()),
            text,
            meta: None,
        },
        ResourceBody::Bytes(bytes) => ResourceContents::BlobResourceContents {
            uri,
            mime_type: Some(mime.unwrap_or("application/octet-stream").to_owned()),
            blob: STANDARD.encode(bytes),
            meta: None,
        },
    }
}

/// Binds sealed state to what is asked and the whole canonical argument object.
pub(crate) fn round_purpose(request: &Checked) -> String {
    let (kind, index, arguments) = match request.op() {
        CheckedOp::Tool { index, arguments } => ("tool", index, arguments),
        CheckedOp::Prompt { index, arguments } => ("prompt", index, arguments),
        CheckedOp::Resource {
            index, arguments, ..
        } => ("resource", index, arguments),
        _ => return String::new(),
    };
    format!("round:{kind}:{index}:{}", arguments_digest(arguments))
}

fn missing() -> Refusal {
    Refusal::failed("dispatch/missing", "an entry of the registry has no code")
}

/// A tool's error, said twice.
fn outcome(
    error: ToolError,
    asked: impl FnOnce(InputRequiredResult) -> McpReply,
) -> Result<McpReply, Refusal> {
    match error.kind {
        ToolErrorKind::InputRequired(required) => Ok(asked(*required)),
        ToolErrorKind::Public {
            message,
            control: Some(control),
            detail,
        } => {
            let reason = detail.unwrap_or_default();
            Err(Refusal::denied(
                control,
                ErrorCode::INVALID_PARAMS,
                message,
                reason,
            ))
        }
        ToolErrorKind::Public {
            message,
            control: None,
            ..
        } => {
            let refusal =
                Refusal::denied("tool", ErrorCode::INVALID_REQUEST, message.clone(), message);
            Err(refusal.verdict(Verdict::ToolError))
        }
        ToolErrorKind::Internal(detail) => Err(Refusal::failed("tool", detail)),
        ToolErrorKind::Protocol(error, control) => {
            let reason = error.message.clone();
            Err(Refusal {
                error: *error,
                ..Refusal::denied(control, ErrorCode::INVALID_REQUEST, "", reason)
            })
        }
        ToolErrorKind::NotFound { message, detail } => {
            let refusal = Refusal::denied("tool", ErrorCode::INVALID_PARAMS, message, detail);
            Err(refusal.verdict(Verdict::ToolError))
        }
    }
}
