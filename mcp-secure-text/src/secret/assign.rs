//! Secrets that are known by what stands before them: a name, a header, a URL, an id.

use super::check::{self, Shape};
use super::class::{
    ALNUM, AUTHORITY, BASE64, BASE64URL, DASH, DIGIT, DOT, EQUALS, HEX, NAME, QUOTED, TOKEN68,
    UNDERSCORE, VALUE, is,
};
use super::scan::{Hit, Tail, View};
use super::token;

/// Values that are longer are not looked at.
const MAX_VALUE: usize = 512;

/// The longest name that is read; of a longer one, its end.
const MAX_NAME: usize = 48;

const PASSWORD: &str = "secret/password";
const KEY: &str = "secret/api-key";

/// What stands behind the separator `byte`, `:` or `=`, at `at`.
pub(super) fn find(view: &View<'_>, at: usize, byte: u8) -> Option<Hit> {
    let after = view.at(at + 1)?;
    if byte == b':' {
        if after == b'/' && view.at(at + 2) == Some(b'/') {
            return url(view, at);
        }
        if let Some(hit) = telegram(view, at).or_else(|| twilio(view, at)) {
            return Some(hit);
        }
    } else if matches!(after, b'=' | b'~') {
        return None;
    }
    named(view, at, byte)
}

/// A bot's number, a colon, and thirty-five characters that start with two `A`.
fn telegram(view: &View<'_>, at: usize) -> Option<Hit> {
    if view.slice(at + 1, at + 3)? != b"AA" {
        return None;
    }
    let start = view.run_back(at, 11, DIGIT);
    let end = view.run(at + 1, 36, BASE64URL);
    ((8..=10).contains(&(at - start))
        && end - at == 36
        && view.starts(start)
        && view.ends(end, BASE64URL)
        && !check::is_documented(view.slice(at + 3, end)?))
    .then(|| Hit::new("secret/telegram-token", start, end))
}

/// The secret behind the id of an account or a key, as `curl -u` wants it. The id alone is public.
fn twilio(view: &View<'_>, at: usize) -> Option<Hit> {
    let start = at.checked_sub(34)?;
    if !matches!(view.slice(start, start + 2)?, b"AC" | b"SK") || view.run(start + 2, 33, HEX) != at
    {
        return None;
    }
    let end = view.run(at + 1, 33, ALNUM);
    (end - at == 33
        && view.starts(start)
        && view.ends(end, ALNUM)
        && !check::is_documented(view.slice(at + 1, end)?))
    .then(|| Hit::new("secret/twilio-secret", at + 1, end))
}

/// The password in a URL whose `://` is at `at`.
fn url(view: &View<'_>, at: usize) -> Option<Hit> {
    let before = view.at(at.checked_sub(1)?)?;
    if !is(before, ALNUM) {
        return None;
    }
    let start = at + 3;
    let end = view.run(start, 256, AUTHORITY);
    if end - start == 256 {
        return None;
    }
    let list = |b: &u8| {
        matches!(
            b,
            b',' | b';' | b'|' | b'(' | b')' | b'[' | b']' | b'{' | b'}'
        )
    };
    // The password ends before the first of these, whatever is said or taken out behind it.
    let whole = view.slice(start, end)?;
    let listed = whole.iter().position(list).unwrap_or(whole.len());
    let authority = whole.get(..listed)?;
    let host = authority.iter().rposition(|&b| b == b'@')?;
    let colon = authority.iter().position(|&b| b == b':')?;
    let user = authority.get(..colon)?;
    let password = authority.get(colon + 1..host)?;
    // An IPv6 address has brackets.
    let ipv6 = whole.get(host + 1) == Some(&b'[');
    let host = authority.get(host + 1..)?;
    if (host.is_empty() && !ipv6)
        || password.len() < 3
        || password.first() == Some(&b'$')
        || password.eq_ignore_ascii_case(user)
        || check::distinct(password) < 3
        || is_placeholder(password)
        || is_example_host(host)
        || [&b"pass"[..], b"pwd", b"pw"]
            .iter()
            .any(|word| password.eq_ignore_ascii_case(word))
    {
        return None;
    }
    let start = start + colon + 1;
    if token::starts_at(view, start) {
        return None;
    }
    Some(Hit::new(
        "secret/url-password",
        start,
        start + password.len(),
    ))
}

/// Whether a host is one of those that RFC 2606 keeps for examples.
pub(super) fn is_example_host(host: &[u8]) -> bool {
    let end = host.iter().position(|&b| b == b':').unwrap_or(host.len());
    let host = host.get(..end).unwrap_or_default();
    let ends = |name: &[u8]| {
        host.len().checked_sub(name.len()).is_some_and(|at| {
            host.get(at..)
                .is_some_and(|end| end.eq_ignore_ascii_case(name))
                && (at == 0 || host.get(at - 1) == Some(&b'.'))
        })
    };
    [
        &b"example.com"[..],
        b"example.org",
        b"example.net",
        b"example",
        b"invalid",
        b"test",
    ]
    .iter()
    .any(|name| ends(name))
}

