//! `vault-keyring VAULT HOST`: makes a key in the Secret Service, and a vault that it opens with a
//! token in it, which it reads on its standard input.

use std::io::{Read as _, Write as _};

use mcp_secure::vault::{NewCredential, Placement, VaultFile, VaultKey};
use secrecy::SecretString;

fn main() -> mcp_secure::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let [_, vault, host] = args.as_slice() else {
        return Err(mcp_secure::Error::new("vault-keyring VAULT HOST"));
    };
    let mut secret = String::new();
    let _ = std::io::stdin().read_to_string(&mut secret);
    let key = VaultKey::secret_service("stars");
    let made = key.make()?;
    let again = key.make()?;
    VaultFile::at(vault).init(&key)?;
    let token = NewCredential::new("token", Placement::Bearer, [host])?;
    VaultFile::at(vault).set(&key, &token, &SecretString::from(secret))?;
    let _ = writeln!(std::io::stdout(), "made: {made}, again: {again}");
    Ok(())
}
