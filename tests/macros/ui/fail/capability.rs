use mcp_secure::prelude::*;

#[capability]
/// Of no kind.
pub struct Kindless;

/// Not yet.
#[capability(net = "https://api.github.com")]
pub struct GitHub;

/// Not yet.
#[capability(sql)]
pub struct Db;

#[capability(fs)]
pub struct Undescribed;

/// Has fields.
#[capability(fs)]
pub struct Fields(u8);

/// Is generic.
#[capability(fs)]
pub struct Generic<T>(T);

/// Is no struct.
#[capability(fs)]
pub enum Choice {}

/// Has a bad name.
#[capability(fs, name = "my notes")]
pub struct Named;

/// Has an unknown option.
#[capability(fs, public)]
pub struct Open;

#[doc = "Hides\u{200B}."]
#[capability(fs)]
pub struct Hiding;

// Each of them is still a capability: its use is no error of its own.
type Uses = (Fs<Kindless, ReadOnly>, Fs<GitHub, ReadOnly>, Fs<Undescribed, ReadOnly>);

struct S;

#[secure_server]
impl S {
    /// A tool.
    #[tool(public)]
    async fn tool(&self, kindless: Fs<Kindless, ReadOnly>, hub: Fs<GitHub, ReadOnly>) {}
}

fn main() {}
