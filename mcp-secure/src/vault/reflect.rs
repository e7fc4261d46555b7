//! A secret that comes back. Some servers answer with the request that they got, in a debug
//! page, an error, or an echo: what was spent is removed before a tool reads the answer.
//!
//! It is looked for as it is, and as base64 (wherever in a longer text it begins), URL-encoded,
//! hexadecimal, escaped in JSON and in HTML, in upper and lower case. A server that means to tell
//! can spell it another way: backwards, or a letter at a time. The guard is for accidents and for
//! echo services, and the hosts of a credential are for the rest.

use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use zeroize::Zeroizing;

use crate::{Error, Result};

/// Knows a secret in all its spellings. Has no `Debug`.
pub(crate) struct Redactor {
    found: AhoCorasick,
    spellings: Vec<Zeroizing<Vec<u8>>>,
    longest: usize,
    /// By which bytes a spelling begins, in upper and lower case.
    begins: Box<[bool; 256]>,
}

impl Redactor {
    /// For texts that are secret, and each a header's.
    pub(super) fn new<'s>(secrets: impl IntoIterator<Item = &'s [u8]>) -> Result<Self> {
        let mut spellings: Vec<Zeroizing<Vec<u8>>> = Vec::new();
        for secret in secrets {
            for spelling in spellings_of(secret) {
                if spelling.len() >= SHORTEST && !spellings.contains(&spelling) {
                    spellings.push(spelling);
                }
            }
        }
        let found = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostLongest)
            .build(spellings.iter().map(|spelling| spelling.as_slice()))
            .map_err(|_| Error::new("the secret cannot be looked for in responses"))?;
        let longest = spellings.iter().map(|s| s.len()).max().unwrap_or_default();
        let firsts = spellings.iter().filter_map(|spelling| spelling.first());
        let mut begins = Box::new([false; 256]);
        for byte in firsts.flat_map(|b| [b.to_ascii_lowercase(), b.to_ascii_uppercase()]) {
            if let Some(begins) = begins.get_mut(usize::from(byte)) {
                *begins = true;
            }
        }
        Ok(Self {
            found,
            spellings,
            longest,
            begins,
        })
    }

    /// Whether it looks for the same.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.spellings == other.spellings
    }

    /// Whether it is in this.
    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        self.found.is_match(text)
    }

    /// A text without it, and how often it was there; nothing if it was not.
    pub(super) fn text(&self, text: &str) -> Option<(String, usize)> {
        let count = self.found.find_iter(text).count();
        if count == 0 {
            return None;
        }
        let with = vec![REMOVED; self.spellings.len()];
        Some((self.found.replace_all(text, &with), count))
    }

    /// Removes it from headers; whether there was something.
    pub(crate) fn clean(&self, headers: &mut HeaderMap) -> bool {
        let mut hit = false;
        let names: Vec<_> = headers.keys().cloned().collect();
        for name in names {
            if self.found.is_match(name.as_str()) {
                headers.remove(name);
                hit = true;
            }
        }
        for value in headers.values_mut() {
            if self.found.is_match(value.as_bytes()) {
                let clean = self.replaced(value.as_bytes());
                *value = HeaderValue::from_bytes(&clean)
                    .unwrap_or_else(|_| HeaderValue::from_static(REMOVED));
                hit = true;
            }
        }
        hit
    }

    fn replaced(&self, text: &[u8]) -> Vec<u8> {
        let with = vec![REMOVED; self.spellings.len()];
        self.found.replace_all_bytes(text, &with)
    }

    /// Where the end of a text begins that may be the begin of a secret.
    fn open_end(&self, text: &[u8], from: usize) -> usize {
        let from = from.max((text.len() + 1).saturating_sub(self.longest));
        (from..text.len())
            .find(|at| {
                let rest = text.get(*at..).unwrap_or_default();
                // Most bytes begin none: the end of each piece is walked byte by byte.
                let is_begin = |b: &u8| self.begins.get(usize::from(*b)).is_some_and(|is| *is);
                if !rest.first().is_some_and(is_begin) {
                    return false;
                }
                self.spellings.iter().any(|spelling| {
                    spelling
                        .get(..rest.len())
                        .is_some_and(|begin| begin.eq_ignore_ascii_case(rest))
                })
            })
            .unwrap_or(text.len())
    }
}

