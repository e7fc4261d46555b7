//! A service that is posted questions, and answers them: its own HTTP, and its own signatures.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::OpenOptionsExt as _,
    sync::mpsc::{Receiver, channel},
    thread::JoinHandle,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{
    client::{GENERATIONS, over_http},
    cookies::send,
    http::Answer,
    world::{Server, World, free, is_refused, text},
};

/// What both sides sign with.
pub(crate) const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";
const ANOTHER: &str = "AAAQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";

/// As the specification of Standard Webhooks writes it down.
fn signature(secret: &str, id: &str, at: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(&STANDARD.decode(secret).unwrap()).unwrap();
    mac.update(format!("{id}.{at}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// What the service was sent: headers in lower case, and the body.
pub(crate) struct Posted {
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Posted {
    fn header(&self, name: &str) -> &str {
        let mut found = self.headers.iter().filter(|(key, _)| key == name);
        &found.next().unwrap_or_else(|| panic!("no {name}")).1
    }

    /// The question, if it was signed by who holds the secret.
    pub(crate) fn question(&self) -> Value {
        let (id, at) = (self.header("webhook-id"), self.header("webhook-timestamp"));
        let expected = signature(SECRET, id, at, &self.body);
        assert_eq!(self.header("webhook-signature"), expected);
        assert!(now().abs_diff(at.parse().unwrap()) < 10);
        let question: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(question["type"], "approval.asked", "{question}");
        question["data"].clone()
    }
}

/// A service on loopback, which says what it is told to say to each question.
pub(crate) struct Service {
    pub(crate) url: String,
    posted: Receiver<Posted>,
}

impl Service {
    /// `reply` is given the body of the question, and gives back all of the response.
    fn start(reply: impl Fn(&Posted) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/questions", listener.local_addr().unwrap());
        let (sender, posted) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Some(asked) = stream.ok().and_then(|stream| read(stream, &reply)) else {
                    continue;
                };
                if sender.send(asked).is_err() {
                    return;
                }
            }
        });
        Self { url, posted }
    }

    pub(crate) fn that_takes() -> Self {
        Self::start(|_| "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n".to_owned())
    }

    pub(crate) fn posted(&self) -> Posted {
        self.posted.recv_timeout(Duration::from_secs(20)).unwrap()
    }
}

fn read(stream: TcpStream, reply: &dyn Fn(&Posted) -> String) -> Option<Posted> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else {
            break;
        };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?;
    let mut body = vec![0; length.1.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    let posted = Posted {
        path,
        headers,
        body: String::from_utf8(body).ok()?,
    };
    let _ = reader.get_mut().write_all(reply(&posted).as_bytes());
    Some(posted)
}

struct Hooked {
    world: World,
    service: Service,
    _folder: tempfile::TempDir,
}

impl Hooked {
    fn new(service: Service, mut more: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&secret)
            .unwrap();
        writeln!(file, "whsec_{SECRET}").unwrap();
        more["webhook"] = json!([service.url, secret]);
        // Nobody signs in: nobody is asked on a page.
        more["sign_in"] = Value::Null;
        Self {
            world: World::new(more),
            service,
            _folder: folder,
        }
    }

    fn server(&self) -> &Server {
        &self.world.server
    }

    /// Alice's client calls, and is shown nothing.
    fn called(&self, line: &str) -> JoinHandle<Value> {
        let (address, token) = (self.server().address.clone(), self.world.token("alice"));
        let call = json!({ "name": "append", "arguments": { "line": line } });
        std::thread::spawn(move || crate::world::ask_at(&address, &token, &json!({}), call))
    }

    fn deliver(&self, headers: &str, body: &str) -> Answer {
        let address = &self.server().address;
        let head = format!(
            "POST /approve/answer/webhook HTTP/1.1\r\nHost: {address}\r\n\
             Content-Type: application/json{headers}"
        );
        send(address, &head, body)
    }

    /// As the service would.
    fn answer(&self, question: &Value, answer: &str, by: &str) -> Answer {
        let body = answered(question, answer, by).to_string();
        self.deliver(&signed(SECRET, now(), &body), &body)
    }
}

