//! Parameters, as far as their names and written types tell.

use mcp_secure_text::{Field, check_name};
use syn::{Generics, Type};

use super::text;
use crate::{
    errors::Errors,
    model::{Argument, Exceptions, Function, Handle, Kind, Param, Text},
    parse::{last_name, only_generic, type_in_words, words},
};

pub(super) fn check(
    function: &Function,
    generics: &Generics,
    exceptions: &mut Exceptions,
    errors: &mut Errors,
) {
    let is_tool = matches!(function.kind, Kind::Tool(_));
    for param in &function.params {
        match param {
            Param::Argument(argument) => {
                check_argument(argument, is_tool, exceptions, errors);
                if matches!(function.kind, Kind::Init) {
                    errors.on(
                        &argument.ty,
                        "`#[init]` runs before there is a caller, so it has no arguments: take handles",
                    );
                }
            }
            Param::Whole { ty, .. } => whole(function, ty, errors),
            Param::Handle(handle) => check_handle(function, handle, generics, errors),
        }
    }
    headers(function, errors);
}

fn check_argument(
    argument: &Argument,
    is_tool: bool,
    exceptions: &mut Exceptions,
    errors: &mut Errors,
) {
    if let Err(error) = check_name(&argument.name()) {
        errors.at(
            argument.ident.span(),
            format_args!("{error}; rename the parameter"),
        );
    } else {
        let name = Text::new(argument.name(), argument.ident.span());
        text::visible(&name, Field::ParameterName, exceptions, errors);
    }
    if let Some(description) = &argument.description {
        text::visible(description, Field::ParameterDoc, exceptions, errors);
    }
    let rules = &argument.rules;
    let shape = Shape::of(&argument.ty);
    for key in &rules.given {
        let fits = match (key.to_string().as_str(), shape) {
            (_, Shape::Unknown) => continue,
            ("max_len" | "min_len" | "pattern", shape) => matches!(shape, Shape::Text),
            ("max_items", shape) => matches!(shape, Shape::List),
            ("range", shape) => matches!(shape, Shape::Integer | Shape::Float),
            ("header", _) if !is_tool => true,
            ("header", shape) => matches!(shape, Shape::Text | Shape::Integer | Shape::Switch),
            _ => true,
        };
        if !fits {
            errors.at(
                key.span(),
                format_args!(
                    "`{key}` does not fit `{}`, which is `{}`: {}",
                    argument.ident,
                    type_in_words(&argument.ty),
                    for_what(key),
                ),
            );
        }
    }
    let at = |key: &str| {
        rules
            .given
            .iter()
            .find(|given| *given == key)
            .map(syn::Ident::span)
    };
    if let (Some(min), Some(max), Some(span)) = (rules.min_len, rules.max_len, at("min_len"))
        && min > max
    {
        errors.at(
            span,
            "no text is that short and that long: `min_len` is above `max_len`",
        );
    }
    if let (Some(min), Some(max), Some(span)) = (rules.minimum, rules.maximum, at("range"))
        && min > max
    {
        errors.at(
            span,
            "this `range` is empty: its first end is above its last",
        );
    }
    if let Some(pattern) = &rules.pattern {
        text::visible(pattern, Field::SchemaText, exceptions, errors);
        if pattern.value.is_empty() {
            errors.at(
                pattern.span(),
                "this `pattern` is empty and refuses nothing: remove it",
            );
        }
    }
    if let Some(audit) = &rules.audit {
        if !is_tool {
            errors.at(
                audit.span(),
                "only the arguments of tools are in the audit record: remove `audit`",
            );
        } else if let Some(word) = sensitive(&argument.name()) {
            errors.at(
                audit.span(),
                format_args!(
                    "audit logs are copied to many places, and `{word}` sounds like a secret: \
                     remove `audit`"
                ),
            );
        }
    }
    if let Some(header) = &rules.header {
        if !is_tool {
            errors.at(
                header.span(),
                "only the arguments of tools are mirrored into headers: remove `header`",
            );
        } else if !is_token(&header.value) {
            errors.at(
                header.span(),
                format_args!(
                    "`{}` is no header name: write letters, digits and `-` (RFC 9110, section 5.6.2)",
                    header.value.escape_debug()
                ),
            );
        } else if let Some(word) = sensitive(&header.value).or_else(|| sensitive(&argument.name()))
        {
            errors.at(
                header.span(),
                format_args!(
                    "headers end up in the logs of proxies, and `{word}` sounds like a secret: \
                     remove `header`"
                ),
            );
        } else {
            text::visible(header, Field::SchemaText, exceptions, errors);
        }
    }
}

