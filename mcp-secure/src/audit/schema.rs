//! The published schema of the records, made from their types.

use schemars::{JsonSchema, generate::SchemaSettings};

use super::record::{Account, Answer, Intent, Outcome, Refused, Sandbox, Telemetry};

/// What a line of the log is. A reader passes over the fields that it does not know (a chained
/// log has its own in each line), and over lines of other events.
#[derive(JsonSchema)]
#[schemars(untagged, title = "Audit record of mcp-secure, version 2")]
#[allow(dead_code, clippy::large_enum_variant, reason = "only described")]
enum Record<'a> {
    Outcome(Outcome<'a>),
    Intent(Intent<'a>),
    Approval(Answer<'a>),
    Account(Account<'a>),
    Refused(Refused<'a>),
    Sandbox(Sandbox<'a>),
    Telemetry(Telemetry),
}

/// The fields of a report of the sandbox; what is in them is the sandbox's business.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "only described")]
pub(super) struct Report {
    level: String,
    landlock_abi: u32,
    rows: Vec<serde_json::Value>,
    files: Vec<serde_json::Value>,
    self_tests: Vec<serde_json::Value>,
    helpers: Vec<serde_json::Value>,
}

/// Run with `UPDATE_AUDIT_SCHEMA=1` after a change of the types, and read the difference.
#[test]
fn the_published_schema_is_that_of_the_types() {
    let schema = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<Record<'static>>();
    let made = serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n";
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../book/src/audit-record.schema.json"
    );
    if std::env::var_os("UPDATE_AUDIT_SCHEMA").is_some() {
        assert!(std::fs::write(path, &made).is_ok());
    }
    let published = std::fs::read_to_string(path).unwrap_or_default();
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap_or_default();
    assert_eq!(value(&made), value(&published), "`{path}` is old");
}
