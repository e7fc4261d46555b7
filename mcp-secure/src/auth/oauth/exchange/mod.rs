//! Tokens for what a tool calls: the caller's own is exchanged for one of the upstream's
//! (RFC 8693), or this server asks for one of its own (RFC 6749 section 4.4). Either way the
//! caller's token goes to the issuer and nowhere else.
//!
//! What an author says is here; what becomes of it is in `run.rs`.

pub(super) mod run;

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

pub(crate) use run::Exchanger;

use super::{Algorithm, client_auth::Credential, inbound, scopes};
use crate::{
    capability::{
        Opening,
        net::fetch::{Client, FetchSettings},
    },
    error::{Error, Result},
};

/// How this server says who it is at a token endpoint.
pub struct ClientAuth {
    pub(in crate::auth::oauth) id: String,
    pub(in crate::auth::oauth) credential: Credential,
    /// The audience of an assertion.
    pub(in crate::auth::oauth) issuer: Option<String>,
}

impl ClientAuth {
    /// A client with a secret in a file (`client_secret_basic`). The file must not be readable
    /// by every user.
    pub fn with_secret(client_id: impl Into<String>, file: impl Into<PathBuf>) -> Self {
        Self {
            id: client_id.into(),
            credential: Credential::Secret(file.into()),
            issuer: None,
        }
    }

    /// The same with a secret of the server's [vault](crate::vault), stored there for the issuer's
    /// host.
    #[cfg(feature = "vault")]
    pub fn with_vault_secret(client_id: impl Into<String>, name: &'static str) -> Self {
        Self {
            id: client_id.into(),
            credential: Credential::Kept(name),
            issuer: None,
        }
    }

    /// A client with a private key in a PEM file (`private_key_jwt`): PKCS #8 for ES256, ES384
    /// and EdDSA, PKCS #1 for RSA. `kid` is what the issuer calls it; the issuer is named as it
    /// calls itself, since that is whom the assertion is for.
    pub fn with_private_key(
        client_id: impl Into<String>,
        file: impl Into<PathBuf>,
        algorithm: Algorithm,
        kid: Option<&str>,
        issuer: impl Into<String>,
    ) -> Self {
        Self {
            id: client_id.into(),
            credential: Credential::Key(file.into(), algorithm, kid.map(str::to_owned)),
            issuer: Some(issuer.into()),
        }
    }
}

/// What is asked of a token endpoint.
struct Asking {
    endpoint: String,
    client: ClientAuth,
    audiences: Vec<String>,
    resources: Vec<String>,
    scopes: Vec<String>,
    allow_private: bool,
    ca_files: Vec<PathBuf>,
    nameservers: Vec<SocketAddr>,
}

/// The caller's token, exchanged for one that is good for an endpoint and nothing else
/// (RFC 8693). No tool sees either of them, and the caller's own reaches the issuer alone.
///
/// ```
/// use mcp_secure::auth::{ClientAuth, TokenExchange};
///
/// let client = ClientAuth::with_secret("notes-server", "/run/secrets/notes-server");
/// TokenExchange::new("https://auth.example/token", client)
///     .resource("https://calendar.example")
///     .scopes(["calendar:read"]);
/// ```
///
/// What was exchanged is remembered for that one token of the caller, no longer than either of
/// the two lasts and an hour at most; it is shared by no two tokens, not of one principal either.
#[must_use = "it does nothing until a grant has it"]
pub struct TokenExchange {
    asking: Asking,
    acts: bool,
}

/// A token of this server's own, for an endpoint that it calls for itself (RFC 6749 section 4.4).
/// Whoever calls a tool then acts with the server's rights: what that may be is for the tool to
/// see to.
#[must_use = "it does nothing until a grant has it"]
pub struct ClientCredentials {
    asking: Asking,
}

macro_rules! asks {
    ($name:ident { $($field:ident: $value:expr),* }) => {
        impl $name {
            /// The token endpoint, and who asks there.
            pub fn new(endpoint: impl Into<String>, client: ClientAuth) -> Self {
                Self {
                    asking: Asking {
                        endpoint: endpoint.into(),
                        client,
                        audiences: Vec::new(),
                        resources: Vec::new(),
                        scopes: Vec::new(),
                        allow_private: false,
                        ca_files: Vec::new(),
                        nameservers: Vec::new(),
                    },
                    $($field: $value),*
                }
            }

            /// Whom the token is for, by the name that the issuer has for it.
            pub fn audience(mut self, audience: impl Into<String>) -> Self {
                self.asking.audiences.push(audience.into());
                self
            }

            /// The same by its URL (RFC 8707).
            pub fn resource(mut self, url: impl Into<String>) -> Self {
                self.asking.resources.push(url.into());
                self
            }

            /// What the token is to be good for. An answer that is good for more is refused.
            pub fn scopes<I: IntoIterator<Item = T>, T: Into<String>>(mut self, scopes: I) -> Self {
                self.asking.scopes.extend(scopes.into_iter().map(Into::into));
                self
            }

            /// The issuer is on this machine or in the private network, where it may also be
            /// plain HTTP.
            pub fn allow_private_issuer(mut self) -> Self {
                self.asking.allow_private = true;
                self
            }

            /// Trusts the certificate authorities in a file too, in PEM form.
            pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
                self.asking.ca_files.push(path.into());
                self
            }

            /// Asks these for the issuer's name, and not who the system asks.
            pub fn nameservers(mut self, servers: impl IntoIterator<Item = SocketAddr>) -> Self {
                self.asking.nameservers.extend(servers);
                self
            }
        }
    };
}

