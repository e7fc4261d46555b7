//! What can only be seen with all functions in view: names that clash, and completions
//! whose target is not there.

use crate::{
    errors::Errors,
    model::{Function, Kind, Target, Text},
};

pub(super) fn check(functions: &mut [Function]) {
    let found: Vec<Errors> = functions
        .iter()
        .enumerate()
        .map(|(at, function)| {
            let mut errors = Errors::default();
            let before = functions.get(..at).unwrap_or_default();
            clashes(function, before, &mut errors);
            if let Kind::Completion { target, argument } = &function.kind {
                completion(function, target, argument, functions, &mut errors);
            }
            errors
        })
        .collect();
    for (function, errors) in functions.iter_mut().zip(found) {
        function.errors.append(errors);
    }
}

fn clashes(function: &Function, before: &[Function], errors: &mut Errors) {
    // Of two functions under `cfg` at most one may be there; the server checks again.
    let rivals = before.iter().filter(|other| {
        std::mem::discriminant(&other.kind) == std::mem::discriminant(&function.kind)
            && (other.cfgs.is_empty() || function.cfgs.is_empty())
    });
    for other in rivals {
        match (&function.kind, &other.kind) {
            (Kind::Init, _) => {
                errors.at(
                    function.ident.span(),
                    "there is an `#[init]` already: a server starts once",
                );
                return;
            }
            (
                Kind::Completion { target, argument },
                Kind::Completion {
                    target: t,
                    argument: a,
                },
            ) => {
                let sound = !function.errors_found() && !other.errors_found();
                if sound && key(target) == key(t) && argument.value == a.value {
                    errors.at(
                        argument.span(),
                        format_args!(
                            "`{}` completes `{}` already: remove one",
                            other.ident,
                            argument.value.escape_debug()
                        ),
                    );
                    return;
                }
            }
            _ => {
                // The compiler speaks up if the functions have one name.
                if function.name.value == other.name.value && function.ident != other.ident {
                    errors.at(
                        function.name.span(),
                        format_args!(
                            "a {} is called `{}` already: give one of them another `name`",
                            function.kind.noun(),
                            function.name.value.escape_debug()
                        ),
                    );
                    return;
                }
                if let (Kind::Resource { uri, .. }, Kind::Resource { uri: other_uri, .. }) =
                    (&function.kind, &other.kind)
                {
                    let both =
                        super::uri::parse(&uri.value).and(super::uri::parse(&other_uri.value));
                    if both.is_ok() && shape(&uri.value) == shape(&other_uri.value) {
                        errors.at(
                            uri.span(),
                            format_args!(
                                "`{}` answers for the same addresses: change one of the URIs",
                                other.ident
                            ),
                        );
                        return;
                    }
                }
            }
        }
    }
}

fn completion(
    function: &Function,
    target: &Target,
    argument: &Text,
    functions: &[Function],
    errors: &mut Errors,
) {
    prefix(function, errors);
    let found = functions.iter().find(|other| match (&other.kind, target) {
        (Kind::Prompt, Target::Prompt(name)) => other.name.value == name.value,
        (Kind::Resource { uri, .. }, Target::Resource(template)) => uri.value == template.value,
        _ => false,
    });
    let (noun, given) = match target {
        Target::Prompt(name) => ("prompt", name),
        Target::Resource(template) => ("resource", template),
    };
    let Some(found) = found else {
        if !given.value.is_empty() || !function.errors_found() {
            errors.at(
                given.span(),
                format_args!(
                    "there is no {noun} `{}` in this impl block{}",
                    given.value.escape_debug(),
                    choices(functions, target)
                ),
            );
        }
        return;
    };
    if argument.value.is_empty() && function.errors_found() {
        return;
    }
    let names: Vec<String> = found
        .arguments()
        .map(|argument| format!("`{}`", argument.name()))
        .collect();
    if !names.contains(&format!("`{}`", argument.value)) {
        let has = if names.is_empty() {
            "no arguments".to_owned()
        } else {
            names.join(", ")
        };
        errors.at(
            argument.span(),
            format_args!(
                "{noun} `{}` has no argument `{}`: it has {has}",
                given.value.escape_debug(),
                argument.value.escape_debug()
            ),
        );
    }
}

/// A completion is given what was typed so far, and nothing else.
fn prefix(function: &Function, errors: &mut Errors) {
    let mut arguments = function.arguments();
    let missing = !function
        .arguments()
        .any(|argument| argument.name() == "prefix");
    if missing && arguments.next().is_none() {
        if !function.errors_found() {
            errors.at(
                function.ident.span(),
                format_args!(
                    "`{}` is not told what was typed: add `prefix: String`",
                    function.ident
                ),
            );
        }
        return;
    }
    for argument in function
        .arguments()
        .filter(|argument| argument.name() != "prefix")
    {
        errors.at(
            argument.ident.span(),
            "a completion has one argument, `prefix: String`; everything else is a handle",
        );
    }
}

fn choices(functions: &[Function], target: &Target) -> String {
    let choices: Vec<String> = functions
        .iter()
        .filter_map(|function| match (&function.kind, target) {
            (Kind::Prompt, Target::Prompt(_)) => Some(function.name.value.escape_debug()),
            (Kind::Resource { uri, .. }, Target::Resource(_)) => Some(uri.value.escape_debug()),
            _ => None,
        })
        .map(|choice| format!("`{choice}`"))
        .collect();
    if choices.is_empty() {
        String::new()
    } else {
        format!(": there is {}", choices.join(", "))
    }
}

fn key(target: &Target) -> (bool, &str) {
    match target {
        Target::Prompt(name) => (false, &name.value),
        Target::Resource(template) => (true, &template.value),
    }
}

/// A template without the names of its variables: what decides which addresses it matches.
fn shape(uri: &str) -> String {
    let mut shape = String::new();
    let mut inside = false;
    for c in uri.chars() {
        match c {
            '{' => {
                inside = true;
                shape.push_str("{}");
            }
            '}' => inside = false,
            _ if inside => {}
            _ => shape.push(c),
        }
    }
    shape
}
