//! What an author says of the issuer and its tokens. Everything that can be wrong with it stops
//! the start (`checks.rs`); what is left is opened (`open.rs`).

mod checks;
mod open;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use serde_json::Value;

use super::{Algorithm, clock::Clock, dpop::Dpop, introspect::Introspection};
use crate::state::Store;

/// An OAuth 2.1 resource server: this server, and the authorization server whose access tokens
/// it takes.
///
/// Two names are all it needs: the issuer, and the URL by which clients reach this server,
/// which is the audience that every token must have. The keys of the issuer are found by its
/// metadata. All else here is for issuers that write their tokens in another way than RFC 9068;
/// the book has a recipe for each of the common ones.
///
/// ```
/// use mcp_secure::auth::ResourceServer;
///
/// ResourceServer::new("https://auth.example", "https://mcp.example/mcp")
///     .implies("notes:write", ["notes:read"]);
/// ```
#[must_use = "a resource server does nothing until a transport has it"]
pub struct ResourceServer {
    pub(super) issuer: String,
    pub(super) resource: String,
    audiences: Vec<String>,
    beside: Vec<String>,
    algorithms: Vec<Algorithm>,
    types: Vec<String>,
    untyped: bool,
    scope_claim: String,
    roles_at: Vec<String>,
    roles: BTreeMap<String, Vec<String>>,
    implied: BTreeMap<String, Vec<String>>,
    client_claim: Option<String>,
    required: Vec<(String, Value)>,
    leeway: Duration,
    max_lifetime: Option<Duration>,
    jwks: Option<String>,
    max_keys: usize,
    stale_keys: Duration,
    remembered: usize,
    certificate_bound: bool,
    ask_first: Vec<String>,
    dpop: Option<Dpop>,
    nonce: Option<Option<PathBuf>>,
    store: Option<Arc<dyn Store>>,
    introspection: Option<Introspection>,
    allow_private: bool,
    ca_files: Vec<PathBuf>,
    nameservers: Vec<SocketAddr>,
    pub(super) sign_in: Option<String>,
    pub(super) sign_in_scopes: Vec<String>,
    pub(super) clock: Clock,
}

