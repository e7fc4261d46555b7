struct Args;

struct S;

#[mcp_secure::secure_server]
impl S {
    /// A struct with the name of the wrapper.
    #[tool(public)]
    async fn own(&self, args: Args) { drop(args) }
}

fn main() {}