/// What a name says its value is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Password,
    /// `pwd` is a password, or the working directory.
    Pwd,
    Key,
    Authorization,
    AwsSecret,
    AzureKey,
    Signature,
}

/// A value with a name.
fn named(view: &View<'_>, at: usize, byte: u8) -> Option<Hit> {
    let mut end = at;
    if byte == b'=' && view.at(end.checked_sub(1)?) == Some(b':') {
        end -= 1;
    }
    // `config["password"] =`, `password?:`, `**Password**:`, and quotes that are escaped.
    for _ in 0..8 {
        match view.at(end.checked_sub(1)?)? {
            b' ' | b'\t' | b'"' | b'\'' | b'`' | b'\\' | b'?' | b'*' => end -= 1,
            // Not the bracket of `[redacted: password]`.
            b']' if matches!(view.at(end.checked_sub(2)?)?, b'"' | b'\'' | b'\\') => end -= 1,
            _ => break,
        }
    }
    // Most names are told apart by their last letters.
    let last = [
        view.at(end.checked_sub(2)?)? | 0x20,
        view.at(end - 1)? | 0x20,
    ];
    if !matches!(
        &last,
        b"rd" | b"wd" | b"se" | b"ss" | b"on" | b"et" | b"ey" | b"ig" | b"en" | b"th"
    ) {
        return None;
    }
    let start = view.run_back(end, MAX_NAME, NAME);
    let name = Name::of(view.slice(start, end)?)?;

    let mut start = at + 1;
    if byte == b'=' && view.at(start) == Some(b'>') {
        start += 1;
    }
    for _ in 0..8 {
        match view.at(start)? {
            b' ' | b'\t' | b'*' => start += 1,
            _ => break,
        }
    }
    for _ in 0..3 {
        start += usize::from(view.at(start)? == b'\\');
    }
    let quote = view.at(start).filter(|b| matches!(b, b'"' | b'\'' | b'`'));
    start += usize::from(quote.is_some());
    if name == Name::Authorization {
        return authorization(view, start);
    }
    let class = if quote.is_some() { QUOTED } else { VALUE };
    let mut end = view.run(start, MAX_VALUE, class);
    if end - start == MAX_VALUE {
        // Session tokens may be longer: they are judged by their beginning.
        if name != Name::Key {
            return None;
        }
        let end = view.run(start, MAX_VALUE, BASE64URL | BASE64 | DOT);
        let long = end - start == MAX_VALUE;
        return (long && is_key(view.slice(start, end)?) && !token::starts_at(view, start)).then(
            || Hit {
                tail: Some(Tail::Run(TOKEN68)),
                ..Hit::new(KEY, start, end)
            },
        );
    }
    match (quote, view.at(end)) {
        // A call, a list, a type, a placeholder; not the end of an element.
        (_, Some(b'(' | b'[' | b'{')) => return None,
        (_, Some(b'<')) if view.at(end + 1) != Some(b'/') => return None,
        // A sentence.
        (Some(quote), next) => {
            if next != Some(quote) && next != Some(b'\\') {
                return None;
            }
        }
        (None, _) => {
            while end > start && matches!(view.at(end - 1), Some(b'.' | b':')) {
                end -= 1;
            }
        }
    }
    let mut value = view.slice(start, end)?;
    if !matches!(name, Name::Password | Name::Pwd) {
        // Only people make up secrets in other scripts.
        let ascii = value.iter().take_while(|b| b.is_ascii()).count();
        value = value.get(..ascii)?;
        end = start + ascii;
    }
    let id = name.judge(value, quote.is_some())?;
    // Where a token has a name of its own, it is found under that.
    if token::starts_at(view, start) {
        return None;
    }
    Some(Hit::new(id, start, end))
}

