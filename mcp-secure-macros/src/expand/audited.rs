//! `#[arg(audit)]` on a field of an `#[args]` struct: its value is in the audit record of a tool
//! whose arguments it is in.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Attribute, Data, DeriveInput, Field, Type, parse_quote, spanned::Spanned as _};

use crate::{
    check::sensitive, errors::Errors, expand::here, model::unraw, parse::options::Options,
};

/// Takes the attribute off all fields and marks them in the schema. What comes out asks the
/// compiler whether each can be written at all: a secret cannot.
pub(super) fn audited(
    item: &mut DeriveInput,
    krate: &syn::Path,
    incoming: bool,
    errors: &mut Errors,
) -> TokenStream {
    let mut types: Vec<Type> = Vec::new();
    match &mut item.data {
        Data::Struct(data) => {
            for field in &mut data.fields {
                types.extend(marked(field, incoming, errors));
            }
        }
        Data::Enum(data) => {
            let fields = data.variants.iter_mut().flat_map(|one| &mut one.fields);
            for field in fields {
                for attr in take(field) {
                    errors.on(
                        attr,
                        "which variant is sent decides what this is: mark the argument as a whole, \
                         or put the field into a struct of its own beside the enum",
                    );
                }
            }
        }
        Data::Union(_) => {}
    }
    if types.is_empty() {
        return TokenStream::new();
    }
    let (generics, _, bounds) = item.generics.split_for_impl();
    let asked = types
        .iter()
        .map(|ty| quote_spanned!(here(ty.span())=> let _ = audited::<#ty>;));
    quote! {
        const _: () = {
            fn audited<T: #krate::__private::AuditedArg>() {}
            #[allow(dead_code)]
            fn fields #generics () #bounds { #(#asked)* }
        };
    }
}

/// The type of a field that is marked, and marked in the schema from here on.
fn marked(field: &mut Field, incoming: bool, errors: &mut Errors) -> Option<Type> {
    let mut taken = take(field);
    let attr = taken.pop()?;
    if let Some(more) = taken.first() {
        errors.on(more, "given twice: put all of it into one attribute");
        return None;
    }
    let mut options = Options::of_attribute(&attr, errors);
    let audit = options.flag("audit", errors);
    options.finish(&["audit"], errors);
    let audit = audit?;
    if !incoming {
        errors.at(
            audit.span(),
            "only the arguments of tools are in the audit record: remove `audit`",
        );
        return None;
    }
    let Some(ident) = &field.ident else {
        errors.at(
            audit.span(),
            "the record calls a value by its name, and this one has none: name the field",
        );
        return None;
    };
    if let Some(word) = sensitive(&unraw(ident)) {
        errors.at(
            audit.span(),
            format_args!(
                "audit logs are copied to many places, and `{word}` sounds like a secret: remove \
                 `audit`"
            ),
        );
        return None;
    }
    field
        .attrs
        .push(parse_quote!(#[schemars(extend("x-mcp-secure-audit" = true))]));
    Some(field.ty.clone())
}

fn take(field: &mut Field) -> Vec<Attribute> {
    let (ours, others) = std::mem::take(&mut field.attrs)
        .into_iter()
        .partition(|attr| attr.path().is_ident("arg"));
    field.attrs = others;
    ours
}
