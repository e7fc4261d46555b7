use mcp_secure::prelude::*;

struct S;

#[secure_server]
impl S {
    /// Headers.
    #[tool(public)]
    async fn headers(
        &self,
        #[arg(header = "Re gion")] space: String,
        #[arg(header = "")] empty: String,
        #[arg(header = "X\r\nSet-Cookie")] injected: String,
        #[arg(header = "Region")] region: String,
        #[arg(header = "REGION")] again: String,
        #[arg(header = "Api-Key")] api: String,
        #[arg(header = "Pass")] password: String,
        #[arg(header = "List")] list: Vec<String>,
        #[arg(header = "Float")] float: f64,
    ) {}

    /// Of a prompt.
    #[prompt(public)]
    async fn prompt(&self, #[arg(header = "Region")] region: String) -> String { region }
}

fn main() {}
