//! Attacks over real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ServerCapabilities, ServerConfig,
    },
    service::RequestContext,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

use super::{
    Authenticated, Http, HttpLimits,
    refusal::{PreAuthSink, Tally},
    sealed_sessions::SessionKey,
};
use crate::{
    auth::{Assurance, Principal},
    layer::load_shed::Room,
    state::Sealer,
};

/// Remembers what was refused.
#[derive(Default)]
pub(crate) struct Refused(Mutex<Vec<&'static str>>);

impl Refused {
    pub(crate) fn all(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().clone()
    }
}

impl PreAuthSink for Refused {
    fn refused(&self, control: &'static str, _: Option<IpAddr>) {
        self.0.lock().unwrap().push(control);
    }
}

pub(crate) fn tally() -> (Tally, Arc<Refused>) {
    let sink = Arc::new(Refused::default());
    (Tally::new(sink.clone(), None), sink)
}

/// A server without a pipeline: it tells what it was given.
#[derive(Clone)]
struct Echo;

impl ServerHandler for Echo {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if request.name == "slow" {
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
        let head = context.extensions.get::<http::request::Parts>().unwrap();
        let headers: Vec<&str> = head.headers.keys().map(http::HeaderName::as_str).collect();
        let principal = head.extensions.get::<Principal>().unwrap();
        let key = head
            .extensions
            .get::<SessionKey>()
            .map(|key| key.0.to_string());
        let assurance = format!("{:?}", principal.assurance());
        let scopes: Vec<&str> = principal.all_scopes().collect();
        Ok(CallToolResult::structured(json!({
            "headers": headers,
            "subject": principal.subject(),
            "assurance": assurance,
            "scopes": scopes,
            "session": key,
        }))
        .into())
    }
}

/// A running server on a free port, with two people: `alice` and `mallory`, whose tokens
/// are `a` and `m`.
struct Running {
    addr: SocketAddr,
    refused: Arc<Refused>,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<crate::Result<()>>,
}

impl Running {
    fn start(http: Http<Authenticated>) -> Self {
        let bound = http.bind_alone("echo").unwrap();
        let addr = bound.local_addr().unwrap();
        let refused = Arc::new(Refused::default());
        let shutdown = CancellationToken::new();
        let sealer = Sealer::random().unwrap();
        let task = tokio::spawn(bound.serve(
            || Echo,
            sealer,
            Arc::from([]),
            refused.clone(),
            Room::without_end(),
            shutdown.clone(),
        ));
        Self {
            addr,
            refused,
            shutdown,
            task,
        }
    }

    fn with(limits: HttpLimits) -> Self {
        Self::start(declared().limits(limits))
    }

    async fn raw(&self, request: &str) -> Answer {
        let mut stream = self.connect().await;
        // The server may answer and close before it has read everything.
        let _ = stream.write_all(request.as_bytes()).await;
        Answer::read(stream).await
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.unwrap()
    }

    /// A request that is good but for what the caller changes.
    fn request(&self, method: &str, headers: &[(&str, &str)], body: &str) -> String {
        let mut text = format!("{method} /mcp HTTP/1.1\r\n");
        let host = self.addr.to_string();
        let length = body.len().to_string();
        let defaults = [
            ("host", host.as_str()),
            ("authorization", "Bearer a"),
            ("accept", "application/json, text/event-stream"),
            ("content-type", "application/json"),
            ("content-length", length.as_str()),
            ("connection", "close"),
        ];
        for (name, value) in defaults {
            if !headers.iter().any(|(changed, _)| *changed == name) {
                text += &format!("{name}: {value}\r\n");
            }
        }
        for (name, value) in headers.iter().filter(|(_, value)| *value != "(none)") {
            text += &format!("{name}: {value}\r\n");
        }
        text + "\r\n" + body
    }

    async fn send(&self, method: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.raw(&self.request(method, headers, body)).await
    }

    /// Opens a session and returns its sealed id.
    async fn session(&self, who: &str) -> Answer {
        let bearer = format!("Bearer {who}");
        self.send("POST", &[("authorization", &bearer)], INITIALIZE)
            .await
    }

    async fn in_session(&self, who: &str, method: &str, id: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {who}");
        let headers = [("authorization", bearer.as_str()), ("mcp-session-id", id)];
        self.send(method, &headers, body).await
    }

    async fn modern(&self, headers: &[(&str, &str)], tool: &str) -> Answer {
        let body = modern_call(tool);
        let mut all = vec![
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", tool),
        ];
        all.extend_from_slice(headers);
        self.send("POST", &all, &body).await
    }
}

/// One answer, read to the end of its connection.
struct Answer(String);

impl Answer {
    async fn read(mut stream: impl AsyncRead + Unpin) -> Self {
        let mut bytes = Vec::new();
        let read = stream.read_to_end(&mut bytes);
        // A reset after the answer is an answer, too.
        let _ = tokio::time::timeout(Duration::from_secs(5), read)
            .await
            .expect("an end");
        Self(String::from_utf8(bytes).unwrap())
    }

    fn status(&self) -> u16 {
        self.0
            .get(9..12)
            .and_then(|status| status.parse().ok())
            .unwrap_or(0)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.0.split("\r\n\r\n").next()?.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    fn session(&self) -> String {
        self.header("mcp-session-id")
            .unwrap_or_else(|| panic!("{}", self.0))
            .to_owned()
    }

    /// The JSON object in the body, wherever chunks or events put it.
    fn json(&self) -> Value {
        let body = self.0.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        body.lines()
            .filter_map(|line| line.find('{').and_then(|at| line.get(at..)))
            .find_map(|text| serde_json::from_str(text).ok())
            .unwrap_or_else(|| panic!("{}", self.0))
    }
}

fn declared() -> Http<Authenticated> {
    let person = |name| Principal::minted("i", name, Assurance::LocalToken).scopes([name]);
    Http::on("127.0.0.1:0").table(vec![("a", person("alice")), ("m", person("mallory"))])
}

fn modern_call(tool: &str) -> String {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": tool, "arguments": {}, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": { "name": "t", "version": "1" },
        } } })
    .to_string()
}

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
const CALL: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{}}}"#;
const SLOW: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow","arguments":{}}}"#;