pub(crate) fn answered(question: &Value, answer: &str, by: &str) -> Value {
    json!({
        "type": "approval.answered",
        "data": {
            "question": question["question"], "nonce": question["nonce"],
            "digest": question["digest"], "answer": answer, "by": by,
        },
    })
}

pub(crate) fn signed(secret: &str, at: u64, body: &str) -> String {
    let signature = signature(secret, "msg_1", &at.to_string(), body);
    format!("\r\nwebhook-id: msg_1\r\nwebhook-timestamp: {at}\r\nwebhook-signature: {signature}")
}

#[test]
fn a_service_is_asked_and_its_signed_answer_lets_the_call_run_once() {
    let hooked = Hooked::new(Service::that_takes(), json!({}));
    let calling = hooked.called("by webhook");
    let posted = hooked.service.posted();
    assert_eq!(posted.path, "/questions");
    let question = posted.question();
    assert_eq!(question["tool"], "append");
    assert_eq!(question["arguments"], json!({ "line": "by webhook" }));
    assert_eq!(question["caller"]["subject"], "alice");
    let address = &hooked.server().address;
    let answer_to = format!("http://{address}/approve/answer/webhook");
    assert_eq!(question["answer_to"], answer_to.as_str());
    assert!(hooked.server().log().is_empty());
    assert_eq!(
        hooked.answer(&question, "approve", "bob@example").status,
        200
    );
    assert_eq!(text(&calling.join().unwrap()), "appended");
    let record = hooked
        .server()
        .audited(|r| r["event"] == "outcome" && r["outcome"] == "ok");
    assert_eq!(record["approval"], "out-of-band");
    assert_eq!(record["approved_by"][0]["issuer"], "approver:webhook");
    assert_eq!(record["approved_by"][0]["subject"], "bob@example");

    // The same message again, and another mind.
    assert_eq!(
        hooked.answer(&question, "approve", "bob@example").status,
        409
    );
    assert_eq!(
        hooked.answer(&question, "refuse", "carol@example").status,
        409
    );
    hooked.server().refused_by("approve/over");
    assert_eq!(hooked.server().log(), ["by webhook"]);
}

/// The official client, which has no part in it: its call waits, and nobody is shown anything.
#[test]
fn a_client_that_knows_nothing_of_approvals_waits_for_the_service() {
    for generation in GENERATIONS {
        let hooked = Hooked::new(Service::that_takes(), json!({}));
        let mut client = over_http(&hooked.world, generation, "by somebody else");
        let question = hooked.service.posted().question();
        std::thread::sleep(Duration::from_millis(500));
        assert!(hooked.server().log().is_empty());
        assert_eq!(hooked.answer(&question, "approve", "bob").status, 200);
        let said = client.next();
        assert_eq!(said["outcome"]["text"], "appended", "{generation}: {said}");
        assert_eq!(hooked.server().log(), ["by somebody else"]);
    }
}

#[test]
fn a_no_of_the_service_stops_the_call() {
    let hooked = Hooked::new(Service::that_takes(), json!({}));
    let calling = hooked.called("no");
    let question = hooked.service.posted().question();
    assert_eq!(hooked.answer(&question, "refuse", "bob").status, 200);
    assert!(is_refused(&calling.join().unwrap()));
    assert!(hooked.server().log().is_empty());
    hooked.server().refused_by("approve/declined");
}

