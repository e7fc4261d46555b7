//! HTTPS requests to one granted endpoint, and to nothing else.
//!
//! A [`Net`] handle stands for an endpoint that the operator granted, and one method, lent to
//! one call. There is no URL in it for a caller to change: the host is the granted one, the
//! path is a template in code below the granted prefix, and values are escaped or refused.
//! Names are resolved once for each connection; every answer must be an ordinary public
//! address, and the one that was judged is the one that is dialed. Redirects are not followed,
//! no proxy is asked, no cookies are kept, and no connection is shared with another grant.
//!
//! This room knows HTTP, TLS and the lease of a call; names, addresses and sockets are the
//! dialer's.
//!
//! ```text
//! grant, target   the operator's grant        request, path, multipart   what is asked
//! client, conn    how a request leaves        rule    what it may say
//! tls             who is believed             response, unpack, limits   what comes back
//! fetch           the SDK's own requests      outlet      what a program is lent
//! error           what is said on refusal
//! ```
//!
//! What it does not cover: what an endpoint does with a request, where its own redirects of
//! data lead, and that a name of a wildcard is itself sent to name servers.

mod body;
mod client;
mod conn;
pub(crate) mod destination;
mod error;
pub(crate) mod fetch;
mod grant;
mod https_url;
mod limits;
mod multipart;
#[cfg(feature = "exec")]
mod outlet;
mod path;
mod request;
mod response;
mod rule;
mod target;
#[cfg(test)]
mod tests;
mod tls;
mod unpack;

use std::{fmt, marker::PhantomData, sync::Arc};

pub use http::{HeaderMap, HeaderValue, StatusCode};

pub use super::dial::{Special, judge};
pub use client::OpenNet;
pub use error::NetError;
pub use grant::NetGrant;
pub use https_url::HttpsUrl;
pub use limits::NetLimits;
pub use multipart::Multipart;
#[cfg(feature = "exec")]
pub(crate) use outlet::{Lendable, Outlet};
pub use request::Request;
pub use response::Response;
#[cfg(feature = "__bench")]
#[doc(hidden)]
pub use rule::__found;
pub use rule::EgressRule;
#[cfg(feature = "vault")]
pub(crate) use {
    request::is_forbidden,
    target::{Scheme, Target},
};

use self::client::{CallSide, conclude};
use super::{Capability, Facts, Handle, Step, sealed::Sealed};
use crate::{
    call::Call,
    error::{ToolError, ToolResult},
};

/// An HTTP endpoint that a server needs, declared with `#[capability(net = "https://…")]`.
pub trait Endpoint: Capability {
    /// The address in code: scheme, host (exact or `*.suffix`), port, path prefix. `None`: the
    /// operator names it.
    const URL: Option<&'static str>;
    /// The host may be a wildcard: whoever holds the handle chooses where data goes.
    const OPEN: bool;
    /// Private, loopback and other special addresses may be connected to.
    const ALLOW_PRIVATE: bool;
    /// What is spent at it, of the server's [vault](crate::vault).
    #[cfg(feature = "vault")]
    const CREDENTIAL: Option<crate::vault::Spends> = None;
}

/// What becomes of a redirect. Wherever it leads, scheme, host, port and path must be granted,
/// and the name is resolved and judged like the first one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Redirects {
    /// The response is the redirect.
    #[default]
    Off,
    /// It is followed on the same host; another one is refused.
    SameOrigin,
    /// It is followed to every host of a wildcard. Another host gets no header of the caller,
    /// no credentials and no body.
    Granted,
}

/// What a handle on an endpoint is for: one [`Method`] of requests, or [`Connect`].
pub trait Access: Sealed + Send + Sync + 'static {
    #[doc(hidden)]
    const NAME: &'static str;
    #[doc(hidden)]
    const WRITES: bool;
}

/// One method of HTTP: [`Get`], [`Head`], [`Post`], [`Put`], [`Patch`], [`Delete`].
pub trait Method: Access {
    #[doc(hidden)]
    fn method() -> http::Method;
}

/// A method whose requests have a body.
pub trait HasBody: Method {}

