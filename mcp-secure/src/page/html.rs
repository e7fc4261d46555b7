//! The frame around every page, and how text is shown. maud escapes everything that is put into
//! them.

use maud::{DOCTYPE, Markup, html};

use crate::approval::show::{Piece, pieces};

/// Around every page.
pub(crate) fn frame(title: &str, refresh: Option<&str>, body: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                @if let Some(to) = refresh {
                    meta http-equiv="refresh" content={ "0;url=" (to) };
                }
                title { (title) }
                link rel="stylesheet" href=(super::STYLE);
            }
            body { main { (body) } }
        }
    }
    .into_string()
}

/// There is no such page.
pub(super) fn nothing() -> String {
    let body = html! {
        h1 { "There is nothing here" }
        p { "The link is not known, was used in another browser, is over, or is another person's." }
        p { "If your client asked you to come here, ask it to try again." }
    };
    frame("Nothing here", None, &body)
}

/// One sentence.
pub(super) fn word(text: &str) -> String {
    frame(text, None, &html! { h1 { (text) } })
}

/// On to the next page. A page of ours in between: a browser that is sent on by another site
/// leaves strict cookies out, and holds where a form leads against `form-action`.
#[cfg(feature = "oauth")]
pub(crate) fn onward(title: &str, link: &str, to: &str) -> String {
    let body = html! {
        h1 { (title) }
        p { a href=(to) { (link) } }
    };
    frame(title, Some(to), &body)
}

/// Text with its hidden characters as marks.
pub(crate) fn shown(text: &str) -> Markup {
    html! {
        @for piece in pieces(text) {
            @match piece {
                Piece::Plain(plain) => (plain),
                Piece::Hidden(c) => (mark(c)),
            }
        }
    }
}

pub(crate) fn mark(c: char) -> Markup {
    let number = format!("U+{:04X}", u32::from(c));
    html! { span.hidden title="a hidden character" { (number) } }
}

pub(super) const STYLE_SHEET: &str = include_str!("style.css");
