//! Who may use what. Default deny; what is denied answers exactly as what does not exist
//! (invariant 2), and lists show what may be called (`pipeline/dispatch.rs` uses the same
//! decision).

use std::sync::Arc;

use rmcp::model::{ErrorCode, ErrorData, Reference};
use tower::Layer;

use super::{Enclosed, flow::TaintBook, forward_ready, refuse};
use crate::{
    call::is_modern,
    definition::{About, Target},
    pipeline::{
        Decision, McpOp, McpRequest, Refusal, Registry, ReplyFuture, Subject, code, decide,
    },
    policy::Kind,
};

#[derive(Clone)]
pub(crate) struct AuthorizeLayer {
    registry: Arc<Registry>,
    book: Arc<TaintBook>,
}

impl AuthorizeLayer {
    pub(crate) fn new(registry: Arc<Registry>, book: Arc<TaintBook>) -> Self {
        Self { registry, book }
    }
}

impl<S> Layer<S> for AuthorizeLayer {
    type Service = AuthorizeService<S>;

    fn layer(&self, inner: S) -> AuthorizeService<S> {
        AuthorizeService {
            inner,
            registry: Arc::clone(&self.registry),
            book: Arc::clone(&self.book),
        }
    }
}

#[derive(Clone)]
pub(crate) struct AuthorizeService<S> {
    inner: S,
    registry: Arc<Registry>,
    book: Arc<TaintBook>,
}

impl<S: Enclosed<McpRequest>> tower::Service<McpRequest> for AuthorizeService<S> {
    forward_ready!();

    fn call(&mut self, request: McpRequest) -> ReplyFuture {
        self.recall(&request);
        let decided = self.decide(&request);
        // The HTTP ring waits for this before it says a status.
        #[cfg(feature = "http")]
        if let Some(waiting) = crate::pipeline::Decided::of(request.context()) {
            waiting.set(request.journey().challenged.get().copied());
        }
        match decided {
            Ok(()) => Box::pin(self.inner.call(request)),
            Err(refusal) => refuse(refusal),
        }
    }
}

impl<S> AuthorizeService<S> {
    /// What policies may ask for, of a principal whose requests stand alone.
    fn recall(&self, request: &McpRequest) {
        if self.registry.policies.is_empty() || !is_modern(request.context()) {
            return;
        }
        if let Some(principal) = request.principal() {
            self.book.recall(&principal.key(), &request.journey().taint);
        }
    }

