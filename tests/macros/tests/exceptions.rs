//! What the macro excused is what the server finds again: one verdict on one text, at compile
//! time and at the start.

#![allow(
    missing_docs,
    deprecated,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::collections::BTreeSet;

use mcp_secure::{
    __private::{Definition, SecureService, TextException},
    Limits,
    manifest::Manifest,
    prelude::*,
};

#[doc = "The folder\u{2061} with the notes."]
#[capability(
    fs,
    allow_text(
        "hidden/math-operator",
        reason = "an operator reads it",
        until = "2027-06-30"
    )
)]
pub struct Notes;

struct S;

/// Words.
#[mcp_secure::args(allow_text(
    "hidden/private-use",
    reason = "the font of the house has it",
    until = "2027-06-30"
))]
struct Words {
    /// A logo: \u{E000}.
    #[schemars(description = "A logo: \u{E000}.")]
    word: String,
}

/// Not excused where it is declared, for nothing there is seen.
#[derive(mcp_secure::serde::Deserialize, mcp_secure::schemars::JsonSchema)]
#[serde(crate = "::mcp_secure::serde")]
#[schemars(crate = "::mcp_secure::schemars")]
enum Colour {
    #[serde(rename = "re\u{202E}d")]
    Red,
}

// Each kind of text breaks a rule of its own, so that each exception stands for one text. That
// this compiles says that the macro found all of them; were one not found, the exception for it
// would have nothing to excuse.
#[secure_server(
    name = "s",
    version = "1\u{FFF9}",
    instructions = "Be\u{2060}have.",
    allow_text("hidden/annotation", reason = "in the version", until = "2027-06-30"),
    allow_text(
        "hidden/zero-width",
        reason = "in the instructions",
        until = "2027-06-30"
    )
)]
impl S {
    #[doc = "De\u{200B}scribed."]
    #[tool(
        public,
        title = "Ti\u{202E}tle",
        unapproved = "why\u{2061}",
        allow_text(
            "hidden/zero-width",
            reason = "in the description",
            until = "2027-06-30"
        ),
        allow_text("hidden/bidi-control", reason = "in the title", until = "2027-06-30"),
        allow_text("hidden/math-operator", reason = "in a reason", until = "2027-06-30"),
        allow_text(
            "hidden/tag-character",
            reason = "in a parameter",
            until = "2027-06-30"
        ),
        allow_text("hidden/soft-hyphen", reason = "in a pattern", until = "2027-06-30")
    )]
    async fn all_in_sight(
        &self,
        #[doc = "A\u{E0041} word."]
        #[arg(pattern = "^\u{AD}$")]
        word: String,
        notes: Fs<Notes, ReadWrite>,
    ) {
        drop((word, notes));
    }

    /// What is wrong with it is in its schemas alone.
    #[tool(
        public,
        allow_text(
            "hidden/private-use",
            reason = "in a description",
            until = "2027-06-30"
        )
    )]
    async fn whole(&self, Args(words): Args<Words>) -> String {
        words.word
    }

    /// The same, one by one.
    #[tool(
        public,
        allow_text("hidden/bidi-control", reason = "in a value", until = "2027-06-30")
    )]
    async fn out_of_sight(&self, colour: Colour) {
        let _ = colour;
    }

    /// Speaks.
    #[prompt(
        public,
        allow_text(
            "hidden/zero-width",
            reason = "between the words",
            until = "2027-06-30"
        )
    )]
    async fn speak(&self, name: String) -> String {
        format!("Be\u{200B}have, {name}.")
    }
}

fn manifest(definition: &Definition<S>) -> Manifest {
    Manifest::compiled(
        definition,
        &[Notes::from_operator().into()],
        &Limits::default(),
        &["stdio"],
    )
}

/// The rules at the end of each line, for each row.
fn found(definition: &Definition<S>) -> BTreeSet<(String, String)> {
    let texts = manifest(definition).texts_with(definition);
    let refused = match texts.refuse() {
        Ok(()) => String::new(),
        Err(error) => error.to_string(),
    };
    refused
        .lines()
        .map(str::to_owned)
        .chain(texts.warnings())
        .filter_map(|line| {
            let (_, row) = line.split_once('`')?;
            let (row, _) = row.split_once('`')?;
            let (_, rule) = line.rsplit_once('[')?;
            Some((row.to_owned(), rule.trim_end_matches(']').to_owned()))
        })
        .collect()
}

#[test]
fn what_the_macro_excused_is_excused_at_the_start() {
    let definition = S::definition();
    let texts = manifest(&definition).texts_with(&definition);
    texts.refuse().unwrap();
    assert_eq!(texts.warnings().collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn without_its_exceptions_the_start_finds_what_the_macro_found() {
    let mut definition = S::definition();
    let mut excused = BTreeSet::new();
    for tool in &mut definition.tools {
        let exceptions = std::mem::take(&mut tool.about.exceptions);
        let name = tool.about.name.to_owned();
        excused.extend(
            exceptions
                .iter()
                .map(|one| (name.clone(), one.rule.to_owned())),
        );
    }
    assert_eq!(excused.len(), 7);
    assert_eq!(found(&definition), excused);
}

#[test]
fn the_macro_tells_which_exceptions_it_saw_the_texts_of() {
    let definition = S::definition();
    let spent = |exceptions: &[TextException]| -> Vec<bool> {
        exceptions.iter().map(|one| one.spent).collect()
    };
    assert_eq!(spent(definition.exceptions), [true; 2]);
    assert_eq!(spent(definition.tools[0].about.exceptions), [true; 5]);
    assert_eq!(spent(definition.tools[1].about.exceptions), [false]);
    assert_eq!(spent(definition.tools[2].about.exceptions), [false]);
    assert_eq!(spent(definition.prompts[0].about.exceptions), [true]);
}

#[test]
fn an_exception_that_no_schema_needs_stops_the_start() {
    let mut definition = S::definition();
    definition.tools[2].about.exceptions = &[TextException {
        rule: "hidden/filler",
        reason: "no text of it has one",
        until: "2027-06-30",
        spent: false,
    }];
    let refused = manifest(&definition)
        .texts_with(&definition)
        .refuse()
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains(
            "the tool `out_of_sight`: `allow_text` has nothing to excuse: no text breaks `hidden/filler`"
        ),
        "{refused}"
    );
    assert!(
        refused.contains("the tool `out_of_sight` at /inputSchema/$defs/Colour/enum/0: U+202E"),
        "{refused}"
    );
}

#[test]
fn exceptions_stand_in_the_manifest() {
    let manifest = manifest(&S::definition());
    let rules: Vec<&str> = manifest.tools[0]
        .exceptions
        .iter()
        .map(|one| one.rule.as_str())
        .collect();
    assert_eq!(
        rules,
        [
            "hidden/bidi-control",
            "hidden/math-operator",
            "hidden/soft-hyphen",
            "hidden/tag-character",
            "hidden/zero-width"
        ]
    );
    assert_eq!(manifest.capabilities[0].exceptions.len(), 1);
    assert_eq!(manifest.server.exceptions[0].until, "2027-06-30");
    let page = manifest.to_page();
    assert!(page.contains("server sets the text rule `hidden/annotation` aside until 2027-06-30"));
}
