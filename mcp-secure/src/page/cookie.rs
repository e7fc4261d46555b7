//! What a browser carries. It is sealed: it needs no memory here, and any replica opens it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, Response, header};
use serde::{Deserialize, Serialize};

use super::{Place, derived};
use crate::approval::Person;

/// A browser that was let in.
#[derive(Serialize, Deserialize)]
pub(crate) struct Session {
    /// Who signed in.
    pub(crate) person: Option<Person>,
    /// Of the scopes that were asked for, those that they have.
    pub(crate) scopes: Vec<String>,
    asked: Vec<String>,
    secret: String,
    /// It has to be told so.
    #[serde(skip)]
    pub(super) is_new: bool,
}

impl Session {
    /// Where nobody signs in.
    pub(super) fn of_nobody() -> Option<Self> {
        Some(Self {
            person: None,
            scopes: Vec::new(),
            asked: Vec::new(),
            secret: random()?,
            is_new: true,
        })
    }

    /// Somebody who has just signed in. In a browser where they were before, what other tabs show
    /// stays good.
    #[cfg(feature = "oauth")]
    pub(super) fn of(
        person: Person,
        scopes: Vec<String>,
        asked: Vec<String>,
        before: Option<Self>,
    ) -> Option<Self> {
        let secret = match before {
            Some(before) if before.person.as_ref() == Some(&person) => before.secret,
            _ => random()?,
        };
        Some(Self {
            person: Some(person),
            scopes,
            asked,
            secret,
            is_new: true,
        })
    }

    #[cfg(feature = "oauth")]
    pub(super) fn was_asked_for(&self, scopes: &[String]) -> bool {
        scopes.iter().all(|scope| self.asked.contains(scope))
    }

    /// What the form of one question says, so that a page of elsewhere cannot send it (CSRF).
    pub(crate) fn token(&self, id: &str) -> String {
        derived("form", &self.secret, id)
    }

    /// What this browser is to one question, where nobody signs in.
    pub(crate) fn browser(&self, id: &str) -> String {
        derived("browser", &self.secret, id)
    }
}

/// The cookies of the pages of one place.
pub(super) struct Cookies<'a>(&'a Place);

impl<'a> Cookies<'a> {
    pub(super) fn of(place: &'a Place) -> Self {
        Self(place)
    }

    /// The one cookie of this name: of two, one was planted.
    pub(super) fn get<'h>(&self, headers: &'h HeaderMap, what: &str) -> Option<&'h str> {
        let name = self.name(what);
        let mut found = headers
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

    pub(super) fn set<B>(&self, what: &str, value: &str, site: &str, response: &mut Response<B>) {
        let name = self.name(what);
        let secure = match self.0.is_secure() {
            true => "; Secure",
            false => "",
        };
        let cookie = format!("{name}={value}; Path=/; HttpOnly{secure}; SameSite={site}");
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }

    /// `__Host-` keeps other hosts and plain HTTP from setting it (RFC 6265bis section 4.1.3). On
    /// loopback without TLS some browsers refuse it, and there the port is in its name.
    fn name(&self, what: &str) -> String {
        match self.0.is_secure() {
            true => format!("__Host-mcp-secure-{what}"),
            false => format!("mcp-secure-{what}-{}", self.0.port()),
        }
    }
}

fn random() -> Option<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}