#[tokio::test]
async fn both_generations_work_and_the_handler_never_sees_the_credential() {
    let server = Running::start(declared());
    let secrets = [
        ("cookie", "a=b"),
        ("proxy-authorization", "Basic eA=="),
        ("x-own", "1"),
    ];

    let answer = server.modern(&secrets, "echo").await;
    assert_eq!(answer.status(), 200, "{}", answer.0);
    let modern = answer.json()["result"]["structuredContent"].clone();
    assert_eq!(
        answer.header("content-type"),
        Some("application/json"),
        "one object, no stream"
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("mcp-session-id"), None);

    let opened = server.session("a").await;
    assert_eq!(opened.status(), 200, "{}", opened.0);
    assert_eq!(opened.header("cache-control"), Some("no-store"));
    let id = opened.session();
    let done = server.in_session("a", "POST", &id, INITIALIZED).await;
    assert_eq!(done.status(), 202);
    let mut headers = vec![("mcp-session-id", id.as_str())];
    headers.extend_from_slice(&secrets);
    let legacy = server.send("POST", &headers, CALL).await.json();
    let legacy = legacy["result"]["structuredContent"].clone();

    for seen in [&modern, &legacy] {
        assert_eq!(seen["subject"], "alice");
        assert_eq!(seen["scopes"], json!(["alice"]));
        let headers = seen["headers"].to_string();
        assert!(headers.contains("x-own"), "{seen}");
        for secret in ["authorization", "cookie"] {
            assert!(!headers.contains(secret), "{seen}");
        }
    }
    assert!(modern["session"].is_null());
    assert!(legacy["session"].as_str().unwrap().len() > 30);
    assert!(!id.contains(legacy["session"].as_str().unwrap()));
    assert!(server.refused.all().is_empty());
}