macro_rules! methods {
    ($($(#[$doc:meta])+ $name:ident = $method:ident, $text:literal, writes: $writes:literal $(, $body:ident)?;)+) => {$(
        $(#[$doc])+
        pub struct $name;
        impl Sealed for $name {}
        impl Access for $name {
            const NAME: &'static str = $text;
            const WRITES: bool = $writes;
        }
        impl Method for $name {
            fn method() -> http::Method {
                http::Method::$method
            }
        }
        $(impl $body for $name {})?
    )+};
}

methods! {
    /// Reading.
    Get = GET, "GET", writes: false;
    /// Reading the headers only.
    Head = HEAD, "HEAD", writes: false;
    /// Doing whatever the endpoint says a `POST` does. Nobody else knows, so it counts as
    /// something that can destroy.
    Post = POST, "POST", writes: true, HasBody;
    /// Replacing.
    Put = PUT, "PUT", writes: true, HasBody;
    /// Changing.
    Patch = PATCH, "PATCH", writes: true, HasBody;
    /// Deleting.
    Delete = DELETE, "DELETE", writes: true, HasBody;
}

/// Bytes in both directions, for a program that speaks to the endpoint itself: what
/// `Command::lend` of a granted program takes (feature `exec`). A handle for it sends no
/// requests.
///
/// Nothing of what is said inside is seen, so it counts as writing and as something that can
/// destroy, whatever the program does; and a grant that says more of its requests than scheme,
/// host and port cannot be lent.
pub struct Connect;

impl Sealed for Connect {}
impl Access for Connect {
    const NAME: &'static str = "CONNECT";
    const WRITES: bool = true;
}

/// An endpoint and a method, lent to one call.
///
/// When the call ends, so does the handle: everything then answers [`NetError::Revoked`], and
/// what is under way is cut off.
///
/// ```
/// use mcp_secure::{capability::net::{Endpoint, Get, Net}, ToolResult};
///
/// async fn stars<E: Endpoint>(api: Net<E, Get>, owner: &str, repo: &str) -> ToolResult<u64> {
///     let response = api
///         .path("/repos/{owner}/{repo}")
///         .segment("owner", owner)
///         .segment("repo", repo)
///         .send()
///         .await?;
///     let about: mcp_secure::serde_json::Value = response.json().await?;
///     Ok(about["stargazers_count"].as_u64().unwrap_or_default())
/// }
/// ```
pub struct Net<E, M> {
    open: Arc<OpenNet>,
    call: Arc<CallSide>,
    of: PhantomData<fn() -> (E, M)>,
}

impl<E: Endpoint, M: Method> Net<E, M> {
    /// A request to a path below the granted one: a template such as `/users/{id}/repos`, with
    /// one [`segment`](Request::segment) for each name in braces.
    pub fn path(&self, template: &'static str) -> Request<E, M> {
        Request::new(self.clone(), template)
    }

    /// Books a request that was refused before there was one.
    fn refused(&self, template: &'static str, error: &NetError) {
        let target = &self.open.target;
        let entry = self.call.trail.begin(Step {
            kind: "net",
            file: None,
            capability: E::NAME,
            action: format!("{} {target}{template}", M::NAME),
            outcome: "failed",
            control: None,
            detail: None,
            bytes_in: 0,
            bytes_out: 0,
        });
        conclude(&entry, error);
    }
}

impl<E, M> Clone for Net<E, M> {
    fn clone(&self) -> Self {
        Self {
            open: Arc::clone(&self.open),
            call: Arc::clone(&self.call),
            of: PhantomData,
        }
    }
}

impl<E: Endpoint, M: Access> fmt::Debug for Net<E, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Net({}, {})", E::NAME, M::NAME)
    }
}

impl<E: Endpoint, M: Access> Sealed for Net<E, M> {}

