//! The page on which a person reads what will run, and says yes or no.
//!
//! Who is at the browser, and what a page of ours forbids, all pages have in common
//! ([`crate::page`]). Here a person is the caller, or sees what nobody sees: that there is no such
//! page. Where nobody signs in, the link is good for the first browser that opens it.

mod html;

use std::sync::Arc;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt as _};
use http::{Method, Response, StatusCode, request::Parts};

use super::{Decision, Desk, How, Pending, Person, Standing};
use crate::{
    page::{
        Entered, Entrance, Place, Session, html_page, is_form_of, plain, refused, see, unavailable,
    },
    server::http::{Page, Site},
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
const PREFIX: &str = "/approve/";

impl Site for Pages {
    fn has(&self, path: &str) -> bool {
        path.starts_with(PREFIX)
    }

    fn answer<'a>(&'a self, head: &'a Parts, form: Bytes) -> BoxFuture<'a, Page> {
        async move { self.respond(head, &form).await.into() }.boxed()
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

    /// The answer, if it comes from the page that this browser was shown.
    async fn decide(&self, head: &Parts, id: &str, form: &[u8]) -> Response<Bytes> {
        if !self.entrance.is_from_here(&head.headers) {
            let answer = plain(StatusCode::FORBIDDEN, "This form was sent by another page.");
            return refused(Some("approve/origin"), answer);
        }
        let Some(session) = self.entrance.session(&head.headers) else {
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
        if !is_form_of(&session, id, token.as_deref()) {
            let answer = plain(
                StatusCode::FORBIDDEN,
                "This form was not made for this browser.",
            );
            return refused(Some("approve/csrf"), answer);
        }
        let yes = match answer.as_deref() {
            Some("approve") => true,
            Some("refuse") => false,
            _ => return plain(StatusCode::BAD_REQUEST, "Say yes or no."),
        };
        let decision = Decision {
            yes,
            by: person,
            how: self.how(),
        };
        match self.desk.decide(id, &pending, &decision).await {
            // What was answered before stays as it was; the page says how it stands.
            Ok(_) => see(&format!("{PREFIX}{id}")),
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
