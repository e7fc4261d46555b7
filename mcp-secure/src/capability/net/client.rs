//! One granted endpoint, open: how a request leaves and what must be true before it does.

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method as HttpMethod, Request, StatusCode, Uri, header,
    uri::PathAndQuery,
};
use hyper::body::Incoming;
use rmcp::model::JsonObject;
use rustls::ClientConfig;
use tokio::{sync::OwnedSemaphorePermit, time::Instant};
use tokio_rustls::TlsConnector;
use url::Url;

use super::{
    NetError, NetLimits, Redirects,
    body::{ByteStream, SendBody},
    conn::{Conn, Pool},
    limits::Gate,
    response::Response,
    rule::{Content, EgressRules, Outgoing},
    target::{Scheme, Target},
    tls, unpack,
};
#[cfg(feature = "oauth")]
use crate::auth::oauth::{DeclaredExchange, Exchanger};
#[cfg(feature = "vault")]
use crate::vault::{Purse, Spends, Spent};
use crate::{
    capability::{
        Lease, Opening, Step, Trail,
        dial::{self, DialRule, Peer, Route},
        trail::Entry,
    },
    error::Result,
};

/// How an endpoint is to be opened.
#[derive(Clone, Default)]
pub(super) struct Settings {
    /// What the dialer calls it, if not by its name.
    pub(super) rule: Option<String>,
    pub(super) allow_private: bool,
    pub(super) plain_public: bool,
    pub(super) tls13_only: bool,
    pub(super) ca_files: Vec<PathBuf>,
    pub(super) nameservers: Vec<std::net::SocketAddr>,
    pub(super) limits: NetLimits,
    pub(super) redirects: Redirects,
    pub(super) bearer: Option<HeaderValue>,
    #[cfg(feature = "oauth")]
    pub(super) exchange: Option<DeclaredExchange>,
    #[cfg(feature = "vault")]
    pub(super) credential: Option<Spends>,
    #[cfg(feature = "upstream")]
    pub(super) connect: Option<Arc<crate::auth::UpstreamOAuth>>,
    /// The certificate whose key the credential is.
    #[cfg(feature = "vault")]
    pub(super) certificate: Option<PathBuf>,
    /// Where the caller's own credential goes, if they enter it on a page.
    #[cfg(feature = "upstream")]
    pub(super) entered: Option<crate::vault::Placement>,
    pub(super) rules: EgressRules,
}

/// An endpoint that was granted: what [`Grants`](crate::capability::Grants) holds.
pub struct OpenNet {
    pub(super) name: &'static str,
    pub(super) target: Target,
    pub(super) limits: NetLimits,
    redirects: Redirects,
    pub(super) rules: EgressRules,
    bearer: Option<HeaderValue>,
    /// Has the bearer token of each caller.
    #[cfg(feature = "oauth")]
    exchange: Option<Exchanger>,
    #[cfg(feature = "vault")]
    credential: Option<Purse>,
    /// `None` without TLS.
    tls: Option<Arc<ClientConfig>>,
    plain_public: bool,
    route: Route,
    gate: Gate,
    pub(super) pool: Pool,
}

