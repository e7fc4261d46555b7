//! Both roads give one answer: each row is sent down the leaf, and to `rmcp` alone.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use rmcp::model::{CallToolResponse, CallToolResult, ErrorData, ServerCapabilities, ServerConfig};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::server::http::{HttpLimits, rmcp_leaf::Leaf, session_cap::BoundedSessions};

/// Tells what it was given, or fails as it is told to.
#[derive(Clone)]
struct Echo;

impl ServerHandler for Echo {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    fn supported_protocol_versions(&self) -> std::borrow::Cow<'static, [ProtocolVersion]> {
        vec![ProtocolVersion::V_2026_07_28].into()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let code = match &*request.name {
            "missing" => Some(ErrorCode::RESOURCE_NOT_FOUND),
            "unknown" => Some(ErrorCode::METHOD_NOT_FOUND),
            "invalid" => Some(ErrorCode::INVALID_PARAMS),
            "incapable" => Some(ErrorCode::MISSING_REQUIRED_CLIENT_CAPABILITY),
            "header" => Some(ErrorCode::HEADER_MISMATCH),
            "revision" => Some(ErrorCode::UNSUPPORTED_PROTOCOL_VERSION),
            "broken" => Some(ErrorCode::INTERNAL_ERROR),
            _ => None,
        };
        if let Some(code) = code {
            return Err(ErrorData::new(code, "no", Some(json!({ "why": "asked" }))));
        }
        let head = context.extensions.get::<http::request::Parts>().unwrap();
        let mut names: Vec<&str> = head.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        Ok(CallToolResult::structured(json!({
            "name": request.name,
            "arguments": request.arguments,
            "id": context.id,
            "meta": context.meta,
            "version": context.protocol_version(),
            "client": context.client_info(),
            "capabilities": context.client_capabilities(),
            "cancelled": context.ct.is_cancelled(),
            "headers": names,
            "state": request.request_state,
        }))
        .into())
    }
}

const VERSION: &str = "2026-07-28";

/// With the client's name: without it `rmcp` would put its own in its place.
fn meta() -> Value {
    json!({
        VERSION_KEY: VERSION,
        CAPABILITIES_KEY: {},
        "io.modelcontextprotocol/clientInfo": { "name": "c", "version": "1" },
    })
}

fn body(id: Value, name: &str, meta: &Value) -> Value {
    json!({
        "jsonrpc": "2.0", "id": id, "method": "tools/call",
        "params": { "name": name, "arguments": { "text": "a\u{e9}\n", "n": 1.5 }, "_meta": meta },
    })
}

fn with(mut value: Value, pointer: &str, key: &str, new: Value) -> Value {
    let place = value.pointer_mut(pointer).unwrap().as_object_mut().unwrap();
    place.insert(key.to_owned(), new);
    value
}

fn without(mut value: Value, pointer: &str, key: &str) -> Value {
    let place = value.pointer_mut(pointer).unwrap().as_object_mut().unwrap();
    place.remove(key).unwrap();
    value
}

/// The headers of a plain call of `name`.
fn headers(name: &str) -> Vec<(&'static str, String)> {
    vec![
        ("host", "localhost".into()),
        ("accept", "application/json, text/event-stream".into()),
        ("content-type", "application/json".into()),
        ("mcp-protocol-version", VERSION.into()),
        ("mcp-method", "tools/call".into()),
        ("mcp-name", name.into()),
    ]
}

fn instead(name: &'static str, value: &str) -> Vec<(&'static str, String)> {
    let mut all = headers("echo");
    all.retain(|(known, _)| *known != name);
    if !value.is_empty() {
        all.push((name, value.into()));
    }
    all
}

