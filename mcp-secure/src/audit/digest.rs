//! Digests of what a record may not say: equal things can be told to be equal, and nothing else.
//!
//! A plain hash of `{"id": 7}` is found by trying all numbers. With a key that lies beside the
//! log, only who holds the key can try.

use std::{io, path::Path, path::PathBuf, sync::Arc};

use rmcp::model::JsonObject;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::{Error, Result, hex::hex, sha256::Hmac};

/// The key of one log.
#[derive(Clone)]
pub(crate) struct DigestKey(Arc<Keyed>);

struct Keyed {
    mac: Hmac,
    /// Of the key itself, so that a reader knows which digests are comparable.
    id: String,
    /// Of no arguments, which many calls have.
    nothing: String,
}

impl DigestKey {
    /// The key that lies beside a log; made when there is none.
    ///
    /// # Errors
    ///
    /// When it can neither be read nor made, or others can read it.
    pub(crate) fn beside(log: &Path) -> Result<Self> {
        let path = Self::path_beside(log);
        let key = read(&path)
            .or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => create(&path),
                _ => Err(error),
            })
            .map_err(|error| {
                Error::new(format!(
                    "the key of the audit log's digests, `{}`, cannot be used: {error}",
                    path.display()
                ))
                .help("it is 64 hex digits in a file of yours that nobody else can read (0600)")
            })?;
        Ok(Self::of(&key))
    }

    /// Where the key of a log lies.
    pub(crate) fn path_beside(log: &Path) -> PathBuf {
        super::beside(log, "digest-key")
    }

    /// A key of this process alone: digests of two starts cannot be compared.
    ///
    /// # Errors
    ///
    /// Without randomness.
    pub(crate) fn random() -> Result<Self> {
        let key = random().map_err(|e| Error::new(format!("there is no randomness: {e}")))?;
        Ok(Self::of(&key))
    }

    fn of(key: &[u8; 32]) -> Self {
        let mac = Hmac::new(key);
        let id = short(&mac, "key", b"");
        let nothing = [ARGUMENTS, b"{}"].concat();
        let nothing = hex(&mac.of(&nothing));
        Self(Arc::new(Keyed { mac, id, nothing }))
    }

    /// Names the key.
    pub(crate) fn id(&self) -> &str {
        &self.0.id
    }

    /// Sixteen hex digits for something with a name: `session`, `file`, `approval`.
    pub(crate) fn short(&self, what: &'static str, value: &[u8]) -> String {
        short(&self.0.mac, what, value)
    }

    /// The digest of whole arguments, over their canonical form (RFC 8785), and the size of that
    /// form. `None` if they have none.
    pub(crate) fn arguments(&self, arguments: &JsonObject) -> Option<(String, usize)> {
        if arguments.is_empty() {
            return Some((self.0.nothing.clone(), 2));
        }
        let mut message = Vec::with_capacity(256);
        message.extend_from_slice(ARGUMENTS);
        let bytes = if plain_object(arguments, &mut message) {
            message.len() - ARGUMENTS.len()
        } else {
            let canonical = serde_json_canonicalizer::to_vec(arguments).ok()?;
            message.truncate(ARGUMENTS.len());
            message.extend_from_slice(&canonical);
            // RFC 8785 writes numbers as doubles: without their own digits, two ids above 2^53
            // that are not the same would have the same digest.
            for (_, value) in sorted(arguments) {
                exact(value, &mut message);
            }
            canonical.len()
        };
        Some((hex(&self.0.mac.of(&message)), bytes))
    }
}

/// Writes the canonical form of what nearly all arguments are: names in ASCII, whose order is that
/// of their bytes, and whole numbers that a double holds. There `serde_json` writes what RFC 8785
/// asks for, in a tenth of the time. `false` for anything else.
fn plain_object(members: &JsonObject, out: &mut Vec<u8>) -> bool {
    out.push(b'{');
    for (at, (name, value)) in sorted(members).into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        if !name.is_ascii() || serde_json::to_writer(&mut *out, name).is_err() {
            return false;
        }
        out.push(b':');
        if !plain(value, out) {
            return false;
        }
    }
    out.push(b'}');
    true
}

fn plain(value: &Value, out: &mut Vec<u8>) -> bool {
    match value {
        Value::Object(members) => plain_object(members, out),
        Value::Array(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                if !plain(item, out) {
                    return false;
                }
            }
            out.push(b']');
            true
        }
        Value::Number(number) => {
            let fits = number.as_i64().is_some_and(|n| n.unsigned_abs() <= EXACT);
            fits && serde_json::to_writer(out, number).is_ok()
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {
            serde_json::to_writer(out, value).is_ok()
        }
    }
}

