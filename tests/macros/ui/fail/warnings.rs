#![deny(warnings)]

use mcp_secure::prelude::*;

struct S;

#[secure_server]
impl S {
    /// Adds.
    ///
    #[doc = "Two num\u{AD}bers, twi\u{AD}ce."]
    #[tool(public, title = "Add num\u{AD}bers")]
    async fn add(&self) {}

    /// The worst of a line is told.
    #[prompt(public)]
    async fn mixed(&self) -> &'static str { "num\u{AD}ber\u{200B}s" }
}

fn main() {}
