//! From the text of `mcp-secure.toml` to a [`Config`]. The tree is walked by hand rather than
//! derived, so that each message names the file, the line, the column and the whole key.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    config::{
        AuditTarget, Config, LIMIT_KEYS, Unit, absolute, address, approvals::Wished, tools::Bound,
    },
    suggest,
};
#[cfg(feature = "sandbox")]
use crate::sandbox::Level;
use crate::{
    Error, Hidden, Result, Secret,
    approval::{Hook, Wish, WishedWay},
    audit::{OnFull, Settings},
};

/// A value and where it is written.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    line: usize,
    column: usize,
}

impl<T> Placed<T> {
    /// `file:line:column`
    pub(super) fn place(&self, file: &str) -> String {
        format!("{file}:{}:{}", self.line, self.column)
    }
}

/// Reads the text of a file. Relative paths in it are relative to `folder`.
pub(super) fn parse(file: &str, folder: &Path, text: &str) -> Result<Config> {
    let reader = Reader { file, folder, text };
    let root = DeTable::parse(text).map_err(|error| {
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        reader.error(&error.span().unwrap_or(0..0), message)
    })?;
    let mut config = Config {
        file: file.to_owned(),
        folder: folder.to_owned(),
        ..Config::default()
    };
    // In the order of the file: of several mistakes the first is named.
    let mut sections: Vec<_> = root.get_ref().iter().collect();
    sections.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in sections {
        let name: &str = key.get_ref();
        let section = |known| reader.table(name, value, known);
        match name {
            "grants" => {
                for entry in reader.any_table(name, value)? {
                    let written = reader.text(&entry)?;
                    // What it means depends on what the code declares under this name; what
                    // can be no path is nothing else either.
                    let written = reader.judged(&entry, written, |text| {
                        absolute(folder, Path::new(text)).map(|_| text.to_owned())
                    })?;
                    config.grants.push((entry.name.to_owned(), written));
                }
            }
            "limits" => {
                let known: Vec<&str> = LIMIT_KEYS.iter().map(|key| key.name).collect();
                for entry in section(&known)? {
                    let Some(key) = LIMIT_KEYS.iter().find(|key| key.name == entry.name) else {
                        continue;
                    };
                    config.limits.push((key, reader.amount(&entry, key.unit)?));
                }
            }
            "transport" => {
                for entry in section(&["default"])? {
                    config.transport = Some(reader.text(&entry)?.map(str::to_owned));
                }
            }
            "http" => {
                for entry in section(&["addr", "token_file"])? {
                    match entry.name {
                        "addr" => {
                            let addr = reader.text(&entry)?;
                            config.http_addr = Some(reader.judged(&entry, addr, address)?);
                        }
                        _ => config.token_file = Some(reader.path(&entry)?),
                    }
                }
            }
            "unix" => {
                for entry in section(&["path"])? {
                    config.unix_path = Some(reader.path(&entry)?);
                }
            }
            "audit" => {
                for entry in section(&AUDIT)? {
                    if reader.audit(&entry, &mut config.audit_settings)? {
                        continue;
                    }
                    let target = match entry.name {
                        "path" => reader.path(&entry)?.map(AuditTarget::File),
                        _ => reader
                            .only_true(&entry, "there is always an audit log")?
                            .map(|()| AuditTarget::Stderr),
                    };
                    if config.audit.replace(target).is_some() {
                        return Err(reader
                            .error(
                                &entry.key,
                                "`audit.path` and `audit.stderr` exclude each other".into(),
                            )
                            .help("keep one of the two"));
                    }
                }
            }
            #[cfg(feature = "otel")]
            "otel" => {
                let mut otel = crate::otel::Otlp::to("");
                for entry in section(&["endpoint", "headers_file", "ca_file", "private", "every"])?
                {
                    match entry.name {
                        "endpoint" => otel.to.url = reader.text(&entry)?.value.to_owned(),
                        "headers_file" => otel.to.headers_file = Some(reader.path(&entry)?.value),
                        "ca_file" => otel.to.ca_file = Some(reader.path(&entry)?.value),
                        "private" => {
                            reader.only_true(&entry, "public addresses are what is usual")?;
                            otel.to.allow_private = true;
                        }
                        _ => {
                            let every = reader.amount(&entry, Unit::Time)?.value;
                            otel.every = Some(Duration::from_millis(every));
                        }
                    }
                }
                if otel.to.url.is_empty() {
                    return Err(reader
                        .error(&key.span(), "`otel` does not say where".into())
                        .help("write `endpoint = \"https://…\"`, without `/v1/traces`"));
                }
                config.otel = Some(otel);
            }
            // Not to hear it would be to send less than the operator asks for.
            #[cfg(not(feature = "otel"))]
            "otel" => {
                return Err(reader
                    .error(&key.span(), "this server is built without telemetry".into())
                    .help("build it with the feature `otel`, or leave the section out"));
            }
            "text" => {
                for entry in section(&["redact", "hidden", "notes"])? {
                    match entry.name {
                        "redact" => {
                            config.redact = reader
                                .texts(&entry)?
                                .into_iter()
                                .map(|name| reader.one_of(&entry, name, &SECRETS))
                                .collect::<Result<_>>()?;
                        }
                        "hidden" => {
                            let name = reader.text(&entry)?.map(str::to_owned);
                            config.hidden = Some(reader.one_of(&entry, name, &HIDDEN)?);
                        }
                        _ => {
                            config.notes =
                                Some(reader.only_true(&entry, "it can only be switched on here")?)
                        }
                    }
                }
            }
            #[cfg(feature = "sandbox")]
            "sandbox" => {
                for entry in section(&["require", "env"])? {
                    match entry.name {
                        "require" => {
                            let name = reader.text(&entry)?.map(str::to_owned);
                            config.require = Some(reader.one_of(&entry, name, &LEVELS)?);
                        }
                        _ => config.env = reader.texts(&entry)?,
                    }
                }
            }
            // Not to hear it would be to start with less than the operator asks for.
            #[cfg(not(feature = "sandbox"))]
            "sandbox" => {
                return Err(reader
                    .error(&key.span(), "this server is built without a sandbox".into())
                    .help("build it with the feature `sandbox`, or leave the section out"));
            }
            #[cfg(feature = "cedar")]
            "policies" => {
                for entry in section(&["path"])? {
                    config.policies = Some(reader.path(&entry)?);
                }
            }
            // As above.
            #[cfg(not(feature = "cedar"))]
            "policies" => {
                return Err(reader
                    .error(&key.span(), "this server is built without policies".into())
                    .help("build it with the feature `cedar`, or leave the section out"));
            }
            "approvals" => reader.approvals(name, key.span(), value, &mut config.approvals)?,
            "tools" => {
                for entry in reader.any_table(name, value)? {
                    match (entry.name, entry.value.get_ref()) {
                        (_, DeValue::Table(_)) => config.tools.extend(reader.tool(&entry)?),
                        ("deny", _) => config.deny = reader.texts(&entry)?,
                        _ => {
                            let known = ["deny"];
                            return Err(reader
                                .unknown(&entry.key, &entry.path, entry.name, &known)
                                .help("what is said of one tool stands under `[tools.NAME]`"));
                        }
                    }
                }
            }
            _ => return Err(reader.unknown(&key.span(), name, name, &SECTIONS)),
        }
    }
    Ok(config)
}

