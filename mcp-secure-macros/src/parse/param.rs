//! Parameters: what is sent, what is granted, and what `#[arg(…)]` narrows.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    Attribute, Expr, ExprLit, ExprUnary, FnArg, GenericArgument, Lit, Pat, PatIdent, PatType,
    PathArguments, RangeLimits, Signature, Type, UnOp,
};

use super::{docs, options::Options};
use crate::{
    errors::Errors,
    model::{Argument, Handle, Param, Rules, Text},
};

/// Every parameter after `self`; our attributes are taken off.
pub(super) fn params(signature: &mut Signature, errors: &mut Errors) -> Vec<Param> {
    let mut params = Vec::new();
    for input in &mut signature.inputs {
        if let FnArg::Typed(typed) = input {
            let ours = take_ours(&mut typed.attrs, errors);
            params.extend(param(typed, &ours, errors));
        }
    }
    params
}

fn param(typed: &PatType, ours: &[Attribute], errors: &mut Errors) -> Option<Param> {
    let marked = ours.iter().find(|attr| attr.path().is_ident("handle"));
    let rules = ours.iter().find(|attr| attr.path().is_ident("arg"));
    let ty = peel(&typed.ty);
    let name = last_name(ty).unwrap_or_default();
    let named_handle = HANDLES.contains(&name.as_str());

    if let Type::Reference(reference) = ty {
        errors.on(&typed.ty, by_reference(&reference.elem, marked.is_some()));
        return None;
    }
    if let Type::ImplTrait(_) = ty {
        errors.on(
            &typed.ty,
            "a parameter must name its type: its schema, or its rights, come from it",
        );
        return None;
    }
    if named_handle || marked.is_some() {
        if let (true, Some(marked)) = (named_handle, marked) {
            errors.on(
                marked,
                format_args!("`{name}` is a handle already: remove `#[handle]`"),
            );
            return None;
        }
        if let Some(rules) = rules {
            errors.on(
                rules,
                "a handle is granted, not sent: `#[arg(…)]` only narrows arguments",
            );
            return None;
        }
        if marked.is_some_and(|attr| attr.meta.require_path_only().is_err()) {
            errors.on(marked, "`#[handle]` takes no options");
            return None;
        }
        let label = match &*typed.pat {
            Pat::Ident(pat) => crate::model::unraw(&pat.ident),
            _ => type_in_words(ty),
        };
        return Some(Param::Handle(Handle {
            label,
            ty: ty.clone(),
            type_name: name,
            extractor: marked.is_some(),
        }));
    }
    // `Args` without brackets is an error of the compiler's, or no type of ours.
    if let ("Args", Some(inner)) = (name.as_str(), only_generic(ty)) {
        if let Some(rules) = rules {
            errors.on(
                rules,
                "`Args<T>` is narrowed where `T` is declared: remove `#[arg(…)]`",
            );
            return None;
        }
        return Some(Param::Whole {
            ty: ty.clone(),
            inner: inner.clone(),
        });
    }
    let Pat::Ident(PatIdent {
        by_ref: None,
        subpat: None,
        ident,
        ..
    }) = &*typed.pat
    else {
        errors.on(
            &typed.pat,
            "an argument needs a plain name, which callers will use; take it apart in the body",
        );
        return None;
    };
    Some(Param::Argument(Argument {
        ident: ident.clone(),
        ty: ty.clone(),
        description: docs(ours, errors),
        rules: rules
            .map(|attr| arg_rules(attr, errors))
            .unwrap_or_default(),
    }))
}

/// Takes `#[arg]`, `#[handle]` and doc comments off a parameter.
fn take_ours(attrs: &mut Vec<Attribute>, errors: &mut Errors) -> Vec<Attribute> {
    let mut ours: Vec<Attribute> = Vec::new();
    attrs.retain(|attr| {
        let path = attr.path();
        if path.is_ident("cfg") || path.is_ident("cfg_attr") {
            errors.on(
                attr,
                "a parameter cannot depend on `cfg`: its schema or its right would; \
                 put `#[cfg]` on the function",
            );
            return false;
        }
        let is_ours = ["arg", "handle", "doc"]
            .iter()
            .any(|known| path.is_ident(known));
        if is_ours {
            let twice = ours
                .iter()
                .any(|other| other.path().get_ident() == path.get_ident())
                && !path.is_ident("doc");
            if twice {
                errors.on(attr, "given twice: put all of it into one attribute");
            } else {
                ours.push(attr.clone());
            }
        }
        !is_ours
    });
    ours
}

