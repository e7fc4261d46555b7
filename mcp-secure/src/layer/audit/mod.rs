//! Writes one record for every request, whatever becomes of it: answered, refused, timed
//! out, panicked, cancelled, or dropped with its connection (invariant 6).

use std::sync::Arc;

use tower::Layer;

use super::{Enclosed, forward_ready};
use crate::{
    audit::{Audit, Ending, TraceContext},
    metrics::Underway,
    pipeline::{
        Journey, McpReply, McpRequest, Noted, Refusal, ReplyFuture, VERSIONS, code, foreign,
    },
};

#[derive(Clone)]
pub(crate) struct AuditLayer(Arc<Audit>);

impl AuditLayer {
    pub(crate) fn new(audit: Arc<Audit>) -> Self {
        Self(audit)
    }
}

impl<S> Layer<S> for AuditLayer {
    type Service = AuditService<S>;

    fn layer(&self, inner: S) -> AuditService<S> {
        AuditService {
            inner,
            audit: Arc::clone(&self.0),
        }
    }
}

#[derive(Clone)]
pub(crate) struct AuditService<S> {
    inner: S,
    audit: Arc<Audit>,
}

impl<S: Enclosed<McpRequest>> tower::Service<McpRequest> for AuditService<S> {
    forward_ready!();

    fn call(&mut self, request: McpRequest) -> ReplyFuture {
        // The HTTP ring counts what has no record here.
        #[cfg(feature = "http")]
        if let Some(recorded) = request
            .context()
            .extensions
            .get::<http::request::Parts>()
            .and_then(|parts| parts.extensions.get::<crate::server::http::Recorded>())
        {
            recorded.set();
        }
        let _ = request.journey().noted.set(note(&request, &self.audit));
        let mut record = Record {
            audit: Arc::clone(&self.audit),
            journey: Arc::clone(request.journey()),
            leaving_cancels: request
                .context()
                .extensions
                .get::<crate::pipeline::LeavingCancels>()
                .is_some(),
            written: false,
            _underway: self.audit.meter().begin(),
        };
        // What cannot be recorded is not done: half of the room is kept for what is running.
        if !self.audit.admits() {
            record.written = true;
            self.audit.meter().wrote(false);
            let refusal = Refusal::denied(
                "audit/full",
                code::OVERLOADED,
                "the server is busy",
                "the audit log takes no more records",
            );
            return Box::pin(std::future::ready(Err(refusal.boxed())));
        }
        let future = self.inner.call(request);
        Box::pin(async move {
            match future.await {
                Ok(reply) => {
                    record.write(&Ending::Answered(answered(&reply)));
                    Ok(reply)
                }
                Err(error) => {
                    let refusal = match error.downcast::<Refusal>() {
                        Ok(refusal) => *refusal,
                        Err(other) => foreign(&*other),
                    };
                    record.write(&Ending::Refused(&refusal));
                    Err(refusal.boxed())
                }
            }
        })
    }
}

/// What the message around the request says.
fn note(request: &McpRequest, audit: &Audit) -> Noted {
    let key = audit.key();
    let context = request.context();
    let protocol = context.protocol_version().and_then(|said| {
        let known = VERSIONS.iter().find(|known| **known == said)?;
        Some(known.as_str())
    });
    #[cfg(feature = "http")]
    let session = context
        .extensions
        .get::<http::request::Parts>()
        .and_then(|parts| parts.headers.get("mcp-session-id"))
        .map(|id| key.short("session", id.as_bytes()));
    #[cfg(not(feature = "http"))]
    let session = None;
    Noted {
        key: key.clone(),
        meter: audit.meter().clone(),
        protocol,
        session,
        trace: TraceContext::of(context),
    }
}

fn answered(reply: &McpReply) -> &'static str {
    use rmcp::model::{CallToolResponse, GetPromptResponse, ReadResourceResponse};
    match reply {
        McpReply::CallTool(CallToolResponse::InputRequired(_))
        | McpReply::GetPrompt(GetPromptResponse::InputRequired(_))
        | McpReply::ReadResource(ReadResourceResponse::InputRequired(_)) => "input_required",
        _ => "ok",
    }
}

/// Writes on drop what nobody else wrote: the future was dropped, so the client went away.
struct Record {
    audit: Arc<Audit>,
    journey: Arc<Journey>,
    leaving_cancels: bool,
    written: bool,
    _underway: Underway,
}

impl Record {
    fn write(&mut self, ending: &Ending<'_>) {
        self.written = true;
        self.audit.outcome(&self.journey, ending);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if !self.written {
            self.write(match self.leaving_cancels {
                true => &Ending::Left,
                false => &Ending::Dropped,
            });
        }
    }
}
