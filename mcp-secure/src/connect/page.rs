//! What a browser does here: it is shown who asks, and for what; one button; then the issuer, and
//! back.

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt as _};
use http::{Method, Response, StatusCode, request::Parts};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{Access, Desk, Key, Standing, desk::Pending, html};
use crate::{
    Error,
    approval::Person,
    auth::oauth::upstream::Account,
    hex::hex,
    page::{
        Entered, Said, Session, html::onward, html_page, is_form_of, plain, refused, unavailable,
    },
    server::http::{Page, Site},
    vault::Owner,
};

/// Bytes of a form with a key of 8,192 bytes, each of them escaped.
const MOST_KEY_FORM: usize = 25 * 1024;
/// What every path of it begins with.
pub(super) const PREFIX: &str = "/connect/";
const CALLBACK: &str = "callback";

/// What a browser is to a connection.
#[allow(clippy::large_enum_variant, reason = "moved once")]
enum Look {
    /// It is the one that it is for.
    Admitted(Pending, Access),
    /// There is none for it; by which check, if there is one for another.
    Nothing(Option<&'static str>),
    Unavailable,
}

/// What the browser carries to the issuer of an account and back.
#[derive(Serialize, Deserialize)]
struct Begun {
    state: String,
    verifier: String,
    id: String,
}

impl Site for Desk {
    fn has(&self, path: &str) -> bool {
        path.starts_with(PREFIX)
    }

    fn most(&self, _: &str) -> usize {
        MOST_KEY_FORM
    }

    fn answer<'a>(&'a self, head: &'a Parts, form: Bytes) -> BoxFuture<'a, Page> {
        async move {
            let Some(rest) = head.uri.path().strip_prefix(PREFIX) else {
                return self.entrance.page(nothing(None));
            };
            let answer = match (&head.method, rest) {
                (&Method::GET, "") => self.list(head).await,
                (&Method::POST, "") => self.take_back(head, &form).await,
                (&Method::GET, CALLBACK) => self.callback(head).await,
                (&Method::GET, id) => self.show(head, id).await,
                (&Method::POST, id) => self.give(head, id, &form).await,
                _ => plain(StatusCode::METHOD_NOT_ALLOWED, "GET and POST only"),
            };
            self.entrance.page(answer)
        }
        .boxed()
    }
}

impl Desk {
    /// The question, for the browser that it is for.
    async fn show(&self, head: &Parts, id: &str) -> Response<Bytes> {
        let session = match self.entrance.enter(head, &format!("{PREFIX}{id}"), &[]) {
            Entered::In(session) => session,
            Entered::Sent(answer) => return answer,
        };
        let (_, access) = match self.admitted(id, &session).await {
            Look::Admitted(pending, access) => (pending, access),
            Look::Nothing(by) => return nothing(by),
            Look::Unavailable => return unavailable(),
        };
        let shown = match self.standing(id).await {
            Ok(Standing::Waiting) => self.question(id, &session, &access, None),
            Ok(Standing::Connected) => html::connected(&access),
            Ok(Standing::Over) => return nothing(None),
            Err(_) => return unavailable(),
        };
        let mut page = html_page(StatusCode::OK, shown);
        self.entrance.remember(&session, &mut page);
        page
    }

    fn question(
        &self,
        id: &str,
        session: &Session,
        access: &Access,
        wrong: Option<&str>,
    ) -> String {
        let asked = html::Asked {
            id,
            server: self.server,
            token: &session.token(id),
            person: session.person.as_ref(),
        };
        match access {
            Access::Account(account) => html::account(&asked, account),
            Access::Key(key) => html::key(&asked, key, wrong),
        }
    }

