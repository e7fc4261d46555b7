//! What all pages for persons have in common: where they are, who is at the browser, and what no
//! page of ours lets a browser do.
//!
//! ```text
//! cookie    what a browser carries         html      the frame, and how text is shown
//! sign_in   who the person is              answer    responses, and what they forbid
//! said      what an issuer sends back
//! ```
//!
//! A link gives no right by itself (spec, elicitation, "Safe URL Handling"). Where callers come
//! with access tokens, the person signs in at the same issuer, once for all pages. Where they do
//! not, a link is good for the first browser that opens it; which one that is, the page of the
//! link keeps.
//!
//! Nothing is remembered here: a browser carries what is known of it, sealed, for ten minutes at
//! most. It must never import a layer or a tool.

mod answer;
mod cookie;
pub(crate) mod html;
#[cfg(feature = "oauth")]
mod said;
#[cfg(feature = "oauth")]
mod sign_in;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt as _};
use http::{
    HeaderMap, HeaderValue, Method, Response, StatusCode, header::STRICT_TRANSPORT_SECURITY,
    request::Parts,
};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

#[cfg(feature = "oauth")]
pub(crate) use self::said::Said;
use self::{answer::style, cookie::Cookies};
pub(crate) use self::{
    answer::{html_page, line, nothing, plain, refused, see, unavailable},
    cookie::Session,
};
#[cfg(feature = "oauth")]
use crate::auth::oauth::SignIn;
use crate::{
    auth::{Assurance, Principal},
    server::http::{Page, Site},
    state::{Sealer, Store, StoreError},
};

/// Where the pages are, as browsers write it: `https://mcp.example`, without a path.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) origin: String,
}

impl Place {
    pub(crate) fn new(scheme: &str, authority: &str) -> Self {
        Self {
            origin: format!("{scheme}://{authority}"),
        }
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    fn is_secure(&self) -> bool {
        self.origin.starts_with("https://")
    }

    /// Cookies know no ports, and two servers of one machine must not take each other's.
    fn port(&self) -> &str {
        match self.origin.rsplit_once(':') {
            Some((_, port)) if port.bytes().all(|b| b.is_ascii_digit()) => port,
            _ => "",
        }
    }
}

/// How it is known who is at a browser.
pub(crate) enum Door {
    /// Whoever opened the link first.
    Link,
    /// Who signed in at the issuer of the callers' tokens.
    #[cfg(feature = "oauth")]
    SignIn(Box<SignIn>),
    /// Nobody, since nobody is asked here: only answers from outside come in.
    #[cfg_attr(
        not(feature = "oauth"),
        allow(dead_code, reason = "there is always a page")
    )]
    Shut,
}

/// The one way to all pages of a server.
pub(crate) struct Entrance {
    place: Place,
    door: Door,
    sealer: Sealer,
    /// Nobody: what browsers carry is sealed for the server itself.
    own: Principal,
}

/// What becomes of a browser at the door.
#[allow(clippy::large_enum_variant, reason = "moved once")]
pub(crate) enum Entered {
    In(Session),
    /// It has to say first who is there.
    Sent(Response<Bytes>),
}

impl Entrance {
    pub(crate) fn new(place: Place, door: Door, sealer: Sealer) -> Self {
        Self {
            place,
            door,
            sealer,
            own: Principal::minted("server", "pages", Assurance::Declared),
        }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// What goes out. Under TLS the next link is not followed without it, whoever writes that
    /// (RFC 6797).
    pub(crate) fn page(&self, mut response: Response<Bytes>) -> Page {
        if self.place.is_secure() {
            let headers = response.headers_mut();
            headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(A_YEAR));
        }
        response.into()
    }

    /// Whether it is known who a person is.
    pub(crate) fn signs_in(&self) -> bool {
        !matches!(self.door, Door::Link)
    }

