//! `mcp-secure audit export | serve`, on logs that strangers wrote into.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly; the allowance in clippy.toml does not reach helpers"
)]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// What a stranger writes where they can: markup, the ends of fields and of lines.
const EVIL: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>|x=y\\|\n\r\u{2028}\u{1b}[2J\u{202e}CEF:0|";

fn outcome(n: usize, fields: Value) -> Value {
    let mut record = json!({
        "v": 2, "event": "outcome", "ts": format!("2026-05-04T09:12:{:02}.5Z", n % 60),
        "id": format!("{n:016x}"), "transport": "http", "protocol": "2026-07-28", "op": "tools/call",
        "target": "read_note", "principal": { "issuer": "https://issuer.example", "subject": "alice",
        "client": "app", "assurance": "access_token" }, "arguments": "name=string(5)",
        "arguments_digest": "0".repeat(64), "key": "k", "bytes_in": 16, "decision": "allow",
        "outcome": "ok", "bytes_out": 26, "duration_us": 1000 * n, "phases": { "queue_us": 1, "tool_us": 2 },
        "manifest": "sha256:00", "seq": n, "mac": "00",
    });
    for (name, value) in fields.as_object().unwrap() {
        record[name] = value.clone();
    }
    record
}

/// A log with everything in it.
fn log(folder: &Path) -> PathBuf {
    let evil_principal =
        json!({ "issuer": EVIL, "subject": EVIL, "client": EVIL, "assurance": EVIL });
    let mut lines = vec![
        json!({ "v": 2, "event": "sandbox", "ts": "2026-05-04T09:00:00Z" }).to_string(),
        json!({ "event": "checkpoint", "note": EVIL }).to_string(),
        "not json at all".to_owned(),
        json!({ "v": 2, "event": "refused", "ts": "2026-05-04T09:14:31Z", "transport": "http",
            "control": "http/host", "peer": "127.0.0.0/24", "count": 7 }).to_string(),
        json!({ "v": 2, "event": "intent", "ts": "2026-05-04T09:12:07Z", "id": "9f3c41d07a6be852",
            "transport": "stdio", "op": "tools/call", "target": "write_note", "key": "k", "bytes_in": 3,
            "principal": { "issuer": "local", "subject": "uid:1000", "assurance": "declared" },
            "manifest": "sha256:00" }).to_string(),
    ];
    for n in 1..=20 {
        lines.push(outcome(n, json!({})).to_string());
    }
    for outcome_word in [
        "tool_error",
        "failed",
        "panic",
        "timeout",
        "cancelled",
        "dropped",
    ] {
        lines.push(outcome(21, json!({ "outcome": outcome_word, "control": "tool" })).to_string());
    }
    lines.push(
        outcome(
            22,
            json!({ "decision": "deny", "outcome": "overloaded", "control": "rate/tool" }),
        )
        .to_string(),
    );
    lines.push(
        outcome(
            23,
            json!({ "decision": "deny", "outcome": "denied", "control": EVIL, "reason": EVIL,
            "target": EVIL, "id": EVIL, "op": EVIL, "transport": EVIL, "principal": evil_principal,
            "manifest": EVIL, "session": EVIL, "peer": EVIL, "arguments": EVIL, "protocol": EVIL,
            "values": { EVIL: EVIL } }),
        )
        .to_string(),
    );
    lines.push(outcome(24, json!({ "outcome": EVIL, "target": EVIL })).to_string());
    let path = folder.join("audit.jsonl");
    std::fs::write(&path, lines.join("\n") + "\n{\"v\":2,\"torn").unwrap();
    path
}

/// Records in [`log`].
const RECORDS: usize = 31;

fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_mcp-secure"))
}

