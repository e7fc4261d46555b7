//! The grant of an endpoint.

use std::{
    any::Any,
    marker::PhantomData,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use http::HeaderValue;

use super::{
    EgressRule, Endpoint, NetLimits, OpenNet, Redirects,
    client::Settings,
    target::{Scheme, Target},
};
#[cfg(feature = "oauth")]
use crate::auth::{ClientCredentials, TokenExchange};
#[cfg(feature = "vault")]
use crate::vault::Spends;
use crate::{
    capability::{Asked, Binding, Grant, Opening, Rights, Source, dial::HostRule},
    error::{Error, Result},
};

/// The ceiling of an endpoint in code, from `E::from_operator()` or `E::declared()`.
pub struct NetGrant<E> {
    settings: Settings,
    url: Option<&'static str>,
    /// What cannot be told from a method that returns the grant.
    trouble: Option<&'static str>,
    of: PhantomData<fn() -> E>,
}

impl<E: Endpoint> NetGrant<E> {
    /// The endpoint is named by the operator.
    #[doc(hidden)]
    pub fn from_operator() -> Self {
        Self {
            settings: Settings {
                allow_private: E::ALLOW_PRIVATE,
                #[cfg(feature = "vault")]
                credential: E::CREDENTIAL,
                ..Settings::default()
            },
            url: None,
            trouble: None,
            of: PhantomData,
        }
    }

    /// The endpoint is fixed in code; the operator may only narrow it.
    #[doc(hidden)]
    pub fn declared() -> Self {
        Self {
            url: E::URL,
            ..Self::from_operator()
        }
    }

    /// Replaces the limits.
    #[must_use]
    pub fn limits(mut self, limits: NetLimits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// What becomes of redirects. Without this they are not followed.
    #[must_use]
    pub fn redirects(mut self, redirects: Redirects) -> Self {
        self.settings.redirects = redirects;
        self
    }

    /// TLS 1.3 and no older.
    #[must_use]
    pub fn tls13_only(mut self) -> Self {
        self.settings.tls13_only = true;
        self
    }

    /// Trusts the certificate authorities in a file too, in PEM form, besides those that Mozilla
    /// does: for an endpoint of one's own.
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.ca_files.push(path.into());
        self
    }

    /// Asks these for names, and not who the system asks.
    #[must_use]
    pub fn nameservers(mut self, servers: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.settings.nameservers.extend(servers);
        self
    }

    /// Adds a rule about what a request may say. Every rule that matches a request must hold.
    #[must_use]
    pub fn egress(mut self, rule: EgressRule) -> Self {
        self.settings.rules.rules.push(rule);
        self
    }

    /// Lets nothing leave that no rule is for.
    #[must_use]
    pub fn egress_only(mut self) -> Self {
        self.settings.rules.only = true;
        self
    }

    /// Sends a bearer token with every request (RFC 6750). No tool sees it, and a redirect to
    /// another host does not take it along. Refused at start for a wildcard, whose hosts a
    /// caller chooses.
    #[must_use]
    pub fn bearer(mut self, token: impl AsRef<str>) -> Self {
        match HeaderValue::from_str(&format!("Bearer {}", token.as_ref())) {
            Ok(mut value) => {
                value.set_sensitive(true);
                self.settings.bearer = Some(value);
            }
            Err(_) => self.trouble = Some("the bearer token has a character that none may have"),
        }
        self
    }
}

#[cfg(feature = "oauth")]
impl<E: Endpoint> NetGrant<E> {
    /// Sends with each request a token that the caller's own is exchanged for. The caller's is
    /// never sent; a caller without one is refused, so the server must take access tokens. No
    /// tool sees either, and a redirect to another host does not take it along.
    #[must_use]
    pub fn exchange(mut self, exchange: TokenExchange) -> Self {
        self.settings.exchange = Some(exchange.into());
        self
    }

    /// Sends with each request a token of this server's own, whoever calls.
    #[must_use]
    pub fn client_credentials(mut self, own: ClientCredentials) -> Self {
        self.settings.exchange = Some(own.into());
        self
    }
}

#[cfg(feature = "vault")]
impl<E: Endpoint> NetGrant<E> {
    /// Sends with each request a credential of the server's [vault](crate::vault). It says
    /// itself where it may be sent, and in which header; a grant for another host stops the
    /// start. No tool sees it, a redirect to another host does not take it along, and a response
    /// that repeats it is cleaned of it.
    #[must_use]
    pub fn credential(self, name: &'static str) -> Self {
        self.spends(Spends::new(name, false))
    }

    /// The same with a credential of the caller's own, which is theirs by issuer and subject: what
    /// one stored is spent for nobody else, and who has stored none is refused. The vault of the
    /// server needs a folder for them, see [`Vault::people`](crate::vault::Vault::people).
    #[must_use]
    pub fn credential_per_user(self, name: &'static str) -> Self {
        self.spends(Spends::new(name, true))
    }

    /// Sends with each request the caller's own access token of another issuer, which they give
    /// this server on a page of its own: authorization code with PKCE, or a device code. The
    /// tokens lie in the vault, by issuer and subject of the caller; no tool and no client sees
    /// one. A call of somebody who has connected nothing is answered with the link to that page
    /// (elicitation in URL mode).
    #[cfg(feature = "upstream")]
    #[must_use]
    pub fn connect(mut self, upstream: crate::auth::UpstreamOAuth) -> Self {
        self.settings.connect = Some(Arc::new(upstream));
        self
    }

    /// Shows a client certificate in the TLS handshake: the chain in PEM form, its own first. Its
    /// key is the [`credential`](Self::credential) of this grant, stored with
    /// `mcp-secure vault set NAME --client-key`.
    #[must_use]
    pub fn client_certificate(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.certificate = Some(path.into());
        self
    }

    /// Who has stored none yet is sent to a page of this server, to enter it there: elicitation in
    /// URL mode, so that it passes no client and no model. It goes into the vault, by issuer and
    /// subject of the caller, for the host of this grant and in this place of its requests; then
    /// the call goes on. For [`credential_per_user`](Self::credential_per_user).
    #[cfg(feature = "upstream")]
    #[must_use]
    pub fn entered_by_callers(mut self, placement: crate::vault::Placement) -> Self {
        self.settings.entered = Some(placement);
        self
    }

    fn spends(mut self, mut spends: Spends) -> Self {
        let before = self.settings.credential;
        spends.in_query = before.is_some_and(|before| before.in_query);
        let declared = E::CREDENTIAL.map(|one| (one.name, one.per_user));
        if declared.is_some_and(|declared| declared != (spends.name, spends.per_user)) {
            self.trouble = Some("its declaration says another credential than its grant");
        }
        self.settings.credential = Some(spends);
        self
    }
}

impl<E> NetGrant<E> {
    /// For `dangerous::credential_in_query`.
    #[cfg(feature = "vault")]
    pub(crate) fn allow_query(&mut self) {
        match &mut self.settings.credential {
            Some(spends) => spends.in_query = true,
            None => self.trouble = Some("a credential may be in its query, and it spends none"),
        }
    }

    /// For `dangerous::plain_http`.
    pub(crate) fn allow_plain_http(&mut self) {
        self.settings.plain_public = true;
    }
}

impl<E: Endpoint> From<NetGrant<E>> for Grant {
    fn from(grant: NetGrant<E>) -> Self {
        Self::of::<E>(Web {
            name: E::NAME,
            open: E::OPEN,
            url: grant.url,
            settings: grant.settings,
            trouble: grant.trouble,
        })
    }
}

struct Web {
    name: &'static str,
    open: bool,
    url: Option<&'static str>,
    settings: Settings,
    trouble: Option<&'static str>,
}

impl Web {
    fn parse(&self, written: &str) -> Result<Target> {
        let target = Target::parse(written, self.open)?;
        if target.scheme == Scheme::Http
            && !self.settings.allow_private
            && !self.settings.plain_public
        {
            return Err(Error::new(format!(
                "`{written}` is plain HTTP: everybody on the way reads it and may change it"
            ))
            .help("write `https://`, or declare the capability `allow_private` for a server of one's own network"));
        }
        Ok(target)
    }
}

impl Source for Web {
    fn kind(&self) -> &'static str {
        "net"
    }

    fn value_name(&self) -> &'static str {
        "URL"
    }

    fn in_code(&self) -> Option<String> {
        self.url.map(str::to_owned)
    }

    fn terms(&self) -> Vec<String> {
        let settings = &self.settings;
        let mut terms = Vec::new();
        if settings.allow_private {
            terms.push("private addresses".to_owned());
        }
        if settings.plain_public {
            terms.push("plain HTTP to public addresses".to_owned());
        }
        match settings.redirects {
            Redirects::Off => {}
            Redirects::SameOrigin => terms.push("redirects to the same host".to_owned()),
            Redirects::Granted => terms.push("redirects to every granted host".to_owned()),
        }
        if settings.bearer.is_some() {
            terms.push("sends a bearer token".to_owned());
        }
        #[cfg(feature = "oauth")]
        terms.extend(
            settings
                .exchange
                .iter()
                .flat_map(|declared| declared.terms()),
        );
        #[cfg(feature = "vault")]
        terms.extend(settings.credential.map(|spends| {
            let whose = if spends.per_user {
                "each caller's"
            } else {
                "the"
            };
            let place = match (spends.in_query, &settings.certificate) {
                (_, Some(_)) => ", as the key of a client certificate",
                (true, None) => ", perhaps in the query of addresses",
                (false, None) => "",
            };
            format!(
                "spends {whose} credential {} of the vault{place}",
                spends.name
            )
        }));
        #[cfg(feature = "upstream")]
        terms.extend(
            settings
                .entered
                .iter()
                .map(|placement| format!("callers enter it on a page, as {placement}")),
        );
        #[cfg(feature = "upstream")]
        terms.extend(
            settings
                .connect
                .iter()
                .flat_map(|upstream| upstream.terms()),
        );
        if settings.rules.only {
            terms.push("only what a rule is for".to_owned());
        }
        terms.extend(settings.rules.rules.iter().map(ToString::to_string));
        for path in &settings.ca_files {
            terms.push(format!("trusts the authorities in {}", path.display()));
        }
        for server in &settings.nameservers {
            terms.push(format!("asks {server} for names"));
        }
        terms
    }

    fn bind(&self, asked: Option<&Asked<'_>>, _cwd: &Path) -> Result<Binding> {
        let fixed = self.url.map(|url| self.parse(url)).transpose()?;
        let asked = asked.map(|asked| self.parse(asked.text()?)).transpose()?;
        match (fixed, asked) {
            (None, Some(target)) | (Some(target), None) => Ok(Binding {
                value: target.to_string().into(),
                ceiling: None,
            }),
            (Some(ceiling), Some(target)) if target.is_inside(&ceiling) => Ok(Binding {
                value: target.to_string().into(),
                ceiling: Some(ceiling.to_string().into()),
            }),
            (Some(ceiling), Some(target)) => Err(Error::new(format!(
                "`{}` is fixed in code at `{ceiling}`, and `{target}` is not inside of it",
                self.name
            ))
            .help("leave the grant out, or name a path below")),
            (None, None) => Err(Error::new(format!("`{}` is not granted", self.name))),
        }
    }

    fn open(
        &self,
        binding: &Binding,
        _rights: Rights,
        opening: &mut Opening,
    ) -> Result<Arc<dyn Any + Send + Sync>> {
        let explain = |error: Error| error.before(&format!("the grant `{}`: ", self.name));
        if let Some(trouble) = self.trouble {
            return Err(explain(Error::new(trouble)));
        }
        let written = binding
            .value
            .to_str()
            .ok_or_else(|| explain(Error::new("the URL is not UTF-8")))?;
        let target = self.parse(written).map_err(explain)?;
        #[cfg(feature = "oauth")]
        let is_issued = self.settings.exchange.is_some();
        #[cfg(not(feature = "oauth"))]
        let is_issued = false;
        #[cfg(feature = "vault")]
        let is_spent = self.settings.credential.is_some();
        #[cfg(not(feature = "vault"))]
        let is_spent = false;
        #[cfg(feature = "upstream")]
        let is_connected = self.settings.connect.is_some();
        #[cfg(not(feature = "upstream"))]
        let is_connected = false;
        let tokens = [
            is_issued,
            is_spent,
            is_connected,
            self.settings.bearer.is_some(),
        ];
        if tokens.into_iter().filter(|there_is| *there_is).count() > 1 {
            return Err(explain(
                Error::new("there are two tokens for each request")
                    .help("leave `.bearer(…)` out, or the token that is asked for"),
            ));
        }
        if tokens.contains(&true) && matches!(target.host, HostRule::Under(_)) {
            return Err(explain(
                Error::new("a bearer token would go to whatever host a caller chooses")
                    .help("name one host, or leave the token out"),
            ));
        }
        let open = OpenNet::open(self.name, target, self.settings.clone(), opening);
        let open = open.map_err(explain)?;
        #[cfg(feature = "exec")]
        super::Lendable::enter(opening, &open, self.settings.tls13_only);
        Ok(Arc::new(open))
    }
}
