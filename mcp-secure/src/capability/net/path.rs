//! Paths and queries from a fixed template and typed values, never from a string that was put
//! together.
//!
//! A value that is concatenated into a URL can leave its segment (`../admin`), begin the query,
//! or change the host (CVE-2026-32871, CVE-2026-57496). Here it stays one segment: what servers
//! are known to read as structure, in one or two rounds of decoding, is refused; everything
//! else is escaped.

use super::NetError;

/// Replaces the `{name}`s of a template. What comes out has as many segments as the template.
pub(crate) fn build(template: &str, values: &[(&str, String)]) -> Result<String, NetError> {
    let wrong = |reason| NetError::Path {
        name: template.to_owned(),
        reason,
    };
    let Some(rest) = template.strip_prefix('/') else {
        return Err(wrong("does not begin with a `/`"));
    };
    let mut path = String::with_capacity(template.len() + 32);
    let mut used = 0;
    for (n, part) in rest.split('/').enumerate() {
        path.push('/');
        if part.is_empty() {
            // The end of `/` and of `/users/`; elsewhere it is a slip.
            if n + 1 != rest.split('/').count() {
                return Err(wrong("has an empty segment"));
            }
            continue;
        }
        let start = path.len();
        let mut rest = part;
        while let Some((text, more)) = rest.split_once('{') {
            let (name, after) = more.split_once('}').ok_or(wrong("has a `{` alone"))?;
            literal(text, &mut path).map_err(wrong)?;
            let mut found = values.iter().filter(|(given, _)| *given == name);
            match (found.next(), found.next()) {
                (Some((_, value)), None) => {
                    segment(value, &mut path).map_err(|reason| NetError::Path {
                        name: name.to_owned(),
                        reason,
                    })?
                }
                (None, _) => return Err(wrong("has a parameter without a value")),
                (Some(_), Some(_)) => return Err(wrong("has a parameter with two values")),
            }
            used += 1;
            rest = after;
        }
        literal(rest, &mut path).map_err(wrong)?;
        if is_dots(path.get(start..).unwrap_or_default()) {
            return Err(wrong("has a segment of dots"));
        }
    }
    if used != values.len() {
        return Err(wrong(
            "has no parameter for one of the values, or has one twice",
        ));
    }
    Ok(path)
}

/// Adds one pair to a query, escaped.
pub(super) fn pair(query: &mut String, key: &str, value: &str) {
    if !query.is_empty() {
        query.push('&');
    }
    escape(key, query);
    query.push('=');
    escape(value, query);
}

/// Adds text of the template.
fn literal(text: &str, path: &mut String) -> Result<(), &'static str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&b);
    if !text.bytes().all(plain) {
        return Err("has a character that is not sent as it is");
    }
    path.push_str(text);
    Ok(())
}

/// Adds one value.
fn segment(value: &str, path: &mut String) -> Result<(), &'static str> {
    if value.is_empty() {
        return Err("is empty, which would name what is above it");
    }
    if value.len() > MAX_VALUE {
        return Err("is too long for a part of a path");
    }
    if value.contains(['/', '\\']) {
        return Err("has a slash, which would begin another part of the path");
    }
    // `%2e%2e%2f`, escaped once, is `../` to a server that decodes twice.
    if value.contains('%') {
        return Err("has a `%`, which some servers decode once more");
    }
    if value.chars().any(char::is_control) {
        return Err("has a control character");
    }
    // `..;x` is `..` to servlet containers.
    if is_dots(value.split(';').next().unwrap_or_default()) {
        return Err("would name what is above it");
    }
    escape(value, path);
    Ok(())
}

fn is_dots(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b == b'.')
}

/// All but the unreserved characters of RFC 3986, section 2.3.
fn escape(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for half in [byte >> 4, byte & 15] {
                out.push(
                    char::from_digit(half.into(), 16)
                        .unwrap_or('0')
                        .to_ascii_uppercase(),
                );
            }
        }
    }
}

/// Bytes of one value. Servers refuse URLs of more than some 8,000.
const MAX_VALUE: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn one(value: &str) -> Result<String, NetError> {
        build("/users/{id}/repos", &[("id", value.to_owned())])
    }

    #[test]
    fn a_value_stays_one_segment() {
        for (value, path) in [
            ("octocat", "/users/octocat/repos"),
            ("a b", "/users/a%20b/repos"),
            ("a?x=1#y", "/users/a%3Fx%3D1%23y/repos"),
            ("..a", "/users/..a/repos"),
            ("evil.com:80@x", "/users/evil.com%3A80%40x/repos"),
            ("\u{fc}", "/users/%C3%BC/repos"),
            ("a;b", "/users/a%3Bb/repos"),
        ] {
            assert_eq!(one(value).unwrap(), path);
        }
        for refused in [
            "", ".", "..", "...", "a/b", "../x", "..\\x", "%2e%2e", "a%2fb", "100%", "a\0",
            "a\r\nb", "..;", "..;x", ".;", "\u{85}",
        ] {
            assert!(
                matches!(one(refused), Err(NetError::Path { .. })),
                "{refused:?}"
            );
        }
        assert!(one(&"a".repeat(5000)).is_err());
    }

    #[test]
    fn dots_that_come_together_are_dots() {
        let build =
            |a: &str, b: &str| build("/x/{a}{b}", &[("a", a.to_owned()), ("b", b.to_owned())]);
        assert_eq!(build("a", "b").unwrap(), "/x/ab");
        assert!(build(".", "a").is_err() && build("..", "a").is_err());
        let dotted = super::build("/x/{a}.", &[("a", ".".to_owned())]);
        assert!(dotted.is_err());
    }

    #[test]
    fn a_template_is_held_to_its_values() {
        for (template, values) in [
            ("users", vec![]),
            ("/users/{id}", vec![]),
            ("/users", vec![("id", "x".to_owned())]),
            (
                "/users/{id}",
                vec![("id", "x".to_owned()), ("id", "y".to_owned())],
            ),
            ("/{id}/{id}", vec![("id", "x".to_owned())]),
            ("/users/{id", vec![("id", "x".to_owned())]),
            ("/a//b", vec![]),
            ("/../b", vec![]),
            ("/a?b", vec![]),
            ("/a%2fb", vec![]),
            ("/a b", vec![]),
            ("/a;b", vec![]),
        ] {
            assert!(build(template, &values).is_err(), "{template}");
        }
        assert_eq!(build("/", &[]).unwrap(), "/");
        assert_eq!(build("/users/", &[]).unwrap(), "/users/");
    }

    #[test]
    fn a_query_value_begins_no_other_pair() {
        let mut query = String::new();
        pair(&mut query, "q", "a&b=c#d%26\r\n");
        pair(&mut query, "p[]", "1");
        assert_eq!(query, "q=a%26b%3Dc%23d%2526%0D%0A&p%5B%5D=1");
    }
}
