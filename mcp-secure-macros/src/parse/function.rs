//! Marked functions.

use syn::{Attribute, Expr, ExprLit, ImplItemFn, Lit};

use super::{
    docs, exceptions, literal, literals,
    options::{Given, Options},
    param, rates,
};
use crate::{
    errors::Errors,
    model::{
        Access, Exceptions, Function, Hint, Hints, Kind, Policy, Rates, Reason, Target, Text, unraw,
    },
};

/// Reads one function and takes our attributes off. `None` if it has none of them.
pub(crate) fn function(item: &mut ImplItemFn) -> Option<Function> {
    let marks = take_marks(&mut item.attrs);
    let (mark, others) = marks.split_first()?;
    let mut errors = Errors::default();
    for other in others {
        errors.on(
            other,
            format_args!(
                "`{}` is marked already: a function is one thing, so write a second function",
                item.sig.ident
            ),
        );
    }
    let ident = item.sig.ident.clone();
    let mut options = Options::of_attribute(mark, &mut errors);
    let mut known: Vec<&str> = Vec::new();
    let mut policy = Policy::default();
    let mut name = Text::new(unraw(&ident), ident.span());
    let mut title = None;
    let mut allowed = Exceptions::default();
    if !mark.path().is_ident("init") {
        allowed = exceptions(&mut options, &mut errors);
    }
    if !mark.path().is_ident("completion") && !mark.path().is_ident("init") {
        known.extend(ACCESS);
        policy = access(&mut options, &mut errors);
        if let Some(given) = options.string("name", "read_note", &mut errors) {
            name = Text::literal(&given.value);
        }
        title = options
            .string("title", "Read a note", &mut errors)
            .map(|given| Text::literal(&given.value));
    }
    let kind = match unraw_path(mark).as_str() {
        "tool" => {
            known.extend(HINTS);
            known.extend(rates::RATES);
            policy.rates = rates::rates(&mut options, &mut errors);
            Kind::Tool(hints(&mut options, &mut errors))
        }
        "prompt" => Kind::Prompt,
        "resource" => {
            known.extend(["uri", "mime"]);
            resource(&mut options, &mut errors)
        }
        "completion" => {
            known.extend(["prompt", "resource", "arg"]);
            completion(&mut options, &mut errors)
        }
        _ => Kind::Init,
    };
    if matches!(kind, Kind::Init) {
        if !options.is_empty() {
            errors.on(mark, "`#[init]` takes no options");
        }
    } else {
        known.push("allow_text");
        options.finish(&known, &mut errors);
    }
    let description = docs(&item.attrs, &mut errors);
    let params = param::params(&mut item.sig, &mut errors);
    let literals = match kind {
        Kind::Prompt => literals::strings(&item.block),
        _ => Vec::new(),
    };
    Some(Function {
        kind,
        ident,
        cfgs: item
            .attrs
            .iter()
            .filter(|attr| attr.path().is_ident("cfg"))
            .cloned()
            .collect(),
        deprecated: item
            .attrs
            .iter()
            .any(|attr| attr.path().is_ident("deprecated")),
        name,
        title,
        description,
        policy,
        params,
        literals,
        exceptions: allowed,
        signature: item.sig.clone(),
        errors,
    })
}

fn take_marks(attrs: &mut Vec<Attribute>) -> Vec<Attribute> {
    let is_mark = |attr: &Attribute| MARKS.iter().any(|mark| attr.path().is_ident(mark));
    let marks = attrs.iter().filter(|attr| is_mark(attr)).cloned().collect();
    attrs.retain(|attr| !is_mark(attr));
    marks
}

fn unraw_path(attr: &Attribute) -> String {
    attr.path().get_ident().map(unraw).unwrap_or_default()
}

fn access(options: &mut Options, errors: &mut Errors) -> Policy {
    // What could not be read may have said it.
    let readable = errors.is_empty();
    let mut found = Errors::default();
    let public = options.flag("public", &mut found);
    let scope = options.value("scope", "\"notes:read\"", &mut found);
    let access = match (public, scope) {
        (Some(public), Some(_)) => {
            found.at(
                public.span(),
                "`public` and `scope` contradict each other: remove one",
            );
            None
        }
        (Some(_), None) => Some(Access::Public),
        (None, Some(scope)) => Some(Access::Scopes(scopes(&scope, &mut found))),
        (None, None) => {
            if readable && found.is_empty() {
                found.at(
                    options.span,
                    format_args!(
                        "`{}` does not say who may use it: add `scope = \"…\"`, or `public` for \
                         every authenticated caller",
                        options.owner
                    ),
                );
            }
            None
        }
    };
    errors.append(found);
    Policy {
        access,
        hidden: options.flag("hidden", errors).is_some(),
        timeout: options.string("timeout", "30s", errors).and_then(|given| {
            let read = literal::duration(&given.value.value());
            if read.is_none() {
                errors.on(
                    &given.value,
                    "`timeout` is a number above zero with a unit, `ms`, `s` or `min`: `timeout = \"30s\"`",
                );
            }
            read
        }),
        concurrency: options.integer("concurrency", errors).and_then(|given| {
            if given.value == 0 || given.value > MAX_CONCURRENCY {
                errors.on(
                    given.tokens,
                    format_args!("`concurrency` is between 1 and {MAX_CONCURRENCY}"),
                );
                return None;
            }
            Some(given.value)
        }),
        max_output: options.value("max_output", "\"1 MiB\"", errors).and_then(|given| {
            let read = match &given.value {
                Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => literal::size(&text.value()),
                Expr::Lit(ExprLit { lit: Lit::Int(bytes), .. }) => {
                    bytes.base10_parse().ok().filter(|bytes| *bytes > 0)
                }
                _ => None,
            };
            if read.is_none() {
                errors.on(
                    given.tokens,
                    "`max_output` is a number of bytes above zero, or one with a unit, `B`, `KiB`, \
                     `MiB` or `GiB`: `max_output = \"1 MiB\"`",
                );
            }
            read
        }),
        unapproved: reason("unapproved", options, errors),
        allow_flow: reason("allow_flow", options, errors),
        // Of tools, and read with them.
        rates: Rates::default(),
    }
}

