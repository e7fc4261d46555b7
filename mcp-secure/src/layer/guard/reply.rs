//! Whole answers and errors.

use mcp_secure_text::Field;
use rmcp::model::{
    CallToolResponse, CallToolResult, ContentBlock, GetPromptResponse, MetaObject,
    ReadResourceResponse,
};
use serde_json::Value;

use super::{
    content::unknown,
    notes::{At, KEY},
    pass::Pass,
};
use crate::pipeline::{McpReply, Refusal};

impl Pass<'_> {
    /// An answer, in its place. No arm is left to `_` but of enums of `rmcp`, and there it
    /// refuses: what is not known does not leave.
    pub(super) fn reply(
        &mut self,
        reply: &mut McpReply,
        schema: Option<&jsonschema::Validator>,
    ) -> Result<(), Refusal> {
        match reply {
            McpReply::CallTool(CallToolResponse::Complete(result)) => {
                self.tool(result, schema).map_err(Refusal::into_tool_result)
            }
            McpReply::GetPrompt(GetPromptResponse::Complete(result)) => {
                self.field = Field::PromptText;
                self.texts(&mut result.description, At::field("/description"))?;
                for (index, message) in result.messages.iter_mut().enumerate() {
                    self.block(&mut message.content, At::item("/messages", index))?;
                }
                self.meta(&mut result.meta, At::field("/_meta"))
            }
            McpReply::ReadResource(ReadResourceResponse::Complete(result)) => {
                for (index, contents) in result.contents.iter_mut().enumerate() {
                    self.contents(contents, At::item("/contents", index))?;
                }
                self.meta(&mut result.meta, At::field("/_meta"))
            }
            McpReply::Complete(result) => {
                for (index, value) in result.completion.values.iter_mut().enumerate() {
                    self.text(value, At::item("/completion/values", index))?;
                }
                self.meta(&mut result.meta, At::field("/_meta"))
            }
            // Questions are cleaned where they are asked; an approval's shows every argument as
            // it is.
            McpReply::CallTool(CallToolResponse::InputRequired(asked))
            | McpReply::GetPrompt(GetPromptResponse::InputRequired(asked))
            | McpReply::ReadResource(ReadResourceResponse::InputRequired(asked)) => {
                self.meta(&mut asked.meta, At::field("/_meta"))
            }
            McpReply::CallTool(_) | McpReply::GetPrompt(_) | McpReply::ReadResource(_) => {
                Err(unknown())
            }
            // What is listed was inspected at the start and is compared with it outside.
            McpReply::ListTools(list) => self.page(&mut list.meta, &mut list.next_cursor),
            McpReply::ListPrompts(list) => self.page(&mut list.meta, &mut list.next_cursor),
            McpReply::ListResources(list) => self.page(&mut list.meta, &mut list.next_cursor),
            McpReply::ListResourceTemplates(list) => {
                self.page(&mut list.meta, &mut list.next_cursor)
            }
            McpReply::Initialize(_) | McpReply::Discover(_) | McpReply::Empty => Ok(()),
        }
    }

    fn page(
        &mut self,
        meta: &mut Option<MetaObject>,
        cursor: &mut Option<String>,
    ) -> Result<(), Refusal> {
        self.texts(cursor, At::field("/nextCursor"))?;
        self.meta(meta, At::field("/_meta"))
    }

    fn tool(
        &mut self,
        result: &mut CallToolResult,
        schema: Option<&jsonschema::Validator>,
    ) -> Result<(), Refusal> {
        self.blocks(&mut result.content, "/content")?;
        self.meta(&mut result.meta, At::field("/_meta"))?;
        match &mut result.structured_content {
            Some(value) => {
                self.json(value, At::field("/structuredContent"))?;
                if schema.is_some_and(|schema| !schema.is_valid(value)) {
                    return Err(Refusal::failed(
                        "guard/schema",
                        if self.notes.tally().is_empty() {
                            "a structured answer does not match its schema"
                        } else {
                            "a structured answer, once cleaned, does not match its schema"
                        },
                    ));
                }
                if result.content.is_empty() {
                    result.content = self.as_text(value)?;
                }
            }
            None if schema.is_some() => {
                return Err(Refusal::failed(
                    "guard/schema",
                    "a structured answer is missing",
                ));
            }
            None => {}
        }
        Ok(())
    }

    /// The spec asks for the same as text, for clients that predate structured content. It is
    /// written from what has been cleaned: written earlier, hidden characters would be in it as
    /// JSON escapes, which no later look sees.
    fn as_text(&mut self, value: &Value) -> Result<Vec<ContentBlock>, Refusal> {
        let text = value.to_string();
        self.count(text.len())?;
        Ok(vec![ContentBlock::text(text)])
    }

    /// What a caller is told of a failure: the words of a tool, or of a layer.
    pub(super) fn refusal(&mut self, refusal: &mut Refusal) {
        let at = At::field("/error/message");
        let mut message = std::mem::take(&mut refusal.error.message).into_owned();
        shorten(&mut message, 4 * MAX_MESSAGE);
        self.words(&mut message, at);
        shorten(&mut message, MAX_MESSAGE);
        refusal.error.message = message.into();
        if let Some(data) = &mut refusal.error.data
            && self.json(data, At::field("/error/data")).is_err()
        {
            refusal.error.data = None;
        }
    }
}

/// Says in an answer what was found in it.
pub(super) fn annotate(reply: &mut McpReply, note: Value) {
    let meta = match reply {
        McpReply::CallTool(CallToolResponse::Complete(result)) => &mut result.meta,
        McpReply::GetPrompt(GetPromptResponse::Complete(result)) => &mut result.meta,
        McpReply::ReadResource(ReadResourceResponse::Complete(result)) => &mut result.meta,
        McpReply::Complete(result) => &mut result.meta,
        _ => return,
    };
    let meta = meta.get_or_insert_default();
    meta.0.insert(KEY.to_owned(), note);
}

/// Cuts after so many bytes, between two characters.
pub(crate) fn shorten(text: &mut String, bytes: usize) {
    text.truncate(cut(text, bytes).len());
}

/// The first so many bytes, or as many of them as are whole characters.
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// The longest message of an error, in bytes.
const MAX_MESSAGE: usize = 4096;
