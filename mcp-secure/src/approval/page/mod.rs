//! The page on which a person reads what will run, and says yes or no.
//!
//! Who is at the browser, and what a page of ours forbids, all pages have in common
//! ([`crate::page`]). Here a person is the caller, or sees what nobody sees: that there is no such
//! page. Where nobody signs in, the link is good for the first browser that opens it.

mod html;

use std::sync::Arc;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt as _};
use http::{HeaderMap, Method, Response, StatusCode, request::Parts};

use super::{
    Decision, Delivery, Desk, Heard, How, Memory, Pending, Person, Standing, Unheard, Whose,
};
use crate::{
    page::{
        Entered, Entrance, Place, Session, html_page, is_form_of, line, plain, refused, see,
        unavailable,
    },
    server::http::{MOST_FORM, Page, Site},
};

/// The pages of one server.
pub(crate) struct Pages {
    desk: Arc<Desk>,
    entrance: Arc<Entrance>,
    /// By which persons are known as approvers.
    scopes: Vec<String>,
}

/// What a browser may see of a question.
#[allow(clippy::large_enum_variant, reason = "moved once")]
enum Look {
    /// It, and in whose name this browser answers.
    Admitted(Pending, Person),
    /// That there is none; and which check said so, if one did.
    Nothing(Option<&'static str>),
    Unavailable,
}

/// The link to a question.
pub(crate) fn link(place: &Place, id: &str) -> String {
    place.at(&format!("{PREFIX}{id}"))
}

/// What every path of it begins with.
pub(super) const PREFIX: &str = "/approve/";

impl Site for Pages {
    fn has(&self, path: &str) -> bool {
        path.starts_with(PREFIX)
    }

    fn answer<'a>(&'a self, head: &'a Parts, form: Bytes) -> BoxFuture<'a, Page> {
        async move { self.entrance.page(self.respond(head, &form).await) }.boxed()
    }

    fn most(&self, path: &str) -> usize {
        let rest = path.strip_prefix(PREFIX).unwrap_or_default();
        match rest.starts_with(ANSWER) {
            true => MOST_ANSWER,
            false => MOST_FORM,
        }
    }
}

impl Pages {
    pub(crate) fn new(desk: Arc<Desk>, entrance: Arc<Entrance>, scopes: Vec<String>) -> Self {
        Self {
            desk,
            entrance,
            scopes,
        }
    }

    async fn respond(&self, head: &Parts, form: &[u8]) -> Response<Bytes> {
        let Some(rest) = head.uri.path().strip_prefix(PREFIX) else {
            return nothing();
        };
        match (&head.method, rest) {
            (&Method::POST, path) if path.starts_with(ANSWER) => {
                let name = path.get(ANSWER.len()..).unwrap_or_default();
                self.hear(&head.headers, name, form).await
            }
            (&Method::GET, REMEMBERED) => self.list(head).await,
            (&Method::POST, REMEMBERED) => self.take_back(head, form).await,
            (&Method::GET, id) => self.show(head, id).await,
            (&Method::POST, id) => self.decide(head, id, form).await,
            _ => plain(StatusCode::METHOD_NOT_ALLOWED, "GET and POST only"),
        }
    }

    /// The question, for whoever it is for.
    async fn show(&self, head: &Parts, id: &str) -> Response<Bytes> {
        let to = format!("{PREFIX}{id}");
        let session = match self.entrance.enter(head, &to, &self.scopes) {
            Entered::In(session) => session,
            Entered::Sent(answer) => return answer,
        };
        match self.admitted(id, &session).await {
            Look::Admitted(pending, _) => {
                let mut page = self.page(id, &pending, &session).await;
                self.entrance.remember(&session, &mut page);
                page
            }
            Look::Nothing(by) => refused(by, nothing()),
            Look::Unavailable => unavailable(),
        }
    }

    /// What holds for a while, for whoever said it.
    async fn list(&self, head: &Parts) -> Response<Bytes> {
        // A browser that has said nothing has nothing to take back.
        if !self.entrance.signs_in() && self.entrance.session(&head.headers).is_none() {
            return nothing();
        }
        let to = format!("{PREFIX}{REMEMBERED}");
        let session = match self.entrance.enter(head, &to, &self.scopes) {
            Entered::In(session) => session,
            Entered::Sent(answer) => return answer,
        };
        let all = self.remembered(&session).await;
        let token = session.token(REMEMBERED);
        let page = html::remembered(&all, &token, session.person.as_ref());
        html_page(StatusCode::OK, page)
    }

