//! `#[init]`: the server's value is built after the sandbox is up.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::{call, facts, here};
use crate::model::{Function, Server};

pub(super) fn init(
    server: &Server,
    p: &TokenStream,
    at: usize,
    function: &Function,
) -> TokenStream {
    let krate = &server.krate;
    let generics = super::generics(server);
    let (generics, _, where_clause) = generics.split_for_impl();
    let ty = &server.item.self_ty;
    let cfgs = &function.cfgs;
    let ident = &function.ident;
    let (parameter, body, handles) = if function.errors_found() {
        // It does not compile anyway; that `init` is missing must not be said on top.
        (
            quote!(_),
            quote!(::core::unreachable!()),
            quote!(#p::Vec::new()),
        )
    } else {
        let call::Prepared { call, steps, given } = call::prepare(p, at, function);
        let rights: Vec<_> = facts::rights(at, function).collect();
        let deprecated = function.deprecated.then(|| quote!(#[allow(deprecated)]));
        let span = here(
            function
                .output()
                .map_or_else(|| ident.span(), Spanned::span),
        );
        let built = quote_spanned!(span=> Self::#ident(#(#given),*).await);
        let body = quote_spanned!(here(ident.span())=> #p::Box::pin(async move {
            #steps
            #deprecated
            let built: #krate::Result<Self> = #built;
            built
        }));
        (call, body, quote!(#p::vec![#(#rights),*]))
    };
    quote! {
        #(#cfgs)*
        #[automatically_derived]
        impl #generics #p::SecureInit for #ty #where_clause {
            fn init(#parameter: #p::Call) -> #p::BoxFuture<'static, #krate::Result<Self>> {
                #body
            }

            fn init_handles() -> #p::Vec<&'static [#p::Facts]> {
                #handles
            }
        }
    }
}
