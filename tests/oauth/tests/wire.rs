//! TLS as a client speaks it, and the authority that the certificates of the tests come from.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};
use serde_json::{Value, json};

use crate::world::private_file;

/// A certificate and its key.
pub(crate) type Identity = (rcgen::Certificate, rcgen::KeyPair);

/// A name that vouches for others.
pub(crate) struct Authority {
    issuer: rcgen::CertifiedIssuer<'static, rcgen::KeyPair>,
    /// What a client without a certificate of its own is set to: it resumes its connections.
    anonymous: Arc<ClientConfig>,
}

impl Authority {
    /// The one of this process.
    pub(crate) fn get() -> &'static Self {
        static ONE: OnceLock<Authority> = OnceLock::new();
        ONE.get_or_init(Self::new)
    }

    /// One that nobody trusts yet.
    pub(crate) fn new() -> Self {
        let mut params = named(&[], "authority of the tests");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        let issuer = rcgen::CertifiedIssuer::self_signed(params, key).unwrap();
        let anonymous = trusting(issuer.der().clone(), None);
        Self { issuer, anonymous }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A client's certificate.
    pub(crate) fn client(&self, name: &str) -> Identity {
        self.certify(name, rcgen::ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn certify(&self, name: &str, usage: rcgen::ExtendedKeyUsagePurpose) -> Identity {
        let mut params = named(&[name.to_owned()], name);
        params.extended_key_usages = vec![usage];
        let key = rcgen::KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// The files of a server at 127.0.0.1, as the target is asked for them.
    pub(crate) fn server_files(&self, folder: &Path) -> Value {
        let usage = rcgen::ExtendedKeyUsagePurpose::ServerAuth;
        let (certificate, key) = self.certify("127.0.0.1", usage);
        let chain = private_file(folder, "chain.pem", &certificate.pem());
        let key = private_file(folder, "key.pem", &key.serialize_pem());
        json!([chain, key])
    }

    /// A connection, with a certificate of the client's or without.
    pub(crate) fn connect(
        &self,
        to: SocketAddr,
        shown: Option<&Identity>,
    ) -> StreamOwned<ClientConnection, TcpStream> {
        let config = match shown {
            None => Arc::clone(&self.anonymous),
            shown => trusting(self.issuer.der().clone(), shown),
        };
        over(TcpStream::connect(to).unwrap(), config)
    }

    /// A connection from this address of loopback.
    pub(crate) fn connect_from(
        &self,
        from: Ipv4Addr,
        to: SocketAddr,
    ) -> StreamOwned<ClientConnection, TcpStream> {
        over(plain_from(from, to), Arc::clone(&self.anonymous))
    }
}

/// A connection without TLS from this address of loopback.
pub(crate) fn plain_from(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let from = SocketAddr::from((from, 0));
    let open = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&open, &from).unwrap();
    connect(&open, &to).unwrap();
    TcpStream::from(open)
}

fn over(stream: TcpStream, config: Arc<ClientConfig>) -> StreamOwned<ClientConnection, TcpStream> {
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connection = ClientConnection::new(config, name).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    StreamOwned::new(connection, stream)
}

/// OpenSSL takes two of one name for one that vouches for itself.
fn named(alternatives: &[String], common: &str) -> rcgen::CertificateParams {
    let mut params = rcgen::CertificateParams::new(alternatives).unwrap();
    let name = &mut params.distinguished_name;
    name.push(rcgen::DnType::CommonName, common);
    params
}

fn trusting(root: CertificateDer<'static>, shown: Option<&Identity>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(root).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    Arc::new(match shown {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
            let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            config.with_client_auth_cert(chain, key).unwrap()
        }
    })
}
