//! `#[capability(fs)]`: a declaration of what a server needs.

use mcp_secure_text::Field;
use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Fields, Item, ItemStruct};

use crate::{
    check::text,
    errors::Errors,
    model::Text,
    parse::{
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
    let mut kind = options.flag("fs", errors).is_some() || !errors.is_empty();
    for planned in ["net", "tcp", "sql", "exec"] {
        if let Some(key) = options.drop(planned) {
            kind = true;
            errors.at(
                key.span(),
                format_args!(
                    "capabilities of the kind `{planned}` are not available in this version"
                ),
            );
        }
    }
    if !kind {
        errors.at(
            options.span,
            "`#[capability]` does not say what it is for: write `#[capability(fs)]`",
        );
    }
    let private = options.flag("private", errors).is_some();
    let name = options
        .string("name", "notes", errors)
        .map(|given| Text::literal(&given.value));
    let derived = name.is_none();
    let name = name
        .unwrap_or_else(|| Text::new(kebab(&crate::model::unraw(&item.ident)), item.ident.span()));
    let krate = options.path("crate", errors).unwrap_or_else(default_crate);
    let mut exceptions = exceptions(&mut options, errors);
    options.finish(&["fs", "private", "name", "crate", "allow_text"], errors);
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

            #[automatically_derived]
            impl #p::FsRoot for #ident {}

            impl #ident {
                /// The folder is named by the operator, with `--grant` or in the configuration.
                #[allow(dead_code)]
                #vis fn from_operator() -> #p::FsGrant<Self> {
                    #p::FsGrant::from_operator()
                }

                /// The folder is fixed in code; the operator may only take it away.
                #[allow(dead_code)]
                #vis fn at(path: impl ::core::convert::Into<#p::PathBuf>) -> #p::FsGrant<Self> {
                    #p::FsGrant::at(path)
                }
            }
        };
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
}