fn exact(value: &Value, message: &mut Vec<u8>) {
    match value {
        Value::Number(number) => {
            let is_large = match (number.as_u64(), number.as_i64()) {
                (Some(n), _) => n > EXACT,
                (_, Some(n)) => n.unsigned_abs() > EXACT,
                _ => false,
            };
            if is_large {
                message.push(0);
                message.extend_from_slice(number.to_string().as_bytes());
            }
        }
        Value::Array(items) => items.iter().for_each(|item| exact(item, message)),
        Value::Object(members) => sorted(members)
            .into_iter()
            .for_each(|(_, m)| exact(m, message)),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

fn sorted(members: &JsonObject) -> Vec<(&String, &Value)> {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    sorted
}

fn short(mac: &Hmac, what: &str, value: &[u8]) -> String {
    let message = [PURPOSE, what.as_bytes(), b"\0", value].concat();
    let mut digest = hex(&mac.of(&message));
    digest.truncate(16);
    digest
}

fn random() -> io::Result<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *key).map_err(io::Error::other)?;
    Ok(key)
}

fn create(path: &Path) -> io::Result<Zeroizing<[u8; 32]>> {
    use io::Write as _;
    let key = random()?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Complete or not there: of two servers that start at once, both use the first one's. A
    // temporary file is 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    let text = Zeroizing::new(hex(&*key) + "\n");
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(key),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => read(path),
        Err(error) => Err(error.error),
    }
}

fn read(path: &Path) -> io::Result<Zeroizing<[u8; 32]>> {
    use io::Read as _;
    let mut text = Zeroizing::new(String::new());
    open(path)?.take(128).read_to_string(&mut text)?;
    let wrong = || io::Error::other("it is not 64 hex digits");
    let digits = text.trim_end().as_bytes();
    if digits.len() != 64 {
        return Err(wrong());
    }
    let mut key = Zeroizing::new([0; 32]);
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
    }
    Ok(key)
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = std::fs::File::options()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    super::sink::is_private(&file)?;
    Ok(file)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<std::fs::File> {
    std::fs::File::open(path)
}

/// What each digest begins with, so that none is one of something else.
const PURPOSE: &[u8] = b"mcp-secure audit v2 ";

const ARGUMENTS: &[u8] = b"mcp-secure audit v2 arguments\0";

/// Integers up to here are exact in a double.
const EXACT: u64 = 1 << 53;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn digest(key: &DigestKey, value: Value) -> String {
        key.arguments(value.as_object().unwrap()).unwrap().0
    }

    #[test]
    fn the_order_of_members_says_nothing_and_every_digit_counts() {
        let key = DigestKey::of(&[7; 32]);
        let one = digest(&key, json!({"a": 1, "b": {"c": [1.0, "x"]}}));
        assert_eq!(one, digest(&key, json!({"b": {"c": [1, "x"]}, "a": 1})));
        assert_ne!(one, digest(&key, json!({"b": {"c": [1, "y"]}, "a": 1})));
        // The same double.
        assert_eq!(
            key.arguments(&JsonObject::new()),
            Some((hex(&key.0.mac.of(b"mcp-secure audit v2 arguments\0{}")), 2))
        );
        let large = |n: u64| digest(&key, json!({ "id": n }));
        assert_ne!(large(9_007_199_254_740_993), large(9_007_199_254_740_992));
        let other = DigestKey::of(&[8; 32]);
        assert_ne!(large(1), digest(&other, json!({"id": 1})));
        assert_ne!(key.id(), other.id());
        assert_ne!(key.short("file", b"a"), key.short("session", b"a"));
    }

    #[test]
    fn the_short_way_writes_the_same_form_as_the_long_one() {
        let text: String = (0..0x300_u32).filter_map(char::from_u32).collect();
        for value in [
            json!({}),
            json!({"z": text, "a": [true, null, {"b": -1, "B": 0, "b\"\n\u{7f}": ""}], "": []}),
            json!({"n": 9_007_199_254_740_992_u64, "m": -9_007_199_254_740_992_i64}),
            json!({"v": "\u{1f600}\u{2028}\u{fffe}"}),
        ] {
            let object = value.as_object().unwrap();
            let mut short = Vec::new();
            assert!(plain_object(object, &mut short), "{value}");
            let long = serde_json_canonicalizer::to_vec(object).unwrap();
            assert_eq!(short, long, "{value}");
        }
        for other in [
            json!({"n": 1.5}),
            json!({"n": 9_007_199_254_740_993_u64}),
            json!({"n": [u64::MAX]}),
            json!({"\u{e9}": 1}),
        ] {
            assert!(
                !plain_object(other.as_object().unwrap(), &mut Vec::new()),
                "{other}"
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_key_is_made_once_and_is_nobody_elses() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("audit.jsonl");
        let first = DigestKey::beside(&log).unwrap();
        assert_eq!(first.id(), DigestKey::beside(&log).unwrap().id());
        let path = DigestKey::path_beside(&log);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(DigestKey::beside(&log).is_err());
        // A link leads to a key that somebody else knows.
        let known = folder.path().join("known");
        std::fs::write(&known, "0".repeat(64)).unwrap();
        std::fs::set_permissions(&known, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&known, &path).unwrap();
        assert!(DigestKey::beside(&log).is_err());
    }
}
