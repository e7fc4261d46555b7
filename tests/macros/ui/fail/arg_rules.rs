use mcp_secure::prelude::*;

struct S;

#[secure_server]
impl S {
    /// Rules.
    #[tool(public)]
    async fn rules(
        &self,
        #[arg] nothing: String,
        #[arg(size = 3)] unknown: String,
        #[arg(max_len = 3)] number: u32,
        #[arg(range = 1..=3)] text: String,
        #[arg(max_items = 3)] optional: Option<String>,
        #[arg(max_len = 3)] list: Vec<String>,
        #[arg(min_len = 4, max_len = 3)] length: String,
        #[arg(range = 3..=1)] reversed: u8,
        #[arg(range = 1..10)] half_open: u8,
        #[arg(range = ..)] endless: u8,
        #[arg(range = 3)] single: u8,
        #[arg(range = 1..="x")] words: u8,
        #[arg(range = 0..=9007199254740993)] inexact: u64,
        #[arg(max_len = -1)] negative: String,
        #[arg(max_len = 99999999999999999999)] large: String,
        #[arg(pattern = "")] pattern: String,
        #[arg(max_len = 3)] #[arg(min_len = 2)] twice: String,
    ) {}
}

fn main() {}
