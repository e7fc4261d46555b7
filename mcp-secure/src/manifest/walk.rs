//! Every string of a JSON Schema, at every depth, with the field that it is to a model.
//!
//! Alone in its file, so that another walk can take its place.

use mcp_secure_text::Field;
use serde_json::Value;

/// A string, and where it stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    /// A JSON pointer (RFC 6901). Of a name, the pointer of what it names.
    pub(super) pointer: String,
    pub(super) text: &'a str,
    pub(super) field: Field,
}

/// All strings of `schema`, names of members included; `root` is where it stands itself.
pub(super) fn strings<'a>(schema: &'a Value, root: &str) -> Vec<Place<'a>> {
    let mut found = Vec::new();
    // Not by recursion: a schema written by hand may be as deep as its author likes.
    let mut rest = vec![(root.to_owned(), schema, As::Schema)];
    while let Some((pointer, value, kind)) = rest.pop() {
        match value {
            Value::String(text) => found.push(Place {
                pointer,
                text,
                field: match kind {
                    As::Schema => Field::SchemaText,
                    As::Named(_) => Field::ParameterName,
                    As::Data(field) => field,
                },
            }),
            // The last goes on the stack first: what is found is in the order of the text.
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate().rev() {
                    rest.push((format!("{pointer}/{at}"), item, kind));
                }
            }
            Value::Object(members) => {
                for (key, inner) in members.iter().rev() {
                    let pointer = format!("{pointer}/{}", escaped(key));
                    let (name, inner_kind) = match kind {
                        As::Schema => (Field::SchemaText, of_keyword(key)),
                        As::Named(name) => (name, As::Schema),
                        As::Data(field) => (field, As::Data(field)),
                    };
                    rest.push((pointer.clone(), inner, inner_kind));
                    found.push(Place {
                        pointer,
                        text: key,
                        field: name,
                    });
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    found
}

/// What a value is.
#[derive(Clone, Copy)]
enum As {
    Schema,
    /// Schemas by name, or a list of names.
    Named(Field),
    /// No schema: every string in it is of this field.
    Data(Field),
}

fn of_keyword(key: &str) -> As {
    match key {
        "properties" | "dependentSchemas" | "dependentRequired" | "dependencies" | "required" => {
            As::Named(Field::ParameterName)
        }
        "$defs" | "definitions" | "patternProperties" => As::Named(Field::SchemaText),
        "items"
        | "additionalItems"
        | "prefixItems"
        | "contains"
        | "unevaluatedItems"
        | "additionalProperties"
        | "unevaluatedProperties"
        | "propertyNames"
        | "not"
        | "if"
        | "then"
        | "else"
        | "anyOf"
        | "oneOf"
        | "allOf"
        | "contentSchema" => As::Schema,
        "title" => As::Data(Field::Title),
        "description" => As::Data(Field::ParameterDoc),
        "enum" | "const" | "default" => As::Data(Field::EnumValue),
        "example" | "examples" => As::Data(Field::Example),
        // `$comment`, `pattern`, `format`, `$ref`, extensions.
        _ => As::Data(Field::SchemaText),
    }
}

/// A member's name in a pointer (RFC 6901, section 3).
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_string_has_its_field_at_every_depth() {
        let schema = json!({
            "$comment": "c",
            "properties": {
                "a/b": {
                    "title": "t",
                    "description": "d",
                    "enum": ["e", {"k": ["f"]}],
                    "default": "g",
                    "const": "h",
                    "examples": ["i"],
                    "pattern": "j",
                    "x-more": {"l": "m"},
                    "items": [{"anyOf": [{"description": "n"}]}],
                },
            },
            "required": ["a/b"],
            "$defs": {"O": {"not": {"description": "p"}}},
        });
        let found = strings(&schema, "/inputSchema");
        let field = |text: &str| {
            found
                .iter()
                .filter(|place| place.text == text)
                .map(|place| place.field)
                .collect::<Vec<_>>()
        };
        for (text, expected) in [
            ("c", Field::SchemaText),
            ("t", Field::Title),
            ("d", Field::ParameterDoc),
            ("e", Field::EnumValue),
            ("k", Field::EnumValue),
            ("f", Field::EnumValue),
            ("g", Field::EnumValue),
            ("h", Field::EnumValue),
            ("i", Field::Example),
            ("j", Field::SchemaText),
            ("l", Field::SchemaText),
            ("m", Field::SchemaText),
            ("n", Field::ParameterDoc),
            ("O", Field::SchemaText),
            ("p", Field::ParameterDoc),
            ("x-more", Field::SchemaText),
        ] {
            assert_eq!(field(text), [expected], "{text}");
        }
        assert_eq!(field("a/b"), [Field::ParameterName; 2]);
        let deep = found.iter().find(|place| place.text == "n").unwrap();
        assert_eq!(
            deep.pointer,
            "/inputSchema/properties/a~1b/items/0/anyOf/0/description"
        );
    }

    #[test]
    fn a_schema_as_deep_as_its_author_likes_is_walked() {
        let mut schema = json!({"description": "deep"});
        for _ in 0..3_000 {
            let mut outer = serde_json::Map::new();
            outer.insert("not".into(), schema);
            schema = Value::Object(outer);
        }
        assert!(
            strings(&schema, "")
                .iter()
                .any(|place| place.text == "deep")
        );
        // Dropping it would recurse.
        std::mem::forget(schema);
    }
}