impl Name {
    fn of(raw: &[u8]) -> Option<Self> {
        let mut buffer = [0_u8; MAX_NAME];
        let mut length = 0;
        for &b in raw {
            if is(b, ALNUM)
                && let Some(slot) = buffer.get_mut(length)
            {
                *slot = b.to_ascii_lowercase();
                length += 1;
            }
        }
        let name = buffer.get(..length)?;
        let ends = |ends: &[&[u8]]| ends.iter().any(|end| name.ends_with(end));
        if ends(&[b"password", b"passwd", b"passphrase"])
            || name == b"pass"
            || raw.ends_with(b"_pass")
            || raw.ends_with(b"_PASS")
        {
            Some(Self::Password)
        } else if ends(&[b"pwd"]) {
            Some(Self::Pwd)
        } else if ends(&[b"authorization"]) {
            Some(Self::Authorization)
        } else if ends(&[b"secretaccesskey", b"awssecretkey", b"awssecret"]) {
            Some(Self::AwsSecret)
        } else if ends(&[b"accountkey", b"sharedaccesskey"]) {
            Some(Self::AzureKey)
        } else if name == b"sig" {
            Some(Self::Signature)
        } else if ends(&[
            b"secret",
            b"apikey",
            b"accesskey",
            b"secretkey",
            b"privatekey",
            b"authkey",
            b"encryptionkey",
            b"signingkey",
            b"masterkey",
            b"subscriptionkey",
        ]) || raw == b"_auth"
        {
            Some(Self::Key)
        } else {
            let before = name.strip_suffix(b"token")?;
            // Where a list goes on is no secret, and a client has to send it back.
            const PLACES: [&[u8]; 16] = [
                b"page",
                b"pagination",
                b"paging",
                b"next",
                b"prev",
                b"previous",
                b"continuation",
                b"continue",
                b"sync",
                b"cursor",
                b"skip",
                b"resume",
                b"progress",
                b"request",
                b"idempotency",
                b"delta",
            ];
            (!PLACES.iter().any(|place| before.ends_with(place))).then_some(Self::Key)
        }
    }

    /// The kind of secret that a value of this name is, if it is one.
    fn judge(self, value: &[u8], quoted: bool) -> Option<&'static str> {
        match self {
            Self::Password => is_password(value, quoted).then_some(PASSWORD),
            Self::Pwd => (!value.contains(&b'/') && is_password(value, quoted)).then_some(PASSWORD),
            Self::AwsSecret if token::is_aws_secret(value) => Some("secret/aws-secret-access-key"),
            Self::AzureKey if is_base64_of(value, &[32, 64]) => Some("secret/azure-storage-key"),
            Self::AwsSecret | Self::AzureKey | Self::Key => is_key(value).then_some(KEY),
            Self::Signature => is_signature(value).then_some("secret/azure-sas-signature"),
            Self::Authorization => None,
        }
    }
}

/// The credentials behind `Authorization:`, without the name of their scheme.
fn authorization(view: &View<'_>, at: usize) -> Option<Hit> {
    let word = view.run(at, 12, ALNUM);
    let scheme = view.slice(at, word)?;
    let is_scheme = |name: &[u8]| scheme.eq_ignore_ascii_case(name);
    let mut start = word;
    match view.at(start)? {
        b' ' => {
            while start < word + 4 && view.at(start) == Some(b' ') {
                start += 1;
            }
        }
        b'+' => start += 1,
        b'%' if view.slice(start, start + 3) == Some(b"%20") => start += 3,
        _ => start = at,
    }
    if is_scheme(b"basic") {
        let end = view.run(start, MAX_VALUE, BASE64 | EQUALS);
        let value = view.slice(start, end)?;
        return (end - start < MAX_VALUE && is_basic(value))
            .then(|| Hit::new("secret/basic-auth", start, end));
    }
    if start != at
        && ![&b"bearer"[..], b"token", b"apikey"]
            .iter()
            .any(|name| is_scheme(name))
    {
        return None;
    }
    let end = view.run(start, MAX_VALUE, TOKEN68);
    let value = view.slice(start, end)?;
    if matches!(view.at(end), Some(b'(' | b'[' | b'{'))
        || !is_key(value)
        || token::starts_at(view, start)
    {
        return None;
    }
    Some(Hit {
        tail: Some(Tail::Run(TOKEN68)),
        ..Hit::new("secret/bearer-token", start, end)
    })
}

/// `user:password` in base64.
fn is_basic(value: &[u8]) -> bool {
    let mut user = [0_u8; 64];
    let mut password = [0_u8; 64];
    let (mut users, mut passwords) = (0, 0);
    let mut colon = false;
    for b in check::base64(value) {
        if b < b' ' || b == 0x7F {
            return false;
        }
        let (buffer, length) = if colon {
            (&mut password, &mut passwords)
        } else {
            (&mut user, &mut users)
        };
        if b == b':' && !colon {
            colon = true;
        } else if let Some(slot) = buffer.get_mut(*length) {
            *slot = b;
            *length += 1;
        }
    }
    let user = user.get(..users).unwrap_or_default();
    let password = password.get(..passwords).unwrap_or_default();
    // A key may be sent as the user with no password.
    let secret = if password.is_empty() { user } else { password };
    colon
        && secret.len() >= 4
        && password != user
        && !secret.eq_ignore_ascii_case(b"pass")
        && !is_placeholder(secret)
}

