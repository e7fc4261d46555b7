use mcp_secure::prelude::*;

struct S;

#[secure_server]
impl S {
    #[init]
    async fn new(&self) -> mcp_secure::Result<Self> { Ok(S) }

    #[init]
    async fn again() -> mcp_secure::Result<Self> { Ok(S) }
}

struct T;

#[secure_server]
impl T {
    #[init(public)]
    async fn init(path: String, who: Principal) {}
}

fn is_served<T: mcp_secure::__private::SecureInit>() {}

pub fn no_second_error() {
    is_served::<S>();
    is_served::<T>();
}

fn main() {}
