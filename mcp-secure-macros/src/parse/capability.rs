//! The options of `#[capability]`: which kind it is, and what the code fixes of it.

use syn::{Expr, ExprLit, Ident, Lit, spanned::Spanned};

use super::options::Options;
use crate::{errors::Errors, model::Text};

/// What is declared, with what only that kind can say.
pub(crate) enum Kind {
    /// A folder.
    Fs,
    /// An HTTP endpoint.
    Net {
        url: Option<Text>,
        /// The host may be a wildcard.
        open: bool,
        allow_private: bool,
        credential: Option<Credential>,
    },
    /// A TCP service, or a Unix-domain socket.
    Tcp {
        address: Option<Text>,
        allow_private: bool,
    },
    /// A database.
    Sql {
        engine: &'static str,
        allow_private: bool,
    },
    /// A program.
    Exec { path: Option<Text> },
}

/// What an endpoint spends: a name in the vault.
pub(crate) struct Credential {
    pub(crate) name: Text,
    /// There is one for each caller.
    pub(crate) per_user: bool,
}

/// Reads the kind. `None` after an error.
pub(crate) fn kind(options: &mut Options, errors: &mut Errors) -> Option<Kind> {
    let mut named: Vec<(Ident, Option<Expr>)> = KINDS
        .iter()
        .filter_map(|kind| options.either(kind))
        .collect();
    for (second, _) in named.iter().skip(1) {
        errors.at(
            second.span(),
            format_args!("a capability is of one kind: declare another struct for `{second}`"),
        );
    }
    if named.is_empty() {
        // What else is wrong may be why: an option that cannot be read hides the rest.
        if errors.is_empty() {
            errors.at(
                options.span,
                "`#[capability]` does not say what it is for: write `#[capability(fs)]`, or one of \
                 `net`, `tcp`, `sql`, `exec`",
            );
        }
        return None;
    }
    let (key, value) = named.swap_remove(0);
    let open = options.flag("open", errors);
    let allow_private = options.flag("allow_private", errors);
    let per_user = options.flag("per_user", errors);
    let spent = options.string("credential", "github", errors);
    let misplaced = |flag: &Option<Ident>, errors: &mut Errors, why: &str| {
        if let Some(flag) = flag {
            errors.at(
                flag.span(),
                format_args!("`{flag}` is of no use for `{key}`: {why}"),
            );
        }
    };
    let name = key.to_string();
    if name != "net" {
        misplaced(&open, errors, "only hosts of `net` can be a wildcard");
        let key = spent.as_ref().map(|given| given.key.clone());
        misplaced(&key, errors, "only an endpoint of `net` spends one");
    }
    if spent.is_none() {
        misplaced(
            &per_user,
            errors,
            "it says of a `credential` that each caller has one",
        );
    }
    if matches!(name.as_str(), "fs" | "exec") {
        misplaced(&allow_private, errors, "it connects to no address");
    }
    let allow_private = allow_private.is_some();
    match name.as_str() {
        "fs" => {
            if let Some(value) = value {
                errors.on(
                    value,
                    "`fs` takes no value: a folder is named where it is granted, by \
                     `from_operator()` or `at(path)`",
                );
            }
            Some(Kind::Fs)
        }
        "net" => {
            let url = text(value, &key, "https://api.example.com", errors);
            let wild = url.as_ref().is_some_and(|url| url.value.contains('*'));
            if let Some(url) = &url {
                refuse_url(url, errors);
            }
            let open = open.is_some() || wild;
            let credential = spent.map(|given| Credential {
                name: Text::literal(&given.value),
                per_user: per_user.is_some(),
            });
            if let Some(credential) = &credential {
                refuse_credential(&credential.name, open, errors);
            }
            Some(Kind::Net {
                open,
                url,
                allow_private,
                credential,
            })
        }
        "tcp" => {
            let address = text(value, &key, "cache.example.com:6379", errors);
            if let Some(address) = &address {
                refuse_address(address, errors);
            }
            Some(Kind::Tcp {
                address,
                allow_private,
            })
        }
        "sql" => {
            let given = text(value, &key, "sqlite", errors);
            let engine = match given.as_ref().map(|given| given.value.as_str()) {
                Some("postgres") => "Postgres",
                Some("sqlite") => "Sqlite",
                Some(_) => {
                    if let Some(given) = &given {
                        errors.at(
                            given.span(),
                            format_args!(
                                "`{}` is no database that is known: write `postgres` or `sqlite`",
                                given.value.escape_debug()
                            ),
                        );
                    }
                    return None;
                }
                None => {
                    errors.at(
                        key.span(),
                        "`sql` needs to know which database: `sql = \"postgres\"` or \
                         `sql = \"sqlite\"`",
                    );
                    return None;
                }
            };
            Some(Kind::Sql {
                engine,
                allow_private,
            })
        }
        _ => {
            let path = text(value, &key, "/usr/bin/git", errors);
            if let Some(path) = &path
                && (!path.value.starts_with('/') || path.value.contains("/../"))
            {
                errors.at(
                    path.span(),
                    "a program is named by its absolute path: `exec = \"/usr/bin/git\"`; what \
                     `PATH` finds first is for others to decide",
                );
            }
            Some(Kind::Exec { path })
        }
    }
}