impl ResourceServer {
    /// The issuer as it calls itself (`iss`, to the last `/`), and the canonical URL of this
    /// server: what clients ask tokens for (RFC 8707), and what `aud` must say.
    pub fn new(issuer: impl Into<String>, resource: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            resource: resource.into(),
            audiences: Vec::new(),
            beside: Vec::new(),
            algorithms: Algorithm::DEFAULT.to_vec(),
            types: vec!["at+jwt".to_owned()],
            untyped: false,
            scope_claim: "scope".to_owned(),
            roles_at: Vec::new(),
            roles: BTreeMap::new(),
            implied: BTreeMap::new(),
            client_claim: None,
            required: Vec::new(),
            leeway: Duration::from_secs(5),
            max_lifetime: None,
            jwks: None,
            max_keys: 64,
            stale_keys: Duration::from_secs(3600),
            remembered: 4096,
            certificate_bound: false,
            ask_first: Vec::new(),
            dpop: None,
            nonce: None,
            store: None,
            introspection: None,
            allow_private: false,
            ca_files: Vec::new(),
            nameservers: Vec::new(),
            sign_in: None,
            sign_in_scopes: Vec::new(),
            clock: Clock::default(),
        }
    }

    /// The public client as which this server signs persons in at the issuer, for all pages where
    /// it has to be known who is at the browser: where they agree to calls, and where they connect
    /// accounts. Its redirect URI is `/sign-in/callback` at the origin of the resource. A token that
    /// comes of it is looked at once, and thrown away.
    pub fn sign_in(mut self, client_id: impl Into<String>) -> Self {
        self.sign_in = Some(client_id.into());
        self
    }

    /// What persons are signed in with, where the issuer signs nobody in without a scope: `openid`.
    /// To be somebody is no right to do anything: name as few as it takes.
    pub fn sign_in_scopes<I: IntoIterator<Item = T>, T: Into<String>>(mut self, scopes: I) -> Self {
        let scopes = scopes.into_iter().map(Into::into);
        self.sign_in_scopes.extend(scopes);
        self
    }

    /// The scopes that a client without a token is told to ask for. Without any, clients ask for
    /// all that the metadata name: fewer are safer, since a caller who needs more is told so when
    /// it does (403 and the scopes of that tool).
    pub fn ask_first<I: IntoIterator<Item = T>, T: Into<String>>(mut self, scopes: I) -> Self {
        self.ask_first.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// The resource as it is written; `open` checks it.
    pub(crate) fn written_resource(&self) -> &str {
        &self.resource
    }

    pub(crate) fn asked_first(&self) -> &[String] {
        &self.ask_first
    }

    pub(crate) fn is_certificate_bound(&self) -> bool {
        self.certificate_bound
    }

    /// The audience *instead of* the resource's URL, for issuers that put an identifier of
    /// their own into `aud`: `api://notes`. May be said more than once; a token needs one of
    /// them. There is no way to say "any": a token for another server would then be one for
    /// this one.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// An audience that a token may have *besides* this server's, such as the issuer's own
    /// `/userinfo`. A token with any other second audience is refused: that server could use
    /// it here.
    pub fn beside_audience(mut self, audience: impl Into<String>) -> Self {
        self.beside.push(audience.into());
        self
    }

    /// The signature algorithms that are accepted, instead of ES256, ES384, EdDSA, PS256 and
    /// RS256. Which of them a token may use is decided by its key.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// A type in a token's header besides `at+jwt` (RFC 9068), such as `JWT`. Other tokens of
    /// the issuer may have that type, too; what tells them apart is then the audience, the
    /// client and what [`require_claim`](Self::require_claim) demands.
    pub fn token_type(mut self, media_type: impl Into<String>) -> Self {
        self.types.push(media_type.into());
        self
    }

    /// Takes tokens whose header has no type at all. Refused at start unless
    /// [`require_claim`](Self::require_claim) or [`client_claim`](Self::client_claim) names what
    /// only access tokens have.
    pub fn untyped_tokens(mut self) -> Self {
        self.untyped = true;
        self
    }

    /// The claim with the scopes, instead of `scope`: a text with spaces, or a list.
    pub fn scope_claim(mut self, claim: impl Into<String>) -> Self {
        self.scope_claim = claim.into();
        self
    }

    /// Where the issuer writes roles: a claim, or a path such as `realm_access.roles`. A name
    /// with `://` in it is one claim, dots and all. Roles count for nothing until
    /// [`role`](Self::role) says what they are worth.
    pub fn roles_claim(mut self, path: impl AsRef<str>) -> Self {
        let path = path.as_ref();
        self.roles_at = if path.contains("://") {
            vec![path.to_owned()]
        } else {
            path.split('.').map(str::to_owned).collect()
        };
        self
    }

    /// The same, with one name for each level, where a name has dots.
    pub fn roles_claim_at<I: IntoIterator<Item = T>, T: Into<String>>(mut self, path: I) -> Self {
        self.roles_at = path.into_iter().map(Into::into).collect();
        self
    }

    /// The scopes that a role is worth.
    pub fn role<I: IntoIterator<Item = T>, T: Into<String>>(
        mut self,
        role: impl Into<String>,
        scopes: I,
    ) -> Self {
        let worth = self.roles.entry(role.into()).or_default();
        worth.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// A scope that includes others: who holds it is not asked for the narrower ones.
    pub fn implies<I: IntoIterator<Item = T>, T: Into<String>>(
        mut self,
        scope: impl Into<String>,
        narrower: I,
    ) -> Self {
        let below = self.implied.entry(scope.into()).or_default();
        below.extend(narrower.into_iter().map(Into::into));
        self
    }

    /// The claim with the client's id, instead of `client_id` or `azp`.
    pub fn client_claim(mut self, claim: impl Into<String>) -> Self {
        self.client_claim = Some(claim.into());
        self
    }

    /// A claim that must have exactly this value: the tenant, the use of the token.
    pub fn require_claim(mut self, claim: impl Into<String>, value: impl Into<Value>) -> Self {
        self.required.push((claim.into(), value.into()));
        self
    }

    /// How far the issuer's clock may be off: five seconds, at most sixty.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// The longest that a token may live, from `iat` to `exp`. A stolen token is of use for
    /// as long.
    pub fn max_lifetime(mut self, most: Duration) -> Self {
        self.max_lifetime = Some(most);
        self
    }

    /// Where the keys are, for an issuer that keeps them at another origin or has no metadata.
    /// No metadata are asked then.
    pub fn jwks(mut self, url: impl Into<String>) -> Self {
        self.jwks = Some(url.into());
        self
    }

    /// How many keys the issuer may have: 64, at most 4096. More are no rotation but an attack.
    pub fn max_keys(mut self, most: usize) -> Self {
        self.max_keys = most;
        self
    }

    /// For how long keys are believed after they should have been fetched again, while the
    /// issuer does not answer: an hour, at most a day. Then nobody gets in.
    pub fn stale_keys(mut self, most: Duration) -> Self {
        self.stale_keys = most;
        self
    }

    /// How many verified tokens are remembered, so that the second request with one costs no
    /// signature: 4096, at most 1,048,576; 0 for none. A token is forgotten when it runs out
    /// and when its issuer's keys change.
    pub fn remember_tokens(mut self, most: usize) -> Self {
        self.remembered = most;
        self
    }

    /// Takes only tokens that are bound to the client's certificate (RFC 8705). One that is
    /// bound is held against the certificate of its connection in any case.
    pub fn certificate_bound(mut self) -> Self {
        self.certificate_bound = true;
        self
    }

    /// Speaks DPoP (RFC 9449). Without it a token that is bound to a key is refused: it cannot
    /// be proven here.
    pub fn dpop(mut self, dpop: Dpop) -> Self {
        self.dpop = Some(dpop);
        self
    }

    /// Demands a nonce of this server in each proof, so that none can be made for later. It
    /// costs a client one more request in a minute.
    pub fn dpop_nonce(mut self) -> Self {
        self.nonce = Some(None);
        self
    }

    /// The same for replicas: the secret in this file makes their nonces the same.
    pub fn dpop_nonce_of(mut self, file: impl Into<PathBuf>) -> Self {
        self.nonce = Some(Some(file.into()));
        self
    }

    /// Where it is remembered which proofs were used, instead of the
    /// [store of the server](crate::SecureServer::store). Without either it is the memory of this
    /// process, so a proof could be used once at each replica.
    pub fn replay_store(mut self, store: impl Store) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// The same, where nothing was said and there are proofs.
    pub(crate) fn or_store(mut self, store: &Arc<dyn Store>) -> Self {
        if self.dpop.is_some() {
            self.store.get_or_insert_with(|| Arc::clone(store));
        }
        self
    }

    /// Takes opaque tokens, which the issuer is asked for (RFC 7662).
    pub fn introspection(mut self, introspection: Introspection) -> Self {
        self.introspection = Some(introspection);
        self
    }

    /// The issuer is on this machine or in the private network, where it may also be plain
    /// HTTP.
    pub fn allow_private_issuer(mut self) -> Self {
        self.allow_private = true;
        self
    }

    /// Trusts the certificate authorities in a file too, in PEM form, for an issuer of one's
    /// own.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_files.push(path.into());
        self
    }

    /// Asks these for the issuer's name, and not who the system asks.
    pub fn nameservers(mut self, servers: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.nameservers.extend(servers);
        self
    }

    /// What is said of tokens, one short line each, for the manifest and the operator.
    pub(crate) fn terms(&self) -> Vec<String> {
        let mut terms = vec![format!("tokens of {}", self.issuer)];
        if self.audiences.is_empty() {
            terms.push(format!("for {}", self.resource));
        }
        terms.extend(self.audiences.iter().map(|one| format!("for {one}")));
        terms.extend(self.beside.iter().map(|one| format!("also for {one}")));
        let algorithms: Vec<_> = self.algorithms.iter().map(|one| one.name()).collect();
        terms.push(format!("signed by {}", algorithms.join(", ")));
        let types = self.types.iter().filter(|one| *one != "at+jwt");
        terms.extend(types.map(|one| format!("of type {one}")));
        if self.untyped {
            terms.push("without a type".to_owned());
        }
        if self.scope_claim != "scope" {
            terms.push(format!("scopes in {}", self.scope_claim));
        }
        if !self.roles_at.is_empty() {
            terms.push(format!("roles in {}", self.roles_at.join(".")));
        }
        for (role, scopes) in &self.roles {
            terms.push(format!("role {role} is {}", scopes.join(" ")));
        }
        for (scope, below) in &self.implied {
            terms.push(format!("{scope} implies {}", below.join(" ")));
        }
        if let Some(claim) = &self.client_claim {
            terms.push(format!("client in {claim}"));
        }
        let required = self.required.iter();
        terms.extend(required.map(|(claim, value)| format!("{claim} is {value}")));
        terms.push(format!("leeway {} s", self.leeway.as_secs()));
        if let Some(most) = self.max_lifetime {
            terms.push(format!("lives at most {} s", most.as_secs()));
        }
        if let Some(url) = &self.jwks {
            terms.push(format!("keys at {url}"));
        }
        terms.push(format!(
            "at most {} keys, believed {} s without the issuer",
            self.max_keys,
            self.stale_keys.as_secs()
        ));
        terms.push(format!("{} tokens remembered", self.remembered));
        if self.certificate_bound {
            terms.push("bound to a certificate".to_owned());
        }
        match self.dpop {
            None => {}
            Some(Dpop::Accepted) => terms.push("may be bound to a key".to_owned()),
            Some(Dpop::Required) => terms.push("bound to a key".to_owned()),
        }
        if self.nonce.is_some() {
            terms.push("proofs have a nonce".to_owned());
        }
        if let Some(asking) = &self.introspection {
            let which = if asking.every {
                "every token"
            } else {
                "opaque tokens"
            };
            terms.push(format!("asks for {which} as {}", asking.client));
            terms.extend(asking.endpoint.iter().map(|url| format!("asks at {url}")));
        }
        if self.allow_private {
            terms.push("the issuer may be at a private address".to_owned());
        }
        for path in &self.ca_files {
            terms.push(format!("trusts the authorities in {}", path.display()));
        }
        for server in &self.nameservers {
            terms.push(format!("asks {server} for names"));
        }
        terms
    }
}
