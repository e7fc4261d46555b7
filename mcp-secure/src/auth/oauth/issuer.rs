//! An authorization server, as this server is a client of it: persons sign in there, and callers
//! have accounts there.

mod given;

use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    time::SystemTime,
};

#[cfg(feature = "upstream")]
use http::StatusCode;
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClientId, CsrfToken, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    Scope, TokenUrl, basic::BasicClient,
};
#[cfg(feature = "upstream")]
use oauth2::{DeviceAuthorizationUrl, RefreshToken, StandardDeviceAuthorizationResponse};
use url::Url;
use zeroize::Zeroizing;

pub(crate) use self::given::{Given, NotGiven};
use self::given::{failed, given};
#[cfg(feature = "upstream")]
use self::given::{read, words};
use super::{ClientAuth, client_auth::ClientKey, discovery::discover, json};
use crate::{
    capability::{
        Opening,
        net::fetch::{Client, FetchSettings},
    },
    error::{Error, Result},
};

/// Who this server is at an issuer.
pub(crate) struct As<'a> {
    pub(crate) client_id: &'a str,
    /// `None`: nobody in particular, a public client.
    pub(crate) auth: Option<&'a ClientAuth>,
    /// Persons are sent there with their browser: it has to have a place for them.
    pub(crate) in_browsers: bool,
}

/// An issuer, and who this server is there.
pub(crate) struct Issuer(Arc<Inner>);

struct Inner {
    client: Client,
    issuer: String,
    client_id: String,
    key: Option<ClientKey>,
    may_be_plain: bool,
    in_browsers: bool,
    endpoints: OnceLock<Endpoints>,
}

/// Where things are.
struct Endpoints {
    authorize: Option<String>,
    token: String,
    #[cfg(feature = "upstream")]
    revoke: Option<String>,
    #[cfg(feature = "upstream")]
    device: Option<String>,
    says_who_it_is: bool,
}

/// A browser's way to the issuer, and what has to be known when it comes back.
pub(crate) struct Asked {
    pub(crate) url: String,
    pub(crate) state: String,
    pub(crate) verifier: Zeroizing<String>,
}

/// A code for another device.
#[cfg(feature = "upstream")]
pub(crate) struct DeviceCode(pub(crate) StandardDeviceAuthorizationResponse);

impl Issuer {
    /// Opens the way to it. Where its endpoints are is asked before the server serves.
    pub(crate) fn open(
        name: &'static str,
        issuer: &str,
        this: As<'_>,
        mut settings: FetchSettings,
        opening: &mut Opening,
    ) -> Result<Self> {
        let mut key = None;
        if let Some(auth) = this.auth {
            (settings.authorization, key) = auth.credential.read_for(&auth.id, issuer, opening)?;
        }
        let may_be_plain = settings.allow_private;
        let inner = Arc::new(Inner {
            client: Client::open(name, issuer, settings, opening)?,
            issuer: issuer.to_owned(),
            client_id: this.client_id.to_owned(),
            key,
            may_be_plain,
            in_browsers: this.in_browsers,
            endpoints: OnceLock::new(),
        });
        let asked = Arc::clone(&inner);
        opening.ready.push(Box::pin(async move {
            asked.locate().await?;
            Ok(())
        }));
        Ok(Self(inner))
    }

    #[cfg(feature = "upstream")]
    pub(crate) fn url(&self) -> &str {
        &self.0.issuer
    }

    #[cfg(feature = "upstream")]
    pub(crate) fn client_id(&self) -> &str {
        &self.0.client_id
    }

    /// Whether the `iss` of an answer is this issuer's (RFC 9207). One that says that it names
    /// itself has to: the answer may be of another issuer, whose code would be sent here or whose
    /// token endpoint would get ours (mix-up).
    pub(crate) fn is_author(&self, said: Option<&str>) -> bool {
        match said {
            Some(said) => said == self.0.issuer,
            None => {
                let endpoints = self.0.endpoints.get();
                endpoints.is_some_and(|endpoints| !endpoints.says_who_it_is)
            }
        }
    }

    /// A way to the issuer, with a state and a challenge that nobody has seen (RFC 7636).
    pub(crate) fn ask(
        &self,
        redirect: &str,
        scopes: &[String],
        resource: Option<&str>,
    ) -> Result<Asked> {
        let endpoints = self.0.endpoints()?;
        let authorize = endpoints.authorize.clone().ok_or_else(|| {
            Error::new(format!(
                "the issuer `{}` has no authorization endpoint with `https://`",
                self.0.issuer
            ))
        })?;
        let client = self
            .0
            .oauth()?
            .set_auth_uri(AuthUrl::new(authorize).map_err(|_| no_url("authorization"))?)
            .set_redirect_uri(redirect_url(redirect)?);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut asking = client
            .authorize_url(CsrfToken::new_random)
            .set_pkce_challenge(challenge)
            .add_scopes(scopes.iter().cloned().map(Scope::new));
        if scopes.iter().any(|scope| scope == "offline_access") {
            // OpenID Connect Core section 11: without it the scope is ignored.
            asking = asking.add_extra_param("prompt", "consent");
        }
        if let Some(resource) = resource {
            asking = asking.add_extra_param("resource", resource.to_owned());
        }
        let (url, state) = asking.url();
        Ok(Asked {
            url: url.into(),
            state: state.secret().clone(),
            verifier: Zeroizing::new(verifier.secret().clone()),
        })
    }