#[tokio::test]
async fn a_rebound_name_never_reaches_the_server() {
    let server = Running::start(declared());
    let port = server.addr.port();
    let here = server.addr.to_string();
    let twice = format!("localhost\r\nhost: {here}");
    let userinfo = format!("evil.example@{here}");
    let other_port = format!("127.0.0.1:{}", port ^ 1);
    for (host, expected) in [
        (here.as_str(), 200),
        ("LOCALHOST", 200),
        ("evil.example", 403),
        (userinfo.as_str(), 403),
        (other_port.as_str(), 403),
        ("localhost.", 403),
        ("127.1", 403),
        (twice.as_str(), 400),
        ("(none)", 400),
        ("", 403),
        ("\t", 403),
    ] {
        let answer = server.modern(&[("host", host)], "echo").await;
        assert_eq!(answer.status(), expected, "{host:?}: {}", answer.0);
    }
    for (target, host, expected) in [
        ("http://evil.example/mcp", here.as_str(), 400),
        (&*format!("http://{here}/mcp"), "evil.example", 400),
        (&*format!("https://{here}/mcp"), here.as_str(), 400),
        (&*format!("http://x@{here}/mcp"), here.as_str(), 400),
    ] {
        let request = server.request("POST", &[("host", host)], "{}");
        let request = request.replacen("/mcp", target, 1);
        assert_eq!(
            server.raw(&request).await.status(),
            expected,
            "{target} {host}"
        );
    }
    let refused = server.refused.all();
    assert_eq!(refused.len(), 13);
    assert!(
        refused.iter().all(|control| *control == "http/host"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_page_of_another_origin_is_refused_on_every_method_before_anything_else() {
    let server = Running::start(declared().allow_origin("https://app.example"));
    let own = format!("http://localhost:{}", server.addr.port());
    for method in ["POST", "GET", "DELETE", "OPTIONS", "PUT"] {
        for origin in [
            "https://evil.example",
            "null",
            "http://localhost",
            "",
            "https://app.example:443",
        ] {
            let headers = [("origin", origin), ("authorization", "(none)")];
            let answer = server.send(method, &headers, "").await;
            assert_eq!(answer.status(), 403, "{method} {origin}");
            assert!(answer.json().get("id").is_none());
            let cors = "access-control";
            assert!(!answer.0.to_lowercase().contains(cors), "{}", answer.0);
            assert!(!answer.0.contains("evil"), "nothing is echoed");
        }
    }
    assert!(
        server
            .refused
            .all()
            .iter()
            .all(|control| *control == "http/origin")
    );
    for origin in [own.as_str(), "https://app.example"] {
        assert_eq!(
            server.modern(&[("origin", origin)], "echo").await.status(),
            200
        );
    }
    let twice = "https://app.example\r\norigin: https://app.example";
    assert_eq!(
        server.modern(&[("origin", twice)], "echo").await.status(),
        403
    );
}

#[tokio::test]
async fn without_one_good_token_nothing_is_read() {
    let server = Running::start(declared());
    for value in [
        "(none)",
        "Bearer x",
        "Bearer",
        "Basic a",
        "a",
        "Bearer a\r\nauthorization: Bearer a",
    ] {
        for method in ["POST", "GET", "DELETE"] {
            // The body never comes: an answer proves that nobody waited for it.
            let headers = [("authorization", value), ("content-length", "100")];
            let answer = server.send(method, &headers, "").await;
            assert_eq!(answer.status(), 401, "{method} {value}");
            assert!(
                answer
                    .header("www-authenticate")
                    .unwrap()
                    .starts_with("Bearer")
            );
            assert_eq!(answer.header("connection"), Some("close"));
        }
    }
    let query = server.request("POST", &[("authorization", "(none)")], "{}");
    let query = query.replacen("/mcp", "/mcp?access_token=a", 1);
    assert_eq!(server.raw(&query).await.status(), 400);
    let refused = server.refused.all();
    let (last, others) = refused.split_last().unwrap();
    assert_eq!(*last, "http/query-token");
    assert!(others.iter().all(|control| *control == "http/auth"));
}

#[tokio::test]
async fn only_the_endpoint_exists() {
    let server = Running::start(declared());
    for (method, path, expected) in [
        ("POST", "/", 404),
        ("GET", "/sse", 404),
        ("POST", "/mcp/", 404),
        ("POST", "/.well-known/oauth-protected-resource", 404),
        ("OPTIONS", "/mcp", 405),
        ("PUT", "/mcp", 405),
        ("TRACE", "/mcp", 405),
    ] {
        let request = server.request(method, &[], "").replacen("/mcp", path, 1);
        let answer = server.raw(&request).await;
        assert_eq!(answer.status(), expected, "{method} {path}");
        if expected == 405 {
            assert_eq!(answer.header("allow"), Some("GET, POST, DELETE"));
        }
    }
}

#[tokio::test]
async fn a_session_of_somebody_else_is_not_found_on_every_method() {
    let server = Running::start(declared());
    let id = server.session("a").await.session();
    server.in_session("a", "POST", &id, INITIALIZED).await;
    for method in ["POST", "GET", "DELETE"] {
        let body = if method == "POST" { CALL } else { "" };
        let answer = server.in_session("m", method, &id, body).await;
        assert_eq!(answer.status(), 404, "{method}: {}", answer.0);
        let twice = format!("{id}\r\nmcp-session-id: {id}");
        assert_eq!(
            server.in_session("a", method, &twice, body).await.status(),
            404
        );
        assert_eq!(
            server
                .in_session("a", method, "made-up", body)
                .await
                .status(),
            404
        );
    }
    // The id inside, which rmcp logs, is worth nothing outside.
    let seen = server.in_session("a", "POST", &id, CALL).await.json();
    let inner = seen["result"]["structuredContent"]["session"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        server.in_session("a", "POST", &inner, CALL).await.status(),
        404
    );

    assert_eq!(
        server.in_session("a", "DELETE", &id, "").await.status(),
        202
    );
    let after = server.in_session("a", "POST", &id, CALL).await;
    assert_eq!(after.status(), 404);
    assert!(after.0.contains("Session not found"));
}

#[tokio::test]
async fn one_more_session_than_allowed_is_refused_and_a_closed_one_makes_room() {
    let limits = HttpLimits {
        sessions: 5,
        sessions_per_principal: 4,
        ..HttpLimits::default()
    };
    let server = Running::with(limits);
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(server.session("a").await.session());
    }
    let fifth = server.session("a").await;
    assert_eq!(fifth.status(), 503, "{}", fifth.0);
    assert_eq!(fifth.header("retry-after"), Some("30"));
    assert_eq!(
        server.session("m").await.status(),
        200,
        "somebody else has room"
    );
    assert_eq!(
        server.session("m").await.status(),
        503,
        "but not more than there is"
    );
    // The header that promises the revision without sessions does not get one past the cap.
    let lie = INITIALIZE.replace("2025-11-25", "2026-07-28");
    let headers = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "initialize"),
    ];
    let answer = server.send("POST", &headers, &lie).await;
    assert_eq!(answer.status(), 503, "{}", answer.0);
    assert_eq!(
        server.modern(&[], "echo").await.status(),
        200,
        "who needs no session is served"
    );

    server.in_session("a", "DELETE", &ids[0], "").await;
    assert_eq!(server.session("a").await.status(), 200);
    assert_eq!(server.session("a").await.status(), 503);
}

