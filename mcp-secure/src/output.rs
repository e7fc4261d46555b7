//! What user code answers, before the guard has seen it.

mod untrusted;

use std::borrow::Cow;

use rmcp::model::{ContentBlock, JsonObject, PromptMessage, Role};
use schemars::JsonSchema;
use serde::Serialize;

pub(crate) use untrusted::has_untrusted_parts;
pub use untrusted::{Spotlight, Untrusted};

use crate::error::{ToolError, ToolResult};

/// A tool's answer on its way to the guard.
#[derive(Debug, Default)]
pub struct ToolReply {
    pub(crate) content: Vec<ContentBlock>,
    pub(crate) structured: Option<serde_json::Value>,
    /// Where it is from, if it is not the author's own.
    pub(crate) untrusted: Option<Cow<'static, str>>,
}

/// A value that is answered as structured content, with its schema published and enforced.
///
/// ```
/// use mcp_secure::prelude::*;
/// # use mcp_secure::{serde, schemars};
///
/// #[mcp_secure::output]
/// struct Weather { celsius: i32 }
/// # struct S;
/// # #[secure_server] impl S {
/// /// The weather.
/// #[tool(public)]
/// async fn weather(&self) -> Json<Weather> { Json(Weather { celsius: 21 }) }
/// # }
/// ```
pub struct Json<T>(pub T);

/// What a tool may return, alone or in a [`ToolResult`].
#[diagnostic::on_unimplemented(
    message = "a tool cannot return `{Self}`",
    label = "not a tool output",
    note = "return `String`, `()`, a number, `Json<T>` or a `Vec` of content blocks, alone or in a `ToolResult`"
)]
pub trait ToolOutput {
    /// The output schema, if the answer is structured.
    #[doc(hidden)]
    fn schema() -> Option<JsonObject> {
        None
    }
    #[doc(hidden)]
    fn into_reply(self) -> ToolResult<ToolReply>;
}

impl<T: ToolOutput> ToolOutput for ToolResult<T> {
    fn schema() -> Option<JsonObject> {
        T::schema()
    }

    fn into_reply(self) -> ToolResult<ToolReply> {
        self.and_then(T::into_reply)
    }
}

impl ToolOutput for ToolReply {
    fn into_reply(self) -> ToolResult<ToolReply> {
        Ok(self)
    }
}

impl ToolOutput for () {
    fn into_reply(self) -> ToolResult<ToolReply> {
        Ok(ToolReply::default())
    }
}

macro_rules! as_text {
    ($($t:ty),*) => {$(
        impl ToolOutput for $t {
            fn into_reply(self) -> ToolResult<ToolReply> {
                Ok(ToolReply {
                    content: vec![ContentBlock::text(self.to_string())],
                    ..ToolReply::default()
                })
            }
        }
    )*};
}

as_text!(
    &'static str,
    Cow<'static, str>,
    bool,
    char,
    u8,
    u16,
    u32,
    u64,
    usize,
    i8,
    i16,
    i32,
    i64,
    isize,
    f32,
    f64
);

impl ToolOutput for String {
    fn into_reply(self) -> ToolResult<ToolReply> {
        Ok(ToolReply {
            content: vec![ContentBlock::text(self)],
            ..ToolReply::default()
        })
    }
}

impl ToolOutput for ContentBlock {
    fn into_reply(self) -> ToolResult<ToolReply> {
        Ok(ToolReply {
            content: vec![self],
            ..ToolReply::default()
        })
    }
}

impl ToolOutput for Vec<ContentBlock> {
    fn into_reply(self) -> ToolResult<ToolReply> {
        Ok(ToolReply {
            content: self,
            ..ToolReply::default()
        })
    }
}

impl<T: Serialize + JsonSchema> ToolOutput for Json<T> {
    fn schema() -> Option<JsonObject> {
        Some(crate::schema::output_schema::<T>())
    }

    fn into_reply(self) -> ToolResult<ToolReply> {
        let value = serde_json::to_value(&self.0).map_err(ToolError::internal)?;
        // The same as text is written by the guard, from what it has cleaned.
        Ok(ToolReply {
            structured: Some(value),
            ..ToolReply::default()
        })
    }
}

