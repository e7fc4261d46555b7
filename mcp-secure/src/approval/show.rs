//! What a person is shown: all of it, and nothing that looks like something else.

#[cfg(feature = "http")]
use serde_json::Value;

use crate::manifest::Manifest;

/// What a tool may do and where, a line each, from the manifest.
///
/// Of what the operator bound, only destinations beyond this host: which folder of the host a
/// capability is, is not the caller's business.
pub(crate) fn effects(manifest: &Manifest, tool: &str) -> Vec<String> {
    let Some(entry) = manifest.tools.iter().find(|entry| entry.name == tool) else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    let effects = &entry.effects;
    for (is, line) in [
        (effects.writes, "It changes something that stays."),
        (effects.destructive, "What it changes may be lost."),
        (effects.open_world, "It reaches beyond this server."),
        (effects.private, "It reads private data."),
        (
            effects.open_sink,
            "It can send to an address that is chosen at run time.",
        ),
    ] {
        if is {
            lines.push(line.to_owned());
        }
    }
    for handle in &entry.handles {
        if handle.capability.is_empty() {
            continue;
        }
        let mut line = format!("{} {}: {}", handle.kind, handle.access, handle.capability);
        let named = |name: &str| name == handle.capability;
        if let Some(capability) = manifest.capabilities.iter().find(|c| named(&c.name)) {
            let bound = manifest.effective.as_ref().and_then(|effective| {
                let grant = effective.grants.iter().find(|grant| named(&grant.name))?;
                matches!(handle.kind.as_str(), "net" | "tcp").then(|| grant.path.clone())
            });
            if let Some(place) = bound.or_else(|| capability.reaches.clone()) {
                line.push_str(&format!(" at {place}"));
            }
            if !capability.doc.is_empty() {
                line.push_str(&format!(" ({})", capability.doc));
            }
        }
        lines.push(line);
    }
    lines
}

/// Arguments as text, in one order whatever the caller's was.
#[cfg(feature = "http")]
pub(crate) fn pretty(arguments: &serde_json::Map<String, Value>) -> Option<String> {
    serde_json::to_string_pretty(&sorted(&Value::Object(arguments.clone()))).ok()
}

#[cfg(feature = "http")]
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            let members = members
                .into_iter()
                .map(|(name, member)| (name.clone(), sorted(member)));
            Value::Object(members.collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

/// A piece of text as it is put on a page.
#[cfg(feature = "http")]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Plain(&'a str),
    /// A character that nobody would see, or that would change how others are seen.
    Hidden(char),
}

/// Text in pieces, nothing left out. A character that the text engine would escape is a piece of
/// its own, so that on the page it cannot be taken for somebody's typing of the same escape.
#[cfg(feature = "http")]
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut plain = 0;
    for (at, c) in text.char_indices() {
        if is_seen(c) {
            continue;
        }
        if let Some(before) = text.get(plain..at).filter(|before| !before.is_empty()) {
            pieces.push(Piece::Plain(before));
        }
        pieces.push(Piece::Hidden(c));
        plain = at + c.len_utf8();
    }
    if let Some(rest) = text.get(plain..).filter(|rest| !rest.is_empty()) {
        pieces.push(Piece::Plain(rest));
    }
    pieces
}

/// Whether a character is what it looks like. One at a time: whoever agrees to an emoji that is
/// joined of several sees its joiners, too, which is more than they need and never less.
#[cfg(feature = "http")]
fn is_seen(c: char) -> bool {
    if matches!(c, ' '..='~' | '\n') {
        return true;
    }
    let mut one = [0; 4];
    let text: &str = c.encode_utf8(&mut one);
    !c.is_control()
        && !is_blank(c)
        && mcp_secure_text::sanitize(text, mcp_secure_text::Policy::Escape).as_str() == text
}

/// Spaces that are not the space, and letters without ink.
#[cfg(feature = "http")]
fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'
                ..='\u{180f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}'
                | '\u{e0100}'..='\u{e01ef}'
        )
}

#[cfg(all(test, feature = "http"))]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_character_is_not_the_typing_of_its_escape() {
        assert_eq!(
            pieces("a\u{202e}b\\u{202E}"),
            [
                Piece::Plain("a"),
                Piece::Hidden('\u{202e}'),
                Piece::Plain("b\\u{202E}")
            ]
        );
        for hidden in [
            '\0',
            '\t',
            '\r',
            '\u{1b}',
            '\u{7f}',
            '\u{85}',
            '\u{a0}',
            '\u{ad}',
            '\u{200b}',
            '\u{200d}',
            '\u{2028}',
            '\u{2066}',
            '\u{2800}',
            '\u{3000}',
            '\u{3164}',
            '\u{feff}',
            '\u{fe0f}',
            '\u{e0041}',
        ] {
            let text = format!("a{hidden}b");
            assert_eq!(
                pieces(&text),
                [Piece::Plain("a"), Piece::Hidden(hidden), Piece::Plain("b")],
                "{hidden:?}"
            );
        }
        for seen in ["", "plain text\nof two lines", "Grüße, 東京 🎉"] {
            assert!(pieces(seen).iter().all(|p| matches!(p, Piece::Plain(_))));
        }
    }
}
