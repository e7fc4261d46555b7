//! What the scenarios of multi-round-trip requests ask for (SEP-2322).
#![allow(deprecated, reason = "sampling, roots and logging are judged as well")]

use mcp_secure::{
    ToolError, ToolResult,
    model::{
        CreateMessageRequestParams, ElicitationSchema, Role, SamplingMessage,
        SamplingMessageContentBlock,
    },
    serde_json::Value,
};

/// One name.
pub(crate) fn name() -> ToolResult<ElicitationSchema> {
    ElicitationSchema::builder()
        .required_string("name")
        .build()
        .map_err(ToolError::new)
}

/// One switch.
pub(crate) fn confirm() -> ToolResult<ElicitationSchema> {
    ElicitationSchema::builder()
        .required_bool("ok")
        .build()
        .map_err(ToolError::new)
}

/// One message of the user's.
pub(crate) fn message(text: &str, max_tokens: u32) -> CreateMessageRequestParams {
    let block = SamplingMessageContentBlock::text(text);
    CreateMessageRequestParams::new(vec![SamplingMessage::new(Role::User, block)], max_tokens)
}

/// A field of a form that was filled in.
pub(crate) fn field<'a>(content: &'a Value, name: &str) -> &'a str {
    content
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
