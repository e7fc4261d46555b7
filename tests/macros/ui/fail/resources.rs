use mcp_secure::prelude::*;

struct S;

#[secure_server]
impl S {
    /// No address.
    #[resource(public)]
    async fn nowhere(&self) -> String { String::new() }

    /// No scheme.
    #[resource(public, uri = "/notes")]
    async fn no_scheme(&self) -> String { String::new() }

    /// A bad scheme.
    #[resource(public, uri = "1notes://a")]
    async fn bad_scheme(&self) -> String { String::new() }

    /// A user.
    #[resource(public, uri = "db://admin:pw@host/{table}")]
    async fn user(&self, table: String) -> String { table }

    /// Open.
    #[resource(public, uri = "notes://{name")]
    async fn open(&self, name: String) -> String { name }

    /// An operator.
    #[resource(public, uri = "notes://{+name}")]
    async fn operator(&self, name: String) -> String { name }

    /// Too close.
    #[resource(public, uri = "notes://{a}{b}")]
    async fn close(&self, a: String, b: String) -> String { a + &b }

    /// A space.
    #[resource(public, uri = "notes://a b")]
    async fn space(&self) -> String { String::new() }

    /// Too many and too few.
    #[resource(public, uri = "x://{a}/{b}")]
    async fn other(&self, a: String, c: String) -> String { a + &c }

    /// The first.
    #[resource(public, uri = "notes://{a}/x")]
    async fn first(&self, a: String) -> String { a }

    /// The same.
    #[resource(public, uri = "notes://{b}/x")]
    async fn same(&self, b: String) -> String { b }

    /// No type.
    #[resource(public, uri = "y:z", mime = "text")]
    async fn mime(&self) -> String { String::new() }
}

fn main() {}
