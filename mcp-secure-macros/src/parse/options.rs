//! The options in an attribute: `key`, or `key = value`, separated by commas.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::{
    Attribute, Expr, ExprLit, Ident, Lit, LitStr, Meta, Path, Token,
    ext::IdentExt,
    parenthesized,
    parse::{ParseStream, Parser},
    spanned::Spanned,
    token,
};

use crate::errors::Errors;

/// The options of one attribute. Each is taken once; [`finish`](Self::finish) reports the rest.
pub(crate) struct Options {
    /// As the author wrote it, for messages: `#[tool]`.
    pub(crate) owner: String,
    /// Where the attribute is.
    pub(crate) span: Span,
    entries: Vec<Entry>,
    bracketed: Vec<Bracketed>,
}

struct Entry {
    key: Ident,
    value: Option<Expr>,
}

/// An option that may be given several times: `allow_text(…)`.
pub(crate) struct Bracketed {
    pub(crate) key: Ident,
    /// What stands in the brackets.
    pub(crate) tokens: TokenStream,
}

/// An option that was given: where its name is, and its value.
pub(crate) struct Given<T> {
    pub(crate) key: Ident,
    pub(crate) value: T,
    /// All of the value.
    pub(crate) tokens: TokenStream,
}

impl Options {
    pub(crate) fn of_attribute(attr: &Attribute, errors: &mut Errors) -> Self {
        let owner = format!("#[{}]", attr.path().to_token_stream());
        let span = attr.path().span();
        match &attr.meta {
            Meta::Path(_) => Self {
                owner,
                span,
                entries: Vec::new(),
                bracketed: Vec::new(),
            },
            Meta::List(list) => Self::of_tokens(&owner, span, list.tokens.clone(), errors),
            Meta::NameValue(pair) => {
                errors.on(
                    pair,
                    format_args!("write the options in brackets: `{owner}` takes none by `=`"),
                );
                Self {
                    owner,
                    span,
                    entries: Vec::new(),
                    bracketed: Vec::new(),
                }
            }
        }
    }

    pub(crate) fn of_tokens(
        owner: &str,
        span: Span,
        tokens: TokenStream,
        errors: &mut Errors,
    ) -> Self {
        let mut entries: Vec<Entry> = Vec::new();
        let mut bracketed: Vec<Bracketed> = Vec::new();
        let parse = |input: ParseStream<'_>| {
            while !input.is_empty() {
                let key = Ident::parse_any(input)?;
                if key == BRACKETED && input.peek(token::Paren) {
                    let content;
                    parenthesized!(content in input);
                    bracketed.push(Bracketed {
                        key,
                        tokens: content.parse()?,
                    });
                    if !input.is_empty() {
                        input.parse::<Token![,]>()?;
                    }
                    continue;
                }
                let value = if input.peek(Token![=]) {
                    input.parse::<Token![=]>()?;
                    Some(input.parse::<Expr>()?)
                } else {
                    None
                };
                if entries.iter().any(|entry| entry.key == key) {
                    errors.at(
                        key.span(),
                        format_args!("`{key}` is given twice: remove one"),
                    );
                } else {
                    entries.push(Entry { key, value });
                }
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(())
        };
        if let Err(error) = parse.parse2(tokens) {
            errors.push(error);
        }
        Self {
            owner: owner.to_owned(),
            span,
            entries,
            bracketed,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.bracketed.is_empty()
    }

    /// Takes every `allow_text(…)`.
    pub(crate) fn bracketed(&mut self) -> Vec<Bracketed> {
        std::mem::take(&mut self.bracketed)
    }

    fn take(&mut self, key: &str) -> Option<Entry> {
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(at))
    }

    /// `key`, with or without a value.
    pub(crate) fn either(&mut self, key: &str) -> Option<(Ident, Option<Expr>)> {
        self.take(key).map(|entry| (entry.key, entry.value))
    }

    /// `key`, with no value.
    pub(crate) fn flag(&mut self, key: &str, errors: &mut Errors) -> Option<Ident> {
        let entry = self.take(key)?;
        if let Some(value) = entry.value {
            errors.on(
                value,
                format_args!("`{key}` takes no value: write it alone, or leave it out"),
            );
            return None;
        }
        Some(entry.key)
    }

