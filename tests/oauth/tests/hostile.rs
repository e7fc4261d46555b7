//! An issuer that wants something else of its resource server: to be taken to places inside,
//! to a redirect's target, or to run out of memory. Through a real process, with a victim
//! beside it that counts who comes.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use serde_json::{Value, json};

use crate::{
    token::{Key, claims},
    world::{Target, resource},
};

/// What is said at one of its places.
#[derive(Clone)]
enum Said {
    Json(Value),
    /// A status line and headers, and nothing else.
    Head(String),
    /// A body that never ends.
    Endless,
}

/// An issuer whose every answer a test chooses.
struct Hostile {
    address: SocketAddr,
    metadata: Arc<Mutex<Said>>,
    keys: Arc<Mutex<Said>>,
    /// Bytes of endless bodies that somebody took.
    taken: Arc<AtomicU64>,
    asked: Arc<AtomicU32>,
}

impl Hostile {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://{address}");
        let metadata = json!({ "issuer": url, "jwks_uri": format!("{url}/keys") });
        let hostile = Self {
            address,
            metadata: Arc::new(Mutex::new(Said::Json(metadata))),
            keys: Arc::new(Mutex::new(Said::Json(json!({ "keys": [] })))),
            taken: Arc::default(),
            asked: Arc::default(),
        };
        let (metadata, keys) = (hostile.metadata.clone(), hostile.keys.clone());
        let (taken, asked) = (hostile.taken.clone(), hostile.asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (metadata, keys) = (metadata.clone(), keys.clone());
                let (taken, asked) = (taken.clone(), asked.clone());
                std::thread::spawn(move || {
                    let said = |path: &str| match path.starts_with("/keys") {
                        true => {
                            asked.fetch_add(1, Ordering::Relaxed);
                            keys.lock().unwrap().clone()
                        }
                        false => metadata.lock().unwrap().clone(),
                    };
                    let _ = answer(stream, said, &taken);
                });
            }
        });
        hostile
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn says(place: &Mutex<Said>, said: Said) {
        *place.lock().unwrap() = said;
    }

    /// Metadata whose keys are elsewhere.
    fn sends_for_keys_to(&self, place: &str) {
        let metadata = json!({ "issuer": self.url(), "jwks_uri": place });
        Self::says(&self.metadata, Said::Json(metadata));
    }

    fn publishes(&self, keys: &[&Key]) {
        let keys: Vec<Value> = keys
            .iter()
            .map(|key| {
                let mut jwk = key.jwk();
                (jwk["kid"], jwk["alg"]) = (json!(key.kid), json!("ES256"));
                jwk
            })
            .collect();
        Self::says(&self.keys, Said::Json(json!({ "keys": keys })));
    }
}

fn answer(
    mut stream: TcpStream,
    said: impl Fn(&str) -> Said,
    taken: &AtomicU64,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().unwrap_or(Ok(String::new()))?;
    while !lines.next().unwrap_or(Ok(String::new()))?.is_empty() {}
    let path = first.split(' ').nth(1).unwrap_or("/");
    match said(path) {
        Said::Json(value) => {
            let body = value.to_string();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{body}",
                body.len()
            )
        }
        Said::Head(head) => write!(stream, "HTTP/1.1 {head}\r\nContent-Length: 0\r\n\r\n"),
        Said::Endless => {
            stream.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n\
                  {\"keys\":[",
            )?;
            let part = b"{},".repeat(4096);
            // Bounded, should nobody stop it.
            for _ in 0..8192 {
                stream.write_all(&part)?;
                taken.fetch_add(part.len() as u64, Ordering::Relaxed);
            }
            Ok(())
        }
    }
}

/// Somebody inside, whom nobody should be sent to.
fn victim() -> (SocketAddr, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let came = Arc::new(AtomicU32::new(0));
    let count = came.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::Relaxed);
            let _ = answer(
                stream,
                |_| Said::Json(json!({ "keys": [] })),
                &AtomicU64::new(0),
            );
        }
    });
    (address, came)
}

#[test]
fn an_issuer_cannot_send_its_server_to_places_inside() {
    let issuer = Hostile::start();
    let (victim, came) = victim();
    for place in [
        format!("http://{victim}/keys"),
        format!("http://{}@{victim}/keys", issuer.address),
        format!("{}.evil.example/keys", issuer.url()),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        issuer.sends_for_keys_to(&place);
        let said = Target::fails_to_start(&issuer.url(), &resource(), json!({}));
        assert!(
            said.contains("another origin") && said.contains("help:"),
            "{place}: {said}"
        );
    }
    // By a redirect of the metadata, and of the keys.
    let head = format!("302 Found\r\nLocation: http://{victim}/keys");
    Hostile::says(&issuer.metadata, Said::Head(head.clone()));
    let said = Target::fails_to_start(&issuer.url(), &resource(), json!({}));
    assert!(said.contains("help:"), "{said}");
    issuer.sends_for_keys_to(&format!("{}/keys", issuer.url()));
    Hostile::says(&issuer.keys, Said::Head(head));
    let said = Target::fails_to_start(&issuer.url(), &resource(), json!({}));
    assert!(said.contains("302") && said.contains("help:"), "{said}");
    assert_eq!(came.load(Ordering::Relaxed), 0, "somebody was sent inside");
}

#[test]
fn a_bomb_of_keys_stops_the_start_and_is_not_taken_whole() {
    let issuer = Hostile::start();
    Hostile::says(&issuer.keys, Said::Endless);
    let said = Target::fails_to_start(&issuer.url(), &resource(), json!({}));
    assert!(said.contains("larger") && said.contains("help:"), "{said}");
    // What was on the way when the server hung up is not the server's: buffers of both sides.
    let taken = issuer.taken.load(Ordering::Relaxed);
    assert!(taken < 16 * 1024 * 1024, "{taken} bytes went out");
}

#[test]
fn a_bomb_of_keys_later_does_not_take_away_those_that_are_known() {
    let issuer = Hostile::start();
    let resource = resource();
    let (known, stranger) = (Key::new("k1"), Key::new("k2"));
    issuer.publishes(&[&known]);
    let target = Target::start(&issuer.url(), &resource, json!({}));
    let claims = claims(&issuer.url(), &resource, "notes:read");
    let good = known.sign(&known.header(), &claims);
    let unknown = stranger.sign(&stranger.header(), &claims);
    assert_eq!(target.call("read", &good).status, 200);

    let before = issuer.asked.load(Ordering::Relaxed);
    Hostile::says(&issuer.keys, Said::Endless);
    // Whose key cannot be looked up is not let in, and not told that the token is bad.
    assert_eq!(target.call("read", &unknown).status, 503);
    assert_eq!(
        issuer.asked.load(Ordering::Relaxed),
        before + 1,
        "it was not asked"
    );
    assert_eq!(target.call("read", &good).status, 200);
    let taken = issuer.taken.load(Ordering::Relaxed);
    assert!(taken < 16 * 1024 * 1024, "{taken} bytes went out");
}