    /// The button was pressed.
    async fn give(&self, head: &Parts, id: &str, form: &[u8]) -> Response<Bytes> {
        if !self.entrance.is_from_here(&head.headers) {
            return another_page();
        }
        let Some(session) = self.entrance.session(&head.headers) else {
            return nothing(None);
        };
        let (pending, access) = match self.admitted(id, &session).await {
            Look::Admitted(pending, access) => (pending, access),
            Look::Nothing(by) => return nothing(by),
            Look::Unavailable => return unavailable(),
        };
        if !is_form_of(
            &session,
            id,
            field(form, "token").as_deref().map(String::as_str),
        ) {
            return not_this_browser();
        }
        match self.standing(id).await {
            Ok(Standing::Waiting) => {}
            // A second tab, or the back button.
            Ok(Standing::Connected) => {
                return html_page(StatusCode::OK, html::connected(&access));
            }
            Ok(Standing::Over) => return nothing(None),
            Err(_) => return unavailable(),
        }
        match &access {
            Access::Account(account) => self.go_to_issuer(id, account),
            Access::Key(key) => {
                let secret = field(form, "secret").unwrap_or_default();
                let secret = SecretString::from(secret.trim());
                if let Err(error) = key.check(&secret) {
                    let error = error.to_string();
                    let wrong = error.lines().next().unwrap_or_default();
                    let page = self.question(id, &session, &access, Some(wrong));
                    return html_page(StatusCode::UNPROCESSABLE_ENTITY, page);
                }
                self.keep(id, &pending, key, secret, &access).await
            }
        }
    }

    /// A key was entered: once.
    async fn keep(
        &self,
        id: &str,
        pending: &Pending,
        key: &Key,
        secret: SecretString,
        access: &Access,
    ) -> Response<Bytes> {
        match self.is_unused(id).await {
            Ok(true) => {}
            // Somebody pressed twice; the first counts.
            Ok(false) => return html_page(StatusCode::OK, html::connected(access)),
            Err(_) => return unavailable(),
        }
        let Person { issuer, subject } = &pending.caller;
        let kept = match Owner::new(issuer, subject) {
            Ok(owner) => key.keep(owner, secret).await,
            Err(error) => Err(error),
        };
        let (capability, name) = (key.capability(), key.name());
        let standing = match &kept {
            Ok(()) => {
                tracing::info!(
                    target: "mcp_secure::upstream",
                    capability, name, issuer, subject,
                    "a credential was entered"
                );
                self.given(access, "entered", &pending.caller, self.how());
                Standing::Connected
            }
            Err(error) => {
                tracing::error!(
                    target: "mcp_secure::upstream",
                    capability, name, %error,
                    "what was entered is not kept"
                );
                Standing::Over
            }
        };
        match (self.settle(id, standing).await, kept) {
            (Ok(()), Ok(())) => html_page(StatusCode::OK, html::connected(access)),
            _ => unavailable(),
        }
    }

    fn go_to_issuer(&self, id: &str, account: &Account) -> Response<Bytes> {
        let issuer = account.issuer();
        let asked = issuer.ask(&self.redirect(), account.scopes(), account.resource());
        let Ok(asked) = asked else {
            return unavailable();
        };
        let page = onward("On to your account", "Go on", &asked.url);
        let mut page = html_page(StatusCode::OK, page);
        let what = carried_as(&asked.state);
        let begun = Begun {
            state: asked.state,
            verifier: asked.verifier.to_string(),
            id: id.to_owned(),
        };
        // Lax, since the issuer sends the browser back.
        self.entrance.carry(&what, &begun, FOR_A_WHILE, &mut page);
        page
    }

    /// The issuer of the account has sent the browser back.
    async fn callback(&self, head: &Parts) -> Response<Bytes> {
        let said = Said::of(head);
        let what = carried_as(said.state());
        let mut answer = match self.finish(head, &said, &what).await {
            Ok(answer) => answer,
            Err(control) => {
                let word = "Nothing was connected. Open the link again.";
                refused(Some(control), plain(StatusCode::FORBIDDEN, word))
            }
        };
        self.entrance.drop_carried(&what, &mut answer);
        answer
    }