/// What an attacker who reaches the server can post, and one who has seen other messages.
#[test]
fn an_answer_that_is_not_the_services_to_this_question_does_not_count() {
    let hooked = Hooked::new(Service::that_takes(), json!({ "time_ms": 60_000 }));
    let first = hooked.called("first");
    let one = hooked.service.posted().question();
    let second = hooked.called("second");
    let posted = hooked.service.posted();
    let question = posted.question();
    let good = answered(&question, "approve", "bob").to_string();
    let with = |name: &str, value: &Value| {
        let mut body = answered(&question, "approve", "bob");
        body["data"][name] = value.clone();
        body.to_string()
    };
    let tampered = with("by", &json!("mallory"));
    let flipped = format!("{:0>64}", "1");
    let reflected = |name: &str| format!("\r\n{name}: {}", posted.header(name));
    let reflected: String = ["webhook-id", "webhook-timestamp", "webhook-signature"]
        .map(reflected)
        .concat();
    for (what, headers, body, control) in [
        ("unsigned", String::new(), good.clone(), "approve/signature"),
        (
            "another secret",
            signed(ANOTHER, now(), &good),
            good.clone(),
            "approve/signature",
        ),
        (
            "another body",
            signed(SECRET, now(), &good),
            tampered,
            "approve/signature",
        ),
        (
            "two signatures in two headers",
            format!(
                "{}\r\nwebhook-signature: v1,AAAA",
                signed(SECRET, now(), &good)
            ),
            good.clone(),
            "approve/signature",
        ),
        (
            "an hour old",
            signed(SECRET, now() - 3600, &good),
            good.clone(),
            "approve/stale",
        ),
        (
            "an hour ahead",
            signed(SECRET, now() + 3600, &good),
            good.clone(),
            "approve/stale",
        ),
        (
            "the question itself",
            reflected,
            posted.body.clone(),
            "approve/changed",
        ),
    ] {
        let answer = hooked.deliver(&headers, &body);
        assert_eq!(answer.status, 403, "{what}: {answer:?}");
        assert!(!answer.body.contains("sign"), "{what}: {answer:?}");
        hooked.server().refused_by(control);
    }
    for (what, body) in [
        ("another digest", with("digest", &json!(flipped))),
        ("the digest of another call", with("digest", &one["digest"])),
        ("the number of another call", with("nonce", &one["nonce"])),
        ("no number", with("nonce", &json!(""))),
        ("nobody", with("by", &json!(""))),
        ("a name that ends lines", with("by", &json!("bob\nalice"))),
        ("something else", with("answer", &json!("maybe"))),
        ("more than was asked", with("arguments", &json!({}))),
    ] {
        let answer = hooked.deliver(&signed(SECRET, now(), &body), &body);
        assert_eq!(answer.status, 403, "{what}: {answer:?}");
    }
    let elsewhere = with("question", &json!("AAAAAAAAAAAAAAAAAAAAAA"));
    let answer = hooked.deliver(&signed(SECRET, now(), &elsewhere), &elsewhere);
    assert_eq!(answer.status, 409, "{answer:?}");
    let address = &hooked.server().address;
    let head = format!("POST /approve/answer/other HTTP/1.1\r\nHost: {address}");
    assert_eq!(send(address, &head, &good).status, 404);
    assert!(hooked.server().log().is_empty());

    // Nothing of it was an answer: both can still be given.
    assert_eq!(hooked.answer(&one, "refuse", "bob").status, 200);
    assert!(is_refused(&first.join().unwrap()));
    assert_eq!(hooked.answer(&question, "approve", "bob").status, 200);
    assert_eq!(text(&second.join().unwrap()), "appended");
    assert_eq!(hooked.server().log(), ["second"]);
}

#[test]
fn an_answer_that_comes_late_is_no_answer() {
    let hooked = Hooked::new(Service::that_takes(), json!({ "time_ms": 1500 }));
    let calling = hooked.called("late");
    let question = hooked.service.posted().question();
    assert!(is_refused(&calling.join().unwrap()));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(hooked.answer(&question, "approve", "bob").status, 409);
    let none = |r: &Value| r["event"] == "approval" && r["answer"] == "none";
    hooked.server().audited(none);
    let log = std::fs::read_to_string(hooked.server().file("audit.jsonl")).unwrap();
    assert!(!log.contains(r#""answer":"yes""#), "{log}");
}

/// A service that can say at once says so in its response, signed as well.
#[test]
fn a_signed_response_is_an_answer_and_an_unsigned_one_is_not() {
    let reply = |secret: &'static str| {
        move |posted: &Posted| {
            let question = &serde_json::from_str::<Value>(&posted.body).unwrap()["data"];
            let body = answered(question, "approve", "a robot").to_string();
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}{}\r\n\r\n\
                 {body}",
                body.len(),
                signed(secret, now(), &body)
            )
        }
    };
    let hooked = Hooked::new(Service::start(reply(SECRET)), json!({}));
    assert_eq!(text(&hooked.called("at once").join().unwrap()), "appended");
    let hooked = Hooked::new(Service::start(reply(ANOTHER)), json!({}));
    assert!(is_refused(&hooked.called("forged").join().unwrap()));
    hooked.server().refused_by("approve/approver");
    assert!(hooked.server().log().is_empty());
}

