//! Every text that a server shows, inspected before it serves one of them.
//!
//! The macros have inspected the same literals as the same fields (`check/text.rs` in
//! `mcp-secure-macros`: keep it in step). This sees what they cannot: schemas that derives
//! wrote, and definitions that were made in another way.

use std::{
    collections::{BTreeSet, HashSet},
    fmt,
};

use mcp_secure_text::{
    Field, Policy, Severity, inspect, sanitize,
    toolset::{Kind, walk},
};
use serde_json::Value;

use super::{Access, CompletionRow, Entry, Exception, Manifest};
use crate::{
    Error, Result,
    definition::{About, Definition, TextException},
    schema::Input,
};

/// What the text rules find in a server, with its reviewed exceptions applied.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Texts {
    found: Vec<Found>,
}

/// One finding.
#[derive(Clone, Debug)]
struct Found {
    severity: Severity,
    /// Whose text it is: ``the tool `read_note` ``.
    row: String,
    /// Where in it, as a JSON pointer; empty for all of it.
    pointer: String,
    what: String,
}

impl Manifest {
    /// Inspects every text in the manifest, with the exceptions that stand beside it.
    ///
    /// Schemas are in a manifest as digests only; the server inspects them when it starts.
    pub fn texts(&self) -> Texts {
        let mut texts = Texts::default();
        self.inspect(&mut texts, |_, _, _| {}, |_, _| {});
        texts
    }

    /// As [`texts`](Self::texts), with all schemas of the definition that this was made of.
    #[doc(hidden)]
    pub fn texts_with<S>(&self, definition: &Definition<S>) -> Texts {
        let mut texts = Texts::default();
        let about_of = |kind: &str, entry: &Entry| -> Option<Served<'_>> {
            let is = |about: &About| about.name == entry.name;
            match kind {
                "tool" => definition.tools.iter().find(|t| is(&t.about)).map(|t| {
                    let output = t.output.as_ref();
                    (&t.about, &t.input, output)
                }),
                "prompt" => definition
                    .prompts
                    .iter()
                    .find(|p| is(&p.about))
                    .map(|p| (&p.about, &p.input, None)),
                _ => definition
                    .resources
                    .iter()
                    .find(|r| is(&r.about) && entry.uri.as_deref() == Some(r.uri))
                    .map(|r| (&r.about, &r.input, None)),
            }
        };
        self.inspect(
            &mut texts,
            |reader, kind, entry| {
                let Some((about, input, output)) = about_of(kind, entry) else {
                    return;
                };
                reader.schema(&Value::Object(input.schema.clone()), "/inputSchema");
                if let Some(output) = output {
                    reader.schema(&Value::Object(output.clone()), "/outputSchema");
                }
                reader.unspent(about.exceptions);
            },
            |reader, row| {
                let declared = match row {
                    None => definition.exceptions,
                    Some(row) => definition
                        .completions
                        .iter()
                        .find(|one| {
                            super::compile::target(&one.target) == row.target
                                && one.argument == row.argument
                        })
                        .map_or(&[][..], |one| one.exceptions),
                };
                reader.unspent(declared);
            },
        );
        texts
    }

    /// Reads every row; `more` and `rest` add what only the definition has.
    fn inspect(
        &self,
        texts: &mut Texts,
        more: impl Fn(&mut Reader<'_>, &str, &Entry),
        rest: impl Fn(&mut Reader<'_>, Option<&CompletionRow>),
    ) {
        let mut reader = Reader::new(texts, "the server".to_owned(), &self.server.exceptions);
        reader.read(&self.server.name, Field::Name, "/name");
        reader.read(&self.server.version, Field::Annotation, "/version");
        if let Some(instructions) = &self.server.instructions {
            reader.read(&instructions.text, Field::Instructions, "/instructions");
        }
        rest(&mut reader, None);
        for capability in &self.capabilities {
            let row = format!("the capability `{}`", capability.name);
            let mut reader = Reader::new(texts, row, &capability.exceptions);
            reader.read(&capability.name, Field::Name, "/name");
            reader.read(&capability.doc, Field::Description, "/doc");
        }
        for (kind, entry) in self.entries() {
            let row = format!("the {kind} `{}`", entry.name);
            let mut reader = Reader::new(texts, row, &entry.exceptions);
            reader.entry(entry);
            more(&mut reader, kind, entry);
        }
        for row in &self.completions {
            let label = format!("the {}", row.label());
            let mut reader = Reader::new(texts, label, &row.exceptions);
            match row.target.split_once(' ') {
                Some(("prompt", name)) => reader.read(name, Field::Name, "/ref/name"),
                Some((_, uri)) => reader.read(uri, Field::Annotation, "/ref/uri"),
                None => reader.read(&row.target, Field::Annotation, "/ref"),
            }
            reader.read(&row.argument, Field::ParameterName, "/argument/name");
            rest(&mut reader, Some(row));
        }
    }
}

type Served<'a> = (
    &'a About,
    &'a Input,
    Option<&'a serde_json::Map<String, Value>>,
);

