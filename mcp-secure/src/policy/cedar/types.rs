//! From a JSON Schema to a type of Cedar's, or to none.
//!
//! What has no type is left out, and a policy that names it stops the start. To guess one would be
//! worse: `context.args has x` on an argument that policies never see is false for ever, and a
//! `forbid` behind it never speaks.

use std::collections::BTreeMap;

use rmcp::model::JsonObject;
use serde_json::{Value, json};

/// A type of Cedar's, as far as arguments need it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Type {
    Long,
    Text,
    Bool,
    /// Four digits after the point, and no more.
    Decimal,
    Datetime,
    Set(Box<Type>),
    Record(Record),
    /// One of an enumerated entity type.
    OneOf(&'static str),
}

/// The members of an object, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Record(pub(super) BTreeMap<String, Field>);

/// One member.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    /// `None` if it is there and has no type.
    pub(super) kind: Option<Type>,
    /// A policy may read it without asking `has` first.
    pub(super) required: bool,
    /// What the tool takes it for where it is missing.
    pub(super) default: Option<Value>,
}

impl Field {
    pub(super) fn required(kind: Type) -> Self {
        Self {
            kind: Some(kind),
            required: true,
            default: None,
        }
    }

    pub(super) fn optional(kind: Type) -> Self {
        Self {
            required: false,
            ..Self::required(kind)
        }
    }

    fn untyped() -> Self {
        Self {
            kind: None,
            required: false,
            default: None,
        }
    }
}

impl Record {
    pub(super) fn of<const N: usize>(fields: [(&str, Field); N]) -> Self {
        let fields = fields.into_iter();
        Self(fields.map(|(name, f)| (name.to_owned(), f)).collect())
    }

    /// The arguments of a tool, from its schema.
    pub(super) fn of_tool(schema: &JsonObject) -> Self {
        let root = Value::Object(schema.clone());
        let mut record = fields(schema, &root, DEPTH);
        // What a flattened enum spreads over combinators is an argument, and has no one type.
        for key in COMBINATORS {
            let branches = schema.get(key).and_then(Value::as_array);
            for branch in branches.into_iter().flatten() {
                for name in names_in(branch, &root, DEPTH) {
                    record.0.insert(name, Field::untyped());
                }
            }
        }
        // The same for `Args` of an enum or of a map.
        if let Some(object) = schema.get("$ref").and_then(|r| resolve(r, &root)) {
            for name in names_in(object, &root, DEPTH) {
                record.0.entry(name).or_insert_with(Field::untyped);
            }
        }
        record
    }

    /// The arguments of a prompt and the variables of a template, all of which are texts.
    pub(super) fn of_texts(schema: &JsonObject) -> Self {
        let required = required(schema);
        let names = schema.get("properties").and_then(Value::as_object);
        let fields = names.into_iter().flatten().map(|(name, _)| {
            let field = match required.contains(&name.as_str()) {
                true => Field::required(Type::Text),
                false => Field::optional(Type::Text),
            };
            (name.clone(), field)
        });
        Self(fields.collect())
    }

    /// As the JSON form of a Cedar schema has it.
    pub(super) fn to_schema(&self) -> Value {
        let attributes: serde_json::Map<String, Value> = self
            .0
            .iter()
            .filter_map(|(name, field)| {
                let mut kind = field.kind.as_ref()?.to_schema();
                if let Some(object) = kind.as_object_mut() {
                    object.insert("required".into(), json!(field.required));
                }
                Some((name.clone(), kind))
            })
            .collect();
        json!({ "type": "Record", "attributes": attributes })
    }

    /// What lies at the end of a path of names.
    pub(super) fn find<'a>(&self, path: &'a [String]) -> Found<'a> {
        let Some((first, rest)) = path.split_first() else {
            return Found::Typed;
        };
        match self.0.get(first).map(|field| &field.kind) {
            None => Found::Nothing(first),
            Some(None) => Found::Untyped(first),
            Some(Some(Type::Record(record))) => record.find(rest),
            // What has no members is the validator's to speak of.
            Some(Some(_)) => Found::Typed,
        }
    }
}

