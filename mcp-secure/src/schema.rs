//! Argument schemas: generated from the types, closed and bounded, and really enforced.

use rmcp::model::JsonObject;
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::audit::{Audited, take_marks};

/// A type that a model may send.
///
/// Everything that serde can read and schemars can describe is one; handles are neither, so
/// an aliased handle does not compile as an argument.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither an argument that a model may send nor a handle by name",
    label = "not an argument",
    note = "a handle must be written with its own name (`Fs<…>`, `Approved<…>`, …), not through an alias",
    note = "an argument type derives `Deserialize` and `JsonSchema`: put `#[mcp_secure::args]` on the struct or enum"
)]
pub trait ToolArg: DeserializeOwned + JsonSchema + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned + JsonSchema + Send + 'static> ToolArg for T {}

/// A whole struct as the arguments of a tool.
///
/// ```
/// use mcp_secure::prelude::*;
///
/// /// What to look for.
/// #[mcp_secure::args]
/// struct Search {
///     /// A word.
///     word: String,
/// }
/// # struct S;
/// # #[secure_server] impl S {
/// /// Search.
/// #[tool(public)]
/// async fn search(&self, Args(search): Args<Search>) -> String { search.word }
/// # }
/// ```
pub struct Args<T>(pub T);

/// Bounds that hold where the author states none. They exist so that no argument is
/// unbounded; raise them per argument with `#[arg(max_len = …, max_items = …)]`.
pub(crate) mod bounds {
    /// Characters in a string.
    pub(crate) const STRING: u64 = 65_536;
    /// Items in an array.
    pub(crate) const ITEMS: u64 = 1_000;
    /// Members of a map.
    pub(crate) const PROPERTIES: u64 = 256;
    /// Levels in a value.
    pub(crate) const DEPTH: usize = 32;
}

/// What `#[arg(…)]` narrows.
#[derive(Clone, Copy, Default)]
pub struct ArgRules {
    /// The doc comment of the parameter.
    pub description: Option<&'static str>,
    /// `max_len`: characters of a string.
    pub max_len: Option<u64>,
    /// `min_len`: characters of a string.
    pub min_len: Option<u64>,
    /// `max_items`: items of an array.
    pub max_items: Option<u64>,
    /// `range`, lower end, inclusive.
    pub minimum: Option<f64>,
    /// `range`, upper end, inclusive.
    pub maximum: Option<f64>,
    /// `pattern`: a regular expression (linear-time syntax) on a string.
    pub pattern: Option<&'static str>,
    /// `header`: mirrored into `Mcp-Param-<name>` (SEP-2243).
    pub header: Option<&'static str>,
}

/// An argument whose value may be in the audit log, `#[arg(audit)]`: everything that can be
/// written at all. A secret has no `Serialize`, so that its author cannot ask for this.
#[diagnostic::on_unimplemented(
    message = "a value of `{Self}` cannot be in the audit log",
    label = "this type does not implement `Serialize`, as secrets do not",
    note = "remove `audit` from `#[arg(…)]`; or, if it holds nothing secret, derive `serde::Serialize`"
)]
pub trait AuditedArg: ToolArg + serde::Serialize {}

#[diagnostic::do_not_recommend]
impl<T: ToolArg + serde::Serialize> AuditedArg for T {}

/// The arguments of one primitive.
pub struct Input {
    /// The closed and bounded object schema, as published and as enforced.
    pub schema: JsonObject,
    /// Name, description and whether required, in order; for prompts and templates.
    pub arguments: Vec<Argument>,
    /// Those whose values are in the audit record.
    pub audited: Audited,
}

/// One argument, as a prompt lists it.
pub struct Argument {
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: Option<String>,
    /// Whether it must be given.
    pub required: bool,
}

/// Collects the arguments of one function.
pub struct InputBuilder {
    generator: SchemaGenerator,
    properties: JsonObject,
    required: Vec<Value>,
    arguments: Vec<Argument>,
    audited: Vec<&'static str>,
}

impl Default for InputBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl InputBuilder {
    /// No arguments: the empty, closed object.
    pub fn new() -> Self {
        Self {
            generator: SchemaSettings::draft2020_12().into_generator(),
            properties: JsonObject::new(),
            required: Vec::new(),
            arguments: Vec::new(),
            audited: Vec::new(),
        }
    }

