//! SESS: one caller becomes another.
//!
//! The twin knows its users by their tokens, when they come. After that a session id is all
//! it asks for; ids are counted; answers find their way by the id that the client chose; and
//! what it knows of "the" user is kept in one place for the whole process.

use std::{
    collections::{HashMap, HashSet},
    net::TcpStream,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use serde_json::json;

use crate::{
    ours::{ALICE, MALLORY, Running},
    report::{Attack, Played, Stopped},
    scene::Scene,
    twin,
    wire::{Answer, Http, Server, request},
};

/// What all threads of the naive server share.
#[derive(Default)]
struct Memory {
    /// Whose a session is.
    sessions: HashMap<String, String>,
    /// Where an answer goes, by the client's own request id.
    waiting: HashMap<String, TcpStream>,
    /// The user for whom there is a connection to the service behind.
    user: Option<String>,
}

/// The naive server.
pub fn twin() {
    let memory = Arc::new(Mutex::new(Memory::default()));
    twin::over_http(move |request, mut stream| {
        let token = request
            .header("authorization")
            .trim_start_matches("Bearer ")
            .to_owned();
        let user = token.trim_end_matches("-token").to_owned();
        let message = request.json();
        if message["method"] == "initialize" {
            let mut memory = memory.lock().unwrap();
            let id = format!("session-{}", 0x7f00 + 0x40 * memory.sessions.len());
            memory.sessions.insert(id.clone(), user.clone());
            memory.user.get_or_insert(user);
            let answer = twin::answer(&message, |_, _| Ok(String::new())).unwrap_or_default();
            let head = vec![("Mcp-Session-Id", id)];
            return twin::reply(&mut stream, (200, head, answer.to_string()));
        }
        let owner = {
            let memory = memory.lock().unwrap();
            memory
                .sessions
                .get(request.header("mcp-session-id"))
                .cloned()
        };
        let Some(owner) = owner else {
            return twin::reply(&mut stream, (404, Vec::new(), String::new()));
        };
        if request.method == "GET" {
            let event = format!(
                "data: {}\n\n",
                json!({ "secret": format!("the secret of {owner}") })
            );
            return twin::reply(&mut stream, (200, Vec::new(), event));
        }
        let id = message["id"].to_string();
        memory.lock().unwrap().waiting.insert(id.clone(), stream);
        let wait = message["params"]["arguments"]["wait_ms"]
            .as_u64()
            .unwrap_or_default();
        thread::sleep(Duration::from_millis(wait));
        let cached = memory.lock().unwrap().user.clone().unwrap_or_default();
        let answer = twin::answer(&message, |tool, _| {
            let who = if tool == "whoami_behind" {
                &cached
            } else {
                &owner
            };
            Ok(format!("the secret of {who}"))
        });
        let stream = memory.lock().unwrap().waiting.remove(&id);
        match stream {
            Some(mut stream) => {
                let answer = answer.unwrap_or_default().to_string();
                twin::reply(&mut stream, (200, Vec::new(), answer))
            }
            None => Ok(()),
        }
    });
}

pub fn attacks() -> Vec<Attack> {
    vec![
        Attack::new(
            "CVE-2026-52869",
            "",
            "another user sends the victim's session id",
            foreign_session,
        ),
        Attack::new(
            "CVE-2026-67431",
            "",
            "whoever has heard a session id runs tools, without any credential",
            stolen_session,
        ),
        Attack::new(
            "CVE-2026-33946",
            "",
            "another user opens a stream with the victim's session id",
            foreign_stream,
        ),
        Attack::new(
            "CVE-2025-6515",
            "",
            "the next session id is guessed from one's own",
            guessed_session,
        ),
        Attack::new(
            "CVE-2026-25536",
            "",
            "two clients use the same request id at once, and one gets the other's answer",
            same_request_id,
        ),
        Attack::new(
            "CVE-2026-48529",
            "",
            "what was kept for the first user serves the second",
            global_user,
        ),
    ]
}

const LEAK: &str = "the secret of alice";

/// A server with two users, the twin or ours.
struct Two {
    server: Server,
    address: std::net::SocketAddr,
}

impl Two {
    fn twin(scene: &Scene) -> Self {
        let mut server = Server::start("twin sess", [""; 0], scene);
        let address = server.address();
        Self { server, address }
    }

    /// Opens a session; its id.
    fn open(&self, token: &str) -> String {
        open(self.address, token)
    }
}

fn open(address: std::net::SocketAddr, token: &str) -> String {
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": { "name": "client", "version": "1" } });
    let answer = Http::post(request(0, "initialize", params))
        .bearer(token)
        .send(address)
        .unwrap();
    let id = answer
        .header("mcp-session-id")
        .unwrap_or_else(|| panic!("{answer:?}"))
        .to_owned();
    let done = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let _ = in_session(Http::post(done), &id)
        .bearer(token)
        .send(address);
    id
}

fn in_session(request: Http, id: &str) -> Http {
    request.with("Mcp-Session-Id", id)
}

fn whoami(tool: &str, wait_ms: u64) -> Http {
    let params = json!({ "name": tool, "arguments": { "wait_ms": wait_ms } });
    Http::post(request(1, "tools/call", params))
}

/// Sends the same request to both; the twin leaks, ours refuses by this control and with
/// this status.
fn use_of_a_session(
    twin_id: impl Fn(&Two, String) -> String,
    our_id: impl Fn(&Running, String) -> String,
    attack: impl Fn(&str) -> Http,
    (status, control): (u16, &str),
) -> Played {
    let scene = Scene::new();
    let twin = Two::twin(&scene);
    let victim = twin.open(ALICE);
    let answer = attack(&twin_id(&twin, victim)).send(twin.address).unwrap();
    let lost = answer.body.contains(LEAK);
    assert!(
        lost,
        "the twin was not exploited: {answer:?} {}",
        twin.server.errors()
    );

    let ours = Running::start_for_several(&scene);
    let victim = open(ours.address(), ALICE);
    let answer = ours.send(&attack(&our_id(&ours, victim.clone())));
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(!answer.body.contains(LEAK), "{answer:?}");
    // Nobody learns from the answer whether there is such a session.
    assert_eq!(answer.body, ours.send(&attack("never-was")).body);
    let caller = answer.seen();
    let record = ours.refused_by(control);
    // The victim has noticed nothing.
    let answer = ours.send(&in_session(whoami("whoami", 0), &victim).bearer(ALICE));
    assert!(answer.body.contains(LEAK), "{answer:?}");
    Played {
        transport: "http",
        twin: format!("gave {LEAK:?} to somebody else"),
        caller,
        stopped: Stopped::Refused(record),
    }
}

fn foreign_session() -> Played {
    use_of_a_session(
        |_, victim| victim,
        |_, victim| victim,
        |id| in_session(whoami("whoami", 0), id).bearer(MALLORY),
        (404, "http/session"),
    )
}

fn stolen_session() -> Played {
    use_of_a_session(
        |_, victim| victim,
        |_, victim| victim,
        |id| in_session(whoami("whoami", 0), id),
        (401, "http/auth"),
    )
}

fn foreign_stream() -> Played {
    let get = |id: &str| {
        let get = Http::new("GET", "").with("Accept", "text/event-stream");
        in_session(get, id).bearer(MALLORY)
    };
    use_of_a_session(
        |_, victim| victim,
        |_, victim| victim,
        get,
        (404, "http/session"),
    )
}

fn guessed_session() -> Played {
    use_of_a_session(
        // One's own id, and a step back.
        |twin, _| {
            let own = twin.open(MALLORY);
            let number: u64 = own.trim_start_matches("session-").parse().unwrap();
            format!("session-{}", number - 0x40)
        },
        |ours, victim| {
            let ids: Vec<String> = (0..48).map(|_| open(ours.address(), MALLORY)).collect();
            are_random(&ids);
            // The best guess there is: one's own id with the part in which two differ taken
            // from what is known of the other.
            let own = ids.last().unwrap();
            let (head, tail) = (&own[..own.len() / 2], &victim[victim.len() / 2..]);
            format!("{head}{tail}")
        },
        |id| in_session(whoami("whoami", 0), id).bearer(MALLORY),
        (404, "http/session"),
    )
}

/// No two ids are equal, and no place of an id has the same letter in all of them: nothing
/// is a counter, a clock or an address.
fn are_random(ids: &[String]) {
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    assert!(
        ids.iter().all(|id| id.len() >= 22),
        "128 bits in base64: {}",
        ids[0]
    );
    for at in 0..22 {
        let letters: HashSet<_> = ids.iter().filter_map(|id| id.as_bytes().get(at)).collect();
        assert!(
            letters.len() > 8,
            "place {at} of an id has {} letters",
            letters.len()
        );
    }
}

fn same_request_id() -> Played {
    let scene = Scene::new();
    let race = |address, alice: &str, mallory: &str| -> [Option<Answer>; 2] {
        let mut of_alice = in_session(whoami("whoami", 600), alice)
            .bearer(ALICE)
            .open(address)
            .unwrap();
        thread::sleep(Duration::from_millis(200));
        let mut of_mallory = in_session(whoami("whoami", 1200), mallory)
            .bearer(MALLORY)
            .open(address)
            .unwrap();
        for stream in [&of_alice, &of_mallory] {
            stream
                .set_read_timeout(Some(Duration::from_secs(5)))
                .unwrap();
        }
        let second = Answer::read(&mut of_mallory).ok();
        [Answer::read(&mut of_alice).ok(), second]
    };

    let twin = Two::twin(&scene);
    let [_, got] = race(twin.address, &twin.open(ALICE), &twin.open(MALLORY));
    let got = got.expect("an answer for mallory");
    assert!(
        got.body.contains(LEAK),
        "the twin was not exploited: {got:?}"
    );

    let ours = Running::start_for_several(&scene);
    let address = ours.address();
    let [alice, mallory] = race(address, &open(address, ALICE), &open(address, MALLORY));
    assert!(alice.unwrap().body.contains(LEAK));
    let mallory = mallory.unwrap();
    assert!(
        mallory.body.contains("the secret of mallory"),
        "{mallory:?}"
    );
    let record = ours.record("of mallory's call", |record| {
        record["target"] == "whoami" && record["principal"]["subject"] == "mallory"
    });
    assert_eq!(record["outcome"], "ok");
    Played {
        transport: "http",
        twin: format!("gave {LEAK:?} to somebody else"),
        caller: mallory.seen(),
        stopped: Stopped::Harmless("an answer goes to the session that asked", record),
    }
}

fn global_user() -> Played {
    let scene = Scene::new();
    let twin = Two::twin(&scene);
    twin.open(ALICE);
    let mallory = twin.open(MALLORY);
    let request = in_session(whoami("whoami_behind", 0), &mallory).bearer(MALLORY);
    let answer = request.send(twin.address).unwrap();
    assert!(
        answer.body.contains(LEAK),
        "the twin was not exploited: {answer:?}"
    );

    let ours = Running::start_for_several(&scene);
    let alice = open(ours.address(), ALICE);
    let first = ours.send(&in_session(whoami("whoami", 0), &alice).bearer(ALICE));
    assert!(first.body.contains(LEAK), "{first:?}");
    let mallory = open(ours.address(), MALLORY);
    let answer = ours.send(&in_session(whoami("whoami", 0), &mallory).bearer(MALLORY));
    assert!(answer.body.contains("the secret of mallory"), "{answer:?}");
    let record = ours.record("of mallory's call", |record| {
        record["target"] == "whoami" && record["principal"]["subject"] == "mallory"
    });
    Played {
        transport: "http",
        twin: format!("gave {LEAK:?} to somebody else"),
        caller: answer.seen(),
        stopped: Stopped::Harmless("the principal is a parameter of the call", record),
    }
}
