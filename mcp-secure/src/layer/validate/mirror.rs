//! Arguments that are mirrored into `Mcp-Param-*` headers (SEP-2243): what a proxy routed on
//! must be what runs.
//!
//! `rmcp` can compare them, too, but it does so before anybody is authorized, so that its
//! answer tells who may not use a tool that there is one; and it compares numbers as text,
//! where 42 and 42.0 differ. It is therefore shown no tool, and the comparison is here.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName};
use rmcp::model::JsonObject;
use serde_json::{Number, Value};

/// An argument that is mirrored.
pub(crate) struct Mirrored {
    /// Where it is in the arguments.
    path: Vec<String>,
    header: HeaderName,
}

impl Mirrored {
    /// Those of a schema, also in nested objects. A mark with a name that cannot be a header
    /// stops the start.
    pub(crate) fn all(schema: &JsonObject) -> Result<Vec<Self>, String> {
        let mut all = Vec::new();
        collect(schema, &mut Vec::new(), &mut all)?;
        Ok(all)
    }
}

fn collect(
    schema: &JsonObject,
    path: &mut Vec<String>,
    all: &mut Vec<Mirrored>,
) -> Result<(), String> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return Ok(());
    };
    for (name, property) in properties {
        let Some(property) = property.as_object() else {
            continue;
        };
        path.push(name.clone());
        if let Some(header) = property.get("x-mcp-header") {
            let header = header
                .as_str()
                .and_then(|header| format!("mcp-param-{header}").parse().ok())
                .ok_or_else(|| format!("`x-mcp-header` of `{name}` is not a header name"))?;
            all.push(Mirrored {
                path: path.clone(),
                header,
            });
        }
        collect(property, path, all)?;
        path.pop();
    }
    Ok(())
}

/// Compares all of them. The error names the header, never a value.
pub(super) fn check(
    mirrored: &[Mirrored],
    headers: &HeaderMap,
    arguments: &JsonObject,
) -> Result<(), String> {
    for Mirrored { path, header } in mirrored {
        let mut values = headers.get_all(header).iter();
        let said = values.next();
        if values.next().is_some() {
            return Err(format!("duplicate {header} header"));
        }
        match (said, find(arguments, path)) {
            (None, None) => {}
            (Some(_), None) => return Err(format!("{header} has no argument that it mirrors")),
            (None, Some(_)) => return Err(format!("missing {header} header")),
            (Some(said), Some(given)) => {
                let decoded = said.to_str().ok().and_then(decode);
                if !decoded.is_some_and(|said| is_same(&said, given)) {
                    return Err(format!("{header} does not match its argument"));
                }
            }
        }
    }
    Ok(())
}

/// The argument, unless it is absent, null, or nothing that a header could hold.
fn find<'a>(arguments: &'a JsonObject, path: &[String]) -> Option<&'a Value> {
    let (last, parents) = path.split_last()?;
    let parent = parents.iter().try_fold(arguments, |object, name| {
        object.get(name).and_then(Value::as_object)
    })?;
    parent
        .get(last)
        .filter(|v| v.is_string() || v.is_number() || v.is_boolean())
}

/// `=?base64?…?=` in strict Base64, and everything else as it is.
fn decode(value: &str) -> Option<String> {
    let wrapped = value
        .strip_prefix("=?base64?")
        .and_then(|rest| rest.strip_suffix("?="));
    match wrapped {
        Some(encoded) => String::from_utf8(STANDARD.decode(encoded).ok()?).ok(),
        None => Some(value.to_owned()),
    }
}

/// Integers are numbers, in any spelling that JSON has for them (spec HEADERS-10).
fn is_same(said: &str, given: &Value) -> bool {
    match given {
        Value::String(text) => said == text,
        Value::Bool(switch) => said == if *switch { "true" } else { "false" },
        Value::Number(number) => {
            // The parser would skip white space around it.
            let said = (said.trim() == said).then(|| serde_json::from_str::<Number>(said).ok());
            let said = said.flatten();
            said.as_ref()
                .and_then(whole)
                .is_some_and(|said| whole(number) == Some(said))
        }
        _ => false,
    }
}

/// A whole number that every JSON parser reads alike: within ±(2^53 - 1).
fn whole(number: &Number) -> Option<i64> {
    const MAX: i64 = (1 << 53) - 1;
    let whole = number.as_i64().or_else(|| {
        let float = number.as_f64().filter(|float| float.fract() == 0.0)?;
        #[allow(
            clippy::cast_possible_truncation,
            reason = "saturates, and the range is next"
        )]
        let whole = float as i64;
        Some(whole)
    })?;
    (-MAX..=MAX).contains(&whole).then_some(whole)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn passes(said: &[&str], given: Value) -> bool {
        let schema = json!({"properties": { "a": { "properties": {
            "n": { "x-mcp-header": "N" },
        }}}});
        let mirrored = Mirrored::all(schema.as_object().unwrap()).unwrap();
        let mut headers = HeaderMap::new();
        for value in said {
            headers.append("mcp-param-n", value.parse().unwrap());
        }
        let arguments = json!({"a": { "n": given }});
        check(&mirrored, &headers, arguments.as_object().unwrap()).is_ok()
    }

    #[test]
    fn integers_are_compared_as_numbers() {
        for same in ["42", "42.0", "4.2e1", "=?base64?NDI=?="] {
            assert!(passes(&[same], json!(42)), "{same}");
            assert!(passes(&[same], json!(42.0)), "{same}");
        }
        for other in ["042", "43", "42.5", "0x2a", "", "+42", " 42", "NaN", "42 "] {
            assert!(!passes(&[other], json!(42)), "{other}");
        }
        // Beyond 2^53 two numbers may be one: neither is taken.
        assert!(!passes(
            &["9007199254740993"],
            json!(9_007_199_254_740_993_i64)
        ));
        assert!(passes(
            &["9007199254740991"],
            json!(9_007_199_254_740_991_i64)
        ));
    }

    #[test]
    fn text_is_compared_as_it_is_and_base64_is_strict() {
        assert!(passes(&["=?base64?SGVsbG8=?="], json!("Hello")));
        assert!(!passes(&["=?base64?SGVsbG8?="], json!("Hello")), "padding");
        assert!(
            !passes(&["=?base64?SGVs!!!bG8=?="], json!("Hello")),
            "alphabet"
        );
        assert!(
            passes(&["SGVsbG8="], json!("SGVsbG8=")),
            "no wrapper, no Base64"
        );
        assert!(!passes(&["hello"], json!("Hello")));
        assert!(!passes(&["42"], json!("42.0")), "text stays text");
        assert!(passes(&["true"], json!(true)));
        assert!(!passes(&["TRUE"], json!(true)));
    }

    #[test]
    fn one_header_for_one_argument() {
        assert!(!passes(&["a", "a"], json!("a")), "twice");
        assert!(!passes(&[], json!("a")), "missing");
        assert!(!passes(&["a"], json!(null)), "nothing to mirror");
        assert!(passes(&[], json!(null)));
    }
}