/// An address of the inside is not asked, unless somebody said that it is meant.
#[test]
fn a_service_in_a_network_that_nobody_meant_is_not_asked() {
    for url in [
        "https://169.254.169.254/latest",
        "https://10.0.0.5/",
        "https://[fd00:ec2::254]/",
    ] {
        let service = Service {
            url: url.to_owned(),
            posted: channel().1,
        };
        let hooked = Hooked::new(service, json!({}));
        assert!(
            is_refused(&hooked.called("inside").join().unwrap()),
            "{url}"
        );
        let record = hooked
            .server()
            .audited(|r| r["event"] == "outcome" && r["control"] == "approve/approver");
        let reason = record["reason"].as_str().unwrap();
        assert!(reason.contains("net/address"), "{url} was tried: {reason}");
    }
}

/// A service that leads elsewhere is not followed: what is there has not been granted.
#[test]
fn a_service_that_leads_elsewhere_is_not_followed() {
    let inside = Service::that_takes();
    let to = inside.url.clone();
    let hooked = Hooked::new(
        Service::start(move |_| {
            format!(
                "HTTP/1.1 307 Temporary Redirect\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"
            )
        }),
        json!({}),
    );
    assert!(is_refused(&hooked.called("elsewhere").join().unwrap()));
    hooked.server().refused_by("approve/approver");
    let nobody = inside.posted.recv_timeout(Duration::from_millis(300));
    assert!(nobody.is_err(), "the redirect was followed");
}

#[test]
fn two_persons_of_the_service_are_two_and_the_caller_is_none_of_them() {
    let hooked = Hooked::new(
        Service::that_takes(),
        json!({ "others": "approve", "people": 2, "time_ms": 60_000 }),
    );
    let calling = hooked.called("four eyes");
    let question = hooked.service.posted().question();
    assert_eq!(
        (&question["people"], &question["others"]),
        (&json!(2), &json!("approve"))
    );
    assert_eq!(hooked.answer(&question, "approve", "alice").status, 403);
    hooked.server().refused_by("approve/person");
    assert_eq!(hooked.answer(&question, "approve", "bob").status, 200);
    assert_eq!(hooked.answer(&question, "approve", "bob").status, 409);
    std::thread::sleep(Duration::from_millis(300));
    assert!(hooked.server().log().is_empty(), "one is not two");
    assert_eq!(hooked.answer(&question, "approve", "carol").status, 200);
    assert_eq!(text(&calling.join().unwrap()), "appended");
}

#[test]
fn an_address_that_nobody_granted_and_a_secret_that_everybody_reads_stop_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    let write = |mode: u32, text: &str| {
        let _ = std::fs::remove_file(&secret);
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&secret)
            .unwrap();
        writeln!(file, "{text}").unwrap();
        std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(mode))
            .unwrap();
    };
    let good = format!("whsec_{SECRET}");
    for (url, mode, text, why) in [
        (
            "http://approvals.example/q",
            0o600,
            good.as_str(),
            "plain HTTP",
        ),
        ("https://*.example/q", 0o600, &good, "the approver"),
        (
            "https://user:pw@approvals.example/",
            0o600,
            &good,
            "the approver",
        ),
        ("http://127.0.0.1:9/", 0o644, &good, "every user"),
        ("http://127.0.0.1:9/", 0o600, "s3cret", "whsec_"),
        ("http://127.0.0.1:9/", 0o600, "whsec_c2hvcnQ=", "24 to 64"),
    ] {
        write(mode, text);
        let said = Server::that_fails(json!({ "webhook": [url, secret], "listen": free() }));
        assert!(said.contains(why), "{url} {text}: {said}");
        assert!(!said.contains("s3cret") && !said.contains(SECRET), "{said}");
    }
}
