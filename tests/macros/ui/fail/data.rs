/// Described​.
#[mcp_secure::args]
struct Hidden {
    #[doc = "Reversed\u{202E}."]
    field: u8,
}

#[mcp_secure::args]
#[derive(Clone, mcp_secure::schemars::JsonSchema)]
struct Twice;

#[mcp_secure::output(deny)]
struct Options;

#[mcp_secure::args]
fn function() {}

#[mcp_secure::output]
union Union { a: u8 }

fn main() {}
