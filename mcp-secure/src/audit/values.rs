//! The values that authors want in a record: whole arguments, and members of structures at any
//! depth. `#[args]` puts a mark into the schema of a member; here the mark is taken out before a
//! client sees it, and arguments that fit the schema are gone through beside it.

use std::{fmt::Write as _, sync::Arc};

use rmcp::model::JsonObject;
use serde_json::Value;

use super::record::shown_value;
use crate::layer::guard::{cut, for_log};

/// Which of the arguments of a tool.
#[derive(Clone, Debug, Default)]
pub struct Audited {
    /// Arguments that are in it as a whole.
    whole: Vec<&'static str>,
    /// The schema of all arguments with its marks, where it has any.
    marked: Option<Arc<Value>>,
}

impl Audited {
    /// These arguments, and what is marked in the schema of all of them, which has no marks
    /// afterwards.
    pub(crate) fn of(whole: Vec<&'static str>, schema: &mut Value) -> Self {
        let with_marks = schema.clone();
        let has_marks = take_marks(schema) > 0;
        Self {
            whole,
            marked: has_marks.then(|| Arc::new(with_marks)),
        }
    }

    /// Whether each mark can be found from a value. Behind an enum it cannot: what a member is
    /// depends on the variant, and of a variant with the same name nobody has asked for it.
    pub(crate) fn is_in_reach(&self) -> bool {
        self.marked.as_deref().is_none_or(|root| {
            let all = take_marks(&mut root.clone());
            reach(root, root, &mut Vec::new()) == all
        })
    }

    /// What is in the record of a call with these arguments, which fit the schema.
    pub(crate) fn values(&self, arguments: &JsonObject) -> Option<JsonObject> {
        if self.whole.is_empty() && self.marked.is_none() {
            return None;
        }
        let whole = self.whole.iter().filter_map(|name| {
            let value = arguments.get(*name)?;
            Some(((*name).to_owned(), shown_value(value)))
        });
        let mut found = Found {
            values: whole.collect(),
            more: 0,
        };
        if let Some(root) = self.marked.as_deref() {
            let rest = arguments
                .iter()
                .filter(|(name, _)| !self.whole.contains(&name.as_str()));
            for (name, value) in rest {
                let schema = root.get("properties").and_then(|all| all.get(name));
                if let Some(schema) = schema {
                    found.go(root, schema, value, &mut name.clone(), LEVELS);
                }
            }
        }
        if found.more > 0 {
            found
                .values
                .insert("\u{2026}".to_owned(), found.more.into());
        }
        Some(found.values)
    }
}

/// What is written of one call.
struct Found {
    values: JsonObject,
    /// Values that found no room.
    more: u64,
}

impl Found {
    fn go(&mut self, root: &Value, schema: &Value, value: &Value, path: &mut String, levels: u32) {
        let Some(levels) = levels.checked_sub(1) else {
            return;
        };
        if schema.get(MARK).is_some() {
            if self.values.len() < MOST {
                self.values.insert(path.clone(), shown_value(value));
            } else {
                self.more += 1;
            }
            return;
        }
        for other in same_value(root, schema) {
            self.go(root, other, value, path, levels);
        }
        let length = path.len();
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    let known = schema.get("properties").and_then(|all| all.get(name));
                    let Some(of) = known.or_else(|| schema.get("additionalProperties")) else {
                        continue;
                    };
                    // The names of a map are a client's.
                    let name = for_log(cut(name, MAX_NAME));
                    let _ = write!(path, ".{name}");
                    self.go(root, of, member, path, levels);
                    path.truncate(length);
                }
            }
            Value::Array(items) => {
                let Some(of) = schema.get("items") else {
                    return;
                };
                for (at, item) in items.iter().enumerate() {
                    let _ = write!(path, "[{at}]");
                    self.go(root, of, item, path, levels);
                    path.truncate(length);
                }
            }
            _ => {}
        }
    }
}

/// Other schemas that the same value surely fits.
fn same_value<'a>(root: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    let mut others = Vec::new();
    let named = schema.get("$ref").and_then(Value::as_str);
    others.extend(named.and_then(|name| root.pointer(name.strip_prefix('#')?)));
    let list = |key| schema.get(key).and_then(Value::as_array);
    others.extend(list("allOf").into_iter().flatten());
    // An `Option`: one or nothing.
    for key in ["anyOf", "oneOf"] {
        let mut some = list(key).into_iter().flatten().filter(|one| {
            let kind = one.get("type").and_then(Value::as_str);
            kind != Some("null")
        });
        if let (Some(one), None) = (some.next(), some.next()) {
            others.push(one);
        }
    }
    others
}

