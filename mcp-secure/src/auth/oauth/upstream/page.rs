//! What a browser sees: who asks, for what, and one button. Then the issuer, and back.

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt as _};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header, request::Parts,
};
use maud::{DOCTYPE, Markup, html};
use subtle::ConstantTimeEq as _;

use super::{
    Desk, Door, Standing,
    desk::{Browser, Look, Shown, browser},
};
use crate::{
    hex::hex,
    server::http::{Page, Site},
};

/// What every path of it begins with.
pub(super) const PREFIX: &str = "/connect/";
const CALLBACK: &str = "callback";
const SIGNED_IN: &str = "signed-in";

impl Site for Desk {
    fn has(&self, path: &str) -> bool {
        path.starts_with(PREFIX)
    }

    fn answer<'a>(&'a self, head: &'a Parts, form: Bytes) -> BoxFuture<'a, Page> {
        async move {
            let Some(rest) = head.uri.path().strip_prefix(PREFIX) else {
                return nothing(None);
            };
            match (&head.method, rest) {
                (&Method::GET, CALLBACK) => self.callback(head).await,
                (&Method::GET, SIGNED_IN) => self.back_from_sign_in(head).await,
                (&Method::GET, id) => self.show(head, id),
                (&Method::POST, id) => self.begin(head, id, &form),
                _ => word(StatusCode::METHOD_NOT_ALLOWED, "GET and POST only"),
            }
        }
        .boxed()
    }
}

impl Desk {
    /// The question, for the browser that it is for.
    fn show(&self, head: &Parts, id: &str) -> Page {
        let (cookie, is_new) = match self.cookie(&head.headers) {
            Some(cookie) => (cookie, false),
            None => match random() {
                Some(cookie) => (cookie, true),
                None => return unavailable(),
            },
        };
        let browser = browser(&cookie);
        let mut page = match self.look(id, &browser) {
            Look::Admitted(shown) => self.question(id, &shown, &cookie),
            Look::SignIn => self.go_and_sign_in(id, browser),
            Look::Nothing(by) => return nothing(by),
        };
        if is_new {
            self.set_cookie(&cookie, &mut page.response);
        }
        page
    }

    fn go_and_sign_in(&self, id: &str, browser: Browser) -> Page {
        let Door::SignIn(sign_in) = &self.door else {
            return nothing(None);
        };
        match sign_in.ask(&self.at(SIGNED_IN)) {
            Ok(asked) => {
                self.signs_in(id, browser, &asked);
                see(&asked.url)
            }
            Err(_) => unavailable(),
        }
    }

    /// The issuer of the callers has sent the browser back.
    async fn back_from_sign_in(&self, head: &Parts) -> Page {
        let Door::SignIn(sign_in) = &self.door else {
            return nothing(None);
        };
        let refused = |by| refused(by, "you are not signed in; open the link again");
        let Some(browser) = self.cookie(&head.headers).map(|cookie| browser(&cookie)) else {
            return refused("upstream/state");
        };
        let said = Said::of(head);
        let Some((id, begun)) = said
            .state()
            .and_then(|state| self.signed_in(state, &browser))
        else {
            return refused("upstream/state");
        };
        if !sign_in.is_author(said.issuer.as_deref()) {
            return refused("upstream/issuer");
        }
        let Some(code) = said.code() else {
            return refused("upstream/sign-in");
        };
        let Some(person) = sign_in.person(code, &begun, &self.at(SIGNED_IN)).await else {
            return refused("upstream/sign-in");
        };
        if !self.is_person(&id, &person, browser) {
            // The same as where there is none: who is asked for is nobody's to know.
            return nothing(Some("upstream/person"));
        }
        see(&format!("{PREFIX}{id}"))
    }

