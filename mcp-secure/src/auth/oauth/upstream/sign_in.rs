//! Who the person at a browser is: authorization code with PKCE at the issuer of the callers'
//! tokens. The token that comes of it is held against the rules for a caller's token, and dropped.

use http::{HeaderValue, Request, header};

use super::{
    desk::Begun,
    issuer::{Asked, Issuer},
};
use crate::{
    Result,
    auth::{Principal, ResourceServer, oauth::Verifier},
    capability::{Opening, net::fetch::FetchSettings},
};

/// Signs persons in.
pub(crate) struct SignIn {
    issuer: Issuer,
    scopes: Vec<String>,
    verifier: Verifier,
}

/// What the transport opened.
#[derive(Default)]
struct Opened(Option<SignIn>);

impl ResourceServer {
    /// What opens the way by which persons sign in, if there is one. To be called with the verifier
    /// that is made of the declaration.
    pub(crate) fn sign_in_opener(
        &self,
    ) -> Option<impl FnOnce(&Verifier, &mut Opening) -> Result<()> + use<>> {
        let (client_id, scopes) = self.sign_in.clone()?;
        let issuer = self.issuer.clone();
        let settings = FetchSettings {
            max_response: Some(64 * 1024),
            ..self.settings()
        };
        Some(move |verifier: &Verifier, opening: &mut Opening| {
            let client = (client_id.as_str(), None);
            let issuer = Issuer::open("sdk/connect-sign-in", &issuer, client, settings, opening)?;
            let sign_in = SignIn {
                issuer,
                scopes,
                verifier: verifier.clone(),
            };
            if let Some(opened) = opening.shared::<Opened>() {
                opened.0 = Some(sign_in);
            }
            Ok(())
        })
    }
}

/// The way by which persons sign in, if the transport opened one.
pub(crate) fn opened(opening: &mut Opening) -> Option<SignIn> {
    opening.shared::<Opened>()?.0.take()
}

impl SignIn {
    /// Where the server is, as browsers write it.
    pub(crate) fn origin(&self) -> String {
        self.verifier.resource().origin().to_owned()
    }

    pub(super) fn ask(&self, redirect: &str) -> Result<Asked> {
        self.issuer
            .ask(redirect, &self.scopes, Some(self.verifier.resource().url()))
    }

    pub(super) fn is_author(&self, said: Option<&str>) -> bool {
        self.issuer.is_author(said)
    }

    /// The person whose code this is.
    pub(super) async fn person(
        &self,
        code: String,
        begun: &Begun,
        redirect: &str,
    ) -> Option<Principal> {
        let resource = self.verifier.resource().url();
        let given = self
            .issuer
            .redeem(code, &begun.verifier, redirect, Some(resource))
            .await;
        let given = given.ok()?;
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", *given.access)).ok()?;
        bearer.set_sensitive(true);
        let request = Request::builder().header(header::AUTHORIZATION, bearer);
        let (head, ()) = request.body(()).ok()?.into_parts();
        let person = self.verifier.verify(&head).await.ok()?;
        // A program that asks for itself is nobody who could agree to anything.
        (!person.is_client()).then_some(person)
    }
}