#[tokio::test]
async fn the_default_caps_hold_at_the_65th_session() {
    let server = Running::start(declared());
    let mut last = String::new();
    for n in 0..64 {
        let answer = server.session("a").await;
        assert_eq!(answer.status(), 200, "{n}");
        last = answer.session();
    }
    assert_eq!(server.session("a").await.status(), 503);
    server.in_session("a", "DELETE", &last, "").await;
    assert_eq!(server.session("a").await.status(), 200);
}

#[tokio::test]
async fn a_client_that_vanishes_while_it_opens_a_session_does_not_leak_a_place() {
    let limits = HttpLimits {
        sessions: 3,
        session_idle: Duration::from_millis(300),
        body_time: Duration::from_millis(300),
        ..HttpLimits::default()
    };
    let server = Running::with(limits);
    for _ in 0..12 {
        let mut stream = server.connect().await;
        let request = server.request("POST", &[], INITIALIZE);
        stream.write_all(request.as_bytes()).await.unwrap();
        drop(stream);
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(server.session("a").await.status(), 200);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_with_and_without_a_length() {
    let server = Running::start(declared());
    let announced = server
        .send("POST", &[("content-length", "1048577")], "")
        .await;
    assert_eq!(announced.status(), 413, "{}", announced.0);

    let headers = [
        ("content-length", "(none)"),
        ("transfer-encoding", "chunked"),
    ];
    let mut stream = server.connect().await;
    stream
        .write_all(server.request("POST", &headers, "").as_bytes())
        .await
        .unwrap();
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    for _ in 0..17 {
        if stream.write_all(chunk.as_bytes()).await.is_err() {
            break;
        }
    }
    let chunked = Answer::read(stream).await;
    assert_eq!(chunked.status(), 413, "{}", chunked.0);
    let refused = server.refused.all();
    assert_eq!(refused, ["http/body-size", "http/body-size"]);
}

#[tokio::test]
async fn headers_that_are_too_large_or_too_many_are_431() {
    let server = Running::start(declared());
    let large = server
        .send("POST", &[("x-large", &"x".repeat(64 * 1024))], "")
        .await;
    assert_eq!(large.status(), 431, "{}", large.0);
    let many: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
    let request = server
        .request("POST", &[], "")
        .replacen("accept:", &format!("{many}accept:"), 1);
    assert_eq!(server.raw(&request).await.status(), 431);
    let target = format!("/mcp?{}", "x".repeat(64 * 1024));
    let request = server.request("POST", &[], "").replacen("/mcp", &target, 1);
    let long = server.raw(&request).await.status();
    assert!([414, 431].contains(&long), "{long}");
    let junk = server
        .raw("\x16\x03\x01\x02\x00 this is not HTTP\r\n\r\n")
        .await;
    assert_eq!(junk.status(), 400);
    // It is counted when the connection is over, which is after its answer.
    let counted = async {
        while server.refused.all().len() < 4 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(10), counted).await;
    assert_eq!(server.refused.all(), ["http/head"; 4]);
}

#[tokio::test]
async fn a_head_that_drips_or_never_comes_does_not_hold_a_connection() {
    let limits = HttpLimits {
        header_time: Duration::from_millis(200),
        ..HttpLimits::default()
    };
    let server = Running::with(limits);
    let drip = "POST /mcp HTTP/1.1\r\nx: ";
    for begin in [
        "",
        drip,
        "PRI * HTTP/2.0\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let begun = std::time::Instant::now();
        let (mut read, mut write) = server.connect().await.into_split();
        write.write_all(begin.as_bytes()).await.unwrap();
        let drip = tokio::spawn(async move {
            while begin.starts_with("POST") && write.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            std::future::pending::<()>().await;
            drop(write);
        });
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(5), read.read_to_end(&mut rest))
            .await
            .expect("the server closes");
        assert!(begun.elapsed() < Duration::from_secs(2), "{begin:?}");
        drip.abort();
    }
    assert_eq!(server.refused.all(), ["http/head-time"; 4]);
}

#[tokio::test]
async fn a_body_that_stops_half_way_is_cut() {
    let limits = HttpLimits {
        body_time: Duration::from_millis(200),
        header_time: Duration::from_millis(50),
        ..HttpLimits::default()
    };
    let server = Running::with(limits);
    let request = server.request("POST", &[("content-length", "100")], "{");
    let answer = server.raw(&request).await;
    assert_eq!(answer.status(), 408, "{}", answer.0);
    assert_eq!(server.refused.all(), ["http/body-time"]);
}

#[tokio::test]
async fn what_is_not_a_message_is_told_so_in_constant_words() {
    let server = Running::start(declared());
    for (body, code) in [
        ("{", -32700),
        ("", -32700),
        ("not json", -32700),
        ("\u{0}", -32700),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"ping"} trailing"#,
            -32700,
        ),
        ("[]", -32600),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32600),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, -32600),
        (r#"{"id":1,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600),
        ("42", -32600),
        (CALL, -32600),
    ] {
        let answer = server.send("POST", &[], body).await;
        assert_eq!(answer.status(), 400, "{body}: {}", answer.0);
        assert_eq!(answer.json()["error"]["code"], code, "{body}: {}", answer.0);
        for word in [
            "line",
            "column",
            "expected",
            "Encounter",
            "deserialize",
            "Session ID",
        ] {
            assert!(!answer.0.contains(word), "{body}: {}", answer.0);
        }
    }
    let accept = server.send("POST", &[("accept", "text/html")], CALL).await;
    assert_eq!(accept.status(), 406);
    assert!(accept.0.contains("jsonrpc"));
}