/// The guard of one response. It holds back no more than may be the begin of the secret.
pub(crate) struct Reflection {
    redactor: Arc<Redactor>,
    held: Vec<u8>,
    hit: bool,
}

impl Reflection {
    pub(crate) fn new(redactor: Arc<Redactor>) -> Self {
        Self {
            redactor,
            held: Vec::new(),
            hit: false,
        }
    }

    /// Whether something was removed so far.
    pub(crate) fn hit(&self) -> bool {
        self.hit
    }

    /// The next piece of the body, unpacked.
    pub(crate) fn take(&mut self, piece: Bytes) -> Bytes {
        if piece.is_empty() {
            return piece;
        }
        let text = if self.held.is_empty() {
            piece
        } else {
            self.held.extend_from_slice(&piece);
            std::mem::take(&mut self.held).into()
        };
        let mut last = 0;
        for found in self.redactor.found.find_iter(&text) {
            last = found.end();
        }
        let open = self.redactor.open_end(&text, last);
        self.held = text.get(open..).unwrap_or_default().to_vec();
        let whole = text.slice(..open);
        if last == 0 {
            return whole;
        }
        self.hit = true;
        self.redactor.replaced(&whole).into()
    }

    /// What was held back, at the end of the body.
    pub(crate) fn finish(&mut self) -> Bytes {
        std::mem::take(&mut self.held).into()
    }
}

fn spellings_of(secret: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let each = |spell: &dyn Fn(u8) -> String| {
        let mut out = Zeroizing::new(Vec::with_capacity(secret.len() * 6));
        for byte in secret {
            out.extend_from_slice(Zeroizing::new(spell(*byte)).as_bytes());
        }
        out
    };
    let as_is = |byte: u8| char::from(byte).to_string();
    let mut all = vec![
        Zeroizing::new(secret.to_vec()),
        each(&|byte| format!("{byte:02x}")),
        each(&|byte| format!("%{byte:02x}")),
        each(&|byte| format!("\\u{byte:04x}")),
        each(&|byte| format!("\\x{byte:02x}")),
        // encodeURIComponent, a form, and what escapes more than they do.
        each(&|byte| match byte {
            b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')' => as_is(byte),
            _ if byte.is_ascii_alphanumeric() => as_is(byte),
            _ => format!("%{byte:02x}"),
        }),
        each(&|byte| match byte {
            b'-' | b'_' | b'.' | b'*' => as_is(byte),
            b' ' => "+".to_owned(),
            _ if byte.is_ascii_alphanumeric() => as_is(byte),
            _ => format!("%{byte:02x}"),
        }),
        each(&|byte| match byte {
            b'"' | b'\\' => format!("\\{}", char::from(byte)),
            _ => as_is(byte),
        }),
        each(&|byte| match byte {
            b'"' | b'\\' | b'/' => format!("\\{}", char::from(byte)),
            _ => as_is(byte),
        }),
        each(&|byte| match byte {
            b'"' | b'\\' => format!("\\{}", char::from(byte)),
            b'<' | b'>' | b'&' | b'\'' | b'=' | b'+' => format!("\\u{byte:04x}"),
            _ => as_is(byte),
        }),
        each(&|byte| html(byte, "&#39;")),
        each(&|byte| html(byte, "&#x27;")),
    ];
    for before in 0..3_usize {
        let mut text = Zeroizing::new(vec![0; before]);
        text.extend_from_slice(secret);
        // The letters that hold nothing but bits of the secret.
        let letters = if before == 0 { 0 } else { before + 1 }..text.len() * 8 / 6;
        for encoded in [
            STANDARD_NO_PAD.encode(&*text),
            URL_SAFE_NO_PAD.encode(&*text),
        ] {
            let encoded = Zeroizing::new(encoded.into_bytes());
            all.extend(
                encoded
                    .get(letters.clone())
                    .map(|part| Zeroizing::new(part.to_vec())),
            );
        }
    }
    all
}

fn html(byte: u8, apostrophe: &str) -> String {
    match byte {
        b'&' => "&amp;".to_owned(),
        b'<' => "&lt;".to_owned(),
        b'>' => "&gt;".to_owned(),
        b'"' => "&quot;".to_owned(),
        b'\'' => apostrophe.to_owned(),
        _ => char::from(byte).to_string(),
    }
}

const REMOVED: &str = "[credential removed]";

/// Fewer letters occur by chance.
const SHORTEST: usize = 7;