    /// Connects what a browser began; or the check that says that nothing is.
    async fn finish(
        &self,
        head: &Parts,
        said: &Said,
        what: &str,
    ) -> Result<Response<Bytes>, &'static str> {
        let begun: Option<Begun> = self.entrance.carried(&head.headers, what);
        // Somebody else's code in this browser would put their account into the name of who is
        // here, and this one's code in another browser the other way (RFC 6749 section 10.12).
        let begun = begun
            .filter(|begun| said.answers(&begun.state))
            .ok_or("upstream/state")?;
        match self.is_unused(&begun.state).await {
            Ok(true) => {}
            Ok(false) => return Err("upstream/state"),
            Err(_) => return Ok(unavailable()),
        }
        let (pending, access) = match self.look(&begun.id).await {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(nothing(None)),
            Err(_) => return Ok(unavailable()),
        };
        let Access::Account(account) = &access else {
            return Ok(nothing(None));
        };
        let issuer = account.issuer();
        if !issuer.is_author(said.issuer()) {
            return Err("upstream/issuer");
        }
        // Another tab was quicker; a second grant would be one that nobody knows of.
        if self.standing(&begun.id).await == Ok(Standing::Connected) {
            return Ok(html_page(StatusCode::OK, html::connected(&access)));
        }
        let code = said.code().ok_or("upstream/declined")?;
        let given = issuer
            .redeem(code, &begun.verifier, &self.redirect(), account.resource())
            .await;
        let given = match given {
            Ok(given) => given,
            Err(not) => {
                tracing::warn!(
                    target: "mcp_secure::upstream",
                    capability = account.capability(),
                    "nothing was connected: {}", not.words()
                );
                return Err("upstream/code");
            }
        };
        let kept = match Owner::new(&pending.caller.issuer, &pending.caller.subject) {
            Ok(owner) => account.connect(owner, &given).await,
            Err(error) => Err(error),
        };
        let settled = match kept {
            Ok(()) => {
                self.given(&access, "connected", &pending.caller, self.how());
                self.settle(&begun.id, Standing::Connected)
                    .await
                    .map_err(|error| Error::new(error.to_string()))
            }
            Err(error) => Err(error),
        };
        match settled {
            Ok(()) => Ok(html_page(StatusCode::OK, html::connected(&access))),
            Err(error) => {
                tracing::error!(
                    target: "mcp_secure::upstream",
                    capability = account.capability(),
                    %error,
                    "what was connected is not kept"
                );
                Ok(unavailable())
            }
        }
    }

    async fn admitted(&self, id: &str, session: &Session) -> Look {
        let (pending, access) = match self.look(id).await {
            Ok(Some(found)) => found,
            Ok(None) => return Look::Nothing(None),
            Err(_) => return Look::Unavailable,
        };
        match &session.person {
            // The one check that keeps a link that was sent to somebody from putting their account
            // into the name of who sent it.
            Some(person) if *person == pending.caller => Look::Admitted(pending, access),
            Some(_) => Look::Nothing(Some("upstream/person")),
            None if self.entrance.signs_in() => Look::Nothing(Some("upstream/person")),
            None => match self.claim(id, &session.browser(id)).await {
                Ok(true) => Look::Admitted(pending, access),
                Ok(false) => Look::Nothing(Some("upstream/browser")),
                Err(_) => Look::Unavailable,
            },
        }
    }

    fn redirect(&self) -> String {
        self.entrance.place().at(&format!("{PREFIX}{CALLBACK}"))
    }
}

/// There is no such page: the same whether it never was, is over, or is another person's.
pub(super) fn nothing(by: Option<&'static str>) -> Response<Bytes> {
    refused(by, html_page(StatusCode::NOT_FOUND, html::nothing()))
}

pub(super) fn another_page() -> Response<Bytes> {
    let answer = plain(StatusCode::FORBIDDEN, "This form was sent by another page.");
    refused(Some("upstream/origin"), answer)
}

pub(super) fn not_this_browser() -> Response<Bytes> {
    let word = "This form was not made for this browser.";
    refused(Some("upstream/csrf"), plain(StatusCode::FORBIDDEN, word))
}

/// A field of a form, wiped when it is dropped: it may be a key.
pub(super) fn field(form: &[u8], wanted: &str) -> Option<Zeroizing<String>> {
    let mut pairs = url::form_urlencoded::parse(form);
    let found = pairs.find_map(|(name, value)| (name == wanted).then_some(value));
    found.map(|value| Zeroizing::new(value.into_owned()))
}

/// Each state has a cookie: two tabs may be on their way.
fn carried_as(state: &str) -> String {
    let digest = hex(&Sha256::digest(state));
    format!("connecting-{}", digest.get(..16).unwrap_or_default())
}

const FOR_A_WHILE: &str = "Lax; Max-Age=600";