/// How many marks [`Found::go`] can come to.
fn reach<'a>(root: &'a Value, schema: &'a Value, seen: &mut Vec<&'a Value>) -> usize {
    if seen.iter().any(|one| std::ptr::eq(*one, schema)) {
        return 0;
    }
    seen.push(schema);
    let mut marks = usize::from(schema.get(MARK).is_some());
    let members = schema.get("properties").and_then(Value::as_object);
    let inner = members
        .into_iter()
        .flat_map(serde_json::Map::values)
        .chain(schema.get("additionalProperties"))
        .chain(schema.get("items"))
        .chain(same_value(root, schema));
    for one in inner.collect::<Vec<_>>() {
        marks += reach(root, one, seen);
    }
    marks
}

/// Takes the marks out of a schema, and counts them.
pub(crate) fn take_marks(schema: &mut Value) -> usize {
    match schema {
        Value::Object(object) => {
            let mark = usize::from(object.remove(MARK).is_some());
            let inner = object.iter_mut().map(|(key, value)| match key.as_str() {
                // What looks like a schema inside a literal is not one.
                "const" | "enum" | "default" | "examples" => 0,
                _ => take_marks(value),
            });
            mark + inner.sum::<usize>()
        }
        Value::Array(items) => items.iter_mut().map(take_marks).sum(),
        _ => 0,
    }
}

/// As `#[args]` writes it.
const MARK: &str = "x-mcp-secure-audit";

/// Values in one record.
const MOST: usize = 32;

/// Bytes of a name that a client made.
const MAX_NAME: usize = 64;

/// Schemas that one value is gone through, `$ref`s included: arguments nest less deeply.
const LEVELS: u32 = 128;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn of(mut schema: Value) -> Audited {
        let audited = Audited::of(Vec::new(), &mut schema);
        assert!(!schema.to_string().contains(MARK), "{schema}");
        audited
    }

    fn values(audited: &Audited, arguments: Value) -> Value {
        let values = audited.values(arguments.as_object().unwrap());
        values.map_or(Value::Null, Value::Object)
    }

    #[test]
    fn a_mark_is_found_behind_references_lists_options_and_maps() {
        let city = json!({"type": "string", MARK: true});
        let schema = json!({
            "properties": {
                "one": {"$ref": "#/$defs/Address"},
                "maybe": {"anyOf": [{"$ref": "#/$defs/Address"}, {"type": "null"}]},
                "all": {"type": "array", "items": {"$ref": "#/$defs/Address"}},
                "by": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Address"}},
                "tree": {"$ref": "#/$defs/Node"},
            },
            "$defs": {
                "Address": {"type": "object", "properties": {"city": city, "street": {"type": "string"}}},
                "Node": {"type": "object", "properties": {
                    "name": {"type": "string", MARK: true},
                    "below": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
                }},
            },
        });
        let audited = of(schema);
        assert!(audited.is_in_reach());
        let address = |city: &str| json!({"city": city, "street": "hidden"});
        let said = values(
            &audited,
            json!({
                "one": address("Bern"), "maybe": address("Basel"),
                "all": [address("Genf"), address("Chur")],
                "by": {"a\nb": address("Zug")},
                "tree": {"name": "a", "below": [{"name": "b", "below": []}]},
            }),
        );
        assert_eq!(said["one.city"], "Bern");
        assert_eq!(said["maybe.city"], "Basel");
        assert_eq!(said["all[1].city"], "Chur");
        assert_eq!(said["tree.name"], "a");
        assert_eq!(said["tree.below[0].name"], "b");
        let text = said.to_string();
        assert!(!text.contains("hidden") && !text.contains('\n') && text.contains("Zug"));
        assert_eq!(said.as_object().unwrap().len(), 7, "{said}");
        assert_eq!(values(&audited, json!({"maybe": null})), json!({}));
    }

    #[test]
    fn a_mark_behind_an_enum_is_out_of_reach() {
        let mark = json!({"type": "object", "properties": {"user": {MARK: true}}});
        let plain = json!({"type": "object", "properties": {"user": {"type": "string"}}});
        let audited = of(json!({"properties": {"who": {"oneOf": [mark, plain]}}}));
        assert!(!audited.is_in_reach());
        assert_eq!(values(&audited, json!({"who": {"user": "x"}})), json!({}));
    }

    #[test]
    fn a_record_has_room_for_so_many_values_and_counts_the_rest() {
        let audited = of(json!({"properties": {"all": {"items": {MARK: true}}}}));
        let many: Vec<u32> = (0..40).collect();
        let said = values(&audited, json!({ "all": many }));
        assert_eq!(said.as_object().unwrap().len(), MOST + 1);
        assert_eq!(said["\u{2026}"], 8);
    }
}
