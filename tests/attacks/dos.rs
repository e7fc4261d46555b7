//! DOS: one request too large, too many, too odd.
//!
//! The twins collect what comes, keep what is opened, match with a backtracking pattern, and
//! end where something is missing. What they are made to lose is bounded: 24 MiB of memory,
//! or a second of time.

use std::{
    io::{self, Write as _},
    net::TcpStream,
    process::exit,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    ours::{Over, Running},
    report::{Attack, Played, Stopped},
    scene::Scene,
    twin,
    wire::{Answer, Http, Server, request, text},
};

/// The naive server on standard input and output.
pub fn twin_stdio() {
    twin::over_stdio(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        match message["method"].as_str() {
            Some("completion/complete") => {
                // As a nil pointer does.
                let kind = message.pointer("/params/ref/type").unwrap();
                assert!(kind.is_string());
            }
            Some("resources/read") => {
                let uri = message["params"]["uri"].as_str().unwrap_or_default();
                is_list(uri.trim_start_matches("files://by-id/").as_bytes());
            }
            _ => {}
        }
        twin::answer(&message, |_, _| Ok("nothing secret".to_owned()))
    });
}

/// `[^/]+(?:,[^/]+)*$`, which a URI template `{id*}` was made into: a comma belongs to either
/// part, so each doubles the ways to fail.
fn is_list(text: &[u8]) -> bool {
    let longest = text.iter().take_while(|byte| **byte != b'/').count();
    (1..=longest)
        .rev()
        .any(|length| match text[length..].split_first() {
            None => true,
            Some((b',', rest)) => is_list(rest),
            Some(_) => false,
        })
}

/// The naive server over HTTP.
pub fn twin_http() {
    let sessions = Mutex::new(Vec::new());
    twin::over_http(move |request, mut stream| {
        let message = request.json();
        if message["method"] == "initialize" {
            let mut sessions = sessions.lock().unwrap();
            sessions.push(vec![1_u8; 256 * 1024]);
            let id = vec![("Mcp-Session-Id", sessions.len().to_string())];
            return twin::reply(&mut stream, (200, id, "{}".to_owned()));
        }
        if message["params"]["name"] == "whoami" && stream_events(&mut stream).is_err() {
            // As an exception does that nobody catches.
            exit(1);
        }
        twin::reply(&mut stream, (200, Vec::new(), "{}".to_owned()))
    });
}