const SECTIONS: [&str; 12] = [
    "grants",
    "limits",
    "transport",
    "http",
    "unix",
    "audit",
    "otel",
    "text",
    "sandbox",
    "approvals",
    "policies",
    "tools",
];

const AUDIT: [&str; 17] = [
    "path",
    "stderr",
    "checkpoint_records",
    "checkpoint_every",
    "segment",
    "segment_age",
    "keep_segments",
    "keep_for",
    "queue",
    "when_full",
    "anchor",
    "anchor_cosigner_file",
    "anchor_url",
    "anchor_headers_file",
    "anchor_ca_file",
    "anchor_private",
    "anchor_within",
];

const WHEN_FULL: [(&str, OnFull); 2] = [("refuse", OnFull::Refuse), ("gap", OnFull::Gap)];

#[cfg(feature = "sandbox")]
const LEVELS: [(&str, Level); 2] = [("full", Level::Full), ("partial", Level::Partial)];

const SECRETS: [(&str, Secret); Secret::ALL.len()] = {
    let [a, b, c, d] = Secret::ALL;
    [(a.name(), a), (b.name(), b), (c.name(), c), (d.name(), d)]
};

const WISHES: [&str; 4] = ["by", "people", "others", "remember"];

const HOOK: [&str; 6] = [
    "sign_in",
    "webhook",
    "webhook_secret_file",
    "webhook_ca_file",
    "webhook_headers_file",
    "webhook_private",
];

