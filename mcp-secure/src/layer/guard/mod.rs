//! What leaves: capped in size and depth, true to its schema, without what a person cannot see
//! and without secrets. It takes the reply by move and returns the only one that is sent
//! (invariant 3).
//!
//! # What is done to what
//!
//! *Cleaned* means: characters that a person does not see are taken out, terminal escapes among
//! them; tokens of chat templates are made harmless; secrets become `[redacted: kind]`. What the
//! rules of [`mcp_secure_text`] find beyond that is noted, not changed. *Counted* means that it
//! counts against the largest answer.
//!
//! | what | strings in it | what is done |
//! |---|---|---|
//! | text block | `text` | counted, cleaned |
//! | image, audio block | `mimeType` | counted, cleaned |
//! | | `data` | counted; must be base64; if it is text (an SVG), cleaned and encoded again |
//! | embedded resource, resource contents | `uri`, `mimeType`, `text` | counted, cleaned |
//! | | `blob` | as `data`: text by its media type, or by its first bytes, is cleaned |
//! | resource link | `uri`, `name`, `title`, `description`, `mimeType` | counted, cleaned |
//! | | `icons` | counted, cleaned; one that is neither `https:` nor `data:image/` is left out |
//! | annotations | `lastModified` | counted, cleaned |
//! | `_meta` of blocks, contents and results | keys and values at any depth | counted, cleaned; the guard's own key is removed; too deep is refused |
//! | structured content | keys and values at any depth | counted, cleaned, held against its schema; its text form is written from the cleaned one |
//! | | keys that read the same once cleaned | the changed one gets a number: nothing is lost |
//! | prompt | `description`, messages as blocks | counted, cleaned by the rules for prompts |
//! | completion | `values` | counted, cleaned |
//! | error of a tool, a layer or the protocol | `message` | cleaned, cut at 4096 bytes |
//! | | `data` | cleaned; dropped if it nests too deeply |
//! | progress | `message` | cleaned, cut |
//! | log line | `logger`, `data` at any depth, `_meta` | cleaned, cut |
//! | question to a person | `message`, titles and descriptions of its form | cleaned |
//! | | names, values and patterns of its form | refused if they would change: answers are held against them |
//! | sampling | system prompt, messages, tools, `metadata`, `_meta` | cleaned |
//! | lists | entries | inspected at the start, equal to the compiled ones (`layer/genuine`) |
//! | | `nextCursor`, `_meta` | counted, cleaned |
//! | instructions, server info, capabilities | all | inspected at the start, equal to the compiled ones |
//! | a variant that `rmcp` adds | | refused |
//!
//! There are two looks. This layer stands next to user code. [`last_look`] stands outside of the
//! users' layers: it cleans what they have put in, and writes the notes into `_meta`.

mod client;
mod content;
pub(crate) mod last_look;
mod log;
mod notes;
mod pass;
mod policy;
mod reply;
mod secret;
mod spotlight;
#[cfg(test)]
mod tests;

pub(crate) use client::Outlet;
pub(crate) use log::for_log;
pub(crate) use notes::{Notes, TextTally};
pub use policy::{Hidden, Secret, TextPolicy};
pub(crate) use reply::cut;

use std::sync::Arc;

use tower::Layer;

use super::{Enclosed, forward_ready};
use crate::{
    limits::Limits,
    pipeline::{Checked, CheckedOp, McpReply, Refusal, Registry, ReplyFuture},
};
use pass::Pass;

#[derive(Clone)]
pub(crate) struct GuardLayer {
    registry: Arc<Registry>,
    limits: Arc<Limits>,
    policy: TextPolicy,
}

impl GuardLayer {
    pub(crate) fn new(registry: Arc<Registry>, limits: Arc<Limits>, policy: TextPolicy) -> Self {
        Self {
            registry,
            limits,
            policy,
        }
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = GuardService<S>;

    fn layer(&self, inner: S) -> GuardService<S> {
        GuardService {
            inner,
            shared: self.clone(),
        }
    }
}

#[derive(Clone)]
pub(crate) struct GuardService<S> {
    inner: S,
    shared: GuardLayer,
}

impl<S: Enclosed<Checked>> tower::Service<Checked> for GuardService<S> {
    forward_ready!();

    fn call(&mut self, request: Checked) -> ReplyFuture {
        let tool = match request.op() {
            CheckedOp::Tool { index, .. } => Some(*index),
            CheckedOp::Builtin { .. } => return Box::pin(self.inner.call(request)),
            _ => None,
        };
        let shared = self.shared.clone();
        let journey = Arc::clone(request.journey());
        let future = self.inner.call(request);
        Box::pin(async move {
            // The words of an error pass the last look, as those of layers do.
            let mut reply = future.await?;
            let (guarded, pass) = shared.guard(&mut reply, tool);
            journey.set_bytes_out(pass.used());
            // Also of what is refused in the end: the log should know why.
            journey.found_in_answer(pass.notes);
            guarded.map_err(Refusal::boxed)?;
            if shared.has_untrusted_parts(tool) {
                journey.taint.add_untrusted_text();
            }
            Ok(reply)
        })
    }
}

impl GuardLayer {
    fn has_untrusted_parts(&self, tool: Option<usize>) -> bool {
        let entry = tool.and_then(|index| self.registry.tools.get(index));
        entry.is_some_and(|entry| entry.has_untrusted_parts)
    }

    fn guard(&self, reply: &mut McpReply, tool: Option<usize>) -> (Result<(), Refusal>, Pass<'_>) {
        let entry = tool.and_then(|index| self.registry.tools.get(index));
        let max = entry.map_or(self.limits.max_output, |entry| entry.max_output);
        let mut pass = Pass::new(&self.policy, max, self.limits.max_depth);
        let guarded = pass.reply(reply, entry.and_then(|entry| entry.output.as_ref()));
        (guarded, pass)
    }
}
