//! Credentials in one encrypted file. A tool holds none of them: it holds the right to *spend*
//! one, at the host that it was stored for.
//!
//! An operator puts a credential into the vault with `mcp-secure vault set`, which also says the
//! hosts that may get it and where in a request it goes. All of that is sealed with it: to send
//! a token elsewhere one needs the token. A server names the file and its key once, and each
//! endpoint the credential that it spends:
//!
//! ```no_run
//! use mcp_secure::{prelude::*, vault::{Vault, VaultKey}};
//!
//! /// GitHub's REST API.
//! #[capability(net = "https://api.github.com")]
//! pub struct GitHub;
//!
//! # struct Stars;
//! # #[secure_server]
//! # impl Stars {
//! #     /// Count.
//! #     #[tool(public)]
//! #     async fn stars(&self, api: Net<GitHub, Get>) -> ToolResult<String> {
//! #         Ok(api.path("/user").send().await?.text().await?)
//! #     }
//! # }
//! # fn main() -> mcp_secure::Result<()> {
//! SecureServer::new(Stars)
//!     .vault(Vault::file("/etc/stars/vault", VaultKey::systemd("stars-vault")))
//!     .grant(GitHub::declared().credential("github"))
//! #   .stdio(Principal::local_user())
//! #   .run()
//! # }
//! ```
//!
//! There is one key source and no second one behind it: a vault whose key is not there stops the
//! start.
//!
//! No type of this module has `Debug`, `Display`, `Clone` or `Serialize`, and none gives a secret
//! back:
//!
//! ```compile_fail,E0277
//! let vault = mcp_secure::vault::Vault::file("v", mcp_secure::vault::VaultKey::file("k"));
//! println!("{vault:?}");
//! ```
//! ```compile_fail,E0277
//! println!("{:?}", mcp_secure::vault::VaultKey::file("k"));
//! ```
//! ```compile_fail,E0599
//! let key = mcp_secure::vault::VaultKey::file("k");
//! let _ = key.clone();
//! ```
//! ```compile_fail,E0277
//! let key = mcp_secure::vault::VaultKey::file("k");
//! let _ = mcp_secure::serde_json::to_string(&key);
//! ```
//! ```compile_fail,E0616
//! let key = mcp_secure::vault::VaultKey::file("k");
//! let _ = key.0;
//! ```
//!
//! ```compile_fail,E0277
//! println!("{}", mcp_secure::vault::VaultKey::file("k"));
//! ```
//! ```compile_fail,E0308
//! fn copy(people: &mcp_secure::vault::People) -> mcp_secure::vault::People {
//!     people.clone()
//! }
//! ```
//!
//! What is on disk is described in `format.rs`. Never imports a transport or a layer.

mod admin;
mod anchor;
#[cfg(unix)]
mod command;
mod credential;
mod crypt;
#[cfg(feature = "upstream")]
mod doubts;
mod format;
#[cfg(target_os = "linux")]
mod hygiene;
mod key;
#[cfg(feature = "keyring")]
mod keyring;
mod people;
mod provide;
mod purse;
mod reflect;
mod spend;
mod spent;
pub(crate) mod tripwire;
#[doc(hidden)]
pub mod verbs;

pub use admin::{Entry, VaultFile};
pub use credential::{NewCredential, Placement};
pub use key::VaultKey;
#[cfg(all(target_os = "linux", feature = "keyring"))]
pub(crate) use keyring::{by_child, serve_as_reader};
pub use people::{Owner, People};
#[cfg(target_os = "linux")]
pub use provide::CredentialCommand;
#[cfg(all(target_os = "linux", feature = "sandbox"))]
pub(crate) use provide::Helper;
#[cfg(feature = "keyring")]
pub use provide::KeyringEntry;
pub use provide::{OpenBao, Provided, SecretProvider, Wanted};
#[cfg(feature = "postgres")]
pub(crate) use purse::password;
#[cfg(feature = "upstream")]
pub(crate) use purse::people_to_write;
#[cfg(feature = "oauth")]
pub(crate) use purse::secret_for;
pub(crate) use purse::{Purse, client_key};
pub(crate) use reflect::{Redactor, Reflection};
pub use spend::{Spends, Vault};
pub(crate) use spent::Spent;
pub(crate) use verbs::Verb;

#[cfg(test)]
mod tests;
