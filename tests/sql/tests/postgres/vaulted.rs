//! A password that lies in a vault and is spent in the handshake.

use mcp_secure::{
    serde_json::json,
    vault::{NewCredential, Placement, VaultFile, VaultKey},
};

use super::*;
use crate::wire::Server;

const PASSWORD: &str = "correct horse";

/// A home with a vault that has a password for this server.
fn home(placement: Placement, host: &str, secret: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("keys")).unwrap();
    let key = VaultKey::file(home.path().join("keys/v"));
    key.make().unwrap();
    let vault = VaultFile::at(home.path().join("vault/v"));
    vault.init(&key).unwrap();
    let credential = NewCredential::new("db", placement, [host]).unwrap();
    vault
        .set(&key, &credential, &secret.to_owned().into())
        .unwrap();
    home
}

fn grant(cluster: &Cluster, more: &str) -> String {
    let ca = cluster.path("ca.pem");
    format!(
        "books={}{more}",
        cluster.tcp("reader", &format!("sslrootcert={}", ca.display()))
    )
}

/// The server in the address of a grant.
fn place(cluster: &Cluster) -> String {
    let address = cluster.tcp("reader", "");
    let (_, rest) = address.split_once('@').unwrap();
    format!("postgres://{}", rest.split('/').next().unwrap())
}

#[test]
fn a_database_takes_the_password_of_the_vault_and_no_tool_has_it() {
    let cluster = cluster!();
    let home = home(Placement::Password, &place(&cluster), PASSWORD);
    let mut server = Server::start_in(home, "vaulted", &grant(&cluster, ""));
    assert_eq!(
        server.call("find", json!({ "name": "boat" })),
        "Paint the boat."
    );
    assert!(!server.record().to_string().contains(PASSWORD));
}

#[test]
fn a_password_for_another_server_stops_the_start() {
    let cluster = cluster!();
    let here = place(&cluster);
    let refusal = |home, more: &str| Server::refusal_in(home, "vaulted", &grant(&cluster, more));
    let other = home(Placement::Password, "postgres://127.0.0.1:1", PASSWORD);
    let said = refusal(other, "");
    assert!(said.contains("would be the password at"), "{said}");
    let bearer = home(Placement::Bearer, "https://db.example.com", "correct-horse");
    let said = refusal(bearer, "");
    assert!(said.contains("is a bearer for"), "{said}");
    let wrong = home(Placement::Password, &here, "another horse");
    let said = refusal(wrong, "");
    assert!(
        said.contains("cannot be reached") && !said.contains("another horse"),
        "{said}"
    );
    let file = cluster.path("unused");
    std::fs::write(&file, PASSWORD).unwrap();
    let right = home(Placement::Password, &here, PASSWORD);
    let said = refusal(right, &format!("&passfile={}", file.display()));
    assert!(said.contains("two passwords"), "{said}");
}
