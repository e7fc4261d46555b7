//! The same over TLS, where a token may be bound to the client's certificate (RFC 8705).

use std::{net::TcpStream, path::Path, sync::Arc};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};
use serde_json::json;
use sha2::Digest as _;

use crate::{
    http::{Answer, exchange},
    token::{Key, base64, claims},
    world::{Issuer, Target, message, private_file, resource},
};

/// A name that vouches for others, and what it vouched for.
struct Authority {
    issuer: rcgen::CertifiedIssuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = rcgen::CertificateParams::new([]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        Self {
            issuer: rcgen::CertifiedIssuer::self_signed(params, key).unwrap(),
        }
    }

    fn certify(
        &self,
        name: &str,
        usage: rcgen::ExtendedKeyUsagePurpose,
    ) -> (rcgen::Certificate, rcgen::KeyPair) {
        let mut params = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        let key = rcgen::KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }
}

struct Wire<'a> {
    target: &'a Target,
    authority: &'a Authority,
}

impl Wire<'_> {
    fn call(
        &self,
        tool: &str,
        token: &str,
        shown: Option<&(rcgen::Certificate, rcgen::KeyPair)>,
    ) -> Answer {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.issuer.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match shown {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
                let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
                config.with_client_auth_cert(chain, key).unwrap()
            }
        };
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let stream = TcpStream::connect(self.target.address).unwrap();
        stream
            .set_read_timeout(Some(std::time::Duration::from_secs(20)))
            .unwrap();
        let stream = StreamOwned::new(connection, stream);
        let headers = format!("Authorization: Bearer {token}");
        let head = self.target.head("tools/call", Some(tool), &headers);
        let body = message("tools/call", json!({ "name": tool, "arguments": {} }));
        exchange(stream, &head, &body)
    }
}

fn pem_files(folder: &Path, authority: &Authority) -> serde_json::Value {
    let (certificate, key) =
        authority.certify("127.0.0.1", rcgen::ExtendedKeyUsagePurpose::ServerAuth);
    let chain = private_file(folder, "chain.pem", &certificate.pem());
    let key = private_file(folder, "key.pem", &key.serialize_pem());
    let authority = private_file(folder, "clients.pem", &authority.issuer.pem());
    json!({ "tls": [chain, key], "client_certificates": authority, "certificate_bound": true })
}

#[test]
fn a_token_that_is_bound_to_a_certificate_works_over_its_connection_alone() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let asked = pem_files(folder.path(), &authority);
    let key = Key::new("k1");
    let resource = resource().replacen("http:", "https:", 1);
    let issuer = Issuer::start(&[&key], &resource, "jwt", json!({}));
    let target = Target::start(&issuer.url, &resource, asked);
    let wire = Wire {
        target: &target,
        authority: &authority,
    };

    let client = rcgen::ExtendedKeyUsagePurpose::ClientAuth;
    let owner = authority.certify("owner", client.clone());
    let thief = authority.certify("thief", client);
    let mut claims = claims(&issuer.url, &resource, "notes:read");
    let unbound = key.sign(&key.header(), &claims);
    claims["cnf"] = json!({ "x5t#S256": base64(&sha2::Sha256::digest(owner.0.der())) });
    let bound = key.sign(&key.header(), &claims);

    let answer = wire.call("read", &bound, Some(&owner));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.json()["result"]["content"][0]["text"] == "a note");
    assert_eq!(wire.call("read", &bound, Some(&thief)).status, 401);
    assert_eq!(
        wire.call("read", &unbound, Some(&owner)).status,
        401,
        "every token has to be bound"
    );
    let record = target.audited(|record| record["target"] == "read");
    assert_eq!(record["principal"]["assurance"], "sender_constrained");
}