fn reason(key: &str, options: &mut Options, errors: &mut Errors) -> Option<Reason> {
    let given = options.string(key, "why", errors)?;
    let why = Text::literal(&given.value);
    if why.value.trim().is_empty() {
        errors.on(
            &given.value,
            format_args!("`{key}` is read by an auditor: say why the rule does not hold here"),
        );
    }
    Some(Reason {
        key: given.key,
        why,
    })
}

fn scopes(given: &Given<Expr>, errors: &mut Errors) -> Vec<Text> {
    let listed: Vec<&Expr> = match &given.value {
        Expr::Array(array) => array.elems.iter().collect(),
        one => vec![one],
    };
    if listed.is_empty() {
        errors.on(
            &given.tokens,
            "an empty list asks for no scope: name one, or say `public`",
        );
    }
    let mut scopes: Vec<Text> = Vec::new();
    for one in listed {
        let Expr::Lit(ExprLit {
            lit: Lit::Str(scope),
            ..
        }) = one
        else {
            errors.on(
                one,
                "`scope` is a string, or a list of strings that are all needed: \
                 `scope = \"notes:read\"`",
            );
            continue;
        };
        let scope = Text::literal(scope);
        if scopes.iter().any(|other| other.value == scope.value) {
            errors.on(
                one,
                format_args!(
                    "scope `{}` is given twice: remove one",
                    scope.value.escape_debug()
                ),
            );
        } else if !is_scope(&scope.value) {
            errors.on(
                one,
                format_args!(
                    "`{}` is no scope: a scope is visible ASCII without spaces, `\"` and `\\` \
                     (RFC 6749, section 3.3)",
                    scope.value.escape_debug()
                ),
            );
        } else {
            scopes.push(scope);
        }
    }
    scopes
}

/// RFC 6749, section 3.3: `scope-token`.
fn is_scope(scope: &str) -> bool {
    !scope.is_empty()
        && scope
            .bytes()
            .all(|b| matches!(b, 0x21 | 0x23..=0x5B | 0x5D..=0x7E))
}

fn hints(options: &mut Options, errors: &mut Errors) -> Hints {
    let mut hint = |key| {
        options.boolean(key, errors).map(|given| Hint {
            value: given.value,
            tokens: given.tokens,
        })
    };
    Hints {
        read_only: hint("read_only"),
        destructive: hint("destructive"),
        idempotent: hint("idempotent"),
        open_world: hint("open_world"),
    }
}

fn resource(options: &mut Options, errors: &mut Errors) -> Kind {
    let mut found = Errors::default();
    let uri = options.string("uri", "notes://{name}", &mut found);
    if uri.is_none() && found.is_empty() {
        found.at(
            options.span,
            "`#[resource]` needs its address: `uri = \"notes://{name}\"`",
        );
    }
    errors.append(found);
    Kind::Resource {
        uri: uri
            .map(|given| Text::literal(&given.value))
            .unwrap_or_default(),
        mime: options
            .string("mime", "text/plain", errors)
            .map(|given| Text::literal(&given.value)),
    }
}

fn completion(options: &mut Options, errors: &mut Errors) -> Kind {
    let mut found = Errors::default();
    let prompt = options.string("prompt", "name", &mut found);
    let resource = options.string("resource", "notes://{name}", &mut found);
    let argument = options.string("arg", "name", &mut found);
    let target = match (prompt, resource) {
        (Some(prompt), Some(resource)) => {
            found.at(
                resource.key.span(),
                "`prompt` and `resource` contradict each other: a completion is for one of them",
            );
            Target::Prompt(Text::literal(&prompt.value))
        }
        (Some(prompt), None) => Target::Prompt(Text::literal(&prompt.value)),
        (None, Some(resource)) => Target::Resource(Text::literal(&resource.value)),
        (None, None) => {
            if found.is_empty() {
                found.at(
                    options.span,
                    "`#[completion]` does not say what it completes: add `prompt = \"name\"` or \
                     `resource = \"uri template\"`",
                );
            }
            Target::Prompt(Text::default())
        }
    };
    if argument.is_none() && found.is_empty() {
        found.at(
            options.span,
            "`#[completion]` does not say which argument it completes: add `arg = \"…\"`",
        );
    }
    errors.append(found);
    Kind::Completion {
        target,
        argument: argument
            .map(|given| Text::literal(&given.value))
            .unwrap_or_default(),
    }
}

const MARKS: [&str; 5] = ["tool", "prompt", "resource", "completion", "init"];

const ACCESS: [&str; 10] = [
    "scope",
    "public",
    "name",
    "title",
    "hidden",
    "timeout",
    "concurrency",
    "max_output",
    "unapproved",
    "allow_flow",
];

const HINTS: [&str; 4] = ["read_only", "destructive", "idempotent", "open_world"];

/// More than this many calls at once is a slip of the keyboard.
const MAX_CONCURRENCY: u64 = 1 << 16;