impl Texts {
    /// Stops a server that would show what no person agrees to.
    ///
    /// # Errors
    ///
    /// When a text is refused, or an exception excuses nothing.
    pub fn refuse(&self) -> Result<()> {
        let refused: Vec<&Found> = self.of(Severity::Deny).collect();
        let Some(first) = refused.first() else {
            return Ok(());
        };
        let mut message = if refused.len() == 1 {
            format!("a text is refused: {first}")
        } else {
            let mut lines = format!("{} texts are refused:", refused.len());
            for one in refused.iter().take(LISTED) {
                lines.push_str(&format!("\n  {one}"));
            }
            lines
        };
        if refused.len() > LISTED {
            message.push_str(&format!("\n  and {} more", refused.len() - LISTED));
        }
        Err(Error::new(message).help(
            "change the texts in the code; what a reviewer agrees to can be set aside there with \
             `allow_text(…)`",
        ))
    }

    /// What a person should look at, one line each.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        self.of(Severity::Warn).map(ToString::to_string)
    }

    fn of(&self, severity: Severity) -> impl Iterator<Item = &Found> {
        self.found
            .iter()
            .filter(move |found| found.severity == severity)
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names of rows and members are texts as well.
        let place = match self.pointer.as_str() {
            "" => self.row.clone(),
            pointer => format!("{} at {pointer}", self.row),
        };
        let place = sanitize(place, Policy::Escape);
        write!(f, "{}: {}", place.as_str(), self.what)
    }
}

/// Reads the texts of one row.
struct Reader<'a> {
    texts: &'a mut Texts,
    row: String,
    exceptions: Vec<&'a str>,
    spent: BTreeSet<&'static str>,
    /// The same text, as the same field, is told once.
    seen: HashSet<(Field, String)>,
}

impl<'a> Reader<'a> {
    fn new(texts: &'a mut Texts, row: String, exceptions: &'a [Exception]) -> Self {
        let mut reader = Self {
            texts,
            row,
            exceptions: exceptions.iter().map(|one| one.rule.as_str()).collect(),
            spent: BTreeSet::new(),
            seen: HashSet::new(),
        };
        for (at, exception) in exceptions.iter().enumerate() {
            reader.read(
                &exception.reason,
                Field::Annotation,
                &format!("/exceptions/{at}/reason"),
            );
        }
        // They excuse each other, and do not count as what is excused.
        reader.spent.clear();
        reader
    }

    fn entry(&mut self, entry: &Entry) {
        self.read(&entry.name, Field::Name, "/name");
        if let Some(title) = &entry.title {
            self.read(title, Field::Title, "/title");
        }
        self.read(&entry.description.text, Field::Description, "/description");
        if let Some(uri) = &entry.uri {
            self.read(uri, Field::Annotation, "/uri");
        }
        if let Some(mime_type) = &entry.mime_type {
            self.read(mime_type, Field::Annotation, "/mimeType");
        }
        if let Access::Scopes(scopes) = &entry.access {
            for (at, scope) in scopes.iter().enumerate() {
                self.read(scope, Field::Annotation, &format!("/access/scopes/{at}"));
            }
        }
        for (at, argument) in entry.arguments.iter().enumerate() {
            let at = format!("/arguments/{at}");
            self.read(&argument.name, Field::ParameterName, &format!("{at}/name"));
            if let Some(description) = &argument.description {
                let at = format!("{at}/description");
                self.read(description, Field::ParameterDoc, &at);
            }
        }
        for (at, allowance) in entry.allowances.iter().enumerate() {
            self.read(
                &allowance.reason,
                Field::Annotation,
                &format!("/allowances/{at}/reason"),
            );
        }
    }

    fn schema(&mut self, schema: &Value, root: &str) {
        walk(schema, root, Kind::Schema, &mut |place| {
            self.read(place.text, place.field, place.pointer);
        });
    }

    fn read(&mut self, text: &str, field: Field, pointer: &str) {
        let mut report = inspect(text, field);
        if report.is_clean() || !self.seen.insert((field, text.to_owned())) {
            return;
        }
        let all = report.findings.len() + report.omitted;
        let omitted = report.omitted > 0;
        self.spent
            .extend(report.findings.iter().map(|finding| finding.rule));
        if !self.exceptions.is_empty() {
            report = report.without(&self.exceptions);
        }
        // What is not in the report cannot be excused either.
        if omitted
            && !report
                .findings
                .iter()
                .any(|finding| finding.severity_of_ones_own() == Severity::Deny)
        {
            self.say(
                Severity::Deny,
                pointer,
                format!("{all} findings, more than can be told one by one"),
            );
        }
        for finding in report.findings {
            self.say(finding.severity_of_ones_own(), pointer, finding.to_string());
        }
    }

    fn say(&mut self, severity: Severity, pointer: &str, what: String) {
        self.texts.found.push(Found {
            severity,
            row: self.row.clone(),
            pointer: pointer.to_owned(),
            what,
        });
    }

    /// Exceptions that nothing needs, here or where the macro looked.
    fn unspent(&mut self, exceptions: &[TextException]) {
        for exception in exceptions {
            if !exception.spent && !self.spent.contains(exception.rule) {
                self.say(
                    Severity::Deny,
                    "",
                    format!(
                        "`allow_text` has nothing to excuse: no text breaks `{}`; remove it",
                        exception.rule
                    ),
                );
            }
        }
    }
}

/// So many findings are told; an operator fixes none of them.
const LISTED: usize = 20;