#[tokio::test]
async fn the_codes_of_the_specification_keep_their_status() {
    let server = Running::start(declared());
    let call = modern_call("echo");
    let send = async |headers: &[(&str, &str)], body: &str| {
        let answer = server.send("POST", headers, body).await;
        (
            answer.status(),
            answer.json()["error"]["code"].as_i64().unwrap_or(0),
        )
    };
    let version = ("mcp-protocol-version", "2026-07-28");
    let method = ("mcp-method", "tools/call");
    let name = ("mcp-name", "echo");
    assert_eq!(
        send(&[version, ("mcp-method", "tools/list"), name], &call).await,
        (400, -32020)
    );
    assert_eq!(send(&[version, method], &call).await, (400, -32020));
    assert_eq!(send(&[method, name], &call).await, (400, -32020));
    let two = ("mcp-name", "echo\r\nmcp-name: other");
    assert_eq!(send(&[version, method, two], &call).await, (400, -32020));
    let future = call.replace("2026-07-28", "2099-01-01");
    let headers = [("mcp-protocol-version", "2099-01-01"), method, name];
    assert_eq!(send(&headers, &future).await, (400, -32022));
    let unknown = call.replace("tools/call", "no/such");
    assert_eq!(
        send(&[version, ("mcp-method", "no/such"), name], &unknown).await,
        (404, -32601)
    );
}

