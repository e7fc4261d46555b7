//! Whether the policies permit this call, with these arguments. It stands behind validation,
//! because a policy may only be asked about arguments that have their published shape; and before
//! whatever costs a person's time or leaves a mark. It may import `pipeline` and `policy`; never a
//! transport.
//!
//! What is denied whatever the arguments are was refused before, by `authorize`, in the words for
//! what does not exist.

use std::{sync::Arc, time::SystemTime};

use rmcp::model::ErrorCode;
use tower::Layer;

use super::{Enclosed, forward_ready, refuse};
use crate::{
    definition::Target,
    pipeline::{Checked, CheckedOp, Refusal, Registry, ReplyFuture},
    policy::{Kind, Question, Ruling},
};

#[derive(Clone)]
pub(crate) struct PolicyLayer(Arc<Registry>);

impl PolicyLayer {
    pub(crate) fn new(registry: Arc<Registry>) -> Self {
        Self(registry)
    }
}

impl<S> Layer<S> for PolicyLayer {
    type Service = PolicyService<S>;

    fn layer(&self, inner: S) -> PolicyService<S> {
        PolicyService {
            inner,
            registry: Arc::clone(&self.0),
        }
    }
}

#[derive(Clone)]
pub(crate) struct PolicyService<S> {
    inner: S,
    registry: Arc<Registry>,
}

impl<S: Enclosed<Checked>> tower::Service<Checked> for PolicyService<S> {
    forward_ready!();

    fn call(&mut self, request: Checked) -> ReplyFuture {
        if self.registry.policies.is_empty() {
            return Box::pin(self.inner.call(request));
        }
        match decide(&self.registry, &request) {
            Ok(()) => Box::pin(self.inner.call(request)),
            Err(refusal) => refuse(refusal),
        }
    }
}

fn decide(registry: &Registry, request: &Checked) -> Result<(), Refusal> {
    let about = |kind, name, arguments| Question {
        principal: request.principal(),
        kind,
        name,
        completes: None,
        arguments,
        uri: None,
        taint: &request.journey().taint,
        now: SystemTime::now(),
    };
    let question = match request.op() {
        // Lists are filtered where they are made; the others say nothing of what is served.
        CheckedOp::Builtin { .. } => return Ok(()),
        CheckedOp::Tool { index, arguments } => {
            let entry = registry.tools.get(*index).ok_or_else(gone)?;
            about(Kind::Tool, entry.about.name, Some(arguments))
        }
        CheckedOp::Prompt { index, arguments } => {
            let entry = registry.prompts.get(*index).ok_or_else(gone)?;
            about(Kind::Prompt, entry.about.name, Some(arguments))
        }
        CheckedOp::Resource {
            index,
            uri,
            arguments,
        } => {
            let entry = registry.resources.get(*index).ok_or_else(gone)?;
            Question {
                uri: Some(uri),
                ..about(Kind::Resource, entry.about.name, Some(arguments))
            }
        }
        CheckedOp::Completion { index, .. } => {
            let entry = registry.completions.get(*index).ok_or_else(gone)?;
            let (kind, target) = match entry.target {
                Target::Prompt(name) => (Kind::Prompt, registry.prompt(name).map(|p| &p.1.about)),
                Target::Resource(uri) => {
                    (Kind::Resource, registry.template(uri).map(|r| &r.1.about))
                }
            };
            Question {
                completes: Some(entry.argument),
                ..about(kind, target.ok_or_else(gone)?.name, None)
            }
        }
    };
    let is_completion = question.completes.is_some();
    let ruling = registry.policies.decide(&question);
    if ruling.is_permit() {
        let _ = request.journey().policies.set(ruling.policies);
        return Ok(());
    }
    Err(refusal(ruling, request, is_completion))
}

/// What is listed and denied is said to be denied, and not by what: the words of a policy and its
/// name would tell a model what to try next. An error is told in the same words as a denial.
fn refusal(ruling: Ruling, request: &Checked, is_completion: bool) -> Refusal {
    let _ = request.journey().policies.set(ruling.policies.clone());
    let (code, message) = if is_completion {
        // Completions are not listed: the words for one that does not exist.
        (ErrorCode::INVALID_PARAMS, "unknown completion")
    } else {
        (ErrorCode::INVALID_REQUEST, "denied by policy")
    };
    Refusal::denied(ruling.control(), code, message, ruling.reason)
}

/// Validation has found it; if it is gone now, something changed what was checked.
fn gone() -> Refusal {
    Refusal::failed("authorize/policy-error", "what was checked is not there")
}
