//! Addresses and links in a text, found as leniently as a mail server or a chat would.

use mcp_secure_text::{Policy, sanitize};
use unicode_normalization::UnicodeNormalization as _;

/// Every e-mail address, in lower case. What only might be one is one: a rule that guesses
/// wrong refuses a request, and one that overlooks sends a copy.
pub(super) fn addresses(text: &str) -> Vec<String> {
    if !has_at(text) {
        return Vec::new();
    }
    readings(text, addresses_of)
}

fn addresses_of(text: &str) -> Vec<String> {
    let text = plain(text);
    let mut found = Vec::new();
    for (at, _) in text.match_indices('@') {
        let (before, after) = (
            text.get(..at).unwrap_or(""),
            text.get(at + 1..).unwrap_or(""),
        );
        let domain: String = after
            .trim_start_matches(['[', ' ', '\t', '('])
            .chars()
            .take_while(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | ':' | '_'))
            .collect();
        let domain = domain.trim_end_matches(['.', '-', ':', '_']);
        // Spaces around the sign are legal in a header (RFC 5322, CFWS), quotes in front of it
        // as well: `"a b"@example.com`.
        let local = before.trim_end_matches([' ', '\t', '"', ')', '\\']);
        let quoted = before.trim_end().ends_with(['"', ')']);
        let local: String = local
            .chars()
            .rev()
            .take_while(|c| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(*c))
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect();
        // Over a space only what looks like a domain is one: `meet me @ noon`.
        let apart = after.starts_with([' ', '\t']);
        if domain.is_empty() || (apart && !domain.contains('.')) || (local.is_empty() && !quoted) {
            continue;
        }
        found.push(format!("{local}@{domain}"));
    }
    found
}

/// The host of every link, in lower case: what has a scheme, what begins with `//` or `www.`,
/// and a name with a path after it, which chats make a link of.
pub(super) fn links(text: &str) -> Vec<String> {
    if !text.contains([
        '.', ':', '/', '\u{3002}', '\u{ff0e}', '\u{ff0f}', '\u{ff1a}',
    ]) {
        return Vec::new();
    }
    readings(text, links_of)
}

fn links_of(text: &str) -> Vec<String> {
    // Browsers take a backslash for a slash.
    let text = plain(text).replace('\\', "/");
    let mut found = Vec::new();
    for word in text.split(|c: char| {
        c.is_whitespace()
            || matches!(
                c,
                '<' | '>' | '"' | '\'' | '`' | '(' | ')' | '|' | ',' | ';'
            )
    }) {
        let word = word.trim_start_matches(['[', ']', '!', '*', '_', '{', '}', '=']);
        // `a](https://…` was split at the bracket; what is left may still hold two links.
        let mut rest = word;
        let mut any = false;
        while let Some(at) = rest.find("//") {
            let after = rest.get(at + 2..).unwrap_or("");
            if let Some(host) = host(after.trim_start_matches(['/', '\\'])) {
                found.push(host);
                any = true;
            }
            rest = after;
        }
        if any {
            continue;
        }
        // `mailto:` and its like lead to no host; `https:example.com` does, for a browser.
        let bare = word
            .strip_prefix("https:")
            .or_else(|| word.strip_prefix("http:"))
            .unwrap_or(word);
        let named = bare.starts_with("www.") || bare.len() < word.len();
        let path = bare.find(['/', '\\', '?', '#']);
        let name = path.map_or(bare, |at| bare.get(..at).unwrap_or(""));
        if (named || path.is_some()) && looks_like_a_name(name) {
            found.extend(host(name));
        }
    }
    found
}

/// What is found in every reading of a text. A terminal takes an escape character and what
/// follows for one sign, and so does the text engine; who sends mail may drop the character alone,
/// or stop at it. So what a sequence hides, or takes the first letter of, is looked for too.
fn readings(text: &str, find: impl Fn(&str) -> Vec<String>) -> Vec<String> {
    let mut found = find(text);
    let is_sign = |c: char| c.is_control() && !c.is_whitespace();
    if text.contains(is_sign) {
        found.extend(find(&text.replace(is_sign, " ")));
        found.extend(find(&text.replace(is_sign, "")));
    }
    found
}

/// Whether an address is in one of these domains, or below.
pub(super) fn in_domain(address: &str, domains: &[&str]) -> bool {
    let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
    domains
        .iter()
        .any(|allowed| domain.eq_ignore_ascii_case(allowed))
}

/// Whether a host is `allowed`, which may be `*.example.com`.
pub(super) fn is_host(host: &str, allowed: &str) -> bool {
    match allowed.strip_prefix("*.") {
        Some(suffix) => host
            .strip_suffix(suffix)
            .is_some_and(|rest| rest.ends_with('.') && rest.len() > 1),
        None => host == allowed,
    }
}

/// As the browser's parser reads it, which is the one that would follow the link.
fn host(after: &str) -> Option<String> {
    let end = after.find(['/', '\\', '?', '#']).unwrap_or(after.len());
    let authority = after.get(..end)?;
    let url = url::Url::parse(&format!("https://{authority}/")).ok()?;
    let host = url.host_str()?.trim_end_matches('.');
    (!host.is_empty()).then(|| host.to_owned())
}

/// At least two labels, and the last one of letters: `example.com`, not `1.5` or `a/b`.
fn looks_like_a_name(name: &str) -> bool {
    let name = name.rsplit_once('@').map_or(name, |(_, host)| host);
    let name = name.split(':').next().unwrap_or(name);
    let Some((rest, last)) = name.trim_end_matches('.').rsplit_once('.') else {
        return false;
    };
    let label = |label: &str| {
        !label.is_empty()
            && label
                .chars()
                .all(|c| c.is_alphanumeric() || c == '-' || c == '_')
    };
    rest.split('.').all(label)
        && last.chars().count() >= 2
        && last.chars().all(|c| c.is_alphabetic() || c == '-')
}

fn has_at(text: &str) -> bool {
    // The signs that fold to it.
    text.contains(['@', '\u{ff20}', '\u{fe6b}', '%', '&', '='])
        && (text.contains(['@', '\u{ff20}', '\u{fe6b}'])
            || text.contains("%40")
            || text.contains("&#")
            || text.contains("&commat"))
}

/// Hidden characters out, look-alike signs folded, the two encodings undone that a mail program
/// undoes before it reads an address: percent (`mailto:`) and HTML entities of the sign.
fn plain(text: &str) -> String {
    let folded: String = sanitize(text.to_owned(), Policy::Strip)
        .into_string()
        .nfkc()
        .collect::<String>()
        .to_lowercase();
    folded
        .replace("%40", "@")
        .replace("%2e", ".")
        .replace("&commat;", "@")
        .replace("&#64;", "@")
        .replace("&#x40;", "@")
        .replace("&#46;", ".")
        .replace("&period;", ".")
}
