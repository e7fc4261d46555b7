use mcp_secure::prelude::*;

struct S;

#[secure_server]
impl S {
    /// Not async.
    #[tool(public)]
    fn blocking(&self) {}

    /// Alone.
    #[tool(public)]
    async fn alone() {}

    /// Mutable.
    #[tool(public)]
    async fn mutable(&mut self) {}

    /// By value.
    #[tool(public)]
    async fn by_value(self) {}

    /// Boxed.
    #[tool(public)]
    async fn boxed(self: Box<Self>) {}

    /// Generic.
    #[tool(public)]
    async fn generic<T>(&self, value: T) {}

    /// A clause.
    #[tool(public)]
    async fn clause(&self) where Self: Sized {}

    /// Unsafe.
    #[tool(public)]
    async unsafe fn not_safe(&self) {}

    /// Foreign.
    #[tool(public)]
    async extern "C" fn foreign(&self) {}

    /// Any type.
    #[tool(public)]
    async fn any(&self, value: impl ToString) {}

    /// No type.
    #[tool(public)]
    async fn opaque(&self) -> impl ToString { "" }

    /// Borrowed.
    #[tool(public)]
    async fn borrowed(&self) -> &str { "" }

    /// Two things.
    #[tool(public)]
    #[prompt(public)]
    async fn two(&self) -> String { String::new() }
}

fn main() {}