    /// A browser that opens `to`, a path of a page. `scopes` are looked for in the person's token,
    /// where the page has to know whether they have them.
    #[cfg_attr(
        not(feature = "oauth"),
        allow(unused_variables, reason = "nobody signs in")
    )]
    pub(crate) fn enter(&self, head: &Parts, to: &str, scopes: &[String]) -> Entered {
        // A browser that fetches what somebody may click is not one that was opened.
        if head.headers.contains_key("sec-purpose") {
            return Entered::Sent(nothing());
        }
        let known = self.session(&head.headers);
        match &self.door {
            Door::Shut => Entered::Sent(nothing()),
            Door::Link => match known.or_else(Session::of_nobody) {
                Some(session) => Entered::In(session),
                None => Entered::Sent(unavailable()),
            },
            #[cfg(feature = "oauth")]
            Door::SignIn(sign_in) => match known {
                Some(session) if session.was_asked_for(scopes) => Entered::In(session),
                // Before it is looked whether there is such a page: who has not signed in learns
                // nothing of it.
                _ => Entered::Sent(self.go_and_sign_in(sign_in, &head.headers, to, scopes)),
            },
        }
    }

    /// Who comes, if they came before: a form is sent by nobody else.
    pub(crate) fn session(&self, headers: &HeaderMap) -> Option<Session> {
        if let Door::Shut = self.door {
            return None;
        }
        let session: Session = self.carried(headers, SESSION)?;
        // What was sealed where nobody signed in is nobody here.
        (session.person.is_some() == self.signs_in()).then_some(session)
    }

    /// Gives a browser what it comes back with, if it has nothing yet. Strict: it goes with no
    /// request that another site began.
    pub(crate) fn remember(&self, session: &Session, response: &mut Response<Bytes>) {
        if session.is_new {
            self.carry(SESSION, session, "Strict", response);
        }
    }

    /// Gives a browser something to come back with from another site.
    pub(crate) fn carry<T: Serialize>(
        &self,
        what: &str,
        value: &T,
        site: &str,
        response: &mut Response<Bytes>,
    ) {
        let sealed = self.sealer.seal(value, &self.own, &purpose(what), LIVES);
        if let Some(sealed) = sealed {
            let sealed = sealed.into_string();
            Cookies::of(&self.place).set(what, &sealed, site, response);
        }
    }

    /// What it was given.
    pub(crate) fn carried<T: DeserializeOwned>(
        &self,
        headers: &HeaderMap,
        what: &str,
    ) -> Option<T> {
        let sealed = Cookies::of(&self.place).get(headers, what)?;
        self.sealer.open(sealed, &self.own, &purpose(what)).ok()
    }

    #[cfg(feature = "oauth")]
    pub(crate) fn drop_carried(&self, what: &str, response: &mut Response<Bytes>) {
        Cookies::of(&self.place).set(what, "", "Lax; Max-Age=0", response);
    }

    /// Whether a form was sent by a page of this origin. With `no-referrer` a browser writes
    /// `Origin: null` for its own pages, too, so what counts then is `Sec-Fetch-Site`, which no
    /// page can write (Fetch Metadata).
    pub(crate) fn is_from_here(&self, headers: &HeaderMap) -> bool {
        let sole = |name: &str| {
            let mut values = headers.get_all(name).iter();
            match (values.next(), values.next()) {
                (None, _) => Some(None),
                (Some(value), None) => Some(Some(value.as_bytes())),
                _ => None,
            }
        };
        let (Some(origin), Some(site)) = (sole("origin"), sole("sec-fetch-site")) else {
            return false;
        };
        let is_same_site = site == Some(b"same-origin");
        match origin {
            Some(b"null") | None => is_same_site,
            Some(origin) => {
                origin == self.place.origin.as_bytes() && (site.is_none() || is_same_site)
            }
        }
    }
}

/// Whether the token of a form is that which this browser was shown on that page.
pub(crate) fn is_form_of(session: &Session, id: &str, token: Option<&str>) -> bool {
    let expected = session.token(id);
    token.is_some_and(|token| token.as_bytes().ct_eq(expected.as_bytes()).into())
}

/// Whether this browser is the first that came with a link. Another one is told that there is no
/// such link.
pub(crate) async fn is_first(
    store: &Arc<dyn Store>,
    cell: &str,
    browser: &str,
    time: Duration,
) -> Result<bool, StoreError> {
    let bytes = browser.as_bytes();
    if store.keep(cell, bytes, time).await? {
        return Ok(true);
    }
    let first = store.look(cell).await?;
    Ok(first.is_some_and(|first| first.ct_eq(bytes).into()))
}

/// What belongs to no page in particular: the style sheet, and the way back from the issuer.
impl Site for Entrance {
    fn has(&self, path: &str) -> bool {
        path == STYLE || path == CALLBACK
    }

    fn answer<'a>(&'a self, head: &'a Parts, _form: Bytes) -> BoxFuture<'a, Page> {
        async move {
            let response = match (&head.method, head.uri.path()) {
                (&Method::GET | &Method::HEAD, STYLE) => style(),
                #[cfg(feature = "oauth")]
                (&Method::GET, CALLBACK) => self.signed_in(head).await,
                (&Method::GET, _) => nothing(),
                _ => plain(StatusCode::METHOD_NOT_ALLOWED, "GET only"),
            };
            self.page(response)
        }
        .boxed()
    }
}

fn purpose(what: &str) -> String {
    format!("page:{what}")
}

/// A digest of a secret for one use of it.
fn derived(what: &str, secret: &str, id: &str) -> String {
    let mut hash = Sha256::new_with_prefix(b"mcp-secure page\0");
    for part in [what, secret, id] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    crate::hex::hex(&hash.finalize())
}

/// Where the issuer of the callers sends a browser back.
pub(crate) const CALLBACK: &str = "/sign-in/callback";
const STYLE: &str = "/sign-in/style.css";
const A_YEAR: &str = "max-age=31536000";
/// The cookie of who is there.
const SESSION: &str = "person";
/// How long a browser is known, and has for what it began at an issuer.
const LIVES: Duration = Duration::from_secs(600);
