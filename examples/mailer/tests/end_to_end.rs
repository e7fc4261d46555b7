//! The mailer as a client reaches it: a child process with JSON lines, beside a stand-in for
//! the mail service on loopback.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

use std::{
    fs,
    io::{BufRead as _, BufReader, Lines, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex},
};

use mcp_secure::vault::{NewCredential, Placement, VaultFile, VaultKey};
use serde_json::{Value, json};

const TOKEN: &str = "token-of-the-api";

/// What the service was asked: the line, the token, the body.
type Asked = Arc<Mutex<Vec<(String, String, String)>>>;

/// A service that answers with what `says` makes of a request line.
struct Service {
    address: SocketAddr,
    asked: Asked,
}

impl Service {
    fn start(says: impl Fn(&str) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Asked::default();
        let list = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = read(&stream);
                let answer = says(&request.0);
                list.lock().unwrap().push(request);
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        Self { address, asked }
    }

    /// One that takes every message and knows what became of number 7.
    fn honest() -> Self {
        Self::start(|line| match line {
            "POST /email" => answer("200 OK", r#"{"MessageID":"7"}"#),
            "GET /messages/7" => answer("200 OK", r#"{"status":"sent"}"#),
            _ => answer("404 Not Found", "{}"),
        })
    }

    fn asked(&self) -> Vec<(String, String, String)> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer(head: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {head}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}

fn read(stream: &TcpStream) -> (String, String, String) {
    let mut reader = BufReader::new(stream);
    let (mut first, mut token, mut length) = (String::new(), String::new(), 0);
    reader.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        match name {
            "authorization" => token = value.to_owned(),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut body = String::new();
    reader.take(length).read_to_string(&mut body).unwrap();
    let first = first.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    (first, token, body)
}

/// What an operator does with `mcp-secure vault init` and `set`.
fn store(folder: &Path, host: &str) {
    fs::create_dir(folder.join("keys")).unwrap();
    let key = VaultKey::file(folder.join("keys/mailer"));
    key.make().unwrap();
    let vault = VaultFile::at(folder.join("vault/mailer"));
    vault.init(&key).unwrap();
    let mail = NewCredential::new("mail", Placement::Bearer, [host]).unwrap();
    vault.set(&key, &mail, &String::from(TOKEN).into()).unwrap();
}

/// The mailer, and the person at its client.
struct Mailer {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    folder: tempfile::TempDir,
    /// What the person answers.
    person: Value,
    /// What the person was asked.
    question: String,
}

impl Mailer {
    fn beside(service: &Service) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let host = format!("http://{}", service.address);
        store(folder.path(), &host);
        let mut child = Command::new(env!("CARGO_BIN_EXE_mailer"))
            .current_dir(folder.path())
            .args(["serve", "--stdio", "--grant"])
            .arg(format!("mail={host}"))
            .arg("--audit")
            .arg(folder.path().join("audit.jsonl"))
            .env("HOME", folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut mailer = Self {
            child,
            lines,
            folder,
            person: json!({ "action": "decline" }),
            question: String::new(),
        };
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": { "elicitation": {} },
            "clientInfo": { "name": "test", "version": "1" } });
        assert!(mailer.ask("initialize", params)["result"].is_object());
        mailer.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        mailer
    }

    fn agrees(mut self) -> Self {
        self.person = json!({ "action": "accept", "content": { "approve": true } });
        self
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{message}").unwrap();
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }));
        loop {
            let message: Value =
                serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap();
            if message["method"] != "elicitation/create" {
                return message;
            }
            message["params"]["message"]
                .as_str()
                .unwrap()
                .clone_into(&mut self.question);
            let answer =
                json!({ "jsonrpc": "2.0", "id": message["id"], "result": self.person.clone() });
            self.send(&answer);
        }
    }

    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask(
            "tools/call",
            json!({ "name": tool, "arguments": arguments }),
        )
    }

    fn mail(&mut self, to: &str) -> Value {
        self.call(
            "send_mail",
            json!({ "to": to, "subject": "Your order", "text": "It is on its way." }),
        )
    }

    /// The last record of a call of this tool.
    fn record(&self, tool: &str) -> Value {
        // What was recorded before an answer is in the file some milliseconds after it.
        std::thread::sleep(std::time::Duration::from_millis(50));
        let log = fs::read_to_string(self.folder.path().join("audit.jsonl")).unwrap();
        let mut records = log
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        records
            .rfind(|record| record["event"] == "outcome" && record["target"] == tool)
            .unwrap_or_else(|| panic!("no record of {tool} in {log}"))
    }
}

impl Drop for Mailer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer}"))
}

