//! The operator's own listener: numbers and health, and no way to them for anybody else.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

use super::approve;
use crate::harness::*;

fn with_metrics(way: Way) -> Setup {
    way.setup().argument("--metrics").argument("127.0.0.1:0")
}

/// Where a server says that its numbers are.
pub(super) fn port(server: &Server) -> u16 {
    server.wait_for_stderr("/metrics");
    let said = server.stderr();
    let (_, rest) = said.split_once("metrics on http://127.0.0.1:").unwrap();
    rest.split('/').next().unwrap().parse().unwrap()
}

fn ask(port: u16, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

pub(super) fn get(port: u16, path: &str) -> (u16, String) {
    ask(
        port,
        &format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"),
    )
}

/// What `prometheus_client` makes of it: `{"name": [[labels, value], …]}`.
fn parsed(text: &str) -> Value {
    let python = std::env::var("MCP_SECURE_PYTHON").expect("run the tests with `cargo xtask test`");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../clients/metrics.py");
    let mut parser = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    parser
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let out = parser.wait_with_output().unwrap();
    assert!(out.status.success(), "{text}");
    serde_json::from_slice(&out.stdout).unwrap()
}

/// The value of a series.
fn value(numbers: &Value, name: &str, labels: &Value) -> Option<f64> {
    let series = numbers[name].as_array()?;
    let one = series.iter().find(|one| one[0] == *labels)?;
    one[1].as_f64()
}

fn a_parser_reads_the_numbers(way: Way) {
    let server = with_metrics(way).start();
    let client = server.client(way);
    for _ in 0..3 {
        client.call("echo", json!({ "text": SECRET }));
    }
    client.call("fall_over", json!({}));
    client.call("admin", json!({}));
    for n in 0..300 {
        client.call(&format!("made-up-{n}"), json!({}));
    }
    let (status, text) = get(port(&server), "/metrics");
    assert_eq!(status, 200);
    let numbers = parsed(&text);
    let called = |target: &str, outcome: &str| {
        let labels = json!({ "op": "tools/call", "target": target, "outcome": outcome });
        value(&numbers, "mcp_secure_requests_total", &labels)
    };
    assert_eq!(called("echo", "ok"), Some(3.0), "{text}");
    assert_eq!(called("fall_over", "panic"), Some(1.0), "{text}");
    assert_eq!(called("", "denied"), Some(300.0), "{text}");
    let unknown = json!({ "control": "authorize/unknown" });
    assert!(
        value(&numbers, "mcp_secure_denials_total", &unknown) >= Some(300.0),
        "{text}"
    );
    let count = json!({ "op": "tools/call", "target": "echo" });
    assert_eq!(
        value(
            &numbers,
            "mcp_secure_request_duration_seconds_count",
            &count
        ),
        Some(3.0)
    );
    assert_eq!(
        value(&numbers, "mcp_secure_in_flight", &json!({})),
        Some(0.0)
    );
    assert!(value(&numbers, "mcp_secure_audit_lines_total", &json!({})) >= Some(305.0));
    // Nothing of a client is in it, and it has not grown with what a client made up.
    assert!(
        !text.contains("made-up") && !text.contains(SECRET),
        "{text}"
    );
    assert!(text.lines().count() < 200, "{}", text.lines().count());
}

#[test]
fn a_parser_reads_the_numbers_of_stdio_and_no_client_makes_series() {
    a_parser_reads_the_numbers(STDIO_2026);
}

#[test]
fn a_parser_reads_the_numbers_of_http_and_no_client_makes_series() {
    a_parser_reads_the_numbers(HTTP_2025);
}

#[test]
fn what_is_under_way_is_counted_until_it_ends() {
    let server = with_metrics(STDIO_2026).start();
    let client = server.client(STDIO_2026);
    let _begun = client.begin_call("slow", json!({ "ms": 60_000 }));
    server.wait_for_trace("slow:started");
    let (_, text) = get(port(&server), "/metrics");
    assert!(text.contains("mcp_secure_in_flight 1\n"), "{text}");
}

#[test]
fn a_call_that_waits_for_a_person_is_counted_as_that() {
    let server = with_metrics(STDIO_2025).start();
    let client = server.client(STDIO_2025);
    let arguments = json!({ "name": "note.txt", "text": "1" });
    let question = approve::asked(&client, "write", arguments);
    let waiting = || get(port(&server), "/metrics").1;
    assert!(
        waiting().contains("mcp_secure_approvals_waiting 1\n"),
        "{}",
        waiting()
    );
    question.answered(approve::yes());
    assert!(
        waiting().contains("mcp_secure_approvals_waiting 0\n"),
        "{}",
        waiting()
    );
}

#[test]
fn a_server_whose_log_is_full_lives_and_is_not_ready() {
    // The state beside the log is 12 KiB.
    let server = with_metrics(HTTP_2026).largest_file(32 * 1024).start();
    let port = port(&server);
    assert_eq!(get(port, "/livez").0, 200);
    assert_eq!(get(port, "/readyz"), (200, "ready\n".to_owned()));
    let client = server.client(HTTP_2026);
    let full = (0..100).any(|_| {
        client.call("whoami", json!({}));
        // A record is written some milliseconds later.
        std::thread::sleep(std::time::Duration::from_millis(20));
        get(port, "/readyz").0 == 503
    });
    assert!(full, "{} bytes", server.audit_text().len());
    assert_eq!(get(port, "/livez").0, 200);
    let (status, why) = get(port, "/readyz");
    assert_eq!(
        (status, why.as_str()),
        (503, "the audit log cannot be written")
    );
    let (_, text) = get(port, "/metrics");
    assert!(
        !text.contains("mcp_secure_audit_failures_total 0\n"),
        "{text}"
    );
}

#[test]
fn a_server_that_shuts_down_is_not_ready_any_more() {
    let server = with_metrics(HTTP_2026).limits("http.drain=3000").start();
    let port = port(&server);
    let client = server.client(HTTP_2026);
    let _begun = client.begin_call("slow", json!({ "ms": 60_000 }));
    server.wait_for_trace("slow:started");
    assert_eq!(get(port, "/readyz").0, 200);
    server.terminate();
    let unready = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(5));
        get(port, "/readyz").0 == 503
    });
    assert!(unready);
}

