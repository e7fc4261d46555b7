//! Every string of a JSON value, at every depth, with the field that it is to a model.

use serde_json::Value;

use crate::Field;

/// What a JSON value is, so that its strings have the right [`Field`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A JSON Schema. Names of properties are [`Field::ParameterName`], descriptions
    /// [`Field::ParameterDoc`], and so on; what no draft defines is [`Field::SchemaText`].
    Schema,
    /// Schemas by name, or a list of names, of this field.
    Named(Field),
    /// No schema: every string in it, names of members included, is of this field.
    Data(Field),
}

/// A string in a JSON value, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place<'p, 'v> {
    /// A JSON pointer (RFC 6901). Of the name of a member, the pointer of what it names.
    pub pointer: &'p str,
    /// The string.
    pub text: &'v str,
    /// What it is to a model.
    pub field: Field,
    /// How many arrays and objects it stands in.
    pub depth: usize,
}

/// Calls `each` for every string of `value`, names of members included, in the order of the value;
/// `root` is the pointer to the value itself.
///
/// Without recursion, so that depth costs no stack: the memory is that of one pointer and of one
/// small frame a level, the time linear in the value.
///
/// ```
/// use mcp_secure_text::{Field, toolset::{Kind, walk}};
///
/// let schema = serde_json::json!({"properties": {"path": {"description": "A path."}}});
/// let mut found = Vec::new();
/// walk(&schema, "/inputSchema", Kind::Schema, &mut |place| {
///     found.push((place.pointer.to_owned(), place.text, place.field));
/// });
/// assert_eq!(found[1].1, "path");
/// assert_eq!(found[1].2, Field::ParameterName);
/// assert_eq!(found[3].0, "/inputSchema/properties/path/description");
/// assert_eq!(found[3].1, "A path.");
/// ```
pub fn walk<'v>(value: &'v Value, root: &str, kind: Kind, each: &mut dyn FnMut(Place<'_, 'v>)) {
    let mut pointer = root.to_owned();
    let mut frames = Vec::new();
    enter(value, kind, &pointer, &mut frames, each);
    while let Some(frame) = frames.last_mut() {
        pointer.truncate(frame.pointer);
        let kind = frame.kind;
        let (value, kind) = match &mut frame.rest {
            Rest::Items(items) => match items.next() {
                Some((at, item)) => {
                    pointer.push('/');
                    pointer.push_str(&at.to_string());
                    (item, kind)
                }
                None => {
                    frames.pop();
                    continue;
                }
            },
            Rest::Members(members) => match members.next() {
                Some((key, inner)) => {
                    push(&mut pointer, key);
                    let (field, inner_kind) = match kind {
                        Kind::Schema => (Field::SchemaText, of_keyword(key)),
                        Kind::Named(name) => (name, Kind::Schema),
                        Kind::Data(field) => (field, Kind::Data(field)),
                    };
                    each(Place {
                        pointer: &pointer,
                        text: key,
                        field,
                        depth: frames.len(),
                    });
                    (inner, inner_kind)
                }
                None => {
                    frames.pop();
                    continue;
                }
            },
        };
        enter(value, kind, &pointer, &mut frames, each);
    }
}

struct Frame<'v> {
    rest: Rest<'v>,
    kind: Kind,
    /// How long the pointer to it is.
    pointer: usize,
}

enum Rest<'v> {
    Items(std::iter::Enumerate<std::slice::Iter<'v, Value>>),
    Members(serde_json::map::Iter<'v>),
}

fn enter<'v>(
    value: &'v Value,
    kind: Kind,
    pointer: &str,
    frames: &mut Vec<Frame<'v>>,
    each: &mut dyn FnMut(Place<'_, 'v>),
) {
    let rest = match value {
        Value::String(text) => {
            return each(Place {
                pointer,
                text,
                field: match kind {
                    Kind::Schema => Field::SchemaText,
                    Kind::Named(field) | Kind::Data(field) => field,
                },
                depth: frames.len(),
            });
        }
        Value::Array(items) => Rest::Items(items.iter().enumerate()),
        Value::Object(members) => Rest::Members(members.iter()),
        Value::Null | Value::Bool(_) | Value::Number(_) => return,
    };
    frames.push(Frame {
        rest,
        kind,
        pointer: pointer.len(),
    });
}

fn of_keyword(key: &str) -> Kind {
    match key {
        "properties" | "dependentSchemas" | "dependentRequired" | "dependencies" | "required" => {
            Kind::Named(Field::ParameterName)
        }
        "$defs" | "definitions" | "patternProperties" => Kind::Named(Field::SchemaText),
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
        | "contentSchema" => Kind::Schema,
        "title" => Kind::Data(Field::Title),
        "description" => Kind::Data(Field::ParameterDoc),
        "enum" | "const" | "default" => Kind::Data(Field::EnumValue),
        "example" | "examples" => Kind::Data(Field::Example),
        // `$comment`, `pattern`, `format`, `$ref`, extensions.
        _ => Kind::Data(Field::SchemaText),
    }
}

/// Adds a member's name to a pointer (RFC 6901, section 3).
fn push(pointer: &mut String, key: &str) {
    pointer.push('/');
    for c in key.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
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
        let mut found = Vec::new();
        walk(&schema, "/inputSchema", Kind::Schema, &mut |place| {
            found.push((place.text, place.field, place.pointer.to_owned()));
        });
        let field = |text: &str| {
            found
                .iter()
                .filter(|place| place.0 == text)
                .map(|place| place.1)
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
        for (text, _, pointer) in &found {
            let value = schema.pointer(pointer.strip_prefix("/inputSchema").unwrap());
            let named = pointer.ends_with(&text.replace('/', "~1"));
            assert!(
                named || value == Some(&json!(text)),
                "{pointer} leads to {value:?}, not {text}"
            );
        }
    }

    #[test]
    fn depth_costs_no_stack_and_little_memory() {
        let mut schema = json!({"description": "deep"});
        for _ in 0..100_000 {
            let mut outer = serde_json::Map::new();
            outer.insert("not".into(), schema);
            schema = Value::Object(outer);
        }
        let mut deepest = 0;
        walk(&schema, "", Kind::Schema, &mut |place| {
            if place.text == "deep" {
                assert_eq!(place.field, Field::ParameterDoc);
                deepest = place.depth;
            }
        });
        assert_eq!(deepest, 100_001);
        // Dropping it would recurse.
        std::mem::forget(schema);
    }
}