#[tokio::test]
async fn without_legacy_sessions_there_is_no_session_to_steal() {
    let server = Running::start(declared().legacy_sessions(false));
    let opened = server.session("a").await;
    assert_eq!(opened.header("mcp-session-id"), None, "{}", opened.0);
    for method in ["GET", "DELETE"] {
        let answer = server.send(method, &[], "").await;
        assert_eq!(answer.status(), 405, "{method}");
        assert_eq!(answer.header("allow"), Some("POST"));
    }
    assert_eq!(server.modern(&[], "echo").await.status(), 200);
}

#[tokio::test]
async fn replay_is_not_offered() {
    let server = Running::start(declared());
    let id = server.session("a").await.session();
    server.in_session("a", "POST", &id, INITIALIZED).await;
    let mut call = server.connect().await;
    let headers = [("mcp-session-id", id.as_str()), ("connection", "close")];
    call.write_all(server.request("POST", &headers, SLOW).as_bytes())
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(call);
    // The answer of the lost connection is not on the stream that asks for it.
    let headers = [("mcp-session-id", id.as_str()), ("last-event-id", "0/0")];
    let mut stream = server.connect().await;
    stream
        .write_all(server.request("GET", &headers, "").as_bytes())
        .await
        .unwrap();
    let mut bytes = Vec::new();
    let waited = Duration::from_millis(900);
    let _ = tokio::time::timeout(waited, stream.read_to_end(&mut bytes)).await;
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    assert!(!text.contains("subject"), "{text}");
}