/// A password that someone has thought of: three kinds of characters, one of them digits, or more
/// random than words are.
fn is_password(value: &[u8], quoted: bool) -> bool {
    if !(8..=128).contains(&value.len()) {
        return false;
    }
    let shape = Shape::of(value);
    let letters = shape.lower + shape.upper;
    let path = |b: Option<&u8>| matches!(b, Some(b'/' | b'.' | b'~'));
    shape.digit > 0
        && letters >= 3
        && (shape.kinds() >= 3 || (value.len() >= 12 && shape.is_random()))
        && check::distinct(value) >= 6
        && value.first() != Some(&b'$')
        && !path(value.first())
        && (quoted || !is_expression(value))
        && !is_placeholder(value)
}

/// A key that a machine has made.
fn is_key(value: &[u8]) -> bool {
    let end = value.iter().position(|&b| b == b'=');
    let padding = end.and_then(|end| value.get(end..)).unwrap_or_default();
    if !(16..=MAX_VALUE).contains(&value.len())
        || !value.iter().all(|&b| is(b, QUOTED))
        || !padding.iter().all(|&b| b == b'=')
        || value.first() == Some(&b'$')
    {
        return false;
    }
    let shape = Shape::of(value);
    shape.is_random()
        && check::distinct(value) >= 8
        && !is_path(value)
        && !check::is_documented(value)
        && !is_placeholder(value)
}

/// Two separators or more between short words: a path, a host, a version, an expression.
fn is_path(value: &[u8]) -> bool {
    let mut words = 0;
    for part in value.split(|b| matches!(b, b'/' | b'.' | b':' | b'_')) {
        let letters = part.iter().all(|&b| is(b, ALNUM | DASH));
        let shape = Shape::of(part);
        words += usize::from(letters && !part.is_empty() && shape.changes <= 2 && part.len() < 24);
    }
    words >= 3
}

/// `name=value`, or an expression of a programming language.
fn is_expression(value: &[u8]) -> bool {
    let trimmed = value
        .iter()
        .rposition(|&b| b != b'=')
        .and_then(|last| value.get(..=last))
        .unwrap_or_default();
    trimmed.contains(&b'=')
        || value.windows(2).any(|pair| pair == b"::")
        || (value.contains(&b'.') && value.iter().all(|&b| is(b, ALNUM | UNDERSCORE | DOT)))
}

/// Base64, percent-encoded or not, of one of these many bytes.
fn is_base64_of(value: &[u8], lengths: &[usize]) -> bool {
    value
        .iter()
        .all(|&b| is(b, BASE64URL | BASE64 | EQUALS | DOT) && b != b'.')
        && lengths.contains(&check::base64(value).count())
        && !check::is_documented(value)
        && !is_placeholder(value)
}

/// A signature of HMAC-SHA256 in a query.
fn is_signature(value: &[u8]) -> bool {
    let mut plain = [0_u8; 48];
    let mut length = 0;
    let mut rest = value;
    while let Some((&first, after)) = rest.split_first() {
        let (byte, after) = match (first, after) {
            (b'%', [b'2', b'B' | b'b', after @ ..]) => (b'+', after),
            (b'%', [b'2', b'F' | b'f', after @ ..]) => (b'/', after),
            (b'%', [b'3', b'D' | b'd', after @ ..]) => (b'=', after),
            (b'%', _) => return false,
            (byte, after) => (byte, after),
        };
        let Some(slot) = plain.get_mut(length) else {
            return false;
        };
        *slot = byte;
        length += 1;
        rest = after;
    }
    is_base64_of(plain.get(..length).unwrap_or_default(), &[32])
}

/// Whether a value stands for another one that is written elsewhere.
fn is_placeholder(value: &[u8]) -> bool {
    const WORDS: &[&[u8]] = &[
        b"password",
        b"passwd",
        b"secret",
        b"token",
        b"your",
        b"example",
        b"changeme",
        b"change-me",
        b"change_me",
        b"placeholder",
        b"dummy",
        b"sample",
        b"redacted",
        b"xxxx",
        b"****",
        b"....",
        b"insert",
        b"replace",
        b"env.",
        b"process.",
        b"config.",
        b"settings.",
        b"apikey",
        b"api_key",
        b"api-key",
        b"credential",
        b"undefined",
        b"abc123",
        b"123456",
        b"://",
        b"${",
    ];
    let wrapped = |a, b| value.first() == Some(&a) && value.last() == Some(&b);
    wrapped(b'%', b'%')
        || wrapped(b'@', b'@')
        || wrapped(b'_', b'_')
        || check::distinct(value) < 3
        || check::contains_any(value, WORDS)
}