#[test]
fn a_mail_is_sent_when_the_person_agrees() {
    let service = Service::honest();
    let mut mailer = Mailer::beside(&service).agrees();
    assert_eq!(
        text(&mailer.mail("ada@shop.example")),
        "sent to ada@shop.example"
    );
    for part in ["ada@shop.example", "Your order", "It is on its way."] {
        assert!(mailer.question.contains(part), "{}", mailer.question);
    }
    let [(line, token, body)] = &service.asked()[..] else {
        panic!("{:?}", service.asked())
    };
    assert_eq!(line, "POST /email");
    assert_eq!(*token, format!("Bearer {TOKEN}"));
    let sent: Value = serde_json::from_str(body).unwrap();
    let expected = json!({ "From": "mailer@example.com", "To": "ada@shop.example",
        "Subject": "Your order", "TextBody": "It is on its way." });
    assert_eq!(sent, expected);
    let record = mailer.record("send_mail");
    assert_eq!(record["approval"], "client-attested");
    assert_eq!(record["steps"][0]["outcome"], "ok", "{record}");
    // Neither the token nor the mail is in the log.
    for unsaid in [TOKEN, "shop.example", "on its way"] {
        assert!(!record.to_string().contains(unsaid), "{record}");
    }
}

#[test]
fn nothing_is_sent_when_the_person_does_not_agree() {
    let service = Service::honest();
    let mut mailer = Mailer::beside(&service);
    assert_eq!(mailer.mail("ada@shop.example")["result"]["isError"], true);
    assert_eq!(mailer.record("send_mail")["control"], "approve/declined");
    assert!(service.asked().is_empty());
}

#[test]
fn a_second_recipient_is_no_address() {
    let service = Service::honest();
    let mut mailer = Mailer::beside(&service).agrees();
    for to in [
        "ada@shop.example, phan@giftshop.club",
        "ada@shop.example\r\nBcc: phan@giftshop.club",
        "<ada@shop.example>",
        "",
    ] {
        assert_eq!(mailer.mail(to)["result"]["isError"], true, "{to}");
        assert_eq!(mailer.record("send_mail")["control"], "validate/schema");
    }
    assert!(mailer.question.is_empty() && service.asked().is_empty());
}

#[test]
fn what_became_of_a_message_is_read_and_an_id_stays_one_segment() {
    let service = Service::honest();
    let mut mailer = Mailer::beside(&service);
    let answer = mailer.call("delivery", json!({ "id": "7" }));
    assert_eq!(
        answer["result"]["structuredContent"],
        json!({ "status": "sent" })
    );
    for id in ["../email", "7/../../tokens", "%2e%2e%2ftokens", ".."] {
        let answer = mailer.call("delivery", json!({ "id": id }));
        assert_eq!(answer["result"]["isError"], true, "{id}: {answer}");
        let record = mailer.record("delivery");
        assert_eq!(record["control"], "net/path", "{record}");
        assert_eq!(record["steps"][0]["control"], "net/path", "{record}");
    }
    // What begins a query elsewhere is a part of the segment here.
    let answer = mailer.call("delivery", json!({ "id": "7?all=1#x" }));
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    let asked = service.asked();
    let lines: Vec<&str> = asked.iter().map(|(line, ..)| line.as_str()).collect();
    assert_eq!(lines, ["GET /messages/7", "GET /messages/7%3Fall%3D1%23x"]);
    assert!(mailer.question.is_empty(), "reading needs nobody");
}

#[test]
fn a_redirect_is_not_followed_and_nothing_goes_along() {
    let elsewhere = Service::honest();
    let location = format!("307 -\r\nLocation: http://{}/email", elsewhere.address);
    let service = Service::start(move |_| answer(&location, ""));
    let mut mailer = Mailer::beside(&service).agrees();
    let answer = mailer.mail("ada@shop.example");
    assert_eq!(
        text(&answer),
        "the mail service did not take the message",
        "{answer}"
    );
    assert_eq!(service.asked().len(), 1);
    assert!(elsewhere.asked().is_empty());
}

#[test]
fn it_does_not_start_on_what_is_no_single_host() {
    for (grant, words) in [
        ("mail=https://*.mail.example", "wildcard"),
        ("mail=https://me@api.mail.example", "user name"),
        ("mail=api.mail.example", "https://"),
        ("mail=https://api.mail.example?x=1", "`?`"),
        ("post=https://api.mail.example", "post"),
    ] {
        let ended = Command::new(env!("CARGO_BIN_EXE_mailer"))
            .args(["serve", "--stdio", "--audit", "stderr", "--grant", grant])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(
            !ended.status.success() && said.contains(words),
            "{grant}: {said}"
        );
        assert!(said.contains("help:"), "{grant}: {said}");
    }
}

#[test]
fn it_can_do_no_more_than_the_reviewed_manifest_says() {
    let printed = Command::new(env!("CARGO_BIN_EXE_mailer"))
        .args(["manifest", "--json"])
        .output()
        .unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert_eq!(
        printed.trim_end(),
        include_str!("../manifest.json").trim_end(),
        "see what changed, then run `cargo run -p mailer -- manifest --json > examples/mailer/manifest.json`"
    );
}
