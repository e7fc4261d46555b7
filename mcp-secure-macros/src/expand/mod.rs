//! From the model to code.
//!
//! The user's functions stay as they are. Beside them comes one anonymous block with the
//! assertions over the rights of the handles, and the impl of `SecureService`. Everything is
//! named by its absolute path, so that nothing in the user's scope can stand in for it.

mod audited;
mod call;
pub(crate) mod capability;
pub(crate) mod data;
mod entry;
mod facts;
mod init;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Generics, ImplItem, Path, parse_quote, spanned::Spanned};

use crate::{
    check,
    errors::Errors,
    model::{Function, Kind, Server, Text},
};

/// The impl block, and what is derived from those of its functions that are right.
pub(crate) fn server(mut server: Server, mut errors: Errors) -> TokenStream {
    let derivable = check::can_serve(&server.item);
    silence_broken(&mut server);
    let derived = derivable.then(|| derive(&server));
    for function in server.functions {
        errors.append(function.errors);
    }
    let item = server.item;
    let errors = errors.into_tokens();
    quote!(#item #derived #errors)
}

/// A function with a mistake is not called by what we write; warnings that something in it is
/// not used would only distract.
fn silence_broken(server: &mut Server) {
    for item in &mut server.item.items {
        if let ImplItem::Fn(item) = item {
            let broken = server
                .functions
                .iter()
                .any(|function| function.ident == item.sig.ident && function.errors_found());
            if broken {
                item.attrs
                    .push(parse_quote!(#[allow(dead_code, unused_variables)]));
            }
        }
    }
}

fn derive(server: &Server) -> TokenStream {
    let krate = &server.krate;
    let p = private(krate);
    let generics = generics(server);
    let (generics, _, where_clause) = generics.split_for_impl();
    let ty = &server.item.self_ty;
    let trait_ = quote_spanned!(here(ty.span())=> #p::SecureService);

    let sound: Vec<(usize, &Function)> = server
        .functions
        .iter()
        .enumerate()
        .filter(|(_, function)| !function.errors_found())
        .collect();
    let assertions = sound
        .iter()
        .map(|(at, function)| facts::assertions(&p, *at, function));
    let init = server
        .functions
        .iter()
        .enumerate()
        .find_map(|(at, function)| {
            matches!(function.kind, Kind::Init).then(|| init::init(server, &p, at, function))
        });

    let list = |of: fn(&Kind) -> bool| -> TokenStream {
        let mut entries = sound
            .iter()
            .filter(|(_, function)| of(&function.kind))
            .peekable();
        if entries.peek().is_none() {
            return quote!(#p::Vec::new());
        }
        let entries = entries.map(|(at, function)| {
            let cfgs = &function.cfgs;
            let entry = entry::entry(&p, *at, function);
            quote!(#(#cfgs)* entries.push(#entry);)
        });
        let entries: Vec<TokenStream> = entries.collect();
        let conditional = sound.iter().any(|(_, function)| !function.cfgs.is_empty());
        let allow = conditional.then(|| quote!(#[allow(unused_mut)]));
        quote!({
            #allow
            let mut entries = #p::Vec::new();
            #(#entries)*
            entries
        })
    };
    let tools = list(|kind| matches!(kind, Kind::Tool(_)));
    let prompts = list(|kind| matches!(kind, Kind::Prompt));
    let resources = list(|kind| matches!(kind, Kind::Resource { .. }));
    let completions = list(|kind| matches!(kind, Kind::Completion { .. }));

    let name = &server.name.value;
    let version = match &server.version {
        Some(version) => version.value.to_token_stream(),
        // Read here, because the lints of `mcp-secure init` refuse an `env!` in the user's crate.
        None => match std::env::var("CARGO_PKG_VERSION") {
            Ok(version) => version.to_token_stream(),
            Err(_) => quote!(::core::env!("CARGO_PKG_VERSION")),
        },
    };
    let instructions = optional_text(server.instructions.as_ref());
    let exceptions = entry::exceptions(&p, &server.exceptions);
    quote! {
        const _: () = {
            #(#assertions)*

            #[automatically_derived]
            impl #generics #trait_ for #ty #where_clause {
                fn definition() -> #p::Definition<Self> {
                    #p::Definition {
                        name: #name,
                        version: #version,
                        instructions: #instructions,
                        exceptions: #exceptions,
                        tools: #tools,
                        prompts: #prompts,
                        resources: #resources,
                        completions: #completions,
                    }
                }
            }

            #init
        };
    }
}

/// The generics of the impl block, and what a service needs of a generic server: its author
/// need not repeat it, and who fills the parameters in learns it there.
fn generics(server: &Server) -> Generics {
    let mut generics = server.item.generics.clone();
    if generics.type_params().next().is_some() {
        let ty = &server.item.self_ty;
        let bound = parse_quote!(#ty: ::core::marker::Send + ::core::marker::Sync + 'static);
        generics.make_where_clause().predicates.push(bound);
    }
    generics
}

/// What the generated code names.
fn private(krate: &Path) -> TokenStream {
    quote!(#krate::__private)
}

/// The user's place, in code of ours.
fn here(span: Span) -> Span {
    Span::call_site().located_at(span)
}

/// All of `tokens` at one place. An error over code of ours covers everything between its
/// first and its last token: these must not lie at two ends of the user's file.
fn respan(tokens: &TokenStream, span: Span) -> TokenStream {
    tokens
        .clone()
        .into_iter()
        .map(|mut token| {
            token.set_span(span.located_at(span).resolved_at(token.span()));
            token
        })
        .collect()
}

fn some(value: impl ToTokens) -> TokenStream {
    quote!(::core::option::Option::Some(#value))
}

fn none() -> TokenStream {
    quote!(::core::option::Option::None)
}

fn optional<T: ToTokens>(value: Option<T>) -> TokenStream {
    value.map_or_else(none, some)
}

fn optional_text(text: Option<&Text>) -> TokenStream {
    optional(text.map(|text| text.value.as_str()))
}
