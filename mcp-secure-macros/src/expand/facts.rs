//! Assertions over the rights of handles.
//!
//! A name in a signature proves nothing: `Fs` may be any type. So every rule is asked of the
//! constants of the type itself, by the compiler, at the place the author wrote it.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;

use super::here;
use crate::model::{Function, Handle, Hint, Kind, ends};

/// The rights of each handle of a function, and the rules over them.
pub(super) fn assertions(p: &TokenStream, at: usize, function: &Function) -> TokenStream {
    let rights: Vec<Ident> = rights(at, function).collect();
    let cfgs = &function.cfgs;
    let cfgs = quote!(#(#cfgs)*);
    let constants = function.handles().zip(&rights).map(|(handle, rights)| {
        let ty = &handle.ty;
        if handle.extractor {
            let extracted = extracted(rights);
            quote_spanned! {here(ty.span())=>
                #cfgs
                const #extracted: #p::Extracted<#ty> = #p::extracted::<#ty>();
                #cfgs
                const #rights: &'static [#p::Facts] = #extracted.facts;
            }
        } else {
            quote_spanned! {here(ty.span())=>
                #cfgs
                const #rights: &'static [#p::Facts] = <#ty as #p::Handle>::FACTS;
            }
        }
    });
    let any = |fact: &str| -> TokenStream {
        let fact = format_ident!("{fact}");
        quote!((false #(|| #p::facts::#fact(#rights))*))
    };
    let mut rules = Vec::new();
    for (handle, rights) in function.handles().zip(&rights) {
        rules.extend(agreement(p, function, handle, rights));
    }
    let name = function.ident.to_string();
    if let Some(reason) = &function.policy.unapproved {
        rules.push(assertion(
            any("unapproved"),
            &reason.key,
            &format!(
                "`unapproved` has nothing to excuse: no parameter of `{name}` writes without \
                 `Approved<…>`; remove it"
            ),
        ));
    }
    let (private, open_sink) = (any("private"), any("open_sink"));
    match &function.policy.allow_flow {
        Some(reason) => rules.push(assertion(
            quote!(#private && #open_sink),
            &reason.key,
            &format!(
                "`allow_flow` has nothing to excuse: `{name}` does not hold private data and an \
                 open sink; remove it"
            ),
        )),
        None => rules.push(assertion(
            quote!(!(#private && #open_sink)),
            &function.ident,
            &format!(
                "`{name}` can send private data to an address that is chosen at run time: split \
                 it, or say `allow_flow = \"why\"`"
            ),
        )),
    }
    if let Kind::Tool(hints) = &function.kind {
        let mut refuted = |hint: &Option<Hint>, value: bool, fact: &str, message: &str| {
            if let Some(hint) = hint.as_ref().filter(|hint| hint.value == value) {
                let fact = any(fact);
                rules.push(assertion(quote!(!#fact), &hint.tokens, message));
            }
        };
        refuted(
            &hints.read_only,
            true,
            "writes",
            &format!("`{name}` is not read-only: one of its handles writes"),
        );
        refuted(
            &hints.destructive,
            false,
            "destructive",
            &format!("`{name}` is destructive: one of its handles can overwrite or delete"),
        );
        refuted(
            &hints.open_world,
            false,
            "open_world",
            &format!("`{name}` reaches beyond this host: one of its handles does"),
        );
    }
    if rights.is_empty() {
        // Without handles each rule is decided here, and only a broken one is worth a line.
        let excuses = function.policy.unapproved.is_some() || function.policy.allow_flow.is_some();
        if !excuses {
            return TokenStream::new();
        }
    }
    quote! {
        #(#constants)*
        #(#cfgs #rules)*
    }
}

/// The names of the constants that hold the rights of each handle.
pub(super) fn rights(at: usize, function: &Function) -> impl Iterator<Item = Ident> {
    (0..function.handles().count()).map(move |index| {
        format_ident!(
            "__MCP_SECURE_RIGHTS_{}_{}",
            at,
            index,
            span = Span::mixed_site()
        )
    })
}

/// The constant that holds an extractor of the author's own.
pub(super) fn extracted(rights: &Ident) -> Ident {
    format_ident!("{rights}_EXTRACTED", span = rights.span())
}

fn agreement(
    p: &TokenStream,
    function: &Function,
    handle: &Handle,
    rights: &Ident,
) -> Option<TokenStream> {
    let (name, label) = (&function.ident, &handle.label);
    let strict = quote!(!#p::facts::unapproved(#rights) && !#p::facts::approved(#rights));
    match &function.kind {
        Kind::Init => Some(assertion(
            strict,
            &handle.ty,
            &format!(
                "nobody can agree before the server runs, so `{name}` may not write through \
                 `{label}`: take it read-only"
            ),
        )),
        Kind::Completion { .. } => Some(assertion(
            strict,
            &handle.ty,
            &format!(
                "suggestions change nothing, so `{name}` may not write through `{label}`: take it read-only"
            ),
        )),
        _ if function.policy.unapproved.is_some() => None,
        _ => Some(assertion(
            quote!(!#p::facts::unapproved(#rights)),
            &handle.ty,
            &format!(
                "`{name}` can write through `{label}` without a person's agreement: wrap it in \
                 `Approved<…>` or say `unapproved = \"why\"`"
            ),
        )),
    }
}

/// A rule that the compiler checks. The error covers all of `place`.
fn assertion(rule: TokenStream, place: &impl ToTokens, message: &str) -> TokenStream {
    let (first, last) = ends(place);
    let message = message.replace('{', "{{").replace('}', "}}");
    let mut arguments = Group::new(Delimiter::Parenthesis, quote!(#rule, #message));
    arguments.set_span(here(last));
    let name = quote_spanned!(here(first)=> ::core::assert!);
    quote!(const _: () = #name #arguments;)
}
