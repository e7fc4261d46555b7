//! Other persons than the caller: on the page, and outside of it.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::Path,
};

use serde_json::{Value, json};

use crate::{
    cookies::Browser,
    world::{Asked, Server, World, is_refused, text, url_mode},
};

/// One line to the socket, and its answer.
pub(crate) fn terminal(socket: &Path, request: &Value) -> Value {
    let mut stream = UnixStream::connect(socket).unwrap();
    writeln!(stream, "{request}").unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

/// Begins a call that nobody is shown a link for, in a thread of its own.
pub(crate) fn called(server: &Server, token: &str, line: &str) -> std::thread::JoinHandle<Value> {
    let (address, token, line) = (server.address.clone(), token.to_owned(), line.to_owned());
    std::thread::spawn(move || {
        let call = json!({ "name": "append", "arguments": { "line": line } });
        crate::world::ask_at(&address, &token, &json!({}), call)
    })
}

pub(crate) fn waiting(socket: &Path) -> Value {
    for _ in 0..200 {
        let listed = terminal(socket, &json!({ "list": {} }));
        if let Some(first) = listed["questions"].get(0) {
            return first.clone();
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("nothing waits");
}

#[test]
fn a_person_at_a_terminal_agrees_and_the_client_has_no_part_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("own/approve.sock");
    let server = Server::start(json!({ "by": socket }));
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let token = server.token();
    let calling = called(&server, &token, "by terminal");
    let question = waiting(&socket);
    assert_eq!(question["tool"], "append");
    assert_eq!(question["arguments"], json!({ "line": "by terminal" }));
    assert!(server.log().is_empty());
    let yes = json!({ "answer": { "id": question["id"], "yes": true } });
    assert_eq!(terminal(&socket, &yes)["heard"], "counted");
    let reply = calling.join().unwrap();
    assert_eq!(text(&reply), "appended");
    assert_eq!(server.log(), ["by terminal"]);
    let record = server.audited(|r| r["event"] == "outcome" && r["outcome"] == "ok");
    assert_eq!(record["approval"], "out-of-band", "{record}");
    let by = &record["approved_by"][0];
    assert_eq!(by["issuer"], "approver:terminal", "{record}");
    assert!(by["subject"].as_str().unwrap().starts_with("uid:"), "{by}");
    assert_eq!(terminal(&socket, &yes)["heard"], "unknown", "a second time");

    let calling = called(&server, &token, "no");
    let question = waiting(&socket);
    let no = json!({ "answer": { "id": question["id"], "yes": false } });
    assert_eq!(terminal(&socket, &no)["heard"], "counted");
    assert!(is_refused(&calling.join().unwrap()));
    assert_eq!(server.log(), ["by terminal"]);
}

/// The folder and the socket were opened to everybody, by mistake or by somebody: the kernel still
/// says who is at the other end.
#[test]
fn another_account_that_reaches_the_socket_is_not_heard() {
    use std::os::unix::process::CommandExt as _;

    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("own/approve.sock");
    let server = Server::start(json!({ "by": socket, "time_ms": 20_000 }));
    let calling = called(&server, &server.token(), "not by nobody");
    let question = waiting(&socket);
    for path in [folder.path(), socket.parent().unwrap(), &socket] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    let script = "import socket, sys\n\
                  s = socket.socket(socket.AF_UNIX)\n\
                  s.connect(sys.argv[1])\n\
                  print('connected', flush=True)\n\
                  try:\n s.sendall(sys.argv[2].encode() + b'\\n')\n print(s.recv(65536).decode())\n\
                  except OSError: pass\n";
    let ask = |request: &Value| {
        std::process::Command::new("python3")
            .args(["-c", script])
            .arg(&socket)
            .arg(request.to_string())
            .current_dir("/")
            .uid(65_534)
            .gid(65_534)
            .output()
    };
    let output = match ask(&json!({ "list": {} })) {
        Ok(output) => output,
        // Only root can be somebody else, and some machines have no Python.
        Err(error) => {
            eprintln!("SKIPPED: {error}");
            return;
        }
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said.trim(), "connected", "{output:?}");
    let yes = json!({ "answer": { "id": question["id"], "yes": true } });
    let said = ask(&yes).unwrap().stdout;
    assert_eq!(String::from_utf8_lossy(&said).trim(), "connected");
    assert!(server.log().is_empty());
    // The server's own account is heard.
    let no = json!({ "answer": { "id": question["id"], "yes": false } });
    assert_eq!(terminal(&socket, &no)["heard"], "counted");
    assert!(is_refused(&calling.join().unwrap()));
}

#[test]
fn an_approver_that_reaches_nobody_stops_the_call() {
    let server = Server::start(json!({ "by": "broken" }));
    let call = json!({ "name": "append", "arguments": { "line": "x" } });
    let reply = server.ask(&server.token(), &url_mode(), call);
    assert_eq!(reply["error"]["code"], -31004, "{reply}");
    assert!(!reply.to_string().contains("duty"), "{reply}");
    server.refused_by("approve/approver");
    assert!(server.log().is_empty());
}

/// What the caller is shown is for somebody else.
#[test]
fn whoever_called_cannot_agree_and_whoever_has_the_scope_can() {
    let world = World::new(json!({ "others": "approve" }));
    let asked = world.asked("four eyes");
    let caller = Browser::default().open(&asked.link, "alice");
    assert_eq!(caller.answer.status, 404, "{caller:?}");
    world.server.refused_by("approve/person");
    let mut bob = Browser::default();
    let page = bob.open(&asked.link, "bob");
    assert_eq!(page.answer.status, 200, "{page:?}");
    bob.press(&page, "approve");
    let token = world.token("alice");
    assert_eq!(text(&asked.again(&world.server, &token)), "appended");
}

/// The address of the issuer goes through the person's browser, and they can change it.
#[test]
fn whoever_signed_in_without_the_scope_is_no_approver() {
    let world = World::new(json!({ "others": "approve" }));
    let asked = world.asked("no approver");
    let mut mallory = Browser::default();
    mallory.asks_for_no_scope = true;
    let page = mallory.open(&asked.link, "mallory");
    assert_eq!(page.answer.status, 404, "{page:?}");
    world.server.refused_by("approve/person");
    // With a form of their own making they get no further.
    let origin = page.url.origin().ascii_serialization();
    let form = mallory.post(&page.url, &format!("Origin: {origin}"), "answer=approve");
    assert_eq!(form.status, 404, "{form:?}");
    assert!(world.server.log().is_empty());
}

#[test]
fn two_persons_are_two_persons() {
    let world = World::new(json!({ "others": "approve", "people": 2, "time_ms": 20_000 }));
    let token = world.token("alice");
    let asked = world.asked("two of them");
    let mut bob = Browser::default();
    let page = bob.open(&asked.link, "bob");
    bob.press(&page, "approve");
    // The same person in another browser is no second one.
    let mut again = Browser::default();
    let page = again.open(&asked.link, "bob");
    again.press(&page, "approve");
    let calling = begin(&world.server, &asked, &token);
    std::thread::sleep(std::time::Duration::from_millis(400));
    assert!(world.server.log().is_empty(), "one is not two");
    let mut carol = Browser::default();
    let page = carol.open(&asked.link, "carol");
    carol.press(&page, "approve");
    assert_eq!(text(&calling.join().unwrap()), "appended");

    // One no is enough.
    let asked = world.asked("one against");
    for (person, button) in [("bob", "approve"), ("carol", "refuse"), ("dave", "approve")] {
        let mut browser = Browser::default();
        let page = browser.open(&asked.link, person);
        if page.answer.body.contains("name=\"token\"") {
            browser.press(&page, button);
        }
    }
    assert!(is_refused(&asked.again(&world.server, &token)));
    assert_eq!(world.server.log(), ["two of them"]);
}

fn begin(server: &Server, asked: &Asked, token: &str) -> std::thread::JoinHandle<Value> {
    let (address, token) = (server.address.clone(), token.to_owned());
    let params = asked.retry();
    std::thread::spawn(move || crate::world::ask_at(&address, &token, &url_mode(), params))
}

#[test]
fn others_on_a_page_where_nobody_signs_in_stop_the_start() {
    let said = Server::that_fails(json!({ "others": "approve", "listen": "127.0.0.1:0" }));
    assert!(
        said.contains("cannot know them") && said.contains("help:"),
        "{said}"
    );
}