fn arg_rules(attr: &Attribute, errors: &mut Errors) -> Rules {
    let mut options = Options::of_attribute(attr, errors);
    if options.is_empty() && errors.is_empty() {
        errors.on(
            attr,
            "`#[arg]` narrows nothing: give it an option, or remove it",
        );
    }
    let mut rules = Rules::default();
    for (key, slot) in [
        ("max_len", &mut rules.max_len),
        ("min_len", &mut rules.min_len),
        ("max_items", &mut rules.max_items),
    ] {
        if let Some(given) = options.integer(key, errors) {
            *slot = Some(given.value);
            rules.given.push(given.key);
        }
    }
    if let Some(given) = options.value("range", "1..=10", errors) {
        range(&given.value, &mut rules, errors);
        rules.given.push(given.key);
    }
    for (key, example, slot) in [
        ("pattern", "^[a-z]+$", &mut rules.pattern),
        ("header", "Region", &mut rules.header),
    ] {
        if let Some(given) = options.string(key, example, errors) {
            *slot = Some(Text::literal(&given.value));
            rules.given.push(given.key);
        }
    }
    if let Some(key) = options.flag("audit", errors) {
        rules.audit = Some(key.clone());
        rules.given.push(key);
    }
    options.finish(
        &[
            "max_len",
            "min_len",
            "max_items",
            "range",
            "pattern",
            "header",
            "audit",
        ],
        errors,
    );
    rules
}

fn range(value: &Expr, rules: &mut Rules, errors: &mut Errors) {
    let Expr::Range(range) = value else {
        errors.on(value, "`range` is a range of numbers: `range = 1..=10`");
        return;
    };
    if let (RangeLimits::HalfOpen(_), Some(_)) = (&range.limits, &range.end) {
        errors.on(value, "both ends of a `range` belong to it: write `..=`");
        return;
    }
    for (end, slot) in [
        (&range.start, &mut rules.minimum),
        (&range.end, &mut rules.maximum),
    ] {
        if let Some(end) = end {
            match number(end) {
                Some(number) => *slot = Some(number),
                None => errors.on(
                    end,
                    "the end of a `range` is a number, exact within 53 bits",
                ),
            }
        }
    }
    if range.start.is_none() && range.end.is_none() {
        errors.on(value, "this `range` has no ends: `range = 1..=10`");
    }
}

fn number(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Unary(ExprUnary {
            op: UnOp::Neg(_),
            expr,
            ..
        }) => number(expr).map(|number| -number),
        Expr::Lit(ExprLit {
            lit: Lit::Float(number),
            ..
        }) => number
            .base10_parse::<f64>()
            .ok()
            .filter(|number| number.is_finite()),
        Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        }) => {
            let number: u64 = number.base10_parse().ok()?;
            #[allow(clippy::cast_precision_loss, reason = "only what is exact")]
            (number <= 1 << 53).then_some(number as f64)
        }
        _ => None,
    }
}

fn by_reference(inner: &Type, marked: bool) -> String {
    let name = last_name(peel(inner)).unwrap_or_default();
    match inner {
        _ if marked || HANDLES.contains(&name.as_str()) => {
            format!("a handle is lent by value: take `{}`", type_in_words(inner))
        }
        _ if name == "str" => "an argument is owned by the call: take `String`".to_owned(),
        Type::Slice(slice) => {
            format!(
                "an argument is owned by the call: take `Vec<{}>`",
                type_in_words(&slice.elem)
            )
        }
        _ => format!(
            "an argument is owned by the call: take `{}`",
            type_in_words(inner)
        ),
    }
}

/// Without brackets that do not change the type.
fn peel(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => peel(&group.elem),
        Type::Paren(paren) => peel(&paren.elem),
        other => other,
    }
}

/// `Fs` of `mcp_secure::capability::fs::Fs<Notes, ReadOnly>`.
pub(crate) fn last_name(ty: &Type) -> Option<String> {
    match ty {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .map(|segment| crate::model::unraw(&segment.ident)),
        _ => None,
    }
}

/// `T` of `Args<T>`.
pub(crate) fn only_generic(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments else {
        return None;
    };
    match arguments.args.first() {
        Some(GenericArgument::Type(inner)) if arguments.args.len() == 1 => Some(inner),
        _ => None,
    }
}

/// A type as people write it; token streams print spaces everywhere.
pub(crate) fn type_in_words(ty: &impl ToTokens) -> String {
    let mut words = ty.to_token_stream().to_string();
    for (spaced, tight) in [
        (" :: ", "::"),
        (" < ", "<"),
        (" >", ">"),
        (" , ", ", "),
        (":: ", "::"),
        ("& ", "&"),
    ] {
        words = words.replace(spaced, tight);
    }
    words
}

/// Every identifier in `tokens`, at any depth.
pub(crate) fn words(tokens: &impl ToTokens) -> impl Iterator<Item = String> {
    fn collect(tokens: TokenStream, words: &mut Vec<String>) {
        for token in tokens {
            match token {
                TokenTree::Ident(word) => words.push(word.to_string()),
                TokenTree::Group(group) => collect(group.stream(), words),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }
    let mut words = Vec::new();
    collect(tokens.to_token_stream(), &mut words);
    words.into_iter()
}

/// A parameter whose type has one of these names is granted. The name decides nothing else:
/// what the type may do is asked of the type.
const HANDLES: [&str; 14] = [
    "Fs",
    "Net",
    "Tcp",
    "Sql",
    "Exec",
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
