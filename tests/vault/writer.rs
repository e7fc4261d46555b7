//! Changes a vault again and again, and says each time that it is done: until it is killed, or
//! so many times.

use std::io::Write as _;

use mcp_secure::vault::{NewCredential, Owner, Placement, VaultFile, VaultKey};
use secrecy::SecretString;

fn main() -> mcp_secure::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let [_, how, vault, keys, name, count] = args.as_slice() else {
        return Err(mcp_secure::Error::new(
            "vault-writer HOW VAULT KEYS NAME COUNT",
        ));
    };
    let file = VaultFile::at(vault).anchor(format!("{keys}/anchor/a"));
    let key = |n: usize| VaultKey::file(format!("{keys}/{}", n % 2));
    let count: usize = count.parse().unwrap_or(0);
    for n in 0..count {
        let mut done = n.to_string();
        match how.as_str() {
            "set" => {
                let credential = NewCredential::new(
                    format!("{name}.{n}"),
                    Placement::Bearer,
                    ["https://api.example"],
                )?;
                let secret = SecretString::from(format!("secret-of-{name}.{n}"));
                file.set(&key(0), &credential, &secret)?;
            }
            "people" => {
                let people = format!("{keys}/people");
                let who = format!("caller-{}", n % 3);
                if n % 5 == 4 {
                    file.rotate_people(&key(0), &people, None)?;
                } else {
                    let owner = Owner::new("local", &who)?;
                    let new =
                        NewCredential::new("token", Placement::Bearer, ["https://api.example"])?;
                    let secret = SecretString::from(format!("secret-of-{who}"));
                    let all = file.people(&key(0), &people)?;
                    let version = all.set(&owner, &new, &secret)?;
                    done = format!("{who} {version} {n}");
                }
            }
            "rotate" => {
                file.rotate(&key(0), false)?;
            }
            _ => file.rewrap(&key(n), &key(n + 1), false)?,
        }
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{done}").and_then(|()| out.flush());
    }
    Ok(())
}