    /// `key = expression`.
    pub(crate) fn value(
        &mut self,
        key: &str,
        example: &str,
        errors: &mut Errors,
    ) -> Option<Given<Expr>> {
        let entry = self.take(key)?;
        let Some(value) = entry.value else {
            errors.at(
                entry.key.span(),
                format_args!("`{key}` needs a value: `{key} = {example}`"),
            );
            return None;
        };
        Some(Given {
            key: entry.key,
            tokens: value.to_token_stream(),
            value,
        })
    }

    /// `key = "text"`.
    pub(crate) fn string(
        &mut self,
        key: &str,
        example: &str,
        errors: &mut Errors,
    ) -> Option<Given<LitStr>> {
        let example = format!("\"{example}\"");
        let Given { key, value, tokens } = self.value(key, &example, errors)?;
        match value {
            Expr::Lit(ExprLit {
                lit: Lit::Str(value),
                ..
            }) => Some(Given { key, value, tokens }),
            other => {
                errors.on(
                    other,
                    format_args!("`{key}` is a string: `{key} = {example}`"),
                );
                None
            }
        }
    }

    /// `key = true` or `key = false`.
    pub(crate) fn boolean(&mut self, key: &str, errors: &mut Errors) -> Option<Given<bool>> {
        let Given { key, value, tokens } = self.value(key, "true", errors)?;
        match value {
            Expr::Lit(ExprLit {
                lit: Lit::Bool(value),
                ..
            }) => Some(Given {
                key,
                value: value.value,
                tokens,
            }),
            other => {
                errors.on(other, format_args!("`{key}` is `true` or `false`"));
                None
            }
        }
    }

    /// `key = 4`.
    pub(crate) fn integer(&mut self, key: &str, errors: &mut Errors) -> Option<Given<u64>> {
        let Given { key, value, tokens } = self.value(key, "4", errors)?;
        match &value {
            Expr::Lit(ExprLit {
                lit: Lit::Int(number),
                ..
            }) => match number.base10_parse() {
                Ok(value) => Some(Given { key, value, tokens }),
                Err(_) => {
                    errors.on(value, format_args!("`{key}` is too large"));
                    None
                }
            },
            _ => {
                errors.on(
                    value,
                    format_args!("`{key}` is a whole number: `{key} = 4`"),
                );
                None
            }
        }
    }

    /// `key = some::path`.
    pub(crate) fn path(&mut self, key: &str, errors: &mut Errors) -> Option<Path> {
        let Given { value, .. } = self.value(key, "::mcp_secure", errors)?;
        match value {
            Expr::Path(path) if path.qself.is_none() => Some(path.path),
            other => {
                errors.on(
                    other,
                    format_args!("`{key}` is a path: `{key} = ::mcp_secure`"),
                );
                None
            }
        }
    }

    /// Reports whatever nobody asked for.
    pub(crate) fn finish(self, known: &[&str], errors: &mut Errors) {
        let list = |known: &[&str]| -> String {
            let known: Vec<String> = known.iter().map(|known| format!("`{known}`")).collect();
            known.join(", ")
        };
        for unasked in self.bracketed {
            errors.at(
                unasked.key.span(),
                format_args!(
                    "`{BRACKETED}` is no option of `{}`: it knows {}",
                    self.owner,
                    list(known)
                ),
            );
        }
        for entry in self.entries {
            if entry.key == BRACKETED && known.contains(&BRACKETED) {
                errors.at(
                    entry.key.span(),
                    format_args!(
                        "`{BRACKETED}` names a rule in brackets: `{BRACKETED}(\"hidden/soft-hyphen\", \
                         reason = \"why\", until = \"2027-06-30\")`"
                    ),
                );
                continue;
            }
            errors.at(
                entry.key.span(),
                format_args!(
                    "unknown option `{}` of `{}`: it knows {}",
                    entry.key,
                    self.owner,
                    list(known)
                ),
            );
        }
    }
}

/// The one option that takes brackets.
const BRACKETED: &str = "allow_text";
