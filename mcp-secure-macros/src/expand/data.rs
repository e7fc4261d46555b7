//! `#[args]` and `#[output]`: the derives, through this crate alone.

use mcp_secure_text::Field;
use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Attribute, Data, DeriveInput, Fields, Meta, Token, parse_quote, punctuated::Punctuated};

use crate::{
    check::text,
    errors::Errors,
    parse::{
        docs,
        options::Options,
        server::{default_crate, is_named},
    },
};

/// Which way the data goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// `#[args]`: from the model.
    In,
    /// `#[output]`: to the model.
    Out,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::In => "args",
            Self::Out => "output",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::In => Self::Out,
            Self::Out => Self::In,
        }
    }
}

pub(crate) fn data(way: Way, attr: TokenStream, tokens: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let mut item = match syn::parse2::<DeriveInput>(tokens.clone()) {
        Ok(item) => item,
        Err(_) => {
            errors.at(
                Span::call_site(),
                format_args!("`#[{}]` goes on a struct or an enum", way.name()),
            );
            let errors = errors.into_tokens();
            return quote!(#tokens #errors);
        }
    };
    let owner = format!("#[{}]", way.name());
    let mut options = Options::of_tokens(&owner, Span::call_site(), attr, &mut errors);
    let krate = options
        .path("crate", &mut errors)
        .unwrap_or_else(default_crate);
    options.finish(&["crate"], &mut errors);

    // One attribute derives for both, or the derives would clash.
    let both = item
        .attrs
        .iter()
        .any(|attr| is_named(&attr.meta, way.other().name()));
    item.attrs
        .retain(|attr| !is_named(&attr.meta, way.other().name()));
    let incoming = way == Way::In || both;
    let outgoing = way == Way::Out || both;

    if matches!(item.data, Data::Union(_)) {
        errors.on(
            &item.ident,
            format_args!("`{owner}` goes on a struct or an enum"),
        );
        let errors = errors.into_tokens();
        return quote!(#item #errors);
    }
    let already = derived_already(&item.attrs, &owner, &mut errors);
    descriptions(&item, &mut errors);

    let derives: Vec<TokenStream> = [
        ("Deserialize", incoming, quote!(#krate::serde::Deserialize)),
        ("Serialize", outgoing, quote!(#krate::serde::Serialize)),
        ("JsonSchema", true, quote!(#krate::schemars::JsonSchema)),
    ]
    .into_iter()
    .filter(|(name, wanted, _)| *wanted && !already.iter().any(|there| there == name))
    .map(|(_, _, path)| path)
    .collect();
    let serde = path_text(&quote!(#krate::serde));
    let schemars = path_text(&quote!(#krate::schemars));
    let closed = (incoming && is_closed(&item)).then(|| quote!(, deny_unknown_fields));
    let errors = errors.into_tokens();
    // After every derive, the author's own included: these attributes belong to them.
    item.attrs
        .push(parse_quote!(#[serde(crate = #serde #closed)]));
    item.attrs
        .push(parse_quote!(#[schemars(crate = #schemars)]));
    quote! {
        #[derive(#(#derives),*)]
        #item
        #errors
    }
}

/// A second derive of the same trait gives errors that do not say what to do.
fn derived_already(attrs: &[Attribute], owner: &str, errors: &mut Errors) -> Vec<String> {
    let mut already = Vec::new();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("derive")) {
        let Ok(paths) = attr.parse_args_with(Punctuated::<syn::Path, Token![,]>::parse_terminated)
        else {
            continue;
        };
        for path in paths {
            let Some(name) = path.segments.last().map(|last| last.ident.to_string()) else {
                continue;
            };
            let derives = match name.as_str() {
                "JsonSchema" => true,
                "Deserialize" => owner == "#[args]",
                "Serialize" => owner == "#[output]",
                _ => false,
            };
            if derives {
                errors.on(
                    &path,
                    format_args!("`{owner}` derives this: remove it here"),
                );
                already.push(name);
            }
        }
    }
    already
}

/// Doc comments become descriptions in the schema.
fn descriptions(item: &DeriveInput, errors: &mut Errors) {
    let mut check = |attrs: &[Attribute]| {
        let mut found = Errors::default();
        if let Some(doc) = docs(attrs, &mut found) {
            text::visible(&doc, Field::ParameterDoc, &mut found);
        }
        errors.append(found);
    };
    check(&item.attrs);
    let mut fields = |fields: &Fields| {
        for field in fields {
            check(&field.attrs);
        }
    };
    match &item.data {
        Data::Struct(data) => fields(&data.fields),
        Data::Enum(data) => {
            for variant in &data.variants {
                fields(&variant.fields);
            }
        }
        Data::Union(_) => {}
    }
    if let Data::Enum(data) = &item.data {
        for variant in &data.variants {
            check(&variant.attrs);
        }
    }
}

/// Unknown members are refused, where serde can: not beside `flatten`. The schema is closed
/// in any case.
fn is_closed(item: &DeriveInput) -> bool {
    let Data::Struct(data) = &item.data else {
        return false;
    };
    let Fields::Named(fields) = &data.fields else {
        return false;
    };
    let says = |attrs: &[Attribute], what: &str| {
        attrs
            .iter()
            .filter(|attr| attr.path().is_ident("serde"))
            .any(|attr| {
                attr.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
                    .is_ok_and(|metas| metas.iter().any(|meta| meta.path().is_ident(what)))
            })
    };
    !says(&item.attrs, "deny_unknown_fields")
        && !fields
            .named
            .iter()
            .any(|field| says(&field.attrs, "flatten"))
}

fn path_text(path: &TokenStream) -> String {
    path.to_string().replace(' ', "")
}