    /// The button was pressed: to the issuer of the account.
    fn begin(&self, head: &Parts, id: &str, form: &Bytes) -> Page {
        if !self.is_from_here(&head.headers) {
            return refused("upstream/origin", "this form was sent by another page");
        }
        let Some(cookie) = self.cookie(&head.headers) else {
            return nothing(None);
        };
        let browser = browser(&cookie);
        let shown = match self.look(id, &browser) {
            Look::Admitted(shown) => shown,
            Look::SignIn => return nothing(Some("upstream/person")),
            Look::Nothing(by) => return nothing(by),
        };
        let expected = token(&cookie, id);
        let is_ours = url::form_urlencoded::parse(form).any(|(name, value)| {
            name == "token" && value.as_bytes().ct_eq(expected.as_bytes()).into()
        });
        if !is_ours {
            return refused("upstream/csrf", "this form was not made for this browser");
        }
        let account = &shown.account;
        let asked = account
            .issuer()
            .ask(&self.at(CALLBACK), account.scopes(), account.resource());
        match asked {
            Ok(asked) => {
                self.begins(id, browser, &asked);
                see(&asked.url)
            }
            Err(_) => unavailable(),
        }
    }

    /// The issuer of the account has sent the browser back.
    async fn callback(&self, head: &Parts) -> Page {
        let refused = |by| refused(by, "nothing was connected; open the link again");
        let Some(browser) = self.cookie(&head.headers).map(|cookie| browser(&cookie)) else {
            return refused("upstream/state");
        };
        let said = Said::of(head);
        // Somebody else's code in this browser would put their account into the name of who is
        // here, and this one's code in another browser the other way (RFC 6749 section 10.12).
        let Some((id, begun)) = said.state().and_then(|state| self.returns(state, &browser)) else {
            return refused("upstream/state");
        };
        let Some(shown) = self.shown(&id) else {
            return nothing(None);
        };
        let issuer = shown.account.issuer();
        if !issuer.is_author(said.issuer.as_deref()) {
            return refused("upstream/issuer");
        }
        let Some(code) = said.code() else {
            return refused("upstream/declined");
        };
        let given = issuer
            .redeem(
                code,
                &begun.verifier,
                &self.at(CALLBACK),
                shown.account.resource(),
            )
            .await;
        let given = match given {
            Ok(given) => given,
            Err(not) => {
                tracing::warn!(
                    target: "mcp_secure::upstream",
                    capability = shown.account.capability(),
                    "nothing was connected: {}", not.words()
                );
                return refused("upstream/code");
            }
        };
        match shown.account.connect(&shown.caller, &given).await {
            Ok(()) => {
                self.settle(&id, Standing::Connected);
                word(
                    StatusCode::OK,
                    "connected; you can close this page and go on",
                )
            }
            Err(error) => {
                tracing::error!(
                    target: "mcp_secure::upstream",
                    capability = shown.account.capability(),
                    %error,
                    "what was connected is not kept"
                );
                unavailable()
            }
        }
    }

    fn question(&self, id: &str, shown: &Shown, cookie: &str) -> Page {
        let account = &shown.account;
        let issuer = account.issuer().url();
        let body = html! {
            h1 { "Connect an account?" }
            p {
                "The server " strong { (self.server) } " asks to use " strong { (account.target()) }
                " in your name, through " strong { (issuer) } "."
            }
            @if let Door::SignIn(_) = &self.door {
                p { "You are signed in as " b { (shown.caller.subject()) } "." }
            }
            @if !account.scopes().is_empty() {
                p { "It asks for: " (account.scopes().join(", ")) }
            }
            p {
                "Go on only if you have just asked for this yourself. What you connect is used for \
                 your calls and for nobody else's."
            }
            form method="post" action={ (PREFIX) (id) } {
                input type="hidden" name="token" value=(token(cookie, id));
                button type="submit" { "Connect" }
            }
        };
        page(StatusCode::OK, "Connect an account", &body)
    }

    fn at(&self, path: &str) -> String {
        format!("{}{PREFIX}{path}", self.origin)
    }

    fn is_secure(&self) -> bool {
        self.origin.starts_with("https://")
    }

    /// `__Host-` keeps other hosts and plain HTTP from setting it (RFC 6265bis section 4.1.3).
    /// Cookies know no ports, and two servers of one machine must not take each other's.
    fn cookie_name(&self) -> String {
        match (self.is_secure(), self.origin.rsplit_once(':')) {
            (true, _) => "__Host-mcp-secure-connect".to_owned(),
            (false, Some((_, port))) => format!("mcp-secure-connect-{port}"),
            (false, None) => "mcp-secure-connect".to_owned(),
        }
    }

