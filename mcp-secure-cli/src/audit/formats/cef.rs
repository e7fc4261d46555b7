//! Common Event Format: one line of text, whose escaping is all that keeps a field in its place.

use std::fmt::Write as _;

use super::Line;
use crate::audit::lines::shown;

/// One record as one line.
pub(in crate::audit) fn cef(line: &Line) -> Option<String> {
    let refused = line.event() == "refused";
    let denied = refused || line.text("decision") == "deny";
    let outcome = match line.event() {
        "outcome" => line.text("outcome"),
        "account" => line.text("what"),
        other => other,
    };
    let signature = match line.text("control") {
        "" => line.event(),
        control => control,
    };
    let severity = match outcome {
        _ if refused => 4,
        _ if denied => 6,
        "failed" | "panic" | "timeout" => 5,
        _ => 1,
    };
    let mut text = String::from("CEF:0|mcp-secure|mcp-secure|");
    let version = line.number("v").unwrap_or_default().to_string();
    for field in [&version, signature, &format!("MCP {outcome}")] {
        header(&mut text, field);
        text.push('|');
    }
    let _ = write!(text, "{severity}|");
    let mut field = |key: &str, value: &str| {
        if !value.is_empty() {
            let _ = write!(text, "{key}=");
            extension(&mut text, value);
            text.push(' ');
        }
    };
    let number = |field: &str| {
        line.number(field)
            .map(|n| n.to_string())
            .unwrap_or_default()
    };
    field("rt", &line.time().unwrap_or_default().to_string());
    field("act", if denied { "deny" } else { "allow" });
    field("outcome", outcome);
    field("externalId", line.text("id"));
    field("app", line.text("transport"));
    field("requestMethod", line.text("op"));
    field("suid", line.principal("subject"));
    field("sntdom", line.principal("issuer"));
    field("reason", line.text("reason"));
    field("cnt", &number("count"));
    field("in", &number("bytes_in"));
    field("out", &number("bytes_out"));
    for (at, (label, value)) in [
        ("target", line.text("target")),
        ("client", line.principal("client")),
        ("session", line.text("session")),
        ("argumentsDigest", line.text("arguments_digest")),
        ("manifest", line.text("manifest")),
        // No record has both.
        match line.event() {
            "account" => ("entry", line.text("entry")),
            _ => ("peer", line.text("peer")),
        },
    ]
    .into_iter()
    .enumerate()
    {
        if !value.is_empty() {
            field(&format!("cs{}Label", at + 1), label);
            field(&format!("cs{}", at + 1), value);
        }
    }
    if line.number("duration_us").is_some() {
        field("cn1Label", "durationMicroseconds");
        field("cn1", &number("duration_us"));
    }
    text.truncate(text.trim_end().len());
    Some(text)
}

/// Between bars: `\` and `|` are escaped, and there is no way to write the end of a line.
fn header(out: &mut String, value: &str) {
    for c in shown(value).chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '|' => out.push_str("\\|"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
}

/// Behind `key=`: `\`, `=` and ends of lines are escaped. A bar means nothing here.
fn extension(out: &mut String, value: &str) {
    for c in shown(value).chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '=' => out.push_str("\\="),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
}