impl OpenNet {
    /// Opens an endpoint. The files of certificates are read now, before the sandbox closes.
    pub(super) fn open(
        name: &'static str,
        target: Target,
        settings: Settings,
        opening: &mut Opening,
    ) -> Result<Self> {
        let rule = DialRule {
            allow_private: settings.allow_private,
            connect_timeout: settings.limits.connect_timeout,
            nameservers: settings.nameservers,
            ..DialRule::new(
                settings.rule.as_deref().unwrap_or(name),
                target.host.clone(),
                target.port,
            )
        };
        #[cfg(feature = "oauth")]
        let exchange = match &settings.exchange {
            Some(declared) => Some(declared.open(name, opening)?),
            None => None,
        };
        #[cfg(feature = "vault")]
        let (credential, client) = match (settings.credential, &settings.certificate) {
            (Some(spends), Some(path)) => {
                let key = crate::vault::client_key(spends, &target, opening)?;
                (None, Some((path.as_path(), key)))
            }
            (Some(spends), None) => (Some(Purse::open(spends, &target, opening)?), None),
            (None, None) => (None, None),
            (None, Some(_)) => {
                return Err(
                    crate::Error::new("it has a client certificate, and no key for it")
                        .help("name the key with `.credential(…)`"),
                );
            }
        };
        #[cfg(feature = "upstream")]
        if let Some(placement) = &settings.entered {
            crate::connect::Key::open(name, settings.credential, placement, &target, opening)?;
        }
        #[cfg(feature = "upstream")]
        let credential = match &settings.connect {
            Some(declared) => Some(Purse::Connected(declared.open(name, &target, opening)?)),
            None => credential,
        };
        #[cfg(not(feature = "vault"))]
        let client = None;
        let tls = match target.scheme {
            Scheme::Https => Some(tls::config(
                &settings.ca_files,
                settings.tls13_only,
                client,
            )?),
            Scheme::Http => None,
        };
        Ok(Self {
            name,
            route: dial::route(rule, opening)?,
            gate: Gate::new(&settings.limits),
            target,
            limits: settings.limits,
            redirects: settings.redirects,
            rules: settings.rules,
            bearer: settings.bearer,
            #[cfg(feature = "oauth")]
            exchange,
            #[cfg(feature = "vault")]
            credential,
            tls,
            plain_public: settings.plain_public,
            pool: Pool::default(),
        })
    }

    /// Sends a request, follows what may be followed, and gives the response when its headers
    /// are there.
    pub(super) async fn send(
        self: &Arc<Self>,
        mut hop: Hop,
        call: &CallSide,
    ) -> std::result::Result<Response, NetError> {
        let deadline = Instant::now() + self.limits.timeout;
        let mut held = Held::default();
        let mut hops = 0;
        #[cfg(feature = "oauth")]
        let mut is_again = false;
        loop {
            let entry = self.begin(&hop, &call.trail);
            let sent = tokio::time::timeout_at(
                deadline,
                self.guarded(&mut hop, call, deadline, &mut held),
            );
            let sent = match sent.await {
                Ok(sent) => sent,
                Err(_) => Err(NetError::Timeout {
                    what: "the request",
                }),
            };
            let (conn, response, sent) = match sent {
                Ok(sent) => sent,
                Err(error) => {
                    conclude(&entry, &error);
                    return Err(error);
                }
            };
            entry.change(|step| {
                step.outcome = "ok";
                step.detail = Some(held.detail(response.status()));
                step.bytes_out = sent.load(std::sync::atomic::Ordering::Relaxed);
            });
            #[cfg(feature = "oauth")]
            if response.status() == StatusCode::UNAUTHORIZED && !hop.is_elsewhere && !is_again {
                is_again = true;
                let another = self.is_refused(call, &held);
                let another = tokio::time::timeout_at(deadline, another).await;
                // A body that is gone cannot be sent again; the next request has the other token.
                if another == Ok(true) && !matches!(hop.body, Payload::Stream(_)) {
                    #[cfg(feature = "vault")]
                    {
                        held.spent = None;
                    }
                    continue;
                }
            }
            match self.follow(&hop, response.status(), response.headers(), hops) {
                Ok(None) => {
                    let client = Arc::clone(self);
                    let response = Response::new(
                        client, hop.host, conn, response, call, entry, held, deadline,
                    );
                    return response;
                }
                Ok(Some(next)) => hop = next,
                Err(error) => {
                    conclude(&entry, &error);
                    return Err(error);
                }
            }
            hops += 1;
        }
    }

    /// The token that was sent is not taken, and so not sent again. Whether there is another one.
    #[cfg(feature = "oauth")]
    async fn is_refused(&self, call: &CallSide, held: &Held) -> bool {
        #[cfg(feature = "upstream")]
        if let (Some(purse), Some(spent)) = (&self.credential, &held.spent) {
            return purse.refused(call.caller.as_ref(), spent).await;
        }
        match (&self.exchange, &held.issued) {
            (Some(exchange), Some(sent)) => exchange.refused(call.inbound.as_ref(), sent),
            _ => false,
        }
    }

