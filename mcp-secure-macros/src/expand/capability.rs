//! `#[capability(fs)]`: a declaration of what a server needs.

use mcp_secure_text::Field;
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Fields, Ident, Item, ItemStruct, Visibility};

use crate::{
    check::text,
    errors::Errors,
    model::Text,
    parse::{
        capability::{self, Kind},
        docs, exceptions,
        options::Options,
        server::{default_crate, kebab},
    },
};

pub(crate) fn capability(attr: TokenStream, tokens: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let item = match syn::parse2::<Item>(tokens.clone()) {
        Ok(Item::Struct(item)) => item,
        Ok(other) => {
            errors.on(
                Head(&other),
                "a capability is declared by a struct without fields: `pub struct Notes;`",
            );
            let errors = errors.into_tokens();
            return quote!(#tokens #errors);
        }
        Err(error) => {
            let error = error.to_compile_error();
            return quote!(#tokens #error);
        }
    };
    let derived = declare(attr, &item, &mut errors);
    let errors = errors.into_tokens();
    quote!(#item #derived #errors)
}

fn declare(attr: TokenStream, item: &ItemStruct, errors: &mut Errors) -> TokenStream {
    let mut options = Options::of_tokens("#[capability]", Span::call_site(), attr, errors);
    let kind = capability::kind(&mut options, errors);
    let private = options.flag("private", errors).is_some();
    let name = options
        .string("name", "notes", errors)
        .map(|given| Text::literal(&given.value));
    let derived = name.is_none();
    let name = name
        .unwrap_or_else(|| Text::new(kebab(&crate::model::unraw(&item.ident)), item.ident.span()));
    let krate = options.path("crate", errors).unwrap_or_else(default_crate);
    let mut exceptions = exceptions(&mut options, errors);
    options.finish(
        &[
            "fs",
            "net",
            "tcp",
            "sql",
            "exec",
            "private",
            "open",
            "allow_private",
            "credential",
            "per_user",
            "name",
            "crate",
            "allow_text",
        ],
        errors,
    );
    text::name(&name, derived, &mut exceptions, errors);
    let doc = docs(&item.attrs, errors);
    match &doc {
        Some(doc) => text::visible(doc, Field::Description, &mut exceptions, errors),
        None => errors.at(
            item.ident.span(),
            format_args!(
                "the capability `{}` has no description: write a doc comment; it is what the \
                 operator reads who grants it",
                item.ident
            ),
        ),
    }
    text::reasons(&exceptions, errors);
    if errors.is_empty() {
        text::unspent(&exceptions, &item.ident.to_string(), errors);
    }
    if !item.generics.params.is_empty() {
        errors.on(
            &item.generics,
            "a capability cannot be generic: it is granted by its name",
        );
    } else if !matches!(item.fields, Fields::Unit) {
        errors.on(
            &item.fields,
            format_args!(
                "a capability has no fields, it only names what is granted: `struct {};`",
                item.ident
            ),
        );
    }
    if !item.generics.params.is_empty() {
        return TokenStream::new();
    }
    // With a mistake in it, it still is a capability: handles that use it have none.
    let (ident, vis) = (&item.ident, &item.vis);
    let name = &name.value;
    let doc = doc.map(|doc| doc.value).unwrap_or_default();
    let cfgs = item.attrs.iter().filter(|attr| attr.path().is_ident("cfg"));
    let p = quote!(#krate::__private);
    let exceptions = (!exceptions.is_empty()).then(|| {
        let exceptions = super::entry::exceptions(&p, &exceptions);
        quote!(const EXCEPTIONS: &'static [#p::TextException] = #exceptions;)
    });
    // With a mistake in the kind it is a folder, so that its use is not a second error.
    let of_its_kind = of_kind(&p, ident, vis, &kind.unwrap_or(Kind::Fs));
    quote! {
        #(#cfgs)*
        const _: () = {
            #[automatically_derived]
            impl #p::Capability for #ident {
                const NAME: &'static ::core::primitive::str = #name;
                const DOC: &'static ::core::primitive::str = #doc;
                const PRIVATE: ::core::primitive::bool = #private;
                #exceptions
            }

            #of_its_kind
        };
    }
}

/// The trait of its kind, and the functions that grant it.
fn of_kind(p: &TokenStream, ident: &Ident, vis: &Visibility, kind: &Kind) -> TokenStream {
    let constructor = |name: &str, grant: &str, doc: &str| {
        let (name, grant) = (format_ident!("{name}"), format_ident!("{grant}"));
        quote! {
            #[doc = #doc]
            #[allow(dead_code)]
            #vis fn #name() -> #p::#grant<Self> {
                #p::#grant::#name()
            }
        }
    };
    // What the code fixes is granted by `declared`, everything else by `from_operator`.
    let either = |fixed: bool, grant: &str| {
        if fixed {
            constructor(
                "declared",
                grant,
                "As it is declared here; the operator may only narrow it.",
            )
        } else {
            constructor(
                "from_operator",
                grant,
                "Named by the operator, with `--grant` or in the configuration.",
            )
        }
    };
    let text = |text: &Option<Text>| super::optional_text(text.as_ref());
    let of_str = quote!(#p::Option<&'static ::core::primitive::str>);
    let flag = quote!(::core::primitive::bool);
    let (implementation, constructors) = match kind {
        Kind::Fs => (
            quote!(impl #p::FsRoot for #ident {}),
            quote! {
                /// The folder is named by the operator, with `--grant` or in the configuration.
                #[allow(dead_code)]
                #vis fn from_operator() -> #p::FsGrant<Self> {
                    #p::FsGrant::from_operator()
                }

                /// The folder is fixed in code; the operator may only narrow it.
                #[allow(dead_code)]
                #vis fn at(path: impl ::core::convert::Into<#p::PathBuf>) -> #p::FsGrant<Self> {
                    #p::FsGrant::at(path)
                }
            },
        ),
        Kind::Net {
            url,
            open,
            allow_private,
            credential,
        } => {
            let value = text(url);
            let credential = credential.as_ref().map(|credential| {
                let (name, per_user) = (&credential.name.value, credential.per_user);
                // On the author's literal: without the feature `vault` there is no such const.
                quote_spanned! {credential.name.span()=>
                    const CREDENTIAL: #p::Option<#p::Credential> =
                        #p::Option::Some(#p::Credential::new(#name, #per_user));
                }
            });
            (
                quote! {
                    impl #p::Endpoint for #ident {
                        const URL: #of_str = #value;
                        const OPEN: #flag = #open;
                        const ALLOW_PRIVATE: #flag = #allow_private;
                        #credential
                    }
                },
                either(url.is_some(), "NetGrant"),
            )
        }
        Kind::Tcp {
            address,
            allow_private,
        } => {
            let value = text(address);
            (
                quote! {
                    impl #p::TcpEndpoint for #ident {
                        const ADDRESS: #of_str = #value;
                        const ALLOW_PRIVATE: #flag = #allow_private;
                    }
                },
                either(address.is_some(), "TcpGrant"),
            )
        }
        Kind::Sql {
            engine,
            allow_private,
        } => {
            let engine = format_ident!("{engine}");
            (
                quote! {
                    impl #p::Database for #ident {
                        const ENGINE: #p::Engine = #p::Engine::#engine;
                        const ALLOW_PRIVATE: #flag = #allow_private;
                    }
                },
                either(false, "SqlGrant"),
            )
        }
        Kind::Exec { path } => {
            let value = text(path);
            (
                quote! {
                    impl #p::Program for #ident {
                        const PATH: #of_str = #value;
                    }
                },
                either(path.is_some(), "ExecGrant"),
            )
        }
    };
    quote! {
        #[automatically_derived]
        #implementation

        impl #ident {
            #constructors
        }
    }
}

