//! Who the person is: authorization code with PKCE at the issuer of the callers' tokens. What
//! comes back is held against the same rules as a caller's token, so that the person at the
//! browser is known as callers are: by issuer and subject.
//!
//! Nothing is remembered here between going and coming back: the browser carries it, sealed, and
//! for ten minutes at most.

use std::sync::OnceLock;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header, request::Parts};
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClientId, CsrfToken, HttpRequest,
    HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, TokenResponse as _,
    TokenUrl, basic::BasicClient,
};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::{
    Door, PREFIX, Pages, Place,
    answer::{html_page, nothing, plain, see},
    cookie::{Cookies, Session},
    html, refused,
};
use crate::{
    Error, Result,
    approval::{Desk, Person},
    auth::oauth::{IssuerClient, Verifier},
};

/// Signs persons in.
pub(crate) struct SignIn {
    client_id: String,
    scopes: Vec<String>,
    verifier: Verifier,
    issuer: IssuerClient,
    place: OnceLock<Place>,
}

/// What the browser carries to the issuer and back.
#[derive(Serialize, Deserialize)]
struct Begun {
    state: String,
    verifier: String,
    id: String,
}

impl SignIn {
    pub(crate) fn new(
        client_id: &str,
        scopes: &[String],
        verifier: Verifier,
        issuer: IssuerClient,
    ) -> Self {
        Self {
            client_id: client_id.to_owned(),
            scopes: scopes.to_vec(),
            verifier,
            issuer,
            place: OnceLock::new(),
        }
    }

    /// Where the page is; said once, when the address is known.
    pub(crate) fn is_at(&self, place: &Place) {
        let _ = self.place.set(place.clone());
    }

    fn redirect(&self) -> String {
        let origin = self.place.get().map_or("", |place| place.origin.as_str());
        format!("{origin}{PREFIX}callback")
    }

    /// Sends the browser to the issuer.
    pub(super) fn begin(&self, desk: &Desk, cookies: &Cookies<'_>, id: &str) -> Response<Bytes> {
        let Ok(client) = self.client() else {
            return super::unavailable();
        };
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut asking = client
            .authorize_url(CsrfToken::new_random)
            .set_pkce_challenge(challenge)
            // RFC 8707: the token is for this server and no other.
            .add_extra_param("resource", self.verifier.resource().url().to_owned());
        // None, unless the issuer insists: to be somebody is no right to do anything.
        for scope in &self.scopes {
            asking = asking.add_scope(Scope::new(scope.clone()));
        }
        let (url, state) = asking.url();
        let begun = Begun {
            state: state.secret().clone(),
            verifier: verifier.secret().clone(),
            id: id.to_owned(),
        };
        let mut response = see(url.as_str());
        cookies.set_begun(desk, &begun, &mut response);
        response
    }

    fn client(
        &self,
    ) -> Result<
        BasicClient<
            oauth2::EndpointSet,
            oauth2::EndpointNotSet,
            oauth2::EndpointNotSet,
            oauth2::EndpointNotSet,
            oauth2::EndpointSet,
        >,
    > {
        let endpoints = self.issuer.endpoints()?;
        let wrong = |what: &str| Error::new(format!("the issuer's {what} is no URL"));
        let authorize = AuthUrl::new(endpoints.authorize.clone())
            .map_err(|_| wrong("authorization endpoint"))?;
        let token = TokenUrl::new(endpoints.token.clone()).map_err(|_| wrong("token endpoint"))?;
        let redirect = RedirectUrl::new(self.redirect()).map_err(|_| wrong("redirect"))?;
        Ok(BasicClient::new(ClientId::new(self.client_id.clone()))
            .set_auth_uri(authorize)
            .set_token_uri(token)
            // A public client: PKCE is what proves that it is the one that asked.
            .set_auth_type(AuthType::RequestBody)
            .set_redirect_uri(redirect))
    }

    /// The person whose code this is.
    async fn person(&self, code: &str, verifier: &str) -> Option<(Person, Vec<String>)> {
        let client = self.client().ok()?;
        let answer = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()))
            .add_extra_param("resource", self.verifier.resource().url().to_owned())
            .request_async(&Fetch(&self.issuer))
            .await
            .ok()?;
        let token = answer.access_token().secret();
        let mut bearer = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
        bearer.set_sensitive(true);
        let request = Request::builder().header(header::AUTHORIZATION, bearer);
        let (head, ()) = request.body(()).ok()?.into_parts();
        let principal = self.verifier.verify(&head).await.ok()?;
        // A program that asks for itself is nobody who could have read anything.
        let scopes = self
            .scopes
            .iter()
            .filter(|scope| principal.has_scope(scope));
        (!principal.is_client()).then(|| (Person::of(&principal), scopes.cloned().collect()))
    }
}

impl Pages {
    /// The issuer sent the browser back.
    pub(super) async fn callback(&self, head: &Parts) -> Response<Bytes> {
        let Door::SignIn(sign_in) = &self.door else {
            return nothing();
        };
        let cookies = self.cookies(&head.headers);
        let Some(begun) = cookies.begun::<Begun>(&self.desk) else {
            return plain(
                StatusCode::BAD_REQUEST,
                "this browser did not begin to sign in here; open the link again",
            );
        };
        let (mut code, mut state, mut issuer, mut failed) = (None, None, None, false);
        let query = head.uri.query().unwrap_or_default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let place = match &*name {
                "code" => &mut code,
                "state" => &mut state,
                "iss" => &mut issuer,
                "error" => {
                    failed = true;
                    continue;
                }
                _ => continue,
            };
            // A parameter that comes twice means two things.
            if place.replace(value.into_owned()).is_some() {
                failed = true;
            }
        }
        // Somebody else's code would make this browser somebody else (RFC 6749 section 10.12).
        let is_ours =
            state.is_some_and(|state| state.as_bytes().ct_eq(begun.state.as_bytes()).into());
        // An answer of another issuer (RFC 9207).
        let is_theirs = issuer.is_none_or(|issuer| issuer == sign_in.verifier.issuer());
        let mut response = match code {
            Some(code) if is_ours && is_theirs && !failed => {
                match sign_in.person(&code, &begun.verifier).await {
                    Some((person, scopes)) => match Session::new(Some(person), scopes) {
                        Some(session) => {
                            let path = format!("{PREFIX}{}", begun.id);
                            let mut page = html_page(StatusCode::OK, html::onward(&path));
                            cookies.set_session(&self.desk, &session, &mut page);
                            page
                        }
                        None => super::unavailable(),
                    },
                    None => self.not_signed_in(),
                }
            }
            _ => self.not_signed_in(),
        };
        cookies.forget_begun(&mut response);
        response
    }

    fn not_signed_in(&self) -> Response<Bytes> {
        let answer = plain(
            StatusCode::FORBIDDEN,
            "you are not signed in; open the link again",
        );
        refused(Some("approve/sign-in"), answer)
    }
}

/// What the `oauth2` crate sends goes the way that all requests of the SDK go.
struct Fetch<'a>(&'a IssuerClient);

impl<'c> AsyncHttpClient<'c> for Fetch<'_> {
    type Error = Error;
    type Future = std::pin::Pin<
        Box<dyn Future<Output = std::result::Result<HttpResponse, Error>> + Send + 'c>,
    >;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let pairs: Vec<(String, String)> = url::form_urlencoded::parse(request.body())
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect();
            let pairs: Vec<(&str, &str)> = pairs
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            self.0.token(&pairs).await
        })
    }
}