    /// What a code is good for.
    pub(crate) async fn redeem(
        &self,
        code: String,
        verifier: &str,
        redirect: &str,
        resource: Option<&str>,
    ) -> std::result::Result<Given, NotGiven> {
        let client = self.0.oauth().map_err(failed)?;
        let redirect = redirect_url(redirect).map_err(failed)?;
        let client = client.set_redirect_uri(redirect);
        let mut asking = client
            .exchange_code(AuthorizationCode::new(code))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()));
        if let Some(resource) = resource {
            asking = asking.add_extra_param("resource", resource.to_owned());
        }
        given(asking.request_async(&Fetch(&self.0)).await)
    }

    /// What a refresh token is good for.
    #[cfg(feature = "upstream")]
    pub(crate) async fn refresh(
        &self,
        token: &str,
        resource: Option<&str>,
    ) -> std::result::Result<Given, NotGiven> {
        let client = self.0.oauth().map_err(failed)?;
        let token = RefreshToken::new(token.to_owned());
        let mut asking = client.exchange_refresh_token(&token);
        if let Some(resource) = resource {
            asking = asking.add_extra_param("resource", resource.to_owned());
        }
        given(asking.request_async(&Fetch(&self.0)).await)
    }

    /// A code for another device (RFC 8628).
    #[cfg(feature = "upstream")]
    pub(crate) async fn device_code(
        &self,
        scopes: &[String],
        resource: Option<&str>,
    ) -> Result<DeviceCode> {
        let endpoint = self.0.endpoints()?.device.clone();
        let endpoint = endpoint.ok_or_else(|| {
            Error::new(format!(
                "the issuer `{}` has no device authorization endpoint",
                self.0.issuer
            ))
            .help("leave `.device()` away")
        })?;
        let endpoint = DeviceAuthorizationUrl::new(endpoint).map_err(|_| no_url("device"))?;
        let client = self.0.oauth()?.set_device_authorization_url(endpoint);
        let mut asking = client
            .exchange_device_code()
            .add_scopes(scopes.iter().cloned().map(Scope::new));
        if let Some(resource) = resource {
            asking = asking.add_extra_param("resource", resource.to_owned());
        }
        let answer: StandardDeviceAuthorizationResponse = asking
            .request_async(&Fetch(&self.0))
            .await
            .map_err(|error| Error::new(words(error)))?;
        let complete = answer.verification_uri_complete().map(|url| url.secret());
        let pages = [
            Some(answer.verification_uri().as_str()),
            complete.map(String::as_str),
        ];
        let is_page = |url: &str| is_for_browsers(url, self.0.may_be_plain);
        if !pages.into_iter().flatten().all(is_page) {
            return Err(Error::new("the issuer sends persons to what is no page"));
        }
        Ok(DeviceCode(answer))
    }

    /// Waits until the person has typed the code, as slowly as the issuer wants to be asked.
    #[cfg(feature = "upstream")]
    pub(crate) async fn poll(
        &self,
        code: &DeviceCode,
        resource: Option<&str>,
    ) -> std::result::Result<Given, NotGiven> {
        let client = self.0.oauth().map_err(failed)?;
        let mut asking = client.exchange_device_access_token(&code.0);
        if let Some(resource) = resource {
            asking = asking.add_extra_param("resource", resource.to_owned());
        }
        let answered = asking
            .request_async(&Fetch(&self.0), tokio::time::sleep, Some(LONGEST_CODE))
            .await;
        // A code that was not typed in time is no grant that was taken back.
        read(answered.map_err(|error| NotGiven::Failed(words(error)))?)
    }

    /// Takes a token back (RFC 7009). `false`: the issuer knows no such request.
    #[cfg(feature = "upstream")]
    pub(crate) async fn revoke(&self, token: &str, hint: &str) -> Result<bool> {
        let Some(endpoint) = &self.0.endpoints()?.revoke else {
            return Ok(false);
        };
        let form = [
            ("token", token),
            ("token_type_hint", hint),
            ("client_id", self.0.client_id.as_str()),
        ];
        let answer = self.0.post(endpoint, &form).await?;
        match answer.status() {
            StatusCode::OK => Ok(true),
            status => Err(Error::new(format!(
                "the issuer did not take the token back: it answers {}",
                status.as_u16()
            ))),
        }
    }
}

