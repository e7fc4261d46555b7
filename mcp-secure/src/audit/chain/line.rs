//! The bytes of one line: `{record…,"seq":12,"mac":"…"}`.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::Hash;

/// A line, taken apart from its end. What a client wrote stands before and cannot look like it.
pub(in crate::audit) struct Content<'a> {
    /// The line up to its keyed hash: what is hashed, and the leaf of the tree.
    pub(in crate::audit) content: &'a [u8],
    pub(in crate::audit) seq: u64,
    /// As it is written.
    pub(in crate::audit) mac: &'a [u8],
}

/// Appends a record and its number.
pub(in crate::audit) fn content(record: &[u8], seq: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(record.strip_suffix(b"}").unwrap_or(record));
    out.extend_from_slice(SEQ);
    // Faster than `write!`, and this is done for each record.
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = seq;
    loop {
        at -= 1;
        if let Some(digit) = digits.get_mut(at) {
            *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        }
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

/// Appends the keyed hash and the line end.
pub(super) fn finish(mac: &Hash, out: &mut Vec<u8>) {
    out.extend_from_slice(MAC);
    let mut text = [0_u8; MAC_LEN];
    let _ = URL_SAFE_NO_PAD.encode_slice(mac, &mut text);
    out.extend_from_slice(&text);
    out.extend_from_slice(b"\"}\n");
}

/// Takes a line (without its line end) apart. `None`: it is none of the log's.
pub(in crate::audit) fn split(line: &[u8]) -> Option<Content<'_>> {
    let body = line.strip_suffix(b"\"}")?;
    let (body, mac) = body.split_at_checked(body.len().checked_sub(MAC_LEN)?)?;
    let content = body.strip_suffix(MAC)?;
    let digits = content
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (head, number) = content.split_at_checked(content.len().checked_sub(digits)?)?;
    head.strip_suffix(SEQ)?;
    // One way to write each number.
    if number.len() > 20 || (number.len() > 1 && number.first() == Some(&b'0')) {
        return None;
    }
    let seq = std::str::from_utf8(number).ok()?.parse().ok()?;
    Some(Content { content, seq, mac })
}

pub(in crate::audit) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(in crate::audit) fn decode32(text: &str) -> Option<Hash> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

const SEQ: &[u8] = b",\"seq\":";
const MAC: &[u8] = b",\"mac\":\"";
/// 32 bytes in base64 without padding.
const MAC_LEN: usize = 43;