    /// The value of this argument is in the audit record.
    #[must_use]
    pub fn audited<T: AuditedArg>(mut self, name: &'static str) -> Self {
        self.audited.push(name);
        self
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg<T: ToolArg>(mut self, name: &'static str, rules: ArgRules) -> Self {
        let mut schema = self.generator.subschema_for::<T>().to_value();
        let optional = accepts_null(&schema);
        if rules.header.is_some() {
            only_absent(&mut schema);
        }
        apply(&mut schema, &rules);
        self.properties.insert(name.to_owned(), schema);
        if !optional {
            self.required.push(json!(name));
        }
        self.arguments.push(Argument {
            name: name.to_owned(),
            description: rules.description.map(str::to_owned),
            required: !optional,
        });
        self
    }

    /// The finished schema.
    pub fn finish(mut self) -> Input {
        let mut object = JsonObject::new();
        object.insert("type".into(), json!("object"));
        object.insert("properties".into(), Value::Object(self.properties));
        if !self.required.is_empty() {
            object.insert("required".into(), Value::Array(self.required));
        }
        object.insert("additionalProperties".into(), json!(false));
        let definitions = self.generator.take_definitions(true);
        if !definitions.is_empty() {
            object.insert("$defs".into(), Value::Object(definitions));
        }
        let mut root = Value::Object(object);
        close(&mut root);
        let audited = Audited::of(self.audited, &mut root);
        Input {
            schema: into_object(root),
            arguments: self.arguments,
            audited,
        }
    }

    /// The schema of a whole struct (`Args<T>`).
    pub fn whole<T: ToolArg>() -> Input {
        let mut root = SchemaSettings::draft2020_12()
            .into_generator()
            .into_root_schema_for::<T>()
            .to_value();
        close(&mut root);
        let audited = Audited::of(Vec::new(), &mut root);
        // `$schema` stays: a whole struct may use any keyword, and this names the dialect.
        let mut schema = into_object(root);
        schema.remove("title");
        schema.remove("description");
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .map(|names| names.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let arguments = schema
            .get("properties")
            .and_then(Value::as_object)
            .map(|properties| {
                properties
                    .iter()
                    .map(|(name, schema)| Argument {
                        name: name.clone(),
                        description: schema
                            .get("description")
                            .and_then(Value::as_str)
                            .map(str::to_owned),
                        required: required.contains(&name.as_str()),
                    })
                    .collect()
            })
            .unwrap_or_default();
        Input {
            schema,
            arguments,
            audited,
        }
    }
}

/// The schema of a structured output.
pub(crate) fn output_schema<T: JsonSchema>() -> JsonObject {
    let mut root = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value();
    // Of a type that is an argument, too.
    take_marks(&mut root);
    let mut schema = into_object(root);
    schema.remove("$schema");
    schema.remove("title");
    schema
}

/// `Option<T>` is the only argument type that accepts null, and so the only optional one.
fn accepts_null(schema: &Value) -> bool {
    let is_null = |t: &Value| t == "null";
    match schema.get("type") {
        Some(Value::Array(several)) => several.iter().any(is_null),
        Some(one) => is_null(one),
        None => ["anyOf", "oneOf"].iter().any(|key| {
            schema
                .get(*key)
                .and_then(Value::as_array)
                .is_some_and(|all| all.iter().any(accepts_null))
        }),
    }
}

/// A header cannot hold null, and clients drop a tool that mirrors what may be null
/// (SEP-2243 allows the primitive types only): such an argument is left out instead.
fn only_absent(schema: &mut Value) {
    if let Some(Value::Array(several)) = schema.get_mut("type") {
        several.retain(|one| one != "null");
        if let [one] = several.as_slice() {
            let one = one.clone();
            schema["type"] = one;
        }
    }
}

fn into_object(value: Value) -> JsonObject {
    match value {
        Value::Object(object) => object,
        // `true` and `false` are schemas as well.
        other => {
            let mut object = JsonObject::new();
            if other == json!(false) {
                object.insert("not".into(), json!({}));
            }
            object
        }
    }
}

fn apply(schema: &mut Value, rules: &ArgRules) {
    if schema.as_bool() == Some(true) {
        *schema = json!({});
    }
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            object.insert(key.to_owned(), value);
        }
    };
    set("description", rules.description.map(|d| json!(d)));
    set("maxLength", rules.max_len.map(|n| json!(n)));
    set("minLength", rules.min_len.map(|n| json!(n)));
    set("maxItems", rules.max_items.map(|n| json!(n)));
    set("minimum", rules.minimum.map(number));
    set("maximum", rules.maximum.map(number));
    set("pattern", rules.pattern.map(|p| json!(p)));
    set("x-mcp-header", rules.header.map(|h| json!(h)));
}