#[test]
fn neither_a_page_in_a_browser_nor_a_client_reads_the_numbers() {
    let server = with_metrics(HTTP_2026).start();
    let port = port(&server);
    for host in [
        "evil.example",
        &format!("evil.example:{port}"),
        "localhost.evil.example",
        "10.0.0.1",
    ] {
        let (status, body) = ask(
            port,
            &format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        );
        assert_eq!(status, 421, "{host}");
        assert!(!body.contains("mcp_secure"), "{body}");
    }
    let (status, _) = ask(
        port,
        &format!("POST /metrics HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Length: 0\r\n\r\n"),
    );
    assert_eq!(status, 405);
    assert_eq!(get(port, "/").0, 404);
    assert_eq!(get(port, "/mcp").0, 404);
    // Nor is there anything of it where clients are.
    for path in ["/metrics", "/livez", "/readyz"] {
        let head = server
            .head("GET", "", 0)
            .replacen(" /mcp ", &format!(" {path} "), 1);
        let mut answer = server.exchange(head.as_bytes());
        assert_ne!(answer.status(), 200);
        assert!(!answer.body().contains("mcp_secure_"));
    }
}

#[test]
fn numbers_are_not_for_the_network_unless_the_operator_says_so() {
    let setup = STDIO_2026
        .setup()
        .argument("--metrics")
        .argument("0.0.0.0:0");
    let said = setup.start_fails();
    assert!(said.contains("--metrics-on-network"), "{said}");
}

#[test]
fn numbers_on_a_socket_are_its_owners() {
    use std::os::unix::{fs::PermissionsExt as _, net::UnixStream};

    let setup = HTTP_2026.setup();
    let socket = setup.folder().join("numbers/m.sock");
    let place = format!("unix:{}", socket.display());
    let server = setup.argument("--metrics").argument(&place).start();
    server.wait_for_stderr("metrics on unix:");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&socket) & 0o777, 0o600);
    assert_eq!(mode(socket.parent().unwrap()) & 0o777, 0o700);
    let mut stream = UnixStream::connect(&socket).unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: numbers\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("mcp_secure_in_flight 0\n"), "{answer}");
    server.terminate();
    server.wait_for_end();
    assert!(!socket.exists(), "it is removed with its server");
    // A folder that others get into.
    let setup = HTTP_2026.setup();
    let open = setup.folder().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o755)).unwrap();
    let place = format!("unix:{}/m.sock", open.display());
    let said = setup.argument("--metrics").argument(&place).start_fails();
    assert!(said.contains("is open to other users"), "{said}");
}
