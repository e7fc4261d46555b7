//! What leaves: capped in size and depth, true to its schema, and with nothing in it that a
//! person cannot see. It takes the reply by move and returns the only one that is sent
//! (invariant 3).

use std::sync::Arc;

use mcp_secure_text::{Policy, sanitize};
use rmcp::model::{
    CallToolResponse, CallToolResult, ContentBlock, ErrorCode, GetPromptResponse,
    ReadResourceResponse, ResourceContents,
};
use serde_json::Value;
use tower::Layer;

use super::{Enclosed, forward_ready, validate::is_within};
use crate::{
    limits::Limits,
    pipeline::{Checked, CheckedOp, McpReply, Refusal, Registry, ReplyFuture},
};

#[derive(Clone)]
pub(crate) struct GuardLayer {
    registry: Arc<Registry>,
    limits: Arc<Limits>,
}

impl GuardLayer {
    pub(crate) fn new(registry: Arc<Registry>, limits: Arc<Limits>) -> Self {
        Self { registry, limits }
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
            match future.await {
                Ok(reply) => {
                    let (reply, bytes) = shared.guard(reply, tool).map_err(Refusal::boxed)?;
                    journey.set_bytes_out(bytes);
                    Ok(reply)
                }
                // A tool's own message reaches the model as well.
                Err(error) => Err(match error.downcast::<Refusal>() {
                    Ok(mut refusal) => {
                        let message = std::mem::take(&mut refusal.error.message).into_owned();
                        let message: String = message.chars().take(MAX_MESSAGE).collect();
                        refusal.error.message =
                            sanitize(message, Policy::Escape).into_string().into();
                        refusal
                    }
                    Err(other) => other,
                }),
            }
        })
    }
}

const MAX_MESSAGE: usize = 4096;

impl GuardLayer {
    fn guard(&self, reply: McpReply, tool: Option<usize>) -> Result<(McpReply, usize), Refusal> {
        let entry = tool.and_then(|index| self.registry.tools.get(index));
        let max = entry.map_or(self.limits.max_output, |entry| entry.max_output);
        let mut meter = Meter { left: max, used: 0 };
        let reply = match reply {
            McpReply::CallTool(CallToolResponse::Complete(mut result)) => {
                result.content = meter
                    .blocks(result.content)
                    .map_err(Refusal::into_tool_result)?;
                result.structured_content = self
                    .structured(
                        &result,
                        entry.and_then(|entry| entry.output.as_ref()),
                        &mut meter,
                    )
                    .map_err(Refusal::into_tool_result)?;
                McpReply::CallTool(result.into())
            }
            McpReply::GetPrompt(GetPromptResponse::Complete(mut result)) => {
                for message in &mut result.messages {
                    let block = std::mem::replace(&mut message.content, ContentBlock::text(""));
                    message.content = meter.block(block)?;
                }
                McpReply::GetPrompt(result.into())
            }
            McpReply::ReadResource(ReadResourceResponse::Complete(mut result)) => {
                let contents = std::mem::take(&mut result.contents);
                result.contents = contents
                    .into_iter()
                    .map(|c| meter.contents(c))
                    .collect::<Result<_, _>>()?;
                McpReply::ReadResource(result.into())
            }
            McpReply::Complete(mut result) => {
                for value in &mut result.completion.values {
                    *value = meter.text(std::mem::take(value))?;
                }
                McpReply::Complete(result)
            }
            other => other,
        };
        Ok((reply, meter.used))
    }

    fn structured(
        &self,
        result: &CallToolResult,
        schema: Option<&jsonschema::Validator>,
        meter: &mut Meter,
    ) -> Result<Option<Value>, Refusal> {
        let Some(value) = result.structured_content.clone() else {
            return match schema {
                Some(_) => Err(broken("guard/schema", "a structured answer is missing")),
                None => Ok(None),
            };
        };
        if !is_within(&value, self.limits.max_depth) {
            return Err(broken(
                "guard/depth",
                "a structured answer nests too deeply",
            ));
        }
        let value = meter.value(value)?;
        match schema {
            Some(schema) if !schema.is_valid(&value) => Err(broken(
                "guard/schema",
                "a structured answer does not match its schema",
            )),
            _ => Ok(Some(value)),
        }
    }
}

/// Counts what goes out and cleans text on the way.
struct Meter {
    left: usize,
    used: usize,
}

impl Meter {
    fn count(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.used = self.used.saturating_add(bytes);
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(Refusal::denied(
                "guard/size",
                ErrorCode::INVALID_REQUEST,
                "the answer is too large; ask for less",
                "the answer is larger than its limit",
            )),
        }
    }

    fn text(&mut self, text: String) -> Result<String, Refusal> {
        self.count(text.len())?;
        Ok(sanitize(text, Policy::Escape).into_string())
    }

    fn blocks(&mut self, blocks: Vec<ContentBlock>) -> Result<Vec<ContentBlock>, Refusal> {
        blocks.into_iter().map(|block| self.block(block)).collect()
    }

    fn block(&mut self, block: ContentBlock) -> Result<ContentBlock, Refusal> {
        Ok(match block {
            ContentBlock::Text(mut text) => {
                text.text = self.text(text.text)?;
                ContentBlock::Text(text)
            }
            ContentBlock::Image(image) => {
                self.count(image.data.len())?;
                ContentBlock::Image(image)
            }
            ContentBlock::Audio(audio) => {
                self.count(audio.data.len())?;
                ContentBlock::Audio(audio)
            }
            ContentBlock::Resource(mut embedded) => {
                embedded.resource = self.contents(embedded.resource)?;
                ContentBlock::Resource(embedded)
            }
            ContentBlock::ResourceLink(mut link) => {
                link.uri = self.text(link.uri)?;
                link.name = self.text(link.name)?;
                link.title = link.title.map(|title| self.text(title)).transpose()?;
                link.description = link.description.map(|d| self.text(d)).transpose()?;
                ContentBlock::ResourceLink(link)
            }
            _ => {
                return Err(broken(
                    "guard/content",
                    "a kind of content that is not known",
                ));
            }
        })
    }

    fn contents(&mut self, contents: ResourceContents) -> Result<ResourceContents, Refusal> {
        Ok(match contents {
            ResourceContents::TextResourceContents {
                uri,
                mime_type,
                text,
                meta,
            } => {
                let text = self.text(text)?;
                ResourceContents::TextResourceContents {
                    uri,
                    mime_type,
                    text,
                    meta,
                }
            }
            ResourceContents::BlobResourceContents {
                uri,
                mime_type,
                blob,
                meta,
            } => {
                self.count(blob.len())?;
                ResourceContents::BlobResourceContents {
                    uri,
                    mime_type,
                    blob,
                    meta,
                }
            }
            _ => {
                return Err(broken(
                    "guard/content",
                    "a kind of content that is not known",
                ));
            }
        })
    }

    /// Strings of a structured answer, keys included.
    fn value(&mut self, value: Value) -> Result<Value, Refusal> {
        Ok(match value {
            Value::String(text) => Value::String(self.text(text)?),
            Value::Array(items) => Value::Array(
                items
                    .into_iter()
                    .map(|item| self.value(item))
                    .collect::<Result<_, _>>()?,
            ),
            Value::Object(members) => {
                let mut out = serde_json::Map::new();
                for (key, member) in members {
                    out.insert(self.text(key)?, self.value(member)?);
                }
                Value::Object(out)
            }
            scalar => {
                self.count(8)?;
                scalar
            }
        })
    }
}

fn broken(control: &'static str, reason: &'static str) -> Refusal {
    Refusal::failed(control, reason)
}
