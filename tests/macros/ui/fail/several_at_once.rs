use mcp_secure::prelude::*;

struct S;

#[secure_server]
impl S {
    /// Fine.
    #[tool(public)]
    async fn fine(&self, name: String) -> String { name }

    #[tool(public, colour = "red")]
    fn four(&self, name: &str) {}

    /// One.
    #[tool]
    async fn one(&self) {}

    #[completion(prompt = "none", arg = "x")]
    async fn two(&self) -> Vec<String> { Vec::new() }
}

fn is_served<T: mcp_secure::__private::SecureService>() {}

pub fn no_second_error() {
    is_served::<S>();
}

fn main() {}
