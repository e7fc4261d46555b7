//! The code behind one primitive: take the arguments, borrow the handles, call.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;

use super::{facts, here, respan};
use crate::model::{Function, Kind, Param};

/// What a call does before the user's function, and the arguments it is given.
pub(super) struct Prepared {
    pub(super) call: TokenStream,
    pub(super) steps: TokenStream,
    pub(super) given: Vec<TokenStream>,
}

/// A closure that answers a call.
pub(super) fn closure(p: &TokenStream, at: usize, function: &Function) -> TokenStream {
    let this = local("this");
    let Prepared { call, steps, given } = prepare(p, at, function);
    let ident = &function.ident;
    let deprecated = function.deprecated.then(|| quote!(#[allow(deprecated)]));
    let output = output(function);
    let trait_ = output_trait(function);
    let span = here(ident.span());
    let p = &respan(p, span);
    // The future is boxed where the function is named: if it cannot be sent between threads,
    // that is where the author looks.
    let body = quote_spanned! {span=>
        async move {
            #steps
            #deprecated
            let out = Self::#ident(#this, #(#given),*).await;
            <#output as #p::#trait_>::into_reply(out)
        }
    };
    let call = quote!(|#this, #call|);
    quote_spanned!(span=> #call #p::Box::pin(#body))
}

/// Arguments first: what was badly asked is refused before any authority is lent.
pub(super) fn prepare(p: &TokenStream, at: usize, function: &Function) -> Prepared {
    let rights: Vec<Ident> = facts::rights(at, function).collect();
    let mut rights = rights.iter();
    let call = local("call");
    let taker = match function.kind {
        Kind::Tool(_) => format_ident!("argument"),
        _ => format_ident!("text_argument"),
    };
    let mut arguments = Vec::new();
    let mut handles = Vec::new();
    let mut given = Vec::new();
    for (index, param) in function.params.iter().enumerate() {
        let bound = local(&format!("parameter_{index}"));
        match param {
            Param::Argument(argument) => {
                let (ty, name) = (&argument.ty, argument.name());
                let span = here(ty.span());
                arguments.push(
                    quote_spanned!(span=> let #bound = #p::#taker::<#ty>(&mut #call, #name)?;),
                );
                given.push(quote!(#bound));
            }
            Param::Whole { inner, ty } => {
                arguments.push(quote_spanned! {here(inner.span())=>
                    let #bound = #p::arguments::<#inner>(&mut #call)?;
                });
                given.push(quote_spanned!(here(ty.span())=> #p::Args(#bound)));
            }
            Param::Handle(handle) => {
                let Some(rights) = rights.next() else {
                    continue;
                };
                let span = here(handle.ty.span());
                let ty = &handle.ty;
                let lent = if handle.extractor {
                    let extracted = facts::extracted(rights);
                    quote_spanned!(span=> (#extracted.lend)(&mut #call))
                } else {
                    quote_spanned!(span=> <#ty as #p::Handle>::lend(&mut #call))
                };
                let lent = match function.kind {
                    Kind::Init => quote_spanned!(span=> #p::at_start(#lent)?),
                    _ => quote_spanned!(span=> #lent?),
                };
                handles.push(quote!(let #bound = #lent;));
                given.push(quote!(#bound));
            }
        }
    }
    let binding = if arguments.is_empty() && handles.is_empty() {
        quote!(#call)
    } else {
        quote!(mut #call)
    };
    Prepared {
        call: binding,
        steps: quote!(#(#arguments)* #(#handles)* ::core::mem::drop(#call);),
        given,
    }
}

pub(super) fn output(function: &Function) -> TokenStream {
    match function.output() {
        Some(ty) => quote!(#ty),
        None => quote_spanned!(here(function.ident.span())=> ()),
    }
}

fn output_trait(function: &Function) -> Ident {
    match function.kind {
        Kind::Tool(_) => format_ident!("ToolOutput"),
        Kind::Prompt => format_ident!("PromptOutput"),
        Kind::Resource { .. } => format_ident!("ResourceOutput"),
        Kind::Completion { .. } | Kind::Init => format_ident!("CompletionOutput"),
    }
}

/// A variable that user code cannot see.
fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}