type Headers = Vec<(&'static str, String)>;
type Row = (&'static str, bool, Headers, String);

/// What it is, whether it goes straight, and the request.
fn rows() -> Vec<Row> {
    let plain = || body(json!(1), "echo", &meta());
    let mut rows: Vec<(&str, bool, Headers, Value)> = vec![
        ("plain", true, headers("echo"), plain()),
        (
            "an id of text",
            true,
            headers("echo"),
            body(json!("x"), "echo", &meta()),
        ),
        (
            "no arguments",
            true,
            headers("echo"),
            without(plain(), "/params", "arguments"),
        ),
        (
            "null arguments",
            true,
            headers("echo"),
            with(plain(), "/params", "arguments", Value::Null),
        ),
        (
            "more metadata",
            true,
            headers("echo"),
            body(
                json!(1),
                "echo",
                &with(meta(), "", "traceparent", json!("00-1-2-00")),
            ),
        ),
        (
            "capabilities",
            true,
            headers("echo"),
            body(
                json!(1),
                "echo",
                &with(
                    meta(),
                    "",
                    CAPABILITIES_KEY,
                    json!({ "elicitation": { "form": {} } }),
                ),
            ),
        ),
        (
            "accept in the other order",
            true,
            instead("accept", "text/event-stream,Application/JSON"),
            plain(),
        ),
        (
            "accept with a weight",
            false,
            instead("accept", "application/json;q=1, text/event-stream"),
            plain(),
        ),
        (
            "accept without events",
            false,
            instead("accept", "application/json"),
            plain(),
        ),
        ("accept anything", false, instead("accept", "*/*"), plain()),
        (
            "no revision in the head",
            false,
            instead("mcp-protocol-version", ""),
            plain(),
        ),
        (
            "another revision in the head",
            false,
            instead("mcp-protocol-version", "2025-11-25"),
            plain(),
        ),
        (
            "a revision of tomorrow",
            false,
            instead("mcp-protocol-version", "2027-01-01"),
            plain(),
        ),
        (
            "no method in the head",
            false,
            instead("mcp-method", ""),
            plain(),
        ),
        (
            "another method in the head",
            false,
            instead("mcp-method", "tools/list"),
            plain(),
        ),
        (
            "no name in the head",
            false,
            instead("mcp-name", ""),
            plain(),
        ),
        (
            "another name in the head",
            false,
            instead("mcp-name", "ech"),
            plain(),
        ),
        (
            "a name in Base64",
            false,
            instead("mcp-name", "=?base64?ZWNobw==?="),
            plain(),
        ),
        (
            "another revision in the body",
            false,
            headers("echo"),
            body(
                json!(1),
                "echo",
                &with(meta(), "", VERSION_KEY, json!("2025-11-25")),
            ),
        ),
        (
            "no revision in the body",
            false,
            headers("echo"),
            body(json!(1), "echo", &without(meta(), "", VERSION_KEY)),
        ),
        (
            "no capabilities",
            false,
            headers("echo"),
            body(json!(1), "echo", &without(meta(), "", CAPABILITIES_KEY)),
        ),
        (
            "capabilities that are none",
            false,
            headers("echo"),
            body(
                json!(1),
                "echo",
                &with(meta(), "", CAPABILITIES_KEY, json!(7)),
            ),
        ),
        (
            "no metadata",
            false,
            headers("echo"),
            without(plain(), "/params", "_meta"),
        ),
        (
            "progress",
            false,
            headers("echo"),
            body(
                json!(1),
                "echo",
                &with(meta(), "", "progressToken", json!(1)),
            ),
        ),
        (
            "log lines",
            false,
            headers("echo"),
            body(json!(1), "echo", &with(meta(), "", ASKS[1], json!("info"))),
        ),
        (
            "a second round",
            false,
            headers("echo"),
            with(plain(), "/params", "requestState", json!("s")),
        ),
        (
            "what nobody knows",
            false,
            headers("echo"),
            with(plain(), "/params", "extra", json!(1)),
        ),
        (
            "a stray result",
            false,
            headers("echo"),
            with(plain(), "", "result", json!({})),
        ),
        (
            "another JSON-RPC",
            false,
            headers("echo"),
            with(plain(), "", "jsonrpc", json!("1.0")),
        ),
        (
            "an id that is none",
            false,
            headers("echo"),
            body(Value::Null, "echo", &meta()),
        ),
        (
            "an id that is a list",
            false,
            headers("echo"),
            body(json!([1]), "echo", &meta()),
        ),
        (
            "a notification",
            false,
            headers("echo"),
            without(plain(), "", "id"),
        ),
        (
            "another method in the body",
            false,
            headers("echo"),
            with(plain(), "", "method", json!("tools/list")),
        ),
        (
            "a name that is none",
            false,
            headers("echo"),
            with(plain(), "/params", "name", json!(1)),
        ),
        (
            "arguments that are none",
            false,
            headers("echo"),
            with(plain(), "/params", "arguments", json!([])),
        ),
        ("a batch", false, headers("echo"), json!([plain()])),
    ];
    for name in [
        "missing",
        "unknown",
        "invalid",
        "incapable",
        "header",
        "revision",
        "broken",
    ] {
        rows.push((name, true, headers(name), body(json!(1), name, &meta())));
    }
    let mut rows: Vec<Row> = rows
        .into_iter()
        .map(|(what, straight, headers, body)| (what, straight, headers, body.to_string()))
        .collect();
    rows.push(("no JSON", false, headers("echo"), "{".into()));
    rows.push(("nothing", false, headers("echo"), String::new()));
    rows
}

fn request(headers: &[(&'static str, String)], body: &str) -> Request<Full<Bytes>> {
    let mut request = Request::post("/mcp");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    request.body(Full::from(body.to_owned())).unwrap()
}

async fn answered(response: Response<Body>) -> (StatusCode, Option<HeaderValue>, Value) {
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&body).into_owned();
    // Events are in the order in which rmcp writes them; only plain answers are JSON.
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    (
        head.status,
        head.headers.get(header::CONTENT_TYPE).cloned(),
        body,
    )
}

#[tokio::test]
async fn both_roads_give_one_answer() {
    let limits = HttpLimits::default();
    let sessions = Arc::new(BoundedSessions::new(&limits));
    let leaf = || {
        let stop = CancellationToken::new();
        Leaf::new(|| Echo, &sessions, &limits, false, stop)
    };
    let (both, rmcp) = (leaf(), leaf().of_rmcp_alone());
    for (what, straight, headers, body) in rows() {
        let asked = request(&headers, &body);
        let goes = is_plain(&asked) && Plain::read(asked.headers(), body.as_bytes()).is_some();
        assert_eq!(goes, straight, "{what}");
        let one = both.clone().oneshot(asked).await.unwrap();
        let other = rmcp
            .clone()
            .oneshot(request(&headers, &body))
            .await
            .unwrap();
        let (one, other) = (answered(one).await, answered(other).await);
        assert_eq!(one, other, "{what}");
    }
}

#[tokio::test]
async fn a_call_on_the_straight_road_ends_with_the_server() {
    struct Waits;
    impl ServerHandler for Waits {
        async fn call_tool(
            &self,
            _: CallToolRequestParams,
            context: RequestContext<RoleServer>,
        ) -> Result<CallToolResponse, ErrorData> {
            context.ct.cancelled().await;
            Err(ErrorData::internal_error("stopped", None))
        }
    }
    let stop = CancellationToken::new();
    let straight = Straight::new(stop.clone());
    let asked = request(&headers("echo"), "");
    let body = body(json!(1), "echo", &meta()).to_string();
    let call = Plain::read(asked.headers(), body.as_bytes()).unwrap();
    let (head, _) = asked.into_parts();
    let (response, ()) = tokio::join!(straight.call(Waits, head, call), async { stop.cancel() });
    assert_eq!(answered(response).await.2["error"]["message"], "stopped");
}
