//! Who asks, where answers may go, and what tokens may be for.

use std::net::IpAddr;

use serde::Deserialize;
use serde_json::{Value, json};
use url::{Host, Url};

use super::{Issuer, key::random};
use crate::error::{Error, Result};

/// A public client that is there without registration, and may be answered on loopback.
pub(super) const ANYBODY: &str = "dev";

/// The client that has a secret.
pub(super) const MACHINE: &str = "machine";

#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) name: String,
    pub(super) redirects: Vec<String>,
}

/// What a client says of itself (RFC 7591); the rest of its words is not read.
#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    client_name: String,
    #[serde(default)]
    redirect_uris: Vec<String>,
}

const MOST_REDIRECTS: usize = 16;
const MOST_CHARS: usize = 2048;

impl Issuer {
    /// A public client: it has no secret, and proves by PKCE that it is the one that asked.
    pub(super) fn register(&self, body: &[u8]) -> Result<Value, &'static str> {
        let asked: Asked = serde_json::from_slice(body).map_err(|_| "invalid_client_metadata")?;
        let fits = |uri: &String| uri.len() <= MOST_CHARS && is_redirect(uri);
        if asked.redirect_uris.is_empty()
            || asked.redirect_uris.len() > MOST_REDIRECTS
            || !asked.redirect_uris.iter().all(fits)
        {
            return Err("invalid_redirect_uri");
        }
        let id = random().map_err(|_| "server_error")?;
        let client = Client {
            name: asked.client_name.chars().take(100).collect(),
            redirects: asked.redirect_uris,
        };
        let answer = json!({
            "client_id": id,
            "client_name": client.name,
            "redirect_uris": client.redirects,
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        });
        self.clients
            .put(id, client)
            .ok_or("temporarily_unavailable")?;
        Ok(answer)
    }

    pub(super) fn client(&self, id: &str) -> Option<Client> {
        if id == ANYBODY {
            return Some(Client {
                name: "a client without registration".to_owned(),
                redirects: Vec::new(),
            });
        }
        self.clients.get(id)
    }

    /// The resource that was asked for, if tokens may be for it; the first one where none was.
    pub(super) fn resource(&self, asked: Option<&str>) -> Option<String> {
        let found = match asked {
            None => self.resources.first(),
            Some(asked) => self.resources.iter().find(|known| *known == asked),
        };
        found.cloned()
    }
}

impl Client {
    /// Exactly one that was registered, but for the port of a program on loopback, which it does
    /// not know beforehand (RFC 8252 section 7.3).
    pub(super) fn may_be_answered_at(&self, uri: &str) -> bool {
        if self.redirects.is_empty() {
            return on_loopback(uri).is_some();
        }
        self.redirects.iter().any(|known| {
            known == uri || on_loopback(known).is_some_and(|known| Some(known) == on_loopback(uri))
        })
    }
}

/// `https`, `http` on loopback, or a scheme that an app owns. Never `javascript` and its like.
fn is_redirect(uri: &str) -> bool {
    let Ok(url) = Url::parse(uri) else {
        return false;
    };
    if url.fragment().is_some() {
        return false;
    }
    match url.scheme() {
        "https" => url.username().is_empty() && url.password().is_none(),
        "http" => on_loopback(uri).is_some(),
        scheme => scheme.contains('.'),
    }
}

/// A URL on loopback without its port.
fn on_loopback(uri: &str) -> Option<Url> {
    let mut url = Url::parse(uri).ok()?;
    let is_plain = url.scheme() == "http"
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none();
    let is_here = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => IpAddr::from(address).is_loopback(),
        Host::Ipv6(address) => IpAddr::from(address).is_loopback(),
    };
    (is_plain && is_here).then_some(())?;
    url.set_port(None).ok()?;
    Some(url)
}

/// What a token can be for (RFC 8707 section 2).
pub(super) fn is_resource(url: &str) -> Result<()> {
    let parsed = Url::parse(url).ok();
    match parsed.filter(|url| url.has_host() && url.fragment().is_none()) {
        Some(_) => Ok(()),
        None => Err(Error::new(format!("`{url}` is no resource"))
            .help("write the URL of your server as its clients do: `http://127.0.0.1:8000/mcp`")),
    }
}
