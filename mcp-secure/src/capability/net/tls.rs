//! Who is trusted to say who a server is.

use std::{fs, path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};

use super::NetError;
use crate::error::{Error, Result};

/// One configuration for each grant, so that no session is resumed under another. TLS 1.2 or
/// newer, HTTP/1.1 only: a connection of HTTP/2 may be used for every name in its certificate.
///
/// Keys are never written to a file, whatever `SSLKEYLOGFILE` says; that is rustls's default,
/// stated here because it is a default.
pub(super) fn config(
    ca_files: &[impl AsRef<Path>],
    tls13_only: bool,
    client: Option<(&Path, PrivateKeyDer<'static>)>,
) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    for path in ca_files {
        let path = path.as_ref();
        let wrong = |what: &dyn std::fmt::Display| {
            Error::new(format!("the certificates in `{}`: {what}", path.display()))
                .help("name a file with certificates in PEM form")
        };
        let pem = fs::read(path).map_err(|error| wrong(&error))?;
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|error| wrong(&error))?;
            roots.add(certificate).map_err(|error| wrong(&error))?;
        }
        if roots.len() == before {
            return Err(wrong(&"there are none"));
        }
    }
    let versions: &[&rustls::SupportedProtocolVersion] = if tls13_only {
        &[&rustls::version::TLS13]
    } else {
        &[&rustls::version::TLS13, &rustls::version::TLS12]
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|error| Error::new(format!("TLS cannot be set up: {error}")))?
        .with_root_certificates(roots);
    let mut config = match client {
        None => config.with_no_client_auth(),
        Some((path, key)) => {
            let wrong = |what: &dyn std::fmt::Display| {
                Error::new(format!(
                    "the client certificate `{}`: {what}",
                    path.display()
                ))
                .help("name the chain in PEM form, its own certificate first, that the key is for")
            };
            let pem = fs::read(path).map_err(|error| wrong(&error))?;
            let chain: std::result::Result<Vec<_>, _> =
                CertificateDer::pem_slice_iter(&pem).collect();
            let chain = chain.map_err(|error| wrong(&error))?;
            config
                .with_client_auth_cert(chain, key)
                .map_err(|error| wrong(&error))?
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.key_log = Arc::new(rustls::NoKeyLog);
    Ok(Arc::new(config))
}

/// The name that the certificate must be for: the granted one.
pub(super) fn server_name(host: &str) -> std::result::Result<ServerName<'static>, NetError> {
    ServerName::try_from(host.to_owned()).map_err(|error| NetError::Tls {
        detail: error.to_string(),
    })
}

/// What a handshake failed of.
pub(super) fn failed(error: &std::io::Error) -> NetError {
    let tls = error
        .get_ref()
        .and_then(|e| e.downcast_ref::<rustls::Error>());
    match tls {
        Some(tls) => NetError::Tls {
            detail: tls.to_string(),
        },
        None => NetError::Connection {
            detail: error.to_string(),
        },
    }
}
