//! A person says yes: the authorization endpoint (RFC 6749 section 4.1, PKCE by RFC 7636,
//! the issuer in the answer by RFC 9207).

use std::collections::HashMap;

use url::Url;

use super::{Issuer, key::random, token::Granted};

/// What a form said: each name once.
pub(super) type Form = HashMap<String, String>;

/// Asked, and not yet agreed to.
#[derive(Clone)]
pub(super) struct Pending {
    granted: Granted,
    client_name: String,
    redirect: String,
    state: Option<String>,
    challenge: String,
}

/// Agreed to, and not yet picked up.
pub(super) struct Code {
    pub(super) granted: Granted,
    pub(super) redirect: String,
    pub(super) challenge: String,
}

/// What the person's browser is told.
pub(super) enum Told {
    Go(String),
    Page(String),
    /// There is nowhere safe to send this to.
    Wrong(&'static str),
}

const MOST: usize = 2048;

impl Issuer {
    pub(super) fn authorize(&self, form: &Form) -> Told {
        let get = |name: &str| form.get(name).map(String::as_str);
        if form.values().any(|value| value.len() > MOST) {
            return Told::Wrong("a parameter is too long");
        }
        // As long as these are not right, an error that is sent is an open redirector.
        let Some(id) = get("client_id") else {
            return Told::Wrong("no `client_id`");
        };
        let Some(client) = self.client(id) else {
            return Told::Wrong("no such client: register first");
        };
        let Some(redirect) = get("redirect_uri") else {
            return Told::Wrong("no `redirect_uri`");
        };
        if !client.may_be_answered_at(redirect) {
            return Told::Wrong("this client has another `redirect_uri`");
        }
        let state = get("state");
        let fails = |error| self.answer(redirect, state, &[("error", error)]);
        if get("response_type") != Some("code") {
            return fails("unsupported_response_type");
        }
        let challenge = get("code_challenge").filter(|text| text.len() == 43);
        let (Some(challenge), Some("S256")) = (challenge, get("code_challenge_method")) else {
            return fails("invalid_request");
        };
        let Some(resource) = self.resource(get("resource")) else {
            return fails("invalid_target");
        };
        let pending = Pending {
            granted: Granted {
                person: get("login_hint").unwrap_or(&self.person).to_owned(),
                client: id.to_owned(),
                scope: get("scope").unwrap_or_default().to_owned(),
                resource,
            },
            client_name: client.name,
            redirect: redirect.to_owned(),
            state: state.map(str::to_owned),
            challenge: challenge.to_owned(),
        };
        if self.agrees {
            return self.agreed(pending);
        }
        let Ok(ticket) = random() else {
            return fails("server_error");
        };
        let page = page(&ticket, &pending);
        match self.pending.put(ticket, pending) {
            Some(()) => Told::Page(page),
            None => fails("temporarily_unavailable"),
        }
    }

    /// The answer of the person, on the page that only they have seen.
    pub(super) fn decide(&self, form: &Form) -> Told {
        let ticket = form.get("ticket").map_or("", String::as_str);
        let Some(mut pending) = self.pending.take(ticket) else {
            return Told::Wrong("this page was answered already, or is too old");
        };
        if form.get("answer").map(String::as_str) != Some("yes") {
            let state = pending.state.as_deref();
            return self.answer(&pending.redirect, state, &[("error", "access_denied")]);
        }
        if let Some(person) = form.get("person").filter(|name| !name.is_empty()) {
            pending.granted.person = person.chars().take(100).collect();
        }
        self.agreed(pending)
    }

    fn agreed(&self, pending: Pending) -> Told {
        let fails = |error| {
            self.answer(
                &pending.redirect,
                pending.state.as_deref(),
                &[("error", error)],
            )
        };
        let Ok(code) = random() else {
            return fails("server_error");
        };
        let told = self.answer(
            &pending.redirect,
            pending.state.as_deref(),
            &[("code", &code)],
        );
        let kept = Code {
            granted: pending.granted.clone(),
            redirect: pending.redirect.clone(),
            challenge: pending.challenge.clone(),
        };
        match self.codes.put(code, kept) {
            Some(()) => told,
            None => fails("temporarily_unavailable"),
        }
    }

    fn answer(&self, redirect: &str, state: Option<&str>, pairs: &[(&str, &str)]) -> Told {
        let Ok(mut url) = Url::parse(redirect) else {
            return Told::Wrong("this is no `redirect_uri`");
        };
        let mut query = url.query_pairs_mut();
        query.extend_pairs(pairs);
        query.append_pair("iss", &self.url);
        if let Some(state) = state {
            query.append_pair("state", state);
        }
        drop(query);
        Told::Go(url.into())
    }
}

fn page(ticket: &str, pending: &Pending) -> String {
    let granted = &pending.granted;
    let scopes: String = granted
        .scope
        .split(' ')
        .filter(|scope| !scope.is_empty())
        .map(|scope| format!("<li><code>{}</code></li>", escaped(scope)))
        .collect();
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Development issuer</title>\
         <main><h1>Development issuer</h1>\
         <p><b>{}</b> (<code>{}</code>) asks to use <code>{}</code> for you, and will be answered at \
         <code>{}</code>.</p><ul>{scopes}</ul>\
         <form method=\"post\" action=\"/authorize/decide\">\
         <input type=\"hidden\" name=\"ticket\" value=\"{ticket}\">\
         <p><label>Log in as <input name=\"person\" value=\"{}\"></label></p>\
         <p><button name=\"answer\" value=\"yes\">Allow</button> \
         <button name=\"answer\" value=\"no\">Deny</button></p></form>\
         <p>Anybody may be anybody here. It is for trying things on this machine.</p></main></html>",
        escaped(&pending.client_name),
        escaped(&granted.client),
        escaped(&granted.resource),
        escaped(&pending.redirect),
        escaped(&granted.person),
    )
}

/// What a client calls itself is shown, and is never markup.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}