    /// One hop: everything that must be true before a byte leaves, then the exchange.
    async fn guarded(
        &self,
        hop: &mut Hop,
        call: &CallSide,
        deadline: Instant,
        held: &mut Held,
    ) -> std::result::Result<Exchanged, NetError> {
        if !call.lease.is_live() {
            return Err(NetError::Revoked);
        }
        self.check(hop, &call.checked)?;
        #[cfg(feature = "vault")]
        if let Some(purse) = &self.credential {
            let spent = match &held.spent {
                Some(spent) => spent,
                None => {
                    let spent = purse.spent(call.caller.as_ref()).await?;
                    // What is the server's own is known since the start.
                    if spent.is_of_caller() {
                        spent.remember();
                    }
                    held.spent.insert(spent)
                }
            };
            if spent.is_in(&hop.headers, &hop.path) {
                return Err(NetError::Credential);
            }
        }
        let passed = self.gate.pass(deadline).await?;
        held.permit.get_or_insert(passed);
        let limit = self.limits.max_request;
        let body = match &mut hop.body {
            Payload::None => SendBody::empty(),
            Payload::Bytes(bytes) if bytes.len() as u64 > limit => {
                return Err(NetError::Size {
                    what: "request",
                    limit,
                });
            }
            Payload::Bytes(bytes) => SendBody::bytes(bytes.clone()),
            Payload::Stream(stream) => match stream.take() {
                Some(stream) => SendBody::stream(stream, limit, call.lease.clone()),
                None => {
                    return Err(NetError::Redirect {
                        reason: "would need a body that is gone",
                    });
                }
            },
        };
        let sent = body.sent();
        let mut request = self.request(hop, body)?;
        #[cfg(feature = "oauth")]
        if let Some(exchange) = &self.exchange
            && !hop.is_elsewhere
        {
            let value = exchange.authorization(call.inbound.as_ref()).await?;
            held.issued = Some(value.clone());
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        // Last: whatever was to be refused is refused, and only the host of the grant is left.
        #[cfg(feature = "vault")]
        if let Some(spent) = &held.spent
            && !hop.is_elsewhere
        {
            spent.spend(&mut request)?;
        }
        loop {
            let (mut conn, is_new) = match self.pool.take(&hop.host).await {
                Some(conn) => (conn, false),
                None => (self.connect(&hop.host).await?, true),
            };
            match conn.send(request, &call.lease, deadline).await {
                Ok(response) => return Ok((conn, response, sent)),
                // The server closed while the connection was idle, and saw nothing.
                Err((_, Some(unsent))) if !is_new => request = unsent,
                Err(_) if !call.lease.is_live() => return Err(NetError::Revoked),
                Err((error, _)) => return Err(error),
            }
        }
    }

    /// Holds what is sent against the rules of the grant: path and query as they are on the
    /// wire, so that a redirect is held to them too.
    fn check(&self, hop: &Hop, arguments: &JsonObject) -> std::result::Result<(), NetError> {
        if self.rules.is_empty() {
            return Ok(());
        }
        let (path, query) = hop.path.split_once('?').unwrap_or((&hop.path, ""));
        let path = path.strip_prefix(&self.target.prefix).unwrap_or(path);
        let segments: Vec<String> = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(unescaped)
            .collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let query: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        let headers: Vec<(String, String)> = hop
            .headers
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), value)
            })
            .collect();
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let outgoing = Outgoing {
            headers: &headers,
            method: hop.method.as_str(),
            path: &segments,
            query: &query,
            body: match &hop.said {
                Said::Nothing => Content::Empty,
                Said::Json(value) => Content::Json(value),
                Said::Fields { fields, files } => Content::Fields {
                    fields,
                    files: *files,
                },
                Said::Text(text) => Content::Text(text),
                Said::Opaque => Content::Opaque,
            },
        };
        self.rules
            .check(&outgoing, arguments)
            .map_err(|detail| NetError::Content { detail })
    }

    fn request(
        &self,
        hop: &Hop,
        body: SendBody,
    ) -> std::result::Result<Request<SendBody>, NetError> {
        let wrong = |_| NetError::Path {
            name: hop.template.to_owned(),
            reason: "is not a path with these values",
        };
        let path = PathAndQuery::try_from(hop.path.as_str()).map_err(wrong)?;
        let authority = self.target.authority(&hop.host);
        let host = HeaderValue::from_str(&authority).map_err(|_| NetError::Host)?;
        let mut request = Request::new(body);
        *request.method_mut() = hop.method.clone();
        *request.uri_mut() = Uri::from(path);
        let headers = request.headers_mut();
        headers.insert(header::HOST, host);
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        headers.insert(
            header::ACCEPT_ENCODING,
            HeaderValue::from_static(unpack::ACCEPTED),
        );
        for (name, value) in &hop.headers {
            headers.insert(name.clone(), value.clone());
        }
        if let Some(bearer) = &self.bearer
            && !hop.is_elsewhere
        {
            headers.insert(header::AUTHORIZATION, bearer.clone());
        }
        Ok(request)
    }

    /// Dials, for a program that speaks itself.
    #[cfg(feature = "exec")]
    pub(super) async fn dial(
        &self,
        host: &str,
    ) -> std::result::Result<dial::Dialed, dial::DialError> {
        self.route.dial(host).await
    }

    /// One more exchange, within the limits that all of this grant share.
    #[cfg(feature = "exec")]
    pub(super) async fn pass(
        &self,
        deadline: Instant,
    ) -> std::result::Result<OwnedSemaphorePermit, NetError> {
        self.gate.pass(deadline).await
    }

    /// Dials, and makes sure of who is there.
    async fn connect(&self, host: &str) -> std::result::Result<Conn, NetError> {
        let connecting = async {
            let dialed = self.route.dial(host).await?;
            let Some(tls) = &self.tls else {
                // Private addresses are what plain HTTP was granted for. A name can move.
                if let Peer::Tcp(address) = &dialed.peer
                    && !self.plain_public
                    && dial::judge(address.ip()).is_ok()
                {
                    return Err(NetError::Tls {
                        detail: format!("plain HTTP to `{address}`, which is public"),
                    });
                }
                return Conn::new(dialed.stream, &self.limits).await;
            };
            let name = tls::server_name(host)?;
            let stream = TlsConnector::from(Arc::clone(tls))
                .connect(name, dialed.stream)
                .await
                .map_err(|error| tls::failed(&error))?;
            Conn::new(stream, &self.limits).await
        };
        tokio::time::timeout(self.limits.connect_timeout, connecting)
            .await
            .unwrap_or(Err(NetError::Timeout { what: "connecting" }))
    }

    /// Where a redirect leads, if it is to be followed.
    fn follow(
        &self,
        hop: &Hop,
        status: StatusCode,
        headers: &HeaderMap,
        hops: usize,
    ) -> std::result::Result<Option<Hop>, NetError> {
        let refused = |reason| NetError::Redirect { reason };
        let safe = matches!(hop.method, HttpMethod::GET | HttpMethod::HEAD);
        let follows = match status.as_u16() {
            301..=303 => safe,
            307 | 308 => true,
            _ => false,
        };
        if self.redirects == Redirects::Off || !follows {
            return Ok(None);
        }
        let Some(location) = headers.get(header::LOCATION) else {
            return Ok(None);
        };
        if hops >= MOST_HOPS {
            return Err(refused("is one too many"));
        }
        let location = location
            .to_str()
            .map_err(|_| refused("is not written in ASCII"))?;
        let here = format!("{}{}", self.target.origin(&hop.host), hop.path);
        let url = Url::parse(&here)
            .and_then(|here| here.join(location))
            .map_err(|_| refused("leads nowhere"))?;
        let (host, path) = self.target.admit(&url).map_err(refused)?;
        let is_elsewhere = hop.is_elsewhere || host != hop.host;
        if host != hop.host && self.redirects == Redirects::SameOrigin {
            return Err(refused("leads to another host"));
        }
        if is_elsewhere && !safe {
            // What was meant for one host is not for another, and without it the request is
            // not the request.
            return Err(refused("would take a body to another host"));
        }
        let body = match &hop.body {
            Payload::None => Payload::None,
            Payload::Bytes(bytes) => Payload::Bytes(bytes.clone()),
            Payload::Stream(_) => return Err(refused("would need a body that is gone")),
        };
        Ok(Some(Hop {
            method: hop.method.clone(),
            host,
            path,
            template: "(redirect)",
            headers: if is_elsewhere {
                HeaderMap::new()
            } else {
                hop.headers.clone()
            },
            body,
            said: hop.said.clone(),
            is_elsewhere,
        }))
    }

    /// Books an attempt before it is made.
    fn begin(&self, hop: &Hop, trail: &Trail) -> Entry {
        trail.begin(Step {
            kind: "net",
            file: None,
            capability: self.name,
            action: format!(
                "{} {}{}{}",
                hop.method,
                self.target.origin(&hop.host),
                self.target.prefix,
                hop.template
            ),
            outcome: "failed",
            control: None,
            detail: Some("not finished".to_owned()),
            bytes_in: 0,
            bytes_out: 0,
        })
    }
}

