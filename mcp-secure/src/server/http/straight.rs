//! The straight road: a plain `tools/call` of the revision without sessions, handed to the
//! pipeline without `rmcp`'s service, tasks and channels.
//!
//! Only what is plainly in order travels here: one value of each header, the headers and the
//! body say the same (SEP-2243), the metadata is complete, nothing in it asks for messages
//! before the answer. Whatever is not is none of this file's business: it goes to `rmcp`, whose
//! checks and errors are the specification's. So this road can refuse nothing, and a request
//! that it takes is one that `rmcp` would have handed to the same method of the same handler.

use std::sync::OnceLock;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use rmcp::{
    RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, ClientCapabilities, ErrorCode, JsonObject, ProtocolVersion,
        RequestId, RequestMetaObject, ServerJsonRpcMessage, ServerResult,
    },
    service::{Peer, RequestContext, serve_directly},
};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::{
    body::Body,
    headers::{METHOD, NAME, PROTOCOL_VERSION},
    refusal::INTERNAL,
};
use crate::pipeline::LeavingCancels;

/// What all requests on this road share.
pub(crate) struct Straight {
    /// Nobody is at its other end: what asks for messages before the answer does not come here,
    /// and a message that is sent all the same fails.
    nobody: OnceLock<Peer<RoleServer>>,
    /// Ends what still runs when the server's time to drain is over.
    stop: CancellationToken,
}

/// A call that is plainly in order.
pub(crate) struct Plain {
    id: RequestId,
    meta: RequestMetaObject,
    params: CallToolRequestParams,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    jsonrpc: String,
    id: RequestId,
    method: String,
    params: Params,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    #[serde(rename = "_meta")]
    meta: JsonObject,
    name: String,
    #[serde(default)]
    arguments: Option<JsonObject>,
}

const CALL: &str = "tools/call";

impl Straight {
    pub(crate) fn new(stop: CancellationToken) -> Self {
        Self {
            nobody: OnceLock::new(),
            stop,
        }
    }

    /// The answer of the handler.
    pub(crate) async fn call<S: ServerHandler>(
        &self,
        handler: S,
        head: http::request::Parts,
        call: Plain,
    ) -> Response<Body> {
        let Plain { id, meta, params } = call;
        let nobody = self.nobody.get_or_init(nobody).clone();
        let mut context = RequestContext::new(id.clone(), nobody);
        context.ct = self.stop.child_token();
        context.meta = meta;
        context.extensions.insert(head);
        // The future is this request's own: it is dropped when the client goes away, which in
        // this revision is how a client cancels.
        context.extensions.insert(LeavingCancels);
        let (status, message) = match handler.call_tool(params, context).await {
            Ok(reply) => (
                StatusCode::OK,
                ServerJsonRpcMessage::response(ServerResult::from(reply), id),
            ),
            Err(error) => {
                let status = status_of(error.code);
                (status, ServerJsonRpcMessage::error(error, Some(id)))
            }
        };
        let Ok(text) = serde_json::to_vec(&message) else {
            return INTERNAL.response();
        };
        let mut response = Response::new(Body::constant(Bytes::from(text)));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, JSON);
        response
    }
}

/// Whether the head is of a plain call.
pub(crate) fn is_plain<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    let says = |name: &HeaderName, value: &str| {
        sole(headers, name).is_some_and(|v| v.as_bytes() == value.as_bytes())
    };
    request.method() == Method::POST
        && says(&PROTOCOL_VERSION, ProtocolVersion::V_2026_07_28.as_str())
        && says(&METHOD, CALL)
        && sole(headers, &header::ACCEPT).is_some_and(accepts_both)
}

impl Plain {
    /// Reads a call, if it is plain and says what its head says.
    pub(crate) fn read(headers: &HeaderMap, body: &[u8]) -> Option<Self> {
        let Message {
            jsonrpc,
            id,
            method,
            params,
        } = serde_json::from_slice(body).ok()?;
        let Params {
            meta,
            name,
            arguments,
        } = params;
        let named = sole(headers, &NAME)?.as_bytes();
        // A name in Base64 (`=?base64?…?=`) is compared by rmcp.
        let agrees = jsonrpc == "2.0"
            && method == CALL
            && named == name.as_bytes()
            && !named.starts_with(b"=?")
            && is_complete(&meta);
        if !agrees {
            return None;
        }
        let mut params = CallToolRequestParams::new(name);
        params.arguments = arguments;
        Some(Self {
            id,
            meta: RequestMetaObject::from(meta),
            params,
        })
    }
}

/// Whether the metadata has what the revision demands, and asks for nothing before the answer.
fn is_complete(meta: &JsonObject) -> bool {
    let version = meta.get(VERSION_KEY).and_then(serde_json::Value::as_str);
    let capabilities = meta.get(CAPABILITIES_KEY);
    version == Some(ProtocolVersion::V_2026_07_28.as_str())
        && capabilities.is_some_and(|it| ClientCapabilities::deserialize(it).is_ok())
        && !ASKS.iter().any(|key| meta.contains_key(*key))
}

/// The value of a header that occurs once.
fn sole<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// `application/json, text/event-stream`, in either order and without parameters.
fn accepts_both(value: &HeaderValue) -> bool {
    let (mut json, mut events) = (false, false);
    for range in value.as_bytes().split(|byte| *byte == b',') {
        let range = range.trim_ascii();
        json |= range.eq_ignore_ascii_case(b"application/json");
        events |= range.eq_ignore_ascii_case(b"text/event-stream");
    }
    json && events
}

/// As in `rmcp`: errors of the protocol have statuses of their own.
fn status_of(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::UNSUPPORTED_PROTOCOL_VERSION
        | ErrorCode::MISSING_REQUIRED_CLIENT_CAPABILITY
        | ErrorCode::HEADER_MISMATCH => StatusCode::BAD_REQUEST,
        ErrorCode::METHOD_NOT_FOUND => StatusCode::NOT_FOUND,
        _ => StatusCode::OK,
    }
}

/// A peer whose connection has ended.
fn nobody() -> Peer<RoleServer> {
    struct Nothing;
    impl ServerHandler for Nothing {}
    let ended = serve_directly(Nothing, (tokio::io::empty(), tokio::io::sink()), None);
    ended.peer().clone()
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";
/// What asks for messages before the answer.
const ASKS: [&str; 2] = ["progressToken", "io.modelcontextprotocol/logLevel"];

#[cfg(test)]
#[path = "straight/tests.rs"]
mod tests;
