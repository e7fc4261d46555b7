//! The page on which a person reads what will run, and says yes or no.
//!
//! ```text
//! cookie    who the browser is             html      what it shows
//! sign_in   who the person is              answer    responses, and what they forbid
//! ```
//!
//! A link gives no right by itself (spec, elicitation, "Safe URL Handling"). Where callers come
//! with access tokens, the person signs in at the same issuer, and is the caller or sees what
//! nobody sees: that there is no such page. Where they do not, the link is good for the first
//! browser that opens it.
//!
//! The frame of the page ([`html::frame`]) and its cookies know nothing of approvals.

mod answer;
mod cookie;
mod html;
#[cfg(feature = "oauth")]
mod sign_in;

use std::sync::Arc;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt as _};
use http::{HeaderMap, Method, Response, StatusCode, header, request::Parts};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

#[cfg(feature = "oauth")]
pub(crate) use self::sign_in::SignIn;
use self::{
    answer::{html_page, nothing, plain, style},
    cookie::{Cookies, Session},
};
use super::{Decision, Desk, How, Pending, Person, Standing};
use crate::server::http::{Page, Site};

/// Where the page is, as browsers write it: `https://mcp.example`, without a path.
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

    pub(crate) fn link(&self, id: &str) -> String {
        format!("{}{PREFIX}{id}", self.origin)
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

/// How it is known who is at the browser.
pub(crate) enum Door {
    /// Whoever opened the link first.
    Link,
    /// Who signed in at the issuer.
    #[cfg(feature = "oauth")]
    SignIn(Box<SignIn>),
}

/// The pages of one server.
pub(crate) struct Pages {
    desk: Arc<Desk>,
    place: Place,
    door: Door,
}

/// Which check turned a browser away; travels with the response to whoever counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RefusedBy(pub(crate) &'static str);

/// What a browser may see of a question.
#[allow(clippy::large_enum_variant, reason = "moved once")]
enum Look {
    /// It, and in whose name this browser answers.
    Admitted(Pending, Person),
    /// That there is none; and which check said so, if one did.
    Nothing(Option<&'static str>),
    Unavailable,
}

/// What every path of it begins with.
pub(crate) const PREFIX: &str = "/approve/";

impl Site for Pages {
    fn has(&self, path: &str) -> bool {
        path.starts_with(PREFIX)
    }

    fn answer<'a>(&'a self, head: &'a Parts, form: Bytes) -> BoxFuture<'a, Page> {
        async move {
            let mut response = self.respond(head, &form).await;
            let refused = response.extensions_mut().remove::<RefusedBy>();
            Page {
                response,
                refused: refused.map(|RefusedBy(control)| control),
            }
        }
        .boxed()
    }
}

impl Pages {
    pub(crate) fn new(desk: Arc<Desk>, place: Place, door: Door) -> Self {
        Self { desk, place, door }
    }

    async fn respond(&self, head: &Parts, form: &[u8]) -> Response<Bytes> {
        let Some(rest) = head.uri.path().strip_prefix(PREFIX) else {
            return nothing();
        };
        match (&head.method, rest) {
            (&Method::GET | &Method::HEAD, "style.css") => style(),
            #[cfg(feature = "oauth")]
            (&Method::GET, "callback") => self.callback(head).await,
            (&Method::GET, id) => self.show(head, id).await,
            (&Method::POST, id) => self.decide(head, id, form).await,
            _ => plain(StatusCode::METHOD_NOT_ALLOWED, "GET and POST only"),
        }
    }

    /// The question, for whoever it is for.
    async fn show(&self, head: &Parts, id: &str) -> Response<Bytes> {
        let cookies = self.cookies(&head.headers);
        let session = cookies.session(&self.desk);
        match &self.door {
            #[cfg(feature = "oauth")]
            Door::SignIn(sign_in) => {
                // Before it is looked whether there is such a question: who has not signed in
                // learns nothing of it.
                let Some(session) = session else {
                    return sign_in.begin(&self.desk, &cookies, id);
                };
                match self.admitted(id, &session).await {
                    Look::Admitted(pending, person) => {
                        self.page(id, &pending, &session, Some(&person)).await
                    }
                    Look::Nothing(by) => refused(by, nothing()),
                    Look::Unavailable => unavailable(),
                }
            }
            Door::Link => {
                // A browser that fetches what somebody may click is not one that was opened.
                if head.headers.contains_key("sec-purpose") {
                    return nothing();
                }
                let (session, fresh) = match session {
                    Some(session) => (session, false),
                    None => match Session::new(None, Vec::new()) {
                        Some(session) => (session, true),
                        None => return unavailable(),
                    },
                };
                match self.admitted(id, &session).await {
                    Look::Admitted(pending, _) => {
                        let mut page = self.page(id, &pending, &session, None).await;
                        if fresh {
                            cookies.set_session(&self.desk, &session, &mut page);
                        }
                        page
                    }
                    Look::Nothing(by) => refused(by, nothing()),
                    Look::Unavailable => unavailable(),
                }
            }
        }
    }

    /// The answer, if it comes from the page that this browser was shown.
    async fn decide(&self, head: &Parts, id: &str, form: &[u8]) -> Response<Bytes> {
        if !self.is_from_here(&head.headers) {
            let answer = plain(StatusCode::FORBIDDEN, "this form was sent by another page");
            return refused(Some("approve/origin"), answer);
        }
        let cookies = self.cookies(&head.headers);
        let Some(session) = cookies.session(&self.desk) else {
            return nothing();
        };
        let (pending, person) = match self.admitted(id, &session).await {
            Look::Admitted(pending, person) => (pending, person),
            Look::Nothing(by) => return refused(by, nothing()),
            Look::Unavailable => return unavailable(),
        };
        let mut token = None;
        let mut answer = None;
        for (name, value) in url::form_urlencoded::parse(form) {
            match &*name {
                "token" => token = Some(value),
                "answer" => answer = Some(value),
                _ => {}
            }
        }
        let expected = session.token(id);
        let is_ours = token.is_some_and(|token| token.as_bytes().ct_eq(expected.as_bytes()).into());
        if !is_ours {
            let answer = plain(
                StatusCode::FORBIDDEN,
                "this form was not made for this browser",
            );
            return refused(Some("approve/csrf"), answer);
        }
        let yes = match answer.as_deref() {
            Some("approve") => true,
            Some("refuse") => false,
            _ => return plain(StatusCode::BAD_REQUEST, "say yes or no"),
        };
        let decision = Decision {
            yes,
            by: person,
            how: self.how(),
        };
        match self.desk.decide(id, &pending, &decision).await {
            // What was answered before stays as it was; the page says how it stands.
            Ok(_) => answer::see(&format!("{PREFIX}{id}")),
            Err(_) => unavailable(),
        }
    }

    async fn admitted(&self, id: &str, session: &Session) -> Look {
        let pending = match self.desk.read(id).await {
            Ok(Some(pending)) => pending,
            Ok(None) => return Look::Nothing(None),
            Err(_) => return Look::Unavailable,
        };
        match &self.door {
            #[cfg(feature = "oauth")]
            Door::SignIn(_) => {
                let Some(person) = &session.person else {
                    return Look::Nothing(Some("approve/person"));
                };
                let is_caller = *person == pending.caller;
                let may_answer = match &pending.others_only {
                    None => is_caller,
                    // Four eyes: who called is not one of those who agree.
                    Some(scope) => !is_caller && session.scopes.contains(scope),
                };
                if !may_answer {
                    return Look::Nothing(Some("approve/person"));
                }
                Look::Admitted(pending, person.clone())
            }
            // Nobody knows who this is.
            Door::Link if pending.others_only.is_some() => Look::Nothing(Some("approve/person")),
            Door::Link => match self.desk.claim(id, &session.browser(id)).await {
                Ok(true) => {
                    let person = pending.caller.clone();
                    Look::Admitted(pending, person)
                }
                Ok(false) => Look::Nothing(Some("approve/browser")),
                Err(_) => Look::Unavailable,
            },
        }
    }

    async fn page(
        &self,
        id: &str,
        pending: &Pending,
        session: &Session,
        person: Option<&Person>,
    ) -> Response<Bytes> {
        let Ok(standing) = self.desk.standing(id).await else {
            return unavailable();
        };
        let shown = match standing {
            Standing::Waiting => html::question(id, pending, &session.token(id), person),
            Standing::Agreed(_) => html::settled(pending, true),
            Standing::Refused => html::settled(pending, false),
            Standing::Gone => return nothing(),
        };
        html_page(StatusCode::OK, shown)
    }

    fn how(&self) -> How {
        match self.door {
            Door::Link => How::Link,
            #[cfg(feature = "oauth")]
            Door::SignIn(_) => How::Page,
        }
    }

    /// Whether a form was sent by a page of this origin. With `no-referrer` a browser writes
    /// `Origin: null` for its own pages, too, so what counts then is `Sec-Fetch-Site`, which no
    /// page can write (Fetch Metadata).
    fn is_from_here(&self, headers: &HeaderMap) -> bool {
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

    fn cookies<'a>(&'a self, headers: &'a HeaderMap) -> Cookies<'a> {
        Cookies::of(headers, &self.place)
    }
}

fn refused(by: Option<&'static str>, mut response: Response<Bytes>) -> Response<Bytes> {
    if let Some(control) = by {
        response.extensions_mut().insert(RefusedBy(control));
    }
    response
}

fn unavailable() -> Response<Bytes> {
    let mut response = plain(
        StatusCode::SERVICE_UNAVAILABLE,
        "this cannot be answered now; try again in a moment",
    );
    let later = http::HeaderValue::from_static("5");
    response.headers_mut().insert(header::RETRY_AFTER, later);
    response
}

/// A digest of a secret for one use of it.
fn derived(what: &str, secret: &str, id: &str) -> String {
    let mut hash = Sha256::new_with_prefix(b"mcp-secure approval page\0");
    for part in [what, secret, id] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    crate::hex::hex(&hash.finalize())
}
