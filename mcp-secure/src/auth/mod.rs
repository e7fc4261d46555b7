//! Who is asking. Every request has exactly one [`Principal`]; only an authenticator of
//! this crate mints one.

pub mod api_keys;
#[cfg(feature = "dev-issuer")]
mod dev_issuer;
#[cfg(feature = "oauth")]
pub(crate) mod oauth;

use std::{
    collections::BTreeSet,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio_util::sync::CancellationToken;

#[cfg(feature = "dev-issuer")]
pub use dev_issuer::{DevIssuer, RunningIssuer};
#[cfg(feature = "oauth")]
pub use oauth::{
    Algorithm, ClientAuth, ClientCredentials, Dpop, Introspection, ResourceServer, TokenExchange,
};

#[cfg(feature = "upstream")]
pub use oauth::UpstreamOAuth;

/// Who is asking, as established by the transport: never by anything the request says.
///
/// It holds no credential: the token that named it is gone before a tool runs.
#[derive(Clone, PartialEq, Eq)]
pub struct Principal(Arc<Facts>);

/// What is known of a principal. Behind one pointer, because every request carries one.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) client: Option<String>,
    pub(crate) scopes: BTreeSet<String>,
    pub(crate) actors: Vec<Actor>,
    pub(crate) confirmation: Option<Confirmation>,
    /// Seconds since 1970.
    pub(crate) expires: Option<u64>,
    pub(crate) key_id: Option<String>,
    pub(crate) over: Over,
    pub(crate) assurance: Assurance,
}

/// Fires when the credential is taken back. Says nothing about who the principal is.
#[cfg_attr(
    not(feature = "http"),
    allow(dead_code, reason = "only HTTP has such a credential")
)]
#[derive(Clone, Default)]
pub(crate) struct Over(Option<CancellationToken>);

impl PartialEq for Over {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Over {}

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
    /// An API key of the server's own file: whoever holds it may use it.
    ApiKey,
    /// An access token of the issuer: whoever holds it may use it (RFC 6750).
    AccessToken,
    /// An access token, and proof of the key or certificate that it was issued for: a stolen
    /// token alone is worth nothing (RFC 9449, RFC 8705).
    SenderConstrained,
}

impl Assurance {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::LocalToken => "local_token",
            Self::PeerCredentials => "peer_credentials",
            Self::ClientCertificate => "client_certificate",
            Self::ApiKey => "api_key",
            Self::AccessToken => "access_token",
            Self::SenderConstrained => "sender_constrained",
        }
    }
}

/// Who acts for the subject, as the issuer recorded it when it exchanged a token (RFC 8693
/// section 4.1): an agent, a gateway. For the record; it adds no rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    pub(crate) issuer: Option<String>,
    pub(crate) subject: String,
}

impl Actor {
    /// Who vouches for the actor, where it is not the issuer of the token.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The actor.
    pub fn subject(&self) -> &str {
        &self.subject
    }
}

/// What a token is bound to (RFC 7800). It was proven for this request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Confirmation {
    pub(crate) key: Option<[u8; 32]>,
    pub(crate) certificate: Option<[u8; 32]>,
}

impl Confirmation {
    /// The thumbprint of the key that signed the DPoP proof (RFC 7638).
    pub fn key(&self) -> Option<&[u8; 32]> {
        self.key.as_ref()
    }

    /// SHA-256 of the client's certificate (RFC 8705).
    pub fn certificate(&self) -> Option<&[u8; 32]> {
        self.certificate.as_ref()
    }
}

impl fmt::Debug for Confirmation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Confirmation")
            .field("key", &self.key.is_some())
            .field("certificate", &self.certificate.is_some())
            .finish()
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
        let all = &mut Arc::make_mut(&mut self.0).scopes;
        all.extend(scopes.into_iter().map(Into::into));
        self
    }

    pub(crate) fn minted(issuer: &str, subject: &str, assurance: Assurance) -> Self {
        Self(Arc::new(Facts {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            client: None,
            scopes: BTreeSet::new(),
            actors: Vec::new(),
            confirmation: None,
            expires: None,
            key_id: None,
            over: Over::default(),
            assurance,
        }))
    }

    /// Shown by this API key, until then, or until `over` fires.
    #[cfg(feature = "http")]
    pub(crate) fn with_key(
        mut self,
        id: &str,
        expires: Option<SystemTime>,
        over: CancellationToken,
    ) -> Self {
        let facts = Arc::make_mut(&mut self.0);
        facts.key_id = Some(id.to_owned());
        facts.expires = expires
            .and_then(|moment| moment.duration_since(UNIX_EPOCH).ok())
            .map(|since| since.as_secs());
        facts.over = Over(Some(over));
        self
    }

    /// Fires when the credential is taken back, where that can happen while it is in use.
    #[cfg(feature = "http")]
    pub(crate) fn over(&self) -> Option<CancellationToken> {
        self.0.over.0.clone()
    }

    #[cfg(feature = "oauth")]
    pub(crate) fn of(facts: Facts) -> Self {
        Self(Arc::new(facts))
    }

    /// Who vouches for the subject: `local`, or an authorization server's issuer.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The subject, unique at its issuer.
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The OAuth client, where there is one.
    pub fn client(&self) -> Option<&str> {
        self.0.client.as_deref()
    }

    /// The id of the API key that was shown, where it was one. Not a secret.
    pub fn key_id(&self) -> Option<&str> {
        self.0.key_id.as_deref()
    }

    /// Whether the subject is the OAuth client itself: a program that asks for nobody
    /// (RFC 6749 section 4.4, as RFC 9068 section 2.2 writes it down).
    pub fn is_client(&self) -> bool {
        self.client() == Some(self.subject())
    }

    /// Who acts for the subject: the one who asks first, then whom it asks for. Empty where
    /// the subject asks itself.
    pub fn actors(&self) -> &[Actor] {
        &self.0.actors
    }

    /// The key or certificate that the token is bound to, which this request has proven.
    pub fn confirmation(&self) -> Option<&Confirmation> {
        self.0.confirmation.as_ref()
    }

    /// When the credential runs out; what was begun with it ends then.
    pub fn expires(&self) -> Option<SystemTime> {
        let seconds = Duration::from_secs(self.0.expires?);
        UNIX_EPOCH.checked_add(seconds)
    }

    /// The same in seconds since 1970.
    #[cfg(feature = "oauth")]
    pub(crate) fn expires_unix(&self) -> Option<u64> {
        self.0.expires
    }

    /// How the principal was established.
    pub fn assurance(&self) -> Assurance {
        self.0.assurance
    }

    /// Whether it holds a scope.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.0.scopes.contains(scope)
    }

    /// Whether who vouches for it can give it another scope, on request.
    pub(crate) fn can_step_up(&self) -> bool {
        matches!(
            self.assurance(),
            Assurance::AccessToken | Assurance::SenderConstrained
        )
    }

    /// All scopes, sorted.
    pub fn all_scopes(&self) -> impl Iterator<Item = &str> {
        self.0.scopes.iter().map(String::as_str)
    }

    /// What sessions, sealed state and limits are bound to: issuer, subject and client, each
    /// with its length, so that no two principals share a key.
    pub(crate) fn key(&self) -> String {
        let client = self.client().unwrap_or("");
        format!(
            "{}:{}|{}:{}|{}:{}",
            self.issuer().len(),
            self.issuer(),
            self.subject().len(),
            self.subject(),
            client.len(),
            client
        )
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("issuer", &self.issuer())
            .field("subject", &self.subject())
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