/// A whole number stays one: `1.0` in a schema reads oddly, and so does its digest.
fn number(n: f64) -> Value {
    if n.fract() == 0.0 && n.abs() < 9_007_199_254_740_992.0 {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "checked to be a whole number in range"
        )]
        let whole = n as i64;
        json!(whole)
    } else {
        json!(n)
    }
}

/// Closes every object and bounds every string, array and map, at any depth.
fn close(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    let of_type = |name: &str| match object.get("type") {
        Some(Value::String(one)) => one == name,
        Some(Value::Array(several)) => several.iter().any(|one| one == name),
        _ => false,
    };
    let (is_string, is_array, is_object) = (of_type("string"), of_type("array"), of_type("object"));
    let fixed = ["enum", "const"]
        .iter()
        .any(|key| object.contains_key(*key));
    if is_string && !fixed && !object.contains_key("maxLength") {
        object.insert("maxLength".into(), json!(bounds::STRING));
    }
    if is_array && !object.contains_key("maxItems") {
        object.insert("maxItems".into(), json!(bounds::ITEMS));
    }
    if is_object {
        let has_combinator = ["allOf", "anyOf", "oneOf", "$ref"]
            .iter()
            .any(|key| object.contains_key(*key));
        if !object.contains_key("additionalProperties") {
            // A flattened enum spreads its members over combinators; `unevaluatedProperties`
            // sees through them, `additionalProperties` does not.
            let key = if has_combinator {
                "unevaluatedProperties"
            } else {
                "additionalProperties"
            };
            object.entry(key).or_insert(json!(false));
        } else if object.get("additionalProperties") != Some(&json!(false)) {
            object
                .entry("maxProperties")
                .or_insert(json!(bounds::PROPERTIES));
        }
    }
    for (key, inner) in object.iter_mut() {
        match key.as_str() {
            "properties" | "$defs" | "definitions" | "patternProperties" | "dependentSchemas" => {
                if let Some(named) = inner.as_object_mut() {
                    named.values_mut().for_each(close);
                }
            }
            "items" | "contains" | "additionalProperties" | "propertyNames" => close(inner),
            "anyOf" | "oneOf" | "prefixItems" => {
                if let Some(list) = inner.as_array_mut() {
                    list.iter_mut().for_each(close);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn no_arguments_is_the_closed_empty_object() {
        let input = InputBuilder::new().finish();
        assert_eq!(
            Value::Object(input.schema),
            json!({"type": "object", "properties": {}, "additionalProperties": false})
        );
    }

    #[test]
    fn strings_and_arrays_are_bounded_at_every_depth() {
        let input = InputBuilder::new()
            .arg::<Vec<Option<String>>>("words", ArgRules::default())
            .finish();
        let words = &input.schema["properties"]["words"];
        assert_eq!(words["maxItems"], bounds::ITEMS);
        assert_eq!(words["items"]["maxLength"], bounds::STRING);
    }

    #[test]
    fn an_option_is_not_required_and_a_rule_wins_over_a_default() {
        let rules = ArgRules {
            max_len: Some(64),
            ..ArgRules::default()
        };
        let input = InputBuilder::new()
            .arg::<Option<u8>>("n", ArgRules::default())
            .arg::<String>("s", rules)
            .finish();
        assert_eq!(input.schema["required"], json!(["s"]));
        assert_eq!(input.schema["properties"]["s"]["maxLength"], 64);
        assert!(!input.arguments[0].required);
    }

    #[test]
    fn an_optional_argument_in_a_header_is_of_one_type() {
        let rules = ArgRules {
            header: Some("Count"),
            ..ArgRules::default()
        };
        let input = InputBuilder::new()
            .arg::<Option<i64>>("count", rules)
            .finish();
        assert_eq!(input.schema["properties"]["count"]["type"], "integer");
        assert!(!input.schema.contains_key("required"));
    }

    #[test]
    fn a_map_is_capped() {
        let input = InputBuilder::new()
            .arg::<std::collections::BTreeMap<String, u8>>("m", ArgRules::default())
            .finish();
        assert_eq!(
            input.schema["properties"]["m"]["maxProperties"],
            bounds::PROPERTIES
        );
    }
}
