//! An authorization server as far as a resource server sees it, and who signs for it.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock},
};

use jsonwebtoken::{EncodingKey, crypto, jwk::Jwk};
use rcgen::KeyPair;
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::Semaphore,
};
use tokio_rustls::TlsAcceptor;

use super::super::{ResourceServer, jws::encode};

/// HTTPS on loopback, with answers that the test sets.
pub(super) struct Issuer {
    pub(super) url: String,
    pub(super) folder: TempDir,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    replies: Mutex<HashMap<String, (u16, String, String)>>,
    heard: Mutex<Vec<Heard>>,
    /// An answer needs a permit while this is set.
    gate: Mutex<Option<Arc<Semaphore>>>,
}

#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) path: String,
    pub(super) head: String,
    pub(super) body: String,
}

impl Issuer {
    pub(super) async fn start() -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, shared) = (acceptor.clone(), Arc::clone(&serving));
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        let _ = answer(stream, &shared).await;
                    }
                });
            }
        });
        let issuer = Self {
            url,
            folder,
            shared,
        };
        issuer.metadata("/.well-known/oauth-authorization-server", &issuer.url);
        issuer
    }

    /// A resource server that trusts it.
    pub(super) fn server(&self, resource: &str) -> ResourceServer {
        ResourceServer::new(&self.url, resource)
            .allow_private_issuer()
            .ca_file(self.folder.path().join("ca.pem"))
    }

    /// What it answers at a path.
    pub(super) fn reply(&self, path: &str, status: u16, headers: &str, body: impl ToString) {
        let reply = (status, headers.to_owned(), body.to_string());
        self.shared
            .replies
            .lock()
            .unwrap()
            .insert(path.to_owned(), reply);
    }

    pub(super) fn forget(&self, path: &str) {
        self.shared.replies.lock().unwrap().remove(path);
    }

    pub(super) fn metadata(&self, path: &str, issuer: &str) {
        let metadata = json!({
            "issuer": issuer,
            "jwks_uri": format!("{}/keys", self.url),
            "introspection_endpoint": format!("{}/introspect", self.url),
        });
        self.reply(path, 200, "", metadata);
    }

    pub(super) fn keys(&self, keys: &[&Value]) {
        self.reply("/keys", 200, "", json!({"keys": keys}));
    }

    /// Nothing is answered any more but 503.
    pub(super) fn is_down(&self) {
        for reply in self.shared.replies.lock().unwrap().values_mut() {
            reply.0 = 503;
        }
    }

    pub(super) fn hold(&self) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        *self.shared.gate.lock().unwrap() = Some(Arc::clone(&gate));
        gate
    }

    pub(super) fn heard(&self, path: &str) -> Vec<Heard> {
        let heard = self.shared.heard.lock().unwrap();
        heard
            .iter()
            .filter(|one| one.path == path)
            .cloned()
            .collect()
    }

    pub(super) fn all_heard(&self) -> Vec<String> {
        let heard = self.shared.heard.lock().unwrap();
        heard.iter().map(|one| one.path.clone()).collect()
    }

    pub(super) fn secret(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        path
    }
}

async fn answer(
    mut stream: tokio_rustls::server::TlsStream<tokio::net::TcpStream>,
    shared: &Shared,
) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let (head, body) = loop {
        let mut buf = [0; 4096];
        let n = stream.read(&mut buf).await?;
        if n == 0 {
            return Ok(());
        }
        bytes.extend_from_slice(&buf[..n]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length: ")?
                    .parse()
                    .ok()
            })
            .unwrap_or(0);
        if body.len() >= length {
            break (head.to_owned(), body.to_owned());
        }
    };
    let path = head.split(' ').nth(1).unwrap().to_owned();
    shared.heard.lock().unwrap().push(Heard {
        path: path.clone(),
        head,
        body,
    });
    let gate = shared.gate.lock().unwrap().clone();
    if let Some(gate) = gate {
        gate.acquire().await.unwrap().forget();
    }
    let reply = shared.replies.lock().unwrap().get(&path).cloned();
    let (status, headers, body) = reply.unwrap_or((404, String::new(), "no".to_owned()));
    let reply = format!(
        "HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}",
        body.len()
    );
    stream.write_all(reply.as_bytes()).await?;
    stream.shutdown().await
}

/// A key that signs.
pub(super) struct Signer {
    pub(super) jwk: Value,
    pub(super) key: EncodingKey,
    pub(super) algorithm: jsonwebtoken::Algorithm,
    pub(super) pem: String,
}

impl Signer {
    pub(super) fn es256(kid: &str) -> Self {
        let pair = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let key = EncodingKey::from_ec_der(pair.serialized_der());
        Self::of(
            kid,
            key,
            jsonwebtoken::Algorithm::ES256,
            pair.serialize_pem(),
        )
    }

    pub(super) fn es384(kid: &str) -> Self {
        let pair = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        let key = EncodingKey::from_ec_der(pair.serialized_der());
        Self::of(
            kid,
            key,
            jsonwebtoken::Algorithm::ES384,
            pair.serialize_pem(),
        )
    }

    pub(super) fn ed25519(kid: &str) -> Self {
        let pair = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        // What `jsonwebtoken` reads of such a key is one form of the two that there are.
        let jwk =
            json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": encode(pair.public_key_raw())});
        Self {
            jwk,
            key: EncodingKey::from_ed_der(pair.serialized_der()),
            algorithm: jsonwebtoken::Algorithm::EdDSA,
            pem: pair.serialize_pem(),
        }
    }

    /// One for all tests: to find one takes a while.
    pub(super) fn rsa(kid: &str) -> Self {
        static KEY: OnceLock<Vec<u8>> = OnceLock::new();
        let der = KEY.get_or_init(|| {
            let pair = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
            // PKCS #8 of a key with 2048 bits: what is inside begins here.
            pair.serialized_der()[26..].to_vec()
        });
        let key = EncodingKey::from_rsa_der(der);
        Self::of(kid, key, jsonwebtoken::Algorithm::RS256, String::new())
    }

    fn of(kid: &str, key: EncodingKey, algorithm: jsonwebtoken::Algorithm, pem: String) -> Self {
        let jwk = Jwk::from_encoding_key(&key, algorithm).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk["kid"] = json!(kid);
        jwk.as_object_mut().unwrap().remove("alg");
        Self {
            jwk,
            key,
            algorithm,
            pem,
        }
    }

    /// The public half and nothing else, as a proof has it.
    pub(super) fn public(&self) -> Value {
        let mut jwk = self.jwk.clone();
        jwk.as_object_mut().unwrap().remove("kid");
        jwk
    }

    pub(super) fn thumbprint(&self) -> String {
        let jwk = super::super::key::Key::read(self.jwk.as_object().unwrap()).unwrap();
        encode(&jwk.thumbprint())
    }

    /// Signs what it is given, whatever it says.
    pub(super) fn sign(&self, header: &str, claims: &str) -> String {
        self.sign_by(header, claims, self.algorithm)
    }

    pub(super) fn sign_by(
        &self,
        header: &str,
        claims: &str,
        algorithm: jsonwebtoken::Algorithm,
    ) -> String {
        let signed = format!(
            "{}.{}",
            encode(header.as_bytes()),
            encode(claims.as_bytes())
        );
        let signature = crypto::sign(signed.as_bytes(), &self.key, algorithm).unwrap();
        format!("{signed}.{signature}")
    }
}