/// What a path of names leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    Typed,
    /// There is no such name.
    Nothing(&'a str),
    /// There is, and policies cannot see it.
    Untyped(&'a str),
}

impl Type {
    pub(super) fn to_schema(&self) -> Value {
        match self {
            Self::Long => json!({ "type": "Long" }),
            Self::Text => json!({ "type": "String" }),
            Self::Bool => json!({ "type": "Boolean" }),
            Self::Decimal => json!({ "type": "Extension", "name": "decimal" }),
            Self::Datetime => json!({ "type": "Extension", "name": "datetime" }),
            Self::Set(element) => json!({ "type": "Set", "element": element.to_schema() }),
            Self::Record(record) => record.to_schema(),
            Self::OneOf(name) => json!({ "type": "Entity", "name": name }),
        }
    }
}

/// A type, and whether null is allowed beside it.
fn typed(schema: &Value, root: &Value, depth: usize) -> Option<(Type, bool)> {
    let depth = depth.checked_sub(1)?;
    let object = schema.as_object()?;
    if let Some(reference) = object.get("$ref") {
        return typed(resolve(reference, root)?, root, depth);
    }
    if let Some(all) = object.get("allOf").and_then(Value::as_array) {
        return match all.as_slice() {
            [one] if !object.contains_key("properties") => typed(one, root, depth),
            _ => None,
        };
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(branches) = object.get(key).and_then(Value::as_array) {
            return match object.contains_key("properties") {
                true => None,
                false => one_type(branches, root, depth),
            };
        }
    }
    if let Some(allowed) = object.get("enum").and_then(Value::as_array) {
        return of_literals(allowed.iter());
    }
    if let Some(only) = object.get("const") {
        return of_literals(std::iter::once(only));
    }
    let (name, nullable) = match object.get("type")? {
        Value::String(name) => (name.as_str(), false),
        Value::Array(several) => {
            let mut names = several.iter().filter_map(Value::as_str);
            let nullable = names.clone().any(|name| name == "null");
            let name = names.clone().find(|name| *name != "null")?;
            if names.any(|other| other != "null" && other != name) {
                return None;
            }
            (name, nullable)
        }
        _ => return None,
    };
    let kind = match name {
        "integer" => Type::Long,
        "string" => Type::Text,
        "boolean" => Type::Bool,
        "number" => Type::Decimal,
        "array" if object.contains_key("prefixItems") => return None,
        "array" => match typed(object.get("items")?, root, depth)? {
            (element, false) => Type::Set(Box::new(element)),
            // A set has no place for null.
            (_, true) => return None,
        },
        // Open objects are maps: their names come from the caller.
        "object" if object.get("additionalProperties") == Some(&json!(false)) => {
            Type::Record(fields(object, root, depth))
        }
        _ => return None,
    };
    Some((kind, nullable))
}

/// Branches that differ in nothing but null, or in literals of one type.
fn one_type(branches: &[Value], root: &Value, depth: usize) -> Option<(Type, bool)> {
    let is_null = |branch: &&Value| branch.get("type") == Some(&json!("null"));
    let mut nullable = branches.iter().any(|branch| is_null(&branch));
    let mut found = None;
    for branch in branches.iter().filter(|branch| !is_null(branch)) {
        let (kind, or_null) = typed(branch, root, depth)?;
        nullable |= or_null;
        match &found {
            None => found = Some(kind),
            // Two records are alternatives: a policy would see the names of one.
            Some(Type::Record(_)) => return None,
            Some(known) if *known == kind => {}
            Some(_) => return None,
        }
    }
    Some((found?, nullable))
}

fn of_literals<'a>(literals: impl Iterator<Item = &'a Value>) -> Option<(Type, bool)> {
    let (mut found, mut nullable) = (None, false);
    for literal in literals {
        let kind = match literal {
            Value::String(_) => Type::Text,
            Value::Bool(_) => Type::Bool,
            Value::Number(number) if number.is_i64() => Type::Long,
            Value::Null => {
                nullable = true;
                continue;
            }
            _ => return None,
        };
        if *found.get_or_insert(kind.clone()) != kind {
            return None;
        }
    }
    Some((found?, nullable))
}

fn fields(object: &JsonObject, root: &Value, depth: usize) -> Record {
    let required = required(object);
    let properties = object.get("properties").and_then(Value::as_object);
    let fields = properties.into_iter().flatten().map(|(name, schema)| {
        let field = match typed(schema, root, depth) {
            None => Field::untyped(),
            Some((kind, nullable)) => {
                let default = schema.get("default").filter(|d| !d.is_null()).cloned();
                // What the tool takes instead must be seen, or a policy could be passed by
                // leaving the argument out.
                let seen = default
                    .as_ref()
                    .is_none_or(|d| super::value::convert(&kind, d).is_ok());
                Field {
                    kind: seen.then_some(kind),
                    required: !nullable && (default.is_some() || required.contains(&name.as_str())),
                    default,
                }
            }
        };
        (name.clone(), field)
    });
    Record(fields.collect())
}

fn required(object: &JsonObject) -> Vec<&str> {
    let names = object.get("required").and_then(Value::as_array);
    names
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// All names of members anywhere in the branches of a schema.
fn names_in(schema: &Value, root: &Value, depth: usize) -> Vec<String> {
    let Some(depth) = depth.checked_sub(1) else {
        return Vec::new();
    };
    let mut names = Vec::new();
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        names.extend(properties.keys().cloned());
    }
    for key in COMBINATORS {
        let branches = schema.get(key).and_then(Value::as_array);
        names.extend(
            branches
                .into_iter()
                .flatten()
                .flat_map(|b| names_in(b, root, depth)),
        );
    }
    if let Some(target) = schema.get("$ref").and_then(|r| resolve(r, root)) {
        names.extend(names_in(target, root, depth));
    }
    names
}

