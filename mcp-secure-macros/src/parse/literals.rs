//! The strings in the body of a function, however deep they stand.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::Lit;

use crate::model::Text;

/// Every string literal in `tokens`, format strings and the arguments of macros included.
/// Attributes, and with them comments, are no part of what runs.
pub(super) fn strings(tokens: impl ToTokens) -> Vec<Text> {
    let mut found = Vec::new();
    collect(tokens.to_token_stream(), &mut found);
    found
}

fn collect(tokens: TokenStream, found: &mut Vec<Text>) {
    let mut after_hash = false;
    for token in tokens {
        let was_after_hash = after_hash;
        after_hash = matches!(&token, TokenTree::Punct(punct)
            if punct.as_char() == '#' || was_after_hash && punct.as_char() == '!');
        match token {
            TokenTree::Group(group)
                if was_after_hash && group.delimiter() == Delimiter::Bracket => {}
            TokenTree::Group(group) => collect(group.stream(), found),
            TokenTree::Literal(literal) => {
                let span = literal.span();
                let value = match Lit::new(literal) {
                    Lit::Str(text) => text.value(),
                    Lit::ByteStr(bytes) => match String::from_utf8(bytes.value()) {
                        Ok(text) => text,
                        Err(_) => continue,
                    },
                    Lit::CStr(text) => text.value().to_string_lossy().into_owned(),
                    _ => continue,
                };
                found.push(Text::new(value, span));
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    #[test]
    fn strings_are_found_at_any_depth_and_attributes_are_not() {
        let body = quote!({
            /// A comment.
            #[allow(dead_code, reason = "no text")]
            fn inner() {
                #![allow(unused, reason = "none either")]
                if let [a] = x {
                    push(&format!("one {a}", b"two", c"three"));
                }
            }
            Vec::from([r#"four"#, 'c', 5])
        });
        let found: Vec<String> = strings(body).into_iter().map(|text| text.value).collect();
        assert_eq!(found, ["one {a}", "two", "three", "four"]);
    }
}
