//! From files to what rustls is told, all checks in between.

use std::{path::Path, sync::Arc};

use chrono::{NaiveDateTime, Utc};
use rustls::{
    RootCertStore, ServerConfig,
    client::verify_server_name,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier},
    sign::{CertifiedKey, SingleCertAndKey},
};

use super::{
    Clients, Place, Tls,
    certificate::Front,
    files::{Kind, read},
};
use crate::{Error, Result};

/// What new connections get.
pub(super) struct Loaded {
    pub(super) config: Arc<ServerConfig>,
    pub(super) expires: NaiveDateTime,
}

/// Reads and checks everything anew.
///
/// # Errors
///
/// When a file is not what it has to be, in words for the operator.
pub(super) fn load(tls: &Tls, place: &Place) -> Result<Loaded> {
    let provider = Arc::new(provider(tls.tls12));
    let chain = certificates(&tls.chain, Kind::Chain)?;
    let expires = dates_and_order(&tls.chain, &chain)?;
    names(&tls.chain, &chain, place)?;
    let key = key(&tls.key, &provider)?;
    let pair = CertifiedKey::new(chain, key);
    pair.keys_match().map_err(|_| {
        Kind::Key
            .fail(
                &tls.key,
                format!(
                    "is not the key of the certificate `{}`",
                    tls.chain.display()
                ),
            )
            .help("name the two files of one certificate")
    })?;
    let versions: &[&rustls::SupportedProtocolVersion] = match tls.tls12 {
        false => &[&rustls::version::TLS13],
        true => &[&rustls::version::TLS13, &rustls::version::TLS12],
    };
    let cannot = |e: &dyn std::fmt::Display| Error::new(format!("TLS cannot be set up: {e}"));
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .map_err(|e| cannot(&e))?;
    let builder = match &tls.clients {
        None => builder.with_no_client_auth(),
        Some(clients) => builder.with_client_cert_verifier(verifier(clients, &provider)?),
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // See the module: no session is resumed, nothing is taken early. The last two are what
    // rustls does by itself, stated because they matter.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    config.key_log = Arc::new(rustls::NoKeyLog);
    // Without it a man in the middle of TLS 1.2 can make two sessions look like one
    // ("triple handshake", CVE-2015-6112).
    config.require_ems = true;
    Ok(Loaded {
        config: Arc::new(config),
        expires,
    })
}

/// AES-GCM and ChaCha20; a recording of today is of no use to a quantum computer later.
fn provider(tls12: bool) -> CryptoProvider {
    use aws_lc_rs::kx_group::{SECP256R1, SECP384R1, X25519, X25519MLKEM768};
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![X25519MLKEM768, X25519, SECP256R1, SECP384R1];
    let tls13 = |suite: &rustls::SupportedCipherSuite| suite.tls13().is_some();
    provider.cipher_suites.retain(|suite| tls12 || tls13(suite));
    provider
}

fn certificates(path: &Path, kind: Kind) -> Result<Vec<CertificateDer<'static>>> {
    let pem = read(path, kind)?;
    let fail = |what: String| {
        kind.fail(path, what)
            .help("name a file with certificates in PEM form, the server's own first")
    };
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| fail(format!("cannot be read: {e}")))?;
    match certificates.len() {
        0 => Err(fail("holds no certificate".into())),
        1..=MOST => Ok(certificates),
        many => Err(fail(format!("holds {many} certificates"))),
    }
}

fn key(path: &Path, provider: &CryptoProvider) -> Result<Arc<dyn rustls::sign::SigningKey>> {
    let pem = read(path, Kind::Key)?;
    // The words of the parser may quote the file.
    let fail = |what: &str| {
        Kind::Key
            .fail(path, what)
            .help("name a file with one private key in PEM form, without a password")
    };
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| fail("holds no private key"))?;
    provider
        .key_provider
        .load_private_key(key)
        .map_err(|_| fail("holds a key of a kind or size that is not used"))
}

/// The days of every certificate, and that each is issued by the next. The earliest end.
fn dates_and_order(path: &Path, chain: &[CertificateDer<'_>]) -> Result<NaiveDateTime> {
    let now = Utc::now().naive_utc();
    let mut expires = NaiveDateTime::MAX;
    let mut issuer: Option<&[u8]> = None;
    for (index, certificate) in chain.iter().enumerate() {
        let which = match index {
            0 => "a certificate".to_owned(),
            _ => format!("an intermediate certificate (number {})", index + 1),
        };
        let Some(front) = Front::read(certificate) else {
            return Err(Kind::Chain.fail(path, format!("holds {which} that cannot be read")));
        };
        let renew = "renew it; the server takes a new one without a restart once it runs";
        if now >= front.not_after {
            let since = front.not_after;
            return Err(Kind::Chain
                .fail(path, format!("holds {which} that expired at {since} UTC"))
                .help(renew));
        }
        if now < front.not_before {
            let from = front.not_before;
            return Err(Kind::Chain
                .fail(
                    path,
                    format!("holds {which} that is not valid before {from} UTC"),
                )
                .help("wait, or set the clock of this machine"));
        }
        if issuer.is_some_and(|issuer| issuer != front.subject) {
            return Err(Kind::Chain
                .fail(
                    path,
                    format!("holds {which} that did not issue the one before it"),
                )
                .help("put the server's certificate first, and its issuer after it"));
        }
        issuer = Some(front.issuer);
        expires = expires.min(front.not_after);
    }
    Ok(expires)
}

/// That the certificate is for the names that clients use.
fn names(path: &Path, chain: &[CertificateDer<'_>], place: &Place) -> Result<()> {
    let Some(leaf) = chain.first() else {
        return Ok(());
    };
    let leaf = ParsedCertificate::try_from(leaf).map_err(|e| {
        Kind::Chain.fail(path, format!("holds a certificate that is not usable: {e}"))
    })?;
    let covers = |name: &str| {
        ServerName::try_from(name.to_owned())
            .is_ok_and(|name| verify_server_name(&leaf, &name).is_ok())
    };
    for host in &place.hosts {
        let name = bare(host);
        if covers(name) {
            continue;
        }
        // A proxy asks by whatever name it was told.
        if place.is_behind_proxy {
            tracing::warn!("the certificate is not for `{name}`, which the proxy may not mind");
            continue;
        }
        return Err(Kind::Chain
            .fail(
                path,
                format!("is not for `{name}`, which the server answers to"),
            )
            .help("get a certificate with all names of `.allow_host(…)`, or take the name away"));
    }
    let own = ["localhost", "127.0.0.1", "::1"];
    if place.is_loopback && place.hosts.is_empty() && !own.into_iter().any(covers) {
        tracing::warn!("the certificate is for no name of this machine, such as `localhost`");
    }
    Ok(())
}

/// The host of a declared `Host`, as a certificate names it.
fn bare(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(v6),
        None => host.split(':').next().unwrap_or(host),
    }
}

fn verifier(
    clients: &Clients,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>> {
    let path = &clients.authorities;
    let wrong = |e: &dyn std::fmt::Display| {
        Kind::Authorities
            .fail(path, format!("cannot be used: {e}"))
            .help("name a file with the certificates of the clients' authorities in PEM form")
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, Kind::Authorities)? {
        roots.add(certificate).map_err(|e| wrong(&e))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    match clients.is_required {
        true => builder.build(),
        false => builder.allow_unauthenticated().build(),
    }
    .map_err(|e| wrong(&e))
}

/// Certificates in one file.
const MOST: usize = 16;