#[tokio::test]
async fn a_shutdown_lets_a_call_end_and_ends_what_has_no_end() {
    let server = Running::start(declared());
    let id = server.session("a").await.session();
    server.in_session("a", "POST", &id, INITIALIZED).await;
    let mut stream = server.connect().await;
    let headers = [("mcp-session-id", id.as_str())];
    stream
        .write_all(server.request("GET", &headers, "").as_bytes())
        .await
        .unwrap();
    let idle = server.connect().await;
    let mut call = server.connect().await;
    let request = server.request("POST", &headers, SLOW);
    call.write_all(request.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;

    server.shutdown.cancel();
    let begun = std::time::Instant::now();
    let called = Answer::read(call).await;
    assert!(called.0.contains("alice"), "{}", called.0);
    assert_eq!(Answer::read(stream).await.status(), 200);
    server.task.await.unwrap().unwrap();
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
    assert!(TcpStream::connect(server.addr).await.is_err());
    drop(idle);
}

#[tokio::test]
async fn a_shutdown_does_not_wait_longer_than_its_limit() {
    let limits = HttpLimits {
        drain: Duration::from_millis(100),
        ..HttpLimits::default()
    };
    let server = Running::with(limits);
    // A request that never becomes whole.
    let mut stream = server.connect().await;
    let request = server.request("POST", &[("content-length", "100")], "{");
    stream.write_all(request.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(3), server.task)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn more_connections_than_allowed_wait_unread() {
    let limits = HttpLimits {
        connections: 2,
        header_time: Duration::from_millis(300),
        ..HttpLimits::default()
    };
    let server = Running::with(limits);
    let _held = (server.connect().await, server.connect().await);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let begun = std::time::Instant::now();
    assert_eq!(
        server.modern(&[], "echo").await.status(),
        200,
        "once a place is free"
    );
    assert!(begun.elapsed() > Duration::from_millis(100));
    assert!(server.refused.all().contains(&"http/connections"));
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let server = Running::start(declared());
    let mut stream = server.connect().await;
    let body = modern_call("echo");
    let headers = [
        ("connection", "keep-alive"),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "echo"),
    ];
    let request = server.request("POST", &headers, &body);
    for _ in 0..3 {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        while !text.contains("alice") || !text.ends_with('}') {
            let mut chunk = [0; 4096];
            let n = stream.read(&mut chunk).await.unwrap();
            assert_ne!(n, 0, "{text}");
            text += std::str::from_utf8(&chunk[..n]).unwrap();
        }
    }
}

#[tokio::test]
async fn http_2_gets_the_same_answers() {
    let server = Running::start(declared());
    let io = TokioIo::new(server.connect().await);
    let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let (client, connection) = builder.handshake(io).await.unwrap();
    tokio::spawn(connection);
    let send = async |authority: &str, host: Option<&str>, token: &str| {
        let mut request = http::Request::post(format!("http://{authority}/mcp"))
            .header("authorization", format!("Bearer {token}"))
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/call")
            .header("mcp-name", "echo");
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let request = request
            .body(Full::new(Bytes::from(modern_call("echo"))))
            .unwrap();
        client
            .clone()
            .send_request(request)
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    let here = server.addr.to_string();
    assert_eq!(send(&here, None, "a").await, 200);
    assert_eq!(send(&here, Some(&here), "a").await, 200);
    assert_eq!(send(&here, None, "x").await, 401);
    assert_eq!(send("evil.example", None, "a").await, 403);
    assert_eq!(send(&here, Some("evil.example"), "a").await, 400);
    assert_eq!(send("evil.example", Some(&here), "a").await, 400);
}

#[cfg(unix)]
#[tokio::test]
async fn the_local_token_of_the_file_opens_the_door() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t/echo.token");
    let server = Running::start(Http::on("127.0.0.1:0").local_token_at(&path, ["notes:read"]));
    let token = std::fs::read_to_string(&path).unwrap();
    let bearer = format!("Bearer {}", token.trim());
    let seen = server
        .modern(&[("authorization", &bearer)], "echo")
        .await
        .json();
    let seen = &seen["result"]["structuredContent"];
    assert_eq!(seen["scopes"], json!(["notes:read"]));
    assert_eq!(seen["assurance"], "LocalToken");
    assert_eq!(
        server
            .modern(&[("authorization", "Bearer a")], "echo")
            .await
            .status(),
        401
    );
}

#[cfg(unix)]
#[tokio::test]
async fn over_the_unix_socket_the_kernel_names_the_caller() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run/mcp.sock");
    let bound = super::Unix::at(&path)
        .scopes(["notes:read"])
        .bind()
        .unwrap();
    let refused = Arc::new(Refused::default());
    let shutdown = CancellationToken::new();
    let sealer = Sealer::random().unwrap();
    let task = tokio::spawn(bound.serve(
        || Echo,
        sealer,
        Arc::from([]),
        refused.clone(),
        Room::without_end(),
        shutdown.clone(),
    ));
    let body = modern_call("echo");
    let send = async |headers: &str| {
        let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
        let request = format!(
            "POST /mcp HTTP/1.1\r\n{headers}accept: application/json, text/event-stream\r\n\
             content-type: application/json\r\nmcp-protocol-version: 2026-07-28\r\n\
             mcp-method: tools/call\r\nmcp-name: echo\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        Answer::read(stream).await
    };
    let answer = send("host: localhost\r\nauthorization: Bearer other\r\n").await;
    let seen = answer.json()["result"]["structuredContent"].clone();
    assert_eq!(seen["assurance"], "PeerCredentials");
    assert_eq!(
        seen["subject"],
        format!("uid:{}", crate::auth::current_uid())
    );
    assert_eq!(seen["scopes"], json!(["notes:read"]));
    assert!(!seen["headers"].to_string().contains("authorization"));
    assert_eq!(send("host: evil.example\r\n").await.status(), 403);
    assert_eq!(send("").await.status(), 400);
    assert_eq!(
        send("host: localhost\r\norigin: http://localhost\r\n")
            .await
            .status(),
        403
    );
    assert_eq!(refused.all(), ["http/host", "http/host", "http/origin"]);
    shutdown.cancel();
    task.await.unwrap().unwrap();
    assert!(!path.exists(), "the socket leaves with the server");
}
