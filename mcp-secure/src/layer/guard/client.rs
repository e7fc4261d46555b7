//! What a call says to its client beside the answer: progress, log lines, questions.
#![allow(
    deprecated,
    reason = "log lines and sampling are deprecated by SEP-2577, and guarded as long as they are here"
)]

use std::sync::Arc;

use rmcp::model::{
    CreateMessageRequestParams, ElicitRequestParams, ElicitationSchema, InputRequest,
    LoggingMessageNotificationParam, ProgressNotificationParam,
};
use serde_json::Value;

use super::{TextPolicy, notes::At, pass::Pass, reply::shorten};
use crate::{
    error::{ToolError, ToolResult},
    pipeline::{Journey, Refusal},
    schema::bounds,
};

/// The way out for a call that is still running. What it finds goes to the record of its
/// request.
#[derive(Clone)]
pub(crate) struct Outlet {
    policy: TextPolicy,
    /// `None` only where there is no request: at the start, and in unit tests.
    journey: Option<Arc<Journey>>,
}

impl Outlet {
    pub(crate) fn new(policy: TextPolicy, journey: Option<Arc<Journey>>) -> Self {
        Self { policy, journey }
    }

    pub(crate) fn progress(&self, param: &mut ProgressNotificationParam) {
        if let Some(message) = &mut param.message {
            self.pass(|pass| {
                words(pass, message, 1024, "/message");
                Ok(())
            })
            .unwrap_or_default();
        }
    }

    /// A line that cannot be cleaned whole, because it nests too deeply, is not sent.
    pub(crate) fn log(&self, param: &mut LoggingMessageNotificationParam) -> bool {
        self.pass(|pass| {
            if let Some(logger) = &mut param.logger {
                words(pass, logger, 128, "/logger");
            }
            match &mut param.data {
                Value::String(text) => words(pass, text, 4096, "/data"),
                data => {
                    pass.left = 64 * 1024;
                    pass.json(data, At::field("/data"))?;
                }
            }
            match &mut param.meta {
                Some(meta) => pass.meta_members(meta, At::field("/_meta")),
                None => Ok(()),
            }
        })
        .is_ok()
    }

    /// A question for the client, of whatever kind.
    pub(crate) fn question(&self, request: &mut InputRequest) -> ToolResult<()> {
        self.pass(|pass| match request {
            InputRequest::Elicitation(request) => match &mut request.params {
                ElicitRequestParams::FormElicitationParams {
                    meta,
                    message,
                    requested_schema,
                } => {
                    words(pass, message, 4096, "/message");
                    form(pass, requested_schema)?;
                    match meta {
                        Some(meta) => pass.meta_members(meta, At::field("/_meta")),
                        None => Ok(()),
                    }
                }
                // Nothing here asks in this way yet.
                _ => Err(Refusal::failed(
                    "guard/question",
                    "a question of a kind that is not known",
                )),
            },
            InputRequest::CreateMessage(request) => sampling(pass, &mut request.params),
            InputRequest::ListRoots(_) => Ok(()),
            _ => Err(Refusal::failed(
                "guard/question",
                "a question of a kind that is not known",
            )),
        })
        .map_err(|refusal| ToolError::internal(refusal.reason))
    }

    fn pass(&self, work: impl FnOnce(&mut Pass<'_>) -> Result<(), Refusal>) -> Result<(), Refusal> {
        let mut pass = Pass::new(&self.policy, usize::MAX, bounds::DEPTH);
        let done = work(&mut pass);
        if let Some(journey) = &self.journey {
            journey.found(pass.notes.tally());
        }
        done
    }
}

/// A message for people: cleaned, and cut to so many bytes.
fn words(pass: &mut Pass<'_>, text: &mut String, bytes: usize, field: &'static str) {
    // What is cut off anyway need not be read, but for a secret that the cut would halve.
    shorten(text, 4 * bytes);
    pass.words(text, At::field(field));
    shorten(text, bytes);
}

/// What people read of a form is cleaned. Its names, values and patterns are what the answer is
/// held against: if one of them would change, the form is not shown.
fn form(pass: &mut Pass<'_>, schema: &mut ElicitationSchema) -> Result<(), Refusal> {
    let broken = |e: serde_json::Error| Refusal::failed("guard/question", e.to_string());
    let mut json = serde_json::to_value(&*schema).map_err(broken)?;
    let before = pass.notes.tally().clone();
    shown(pass, &mut json, false)?;
    if pass.notes.tally().changes() > before.changes() {
        *schema = serde_json::from_value(json).map_err(broken)?;
    }
    Ok(())
}

fn shown(pass: &mut Pass<'_>, value: &mut Value, is_shown: bool) -> Result<(), Refusal> {
    let at = At::field("/requestedSchema");
    match value {
        Value::String(text) if is_shown => {
            pass.words(text, at);
            Ok(())
        }
        Value::String(text) => exact(pass, text),
        Value::Array(items) => items
            .iter_mut()
            .try_for_each(|item| shown(pass, item, is_shown)),
        Value::Object(members) => {
            for (key, member) in members {
                exact(pass, key)?;
                // As a keyword; a field of this name holds an object.
                let is_words = matches!(key.as_str(), "title" | "description" | "enumNames")
                    && !member.is_object();
                shown(pass, member, is_words)?;
            }
            Ok(())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

fn exact(pass: &mut Pass<'_>, text: &str) -> Result<(), Refusal> {
    match pass.clean(text.into(), At::field("/requestedSchema")) {
        (_, false) => Ok(()),
        (_, true) => Err(Refusal::failed(
            "guard/question",
            "a name or a value of a form holds hidden characters or a secret",
        )),
    }
}

/// What goes to the client's model.
fn sampling(pass: &mut Pass<'_>, params: &mut CreateMessageRequestParams) -> Result<(), Refusal> {
    let broken = |e: serde_json::Error| Refusal::failed("guard/question", e.to_string());
    let mut json = serde_json::to_value(&*params).map_err(broken)?;
    let before = pass.notes.tally().changes();
    // One level for the parameters, one each for messages, content and tools.
    pass.max_depth += 8;
    pass.json(&mut json, At::field("/messages"))?;
    if pass.notes.tally().changes() > before {
        *params = serde_json::from_value(json).map_err(broken)?;
    }
    Ok(())
}
