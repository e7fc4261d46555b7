//! Who is asking. Every request has exactly one [`Principal`]; only an authenticator of
//! this crate mints one.

use std::{collections::BTreeSet, fmt, sync::Arc};

/// Who is asking, as established by the transport: never by anything the request says.
#[derive(Clone, PartialEq, Eq)]
pub struct Principal {
    issuer: Arc<str>,
    subject: Arc<str>,
    client: Option<Arc<str>>,
    scopes: Arc<BTreeSet<String>>,
    assurance: Assurance,
}

/// SHA-256 of the certificate that a client showed in the TLS handshake: what RFC 8705 calls
/// `x5t#S256`. The listener puts it into the extensions of each request of the connection.
#[cfg(any(feature = "tls", feature = "oauth"))]
#[cfg_attr(not(all(feature = "tls", feature = "oauth")), allow(dead_code))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PeerThumbprint(pub(crate) [u8; 32]);

/// How the principal was established.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Assurance {
    /// The operator started the process for this person (stdio).
    Declared,
    /// A secret in a file that only the owner can read (loopback HTTP).
    LocalToken,
    /// The kernel named the peer (Unix-domain socket).
    PeerCredentials,
    /// The certificate of the TLS connection is in the server's table.
    ClientCertificate,
}

impl Assurance {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::LocalToken => "local_token",
            Self::PeerCredentials => "peer_credentials",
            Self::ClientCertificate => "client_certificate",
        }
    }
}

impl Principal {
    /// The person who started this process: the only principal of a stdio server.
    ///
    /// Without [`scopes`](Self::scopes) it may use what is `public` and nothing else.
    ///
    /// ```
    /// use mcp_secure::prelude::*;
    /// let me = Principal::local_user().scopes(["notes:read"]);
    /// assert!(me.has_scope("notes:read"));
    /// assert!(!me.has_scope("notes:write"));
    /// ```
    pub fn local_user() -> Self {
        Self::minted(
            "local",
            &format!("uid:{}", current_uid()),
            Assurance::Declared,
        )
    }

    /// Grants scopes to a principal that is declared in code.
    #[must_use]
    pub fn scopes<I: IntoIterator<Item = T>, T: Into<String>>(mut self, scopes: I) -> Self {
        let mut all = (*self.scopes).clone();
        all.extend(scopes.into_iter().map(Into::into));
        self.scopes = Arc::new(all);
        self
    }

    pub(crate) fn minted(issuer: &str, subject: &str, assurance: Assurance) -> Self {
        Self {
            issuer: issuer.into(),
            subject: subject.into(),
            client: None,
            scopes: Arc::default(),
            assurance,
        }
    }

    /// Who vouches for the subject: `local`, or an authorization server's issuer.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The subject, unique at its issuer.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The OAuth client, where there is one.
    pub fn client(&self) -> Option<&str> {
        self.client.as_deref()
    }

    /// How the principal was established.
    pub fn assurance(&self) -> Assurance {
        self.assurance
    }

    /// Whether it holds a scope.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.contains(scope)
    }

    /// Whether who vouches for it can give it another scope, on request.
    pub(crate) fn can_step_up(&self) -> bool {
        matches!(
            self.assurance.as_str(),
            "access_token" | "sender_constrained"
        )
    }

    /// All scopes, sorted.
    pub fn all_scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().map(String::as_str)
    }

    /// What sessions, sealed state and limits are bound to: issuer, subject and client, each
    /// with its length, so that no two principals share a key.
    pub(crate) fn key(&self) -> String {
        let client = self.client.as_deref().unwrap_or("");
        format!(
            "{}:{}|{}:{}|{}:{}",
            self.issuer.len(),
            self.issuer,
            self.subject.len(),
            self.subject,
            client.len(),
            client
        )
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("issuer", &self.issuer)
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

#[cfg(unix)]
pub(crate) fn current_uid() -> u32 {
    rustix::process::getuid().as_raw()
}

#[cfg(not(unix))]
pub(crate) fn current_uid() -> u32 {
    0
}