/// The keyword and the name of an item, for messages; an item as a whole is too much red.
struct Head<'a>(&'a Item);

impl quote::ToTokens for Head<'_> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let all = self.0.to_token_stream();
        tokens.extend(all.into_iter().skip_while(|token| {
            !matches!(token, proc_macro2::TokenTree::Ident(word)
                if matches!(word.to_string().as_str(), "enum" | "fn" | "mod" | "trait" | "type" | "impl" | "union" | "const" | "static" | "use"))
        }).take(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_literal_is_inspected() {
        let errors = |attr: &str, item: &str| {
            let read = |text: &str| text.parse().unwrap_or_default();
            let out = capability(read(attr), read(item)).to_string();
            out.matches("compile_error").count()
        };
        let item = "/** Notes. */ struct Notes;";
        assert_eq!(errors("fs, name = \"n\"", item), 0);
        assert_eq!(errors("fs, name = \"n\u{E0041}\"", item), 1);
        assert_eq!(errors("fs", "/** Notes.\u{E0041} */ struct Notes;"), 1);
        let allowed = "fs, allow_text(\"hidden/tag-character\", reason = \"A good reason.\", \
                       until = \"2027-06-30\")";
        assert_eq!(errors(allowed, "/** Notes.\u{E0041} */ struct Notes;"), 0);
        assert_eq!(errors(allowed, item), 1);
    }

    #[test]
    fn what_is_certainly_no_target_does_not_compile() {
        let errors = |attr: &str| {
            let read = |text: &str| text.parse().unwrap_or_default();
            let out = capability(read(attr), read("/** An API. */ struct Api;")).to_string();
            out.matches("compile_error").count()
        };
        for good in [
            "net",
            "net, open",
            "net = \"https://api.example.com\"",
            "net = \"https://api.example.com:8443/v1\", private",
            "net = \"https://*.example.com\"",
            "net = \"http://localhost:8080\", allow_private",
            "net = \"https://[2001:db8::1]/\"",
            "net = \"https://api.example.com\", credential = \"github\"",
            "net, credential = \"git.hub-2\", per_user",
            "tcp = \"cache.example.com:6379\"",
            "tcp, allow_private",
            "sql = \"postgres\", private",
            "sql = \"sqlite\"",
            "exec = \"/usr/bin/git\"",
            "exec",
        ] {
            assert_eq!(errors(good), 0, "{good}");
        }
        for bad in [
            "net = \"api.example.com\"",
            "net = \"ftp://api.example.com\"",
            "net = \"https://user:pass@example.com\"",
            "net = \"https://example.com/?key=1\"",
            "net = \"https://example.com/a/../b\"",
            "net = \"https://example.com/%2e%2e\"",
            "net = \"https://Example.com\"",
            "net = \"https://ex\u{430}mple.com\"",
            "net = \"https://*.com\"",
            "net = \"https://*\"",
            "net = \"https://a.*.com\"",
            "net = \"https://example.com:0\"",
            "net = 5",
            "tcp = \"cache.example.com\"",
            "tcp = \"*.example.com:1\"",
            "sql",
            "sql = \"oracle\"",
            "exec = \"git\"",
            "exec = \"/usr/bin/../bin/git\"",
            "fs = \"/srv\"",
            "fs, net",
            "fs, open",
            "fs, credential = \"github\"",
            "net, per_user",
            "net, credential",
            "net, credential = github",
            "net, credential = \"\"",
            "net, credential = \"ghp_R4nd0m\"",
            "net, open, credential = \"github\"",
            "net = \"https://*.example.com\", credential = \"github\"",
            "exec, allow_private",
            "private",
        ] {
            assert_eq!(errors(bad), 1, "{bad}");
        }
    }
}
