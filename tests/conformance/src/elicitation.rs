//! The forms of the older revision's scenarios.

use mcp_secure::{
    ToolResult,
    model::ElicitationSchema,
    prelude::Answer,
    serde_json::{Value, from_value, json},
};

/// Two strings.
pub(crate) fn user() -> ToolResult<ElicitationSchema> {
    form(json!({
        "type": "object",
        "properties": {
            "username": { "type": "string", "description": "User's response" },
            "email": { "type": "string", "description": "User's email address" },
        },
        "required": ["username", "email"],
    }))
}

/// A default for each kind of field (SEP-1034).
pub(crate) fn defaults() -> ToolResult<ElicitationSchema> {
    form(json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "default": "John Doe" },
            "age": { "type": "integer", "default": 30 },
            "score": { "type": "number", "default": 95.5 },
            "status": {
                "type": "string", "enum": ["active", "inactive", "pending"], "default": "active",
            },
            "verified": { "type": "boolean", "default": true },
        },
        "required": [],
    }))
}

/// The five kinds of choice (SEP-1330).
pub(crate) fn choices() -> ToolResult<ElicitationSchema> {
    let titled = json!([
        { "const": "value1", "title": "First Option" },
        { "const": "value2", "title": "Second Option" },
        { "const": "value3", "title": "Third Option" },
    ]);
    form(json!({
        "type": "object",
        "properties": {
            "untitledSingle": { "type": "string", "enum": ["option1", "option2", "option3"] },
            "titledSingle": { "type": "string", "oneOf": titled },
            "legacyEnum": {
                "type": "string",
                "enum": ["opt1", "opt2", "opt3"],
                "enumNames": ["Option One", "Option Two", "Option Three"],
            },
            "untitledMulti": {
                "type": "array",
                "items": { "type": "string", "enum": ["option1", "option2", "option3"] },
            },
            "titledMulti": { "type": "array", "items": { "anyOf": titled } },
        },
        "required": [],
    }))
}

/// `action=accept, content={…}`.
pub(crate) fn describe(answer: &Answer) -> String {
    match answer {
        Answer::Accepted(content) => format!("action=accept, content={content}"),
        Answer::Declined => "action=decline, content={}".to_owned(),
        Answer::Cancelled => "action=cancel, content={}".to_owned(),
    }
}

fn form(schema: Value) -> ToolResult<ElicitationSchema> {
    Ok(from_value(schema)?)
}