impl Inner {
    async fn locate(&self) -> Result<()> {
        let metadata = discover(&self.client, &self.issuer).await?;
        let missing = |what: &str| {
            Error::new(format!(
                "the issuer `{}` has no {what} at its own origin",
                self.issuer
            ))
            .help("compare the issuer with what its operator documents")
        };
        let own = |url: Option<String>| url.filter(|url| self.client.own(url).is_some());
        let token = own(metadata.token_endpoint).ok_or_else(|| missing("token endpoint"))?;
        let authorize = metadata
            .authorization_endpoint
            .filter(|url| is_for_browsers(url, self.may_be_plain));
        if self.in_browsers && authorize.is_none() {
            return Err(Error::new(format!(
                "the issuer `{}` has no authorization endpoint with `https://`, and persons are to \
                 be sent there",
                self.issuer
            ))
            .help("compare the issuer with what its operator documents"));
        }
        let _ = self.endpoints.set(Endpoints {
            authorize,
            token,
            #[cfg(feature = "upstream")]
            revoke: own(metadata.revocation_endpoint),
            #[cfg(feature = "upstream")]
            device: own(metadata.device_authorization_endpoint),
            says_who_it_is: metadata.says_who_it_is,
        });
        Ok(())
    }

    fn endpoints(&self) -> Result<&Endpoints> {
        let endpoints = self.endpoints.get();
        endpoints.ok_or_else(|| Error::new("the issuer was not asked where its endpoints are"))
    }

    fn oauth(
        &self,
    ) -> Result<
        BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>,
    > {
        let token = self.endpoints()?.token.clone();
        let token = TokenUrl::new(token).map_err(|_| no_url("token"))?;
        Ok(BasicClient::new(ClientId::new(self.client_id.clone()))
            .set_token_uri(token)
            // A secret goes into the header, where the way to the issuer puts it; a public client
            // has none.
            .set_auth_type(AuthType::RequestBody))
    }

    /// Sends a form by the way that all requests of the SDK go, to an endpoint of this origin.
    async fn post(&self, url: &str, form: &[(&str, &str)]) -> Result<http::Response<Vec<u8>>> {
        let path = self.client.own(url);
        let path = path.ok_or_else(|| Error::new("an endpoint is not at its issuer"))?;
        let mut form = form.to_vec();
        let assertion = match &self.key {
            Some(key) => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                let now = now.map_or(0, |since| since.as_secs());
                let signed = key.assertion(&self.client_id, &self.issuer, now);
                Some(signed.ok_or_else(|| Error::new("the assertion could not be signed"))?)
            }
            None => None,
        };
        if let Some(assertion) = &assertion {
            form.push(("client_assertion_type", JWT_BEARER));
            form.push(("client_assertion", assertion));
        }
        let fetched = self.client.post_form(&path, &form).await;
        let fetched =
            fetched.map_err(|error| Error::new(format!("the issuer does not answer: {error}")))?;
        let mut response = http::Response::new(fetched.body.to_vec());
        *response.status_mut() = fetched.status;
        if let Some(kind) = fetched.headers.get(http::header::CONTENT_TYPE) {
            let headers = response.headers_mut();
            headers.insert(http::header::CONTENT_TYPE, kind.clone());
        }
        Ok(response)
    }
}

/// What the `oauth2` crate sends goes the way that all requests of the SDK go.
struct Fetch<'a>(&'a Inner);

impl<'c> AsyncHttpClient<'c> for Fetch<'_> {
    type Error = Error;
    type Future =
        Pin<Box<dyn Future<Output = std::result::Result<HttpResponse, Error>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let pairs: Vec<(String, String)> = url::form_urlencoded::parse(request.body())
                .into_owned()
                .collect();
            let pairs: Vec<(&str, &str)> = pairs
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            let answer = self.0.post(&request.uri().to_string(), &pairs).await?;
            // Read as strictly as all that an issuer says: no key twice.
            json::object(answer.body())
                .ok_or_else(|| Error::new("the issuer answered with what is no object"))?;
            Ok(answer)
        })
    }
}

fn redirect_url(url: &str) -> Result<RedirectUrl> {
    RedirectUrl::new(url.to_owned()).map_err(|_| no_url("redirect"))
}

fn no_url(what: &str) -> Error {
    Error::new(format!("the {what} endpoint is no URL"))
}

/// Whether a browser may be sent there: `javascript:` and its like are URLs, too.
fn is_for_browsers(url: &str, may_be_plain: bool) -> bool {
    let Ok(url) = Url::parse(url) else {
        return false;
    };
    let is_scheme = url.scheme() == "https" || (may_be_plain && url.scheme() == "http");
    is_scheme && url.has_host() && url.username().is_empty() && url.password().is_none()
}

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long a person may take to type a code.
#[cfg(feature = "upstream")]
const LONGEST_CODE: std::time::Duration = std::time::Duration::from_secs(600);