fn text(value: Option<Expr>, key: &Ident, example: &str, errors: &mut Errors) -> Option<Text> {
    match value? {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Some(Text::literal(&text)),
        other => {
            errors.at(
                other.span(),
                format_args!("`{key}` is a string: `{key} = \"{example}\"`"),
            );
            None
        }
    }
}

/// What is certainly no endpoint. The whole of it is read by a real parser at the start; here
/// is what the author should not have to start a server for.
fn refuse_url(url: &Text, errors: &mut Errors) {
    let mut refuse = |why: &str| errors.at(url.span(), why);
    let Some((scheme, rest)) = url.value.split_once("://") else {
        return refuse("an endpoint is a whole address: `https://api.example.com`");
    };
    if !matches!(scheme, "https" | "http") {
        return refuse("an endpoint is reached by `https`");
    }
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    if authority.contains('@') {
        return refuse(
            "an endpoint holds no name and no password: a credential in the code is everybody's",
        );
    }
    if rest.contains(['?', '#']) {
        return refuse("an endpoint ends with its path: a query is given with each request");
    }
    if path.contains(['\\', '%']) || path.split('/').any(|part| matches!(part, "." | "..")) {
        return refuse("the path of an endpoint is plain: no `..`, no `%`, no `\\`");
    }
    if !host_is_plain(authority, true) {
        refuse(
            "the host of an endpoint is a name in lower case ASCII, or `*.` before one with at \
             least two labels, and may have a port",
        );
    }
}

fn refuse_credential(name: &Text, open: bool, errors: &mut Errors) {
    let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
    let given = &name.value;
    if given.len() > 64
        || !given.bytes().all(fine)
        || !given.starts_with(|c: char| c.is_ascii_lowercase())
    {
        errors.at(
            name.span(),
            "this is the name of a credential in the vault, not the credential: a letter, then \
             letters, digits, `-`, `_` and `.`, all in lower case",
        );
    } else if open {
        errors.at(
            name.span(),
            "a credential would go to whatever host a caller chooses: name one host",
        );
    }
}

fn refuse_address(address: &Text, errors: &mut Errors) {
    let port = address
        .value
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse::<u16>().ok());
    if port.is_none_or(|port| port == 0) || !host_is_plain(&address.value, false) {
        errors.at(
            address.span(),
            "a TCP service is a name in lower case ASCII and a port: `cache.example.com:6379`",
        );
    }
}

fn host_is_plain(authority: &str, wildcard: bool) -> bool {
    // An IPv6 literal is left to the parser at the start.
    if authority.starts_with('[') {
        return authority.contains(']');
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let (host, wild) = match host.strip_prefix("*.") {
        Some(rest) if wildcard => (rest, true),
        _ => (host, false),
    };
    let label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
    };
    host.split('.').all(label)
        && (!wild || host.contains('.'))
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0))
}

const KINDS: [&str; 5] = ["fs", "net", "tcp", "sql", "exec"];
