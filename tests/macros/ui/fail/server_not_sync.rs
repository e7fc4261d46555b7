use mcp_secure::prelude::*;

struct S(std::rc::Rc<()>);

#[secure_server]
impl S {
    /// Counts.
    #[tool(public)]
    async fn count(&self) -> usize { std::rc::Rc::strong_count(&self.0) }
}

fn main() {}
