//! Authorities and certificates of a test's own.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
    pub(crate) der: CertificateDer<'static>,
}

/// A certificate and its key.
pub(crate) struct Pair {
    pub(crate) chain: String,
    pub(crate) key: String,
    pub(crate) der: CertificateDer<'static>,
    secret: Vec<u8>,
}

impl Authority {
    pub(crate) fn new() -> Self {
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

    pub(crate) fn issue(&self, names: &[&str]) -> Pair {
        self.issue_until(names, 2090)
    }

    pub(crate) fn issue_until(&self, names: &[&str], year: i32) -> Pair {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate().unwrap();
        let own = params.signed_by(&key, &self.issuer).unwrap();
        Pair {
            chain: own.pem(),
            key: key.serialize_pem(),
            der: own.der().clone(),
            secret: key.serialize_der(),
        }
    }
}

impl Pair {
    pub(crate) fn private(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.secret.clone()))
    }

    /// Puts both into `folder/tls`, in the way of a renewal: each file is replaced whole.
    pub(crate) fn put(&self, folder: &Path) -> (PathBuf, PathBuf) {
        (
            private(folder, "chain.pem", &self.chain, 0o600),
            private(folder, "key.pem", &self.key, 0o600),
        )
    }

    /// As `sha256sum` says it.
    pub(crate) fn thumbprint(&self, folder: &Path) -> String {
        let file = folder.join("leaf.der");
        std::fs::write(&file, &self.der).unwrap();
        let output = Command::new("sha256sum").arg(&file).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        said.split(' ').next().unwrap().to_owned()
    }
}

/// Replaces one file of `folder/tls`.
pub(crate) fn private(folder: &Path, name: &str, text: &str, mode: u32) -> PathBuf {
    let folder = folder.join("tls");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o700)).unwrap();
    let (draft, file) = (folder.join(".draft"), folder.join(name));
    std::fs::write(&draft, text).unwrap();
    std::fs::set_permissions(&draft, PermissionsExt::from_mode(mode)).unwrap();
    std::fs::rename(draft, &file).unwrap();
    file
}