    fn decide(&self, request: &McpRequest) -> Result<(), Refusal> {
        match request.op() {
            // Answered from the registry, or refused by Validate; nothing of the user's runs.
            McpOp::Ping
            | McpOp::Initialize(_)
            | McpOp::Discover
            | McpOp::SetLevel(_)
            | McpOp::ListTools(_)
            | McpOp::ListPrompts(_)
            | McpOp::ListResources(_)
            | McpOp::ListResourceTemplates(_) => Ok(()),

            McpOp::CallTool(params) => {
                let found = self
                    .registry
                    .tool(&params.name)
                    .map(|(_, entry)| (Kind::Tool, &entry.about));
                self.about(request, found, &params.name, || unknown("unknown tool"))
            }
            McpOp::GetPrompt(params) => {
                let found = self
                    .registry
                    .prompt(&params.name)
                    .map(|(_, entry)| (Kind::Prompt, &entry.about));
                self.about(request, found, &params.name, || unknown("unknown prompt"))
            }
            McpOp::ReadResource(params) => {
                let found = self
                    .registry
                    .resource(&params.uri)
                    .map(|(_, entry, _)| (Kind::Resource, &entry.about));
                self.about(request, found, &params.uri, || {
                    ErrorData::resource_not_found("unknown resource", None)
                })
            }
            McpOp::Complete(params) => {
                let (found, claimed) = match &params.r#ref {
                    Reference::Prompt(reference) => (
                        self.registry
                            .prompt(&reference.name)
                            .map(|(_, entry)| (Kind::Prompt, &entry.about)),
                        reference.name.as_str(),
                    ),
                    Reference::Resource(reference) => (
                        self.registry
                            .template(&reference.uri)
                            .map(|(_, entry)| (Kind::Resource, &entry.about)),
                        reference.uri.as_str(),
                    ),
                    _ => (None, ""),
                };
                self.about(request, found, claimed, || unknown("unknown completion"))
            }

            // `rmcp` delivers malformed parameters of a known method as a custom request.
            McpOp::Custom(custom) => {
                let known = McpOp::is_served(&custom.method, is_modern(request.context()));
                let _ = request
                    .journey()
                    .subject
                    .set(Subject::claimed(&custom.method));
                Err(if known {
                    Refusal::denied(
                        "authorize/malformed",
                        ErrorCode::INVALID_PARAMS,
                        "the parameters are malformed",
                        "the parameters of a known method do not have its shape",
                    )
                } else {
                    not_served()
                })
            }

            // Not served in this version; a wildcard would let the next kind in.
            McpOp::Subscribe(_)
            | McpOp::Unsubscribe(_)
            | McpOp::Listen
            | McpOp::GetTask(_)
            | McpOp::UpdateTask(_)
            | McpOp::CancelTask(_)
            | McpOp::ListSkills(_)
            | McpOp::GetSkill(_)
            | McpOp::ReadDirectory(_) => Err(not_served()),
        }
    }

    fn about(
        &self,
        request: &McpRequest,
        found: Option<(Kind, &About)>,
        claimed: &str,
        unknown: impl FnOnce() -> ErrorData,
    ) -> Result<(), Refusal> {
        let journey = request.journey();
        let Some((kind, about)) = found else {
            let _ = journey.subject.set(Subject::claimed(claimed));
            return Err(refusal(
                "authorize/unknown",
                unknown(),
                "there is no such name",
            ));
        };
        let _ = journey.subject.set(Subject::Known(about.name));
        let Some(principal) = request.principal() else {
            return Err(Refusal::failed(
                "authorize/principal",
                "no principal to decide on",
            ));
        };
        let decision = decide(about, principal);
        // Before a scope is asked for: what no scope opens is not worth one.
        if decision.is_listed()
            && let Some(ruling) =
                self.registry
                    .foresee(kind, about, principal, &journey.taint, decision)
        {
            let control = ruling.control();
            let _ = journey.policies.set(ruling.policies);
            let reason = ruling.reason;
            return Err(refusal(control, unknown(), reason));
        }
        match decision {
            Decision::Allowed => Ok(()),
            Decision::StepUp(scopes) => {
                let _ = journey.challenged.set(scopes);
                Err(Refusal::denied(
                    "authorize/scope",
                    code::INSUFFICIENT_SCOPE,
                    "insufficient scope",
                    "the principal lacks a scope, and was told which",
                ))
            }
            // The same answer as for a name that does not exist; the log knows better.
            Decision::Unknown => Err(refusal(
                "authorize/scope",
                unknown(),
                "the principal lacks a scope",
            )),
        }
    }
}

/// What a reference of `completion/complete` points to.
pub(crate) fn target_of(reference: &Reference, registry: &Registry) -> Option<Target> {
    match reference {
        Reference::Prompt(prompt) => registry
            .prompt(&prompt.name)
            .map(|(_, entry)| Target::Prompt(entry.about.name)),
        Reference::Resource(resource) => registry
            .template(&resource.uri)
            .and_then(|(_, entry)| entry.template_uri())
            .map(Target::Resource),
        _ => None,
    }
}

fn unknown(message: &'static str) -> ErrorData {
    ErrorData::new(ErrorCode::INVALID_PARAMS, message, None)
}

fn not_served() -> Refusal {
    refusal(
        "authorize/method",
        ErrorData::new(ErrorCode::METHOD_NOT_FOUND, "method not found", None),
        "the method is not served",
    )
}

fn refusal(
    control: &'static str,
    error: ErrorData,
    reason: impl Into<std::borrow::Cow<'static, str>>,
) -> Refusal {
    Refusal {
        error,
        ..Refusal::denied(control, ErrorCode::INVALID_PARAMS, "", reason)
    }
}