fn exported(format: &str) -> String {
    let folder = TempDir::new().unwrap();
    let out = command()
        .args(["audit", "export", "--format", format])
        .arg(log(folder.path()))
        .output()
        .unwrap();
    assert!(out.status.success(), "{out:?}");
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn every_record_is_an_event_by_the_public_schema_of_ocsf() {
    let schema: Value =
        serde_json::from_str(include_str!("data/ocsf-1.8.0-api-activity.schema.json")).unwrap();
    let public = jsonschema::validator_for(&schema).unwrap();
    let events: Vec<Value> = exported("ocsf")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events.len(), RECORDS);
    for event in &events {
        let wrong: Vec<String> = public.iter_errors(event).map(|e| e.to_string()).collect();
        assert!(wrong.is_empty(), "{wrong:?}\n{event}");
    }
    // The schema is strict: a field that it does not know is found.
    let mut unknown = events[0].clone();
    unknown["no_such_field"] = json!(1);
    assert!(!public.is_valid(&unknown));
    let denied = events
        .iter()
        .find(|e| e["status_code"] == "overloaded")
        .unwrap();
    assert_eq!(
        (&denied["action_id"], &denied["disposition_id"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(denied["policy"]["uid"], "rate/tool");
    let refused = events
        .iter()
        .find(|e| e["status_code"] == "refused")
        .unwrap();
    assert_eq!(refused["count"], 7);
    assert_eq!(refused["src_endpoint"]["name"], "127.0.0.0/24");
}

#[test]
fn nothing_that_a_stranger_wrote_leaves_its_field_in_cef() {
    let text = exported("cef");
    let lines: Vec<&str> = text.split_terminator('\n').collect();
    assert_eq!(lines.len(), RECORDS);
    assert!(
        !text.contains(['\r', '\u{2028}', '\u{1b}', '\u{202e}']),
        "{text:?}"
    );
    let mut evil = 0;
    for line in lines {
        let (header, fields) = parse_cef(line);
        assert_eq!(
            &header[..3],
            ["CEF:0", "mcp-secure", "mcp-secure"],
            "{line}"
        );
        assert!(
            header[6].parse::<u8>().is_ok_and(|severity| severity <= 10),
            "{line}"
        );
        for (key, _) in &fields {
            assert!(KEYS.contains(&key.as_str()), "`{key}` of {line}");
        }
        let mut keys: Vec<_> = fields.iter().map(|(key, _)| key).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), fields.len(), "a field twice: {line}");
        if let Some((_, reason)) = fields.iter().find(|(key, _)| key == "reason") {
            assert!(reason.contains("|x=y\\|\n"), "as it was written: {reason}");
            evil += 1;
        }
    }
    assert_eq!(evil, 1);
}

const KEYS: [&str; 26] = [
    "rt",
    "act",
    "outcome",
    "externalId",
    "app",
    "requestMethod",
    "suid",
    "sntdom",
    "reason",
    "cnt",
    "in",
    "out",
    "cs1Label",
    "cs1",
    "cs2Label",
    "cs2",
    "cs3Label",
    "cs3",
    "cs4Label",
    "cs4",
    "cs5Label",
    "cs5",
    "cs6Label",
    "cs6",
    "cn1Label",
    "cn1",
];

/// What a receiver of OTLP makes of it, through the real message types.
#[test]
fn a_receiver_of_otlp_decodes_every_span_and_finds_its_parent() {
    let python = std::env::var("MCP_SECURE_PYTHON").expect("run the tests with `cargo xtask test`");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/clients/otlp.py");
    let mut receiver = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("audit.jsonl");
    let trace =
        json!({ "trace": "0af7651916cd43dd8448eb211c80319c", "parent": "b7ad6b7169203331" });
    let lines = [
        outcome(5, json!({ "trace": trace })).to_string(),
        outcome(6, json!({ "decision": "deny", "outcome": "denied", "control": "authorize/unknown", "target": "made-up" })).to_string(),
        outcome(7, json!({ "id": EVIL })).to_string(),
        json!({ "event": "refused", "ts": "2026-05-04T09:14:31Z", "control": "http/host" }).to_string(),
    ];
    std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    let out = command()
        .args(["audit", "export", "--format", "otlp"])
        .arg(path)
        .output()
        .unwrap();
    receiver
        .stdin
        .take()
        .unwrap()
        .write_all(&out.stdout)
        .unwrap();
    let received = receiver.wait_with_output().unwrap();
    assert!(received.status.success());
    let spans: Vec<Value> = serde_json::from_slice(&received.stdout).unwrap();
    assert_eq!(spans.len(), 2, "{spans:?}");
    assert_eq!(spans[0]["name"], "tools/call read_note");
    assert_eq!(spans[0]["trace"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(spans[0]["parent"], "b7ad6b7169203331");
    assert_eq!(spans[0]["span"], format!("{:016x}", 5));
    assert_eq!(spans[0]["nanos"], 5_000_000);
    let attributes = &spans[0]["attributes"];
    assert_eq!(attributes["mcp.method.name"], "tools/call");
    assert_eq!(attributes["gen_ai.tool.name"], "read_note");
    assert_eq!(attributes["network.transport"], "tcp");
    assert_eq!(
        (&spans[1]["name"], &spans[1]["status"]),
        (&json!("tools/call"), &json!(2))
    );
    assert!(!String::from_utf8_lossy(&out.stdout).contains("made-up"));
}

/// A reader of CEF, by its specification and not by our writer: the header ends at seven bars that
/// are not escaped, a key is a word before an `=` that is not escaped.
fn parse_cef(line: &str) -> (Vec<String>, Vec<(String, String)>) {
    let (mut header, mut field, mut rest) = (Vec::new(), String::new(), line.chars());
    while header.len() < 7 {
        match rest.next().expect(line) {
            '\\' => field.push(rest.next().unwrap()),
            '|' => header.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    let rest = rest.as_str();
    let mut marks = Vec::new();
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        match c {
            '\\' if !escaped => escaped = true,
            '=' if !escaped => {
                let start = rest[..at].rfind(' ').map_or(0, |space| space + 1);
                marks.push((start, at));
            }
            _ => escaped = false,
        }
    }
    let mut fields = Vec::new();
    for (n, (start, at)) in marks.iter().enumerate() {
        let end = marks.get(n + 1).map_or(rest.len(), |next| next.0);
        let mut value = String::new();
        let mut raw = rest[at + 1..end].trim_end().chars();
        while let Some(c) = raw.next() {
            match c {
                '\\' => value.push(match raw.next().unwrap() {
                    'n' => '\n',
                    'r' => '\r',
                    c => c,
                }),
                c => value.push(c),
            }
        }
        fields.push((rest[*start..*at].to_owned(), value));
    }
    (header, fields)
}

/// The dashboard, while it runs.
struct Dashboard {
    child: Child,
    port: u16,
    token: String,
    _folder: TempDir,
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Dashboard {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let log = log(folder.path());
        Self::of(&log, folder)
    }

    fn of(log: &Path, folder: TempDir) -> Self {
        let mut child = command()
            .args(["audit", "serve"])
            .arg(log)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut said)
            .unwrap();
        let rest = said.trim().strip_prefix("http://127.0.0.1:").unwrap();
        let (port, token) = rest.split_once("/?token=").unwrap();
        Self {
            port: port.parse().unwrap(),
            token: token.to_owned(),
            child,
            _folder: folder,
        }
    }

    fn ask(&self, method: &str, path: &str, headers: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        write!(stream, "{method} {path} HTTP/1.1\r\n{headers}\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_owned(), body.to_owned())
    }

    fn host(&self) -> String {
        format!("Host: 127.0.0.1:{}\r\n", self.port)
    }

    /// Uses the address that was printed.
    fn cookie(&self) -> String {
        let path = format!("/?token={}", self.token);
        let (status, head, _) = self.ask("GET", &path, &self.host());
        assert_eq!(status, 303, "{head}");
        let line = head
            .lines()
            .find_map(|line| line.strip_prefix("set-cookie: "))
            .unwrap();
        assert!(
            line.contains("HttpOnly") && line.contains("SameSite=Strict"),
            "{line}"
        );
        format!("Cookie: other=1; {}\r\n", line.split(';').next().unwrap())
    }
}

#[test]
fn nothing_that_a_stranger_wrote_is_markup_on_the_page() {
    let dashboard = Dashboard::start();
    let cookie = dashboard.cookie();
    let (status, head, body) = dashboard.ask("GET", "/", &(dashboard.host() + &cookie));
    assert_eq!(status, 200);
    assert!(
        body.contains("&lt;script&gt;alert(1)"),
        "it is shown: {body}"
    );
    for markup in ["<script", "<img", "onerror=alert(2)>"] {
        assert!(!body.contains(markup), "`{markup}` in {body}");
    }
    assert!(!body.contains(['\u{202e}', '\u{1b}', '\u{2028}']));
    // Were it markup nevertheless, it would not run.
    assert!(
        head.contains("content-security-policy: default-src 'none'; style-src 'self'"),
        "{head}"
    );
    for wanted in [
        "x-frame-options: DENY",
        "referrer-policy: no-referrer",
        "cache-control: no-store",
    ] {
        assert!(head.contains(wanted), "{head}");
    }
    // What it shows.
    assert!(body.contains("http/host") && body.contains("rate/tool") && body.contains("read_note"));
    assert!(
        body.contains("NOT as it was written") && body.contains("<svg"),
        "{body}"
    );
    assert!(body.contains("width=device-width"));
    assert!(!body.contains("style=\""), "the policy forbids it: {body}");
}

#[test]
fn without_the_printed_address_there_is_no_page_and_it_is_good_once() {
    let dashboard = Dashboard::start();
    let host = dashboard.host();
    let no_page = |path: &str, headers: &str, wanted: u16| {
        let (status, _, body) = dashboard.ask("GET", path, headers);
        assert_eq!(status, wanted, "{path} {headers}");
        assert!(
            !body.contains("read_note") && !body.contains("Audit log"),
            "{body}"
        );
    };
    no_page("/", &host, 403);
    no_page("/?token=", &host, 403);
    no_page(&format!("/?token={}", "0".repeat(64)), &host, 403);
    no_page(
        "/",
        &format!("{host}Cookie: mcp_secure_audit_{}=0\r\n", dashboard.port),
        403,
    );
    no_page("/../audit.jsonl", &host, 404);
    no_page("/audit.jsonl", &host, 404);
    let cookie = dashboard.cookie();
    no_page(&format!("/?token={}", dashboard.token), &host, 403);
    assert_eq!(dashboard.ask("GET", "/", &(host.clone() + &cookie)).0, 200);
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let (status, ..) =
            dashboard.ask(method, "/", &format!("{host}{cookie}Content-Length: 0\r\n"));
        assert_eq!(status, 405, "{method}");
    }
}

#[test]
fn a_page_of_another_origin_that_names_this_port_gets_nothing() {
    let dashboard = Dashboard::start();
    let cookie = dashboard.cookie();
    let port = dashboard.port;
    for host in [
        format!("Host: evil.example:{port}\r\n"),
        format!("Host: 127.0.0.1.evil.example:{port}\r\n"),
        "Host: 127.0.0.1\r\n".to_owned(),
        format!("Host: 127.0.0.1:{port}\r\nHost: evil.example\r\n"),
        String::new(),
    ] {
        let (status, _, body) = dashboard.ask("GET", "/", &(host.clone() + &cookie));
        assert!(status == 421 || status == 400, "{host}: {status}");
        assert!(!body.contains("read_note"), "{body}");
    }
}

#[test]
fn the_page_of_a_log_that_a_server_wrote_says_that_it_is_as_it_was_written() {
    let from = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/audit/data"));
    let folder = TempDir::new().unwrap();
    for name in ["audit.jsonl", "audit.jsonl.key", "audit.jsonl.pub"] {
        let to = folder.path().join(name);
        std::fs::copy(from.join(name), &to).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
    let log = folder.path().join("audit.jsonl");
    let dashboard = Dashboard::of(&log, folder);
    let headers = dashboard.host() + &dashboard.cookie();
    let shown = || dashboard.ask("GET", "/", &headers).2;
    let whole = shown();
    assert!(
        whole.contains("as it was written, ") && whole.contains("keyed hashes checked"),
        "{whole}"
    );
    assert!(!whole.contains("NOT as it was written"), "{whole}");
    // It looks each time.
    let text = std::fs::read_to_string(&log).unwrap();
    let changed = text.replacen("\"target\":\"echo\"", "\"target\":\"ohce\"", 1);
    assert_ne!(changed, text);
    std::fs::write(&log, changed).unwrap();
    assert!(shown().contains("NOT as it was written"));
}
