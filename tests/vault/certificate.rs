//! A server that wants a client certificate, whose key is in the vault.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
};

use mcp_secure::vault::{NewCredential, Placement};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
};
use secrecy::SecretString;
use serde_json::json;

use crate::scene::{Said, Scene};

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: CertificateDer<'static>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "an authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let own = params.self_signed(&key).unwrap();
        Self {
            pem: own.pem(),
            der: own.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    /// A certificate in both forms, and its key.
    fn issue(&self) -> (String, CertificateDer<'static>, KeyPair) {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate().unwrap();
        let own = params.signed_by(&key, &self.issuer).unwrap();
        (own.pem(), own.der().clone(), key)
    }

    /// A server that takes nobody but who has a certificate of this authority.
    fn serve(&self) -> SocketAddr {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .unwrap();
        let (_, own, key) = self.issue();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![own], key)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let config = Arc::clone(&config);
                std::thread::spawn(move || answer(stream, config));
            }
        });
        address
    }
}

fn answer(stream: TcpStream, config: Arc<ServerConfig>) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine")?;
    stream.flush()
}

struct World {
    scene: Scene,
    authority: Authority,
    url: String,
    key: String,
}

impl World {
    fn new() -> Self {
        let (scene, authority) = (Scene::new(), Authority::new());
        let url = format!("https://{}", authority.serve());
        scene.anchored().init(&scene.key()).unwrap();
        let (chain, _, key) = authority.issue();
        std::fs::write(scene.at("chain.pem"), chain).unwrap();
        std::fs::write(scene.at("ca.pem"), &authority.pem).unwrap();
        let world = Self {
            key: key.serialize_pem().trim_end().to_owned(),
            scene,
            authority,
            url,
        };
        world.store(&world.key);
        world
    }

    fn store(&self, secret: &str) {
        let credential =
            NewCredential::new("client", Placement::ClientKey, [self.url.as_str()]).unwrap();
        let file = self.scene.anchored();
        file.set(&self.scene.key(), &credential, &SecretString::from(secret))
            .unwrap();
    }

    fn read(&self, url: &str) -> Said {
        let env = [
            ("VAULT_CA", self.scene.at("ca.pem")),
            ("VAULT_CERT", self.scene.at("chain.pem")),
        ];
        let said = self
            .scene
            .call_in(&env, [url, url], "client", json!({ "page": "plain" }));
        let all = said.all();
        for line in self.key.lines().filter(|line| !line.starts_with("---")) {
            assert!(!all.contains(line), "{all}");
        }
        said
    }
}

#[test]
fn the_key_of_a_client_certificate_is_shown_to_its_host_and_to_no_other() {
    let world = World::new();
    let said = world.read(&world.url);
    assert!(
        said.answer.contains("fine"),
        "{} {}",
        said.answer,
        said.errors
    );
    // Another server of the same authority.
    let other = format!("https://{}", world.authority.serve());
    let said = world.read(&other);
    assert!(said.errors.contains("net/credential"), "{}", said.errors);
    // A line of the key, in a file that a tool reads.
    let line = world.key.lines().nth(1).unwrap();
    std::fs::write(world.scene.at("files/stolen"), line).unwrap();
    let env = [
        ("VAULT_CA", world.scene.at("ca.pem")),
        ("VAULT_CERT", world.scene.at("chain.pem")),
    ];
    let said = world.scene.call_tool_in(
        &env,
        [&world.url, &world.url],
        "client",
        "granted",
        json!({ "path": "stolen" }),
    );
    assert!(
        said.answer.contains("[credential removed]"),
        "{}",
        said.answer
    );
}

#[test]
fn a_key_that_is_none_or_that_of_another_certificate_stops_the_start() {
    let world = World::new();
    let (_, _, another) = world.authority.issue();
    world.store(another.serialize_pem().trim_end());
    let said = world.read(&world.url);
    assert!(
        said.errors.contains("client certificate"),
        "{}",
        said.errors
    );
    assert!(!said.answer.contains("fine"));
    let credential =
        NewCredential::new("client", Placement::ClientKey, [world.url.as_str()]).unwrap();
    let file = world.scene.anchored();
    let none = SecretString::from("no-key-at-all");
    let error = file
        .set(&world.scene.key(), &credential, &none)
        .unwrap_err();
    assert!(error.to_string().contains("is no private key"), "{error}");
    // Not over plain HTTP, where it would prove nothing.
    let plain = NewCredential::new("client", Placement::ClientKey, ["http://127.0.0.1:1"]);
    assert!(plain.is_err());
}
