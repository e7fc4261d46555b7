//! What visible words ask for.
//!
//! Wording is weighed, not judged: each rule that matches adds its weight, and a text is flagged
//! from [`ENOUGH`](rules::ENOUGH) on. A reading that had to be decoded counts for more, since
//! honest texts do not hide what they say.

mod engine;
mod lexicon;
mod rules;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_languages;
mod words;

use crate::report::{Evidence, Field, Finding, Severity, View};
use crate::view;
use engine::{ENGINE, Match};
use rules::{ENOUGH, Rule};

/// How many matches are weighed at once. More are weighed in turn, so that a flood of weak ones
/// cannot hide a strong one behind it.
const MAX_MATCHES: usize = 256;

/// How many findings of one rule are told.
const MAX_OF_RULE: usize = 8;

/// How far apart, in bytes, evidence may stand and still add up.
const NEAR: usize = 320;

/// What the words of `text` ask for, if it is enough to flag it.
pub(crate) fn inspect(text: &str, field: Field, findings: &mut Vec<Finding>) {
    let engine = &*ENGINE;
    let mut weighed = Scales::new(field);
    let mut weigh = |reading| weighed.reading(engine, &reading);
    if !text.is_ascii() || engine.may_match(text) {
        view::readings(text, &mut weigh);
    } else {
        view::ascii(text, &mut weigh);
    }
    weighed.finish(findings);
}

struct Weighed {
    finding: Finding,
    weight: u32,
}

struct Scales {
    field: Field,
    findings: Vec<Weighed>,
    /// Those that are flagged, whatever comes.
    settled: Vec<Finding>,
}

impl Scales {
    fn new(field: Field) -> Self {
        Self {
            field,
            findings: Vec::new(),
            settled: Vec::new(),
        }
    }

    fn weight(&self, rule: &Rule, view: View) -> u32 {
        let weight = match self.field {
            // A pattern spells out the characters that it keeps away.
            Field::SchemaText if rule.id == crate::rule::WORDS_ESCAPED_CONTROL => 0,
            Field::ToolOutput => rule.weight.1,
            // An honest value asks nobody for anything.
            Field::EnumValue | Field::Example => 2 * rule.weight.0,
            _ => rule.weight.0,
        };
        match view {
            View::Text | View::Folded => weight,
            _ => weight + weight / 2,
        }
    }

    fn reading(&mut self, engine: &engine::Engine, reading: &view::Reading) {
        let joined = matches!(reading.view, View::Joined);
        let mut found: Vec<Match> = Vec::new();
        engine.matches(&reading.text, joined, &mut found);
        for hit in found {
            let weight = self.weight(hit.rule, reading.view);
            if weight == 0 {
                continue;
            }
            let span = reading.span(hit.span);
            let known = self.findings.iter().any(|known| {
                known.finding.rule == hit.rule.id
                    && known.weight >= weight
                    && known.finding.span.start < span.end
                    && span.start < known.finding.span.end
            });
            if known {
                continue;
            }
            if self.findings.len() >= MAX_MATCHES {
                self.settle(span.start);
            }
            self.findings.push(Weighed {
                finding: Finding {
                    rule: hit.rule.id,
                    span,
                    severity: Severity::Warn,
                    view: reading.view,
                    evidence: Evidence::Words(hit.words),
                    advice: hit.rule.advice,
                },
                weight,
            });
        }
    }

    /// Tells what is flagged, and forgets what cannot count with anything from `here` on.
    fn settle(&mut self, here: usize) {
        self.findings
            .sort_by_key(|weighed| weighed.finding.span.start);
        // What stands far apart is not said together: only what is close adds up.
        let mut flagged = vec![false; self.findings.len()];
        for (first, from) in self.findings.iter().enumerate() {
            let near = self
                .findings
                .get(first..)
                .unwrap_or_default()
                .iter()
                .take_while(|w| w.finding.span.start <= from.finding.span.start + NEAR);
            let mut rules: Vec<(&str, u32)> = Vec::new();
            for weighed in near.clone() {
                let rule = weighed.finding.rule;
                match rules.iter_mut().find(|(known, _)| *known == rule) {
                    Some((_, known)) => *known = weighed.weight.max(*known),
                    None => rules.push((rule, weighed.weight)),
                }
            }
            if rules.iter().map(|(_, weight)| weight).sum::<u32>() >= ENOUGH {
                let count = near.count();
                flagged
                    .iter_mut()
                    .skip(first)
                    .take(count)
                    .for_each(|f| *f = true);
            }
        }
        for (weighed, flagged) in self.findings.iter().zip(flagged) {
            if !flagged {
                continue;
            }
            let mut finding = weighed.finding.clone();
            if weighed.weight > ENOUGH && self.field != Field::ToolOutput {
                finding.severity = Severity::Deny;
            }
            let of_rule = self.settled.iter().filter(|t| t.rule == finding.rule);
            let worst = of_rule.clone().map(|told| told.severity).max();
            let room = of_rule.count() < MAX_OF_RULE || worst < Some(finding.severity);
            if room && !self.settled.contains(&finding) {
                self.settled.push(finding);
            }
        }
        // Of each rule the strongest of those that are close enough to count with what comes.
        let mut kept: Vec<Weighed> = Vec::new();
        for weighed in self.findings.drain(..) {
            if weighed.finding.span.start + NEAR < here {
                continue;
            }
            let rule = weighed.finding.rule;
            match kept.iter_mut().find(|known| known.finding.rule == rule) {
                Some(known) if known.weight > weighed.weight => {}
                Some(known) => *known = weighed,
                None => kept.push(weighed),
            }
        }
        self.findings = kept;
    }

    fn finish(mut self, findings: &mut Vec<Finding>) {
        self.settle(usize::MAX);
        findings.append(&mut self.settled);
    }
}
