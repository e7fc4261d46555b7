//! The last look, outside of the users' layers: whatever they put into an answer or an error is
//! cleaned as well, and the notes of both looks are written into `_meta`.

use std::sync::Arc;

use rmcp::model::{
    CallToolResponse, GetPromptResponse, InputRequests, MetaObject, ReadResourceResponse,
};
use tower::Layer;

use super::{
    Notes, TextPolicy,
    notes::{At, KEY},
    pass::Pass,
    reply::annotate,
    spotlight,
};
use crate::{
    layer::{Enclosed, forward_ready},
    limits::Limits,
    pipeline::{BoxError, McpReply, McpRequest, Refusal, ReplyFuture},
};

#[derive(Clone)]
pub(crate) struct LastLookLayer {
    limits: Arc<Limits>,
    policy: TextPolicy,
    /// Without layers of users' an answer is as the guard has left it.
    answers_too: bool,
}

impl LastLookLayer {
    pub(crate) fn new(limits: Arc<Limits>, policy: TextPolicy, answers_too: bool) -> Self {
        Self {
            limits,
            policy,
            answers_too,
        }
    }

    fn look(
        &self,
        mut answer: Result<McpReply, BoxError>,
        earlier: Option<Notes>,
    ) -> (Result<McpReply, BoxError>, Notes) {
        let mut pass = Pass::new(&self.policy, usize::MAX, self.limits.max_depth);
        // What the guard has noted is not noted again.
        pass.only_changes = earlier.is_some() && answer.is_ok();
        let earlier = earlier.unwrap_or_default();
        match &mut answer {
            Ok(reply) => {
                if self.answers_too
                    && let Err(refusal) =
                        asked(reply, self.limits.max_depth).and_then(|()| pass.reply(reply, None))
                {
                    return (Err(refusal.boxed()), pass.notes);
                }
                if self.policy.annotates()
                    && let Some(note) = earlier.and(&pass.notes).annotation()
                {
                    annotate(reply, note);
                }
            }
            Err(error) => {
                // Words of a layer that are not a refusal are masked; they stay for the log.
                if let Some(refusal) = error.downcast_mut::<Refusal>() {
                    pass.refusal(refusal);
                    if self.policy.annotates() {
                        let note = earlier.and(&pass.notes).annotation();
                        refusal.note = note.map(|note| {
                            Box::new(MetaObject([(KEY.to_owned(), note)].into_iter().collect()))
                        });
                    }
                }
            }
        }
        (answer, pass.notes)
    }
}

impl<S> Layer<S> for LastLookLayer {
    type Service = LastLookService<S>;

    fn layer(&self, inner: S) -> LastLookService<S> {
        LastLookService {
            inner,
            shared: self.clone(),
        }
    }
}

#[derive(Clone)]
pub(crate) struct LastLookService<S> {
    inner: S,
    shared: LastLookLayer,
}

impl<S: Enclosed<McpRequest>> tower::Service<McpRequest> for LastLookService<S> {
    forward_ready!();

    fn call(&mut self, request: McpRequest) -> ReplyFuture {
        let shared = self.shared.clone();
        let journey = Arc::clone(request.journey());
        let future = self.inner.call(request);
        Box::pin(async move {
            let answer = future.await;
            let (answer, notes) = shared.look(answer, journey.take_answer_notes());
            journey.found(notes.tally());
            let mut answer = answer;
            if let (Ok(reply), Some(source)) = (&mut answer, journey.untrusted.get()) {
                spotlight::apply(reply, source, shared.policy.spotlights())
                    .map_err(Refusal::boxed)?;
            }
            answer
        })
    }
}

/// The questions of a round: only the hidden characters that a layer may have put in. All else
/// was settled where they were asked, and the question of an approval shows every argument as
/// it is.
fn asked(reply: &mut McpReply, max_depth: usize) -> Result<(), Refusal> {
    let requests = match reply {
        McpReply::CallTool(CallToolResponse::InputRequired(asked)) => &mut asked.input_requests,
        McpReply::GetPrompt(GetPromptResponse::InputRequired(asked)) => &mut asked.input_requests,
        McpReply::ReadResource(ReadResourceResponse::InputRequired(asked)) => {
            &mut asked.input_requests
        }
        _ => return Ok(()),
    };
    let Some(requests) = requests else {
        return Ok(());
    };
    requests_of(requests, max_depth)
        .map_err(|error| Refusal::failed("guard/question", error.to_string()))?
}

fn requests_of(
    requests: &mut InputRequests,
    max_depth: usize,
) -> serde_json::Result<Result<(), Refusal>> {
    let policy = TextPolicy::NOTHING_REDACTED;
    for request in requests.values_mut() {
        let mut json = serde_json::to_value(&*request)?;
        let mut pass = Pass::new(&policy, usize::MAX, max_depth);
        if let Err(refusal) = pass.json(&mut json, At::field("/inputRequests")) {
            return Ok(Err(refusal));
        }
        if pass.notes.has_changed() {
            *request = serde_json::from_value(json)?;
        }
    }
    Ok(Ok(()))
}
