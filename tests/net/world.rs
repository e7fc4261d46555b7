//! An internet of one's own: an authority, a name server, and servers with certificates.

use std::{path::PathBuf, sync::Arc};

use mcp_secure::{
    capability,
    capability::net::{Endpoint, NetGrant},
    testing::TestServer,
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use crate::{
    dns::Dns,
    site::{Act, Seen, Site, ok},
};

/// What the tests ask. It is on loopback, so its addresses are private.
#[capability(net, allow_private)]
pub(crate) struct Api;

/// The same, for a second grant.
#[capability(net, allow_private)]
pub(crate) struct Other;

/// On the internet: no private address.
#[capability(net)]
pub(crate) struct Public;

/// Every host below a name.
#[capability(net, open, allow_private)]
pub(crate) struct Wild;

pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: PathBuf,
    _dir: tempfile::TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let pem = dir.path().join("ca.pem");
        std::fs::write(&pem, params.self_signed(&key).unwrap().pem()).unwrap();
        Self {
            issuer: Issuer::new(params, key),
            pem,
            _dir: dir,
        }
    }

    /// Where its certificate is.
    pub(crate) fn pem(&self) -> PathBuf {
        self.pem.clone()
    }

    /// A server with a certificate for these names.
    pub(crate) fn server(&self, names: &[&str], is_expired: bool) -> TlsAcceptor {
        self.acceptor(names, is_expired, rustls::ALL_VERSIONS)
    }

    pub(crate) fn acceptor(
        &self,
        names: &[&str],
        is_expired: bool,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> TlsAcceptor {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        if is_expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// A site behind `api.test` (and every `*.test`), with what is needed to reach it.
pub(crate) struct World {
    pub(crate) authority: Authority,
    pub(crate) dns: Dns,
    pub(crate) site: Site,
}

impl World {
    /// By HTTPS.
    pub(crate) async fn new(handler: impl Fn(&Seen) -> Vec<Act> + Send + Sync + 'static) -> Self {
        let authority = Authority::new();
        let tls = authority.server(&["api.test", "*.api.test", "127.0.0.1"], false);
        Self {
            dns: Dns::new(&[
                ("*.test", &[&["127.0.0.1"]]),
                ("*.api.test", &[&["127.0.0.1"]]),
            ])
            .await,
            site: Site::new(Some(tls), handler).await,
            authority,
        }
    }

    /// One that says `hello`.
    pub(crate) async fn hello() -> Self {
        Self::new(|_| ok(b"hello")).await
    }

    /// The URL of the site.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://api.test:{}{path}", self.site.address.port())
    }

    /// A grant that believes the authority and asks the name server.
    pub(crate) fn with<E: Endpoint>(&self, grant: NetGrant<E>) -> NetGrant<E> {
        grant
            .ca_file(self.authority.pem())
            .nameservers([self.dns.address])
    }

    /// The site, granted.
    pub(crate) fn granted<E: Endpoint>(&self, grant: NetGrant<E>, path: &str) -> TestServer {
        let server = TestServer::new();
        server.granted(self.with(grant), self.url(path)).unwrap()
    }

    /// The site, granted as usual.
    pub(crate) fn api(&self) -> TestServer {
        self.granted(Api::from_operator(), "/v1")
    }
}
