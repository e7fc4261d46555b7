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
use http::{HeaderMap, Method, Request, Response, StatusCode, header, request::Parts};
use http_body::Body;
use http_body_util::{BodyExt as _, Limited};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

#[cfg(feature = "oauth")]
pub(crate) use self::sign_in::SignIn;
use self::{
    answer::{html_page, nothing, plain, said, style},
    cookie::{Cookies, Session},
};
use super::{
    Decision, Delivery, Desk, Heard, How, Memory, Pending, Person, Standing, Unheard, Whose,
};

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
    /// Nobody, since nobody is asked here: only answers from outside come in.
    #[cfg_attr(
        not(feature = "oauth"),
        allow(dead_code, reason = "there is always a page")
    )]
    Shut,
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

impl Pages {
    pub(crate) fn new(desk: Arc<Desk>, place: Place, door: Door) -> Self {
        Self { desk, place, door }
    }

    /// Whether a path is of the pages.
    pub(crate) fn has(path: &str) -> bool {
        path.starts_with(PREFIX)
    }

    /// Answers. The body is read only of what may be a form.
    pub(crate) async fn answer<B>(&self, request: Request<B>) -> Response<Bytes>
    where
        B: Body<Data = Bytes> + Send + 'static,
    {
        let mut response = self.route(request).await;
        if self.place.is_secure() {
            // The next link is not followed without TLS, whoever writes it (RFC 6797).
            let year = http::HeaderValue::from_static("max-age=31536000");
            let headers = response.headers_mut();
            headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
        }
        response
    }

    async fn route<B>(&self, request: Request<B>) -> Response<Bytes>
    where
        B: Body<Data = Bytes> + Send + 'static,
    {
        let (head, body) = request.into_parts();
        let Some(rest) = head.uri.path().strip_prefix(PREFIX) else {
            return nothing();
        };
        match (&head.method, rest) {
            (&Method::GET | &Method::HEAD, "style.css") => style(),
            #[cfg(feature = "oauth")]
            (&Method::GET, "callback") => self.callback(&head).await,
            (&Method::POST, path) if path.starts_with(ANSWER) => {
                let name = path.get(ANSWER.len()..).unwrap_or_default().to_owned();
                let body = body.map_err(|_| std::io::Error::other("the answer was cut off"));
                match Limited::new(body, MOST_ANSWER).collect().await {
                    Ok(body) => self.hear(&head.headers, &name, &body.to_bytes()).await,
                    Err(_) => said(StatusCode::PAYLOAD_TOO_LARGE, "that is no answer\n"),
                }
            }
            (&Method::GET, REMEMBERED) => self.list(&head).await,
            (&Method::GET, id) => self.show(&head, id).await,
            (&Method::POST, id) => {
                let id = id.to_owned();
                let body = body.map_err(|_| std::io::Error::other("the form was cut off"));
                match Limited::new(body, MOST_FORM).collect().await {
                    Ok(form) if id == REMEMBERED => self.take_back(&head, &form.to_bytes()).await,
                    Ok(form) => self.decide(&head, &id, &form.to_bytes()).await,
                    Err(_) => plain(
                        StatusCode::PAYLOAD_TOO_LARGE,
                        "that is no form of this page",
                    ),
                }
            }
            _ => plain(StatusCode::METHOD_NOT_ALLOWED, "GET and POST only"),
        }
    }

