//! Several mistakes, one run.

use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};

/// Collects what is wrong, so that an author sees every mistake at once.
#[derive(Default)]
pub(crate) struct Errors {
    mistakes: Vec<syn::Error>,
    /// What compiles nevertheless, and where.
    warnings: Vec<(Span, String)>,
}

impl Errors {
    /// A mistake at one token.
    pub(crate) fn at(&mut self, span: Span, message: impl Display) {
        self.mistakes.push(syn::Error::new(span, message));
    }

    /// A mistake that covers all of `tokens`.
    pub(crate) fn on(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.mistakes.push(syn::Error::new_spanned(tokens, message));
    }

    pub(crate) fn push(&mut self, error: syn::Error) {
        self.mistakes.push(error);
    }

    /// Something that a person should look at. It stops nothing here, and a build with
    /// `-D warnings`.
    pub(crate) fn warn(&mut self, span: Span, message: impl Display) {
        self.warnings.push((span, message.to_string()));
    }

    pub(crate) fn append(&mut self, mut other: Self) {
        self.mistakes.append(&mut other.mistakes);
        self.warnings.append(&mut other.warnings);
    }

    /// Whether there is no mistake. Warnings are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.mistakes.is_empty()
    }

    /// How many mistakes there are.
    pub(crate) fn count(&self) -> usize {
        self.mistakes.len()
    }

    pub(crate) fn into_tokens(self) -> TokenStream {
        let mistakes = self.mistakes.iter().map(syn::Error::to_compile_error);
        let warnings = self
            .warnings
            .iter()
            .map(|(span, message)| warning(*span, message));
        quote!(#(#mistakes)* #(#warnings)*)
    }

    #[cfg(test)]
    pub(crate) fn messages(&self) -> Vec<String> {
        self.mistakes.iter().map(ToString::to_string).collect()
    }

    #[cfg(test)]
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.warnings
            .iter()
            .map(|(_, message)| message.clone())
            .collect()
    }
}

/// A macro cannot warn; it can use something deprecated, at the place it warns of. The name
/// stands in the compiler's sentence: "use of deprecated constant `_::text`".
fn warning(span: Span, message: &str) -> TokenStream {
    let used = quote_spanned!(Span::call_site().located_at(span)=> text);
    quote! {
        const _: () = {
            #[deprecated(note = #message)]
            #[allow(non_upper_case_globals)]
            const text: &::core::primitive::str = "";
            let _ = #used;
        };
    }
}
