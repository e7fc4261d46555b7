//! The attribute macros of mcp-secure.
use proc_macro::TokenStream;
/// x
#[proc_macro_attribute]
pub fn secure_server(_: TokenStream, item: TokenStream) -> TokenStream { item }
/// x
#[proc_macro_attribute]
pub fn capability(_: TokenStream, item: TokenStream) -> TokenStream { item }
/// x
#[proc_macro_attribute]
pub fn args(_: TokenStream, item: TokenStream) -> TokenStream { item }
/// x
#[proc_macro_attribute]
pub fn output(_: TokenStream, item: TokenStream) -> TokenStream { item }
