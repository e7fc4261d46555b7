use mcp_secure::prelude::*;

#[capability]
/// Of no kind.
pub struct Kindless;

/// Of two kinds.
#[capability(fs, net)]
pub struct Both;

/// Of no database that is known.
#[capability(sql = "oracle")]
pub struct Db;

/// Holds a password.
#[capability(net = "https://me:secret@api.example.com")]
pub struct Passworded;

/// Swallows everything.
#[capability(net = "https://*.com")]
pub struct Everything;

/// Is found by whoever is first in `PATH`.
#[capability(exec = "git")]
pub struct Relative;

/// Has an option of another kind.
#[capability(fs, allow_private)]
pub struct Misplaced;

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

/// Has the credential itself.
#[capability(net = "https://api.example.com", credential = "ghp_R4nd0m")]
pub struct Leaked;

/// Spends it wherever a caller likes.
#[capability(net = "https://*.example.com", credential = "github")]
pub struct Anywhere;

/// Spends nothing.
#[capability(fs, credential = "github")]
pub struct Folder;

/// Says whose, and not what.
#[capability(net, per_user)]
pub struct Whose;

// Each of them is still a capability: its use is no error of its own.
type Uses = (Fs<Kindless, ReadOnly>, Fs<Both, ReadOnly>, Fs<Undescribed, ReadOnly>);

struct S;

#[secure_server]
impl S {
    /// A tool.
    #[tool(public)]
    async fn tool(&self, kindless: Fs<Kindless, ReadOnly>, both: Fs<Both, ReadOnly>) {}
}

fn main() {}
