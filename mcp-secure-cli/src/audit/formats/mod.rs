//! Records in the forms that security teams' systems read. A mapping loses the order of a chained
//! log and its proofs: what is proved is proved with the log itself.

mod cef;
mod ocsf;
mod otlp;

pub(super) use cef::cef;
pub(super) use ocsf::ocsf;
pub(super) use otlp::otlp;

use mcp_secure::Result;
use serde_json::Value;

use super::{lines::Line, read::Query};

/// Prints the records that fit in one form.
pub(super) fn export(query: &Query, form: fn(&Line) -> Option<String>) -> Result<()> {
    let mut passed = 0_u64;
    query.run(&mut |line| {
        let text = Line::parse(line).and_then(|line| form(&line));
        passed += u64::from(text.is_none());
        text.map(String::into_bytes)
    })?;
    if passed > 0 {
        eprintln!("note: {passed} lines are no records of a request, and were passed over");
    }
    Ok(())
}

/// Adds a member to what is an object.
fn put(object: &mut Value, key: &str, value: impl Into<Value>) {
    if let Some(members) = object.as_object_mut() {
        members.insert(key.to_owned(), value.into());
    }
}
