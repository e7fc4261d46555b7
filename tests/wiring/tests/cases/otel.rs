//! Telemetry: what leaves for a collector, and what never does. The collector of most tests is a
//! real one (`rotel`), which says what it got.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::harness::*;

/// A collector that prints what it was sent.
struct Collector {
    child: Child,
    port: u16,
    said: Arc<Mutex<String>>,
}

impl Collector {
    fn start() -> Self {
        let python =
            std::env::var("MCP_SECURE_PYTHON").expect("run the tests with `cargo xtask test`");
        let find = "import importlib.util as u; \
                    print(u.find_spec('rotel').submodule_search_locations[0])";
        let found = Command::new(python).args(["-c", find]).output().unwrap();
        assert!(found.status.success(), "rotel is not installed");
        let folder = String::from_utf8(found.stdout).unwrap();
        // Nobody else binds them in between, but for bad luck.
        let free = || {
            TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
        };
        let (http, grpc) = (free(), free());
        let mut child = Command::new(format!("{}/rotel-agent", folder.trim()))
            .arg("start")
            .args(["--otlp-http-endpoint", &http.to_string()])
            .args(["--otlp-grpc-endpoint", &grpc.to_string()])
            .args([
                "--exporter",
                "blackhole",
                "--debug-log-verbosity",
                "detailed",
            ])
            .args([
                "--debug-log",
                "traces",
                "--debug-log",
                "metrics",
                "--debug-log",
                "logs",
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let said: Arc<Mutex<String>> = Arc::default();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn({
            let said = Arc::clone(&said);
            move || {
                for line in out.lines().map_while(Result::ok) {
                    let mut all = said.lock().unwrap();
                    all.push_str(&line);
                    all.push('\n');
                }
            }
        });
        let collector = Self {
            child,
            port: http.port(),
            said,
        };
        let begun = Instant::now();
        while TcpStream::connect(http).is_err() {
            assert!(begun.elapsed() < PATIENCE, "the collector does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        collector
    }

    fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    #[track_caller]
    fn wait_for(&self, words: &str) {
        let begun = Instant::now();
        while !self.said().contains(words) {
            assert!(
                begun.elapsed() < PATIENCE,
                "no {words:?} in {}",
                self.said()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// With a collector at this port, and more lines for `[otel]`.
fn exporting(way: Way, port: u16, more: &str) -> Setup {
    configured(
        way.setup(),
        &format!("[otel]\nendpoint = \"http://127.0.0.1:{port}\"\n{more}\n"),
    )
}

fn configured(setup: Setup, text: &str) -> Setup {
    let path = setup.folder().join("config.toml");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    setup.argument("--config").argument(path.to_str().unwrap())
}

fn a_call_is_a_span_of_its_callers_trace_and_says_nothing_of_its_arguments(way: Way) {
    let collector = Collector::start();
    // What an environment says of collectors is not heard.
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let other = format!("http://{}", elsewhere.local_addr().unwrap());
    let server = exporting(way, collector.port, "every = \"100ms\"")
        .variable("OTEL_EXPORTER_OTLP_ENDPOINT", &other)
        .variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &other)
        .start();
    let client = server.client(way);
    let mut meta = match way.is_modern() {
        true => client.meta(),
        false => json!({}),
    };
    meta["traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into();
    let params = json!({ "name": "echo", "arguments": { "text": SECRET }, "_meta": meta });
    client.end(client.begin_raw("tools/call", params));
    // A value that its author put into the audit log, an error that quotes, a name that is none.
    client.call("look_up", json!({ "city": "Ghentofcalls", "number": 5 }));
    client.call("fall_over", json!({}));
    client.call("made-up-tool", json!({ "x": SECRET }));
    server.outcome_that_is("look_up", "ok");
    assert!(server.audit_text().contains("Ghentofcalls"));

    collector.wait_for("Name           : tools/call echo");
    collector.wait_for("Name           : tools/call fall_over");
    collector.wait_for("mcp.server.operation.duration");
    collector.wait_for("mcp_secure.requests");
    collector.wait_for("mcp_secure.denials");
    collector.wait_for("authorize/unknown");
    let all = collector.said();
    let span = all
        .split("Span #")
        .find(|span| span.contains(": tools/call echo"))
        .unwrap();
    for line in [
        "Trace ID       : 0af7651916cd43dd8448eb211c80319c",
        "Parent ID      : b7ad6b7169203331",
        "Kind           : SPAN_KIND_SERVER",
        "mcp.method.name: Str(tools/call)",
        "gen_ai.tool.name: Str(echo)",
        "gen_ai.operation.name: Str(execute_tool)",
    ] {
        assert!(span.contains(line), "{line}: {span}");
    }
    let record = server.outcome_that_is("echo", "ok");
    let id = record["id"].as_str().unwrap();
    assert!(span.contains(&format!("ID             : {id}")), "{span}");
    let fallen = all
        .split("Span #")
        .find(|span| span.contains(": tools/call fall_over"))
        .unwrap();
    assert!(fallen.contains("error.type: Str(panic)"), "{fallen}");
    // Audit records, as logs.
    assert!(all.contains("tools/call echo ok"), "{all}");
    assert!(all.contains("tools/call fall_over panic"), "{all}");
    // Nobody makes a name of a span by calling what is not there.
    assert!(!all.contains(": tools/call made-up-tool"), "{all}");
    for kept in [SECRET, CANARY, "Ghentofcalls"] {
        assert!(!all.contains(kept), "{kept} in {all}");
    }
    assert!(elsewhere.accept().is_err(), "the environment was heard");
}

#[test]
fn a_call_is_a_span_of_its_callers_trace_and_says_nothing_of_its_arguments_over_stdio() {
    a_call_is_a_span_of_its_callers_trace_and_says_nothing_of_its_arguments(STDIO_2026);
}

#[test]
fn a_call_is_a_span_of_its_callers_trace_and_says_nothing_of_its_arguments_over_http() {
    a_call_is_a_span_of_its_callers_trace_and_says_nothing_of_its_arguments(HTTP_2025);
}

#[test]
fn what_waits_when_a_server_ends_is_sent() {
    let collector = Collector::start();
    let server = exporting(HTTP_2026, collector.port, "every = \"1h\"").start();
    let client = server.client(HTTP_2026);
    client.call("echo", json!({ "text": "x" }));
    assert!(!collector.said().contains("tools/call echo"));
    server.terminate();
    server.wait_for_end();
    collector.wait_for("Name           : tools/call echo");
    collector.wait_for("mcp.server.operation.duration");
    let lost = server.audit().iter().any(|r| r["event"] == "telemetry");
    assert!(!lost, "{}", server.audit_text());
}

#[test]
fn a_collector_that_is_gone_holds_nothing_up_and_the_log_says_what_was_lost() {
    let port = {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap();
        gone.local_addr().unwrap().port()
    };
    let server = exporting(HTTP_2026, port, "every = \"50ms\"").start();
    let client = server.client(HTTP_2026);
    for n in 0..20 {
        let answer = client.call("echo", json!({ "text": n.to_string() }));
        assert!(answer["result"].is_object(), "{answer}");
    }
    server.terminate();
    server.wait_for_end();
    let lost: u64 = server
        .audit()
        .iter()
        .filter(|r| r["event"] == "telemetry")
        .map(|r| r["lost"].as_u64().unwrap())
        .sum();
    let records = server
        .audit()
        .iter()
        .filter(|r| r["event"] == "outcome")
        .count();
    assert!(lost >= 20 && lost <= 2 * records as u64, "{lost} {records}");
}

#[test]
fn a_collector_that_never_answers_holds_nothing_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let server = exporting(HTTP_2026, port, "every = \"50ms\"").start();
    let client = server.client(HTTP_2026);
    client.call("echo", json!({ "text": "first" }));
    let (held, _) = silent.accept().unwrap();
    // It has a request in its hands, and will not say anything about it.
    for n in 0..20 {
        let answer = client.call("echo", json!({ "text": n.to_string() }));
        assert!(answer["result"].is_object(), "{answer}");
    }
    server.terminate();
    server.wait_for_end();
    let said = server
        .audit()
        .iter()
        .any(|r| r["event"] == "telemetry" && r["lost"].as_u64() > Some(0));
    assert!(said, "{}", server.audit_text());
    drop(held);
}

/// One request as it came in; the rest of its body is left where it is.
fn request(listener: &TcpListener, answer: &str) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length: ")?
                .parse()
                .ok()
        })
        .unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    stream.write_all(answer.as_bytes()).unwrap();
    head + &String::from_utf8_lossy(&body)
}

#[test]
fn a_collector_gets_its_headers_and_cannot_send_the_server_elsewhere() {
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let port = collector.local_addr().unwrap().port();
    let setup = exporting(
        HTTP_2026,
        port,
        "every = \"50ms\"\nheaders_file = \"headers\"",
    );
    let headers = setup.folder().join("headers");
    std::fs::write(&headers, "x-api-key: k3y-of-the-collector\n").unwrap();
    std::fs::set_permissions(&headers, std::fs::Permissions::from_mode(0o600)).unwrap();
    let server = setup.start();
    let client = server.client(HTTP_2026);
    client.call("echo", json!({ "text": SECRET }));
    let answer = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{}/v1/traces\r\n\
         content-length: 0\r\nconnection: close\r\n\r\n",
        elsewhere.local_addr().unwrap()
    );
    let mut seen = String::new();
    while !(seen.contains("POST /v1/traces") && seen.contains("POST /v1/logs")) {
        let one = request(&collector, &answer);
        assert!(one.contains("x-api-key: k3y-of-the-collector"), "{one}");
        assert!(
            one.contains("content-type: application/x-protobuf"),
            "{one}"
        );
        assert!(!one.contains(SECRET), "{one}");
        seen.push_str(&one);
    }
    assert!(elsewhere.accept().is_err(), "it was followed");
    assert!(!server.audit_text().contains("k3y-of-the-collector"));
    assert!(!server.stderr().contains("k3y-of-the-collector"));
}

#[test]
fn the_headers_for_a_collector_are_nobody_elses() {
    let headers = |setup: &Setup, name: &str, mode| {
        let path = setup.folder().join(name);
        std::fs::write(&path, "x-api-key: k3y\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let setup = exporting(HTTP_2026, 4318, "headers_file = \"headers\"");
    headers(&setup, "headers", 0o644);
    let said = setup.start_fails();
    assert!(said.contains("can be read by every user"), "{said}");
    let setup = exporting(HTTP_2026, 4318, "headers_file = \"files/headers\"");
    headers(&setup, "files/headers", 0o600);
    let said = setup.start_fails();
    assert!(said.contains("the headers for the collector"), "{said}");
    // Plain text across a network is none of it.
    let setup = configured(
        HTTP_2026.setup(),
        "[otel]\nendpoint = \"http://collector.example:4318\"\n",
    );
    let said = setup.start_fails();
    assert!(said.contains("is plain HTTP"), "{said}");
}

/// How long anything may take. Nothing should come near it.
const PATIENCE: Duration = Duration::from_secs(20);