/// Says in the trail why an attempt came to nothing.
pub(super) fn conclude(entry: &Entry, error: &NetError) {
    entry.change(|step| {
        step.control = error.control();
        step.outcome = if step.control.is_some() {
            "denied"
        } else {
            "failed"
        };
        step.detail = error.detail();
    });
}

/// What a request has in its hands from its first hop on.
#[derive(Default)]
pub(super) struct Held {
    pub(super) permit: Option<OwnedSemaphorePermit>,
    /// What is found in what comes back, too.
    #[cfg(feature = "vault")]
    pub(super) spent: Option<Arc<Spent>>,
    /// What was sent of an issuer's.
    #[cfg(feature = "oauth")]
    issued: Option<HeaderValue>,
}

impl Held {
    /// What the audit says of a response.
    fn detail(&self, status: StatusCode) -> String {
        #[cfg(feature = "vault")]
        if let Some(spent) = &self.spent {
            return format!("{}, spent {}", status.as_str(), spent.label());
        }
        status.as_str().to_owned()
    }
}

/// The call that a request is made for.
pub(super) struct CallSide {
    pub(super) lease: Lease,
    pub(super) trail: Trail,
    pub(super) checked: Arc<JsonObject>,
    /// Whose credential is spent, where each has one.
    #[cfg(feature = "vault")]
    pub(super) caller: Option<crate::auth::Principal>,
    /// To be exchanged; never to be sent.
    #[cfg(feature = "oauth")]
    pub(super) inbound: Option<crate::auth::oauth::Inbound>,
}

