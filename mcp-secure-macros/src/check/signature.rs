//! A marked function is a plain `async fn` of the server.

use quote::ToTokens;
use syn::{FnArg, ReceiverKind, Safety, Type, spanned::Spanned};

use crate::{
    errors::Errors,
    model::{Function, Kind},
    parse::words,
};

pub(super) fn check(function: &Function, errors: &mut Errors) {
    let signature = &function.signature;
    let noun = function.kind.noun();
    let is_init = matches!(function.kind, Kind::Init);
    if signature.asyncness.is_none() {
        errors.at(
            signature.fn_token.span(),
            format_args!("`{}` is not async: write `async fn`", function.ident),
        );
    }
    if let Some(constness) = &signature.constness {
        errors.on(
            constness,
            format_args!("a {noun} cannot be `const`: remove it"),
        );
    }
    match &signature.safety {
        Safety::Unsafe(token) => {
            errors.on(
                token,
                format_args!("a {noun} cannot be `unsafe`: its caller is a model"),
            );
        }
        Safety::Safe(token) => errors.on(token, "`safe` has no meaning here: remove it"),
        Safety::Default => {}
    }
    if let Some(abi) = &signature.abi {
        errors.on(abi, format_args!("a {noun} cannot be `extern`: remove it"));
    }
    if !signature.generics.params.is_empty() {
        errors.on(
            &signature.generics,
            format_args!("a {noun} cannot be generic: nobody could choose the types"),
        );
    } else if let Some(clause) = &signature.generics.where_clause {
        errors.on(
            clause,
            format_args!("a {noun} has no `where` clause: put it on the impl block"),
        );
    }
    receiver(function, is_init, errors);
    output(function, is_init, errors);
}

fn receiver(function: &Function, is_init: bool, errors: &mut Errors) {
    let receiver = function
        .signature
        .inputs
        .iter()
        .find_map(|input| match input {
            FnArg::Receiver(receiver) => Some(receiver),
            FnArg::Typed(_) => None,
        });
    match receiver {
        Some(receiver) if is_init => {
            errors.on(
                receiver,
                "`#[init]` builds the server, so there is no `self` yet: remove it",
            );
        }
        None if is_init => {}
        None => errors.at(
            function.ident.span(),
            format_args!("`{}` takes no server: write `&self` first", function.ident),
        ),
        Some(receiver) => {
            if !matches!(&receiver.kind, ReceiverKind::Reference(_, None, None)) {
                errors.on(
                    receiver,
                    "calls run at the same time and share the server: write `&self`",
                );
            }
        }
    }
}

fn output(function: &Function, is_init: bool, errors: &mut Errors) {
    let Some(output) = function.output() else {
        if is_init {
            errors.at(
                function.ident.span(),
                "`#[init]` returns the server: write `-> mcp_secure::Result<Self>`",
            );
        }
        return;
    };
    if words(output).any(|word| word == "impl") {
        errors.on(
            output,
            "the answer needs a type with a name: its schema comes from it",
        );
        return;
    }
    if let Type::Reference(reference) = output
        && reference
            .lifetime
            .as_ref()
            .is_none_or(|lifetime| lifetime.ident != "static")
    {
        let owned = match reference.elem.to_token_stream().to_string().as_str() {
            "str" => "String".to_owned(),
            _ => crate::parse::type_in_words(&reference.elem),
        };
        errors.on(
            output,
            format_args!("the answer outlives the call: return `{owned}`"),
        );
    }
}