asks!(TokenExchange { acts: false });
asks!(ClientCredentials {});

impl TokenExchange {
    /// Says that this server acts for the caller: a token of its own goes along (`actor_token`),
    /// so that the issuer can write it into `act`. Without, the caller is impersonated.
    pub fn acting(mut self) -> Self {
        self.acts = true;
        self
    }
}

/// What a grant has of either.
#[derive(Clone)]
pub(crate) struct Declared(Arc<Kind>);

enum Kind {
    Exchange(TokenExchange),
    Own(ClientCredentials),
}

impl From<TokenExchange> for Declared {
    fn from(exchange: TokenExchange) -> Self {
        Self(Arc::new(Kind::Exchange(exchange)))
    }
}

impl From<ClientCredentials> for Declared {
    fn from(own: ClientCredentials) -> Self {
        Self(Arc::new(Kind::Own(own)))
    }
}

impl Declared {
    fn asking(&self) -> &Asking {
        match &*self.0 {
            Kind::Exchange(exchange) => &exchange.asking,
            Kind::Own(own) => &own.asking,
        }
    }

    /// For the manifest and the operator.
    pub(crate) fn terms(&self) -> Vec<String> {
        let asking = self.asking();
        let whose = match &*self.0 {
            Kind::Exchange(exchange) if exchange.acts => {
                "sends the caller's token exchanged, as its actor"
            }
            Kind::Exchange(_) => "sends the caller's token exchanged",
            Kind::Own(_) => "sends a token of its own",
        };
        let mut terms = vec![format!(
            "{whose}, from {} as {}",
            asking.endpoint, asking.client.id
        )];
        let whom = asking.audiences.iter().chain(&asking.resources);
        terms.extend(whom.map(|one| format!("a token for {one}")));
        if !asking.scopes.is_empty() {
            terms.push(format!("a token good for {}", asking.scopes.join(" ")));
        }
        if asking.allow_private {
            terms.push("the token endpoint may be at a private address".to_owned());
        }
        for path in &asking.ca_files {
            let path = path.display();
            terms.push(format!("trusts the authorities in {path} for tokens"));
        }
        for server in &asking.nameservers {
            terms.push(format!("asks {server} for the name of the issuer"));
        }
        terms
    }

    /// Checks all that was said, and opens the way to the token endpoint. Secrets are read now,
    /// before the sandbox closes.
    pub(crate) fn open(
        &self,
        capability: &'static str,
        opening: &mut Opening,
    ) -> Result<Exchanger> {
        let asking = self.asking();
        asking.check()?;
        let (authorization, key) =
            asking
                .client
                .credential
                .read_for(&asking.client.id, &asking.endpoint, opening)?;
        let settings = FetchSettings {
            of: Some(capability),
            allow_private: asking.allow_private,
            ca_files: asking.ca_files.clone(),
            nameservers: asking.nameservers.clone(),
            authorization,
            max_request: None,
            max_response: Some(64 * 1024),
            max_per_second: Some(200),
        };
        let client = Client::open("sdk/exchange", &asking.endpoint, settings, opening)
            .map_err(|error| error.before("the token endpoint: "))?;
        let is_exchange = matches!(&*self.0, Kind::Exchange(_));
        if is_exchange {
            inbound::want(capability, opening);
        }
        Ok(Exchanger::new(self.clone(), client, key))
    }
}

impl Asking {
    fn check(&self) -> Result<()> {
        if self.client.id.is_empty() {
            return Err(Error::new("the client that asks for tokens has no id")
                .help("write the id that the issuer gave this server"));
        }
        // A token for nobody in particular is one for everybody who takes the issuer's.
        if self.audiences.is_empty() && self.resources.is_empty() {
            return Err(Error::new("it is not said whom the token is for")
                .help("add `.resource(\"https://…\")` or `.audience(…)`"));
        }
        for resource in &self.resources {
            let url = url::Url::parse(resource).ok();
            if !url.is_some_and(|url| url.has_host() && url.fragment().is_none()) {
                return Err(Error::new(format!("`{resource}` is no resource"))
                    .help("write an absolute URL without `#` (RFC 8707)"));
            }
        }
        if self.audiences.iter().any(String::is_empty) {
            return Err(Error::new("an audience is empty").help("leave it out, or name it"));
        }
        if let Some(bad) = self.scopes.iter().find(|scope| !scopes::is_scope(scope)) {
            return Err(Error::new(format!("`{}` is no scope", bad.escape_debug()))
                .help("a scope has no spaces, quotes or backslashes (RFC 6749 section 3.3)"));
        }
        Ok(())
    }
}
