//! What arguments are, in 64 hex digits: the same for the same, in whatever order they came.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The same on every replica. Nothing is written out: arguments may be a megabyte. Every digit of
/// a whole number counts, where the canonical form of RFC 8785 has doubles: two ids above 2^53
/// must not be one thing that a person has agreed to.
pub(crate) fn arguments_digest(arguments: &serde_json::Map<String, Value>) -> String {
    let mut hash = Sha256::new_with_prefix(b"mcp-secure arguments\0");
    object(arguments, &mut hash);
    crate::hex::hex(&hash.finalize())
}

fn object(members: &serde_json::Map<String, Value>, hash: &mut Sha256) {
    // The order of a map depends on the features of the build.
    let mut members: Vec<_> = members.iter().collect();
    members.sort_unstable_by_key(|(name, _)| *name);
    sized(b'o', members.len(), hash);
    for (name, member) in members {
        text(name, hash);
        value(member, hash);
    }
}

/// Recursion is bounded: validation has looked at the depth.
fn value(of: &Value, hash: &mut Sha256) {
    match of {
        Value::Null => hash.update(b"n"),
        Value::Bool(yes) => hash.update(if *yes { b"t" } else { b"f" }),
        Value::Number(number) => {
            hash.update(b"#");
            // `1` and `1.0` are one number to a schema, and are made one here.
            match number
                .as_f64()
                .filter(|_| !number.is_i64() && !number.is_u64())
            {
                Some(float) if float.fract() == 0.0 => text(&format!("{float:.0}"), hash),
                _ => text(&number.to_string(), hash),
            }
        }
        Value::String(string) => text(string, hash),
        Value::Array(items) => {
            sized(b'a', items.len(), hash);
            for item in items {
                value(item, hash);
            }
        }
        Value::Object(members) => object(members, hash),
    }
}

fn text(text: &str, hash: &mut Sha256) {
    sized(b's', text.len(), hash);
    hash.update(text);
}

fn sized(kind: u8, length: usize, hash: &mut Sha256) {
    hash.update([kind]);
    hash.update((length as u64).to_le_bytes());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(text: &str) -> String {
        arguments_digest(
            serde_json::from_str::<Value>(text)
                .unwrap()
                .as_object()
                .unwrap(),
        )
    }

    #[test]
    fn the_same_in_another_order_is_the_same_and_nothing_else_is() {
        assert_eq!(
            of(r#"{"a":1,"b":{"c":[1,2],"d":null}}"#),
            of(r#"{"b":{"d":null,"c":[1,2]},"a":1}"#)
        );
        assert_eq!(of(r#"{"a":1}"#), of(r#"{"a":1.0}"#));
        let all = [
            "{}",
            r#"{"a":1}"#,
            r#"{"a":"1"}"#,
            r#"{"a":[1]}"#,
            r#"{"a":[[1]]}"#,
            r#"{"a":[1,1]}"#,
            r#"{"a":[]}"#,
            r#"{"a":{}}"#,
            r#"{"a":null}"#,
            r#"{"a":true}"#,
            r#"{"a":false}"#,
            r#"{"a":1.5}"#,
            r#"{"a":9007199254740992}"#,
            r#"{"a":9007199254740993}"#,
            r#"{"b":1}"#,
            r#"{"a":"","b":1}"#,
            r#"{"a":{"b":1}}"#,
        ];
        let mut digests: Vec<_> = all.iter().map(|text| of(text)).collect();
        digests.sort();
        digests.dedup();
        assert_eq!(digests.len(), all.len());
    }
}
