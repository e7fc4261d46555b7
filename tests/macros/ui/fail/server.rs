use mcp_secure::prelude::*;

struct S;

/// One thing.
#[secure_server(instructions = "Another.", nam = "s", version = 3)]
impl S {}

struct Größe;

#[secure_server]
impl Größe {}

#[secure_server]
struct NotAnImpl;

struct D;

#[secure_server]
impl Default for D {
    fn default() -> Self { D }
}

trait Marker {}

#[secure_server]
impl dyn Marker {}

struct B<'a>(&'a str);

#[secure_server]
impl<'a> B<'a> {}

struct P;

#[secure_server(crate = "mcp_secure")]
impl P {}

fn main() {}
