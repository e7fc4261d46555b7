//! An OAuth 2.1 resource server: access tokens of one issuer, checked here.
//!
//! [`ResourceServer`] is what an author declares; [`Verifier`] is what a transport asks. This
//! room knows HTTP heads, tokens and issuers. It must never import a transport, a layer or a
//! tool, and no token of a caller leaves it: not in an error, not in a log, not in a [`Principal`].
//!
//! ```text
//! builder, resource   what the author declares    verifier    one request: token to principal
//! jws, json, key      the form of signed tokens   claims, scopes   what they must say
//! discovery, jwks     what is asked of an issuer  cache, clock     what is remembered
//! introspect, client_auth   opaque tokens         dpop             proof of possession
//! inbound, exchange   tokens for what is called   flights          one question at a time
//! issuer    an issuer, as we are a client of it   sign_in   persons, by their browser
//! upstream            accounts of callers at other servers
//! ```
//!
//! Sources: OAuth 2.1 section 5, RFC 6750, 7515 to 7519, 7662, 8414, 8705, 8707, 8725, 9068, 9449.
//!
//! [`Principal`]: super::Principal

mod algorithm;
mod builder;
mod cache;
mod claims;
mod client_auth;
mod clock;
mod discovery;
mod dpop;
mod error;
mod exchange;
mod flights;
mod inbound;
mod introspect;
pub(crate) mod issuer;
mod json;
mod jwks;
mod jws;
mod key;
mod resource;
mod scopes;
mod sign_in;
#[cfg(test)]
mod tests;
#[cfg(feature = "upstream")]
pub(crate) mod upstream;
mod verifier;

pub use algorithm::Algorithm;
pub use builder::ResourceServer;
pub use dpop::Dpop;
pub(crate) use error::{TokenError, TokenErrorKind};
pub use exchange::{ClientAuth, ClientCredentials, TokenExchange};
pub(crate) use exchange::{Declared as DeclaredExchange, Exchanger};
pub(crate) use inbound::{Inbound, InboundGuard, wanted as wanted_inbound};
pub use introspect::Introspection;
#[cfg(feature = "dev-issuer")]
pub(in crate::auth) use jws::encode;
pub(crate) use sign_in::SignIn;
#[cfg(feature = "upstream")]
pub use upstream::UpstreamOAuth;
pub(crate) use verifier::{Verdict, Verifier};
