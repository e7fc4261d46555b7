//! A browser goes to the issuer of the callers, and comes back as somebody.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, request::Parts};
use serde::{Deserialize, Serialize};

use super::{
    CALLBACK, Door, Entrance, Said, Session, html, html_page, nothing, plain, refused, see,
    unavailable,
};
use crate::{approval::Person, auth::oauth::SignIn};

/// What the browser carries to the issuer and back.
#[derive(Serialize, Deserialize)]
struct Begun {
    state: String,
    verifier: String,
    /// The page that it wanted to see.
    to: String,
    scopes: Vec<String>,
}

impl Entrance {
    /// Sends the browser to the issuer.
    pub(super) fn go_and_sign_in(
        &self,
        sign_in: &SignIn,
        headers: &HeaderMap,
        to: &str,
        scopes: &[String],
    ) -> Response<Bytes> {
        // What a tab before asked for stays asked for.
        let mut scopes = scopes.to_vec();
        let before = self.session(headers);
        scopes.extend(before.into_iter().flat_map(|session| session.scopes));
        scopes.sort_unstable();
        scopes.dedup();
        let Ok(asked) = sign_in.ask(&self.place.at(CALLBACK), &scopes) else {
            return unavailable();
        };
        let begun = Begun {
            state: asked.state,
            verifier: asked.verifier.to_string(),
            to: to.to_owned(),
            scopes,
        };
        let mut response = see(&asked.url);
        // Lax, since the issuer sends the browser back: what is in it is good for that once.
        self.carry(BEGUN, &begun, "Lax", &mut response);
        response
    }

    /// The issuer sent the browser back.
    pub(super) async fn signed_in(&self, head: &Parts) -> Response<Bytes> {
        let Door::SignIn(sign_in) = &self.door else {
            return nothing();
        };
        let mut response = match self.person(sign_in, head).await {
            Ok(response) => response,
            Err(control) => {
                let word = "You are not signed in. Open the link again.";
                refused(Some(control), plain(StatusCode::FORBIDDEN, word))
            }
        };
        self.drop_carried(BEGUN, &mut response);
        response
    }

    /// Who it is; or the check that says that it is nobody.
    async fn person(
        &self,
        sign_in: &SignIn,
        head: &Parts,
    ) -> Result<Response<Bytes>, &'static str> {
        let begun: Begun = self.carried(&head.headers, BEGUN).ok_or("sign-in/state")?;
        let said = Said::of(head);
        if !said.answers(&begun.state) {
            return Err("sign-in/state");
        }
        if !sign_in.is_author(said.issuer()) {
            return Err("sign-in/issuer");
        }
        let code = said.code().ok_or("sign-in/person")?;
        let principal = sign_in
            .person(code, &begun.verifier, &self.place.at(CALLBACK))
            .await
            .ok_or("sign-in/person")?;
        let has = |scope: &String| principal.has_scope(scope);
        let scopes = begun.scopes.iter().filter(|scope| has(scope)).cloned();
        let session = Session::of(
            Person::of(&principal),
            scopes.collect(),
            begun.scopes.clone(),
            self.session(&head.headers),
        );
        let Some(session) = session else {
            return Ok(unavailable());
        };
        let page = html::onward("You are signed in", "Go on", &begun.to);
        let mut page = html_page(StatusCode::OK, page);
        self.remember(&session, &mut page);
        Ok(page)
    }
}

const BEGUN: &str = "signing-in";
