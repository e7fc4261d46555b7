//! The attribute macros of mcp-secure.
//!
//! Each goes the same way: `parse` reads the tokens into the `model`, `check` judges it, and
//! `expand` writes the code. Every mistake is one error at the author's own words, all of
//! them in one run; what is right is expanded in any case, so that one mistake does not look
//! like ten.

mod check;
mod errors;
mod expand;
mod model;
mod parse;

use proc_macro::TokenStream;
use quote::quote;
use syn::{Item, parse_macro_input};

use errors::Errors;
use expand::data::Way;

#[doc = include_str!("docs/secure_server.md")]
#[proc_macro_attribute]
pub fn secure_server(attr: TokenStream, item: TokenStream) -> TokenStream {
    let original = proc_macro2::TokenStream::from(item.clone());
    let item = match parse_macro_input!(item as Item) {
        Item::Impl(item) => item,
        _ => {
            let error = syn::Error::new(
                proc_macro2::Span::call_site(),
                "`#[secure_server]` goes on the impl block that holds the tools",
            )
            .to_compile_error();
            return quote!(#original #error).into();
        }
    };
    let mut errors = Errors::default();
    let mut server = parse::server::server(attr.into(), item, &mut errors);
    check::server(&mut server, &mut errors);
    expand::server(server, errors).into()
}

#[doc = include_str!("docs/capability.md")]
#[proc_macro_attribute]
pub fn capability(attr: TokenStream, item: TokenStream) -> TokenStream {
    expand::capability::capability(attr.into(), item.into()).into()
}

/// A struct or enum that a model may send: derives `Deserialize` and `JsonSchema`, refuses
/// members it does not know, and needs no dependency but `mcp-secure`.
///
/// Doc comments are the descriptions in the schema. `#[serde(…)]` and `#[schemars(…)]` work
/// as usual. `#[arg(audit)]` on a field of a struct puts its value into the audit record of a tool
/// whose arguments it is in, at any depth. Together with [`macro@output`] it derives for both ways. `allow_text(…)` is that of
/// [`macro@secure_server`].
#[proc_macro_attribute]
pub fn args(attr: TokenStream, item: TokenStream) -> TokenStream {
    expand::data::data(Way::In, attr.into(), item.into()).into()
}

/// A struct or enum that a tool answers as `Json<T>`: derives `Serialize` and `JsonSchema`,
/// and needs no dependency but `mcp-secure`.
#[proc_macro_attribute]
pub fn output(attr: TokenStream, item: TokenStream) -> TokenStream {
    expand::data::data(Way::Out, attr.into(), item.into()).into()
}
