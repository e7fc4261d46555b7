//! URIs and URI templates of resources.

use mcp_secure_text::Field;

use crate::{
    errors::Errors,
    model::{Exceptions, Function, Text},
};

/// A URI (RFC 3986) in which `{name}` stands for one argument (RFC 6570, level 1).
pub(super) fn check(
    function: &Function,
    uri: &Text,
    exceptions: &mut Exceptions,
    errors: &mut Errors,
) {
    if uri.value.is_empty() && function.errors_found() {
        return;
    }
    let variables = match parse(&uri.value) {
        Ok(variables) => variables,
        Err(reason) => {
            errors.at(
                uri.span(),
                format_args!(
                    "`{}` is no resource address: {reason}",
                    uri.value.escape_debug()
                ),
            );
            return;
        }
    };
    super::text::visible(uri, Field::Annotation, exceptions, errors);
    for argument in function.arguments() {
        if !variables
            .iter()
            .any(|variable| *variable == argument.name())
        {
            errors.at(
                argument.ident.span(),
                format_args!(
                    "nobody can send `{0}`: add `{{{0}}}` to the URI, or remove the parameter",
                    argument.name()
                ),
            );
        }
    }
    for variable in variables {
        if !function
            .arguments()
            .any(|argument| argument.name() == variable)
        {
            errors.at(
                uri.span(),
                format_args!(
                    "`{{{variable}}}` reaches nothing: add a parameter `{variable}: String`"
                ),
            );
        }
    }
}

/// The variables of a template, or what is wrong with it.
pub(super) fn parse(uri: &str) -> Result<Vec<&str>, String> {
    let Some((scheme, rest)) = uri.split_once(':') else {
        return Err("it needs a scheme, such as `notes://`".to_owned());
    };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    if !is_scheme {
        return Err(
            "its scheme has letters, digits, `+`, `-` and `.`, a letter first (RFC 3986)"
                .to_owned(),
        );
    }
    if rest.is_empty() {
        return Err("there is nothing after its scheme".to_owned());
    }
    if let Some(authority) = rest.strip_prefix("//") {
        let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err("it names a user: remove everything up to `@`".to_owned());
        }
    }
    variables(rest)
}

fn variables(mut rest: &str) -> Result<Vec<&str>, String> {
    let mut variables: Vec<&str> = Vec::new();
    let mut after_variable = false;
    while let Some(c) = rest.chars().next() {
        if c == '{' {
            let Some((variable, tail)) = rest.get(1..).and_then(|rest| rest.split_once('}')) else {
                return Err("a `{` is not closed".to_owned());
            };
            let is_name = variable.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && variable
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if !is_name {
                return Err(format!(
                    "`{{{}}}` is no variable: write the name of a parameter, without operators",
                    variable.escape_debug()
                ));
            }
            if variables.contains(&variable) {
                return Err(format!("`{{{variable}}}` is there twice"));
            }
            if after_variable {
                return Err(format!(
                    "nothing tells where `{{{variable}}}` begins: put a `/` before it"
                ));
            }
            variables.push(variable);
            rest = tail;
            after_variable = true;
            continue;
        }
        if c == '}' {
            return Err("a `}` was not opened".to_owned());
        }
        if c == '%' {
            let hex = rest
                .get(1..3)
                .is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
            if !hex {
                return Err("a `%` is followed by two hexadecimal digits".to_owned());
            }
        } else if !c.is_ascii_alphanumeric() && !"-._~:/?#[]@!$&'()*+,;=".contains(c) {
            return Err(format!(
                "`{}` must be percent-encoded in a URI",
                c.escape_debug()
            ));
        }
        after_variable = false;
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_give_their_variables_in_order() {
        assert_eq!(parse("notes://{name}"), Ok(vec!["name"]));
        assert_eq!(parse("db:{table}/{row}?v=1"), Ok(vec!["table", "row"]));
        assert_eq!(parse("a+b.c-d:x%20y"), Ok(vec![]));
        assert_eq!(parse("mail:me@example.org"), Ok(vec![]));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for bad in [
            "",
            "notes",
            "://x",
            "1a://x",
            "no tes://x",
            "{s}://x",
            "notes:",
            "x://me@host/",
            "x://me:{pw}@host",
            "x://{a",
            "x://a}",
            "x://{}",
            "x://{+a}",
            "x://{a,b}",
            "x://{a}{b}",
            "x://{a}/{a}",
            "x://a b",
            "x://ä",
            "x://%zz",
            "x://a\\b",
            "x://{a:3}",
            "x://\u{202e}a",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