/// `#/$defs/Name`, which is all that is published.
fn resolve<'a>(reference: &Value, root: &'a Value) -> Option<&'a Value> {
    root.pointer(reference.as_str()?.strip_prefix('#')?)
}

const COMBINATORS: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// References may go round in a circle.
const DEPTH: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// The type of one argument with this schema.
    fn of(schema: Value) -> Option<Type> {
        let root = json!({
            "properties": { "a": schema },
            "required": ["a"],
            "$defs": {
                "Loop": {
                    "type": "object", "additionalProperties": false,
                    "properties": { "next": { "$ref": "#/$defs/Loop" }, "n": { "type": "integer" } },
                },
                "Word": { "type": "string", "enum": ["x", "y"] },
            },
        });
        let record = Record::of_tool(root.as_object().unwrap());
        record.0["a"].kind.clone()
    }

    #[test]
    fn every_kind_of_argument_has_a_type_or_none() {
        let set = |of| Some(Type::Set(Box::new(of)));
        let closed = |properties: Value| json!({ "type": "object", "properties": properties, "additionalProperties": false });
        for (schema, kind) in [
            (json!({ "type": "integer" }), Some(Type::Long)),
            (
                json!({ "type": "string", "maxLength": 3 }),
                Some(Type::Text),
            ),
            (json!({ "type": "boolean" }), Some(Type::Bool)),
            (json!({ "type": "number" }), Some(Type::Decimal)),
            (json!({ "type": ["integer", "null"] }), Some(Type::Long)),
            (
                json!({ "anyOf": [{ "type": "string" }, { "type": "null" }] }),
                Some(Type::Text),
            ),
            (
                json!({ "anyOf": [{ "type": "string" }, { "type": "integer" }] }),
                None,
            ),
            (json!({ "type": ["string", "integer"] }), None),
            (json!({ "enum": ["a", "b"] }), Some(Type::Text)),
            (json!({ "enum": ["a", 1] }), None),
            (
                json!({ "oneOf": [{ "const": "a" }, { "const": "b" }] }),
                Some(Type::Text),
            ),
            (json!({ "$ref": "#/$defs/Word" }), Some(Type::Text)),
            (json!({ "$ref": "#/$defs/Nowhere" }), None),
            (
                json!({ "type": "array", "items": { "type": "string" } }),
                set(Type::Text),
            ),
            (
                json!({ "type": "array", "items": { "type": ["string", "null"] } }),
                None,
            ),
            (
                json!({ "type": "array", "prefixItems": [], "items": { "type": "string" } }),
                None,
            ),
            (
                json!({ "type": "object", "additionalProperties": { "type": "string" } }),
                None,
            ),
            (json!({ "type": "object" }), None),
            (json!({}), None),
            (json!(true), None),
            (json!({ "type": "null" }), None),
            (
                closed(json!({ "b": { "type": "boolean" } })),
                Some(Type::Record(Record::of([(
                    "b",
                    Field::optional(Type::Bool),
                )]))),
            ),
        ] {
            assert_eq!(of(schema.clone()), kind, "{schema}");
        }
    }

    #[test]
    fn a_type_that_holds_itself_ends_somewhere() {
        let Some(Type::Record(record)) = of(json!({ "$ref": "#/$defs/Loop" })) else {
            panic!("a record");
        };
        assert_eq!(record.find(&["n".to_owned()]), Found::Typed);
        let deep: Vec<String> = std::iter::repeat_n("next".to_owned(), 40).collect();
        assert_eq!(record.find(&deep), Found::Untyped("next"));
    }

    #[test]
    fn what_may_be_missing_is_optional_and_what_has_a_default_is_not() {
        let root = json!({
            "properties": {
                "must": { "type": "integer" },
                "may": { "type": ["integer", "null"] },
                "has": { "type": "integer", "default": 7 },
                "odd": { "type": "number", "default": 0.123_456 },
                "null": { "type": ["integer", "null"], "default": null },
            },
            "required": ["must"],
        });
        let record = Record::of_tool(root.as_object().unwrap());
        let required = |name: &str| record.0[name].required;
        assert!(required("must") && required("has"));
        assert!(!required("may") && !required("null"));
        // It could not be shown, so the policy must not believe that it is absent.
        assert_eq!(record.find(&["odd".to_owned()]), Found::Untyped("odd"));
    }

    #[test]
    fn the_arguments_of_a_flattened_enum_are_known_and_have_no_type() {
        let root = json!({
            "properties": { "plain": { "type": "string" } },
            "oneOf": [
                { "properties": { "card": { "type": "string" } } },
                { "properties": { "iban": { "type": "string" } } },
            ],
        });
        let record = Record::of_tool(root.as_object().unwrap());
        assert_eq!(record.find(&["card".to_owned()]), Found::Untyped("card"));
        assert_eq!(record.find(&["plain".to_owned()]), Found::Typed);
        assert_eq!(record.find(&["nope".to_owned()]), Found::Nothing("nope"));
    }
}
