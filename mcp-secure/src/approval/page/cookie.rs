//! Who the browser is. What a cookie holds is sealed: it needs no memory, and any replica opens
//! it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, Response, header};
use serde::{Deserialize, Serialize};

use super::{Place, derived};
use crate::approval::{Desk, Person};

/// A browser that was let in.
#[derive(Serialize, Deserialize)]
pub(super) struct Session {
    /// Who signed in.
    pub(super) person: Option<Person>,
    /// Of the scopes by which approvers are known, those that they have.
    pub(super) scopes: Vec<String>,
    secret: String,
}

impl Session {
    pub(super) fn new(person: Option<Person>, scopes: Vec<String>) -> Option<Self> {
        let secret = random()?;
        Some(Self {
            person,
            scopes,
            secret,
        })
    }

    /// What the form of one question says, so that a page of elsewhere cannot send it (CSRF).
    pub(super) fn token(&self, id: &str) -> String {
        derived("form", &self.secret, id)
    }

    /// What this browser is to one question, where nobody signs in.
    pub(super) fn browser(&self, id: &str) -> String {
        derived("browser", &self.secret, id)
    }
}

/// The cookies of one request.
pub(super) struct Cookies<'a> {
    headers: &'a HeaderMap,
    place: &'a Place,
}

impl<'a> Cookies<'a> {
    pub(super) fn of(headers: &'a HeaderMap, place: &'a Place) -> Self {
        Self { headers, place }
    }

    /// Who comes, if they came before.
    pub(super) fn session(&self, desk: &Desk) -> Option<Session> {
        desk.open_of_browser(self.get(SESSION)?, SESSION)
    }

    /// Strict: it goes with no request that another site began.
    pub(super) fn set_session<B>(
        &self,
        desk: &Desk,
        session: &Session,
        response: &mut Response<B>,
    ) {
        if let Some(sealed) = desk.seal_for_browser(session, SESSION) {
            self.set(SESSION, &sealed, "Strict", response);
        }
    }

    /// Lax, since the issuer sends the browser back: what is in it is good for that once.
    #[cfg(feature = "oauth")]
    pub(super) fn set_begun<T: Serialize, B>(
        &self,
        desk: &Desk,
        begun: &T,
        response: &mut Response<B>,
    ) {
        if let Some(sealed) = desk.seal_for_browser(begun, BEGUN) {
            self.set(BEGUN, &sealed, "Lax", response);
        }
    }

    #[cfg(feature = "oauth")]
    pub(super) fn begun<T: serde::de::DeserializeOwned>(&self, desk: &Desk) -> Option<T> {
        desk.open_of_browser(self.get(BEGUN)?, BEGUN)
    }

    #[cfg(feature = "oauth")]
    pub(super) fn forget_begun<B>(&self, response: &mut Response<B>) {
        self.set(BEGUN, "", "Lax; Max-Age=0", response);
    }

    /// `__Host-` keeps other hosts and plain HTTP from setting it (RFC 6265bis section 4.1.3). On
    /// loopback without TLS some browsers refuse it, and there the port is in its name.
    fn name(&self, what: &str) -> String {
        match self.place.is_secure() {
            true => format!("__Host-mcp-secure-{what}"),
            false => format!("mcp-secure-{what}-{}", self.place.port()),
        }
    }

    /// The one cookie of this name: of two, one was planted.
    fn get(&self, what: &str) -> Option<&'a str> {
        let name = self.name(what);
        let mut found = self
            .headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(key, _)| *key == name);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }

    fn set<B>(&self, what: &str, value: &str, site: &str, response: &mut Response<B>) {
        let name = self.name(what);
        let secure = if self.place.is_secure() {
            "; Secure"
        } else {
            ""
        };
        let cookie = format!("{name}={value}; Path=/; HttpOnly{secure}; SameSite={site}");
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
}

pub(super) fn random() -> Option<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

const SESSION: &str = "approve";
#[cfg(feature = "oauth")]
const BEGUN: &str = "signing-in";
