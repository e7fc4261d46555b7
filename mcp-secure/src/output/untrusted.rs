//! What comes from outside and is passed on: pages, mails, issues, output of programs.

use std::borrow::Cow;

use rmcp::model::JsonObject;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::{PromptOutput, PromptReply, ResourceOutput, ResourceReply, ToolOutput, ToolReply};
use crate::error::ToolResult;

/// Content that somebody else wrote, and where it is from.
///
/// A model cannot tell what you say from what a page says that you fetched: both are text
/// (indirect prompt injection; OWASP LLM01). Returned in this, the content is labelled for clients under
/// `io.github.mcp-secure/untrusted` in `_meta`, its text stands between marks that its author
/// could not know ([`Spotlight`]), and the session counts as one that has read what may speak
/// to its model: from then on nothing leaves by an open sink without a person
/// (see [`Taint`](crate::pipeline::Taint)). This is defence in depth: marks make a model less likely to
/// obey, and nothing makes it certain.
///
/// As the whole answer of a tool, a resource or a prompt:
///
/// ```
/// use mcp_secure::prelude::*;
/// # struct S;
/// # #[secure_server] impl S {
/// /// Show a comment.
/// #[tool(public)]
/// async fn comment(&self, number: u32) -> Untrusted<String> {
///     let text = format!("comment {number}, from a stranger");
///     Untrusted::from(format!("https://forum.example/{number}"), text)
/// }
/// # }
/// ```
///
/// As a part of structured content it is an object with the members `untrusted` and `source`:
///
/// ```
/// use mcp_secure::{prelude::*, schemars, serde};
///
/// #[mcp_secure::output]
/// struct Issue {
///     number: u32,
///     body: Untrusted<String>,
/// }
/// # struct S;
/// # #[secure_server] impl S {
/// /// Show an issue.
/// #[tool(public)]
/// async fn issue(&self, number: u32) -> Json<Issue> {
///     let body = Untrusted::from("https://tracker.example", "it crashes".to_owned());
///     Json(Issue { number, body })
/// }
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Untrusted<T> {
    source: Cow<'static, str>,
    content: T,
}

impl<T> Untrusted<T> {
    /// Marks content. The source is for people and logs: a host, a file, the name of a program.
    pub fn from(source: impl Into<Cow<'static, str>>, content: T) -> Self {
        Self {
            source: source.into(),
            content,
        }
    }

    /// Where it is from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The content, for code that computes with it. What is passed on belongs in an
    /// `Untrusted` again.
    pub fn as_untrusted(&self) -> &T {
        &self.content
    }

    /// Something else made of the content, from the same source.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Untrusted<U> {
        Untrusted {
            source: self.source,
            content: make(self.content),
        }
    }
}

/// How text of [`Untrusted`] content is set apart for a model, as in "Defending Against Indirect
/// Prompt Injection Attacks With Spotlighting" (Hines and others, 2024, arXiv 2403.14720).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Spotlight {
    /// Between two lines with a random number of this answer, which the author of the content
    /// could not write. The default.
    Delimited,
    /// The same, and a mark of this answer stands between all words, so that no part of it can pass
    /// for something else. Stronger, and hard to read for people.
    Marked,
    /// The text stays as it is. For clients that parse it; the label in `_meta` stays.
    LabelOnly,
}

impl<T: ToolOutput> ToolOutput for Untrusted<T> {
    fn schema() -> Option<JsonObject> {
        T::schema()
    }

    fn into_reply(self) -> ToolResult<ToolReply> {
        Ok(ToolReply {
            untrusted: Some(self.source),
            ..self.content.into_reply()?
        })
    }
}

impl<T: ResourceOutput> ResourceOutput for Untrusted<T> {
    fn into_reply(self) -> ToolResult<ResourceReply> {
        Ok(ResourceReply {
            untrusted: Some(self.source),
            ..self.content.into_reply()?
        })
    }
}

impl<T: PromptOutput> PromptOutput for Untrusted<T> {
    fn into_reply(self) -> ToolResult<PromptReply> {
        Ok(PromptReply {
            untrusted: Some(self.source),
            ..self.content.into_reply()?
        })
    }
}

impl<T: Serialize> Serialize for Untrusted<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_struct("Untrusted", 2)?;
        members.serialize_field("untrusted", &self.content)?;
        members.serialize_field("source", &self.source)?;
        members.end()
    }
}

impl<T: JsonSchema> JsonSchema for Untrusted<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Untrusted_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let content = generator.subschema_for::<T>();
        json_schema!({
            "type": "object",
            MARK: true,
            "properties": { "untrusted": content, "source": { "type": "string" } },
            "required": ["untrusted", "source"],
            "additionalProperties": false,
        })
    }
}

/// Whether a schema of output has untrusted parts: then each answer with it taints the session.
pub(crate) fn has_untrusted_parts(schema: &serde_json::Value) -> bool {
    match schema {
        serde_json::Value::Object(members) => {
            members.contains_key(MARK) || members.values().any(has_untrusted_parts)
        }
        serde_json::Value::Array(items) => items.iter().any(has_untrusted_parts),
        _ => false,
    }
}

/// A keyword of the published schema.
const MARK: &str = "x-untrusted";