    /// Somebody takes back what they said.
    async fn take_back(&self, head: &Parts, form: &[u8]) -> Response<Bytes> {
        if !self.entrance.is_from_here(&head.headers) {
            return elsewhere();
        }
        let Some(session) = self.entrance.session(&head.headers) else {
            return nothing();
        };
        if !is_form_of(&session, REMEMBERED, field(form, "token").as_deref()) {
            return not_ours();
        }
        let id = field(form, "revoke").unwrap_or_default();
        let all = self.remembered(&session).await;
        let Some(memory) = all.iter().find(|memory| memory.id == *id) else {
            return refused(Some("approve/person"), nothing());
        };
        let by = session.person.as_ref().unwrap_or(&memory.matter.caller);
        match self.desk.revoke(memory, by).await {
            true => see(&format!("{PREFIX}{REMEMBERED}")),
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
            return line(StatusCode::NOT_FOUND, "nobody hears that here\n");
        };
        let delivery = Delivery {
            headers,
            body,
            desk: &self.desk,
            approver: name,
        };
        let refused_by = |control, status, text| refused(Some(control), line(status, text));
        match approver.hear(delivery).await {
            Ok(Heard::Counted) => line(StatusCode::OK, "it counts\n"),
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
            Err(Unheard::Unreached) => line(StatusCode::SERVICE_UNAVAILABLE, "try again\n"),
            Err(why) => refused_by(why.control(), StatusCode::FORBIDDEN, "it does not count\n"),
        }
    }

    /// The answer, if it comes from the page that this browser was shown.
    async fn decide(&self, head: &Parts, id: &str, form: &[u8]) -> Response<Bytes> {
        if !self.entrance.is_from_here(&head.headers) {
            return elsewhere();
        }
        let Some(session) = self.entrance.session(&head.headers) else {
            return nothing();
        };
        let (pending, person) = match self.admitted(id, &session).await {
            Look::Admitted(pending, person) => (pending, person),
            Look::Nothing(by) => return refused(by, nothing()),
            Look::Unavailable => return unavailable(),
        };
        if !is_form_of(&session, id, field(form, "token").as_deref()) {
            return not_ours();
        }
        let yes = match field(form, "answer").as_deref() {
            Some("approve") => true,
            Some("refuse") => false,
            _ => return plain(StatusCode::BAD_REQUEST, "Say yes or no."),
        };
        let decision = Decision::now(yes, person, self.how());
        match self.desk.decide(id, &decision).await {
            Ok(counts) => {
                if counts && field(form, "remember").as_deref() == Some("yes") {
                    let browser = session
                        .person
                        .is_none()
                        .then(|| session.browser(REMEMBERED));
                    let desk = &self.desk;
                    desk.remember(id, &pending, &decision, browser).await;
                }
                // What was answered before stays as it was; the page says how it stands.
                see(&format!("{PREFIX}{id}"))
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
        let Some(person) = &session.person else {
            // Nobody knows who this is.
            if self.entrance.signs_in() || pending.others_only.is_some() {
                return Look::Nothing(Some("approve/person"));
            }
            return match self.desk.claim(id, &session.browser(id)).await {
                Ok(true) => {
                    let person = pending.caller.clone();
                    Look::Admitted(pending, person)
                }
                Ok(false) => Look::Nothing(Some("approve/browser")),
                Err(_) => Look::Unavailable,
            };
        };
        let is_caller = *person == pending.caller;
        let may_answer = match &pending.others_only {
            None => is_caller,
            // Four eyes: who called is not one of those who agree.
            Some(scope) => !is_caller && session.scopes.contains(scope),
        };
        match may_answer {
            true => Look::Admitted(pending, person.clone()),
            false => Look::Nothing(Some("approve/person")),
        }
    }

    async fn page(&self, id: &str, pending: &Pending, session: &Session) -> Response<Bytes> {
        let Ok(standing) = self.desk.standing(id).await else {
            return unavailable();
        };
        let shown = match standing {
            Standing::Waiting => {
                html::question(id, pending, &session.token(id), session.person.as_ref())
            }
            Standing::Agreed(_) => html::settled(pending, true),
            Standing::Refused => html::settled(pending, false),
            Standing::Gone => return nothing(),
        };
        html_page(StatusCode::OK, shown)
    }

    fn how(&self) -> How {
        match self.entrance.signs_in() {
            true => How::Page,
            false => How::Link,
        }
    }
}

/// There is no such question: the same whether it never was, is over, or is another person's.
fn nothing() -> Response<Bytes> {
    html_page(StatusCode::NOT_FOUND, html::nothing())
}

fn elsewhere() -> Response<Bytes> {
    let answer = plain(StatusCode::FORBIDDEN, "This form was sent by another page.");
    refused(Some("approve/origin"), answer)
}

fn not_ours() -> Response<Bytes> {
    let answer = plain(
        StatusCode::FORBIDDEN,
        "This form was not made for this browser.",
    );
    refused(Some("approve/csrf"), answer)
}

/// The field of a form, once.
fn field<'a>(form: &'a [u8], name: &str) -> Option<std::borrow::Cow<'a, str>> {
    let mut found = url::form_urlencoded::parse(form).filter(|(key, _)| key == name);
    match (found.next(), found.next()) {
        (Some((_, value)), None) => Some(value),
        _ => None,
    }
}

/// Where what holds for a while is listed. Names of questions are longer.
const REMEMBERED: &str = "remembered";
/// Where answers from outside come to; the approver's name follows.
const ANSWER: &str = "answer/";
/// Bytes of one of those.
const MOST_ANSWER: usize = 16 * 1024;
