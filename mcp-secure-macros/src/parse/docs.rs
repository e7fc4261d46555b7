//! Doc comments are what a model reads of a server.

use syn::{Attribute, Expr, ExprLit, Lit, Meta, spanned::Spanned};

use crate::{errors::Errors, model::Text};

/// The doc comment among `attrs`, one paragraph as written; `None` if there is none or it
/// says nothing.
pub(crate) fn docs(attrs: &[Attribute], errors: &mut Errors) -> Option<Text> {
    let mut text = Text::default();
    for attr in attrs {
        let Meta::NameValue(doc) = &attr.meta else {
            continue;
        };
        if !doc.path.is_ident("doc") {
            continue;
        }
        let Expr::Lit(ExprLit {
            lit: Lit::Str(line),
            ..
        }) = &doc.value
        else {
            errors.on(
                &doc.value,
                "a description must be written out, so that it can be inspected here: \
                 use a doc comment",
            );
            // There is a description, so that its absence is not reported as well.
            text.push_line("…", 0, doc.path.span());
            continue;
        };
        let value = line.value();
        let stripped = value.strip_prefix(' ').unwrap_or(&value);
        text.push_line(
            stripped.trim_end(),
            value.len() - stripped.len(),
            line.span(),
        );
    }
    text.trimmed()
}