impl<E: Endpoint, M: Access> Handle for Net<E, M> {
    const FACTS: &'static [Facts] = &[Facts {
        capability: E::NAME,
        access: M::NAME,
        writes: M::WRITES,
        destructive: M::WRITES,
        open_world: true,
        private: E::PRIVATE,
        open_sink: E::OPEN,
        needs_approval: M::WRITES,
        ..Facts::inert("net")
    }];

    fn lend(call: &mut Call) -> ToolResult<Self> {
        let open = call.grants.get::<E, OpenNet>().ok_or_else(|| {
            ToolError::internal(format_args!("no grant for capability `{}`", E::NAME))
        })?;
        Ok(Self {
            open,
            call: Arc::new(CallSide {
                lease: call.lease.clone(),
                trail: call.trail.clone(),
                checked: Arc::clone(&call.checked),
                #[cfg(feature = "vault")]
                caller: Some(call.principal.clone()),
                #[cfg(feature = "oauth")]
                inbound: call.inbound.clone(),
            }),
            of: PhantomData,
        })
    }
}

/// For the benchmark. Not part of the API.
#[cfg(feature = "__bench")]
#[doc(hidden)]
pub mod __bench {
    use std::path::Path;

    use super::{Access, Endpoint, Net, NetGrant};
    use crate::{
        auth::Principal,
        call::Call,
        capability::{Asked, Grant, Grants, Handle as _, Opening, Rights},
        error::{Error, Result},
    };

    /// A handle without a server.
    pub fn lend<E: Endpoint, M: Access>(grant: NetGrant<E>, url: &str) -> Result<Net<E, M>> {
        let grant = Grant::from(grant);
        let base = Path::new("/");
        let asked = Asked {
            written: url.as_ref(),
            base,
        };
        let binding = grant.source.bind(Some(&asked), base)?;
        let mut opening = Opening::default();
        let open = grant
            .source
            .open(&binding, Rights::default(), &mut opening)?;
        let mut grants = Grants::default();
        grants.insert(grant.type_id, open);
        let mut call = Call::outside_of_requests(grants.into(), Principal::local_user());
        Net::lend(&mut call).map_err(|_| Error::new("the handle cannot be lent"))
    }

    /// The same beside a vault.
    #[cfg(feature = "vault")]
    pub fn lend_with<E: Endpoint, M: Access>(
        grant: NetGrant<E>,
        url: &str,
        vault: Option<&crate::vault::Vault>,
    ) -> Result<Net<E, M>> {
        let grant = Grant::from(grant);
        let base = Path::new("/");
        let asked = Asked {
            written: url.as_ref(),
            base,
        };
        let binding = grant.source.bind(Some(&asked), base)?;
        let mut opening = Opening::default();
        if let Some(vault) = vault {
            vault.enter(&mut opening)?;
        }
        let open = grant
            .source
            .open(&binding, Rights::default(), &mut opening)?;
        crate::vault::Vault::leave(&mut opening)?;
        let mut grants = Grants::default();
        grants.insert(grant.type_id, open);
        let mut call = Call::outside_of_requests(grants.into(), Principal::local_user());
        Net::lend(&mut call).map_err(|_| Error::new("the handle cannot be lent"))
    }
}

/// For the fuzz targets. Not part of the API.
#[cfg(feature = "__bench")]
#[doc(hidden)]
pub mod __fuzz {
    use super::{path, target::Target};

    /// The one form of a URL that may be granted.
    pub fn target(written: &str) -> Option<String> {
        Target::parse(written, true)
            .ok()
            .map(|target| target.to_string())
    }

    /// Whether all that the first grants is granted by the second.
    pub fn is_inside(inner: &str, outer: &str) -> bool {
        match (Target::parse(inner, true), Target::parse(outer, true)) {
            (Ok(inner), Ok(outer)) => inner.is_inside(&outer),
            _ => false,
        }
    }

    /// Where a redirect leads under a grant: host, path and query.
    pub fn admit(granted: &str, url: &url::Url) -> Option<(String, String)> {
        Target::parse(granted, true).ok()?.admit(url).ok()
    }

    /// A path from a template and its values.
    pub fn path(template: &str, values: &[(&str, String)]) -> Option<String> {
        path::build(template, values).ok()
    }

    /// A query of one pair.
    pub fn query(key: &str, value: &str) -> String {
        let mut query = String::new();
        path::pair(&mut query, key, value);
        query
    }
}
