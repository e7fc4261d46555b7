//! A secret in an environment file, and how it gets out of there.

use std::{
    fs::File,
    io::{Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use mcp_secure::{Error, Result};
use secrecy::SecretString;
use zeroize::Zeroizing;

/// A variable that was found.
pub(super) struct Found {
    path: PathBuf,
    /// The file as it was read, to be overwritten.
    old: File,
    size: usize,
    rest: Zeroizing<String>,
    secret: SecretString,
}

impl Found {
    /// Reads the file. There must be one line for the variable, in plain form.
    pub(super) fn read(path: &Path, variable: &str) -> Result<Self> {
        let wrong = |what: String| Error::new(format!("the file `{}` {what}", path.display()));
        let about = std::fs::symlink_metadata(path)
            .map_err(|error| wrong(format!("cannot be read: {error}")))?;
        if !about.is_file() || about.len() > MAX {
            return Err(wrong("is no file, or too large".to_owned()));
        }
        let mut old = File::options()
            .read(true)
            .write(true)
            .open(path)
            .map_err(|error| wrong(format!("cannot be opened: {error}")))?;
        let mut text = Zeroizing::new(String::with_capacity(MAX as usize));
        std::io::Read::by_ref(&mut old)
            .take(MAX)
            .read_to_string(&mut text)
            .map_err(|_| wrong("is not text".to_owned()))?;
        let mut rest = Zeroizing::new(String::with_capacity(text.len()));
        let mut values = Vec::new();
        for line in text.split_inclusive('\n') {
            match value(line, variable) {
                Some(value) => values.push(value),
                None => rest.push_str(line),
            }
        }
        let [value] = values.as_slice() else {
            return Err(wrong(format!("has `{variable}` {} times", values.len())));
        };
        let secret = unquoted(value).ok_or_else(|| {
            wrong(format!(
                "has `{variable}` with quotes, `$` or `\\` in its value"
            ))
            .help("store it with `mcp-secure vault set`, and remove the line yourself")
        })?;
        Ok(Self {
            path: path.to_owned(),
            size: text.len(),
            secret: SecretString::from(secret),
            old,
            rest,
        })
    }

    pub(super) fn secret(&self) -> &SecretString {
        &self.secret
    }

    /// Puts a file without the line into its place, and overwrites the old one.
    pub(super) fn remove(mut self) -> Result<()> {
        let wrong = |error: std::io::Error| {
            Error::new(format!(
                "the secret is in the vault, and still in `{}`: {error}",
                self.path.display()
            ))
            .help("remove the line yourself")
        };
        let mut name = self.path.as_os_str().to_owned();
        name.push(".new");
        let draft = PathBuf::from(name);
        let mode = self.old.metadata().map_err(wrong)?.permissions();
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let mut file = options.open(&draft).map_err(wrong)?;
        file.write_all(self.rest.as_bytes())
            .and_then(|()| file.set_permissions(mode))
            .and_then(|()| file.sync_all())
            .and_then(|()| std::fs::rename(&draft, &self.path))
            .map_err(wrong)?;
        self.old
            .rewind()
            .and_then(|()| self.old.write_all(&vec![0; self.size]))
            .and_then(|()| self.old.sync_all())
            .map_err(wrong)
    }
}

/// What is right of `NAME=`, if the line is for that variable.
fn value<'a>(line: &'a str, variable: &str) -> Option<&'a str> {
    let line = line.trim();
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    line.strip_prefix(variable)?.trim_start().strip_prefix('=')
}

fn unquoted(value: &str) -> Option<&str> {
    let value = value.trim();
    let inner = ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(value);
    let odd = |c| matches!(c, '"' | '\'' | '\\' | '$' | '`' | '#') || char::is_whitespace(c);
    (!inner.is_empty() && !inner.contains(odd)).then_some(inner)
}

const MAX: u64 = 256 * 1024;
