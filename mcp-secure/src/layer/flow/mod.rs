//! A session that has read what is private, or what may speak to its model, does not send to an
//! address that is chosen at run time unless a person agrees.
//!
//! What meets on one tool is an error at compile time (`allow_flow`). This is the same rule over
//! the calls of a session: one tool reads the mail, another one posts to a host that the model
//! names, and neither does anything wrong by itself (the "lethal trifecta"). It may import
//! `pipeline` and its registry; never a transport.

mod book;

use std::sync::Arc;

use rmcp::model::ErrorCode;
use tower::Layer;

pub(crate) use self::book::TaintBook;
use super::{Enclosed, forward_ready, refuse, take_ready};
use crate::{
    call::is_modern,
    definition::About,
    pipeline::{Checked, CheckedOp, Refusal, Registry, ReplyFuture, Taint},
};

#[derive(Clone)]
pub(crate) struct FlowLayer {
    registry: Arc<Registry>,
    book: Arc<TaintBook>,
    /// Something here reaches an open sink, or there are policies, which may ask for it: only then
    /// is anything worth remembering.
    open: bool,
}

impl FlowLayer {
    pub(crate) fn new(registry: Arc<Registry>, book: Arc<TaintBook>) -> Self {
        let tools = registry.tools.iter().map(|t| &t.about);
        let prompts = registry.prompts.iter().map(|p| &p.about);
        let resources = registry.resources.iter().map(|r| &r.about);
        let open = tools
            .chain(prompts)
            .chain(resources)
            .any(|about| about.facts().any(|facts| facts.open_sink));
        Self {
            open: open || !registry.policies.is_empty(),
            registry,
            book,
        }
    }
}

impl<S> Layer<S> for FlowLayer {
    type Service = FlowService<S>;

    fn layer(&self, inner: S) -> FlowService<S> {
        FlowService {
            inner,
            shared: self.clone(),
        }
    }
}

#[derive(Clone)]
pub(crate) struct FlowService<S> {
    inner: S,
    shared: FlowLayer,
}

impl<S> tower::Service<Checked> for FlowService<S>
where
    S: Enclosed<Checked> + Clone + Send + 'static,
{
    forward_ready!();

    fn call(&mut self, mut request: Checked) -> ReplyFuture {
        let Some(about) = self.shared.about(request.op()) else {
            return Box::pin(self.inner.call(request));
        };
        let taint = request.journey().taint.clone();
        // Where each request stands alone, what the principal has read is kept by principal.
        let key =
            (self.shared.open && is_modern(request.context())).then(|| request.principal().key());
        if let Some(key) = &key {
            self.shared.book.recall(key, &taint);
        }
        if let Some(why) = held(about, &taint) {
            let _ = request.journey().flow.set(why);
            if matches!(request.op(), CheckedOp::Tool { .. }) {
                request.hold(why);
            } else {
                // Only a call of a tool can be put before a person.
                return refuse(Refusal::denied(
                    CONTROL,
                    ErrorCode::INVALID_REQUEST,
                    "this would send to an open address what this session has read",
                    format!("{why}, and it reaches an open sink"),
                ));
            }
        }
        let private = about.facts().any(|facts| facts.private);
        let mut inner = take_ready(&mut self.inner);
        let book = Arc::clone(&self.shared.book);
        Box::pin(async move {
            let reply = inner.call(request).await;
            // Even an error can say something of what was read.
            if private {
                taint.add_private();
            }
            if let Some(key) = key {
                book.remember(key, &taint);
            }
            reply
        })
    }
}

impl FlowLayer {
    fn about(&self, op: &CheckedOp) -> Option<&About> {
        match op {
            CheckedOp::Tool { index, .. } => self.registry.tools.get(*index).map(|t| &t.about),
            CheckedOp::Prompt { index, .. } => self.registry.prompts.get(*index).map(|p| &p.about),
            CheckedOp::Resource { index, .. } => {
                self.registry.resources.get(*index).map(|r| &r.about)
            }
            CheckedOp::Completion { .. } | CheckedOp::Builtin { .. } => None,
        }
    }
}

/// Why a person must agree, if one must.
fn held(about: &About, taint: &Taint) -> Option<&'static str> {
    let open = about.facts().any(|facts| facts.open_sink);
    // An author who says by name why private data may go there has said it for each call.
    if !open || about.policy.allow_flow.is_some() {
        return None;
    }
    if taint.has_read_private() {
        Some("this session has read private data")
    } else if taint.has_met_secrets() {
        Some("this session has come upon a secret")
    } else if taint.has_untrusted_text() {
        Some("this session has read text that may speak to its model")
    } else {
        None
    }
}

const CONTROL: &str = "flow/open-sink";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{capability::Facts, definition::Policy};

    fn about(open_sink: bool, allow_flow: Option<&'static str>) -> About {
        const OPEN: &[Facts] = &[Facts {
            open_sink: true,
            ..Facts::inert("net")
        }];
        const CLOSED: &[Facts] = &[Facts::inert("net")];
        About {
            name: "send",
            title: None,
            description: "Send.",
            policy: Policy {
                allow_flow,
                ..Policy::public()
            },
            exceptions: &[],
            handles: vec![if open_sink { OPEN } else { CLOSED }],
        }
    }

    #[test]
    fn only_a_tainted_session_and_an_open_sink_together_are_held() {
        let taint = Taint::default();
        assert_eq!(held(&about(true, None), &taint), None);
        taint.add_private();
        assert!(held(&about(true, None), &taint).is_some());
        assert_eq!(held(&about(false, None), &taint), None);
        assert_eq!(held(&about(true, Some("why")), &taint), None);
        for add in [Taint::add_untrusted_text, Taint::add_secret] {
            let taint = Taint::default();
            add(&taint);
            assert!(held(&about(true, None), &taint).is_some());
        }
    }
}
