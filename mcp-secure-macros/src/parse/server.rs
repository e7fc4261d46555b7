//! The impl block.

use proc_macro2::{Span, TokenStream};
use syn::{ImplItem, ItemImpl, Meta, Path, Type, parse_quote, spanned::Spanned};

use super::{docs, exceptions, function, options::Options, param};
use crate::{
    errors::Errors,
    model::{Server, Text},
};

/// Reads an impl block and takes our attributes off.
pub(crate) fn server(attr: TokenStream, mut item: ItemImpl, errors: &mut Errors) -> Server {
    let mut options = Options::of_tokens("#[secure_server]", Span::call_site(), attr, errors);
    let krate = options.path("crate", errors).unwrap_or_else(default_crate);
    let mut string = |key, example| {
        options
            .string(key, example, errors)
            .map(|given| Text::literal(&given.value))
    };
    let name = string("name", "notes");
    let version = string("version", "1.0.0");
    let instructions = string("instructions", "how to use this server");
    let exceptions = exceptions(&mut options, errors);
    options.finish(
        &["name", "version", "instructions", "crate", "allow_text"],
        errors,
    );
    let described = docs(&item.attrs, errors);
    if let (Some(given), Some(_)) = (&instructions, &described) {
        errors.at(
            given.span(),
            "the doc comment of the impl block gives the instructions already: remove one",
        );
    }
    let functions = item
        .items
        .iter_mut()
        .filter_map(|item| match item {
            ImplItem::Fn(item) => function::function(item),
            _ => None,
        })
        .collect();
    Server {
        krate,
        name: name.unwrap_or_else(|| default_name(&item.self_ty)),
        version,
        instructions: instructions.or(described),
        exceptions,
        functions,
        item,
    }
}

/// Where the library is, for the smaller attributes: the value of `crate`, if given.
pub(crate) fn default_crate() -> Path {
    parse_quote!(::mcp_secure)
}

fn default_name(ty: &Type) -> Text {
    let name = param::last_name(ty)
        .map(|name| kebab(&name))
        .unwrap_or_default();
    let name = name
        .strip_suffix("-server")
        .filter(|rest| !rest.is_empty())
        .unwrap_or(&name);
    Text::new(name, ty.span())
}

/// `NotesServer` as `notes-server`, `HTTPServer2` as `http-server2`.
pub(crate) fn kebab(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (at, &c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| chars.get(at)).copied();
        let after = chars.get(at + 1).copied();
        let starts_word = c.is_uppercase()
            && before.is_some_and(|before| {
                !before.is_uppercase() && before != '_'
                    || before.is_uppercase() && after.is_some_and(char::is_lowercase)
            });
        if starts_word {
            out.push('-');
        }
        if c == '_' {
            out.push('-')
        } else {
            out.extend(c.to_lowercase())
        }
    }
    out
}

/// Whether an attribute is spelled `name`, alone or at the end of a path.
pub(crate) fn is_named(meta: &Meta, name: &str) -> bool {
    meta.path()
        .segments
        .last()
        .is_some_and(|segment| segment.ident == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_at_capitals() {
        for (name, kebabbed) in [
            ("Notes", "notes"),
            ("NotesServer", "notes-server"),
            ("HTTPServer2", "http-server2"),
            ("GitHub", "git-hub"),
            ("My_Notes", "my-notes"),
            ("X", "x"),
        ] {
            assert_eq!(kebab(name), kebabbed);
        }
    }

    #[test]
    fn a_server_is_not_called_a_server_unless_it_is_only_that() {
        let name =
            |ty: &str| default_name(&syn::parse_str(ty).unwrap_or_else(|_| parse_quote!(()))).value;
        assert_eq!(name("NotesServer"), "notes");
        assert_eq!(name("crate::x::NotesServer<T>"), "notes");
        assert_eq!(name("Server"), "server");
        assert_eq!(name("Observer"), "observer");
    }
}