    /// The question, for whoever it is for.
    async fn show(&self, head: &Parts, id: &str) -> Response<Bytes> {
        let cookies = self.cookies(&head.headers);
        let session = cookies.session(&self.desk);
        match &self.door {
            Door::Shut => nothing(),
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

    /// What holds for a while, for whoever said it.
    async fn list(&self, head: &Parts) -> Response<Bytes> {
        let cookies = self.cookies(&head.headers);
        let session = cookies.session(&self.desk);
        let Some(session) = session else {
            return match &self.door {
                #[cfg(feature = "oauth")]
                Door::SignIn(sign_in) => sign_in.begin(&self.desk, &cookies, REMEMBERED),
                // A browser that has said nothing has nothing to take back.
                Door::Link | Door::Shut => nothing(),
            };
        };
        let all = self.remembered(&session).await;
        let token = session.token(REMEMBERED);
        let page = html::remembered(&all, &token, session.person.as_ref());
        html_page(StatusCode::OK, page)
    }

    /// Somebody takes back what they said.
    async fn take_back(&self, head: &Parts, form: &[u8]) -> Response<Bytes> {
        if !self.is_from_here(&head.headers) {
            let answer = plain(StatusCode::FORBIDDEN, "this form was sent by another page");
            return refused(Some("approve/origin"), answer);
        }
        let Some(session) = self.cookies(&head.headers).session(&self.desk) else {
            return nothing();
        };
        if !is_for(form, &session, REMEMBERED) {
            return not_ours();
        }
        let id = field(form, "revoke").unwrap_or_default();
        let all = self.remembered(&session).await;
        let Some(memory) = all.iter().find(|memory| memory.id == *id) else {
            return refused(Some("approve/person"), nothing());
        };
        let by = session.person.as_ref().unwrap_or(&memory.matter.caller);
        match self.desk.revoke(memory, by).await {
            true => answer::see(&format!("{PREFIX}{REMEMBERED}")),
            false => unavailable(),
        }
    }

    /// Theirs alone.
    async fn remembered(&self, session: &Session) -> Vec<Memory> {
        let browser = session.browser(REMEMBERED);
        let whose = match &session.person {
            Some(person) => Whose::Person(person),
            None => Whose::Browser(&browser),
        };
        let mut all = self.desk.all_remembered().await;
        all.retain(|memory| memory.is_of(&whose));
        all
    }

    /// An answer of an approver outside, for that one to look at.
    async fn hear(&self, headers: &HeaderMap, name: &str, body: &[u8]) -> Response<Bytes> {
        let Some(approver) = self.desk.approver(name) else {
            return said(StatusCode::NOT_FOUND, "nobody hears that here\n");
        };
        let delivery = Delivery {
            headers,
            body,
            desk: &self.desk,
            approver: name,
        };
        let refused_by = |control, status, text| refused(Some(control), said(status, text));
        match approver.hear(delivery).await {
            Ok(Heard::Counted) => said(StatusCode::OK, "it counts\n"),
            Ok(Heard::Over) => refused_by(
                "approve/over",
                StatusCode::CONFLICT,
                "it was answered before, or is over\n",
            ),
            Ok(Heard::NotYours) => refused_by(
                "approve/person",
                StatusCode::FORBIDDEN,
                "others have to agree\n",
            ),
            Err(Unheard::Unreached) => said(StatusCode::SERVICE_UNAVAILABLE, "try again\n"),
            Err(why) => refused_by(why.control(), StatusCode::FORBIDDEN, "it does not count\n"),
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
        if !is_for(form, &session, id) {
            return not_ours();
        }
        let yes = match field(form, "answer").as_deref() {
            Some("approve") => true,
            Some("refuse") => false,
            _ => return plain(StatusCode::BAD_REQUEST, "say yes or no"),
        };
        let decision = Decision::now(yes, person, self.how());
        match self.desk.decide(id, &decision).await {
            Ok(counts) => {
                if counts && field(form, "remember").as_deref() == Some("yes") {
                    let browser = match self.door {
                        Door::Link => Some(session.browser(REMEMBERED)),
                        _ => None,
                    };
                    let desk = &self.desk;
                    desk.remember(id, &pending, &decision, browser).await;
                }
                // What was answered before stays as it was; the page says how it stands.
                answer::see(&format!("{PREFIX}{id}"))
            }
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
            Door::Shut => Look::Nothing(None),
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
            // Nobody answers where it is shut.
            Door::Link | Door::Shut => How::Link,
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

/// The field of a form, once.
fn field<'a>(form: &'a [u8], name: &str) -> Option<std::borrow::Cow<'a, str>> {
    let mut found = url::form_urlencoded::parse(form).filter(|(key, _)| key == name);
    match (found.next(), found.next()) {
        (Some((_, value)), None) => Some(value),
        _ => None,
    }
}

/// Whether a form was made for this browser.
fn is_for(form: &[u8], session: &Session, id: &str) -> bool {
    let expected = session.token(id);
    field(form, "token").is_some_and(|token| token.as_bytes().ct_eq(expected.as_bytes()).into())
}

fn not_ours() -> Response<Bytes> {
    let answer = plain(
        StatusCode::FORBIDDEN,
        "this form was not made for this browser",
    );
    refused(Some("approve/csrf"), answer)
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

/// Bytes of a form: a token and a word.
const MOST_FORM: usize = 4096;
/// Bytes of an answer from outside.
const MOST_ANSWER: usize = 16 * 1024;
/// Where what holds for a while is listed. Names of questions are longer.
const REMEMBERED: &str = "remembered";
/// Where those come to; the approver's name follows.
const ANSWER: &str = "answer/";