/// A prompt's answer on its way to the guard.
#[derive(Debug)]
pub struct PromptReply {
    pub(crate) messages: Vec<PromptMessage>,
    pub(crate) untrusted: Option<Cow<'static, str>>,
}

/// What a prompt may return, alone or in a [`ToolResult`]: text for one user message, or
/// the messages themselves.
#[diagnostic::on_unimplemented(
    message = "a prompt cannot return `{Self}`",
    label = "not a prompt output",
    note = "return `String` or `Vec<PromptMessage>`, alone or in a `ToolResult`"
)]
pub trait PromptOutput {
    #[doc(hidden)]
    fn into_reply(self) -> ToolResult<PromptReply>;
}

impl<T: PromptOutput> PromptOutput for ToolResult<T> {
    fn into_reply(self) -> ToolResult<PromptReply> {
        self.and_then(T::into_reply)
    }
}

impl PromptOutput for String {
    fn into_reply(self) -> ToolResult<PromptReply> {
        vec![PromptMessage::new_text(Role::User, self)].into_reply()
    }
}

impl PromptOutput for &'static str {
    fn into_reply(self) -> ToolResult<PromptReply> {
        PromptOutput::into_reply(self.to_owned())
    }
}

impl PromptOutput for Vec<PromptMessage> {
    fn into_reply(self) -> ToolResult<PromptReply> {
        Ok(PromptReply {
            messages: self,
            untrusted: None,
        })
    }
}

/// A resource's content: text or bytes.
#[derive(Debug)]
pub enum ResourceBody {
    /// Text.
    Text(String),
    /// Bytes; sent as base64.
    Bytes(Vec<u8>),
}

/// A resource's answer on its way to the guard.
#[derive(Debug)]
pub struct ResourceReply {
    pub(crate) body: ResourceBody,
    pub(crate) untrusted: Option<Cow<'static, str>>,
}

/// What a resource may return, alone or in a [`ToolResult`].
#[diagnostic::on_unimplemented(
    message = "a resource cannot return `{Self}`",
    label = "not a resource output",
    note = "return `String`, `Vec<u8>` or `ResourceBody`, alone or in a `ToolResult`"
)]
pub trait ResourceOutput {
    #[doc(hidden)]
    fn into_reply(self) -> ToolResult<ResourceReply>;
}

impl<T: ResourceOutput> ResourceOutput for ToolResult<T> {
    fn into_reply(self) -> ToolResult<ResourceReply> {
        self.and_then(T::into_reply)
    }
}

impl ResourceOutput for String {
    fn into_reply(self) -> ToolResult<ResourceReply> {
        ResourceBody::Text(self).into_reply()
    }
}

impl ResourceOutput for &'static str {
    fn into_reply(self) -> ToolResult<ResourceReply> {
        ResourceBody::Text(self.to_owned()).into_reply()
    }
}

impl ResourceOutput for Vec<u8> {
    fn into_reply(self) -> ToolResult<ResourceReply> {
        ResourceBody::Bytes(self).into_reply()
    }
}

impl ResourceOutput for ResourceBody {
    fn into_reply(self) -> ToolResult<ResourceReply> {
        Ok(ResourceReply {
            body: self,
            untrusted: None,
        })
    }
}

/// Suggestions, best first. The protocol carries at most 100.
#[derive(Debug, Default)]
pub struct Completions(pub(crate) Vec<String>);

/// What a completion may return, alone or in a [`ToolResult`].
#[diagnostic::on_unimplemented(
    message = "a completion cannot return `{Self}`",
    label = "not a list of suggestions",
    note = "return `Vec<String>`, alone or in a `ToolResult`"
)]
pub trait CompletionOutput {
    #[doc(hidden)]
    fn into_reply(self) -> ToolResult<Completions>;
}

impl<T: CompletionOutput> CompletionOutput for ToolResult<T> {
    fn into_reply(self) -> ToolResult<Completions> {
        self.and_then(T::into_reply)
    }
}

impl CompletionOutput for Vec<String> {
    fn into_reply(self) -> ToolResult<Completions> {
        Ok(Completions(self))
    }
}
