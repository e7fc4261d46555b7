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
    /// Which button the person presses.
    person: &'static str,
    /// What the person was shown.
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
            person: "refuse",
            question: String::new(),
        };
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": { "elicitation": { "url": {} } },
            "clientInfo": { "name": "test", "version": "1" } });
        assert!(mailer.ask("initialize", params)["result"].is_object());
        mailer.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        mailer
    }

    fn agrees(mut self) -> Self {
        self.person = "approve";
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
            match message["method"].as_str() {
                None => return message,
                Some("elicitation/create") => {}
                // The page is done: whoever waits knows it by the answer.
                Some(said) => {
                    assert_eq!(said, "notifications/elicitation/complete");
                    continue;
                }
            }
            let link = message["params"]["url"].as_str().unwrap();
            self.question = on_page(link, self.person);
            let seen = json!({ "action": "accept" });
            self.send(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": seen }));
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

/// What a browser does: it opens the link and presses a button. Gives back what was shown.
fn on_page(link: &str, button: &str) -> String {
    let rest = link.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let request = |line: &str, more: &str, body: &str| {
        let mut stream = TcpStream::connect(host).unwrap();
        let head = format!(
            "{line} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let between = |text: &str, from: &str, to: &str| {
        let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("{text}"));
        rest.split(to).next().unwrap().to_owned()
    };
    let page = request("GET", "", "");
    let cookie = between(&page, "set-cookie: ", ";");
    let token = between(&page, "name=\"token\" value=\"", "\"");
    let more = format!(
        "Origin: http://{host}\r\nCookie: {cookie}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n"
    );
    let answered = request("POST", &more, &format!("token={token}&answer={button}"));
    assert!(answered.starts_with("HTTP/1.1 303"), "{answered}");
    page
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
    assert_eq!(record["approval"], "page-link");
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
fn an_agent_in_a_loop_is_told_when_to_come_back_and_nobody_is_asked() {
    let service = Service::honest();
    let mut mailer = Mailer::beside(&service).agrees();
    for n in 0..3 {
        let to = format!("ada{n}@shop.example");
        assert_eq!(text(&mailer.mail(&to)), format!("sent to {to}"));
    }
    mailer.question.clear();
    let refused = mailer.mail("ada3@shop.example");
    assert_eq!(refused["error"]["code"], -31006, "{refused}");
    let data = &refused["error"]["data"];
    assert_eq!(data["limit"], "30/min, 3 at once", "{refused}");
    assert_eq!(mailer.record("send_mail")["control"], "rate/tool");
    assert!(mailer.question.is_empty() && service.asked().len() == 3);
    // Reading is another tool.
    let read = mailer.call("delivery", json!({ "id": "7" }));
    assert_eq!(read["result"]["structuredContent"]["status"], "sent");
    // One that waits as it was told gets through.
    let wait = data["retryAfterMs"].as_u64().unwrap();
    assert!((1..=2000).contains(&wait), "{refused}");
    std::thread::sleep(std::time::Duration::from_millis(wait));
    assert_eq!(
        text(&mailer.mail("ada3@shop.example")),
        "sent to ada3@shop.example"
    );
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

/// The operator of this server needs no second program to give it its token.
#[test]
fn the_server_keeps_its_own_vault() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["vault", "keys"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    let vault = |verb: &[&str], secret: &str| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mailer"))
            .arg("vault")
            .args(verb)
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(secret.as_bytes())
            .unwrap();
        let done = child.wait_with_output().unwrap();
        let said = [done.stdout, done.stderr].concat();
        (done.status.success(), String::from_utf8(said).unwrap())
    };
    let (fine, said) = vault(&["list"], "");
    assert!(!fine, "there is none: {said}");
    assert!(vault(&["init"], "").0);
    assert!(!vault(&["init"], "").0, "there is one");
    let (fine, said) = vault(
        &["set", "mail", "--host", "https://api.mail.example"],
        &format!("{TOKEN}\n"),
    );
    assert!(
        fine && said.contains("stored `mail`, version 1") && !said.contains(TOKEN),
        "{said}"
    );
    let (fine, said) = vault(&["list"], "");
    assert!(
        fine && said.contains("mail  v1") && said.contains("https://api.mail.example"),
        "{said}"
    );
    assert!(!said.contains(TOKEN));
    assert!(vault(&["rotate"], "").1.contains("1 sealed anew"));
    assert!(vault(&["rm", "mail"], "").0);
    assert_eq!(vault(&["list"], ""), (true, String::new()));
    // Never from the command line.
    let (fine, _) = vault(
        &["set", "mail", TOKEN, "--host", "https://api.mail.example"],
        "",
    );
    assert!(!fine);
}
