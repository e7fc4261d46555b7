//! Reading policies: from the program, from a file, from a folder. Each has an id, by which the
//! audit log speaks of it, and a place, by which an error does.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use cedar_policy::{Policy, PolicyId, PolicySet, ffi::DetailedError};
use sha2::{Digest as _, Sha256};

use crate::{Error, Result};

/// Where policies are.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Text(String),
    File(PathBuf),
    Folder(PathBuf),
}

/// The text of one file, or of the program.
#[derive(Clone, Debug)]
pub(super) struct Text {
    /// What errors call it.
    pub(super) place: String,
    /// What ids without a name begin with.
    prefix: String,
    pub(super) text: String,
}

/// One policy, with its id, and in which text it stands.
pub(super) struct Placed {
    pub(super) policy: Policy,
    pub(super) text: usize,
}

impl Source {
    /// # Errors
    ///
    /// When a file cannot be read, is not text, or can be written by others.
    pub(super) fn read(&self) -> Result<Vec<Text>> {
        match self {
            Self::Text(text) => Ok(vec![Text {
                place: "the policies in the code".to_owned(),
                prefix: String::new(),
                text: text.clone(),
            }]),
            Self::File(path) => Ok(vec![read(path)?]),
            Self::Folder(path) => folder(path)?.iter().map(|path| read(path)).collect(),
        }
    }
}

/// `sha256:` and the digest of all texts.
pub(super) fn digest(texts: &[Text]) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        // With its length, so that no two ways to cut a text into files are the same.
        hash.update((text.text.len() as u64).to_le_bytes());
        hash.update(text.text.as_bytes());
    }
    format!("sha256:{}", crate::hex::hex(&hash.finalize()))
}

/// All policies of all texts.
///
/// # Errors
///
/// When a text is not Cedar, has a template, or uses an id twice.
pub(super) fn parse(texts: &[Text]) -> Result<Vec<Placed>> {
    let mut all: Vec<Placed> = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let set: PolicySet = text.text.parse().map_err(|e| text.error(&e))?;
        if set.templates().next().is_some() {
            return Err(Error::new(format!("{}: it has a template", text.place))
                .help("there is nothing to fill a slot with: write the policy out"));
        }
        let mut policies: Vec<&Policy> = set.policies().collect();
        // `policy10` is after `policy9`.
        policies.sort_by_key(|policy| (policy.id().to_string().len(), policy.id().to_string()));
        for policy in policies {
            let id = match policy.annotation("id") {
                Some(id) => checked(id, text)?,
                None => format!("{}{}", text.prefix, policy.id()),
            };
            if all.iter().any(|other| other.policy.id().to_string() == id) {
                return Err(
                    Error::new(format!("{}: the id `{id}` is used twice", text.place))
                        .help("the audit log could not tell the two apart: change one of them"),
                );
            }
            let policy = policy.new_id(PolicyId::new(id));
            all.push(Placed {
                policy,
                text: index,
            });
        }
        if all.len() > MAX_POLICIES {
            return Err(
                Error::new(format!("there are more than {MAX_POLICIES} policies"))
                    .help("each costs time in every call that it may be about"),
            );
        }
    }
    Ok(all)
}

impl Text {
    /// An error of Cedar's, at its line and column.
    pub(super) fn error<E>(&self, error: &E) -> Error
    where
        for<'a> DetailedError: From<&'a E>,
    {
        let error = DetailedError::from(error);
        let place = match error.source_locations.first() {
            Some(label) => self.place_of(label.loc.start),
            None => self.place.clone(),
        };
        let first = |text: &str| text.lines().collect::<Vec<_>>().join(" ");
        let said = Error::new(format!("{place}: {}", first(&error.message)));
        match error.help {
            Some(help) => said.help(first(&help)),
            None => said.help("the language is described at https://docs.cedarpolicy.com"),
        }
    }

    /// Lines and columns are counted from one, columns in characters.
    fn place_of(&self, at: usize) -> String {
        let before = self.text.get(..at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(start..).unwrap_or_default().chars().count() + 1;
        format!("{}:{line}:{column}", self.place)
    }
}

/// An id goes into the audit log as it is.
fn checked(id: &str, text: &Text) -> Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/".contains(c);
    if id.is_empty() || id.len() > 64 || !id.chars().all(plain) {
        return Err(
            Error::new(format!("{}: `@id({id:?})` is not an id", text.place))
                .help("at most 64 letters, digits and `-_.:/`"),
        );
    }
    Ok(id.to_owned())
}

/// The files `*.cedar` of a folder, sorted by name. Others are left alone: a README, a backup.
fn folder(path: &Path) -> Result<Vec<PathBuf>> {
    let shown = path.display();
    owned(path, "the policy folder")?;
    let cannot = |e: std::io::Error| {
        Error::new(format!("the policy folder `{shown}` cannot be read: {e}"))
            .help("name a folder with files `*.cedar` that this user can read")
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(cannot)? {
        let file = entry.map_err(cannot)?.path();
        if file
            .extension()
            .is_some_and(|extension| extension == "cedar")
        {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(
            Error::new(format!("the policy folder `{shown}` has no file `*.cedar`"))
                .help("without a policy nothing would be permitted: add one"),
        );
    }
    if files.len() > MAX_FILES {
        return Err(Error::new(format!(
            "the policy folder `{shown}` has more than {MAX_FILES} files"
        )));
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<Text> {
    let shown = path.display();
    let named = |what: String| Error::new(format!("the policy file `{shown}` {what}"));
    // Looked at first: a FIFO in its place would hold the start for ever.
    owned(path, "the policy file")?;
    let file = File::open(path).map_err(|e| named(format!("cannot be opened: {e}")))?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| named(format!("cannot be read: {e}")))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(named("is larger than 1 MiB".to_owned()));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '_'
        }
    };
    Ok(Text {
        place: shown.to_string(),
        prefix: format!("{}:", name.chars().take(64).map(plain).collect::<String>()),
        text: String::from_utf8(bytes).map_err(|_| named("is not text in UTF-8".into()))?,
    })
}

/// Policies decide who may do what: nobody but the user and root may write them. A relative path
/// is refused, because clients start servers inside of the project that is open: it could bring
/// policies of its own.
fn owned(path: &Path, what: &str) -> Result<()> {
    let shown = path.display();
    if path.is_relative() {
        return Err(
            Error::new(format!("{what} `{shown}` is a relative path")).help(
                "write an absolute one, or put the policies into the program with \
             `from_str(include_str!(…))`",
            ),
        );
    }
    let meta = std::fs::metadata(path)
        .map_err(|e| Error::new(format!("{what} `{shown}` cannot be opened: {e}")))?;
    let is_right = if what.ends_with("folder") {
        meta.is_dir()
    } else {
        meta.is_file()
    };
    if !is_right {
        return Err(Error::new(format!("{what} `{shown}` is something else")));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        if meta.uid() != 0 && meta.uid() != crate::auth::current_uid() {
            return Err(
                Error::new(format!("{what} `{shown}` belongs to another user"))
                    .help("it decides who may do what: make it yours, or root's, with `chown`"),
            );
        }
        if meta.mode() & 0o022 != 0 {
            return Err(
                Error::new(format!("{what} `{shown}` can be written by others"))
                    .help(format!("run `chmod go-w {shown}`")),
            );
        }
    }
    Ok(())
}

const MAX_BYTES: u64 = 1024 * 1024;
const MAX_FILES: usize = 256;
const MAX_POLICIES: usize = 4096;
