//! Who the person at a browser is: authorization code with PKCE at the issuer of the callers'
//! tokens. The token that comes of it is held against the rules for a caller's token, and dropped:
//! the person is known as callers are, by issuer and subject.

use http::{HeaderValue, Request, header};

use super::{
    ResourceServer, Verifier,
    issuer::{As, Asked, Issuer},
};
use crate::{
    Result,
    auth::Principal,
    capability::{Opening, net::fetch::FetchSettings},
};

/// Signs persons in.
pub(crate) struct SignIn {
    issuer: Issuer,
    scopes: Vec<String>,
    verifier: Verifier,
}

/// What was declared of it, until the verifier is there.
pub(crate) struct Declared {
    client_id: String,
    scopes: Vec<String>,
    issuer: String,
    settings: FetchSettings,
}

impl ResourceServer {
    /// By what persons sign in, if they do.
    pub(crate) fn declared_sign_in(&self) -> Option<Declared> {
        Some(Declared {
            client_id: self.sign_in.clone()?,
            scopes: self.sign_in_scopes.clone(),
            issuer: self.issuer.clone(),
            settings: FetchSettings {
                max_response: Some(64 * 1024),
                ..self.settings()
            },
        })
    }

    /// The client by which persons sign in.
    pub(crate) fn signs_in_by(&self) -> Option<&str> {
        self.sign_in.as_deref()
    }

    /// By another, or at all.
    pub(crate) fn sign_in_by(&mut self, client_id: &str) {
        self.sign_in = Some(client_id.to_owned());
    }
}

impl Declared {
    /// Opens the way. `verifier` is made of the same declaration.
    pub(crate) fn open(self, verifier: &Verifier, opening: &mut Opening) -> Result<SignIn> {
        let this = As {
            client_id: &self.client_id,
            auth: None,
            in_browsers: true,
        };
        let issuer = Issuer::open("sdk/sign-in", &self.issuer, this, self.settings, opening)?;
        Ok(SignIn {
            issuer,
            scopes: self.scopes,
            verifier: verifier.clone(),
        })
    }
}

impl SignIn {
    /// The browser's way to the issuer.
    pub(crate) fn ask(&self, redirect: &str, more: &[String]) -> Result<Asked> {
        // No more than the page needs, and what the issuer insists on: to be somebody is no right
        // to do anything.
        let mut scopes = self.scopes.clone();
        scopes.extend(more.iter().filter(|s| !self.scopes.contains(s)).cloned());
        // RFC 8707: the token is for this server and no other.
        let resource = self.verifier.resource().url();
        self.issuer.ask(redirect, &scopes, Some(resource))
    }

    pub(crate) fn is_author(&self, said: Option<&str>) -> bool {
        self.issuer.is_author(said)
    }

    /// The person whose code this is.
    pub(crate) async fn person(
        &self,
        code: String,
        verifier: &str,
        redirect: &str,
    ) -> Option<Principal> {
        let resource = self.verifier.resource().url();
        let given = self
            .issuer
            .redeem(code, verifier, redirect, Some(resource))
            .await;
        let given = given.ok()?;
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", *given.access)).ok()?;
        bearer.set_sensitive(true);
        let request = Request::builder().header(header::AUTHORIZATION, bearer);
        let (head, ()) = request.body(()).ok()?.into_parts();
        let person = self.verifier.verify(&head).await.ok()?;
        // A program that asks for itself is nobody who could have read anything.
        (!person.is_client()).then_some(person)
    }
}