const WAYS: [(&str, WishedWay); 3] = [
    ("in-client", WishedWay::InClient),
    ("page", WishedWay::Page),
    ("webhook", WishedWay::Webhook),
];

const HIDDEN: [(&str, Hidden); 2] = [("strip", Hidden::Strip), ("escape", Hidden::Escape)];

struct Reader<'t> {
    file: &'t str,
    folder: &'t Path,
    text: &'t str,
}

/// One `key = value`.
struct Entry<'a> {
    /// `limits.timeout`
    path: String,
    name: &'a str,
    key: Range<usize>,
    value: &'a Spanned<DeValue<'a>>,
}

impl Reader<'_> {
    /// The entries of a section, all of which are known.
    fn table<'a>(
        &self,
        section: &str,
        value: &'a Spanned<DeValue<'a>>,
        known: &[&str],
    ) -> Result<Vec<Entry<'a>>> {
        let entries = self.any_table(section, value)?;
        for entry in &entries {
            if !known.contains(&entry.name) {
                return Err(self.unknown(&entry.key, &entry.path, entry.name, known));
            }
        }
        Ok(entries)
    }

    /// The entries of a section, in the order of the file.
    fn any_table<'a>(
        &self,
        section: &str,
        value: &'a Spanned<DeValue<'a>>,
    ) -> Result<Vec<Entry<'a>>> {
        let DeValue::Table(table) = value.get_ref() else {
            return Err(self
                .error(
                    &value.span(),
                    format!("`{section}` is {}, not a section", kind(value)),
                )
                .help(format!("write `[{section}]` on a line of its own")));
        };
        let mut entries: Vec<Entry<'a>> = table
            .iter()
            .map(|(key, value)| Entry {
                path: format!("{section}.{}", key.get_ref()),
                name: key.get_ref(),
                key: key.span(),
                value,
            })
            .collect();
        entries.sort_by_key(|entry| entry.key.start);
        Ok(entries)
    }

    fn text<'a>(&self, entry: &Entry<'a>) -> Result<Placed<&'a str>> {
        match entry.value.get_ref() {
            DeValue::String(text) => Ok(self.placed(&entry.key, text)),
            _ => Err(self.mistyped(entry, "a text in quotes")),
        }
    }

    fn texts(&self, entry: &Entry<'_>) -> Result<Vec<Placed<String>>> {
        let DeValue::Array(items) = entry.value.get_ref() else {
            return Err(self.mistyped(entry, "a list of texts"));
        };
        items
            .iter()
            .map(|item| match item.get_ref() {
                DeValue::String(text) => Ok(self.placed(&item.span(), text.to_string())),
                _ => Err(self.error(
                    &item.span(),
                    format!(
                        "`{}` holds {}, not a text in quotes",
                        entry.path,
                        kind(item)
                    ),
                )),
            })
            .collect()
    }

    fn path(&self, entry: &Entry<'_>) -> Result<Placed<PathBuf>> {
        let text = self.text(entry)?;
        self.judged(entry, text, |text| absolute(self.folder, Path::new(text)))
    }

    /// A word of a few.
    fn one_of<T: Copy>(
        &self,
        entry: &Entry<'_>,
        name: Placed<String>,
        known: &[(&str, T)],
    ) -> Result<Placed<T>> {
        match known.iter().find(|(word, _)| *word == name.value) {
            Some((_, value)) => Ok(name.map(|_| *value)),
            None => {
                let words = known.iter().map(|(word, _)| *word);
                Err(Error::new(format!(
                    "{}: `{}` is `{}`, which is not known",
                    name.place(self.file),
                    entry.path,
                    name.value
                ))
                .help(suggest::help(&name.value, "words here", words)))
            }
        }
    }

    /// What is said of one tool.
    fn tool(&self, tool: &Entry<'_>) -> Result<Vec<(Placed<String>, Placed<Bound>)>> {
        let entries = self.table(&tool.path, tool.value, &Bound::KEYS)?;
        let bounds = entries.iter().map(|entry| {
            if let Some((unit, bound)) = Bound::amount(entry.name) {
                return Ok((
                    self.placed(&tool.key, tool.name.to_owned()),
                    self.amount(entry, unit)?.map(bound),
                ));
            }
            let text = self.text(entry)?;
            let bytes = |text: &str| quantity(text, SIZES);
            match Bound::read(entry.name, text.value, bytes) {
                Ok(bound) => Ok((
                    self.placed(&tool.key, tool.name.to_owned()),
                    text.map(|_| bound),
                )),
                Err(wanted) => Err(self.error(
                    &entry.key,
                    format!("`{}` is `{}`, not {wanted}", entry.path, text.value),
                )),
            }
        });
        bounds.collect()
    }

    /// Who is asked. What is said of one tool stands under its name.
    fn approvals(
        &self,
        name: &str,
        at: Range<usize>,
        value: &Spanned<DeValue<'_>>,
        wished: &mut Wished,
    ) -> Result<()> {
        let mut all = Wish::default();
        let mut hook = Hook::default();
        let mut hook_at = None;
        for entry in self.any_table(name, value)? {
            if let DeValue::Table(_) = entry.value.get_ref() {
                let mut wish = Wish::default();
                for inner in self.table(&entry.path, entry.value, &WISHES)? {
                    self.wish(&inner, &mut wish)?;
                }
                let tool = entry.name.to_owned();
                wished.tools.push((tool, self.placed(&entry.key, wish)));
                continue;
            }
            if WISHES.contains(&entry.name) {
                self.wish(&entry, &mut all)?;
                continue;
            }
            match entry.name {
                "sign_in" => wished.sign_in = Some(self.text(&entry)?.map(str::to_owned)),
                "webhook" => {
                    hook.url = self.text(&entry)?.value.to_owned();
                    hook_at = Some(entry.key.clone());
                }
                "webhook_secret_file" => hook.secret_file = Some(self.path(&entry)?.value),
                "webhook_ca_file" => hook.ca_file = Some(self.path(&entry)?.value),
                "webhook_headers_file" => hook.headers_file = Some(self.path(&entry)?.value),
                "webhook_private" => {
                    self.only_true(&entry, "public addresses are what is usual")?;
                    hook.allow_private = true;
                }
                _ => {
                    let known: Vec<&str> = WISHES.into_iter().chain(HOOK).collect();
                    return Err(self.unknown(&entry.key, &entry.path, entry.name, &known));
                }
            }
        }
        match hook_at {
            Some(at) => wished.hook = Some(self.placed(&at, hook)),
            None if hook != Hook::default() => {
                return Err(self
                    .error(&at, "`approvals` does not say where the webhook is".into())
                    .help("write `webhook = \"https://…\"`"));
            }
            None => {}
        }
        wished.all = (all != Wish::default()).then(|| self.placed(&at, all));
        Ok(())
    }

    fn wish(&self, entry: &Entry<'_>, wish: &mut Wish) -> Result<()> {
        match entry.name {
            "by" => {
                let name = self.text(entry)?.map(str::to_owned);
                wish.by = Some(self.one_of(entry, name, &WAYS)?.value);
            }
            "people" => {
                let people = self.amount(entry, Unit::Count)?.value;
                wish.people = Some(u8::try_from(people).unwrap_or(u8::MAX));
            }
            "others" => wish.others = Some(self.text(entry)?.value.to_owned()),
            _ => match entry.value.get_ref() {
                DeValue::Boolean(false) => wish.never_remembers = true,
                _ => {
                    return Err(self
                        .error(&entry.key, format!("`{}` can only be `false`", entry.path))
                        .help("leave the key out: what may be remembered, the code says"));
                }
            },
        }
        Ok(())
    }

    /// How the audit log is written. `false`: the key says where.
    fn audit(&self, entry: &Entry<'_>, settings: &mut Settings) -> Result<bool> {
        let count = |unit| Ok::<_, Error>(self.amount(entry, unit)?.value);
        let time = || Ok::<_, Error>(Duration::from_millis(count(Unit::Time)?));
        match entry.name {
            "checkpoint_records" => settings.checkpoint_records = count(Unit::Count)?,
            "checkpoint_every" => settings.checkpoint_every = time()?,
            "segment" => settings.segment_bytes = count(Unit::Size)?,
            "segment_age" => settings.segment_age = Some(time()?),
            "keep_segments" => {
                settings.keep_segments =
                    Some(usize::try_from(count(Unit::Count)?).unwrap_or(usize::MAX));
            }
            "keep_for" => settings.keep_for = Some(time()?),
            "queue" => {
                // Room for the records of what runs at once, whatever is written here.
                settings.queue_bytes = usize::try_from(count(Unit::Size)?)
                    .unwrap_or(usize::MAX)
                    .max(64 * 1024);
            }
            "when_full" => {
                let name = self.text(entry)?.map(str::to_owned);
                settings.on_full = self.one_of(entry, name, &WHEN_FULL)?.value;
            }
            "anchor" => settings.anchor = Some(self.path(entry)?.value),
            "anchor_cosigner_file" => settings.cosigner = Some(self.path(entry)?.value),
            name if name.starts_with("anchor_") => self.anchor(entry, settings)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Where checkpoints are posted.
    #[cfg(feature = "net")]
    fn anchor(&self, entry: &Entry<'_>, settings: &mut Settings) -> Result<()> {
        let post = settings.post_anchor.get_or_insert_default();
        match entry.name {
            "anchor_url" => post.to.url = self.text(entry)?.value.to_owned(),
            "anchor_headers_file" => post.to.headers_file = Some(self.path(entry)?.value),
            "anchor_ca_file" => post.to.ca_file = Some(self.path(entry)?.value),
            "anchor_private" => {
                self.only_true(entry, "public addresses are what is usual")?;
                post.to.allow_private = true;
            }
            _ => {
                let within = self.amount(entry, Unit::Time)?.value;
                post.within = Some(Duration::from_millis(within));
            }
        }
        Ok(())
    }

    #[cfg(not(feature = "net"))]
    fn anchor(&self, entry: &Entry<'_>, _: &mut Settings) -> Result<()> {
        let what = format!("`{}`: this server is built without a network", entry.path);
        Err(self
            .error(&entry.key, what)
            .help("build it with the feature `net`, or keep checkpoints in a file (`anchor`)"))
    }

    fn only_true(&self, entry: &Entry<'_>, why: &str) -> Result<Placed<()>> {
        match entry.value.get_ref() {
            DeValue::Boolean(true) => Ok(self.placed(&entry.key, ())),
            DeValue::Boolean(false) => Err(self
                .error(&entry.key, format!("`{}` can only be `true`", entry.path))
                .help(format!("leave the key out: {why}"))),
            _ => Err(self.mistyped(entry, "`true`")),
        }
    }

    /// A number of things, of milliseconds or of bytes; zero only where something is served with it.
    fn amount(&self, entry: &Entry<'_>, unit: Unit) -> Result<Placed<u64>> {
        let wanted = match unit {
            Unit::Count | Unit::Room => "a whole number",
            Unit::Time => "a time in quotes, such as `\"500ms\"`, `\"10s\"` or `\"5min\"`",
            Unit::Size => "a size in quotes, such as `\"256 KiB\"`, or a number of bytes",
        };
        let amount = match (entry.value.get_ref(), unit) {
            (DeValue::Integer(number), Unit::Count | Unit::Room | Unit::Size) => {
                u64::from_str_radix(number.as_str(), number.radix()).ok()
            }
            (DeValue::String(text), Unit::Time) => quantity(text, TIMES),
            (DeValue::String(text), Unit::Size) => quantity(text, SIZES),
            _ => return Err(self.mistyped(entry, wanted)),
        };
        match amount {
            Some(0) if unit != Unit::Room => Err(self
                .error(&entry.key, format!("`{}` is zero", entry.path))
                .help("nothing would be served: write at least one")),
            Some(amount) => Ok(self.placed(&entry.key, amount)),
            None => {
                let written = self.text.get(entry.value.span()).unwrap_or_default();
                Err(self.error(
                    &entry.key,
                    format!("`{}` is `{written}`, not {wanted}", entry.path),
                ))
            }
        }
    }

    /// Adds the place and the key to what another judge says.
    fn judged<'a, T>(
        &self,
        entry: &Entry<'_>,
        text: Placed<&'a str>,
        judge: impl FnOnce(&'a str) -> Result<T>,
    ) -> Result<Placed<T>> {
        let Placed {
            value,
            line,
            column,
        } = text;
        match judge(value) {
            Ok(value) => Ok(Placed {
                value,
                line,
                column,
            }),
            Err(error) => Err(error.before(&format!(
                "{}:{line}:{column}: `{}`: ",
                self.file, entry.path
            ))),
        }
    }

    fn unknown(&self, at: &Range<usize>, path: &str, name: &str, known: &[&str]) -> Error {
        self.error(at, format!("unknown key `{path}`"))
            .help(suggest::help(name, "keys here", known.iter().copied()))
    }

    fn mistyped(&self, entry: &Entry<'_>, wanted: &str) -> Error {
        let found = kind(entry.value);
        self.error(
            &entry.key,
            format!("`{}` is {found}, not {wanted}", entry.path),
        )
    }

    fn error(&self, at: &Range<usize>, message: String) -> Error {
        Error::new(format!(
            "{}: {message}",
            self.placed(at, ()).place(self.file)
        ))
    }

    /// Lines and columns are counted from one, columns in characters.
    fn placed<T>(&self, at: &Range<usize>, value: T) -> Placed<T> {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(start..).unwrap_or_default().chars().count() + 1;
        Placed {
            value,
            line,
            column,
        }
    }
}

impl<T> Placed<T> {
    fn map<U>(self, f: impl FnOnce(T) -> U) -> Placed<U> {
        Placed {
            value: f(self.value),
            line: self.line,
            column: self.column,
        }
    }
}

fn kind(value: &Spanned<DeValue<'_>>) -> &'static str {
    match value.get_ref() {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}

/// A whole number and a unit, with or without a space between.
fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let factor = units.iter().find(|(name, _)| *name == unit.trim_start())?.1;
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// In milliseconds.
const TIMES: &[(&str, u64)] = &[("ms", 1), ("s", 1000), ("min", 60_000), ("h", 3_600_000)];

/// In bytes. No `KB`: some read 1000 and some 1024.
const SIZES: &[(&str, u64)] = &[
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];
