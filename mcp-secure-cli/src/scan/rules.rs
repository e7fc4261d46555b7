//! The list of rules.

use std::io::{self, Write};

use mcp_secure_text::{rule, secret, toolset};

use super::{Ended, Result, print, written};

pub(super) fn list() -> Result<Ended> {
    let mut output = io::stdout().lock();
    for about in rule::ALL.iter().filter_map(|id| rule::about(id)) {
        let line = format!("{:32} {} ({})", about.id, about.advice, about.source);
        written(writeln!(output, "{}", print::safe(&line)))?;
    }
    for id in toolset::RULES {
        written(writeln!(output, "{id}"))?;
    }
    for detector in secret::DETECTORS {
        let (id, title, source) = (detector.id, detector.title, detector.source);
        let line = format!("{id:32} {title} ({source})");
        written(writeln!(output, "{}", print::safe(&line)))?;
    }
    Ok(Ended::Well)
}

/// Whether there is such a rule.
pub(super) fn is_known(id: &str) -> bool {
    rule::ALL
        .iter()
        .chain(toolset::RULES)
        .any(|rule| *rule == id)
}
