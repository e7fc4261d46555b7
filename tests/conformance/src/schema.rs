//! An argument object whose schema is written by hand, with keywords that no type derives.

use std::borrow::Cow;

use mcp_secure::{
    schemars::{JsonSchema, Schema, SchemaGenerator, json_schema},
    serde::Deserialize,
    serde_json::Value,
};

/// A person and how to reach them.
#[derive(Deserialize)]
#[serde(
    crate = "mcp_secure::serde",
    rename_all = "camelCase",
    deny_unknown_fields
)]
pub(crate) struct Rich {
    name: Option<String>,
    address: Option<Value>,
    contact_method: Option<String>,
    phone: Option<String>,
    email: Option<String>,
}

impl Rich {
    pub(crate) fn describe(&self) -> String {
        format!(
            "{:?} at {:?}, by {:?}: {:?}",
            self.name,
            self.address,
            self.contact_method,
            self.phone.as_ref().or(self.email.as_ref())
        )
    }
}

impl JsonSchema for Rich {
    fn schema_name() -> Cow<'static, str> {
        "Rich".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "$defs": {
                "address": {
                    "$anchor": "addressDef",
                    "type": "object",
                    "properties": { "street": { "type": "string" }, "city": { "type": "string" } },
                },
            },
            "properties": {
                "name": { "type": "string" },
                "address": { "$ref": "#/$defs/address" },
                "contactMethod": { "type": "string", "enum": ["phone", "email"] },
                "phone": { "type": "string" },
                "email": { "type": "string" },
            },
            "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
            "if": {
                "properties": { "contactMethod": { "const": "phone" } },
                "required": ["contactMethod"],
            },
            "then": { "required": ["phone"] },
            "else": { "required": ["email"] },
            "additionalProperties": false,
        })
    }
}
