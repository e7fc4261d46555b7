//! `vault people connect` and `disconnect`, as an operator uses them, with an issuer of a few lines.
#![cfg(feature = "upstream")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Value, json};
use tempfile::TempDir;

const ACCESS: &str = "access-token-of-alice";
const REFRESH: &str = "refresh-token-of-alice";

/// What was asked of it: paths and forms.
type Heard = Arc<Mutex<Vec<(String, String)>>>;

/// An issuer that gives a code for another device, and takes back what it gave if it may.
fn issuer(takes_back: bool) -> (String, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heard = Heard::default();
    let (own, book) = (url.clone(), Arc::clone(&heard));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            let Some((path, form)) = read(&stream) else {
                continue;
            };
            let asked_before = book.lock().unwrap().iter().any(|(p, _)| *p == path);
            let (status, body) = match path.as_str() {
                "/.well-known/oauth-authorization-server" => (200, metadata(&own)),
                "/device" => (
                    200,
                    json!({
                        "device_code": "the-device-code",
                        "user_code": "WDJB-MJHT",
                        "verification_uri": format!("{own}/type-it-here"),
                        "expires_in": 60,
                        "interval": 1,
                    }),
                ),
                // The person takes a while.
                "/token" if !asked_before => (400, json!({ "error": "authorization_pending" })),
                "/token" => (
                    200,
                    json!({
                        "access_token": ACCESS,
                        "refresh_token": REFRESH,
                        "token_type": "Bearer",
                        "expires_in": 600,
                    }),
                ),
                "/revoke" if takes_back => (200, json!({})),
                _ => (500, json!({ "error": "server_error" })),
            };
            book.lock().unwrap().push((path, form));
            let body = body.to_string();
            let _ = write!(
                &stream,
                "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    (url, heard)
}

fn metadata(own: &str) -> Value {
    json!({
        "issuer": own,
        "authorization_endpoint": format!("{own}/authorize"),
        "token_endpoint": format!("{own}/token"),
        "device_authorization_endpoint": format!("{own}/device"),
        "revocation_endpoint": format!("{own}/revoke"),
        "response_types_supported": ["code"],
    })
}

fn read(stream: &TcpStream) -> Option<(String, String)> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().ok()?;
        }
    }
    let mut form = vec![0; length];
    reader.read_exact(&mut form).ok()?;
    Some((path, String::from_utf8(form).ok()?))
}

struct World(TempDir);

impl World {
    fn new() -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(world.0.path().join("keys")).unwrap();
        world.fine(&format!("init {OPEN}"));
        world
    }

    fn vault(&self, line: &str) -> Output {
        let output = Command::new(env!("CARGO_BIN_EXE_mcp-secure"))
            .arg("vault")
            .args(line.split(' '))
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = [&output.stdout[..], &output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        for token in [ACCESS, REFRESH] {
            assert!(!said.contains(token), "{said}");
        }
        output
    }

    #[track_caller]
    fn fine(&self, line: &str) -> String {
        let output = self.vault(line);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{line}: {said}");
        said
    }

    #[track_caller]
    fn connects(&self, issuer: &str) -> String {
        self.fine(&format!(
            "people connect calendar --host https://api.calendar.example --account-issuer {issuer} \
             --client-id planner --scope calendar:read --private-issuer {}",
            whose("alice")
        ))
    }
}

fn whose(subject: &str) -> String {
    format!("--people people --issuer https://auth.example --subject {subject} {OPEN}")
}

const OPEN: &str = "--vault v/v --key-file keys/k";

#[test]
fn an_operator_connects_a_caller_and_takes_it_back_at_the_issuer() {
    let (issuer, heard) = issuer(true);
    let world = World::new();
    let said = world.connects(&issuer);
    assert!(
        said.contains("type-it-here") && said.contains("WDJB-MJHT"),
        "{said}"
    );
    assert!(said.contains("`calendar` is connected"), "{said}");
    let nobody = world.fine(&format!(
        "people disconnect calendar --private-issuer {}",
        whose("bob")
    ));
    assert!(nobody.contains("nothing is connected"), "{nobody}");
    let disconnect = format!(
        "people disconnect calendar --private-issuer {}",
        whose("alice")
    );
    let said = world.fine(&disconnect);
    assert!(said.contains("taken back"), "{said}");
    let asked = heard.lock().unwrap().clone();
    let revoked: Vec<_> = asked.iter().filter(|(path, _)| path == "/revoke").collect();
    assert_eq!(revoked.len(), 1);
    assert!(revoked[0].1.contains(REFRESH), "{revoked:?}");
    assert!(revoked[0].1.contains("client_id=planner"), "{revoked:?}");
    assert!(world.fine(&disconnect).contains("nothing is connected"));
}

#[test]
fn what_an_issuer_does_not_take_back_is_removed_and_said() {
    let (issuer, _) = issuer(false);
    let world = World::new();
    world.connects(&issuer);
    let disconnect = format!(
        "people disconnect calendar --private-issuer {}",
        whose("alice")
    );
    let output = world.vault(&disconnect);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_ne!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("removed here, and not taken back"), "{said}");
    assert!(world.fine(&disconnect).contains("nothing is connected"));
}
