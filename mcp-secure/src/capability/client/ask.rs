//! Asking the client something in the middle of a call, in both protocol generations.
//!
//! Up to 2025-11-25 the server sends a request and waits. From 2026-07-28 on it may not:
//! the call ends with the question, and the client calls again with the answer (SEP-2322).
//! The tool is then run from its start, and each question that was answered returns at
//! once. So ask before you act, and ask the same questions in the same order.

use std::{collections::BTreeMap, sync::PoisonError};

use rmcp::model::{ClientCapabilities, ErrorData, InputRequest, InputRequiredResult};
use serde_json::Value;

use crate::{
    call::{ClientSide, is_modern, nonce},
    capability::Lease,
    error::{ToolError, ToolErrorKind, ToolResult},
    layer::{approve::Round, commit::ROUND_TTL},
};

/// A question, and the name under which its answer comes back, if the author gave one.
pub(super) struct Question {
    pub(super) name: Option<&'static str>,
    pub(super) request: InputRequest,
}

impl From<InputRequest> for Question {
    fn from(request: InputRequest) -> Self {
        Self {
            name: None,
            request,
        }
    }
}

/// Whether the client declared that it can be asked this kind of thing.
pub(super) fn can_ask(
    client: &ClientSide,
    declared: impl FnOnce(&ClientCapabilities) -> bool,
) -> bool {
    let context = client.context.as_ref();
    context
        .and_then(|context| context.client_capabilities())
        .is_some_and(|all| declared(&all))
}

/// Asks, and waits for the answer or ends the call with the question.
pub(super) async fn ask(
    client: &ClientSide,
    lease: &Lease,
    question: impl Into<Question>,
) -> ToolResult<Value> {
    let mut answers = ask_all(client, lease, vec![question.into()]).await?;
    answers
        .pop()
        .ok_or_else(|| ToolError::internal("an answer is missing"))
}

/// Several questions in one round.
pub(super) async fn ask_all(
    client: &ClientSide,
    lease: &Lease,
    mut questions: Vec<Question>,
) -> ToolResult<Vec<Value>> {
    if !lease.is_live() {
        return Err(revoked());
    }
    let Some(context) = &client.context else {
        return Err(ToolError::internal("there is no client to ask"));
    };
    let declared = context.client_capabilities().unwrap_or_default();
    let modern = is_modern(context);
    for Question { request, .. } in &questions {
        if let Some(missing) = missing(request, &declared) {
            let error = if modern {
                ErrorData::missing_required_client_capability(missing)
            } else {
                ErrorData::invalid_request("the client did not declare what this tool needs", None)
            };
            return Err(ToolError {
                kind: ToolErrorKind::Protocol(Box::new(error), "client/capability"),
            });
        }
    }
    for question in &mut questions {
        client.outlet.question(&mut question.request)?;
    }
    if !modern {
        let mut answers = Vec::with_capacity(questions.len());
        for question in questions {
            answers.push(ask_now(client, question.request).await?);
        }
        return Ok(answers);
    }
    let keyed: Vec<(String, InputRequest)> = questions
        .into_iter()
        .map(|question| Ok((key(client, question.name)?, question.request)))
        .collect::<ToolResult<_>>()?;
    let known: Option<Vec<Value>> = keyed
        .iter()
        .map(|(key, _)| client.answers.get(key).cloned())
        .collect();
    match known {
        Some(answers) => Ok(answers),
        None => Err(end_the_round(client, keyed)),
    }
}

/// What the answer to the next question is called. No two questions of a call share a name:
/// the second would be taken for answered.
fn key(client: &ClientSide, name: Option<&'static str>) -> ToolResult<String> {
    let mut asked = client
        .questions
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let key = match name {
        Some(name) => name.to_owned(),
        None => format!("q{}", asked.len()),
    };
    if asked.contains(&key) {
        return Err(ToolError::internal(format!(
            "two questions are named `{key}`"
        )));
    }
    asked.push(key.clone());
    Ok(key)
}

/// Ends the call with those questions that have no answer yet.
fn end_the_round(client: &ClientSide, keyed: Vec<(String, InputRequest)>) -> ToolError {
    let open: BTreeMap<String, InputRequest> = keyed
        .into_iter()
        .filter(|(key, _)| !client.answers.contains_key(key))
        .collect();
    let (Some(sealer), Some(nonce)) = (&client.sealer, nonce()) else {
        return ToolError::internal("the round could not be sealed");
    };
    let round = Round {
        approved: client.approved,
        nonce,
        answers: (*client.answers).clone(),
        asked: open.keys().cloned().collect(),
        page: None,
    };
    let Some(state) = sealer.seal(&round, &client.principal, &client.purpose, ROUND_TTL) else {
        return ToolError::internal("the round could not be sealed");
    };
    let mut required = InputRequiredResult::from_input_requests(open);
    required.request_state = Some(state.into_string());
    ToolError {
        kind: ToolErrorKind::InputRequired(Box::new(required)),
    }
}

#[allow(
    deprecated,
    reason = "sampling and roots are served with their feature only"
)]
async fn ask_now(client: &ClientSide, request: InputRequest) -> ToolResult<Value> {
    let Some(context) = &client.context else {
        return Err(ToolError::internal("there is no client to ask"));
    };
    let peer = &context.peer;
    match request {
        InputRequest::Elicitation(request) => {
            let answer = peer.create_elicitation(request.params).await?;
            Ok(serde_json::to_value(answer)?)
        }
        #[cfg(feature = "deprecated-protocol")]
        InputRequest::CreateMessage(request) => Ok(serde_json::to_value(
            peer.create_message(request.params).await?,
        )?),
        #[cfg(feature = "deprecated-protocol")]
        InputRequest::ListRoots(_) => Ok(serde_json::to_value(peer.list_roots().await?)?),
        _ => Err(ToolError::internal("a kind of question that is not served")),
    }
}

/// What the client would have to declare, if it did not (spec BASE-12).
#[allow(
    deprecated,
    reason = "sampling and roots are served with their feature only"
)]
fn missing(request: &InputRequest, declared: &ClientCapabilities) -> Option<ClientCapabilities> {
    match request {
        InputRequest::Elicitation(_) => declared
            .elicitation
            .is_none()
            .then(|| ClientCapabilities::builder().enable_elicitation().build()),
        InputRequest::CreateMessage(_) => declared
            .sampling
            .is_none()
            .then(|| ClientCapabilities::builder().enable_sampling().build()),
        InputRequest::ListRoots(_) => declared
            .roots
            .is_none()
            .then(|| ClientCapabilities::builder().enable_roots().build()),
        _ => Some(ClientCapabilities::default()),
    }
}

pub(super) fn revoked() -> ToolError {
    ToolError::refused(
        "handle/revoked",
        "revoked",
        "a handle was used after its call",
    )
}