    /// The one cookie of this name: of two, one was planted.
    fn cookie(&self, headers: &HeaderMap) -> Option<String> {
        let name = self.cookie_name();
        let mut found = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(key, value)| *key == name && value.len() == 64);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Some(value.to_owned()),
            _ => None,
        }
    }

    /// Lax, since two issuers send the browser back; what changes something is a form, which it
    /// does not go along with from elsewhere.
    fn set_cookie(&self, cookie: &str, response: &mut Response<Bytes>) {
        let name = self.cookie_name();
        let secure = match self.is_secure() {
            true => "; Secure",
            false => "",
        };
        let cookie = format!("{name}={cookie}; Path=/; HttpOnly{secure}; SameSite=Lax");
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }

    /// Whether a form was sent by a page of this origin. With `no-referrer` a browser writes
    /// `Origin: null` for its own pages, too; then `Sec-Fetch-Site` counts, which no page can write.
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
        let is_same = site == Some(b"same-origin");
        match origin {
            Some(b"null") | None => is_same,
            Some(origin) => origin == self.origin.as_bytes() && (site.is_none() || is_same),
        }
    }
}

/// What an issuer says by way of the browser. A parameter that comes twice says two things, and so
/// nothing.
#[derive(Default)]
struct Said {
    code: Option<String>,
    state: Option<String>,
    issuer: Option<String>,
    is_bad: bool,
}

impl Said {
    fn of(head: &Parts) -> Self {
        let mut said = Self::default();
        let query = head.uri.query().unwrap_or_default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let place = match &*name {
                "code" => &mut said.code,
                "state" => &mut said.state,
                "iss" => &mut said.issuer,
                "error" => {
                    said.is_bad = true;
                    continue;
                }
                _ => continue,
            };
            if place.replace(value.into_owned()).is_some() {
                said.is_bad = true;
            }
        }
        said
    }

    fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    fn code(&self) -> Option<String> {
        self.code.clone().filter(|_| !self.is_bad)
    }
}

/// What the form of one question says, so that a page of elsewhere cannot send it (CSRF).
fn token(cookie: &str, id: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let mut hash = Sha256::new_with_prefix(b"mcp-secure connect form\0");
    for part in [cookie, id] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex(&hash.finalize())
}

fn random() -> Option<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).ok()?;
    Some(hex(&bytes))
}

/// There is no such page: the same whether it never was, is over, or is another person's.
fn nothing(by: Option<&'static str>) -> Page {
    Page {
        refused: by,
        ..word(StatusCode::NOT_FOUND, "there is no such page, or no more")
    }
}

fn refused(by: &'static str, text: &'static str) -> Page {
    Page {
        refused: Some(by),
        ..word(StatusCode::FORBIDDEN, text)
    }
}

fn unavailable() -> Page {
    word(
        StatusCode::SERVICE_UNAVAILABLE,
        "this cannot be done now; try again in a moment",
    )
}

fn word(status: StatusCode, text: &'static str) -> Page {
    page(status, "Connect an account", &html! { p { (text) } })
}

fn page(status: StatusCode, title: &str, body: &Markup) -> Page {
    let text = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) }
            }
            body { main { (body) } }
        }
    };
    respond(status, text.into_string().into())
}

fn see(url: &str) -> Page {
    let mut page = respond(StatusCode::SEE_OTHER, Bytes::new());
    if let Ok(url) = HeaderValue::from_str(url) {
        page.response.headers_mut().insert(header::LOCATION, url);
    }
    page
}

fn respond(status: StatusCode, body: Bytes) -> Page {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    for (name, value) in HEADERS {
        response.headers_mut().insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    Page {
        response,
        refused: None,
    }
}

/// No script at all, no frame around it (a click on what is under another page), and nothing of
/// the link to any other site. There is no `form-action`: browsers hold redirects after a form
/// against it, and an issuer sends them on to wherever its persons sign in.
const HEADERS: [(&str, &str); 8] = [
    ("content-type", "text/html; charset=utf-8"),
    (
        "content-security-policy",
        "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'",
    ),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
];