fn stream_events(stream: &mut TcpStream) -> io::Result<()> {
    for _ in 0..10 {
        stream.write_all(b"data: {}\n\n")?;
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

pub fn attacks() -> Vec<Attack> {
    vec![
        Attack::new(
            "CVE-2026-67432",
            "",
            "a body is announced with a gigabyte",
            || body(&Announced),
        ),
        Attack::new(
            "CVE-2026-63658",
            "",
            "a body comes in chunks and does not end",
            || body(&Chunked),
        ),
        Attack::new("CVE-2026-39313", "", "a large body is sent whole", || {
            body(&Whole)
        }),
        Attack::new("CVE-2026-63119", "", "a line does not end", endless_line),
        Attack::new(
            "CVE-2026-67430",
            "",
            "session after session is opened",
            session_flood,
        ),
        Attack::new(
            "CVE-2025-53365",
            "",
            "the connection is dropped in the middle of a call",
            dropped_call,
        ),
        Attack::new(
            "CVE-2026-47427",
            "",
            "a completion is asked for without saying of what",
            empty_params,
        ),
        Attack::new(
            "CVE-2026-0621",
            "commas",
            "a URI lists so many ids that matching has no end",
            || slow_match(27),
        ),
        Attack::new(
            "CVE-2026-0621",
            "100 KB",
            "the same, with 100 KB of ids",
            || slow_match(50_000),
        ),
    ]
}

const MIB: usize = 1024 * 1024;

/// What is sent to a server that would take all of it.
const LOAD: usize = 24 * MIB;

/// What the twin is seen to grow by, at least; and ours, at most.
const HURT: u64 = 16 * 1024 * 1024;
const UNHURT: u64 = 8 * 1024 * 1024;

/// How a body is framed.
trait Framing {
    fn head(&self) -> (&'static str, String);
    /// Writes until all is sent or nobody takes it.
    fn write(&self, stream: &mut TcpStream) -> io::Result<()>;
}

struct Announced;
struct Chunked;
struct Whole;

impl Framing for Announced {
    fn head(&self) -> (&'static str, String) {
        ("Content-Length", (1024 * MIB).to_string())
    }

    fn write(&self, stream: &mut TcpStream) -> io::Result<()> {
        (0..LOAD / MIB).try_for_each(|_| stream.write_all(&vec![b' '; MIB]))
    }
}

impl Framing for Chunked {
    fn head(&self) -> (&'static str, String) {
        ("Transfer-Encoding", "chunked".to_owned())
    }

    fn write(&self, stream: &mut TcpStream) -> io::Result<()> {
        (0..LOAD / MIB).try_for_each(|_| {
            write!(stream, "{MIB:x}\r\n")?;
            stream.write_all(&vec![b' '; MIB])?;
            stream.write_all(b"\r\n")
        })
    }
}

impl Framing for Whole {
    fn head(&self) -> (&'static str, String) {
        ("Content-Length", (LOAD + 2).to_string())
    }

    fn write(&self, stream: &mut TcpStream) -> io::Result<()> {
        Announced.write(stream)
    }
}

fn body(framing: &dyn Framing) -> Played {
    let scene = Scene::new();
    let (name, value) = framing.head();

    let mut twin = Server::start("twin dos http", [""; 0], &scene);
    let address = twin.address();
    let before = twin.memory();
    let mut stream = Http::post("").head(address, (name, &value)).unwrap();
    framing.write(&mut stream).unwrap();
    let grown = grows(&twin, before);
    drop(stream);

    let mut ours = Running::start(Over::Http, &scene);
    let before = ours.server.memory();
    let request = Http::post("").bearer(&ours.token);
    let mut stream = request.head(ours.address(), (name, &value)).unwrap();
    let _ = framing.write(&mut stream);
    let answer = Answer::read(&mut stream).unwrap();
    assert_eq!(answer.status, 413, "{answer:?}");
    does_not_grow(&ours.server, before);
    let record = ours.refused_by("http/body-size");
    ours.still_works();
    Played {
        transport: "http",
        twin: grown,
        caller: answer.seen(),
        stopped: Stopped::Refused(record),
    }
}

fn endless_line() -> Played {
    let scene = Scene::new();
    let part = vec![b'x'; MIB];

    let mut twin = Server::start("twin dos stdio", [""; 0], &scene);
    twin.initialize();
    let before = twin.memory();
    for _ in 0..LOAD / MIB {
        twin.send(&part).unwrap();
    }
    let grown = grows(&twin, before);

    let mut ours = Running::start(Over::Stdio, &scene);
    let before = ours.server.memory();
    for _ in 0..LOAD / MIB {
        ours.server.send(&part).unwrap();
    }
    does_not_grow(&ours.server, before);
    ours.server.send(b"\n").unwrap();
    let answer = ours.server.line(crate::wire::PATIENCE).unwrap();
    let record = ours.refused_by("stdio/size");
    ours.still_works();
    Played {
        transport: "stdio",
        twin: grown,
        caller: text(&answer),
        stopped: Stopped::Refused(record),
    }
}

/// Waits until the server has taken what was sent, and says how much it grew.
fn grows(server: &Server, before: u64) -> String {
    let begun = Instant::now();
    loop {
        let grown = server.memory().saturating_sub(before);
        if grown >= HURT {
            return format!(
                "collected {} MiB, and would have gone on",
                grown / MIB as u64
            );
        }
        assert!(
            begun.elapsed() < crate::wire::PATIENCE,
            "the twin grew by {grown} bytes only"
        );
        thread::sleep(Duration::from_millis(10));
    }
}

fn does_not_grow(server: &Server, before: u64) {
    let grown = server.memory().saturating_sub(before);
    assert!(grown < UNHURT, "grew by {grown} bytes");
}

fn session_flood() -> Played {
    const FLOOD: usize = 96;
    let scene = Scene::new();
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": { "name": "flood", "version": "1" } });
    let initialize = || Http::post(request(0, "initialize", params.clone()));

    let mut twin = Server::start("twin dos http", [""; 0], &scene);
    let address = twin.address();
    let before = twin.memory();
    for _ in 0..FLOOD {
        assert_eq!(initialize().send(address).unwrap().status, 200);
    }
    let grown = grows(&twin, before);

    let mut ours = Running::start(Over::Http, &scene);
    let answers: Vec<Answer> = (0..FLOOD)
        .map(|_| ours.send(&initialize().bearer(&ours.token)))
        .collect();
    let opened = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(opened, 64, "the cap of one principal");
    let refused = answers.last().unwrap();
    assert_eq!(refused.status, 503);
    let record = ours.refused_by("http/session-cap");
    ours.still_works();
    Played {
        transport: "http",
        twin: grown,
        caller: refused.seen(),
        stopped: Stopped::Refused(record),
    }
}

fn dropped_call() -> Played {
    let scene = Scene::new();
    let call = || Http::stateless_call("whoami", json!({ "wait_ms": 1000 }));
    let drop_it = |stream: TcpStream| {
        thread::sleep(Duration::from_millis(200));
        drop(stream);
    };

    let mut twin = Server::start("twin dos http", [""; 0], &scene);
    drop_it(call().open(twin.address()).unwrap());
    assert!(!twin.ended(), "the twin ended well");

    let mut ours = Running::start(Over::Http, &scene);
    drop_it(call().bearer(&ours.token).open(ours.address()).unwrap());
    let record = ours.refused_by("cancel");
    assert_eq!(record["outcome"], "cancelled");
    // The work ended with the connection: nobody pays for an answer that nobody reads.
    assert!(record["duration_us"].as_u64() < Some(900_000), "{record}");
    assert!(ours.server.is_alive());
    ours.still_works();
    Played {
        transport: "http",
        twin: "ended, for all its users".to_owned(),
        caller: "nothing: it had gone".to_owned(),
        stopped: Stopped::Refused(record),
    }
}

fn empty_params() -> Played {
    let scene = Scene::new();
    let message = request(7, "completion/complete", json!({})).to_string();

    let mut twin = Server::start("twin dos stdio", [""; 0], &scene);
    twin.initialize();
    twin.send_line(&message).unwrap();
    assert!(!twin.ended(), "the twin ended well");

    let mut ours = Running::start(Over::Stdio, &scene);
    ours.server.send_line(&message).unwrap();
    let answer = ours.server.line(crate::wire::PATIENCE).unwrap();
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    let record = ours.refused_by("authorize/malformed");
    assert!(ours.server.is_alive());
    ours.still_works();
    Played {
        transport: "stdio",
        twin: "ended, for all its users".to_owned(),
        caller: text(&answer),
        stopped: Stopped::Refused(record),
    }
}

fn slow_match(commas: usize) -> Played {
    const DEADLINE: Duration = Duration::from_secs(1);
    let scene = Scene::new();
    let uri = format!("files://by-id/{}a/", "a,".repeat(commas));
    let message = request(7, "resources/read", json!({ "uri": uri })).to_string();

    let mut twin = Server::start("twin dos stdio", [""; 0], &scene);
    twin.initialize();
    twin.send_line(&message).unwrap();
    let answer = twin.line(DEADLINE);
    assert!(
        answer.is_none() && twin.is_alive(),
        "the twin was not held up: {answer:?}"
    );

    let mut ours = Running::start(Over::Stdio, &scene);
    ours.still_works();
    ours.server.send_line(&message).unwrap();
    let answer = ours.server.line(DEADLINE).expect("an answer in time");
    let record = ours.record("of the read", |record| record["op"] == "resources/read");
    assert_eq!(record["decision"], "deny", "{record}");
    ours.still_works();
    Played {
        transport: "stdio",
        twin: "was busy with one request for more than a second".to_owned(),
        caller: text(&answer),
        stopped: Stopped::Refused(record),
    }
}