/// One request, as it would be sent.
pub(super) struct Hop {
    pub(super) method: HttpMethod,
    pub(super) host: String,
    /// With the prefix and the query.
    pub(super) path: String,
    /// For the audit, which has no values.
    pub(super) template: &'static str,
    pub(super) headers: HeaderMap,
    pub(super) body: Payload,
    /// What the body says, for rules.
    pub(super) said: Said,
    /// A redirect has left the host that the caller named.
    pub(super) is_elsewhere: bool,
}

/// What a body says, as far as rules can read it. Made with the bytes and from the same value,
/// never read back from them: JSON with a key twice is two documents.
#[derive(Clone)]
pub(super) enum Said {
    Nothing,
    Json(serde_json::Value),
    Fields {
        fields: Vec<(String, String)>,
        files: bool,
    },
    Text(String),
    Opaque,
}

/// A segment without its escapes.
fn unescaped(segment: &str) -> String {
    let mut out = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let hex = |byte: u8| char::from(byte).to_digit(16);
        if let (b'%', [high, low, after @ ..]) = (first, after)
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
            && let Ok(byte) = u8::try_from(high * 16 + low)
        {
            out.push(byte);
            rest = after;
        } else {
            out.push(*first);
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// What is to be sent.
pub(super) enum Payload {
    None,
    Bytes(Bytes),
    /// `None` once it has been sent.
    Stream(Option<ByteStream>),
}

type Exchanged = (
    Conn,
    http::Response<Incoming>,
    Arc<std::sync::atomic::AtomicU64>,
);

/// Redirects of one request. Browsers stop at twenty; five has a reason left.
const MOST_HOPS: usize = 5;

const USER_AGENT: &str = concat!("mcp-secure/", env!("CARGO_PKG_VERSION"));