fn whole(function: &Function, ty: &Type, errors: &mut Errors) {
    if !matches!(function.kind, Kind::Tool(_)) {
        errors.on(
            ty,
            format_args!(
                "the arguments of a {} arrive one by one: write a parameter for each",
                function.kind.noun()
            ),
        );
        return;
    }
    let others = function
        .params
        .iter()
        .filter(|param| !matches!(param, Param::Handle(_)))
        .count();
    if others > 1 {
        errors.on(
            ty,
            "`Args<T>` is all arguments in one struct: put the other arguments into `T`",
        );
    }
}

fn check_handle(function: &Function, handle: &Handle, generics: &Generics, errors: &mut Errors) {
    let generic = generics
        .params
        .iter()
        .map(|param| match param {
            syn::GenericParam::Type(param) => param.ident.to_string(),
            syn::GenericParam::Const(param) => param.ident.to_string(),
            syn::GenericParam::Lifetime(param) => param.lifetime.ident.to_string(),
        })
        .chain(["Self".to_owned()])
        .find(|generic| words(&handle.ty).any(|word| word == *generic));
    if let Some(generic) = generic {
        errors.on(
            &handle.ty,
            format_args!(
                "handle parameters may not be generic: write a type in place of `{generic}`, so \
                 that its rights are known here"
            ),
        );
    }
    if matches!(function.kind, Kind::Init) && OF_A_CALL.contains(&handle.type_name.as_str()) {
        errors.on(
            &handle.ty,
            format_args!(
                "`#[init]` runs before there is a caller: take `{}` where a call needs it",
                handle.type_name
            ),
        );
    }
}

/// Header names are unique in a tool, whatever their case.
fn headers(function: &Function, errors: &mut Errors) {
    let mut seen: Vec<String> = Vec::new();
    for header in function
        .arguments()
        .filter_map(|argument| argument.rules.header.as_ref())
    {
        let folded = header.value.to_ascii_lowercase();
        if seen.contains(&folded) {
            errors.at(
                header.span(),
                format_args!(
                    "header `{}` is taken by another argument: headers ignore case",
                    header.value.escape_debug()
                ),
            );
        }
        seen.push(folded);
    }
}

/// Whether every text of its schemas is written here: the types have none of their own.
pub(super) fn shows_its_schemas(function: &Function) -> bool {
    let plain = |ty: &Type| {
        words(ty).all(|word| WORDLESS.contains(&word.as_str()))
            && !matches!(ty, Type::Macro(_) | Type::Infer(_))
    };
    let arguments = function.params.iter().all(|param| match param {
        Param::Argument(argument) => plain(&argument.ty),
        Param::Whole { .. } => false,
        Param::Handle(_) => true,
    });
    let is_tool = matches!(function.kind, Kind::Tool(_));
    arguments && (!is_tool || function.output().is_none_or(plain))
}

/// What a written type certainly is. An alias may be anything; its schema tells at run time.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    Integer,
    Float,
    Switch,
    List,
    Unknown,
}

impl Shape {
    fn of(ty: &Type) -> Self {
        match last_name(ty).as_deref() {
            Some("Option") => only_generic(ty).map_or(Self::Unknown, Self::of),
            Some("String") => Self::Text,
            Some(
                "u8" | "u16" | "u32" | "u64" | "u128" | "usize" | "i8" | "i16" | "i32" | "i64"
                | "i128" | "isize",
            ) => Self::Integer,
            Some("f32" | "f64") => Self::Float,
            Some("bool") => Self::Switch,
            Some("Vec" | "VecDeque" | "BTreeSet" | "HashSet") => Self::List,
            _ => Self::Unknown,
        }
    }
}

fn for_what(key: &syn::Ident) -> &'static str {
    match key.to_string().as_str() {
        "max_items" => "it narrows lists",
        "range" => "it narrows numbers",
        "header" => "only strings, integers and switches go into headers",
        _ => "it narrows strings",
    }
}

/// RFC 9110, section 5.6.2: `token`.
fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// The word in a name that sounds like a secret.
pub(crate) fn sensitive(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    SENSITIVE.into_iter().find(|word| name.contains(word))
}

const SENSITIVE: [&str; 4] = ["password", "token", "secret", "key"];

/// The words of types whose schemas hold no text.
const WORDLESS: [&str; 25] = [
    "String",
    "Option",
    "Vec",
    "VecDeque",
    "BTreeSet",
    "HashSet",
    "ToolResult",
    "Result",
    "ToolError",
    "bool",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "usize",
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "isize",
    "f32",
    "f64",
    "mcp_secure",
];

/// Handles that belong to a call, not to the server.
const OF_A_CALL: [&str; 9] = [
    "Principal",
    "Session",
    "Seals",
    "Progress",
    "Elicit",
    "Log",
    "Sample",
    "Roots",
    "Approved",
];
