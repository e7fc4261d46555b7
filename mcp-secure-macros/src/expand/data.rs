//! `#[args]` and `#[output]`: the derives, through this crate alone.

use mcp_secure_text::Field;
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::quote;
use syn::{Attribute, Data, DeriveInput, Fields, Meta, Token, parse_quote, punctuated::Punctuated};

use super::audited::audited;
use crate::{
    check::text,
    errors::Errors,
    model::{Exceptions, Text},
    parse::{
        docs, exceptions,
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
    let mut exceptions = exceptions(&mut options, &mut errors);
    options.finish(&["crate", "allow_text"], &mut errors);

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
    words(&item, &mut exceptions, &mut errors);
    text::reasons(&exceptions, &mut errors);
    if errors.is_empty() {
        text::unspent(&exceptions, &item.ident.to_string(), &mut errors);
    }

    let audited = audited(&mut item, &krate, incoming, &mut errors);
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
        #audited
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

/// Everything written here that ends up in the schema: doc comments, which become
/// descriptions, the names of fields and variants, and what attributes put in their place.
fn words(item: &DeriveInput, exceptions: &mut Exceptions, errors: &mut Errors) {
    let mut seen = Seen { exceptions, errors };
    seen.attributes(&item.attrs, Field::SchemaText);
    match &item.data {
        Data::Struct(data) => seen.fields(&data.fields),
        Data::Enum(data) => {
            for variant in &data.variants {
                seen.name(&variant.ident, Field::EnumValue);
                seen.attributes(&variant.attrs, Field::EnumValue);
                seen.fields(&variant.fields);
            }
        }
        Data::Union(_) => {}
    }
}

struct Seen<'a> {
    exceptions: &'a mut Exceptions,
    errors: &'a mut Errors,
}

impl Seen<'_> {
    fn fields(&mut self, fields: &Fields) {
        for field in fields {
            if let Some(ident) = &field.ident {
                self.name(ident, Field::ParameterName);
            }
            self.attributes(&field.attrs, Field::ParameterName);
        }
    }

    fn name(&mut self, ident: &syn::Ident, field: Field) {
        let name = Text::new(crate::model::unraw(ident), ident.span());
        text::visible(&name, field, self.exceptions, self.errors);
    }

    /// `renamed` is what another name would be.
    fn attributes(&mut self, attrs: &[Attribute], renamed: Field) {
        // The mistakes of one comment are told together.
        let mut found = Errors::default();
        if let Some(doc) = docs(attrs, &mut found) {
            text::visible(&doc, Field::ParameterDoc, self.exceptions, &mut found);
        }
        self.errors.append(found);
        for attr in attrs {
            let known = ["serde", "schemars"]
                .iter()
                .any(|known| attr.path().is_ident(known));
            if let (true, Meta::List(list)) = (known, &attr.meta) {
                for (key, literal) in keyed_strings(&list.tokens) {
                    let field = match key.as_str() {
                        "rename" | "alias" | "serialize" | "deserialize" => renamed,
                        "title" => Field::Title,
                        "description" => Field::ParameterDoc,
                        "example" => Field::Example,
                        _ => Field::SchemaText,
                    };
                    text::visible(&literal, field, self.exceptions, self.errors);
                }
            }
        }
    }
}

/// The strings in the options of an attribute, each with the word before it.
fn keyed_strings(tokens: &TokenStream) -> Vec<(String, Text)> {
    let mut found = Vec::new();
    let mut key = String::new();
    for token in tokens.clone() {
        match token {
            TokenTree::Ident(word) => key = word.to_string(),
            TokenTree::Group(group) => {
                for (inner, text) in keyed_strings(&group.stream()) {
                    let key = if inner.is_empty() { key.clone() } else { inner };
                    found.push((key, text));
                }
            }
            TokenTree::Literal(literal) => {
                if let syn::Lit::Str(literal) = syn::Lit::new(literal) {
                    found.push((key.clone(), Text::literal(&literal)));
                }
            }
            TokenTree::Punct(_) => {}
        }
    }
    found
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

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(item: &str) -> usize {
        let item = item.parse().unwrap_or_default();
        let out = data(Way::In, TokenStream::new(), item).to_string();
        out.matches("compile_error").count()
    }

    #[test]
    fn every_kind_of_literal_is_inspected() {
        for item in [
            "/** A.@ */ struct A;",
            "struct A { /** One.@ */ a: u8 }",
            "enum A { /** One.@ */ B }",
            "enum A { B { /** One.@ */ a: u8 } }",
            "#[serde(rename = \"a@\")] struct A;",
            "#[schemars(title = \"a@\")] struct A;",
            "struct A { #[serde(rename(serialize = \"a@\", deserialize = \"b\"))] a: u8 }",
            "struct A { #[serde(alias = \"a@\")] a: u8 }",
            "struct A { #[schemars(description = \"a@\")] a: u8 }",
            "struct A { #[schemars(example = f(\"a@\"))] a: u8 }",
            "struct A { #[schemars(regex(pattern = r\"^a@$\"))] a: u8 }",
            "struct A { #[schemars(extend(\"x-a\" = {\"b\": [\"a@\"]}))] a: u8 }",
            "enum A { #[serde(rename = \"a@\")] B }",
            "#[serde(tag = \"a@\")] enum A { B }",
        ] {
            assert_eq!(errors(&item.replace('@', "")), 0, "{item}");
            assert_eq!(errors(&item.replace('@', "\u{E0041}")), 1, "{item}");
        }
    }
}
