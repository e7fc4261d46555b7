//! The door of the ring in an application of somebody else's: axum, with routes of its own.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Extension, Router,
    body::{Body, Bytes},
    extract::ConnectInfo,
    http::HeaderMap,
    routing::{get, post},
};
use mcp_secure::{
    auth::{DevIssuer, Principal, ResourceServer, RunningIssuer},
    server::http::{Authenticated, Http, HttpLimits, PeerRate},
};
use secrecy::ExposeSecret as _;
use tokio::{runtime::Runtime, sync::Notify};

use crate::{
    http::{Answer, parameter, raw, send},
    world::resource,
};

struct App {
    /// Ends with the app.
    _runtime: Runtime,
    issuer: RunningIssuer,
    address: SocketAddr,
    resource: String,
    /// What a handler found in its request.
    seen: Arc<Mutex<Vec<String>>>,
    /// Lets `/slow` go on.
    go: Arc<Notify>,
}

type Change = fn(Http<Authenticated>) -> Http<Authenticated>;

impl App {
    fn start(change: Change) -> Self {
        Self::lasting(300, change)
    }

    fn lasting(seconds: u64, change: Change) -> Self {
        Self::with_places(seconds, None, change)
    }

    fn with_places(seconds: u64, places: Option<usize>, change: Change) -> Self {
        let runtime = Runtime::new().unwrap();
        let resource = resource().replacen("https:", "http:", 1);
        let address: SocketAddr = resource["http://".len()..resource.len() - "/mcp".len()]
            .parse()
            .unwrap();
        let issuer = DevIssuer::new()
            .resource(&resource)
            .resource("http://127.0.0.1:1/mcp")
            .lifetime(Duration::from_secs(seconds));
        let issuer = runtime.block_on(issuer.start()).unwrap();
        let declared = ResourceServer::new(issuer.url(), &resource).allow_private_issuer();
        let http = Http::on(address.to_string()).resource_server(declared);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let go = Arc::new(Notify::new());
        let app = serve(
            change(http),
            address,
            Arc::clone(&seen),
            Arc::clone(&go),
            places,
        );
        runtime.block_on(app);
        Self {
            _runtime: runtime,
            issuer,
            address,
            resource,
            seen,
            go,
        }
    }

    fn token(&self, scope: &str) -> String {
        let token = self.issuer.token("alice", scope, &self.resource);
        token.unwrap().expose_secret().to_owned()
    }

    fn ask(&self, line: &str, headers: &str) -> Answer {
        let head = match headers.contains("Host:") {
            true => format!("{line} HTTP/1.1\r\n{headers}"),
            false => format!("{line} HTTP/1.1\r\nHost: {}\r\n{headers}", self.address),
        };
        send(self.address, &head, "")
    }

    fn with(&self, line: &str, token: &str) -> Answer {
        self.ask(
            line,
            &format!("Authorization: Bearer {token}\r\nCookie: a=b"),
        )
    }
}

async fn serve(
    http: Http<Authenticated>,
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    go: Arc<Notify>,
    places: Option<usize>,
) {
    let peer = |head: &axum::http::request::Parts| -> Option<IpAddr> {
        Some(head.extensions.get::<ConnectInfo<SocketAddr>>()?.0.ip())
    };
    let door = http
        .layer("notes", ["notes:read", "notes:write"], peer)
        .await
        .unwrap();
    assert!(
        door.require(["notes:admin"]).is_err(),
        "nobody is told of it"
    );
    assert!(door.require([""; 0]).is_err());
    assert!(door.clone().concurrency(0).is_err());
    let door = match places {
        Some(places) => door.concurrency(places).unwrap(),
        None => door,
    };
    let slow = {
        let seen = Arc::clone(&seen);
        move || async move {
            seen.lock().unwrap().push("slow:started".to_owned());
            go.notified().await;
            "slow"
        }
    };
    let read = move |who: Extension<Principal>, headers: HeaderMap| async move {
        let names: Vec<String> = headers.keys().map(ToString::to_string).collect();
        seen.lock().unwrap().extend(names);
        who.subject().to_owned()
    };
    // Longer than any token here, and not for ever: it says when it ends by itself.
    let endless = || async {
        let ticks = futures::stream::unfold(0, |count| async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let word: &'static [u8] = match count {
                0..150 => b"tick\n",
                150 => b"over\n",
                _ => return None,
            };
            Some((Ok::<_, std::io::Error>(Bytes::from_static(word)), count + 1))
        });
        Body::from_stream(ticks)
    };
    let routes = Router::new()
        .route("/notes", get(read))
        .route(
            "/write",
            post(|| async { "written" })
                .layer(door.require(["notes:read", "notes:write"]).unwrap()),
        )
        .route("/stream", get(endless))
        .route("/slow", get(slow))
        .layer(door);
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let service = routes.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
}

#[test]
fn an_application_of_ones_own_has_the_same_door() {
    let app = App::start(|http| http);
    let good = app.token("notes:read");
    let answer = app.with("GET /notes", &good);
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, "alice"),
        "{answer:?}"
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let seen = app.seen.lock().unwrap().join(" ");
    assert!(seen.contains("host"), "{seen}");
    assert!(
        !seen.contains("authorization") && !seen.contains("cookie"),
        "{seen}"
    );

    let nobody = app.ask("GET /notes", "X: y");
    assert_eq!(nobody.status, 401);
    let challenge = nobody.header("www-authenticate").unwrap();
    let document = parameter(challenge, "resource_metadata").unwrap();
    let path = document
        .strip_prefix(&format!("http://{}", app.address))
        .unwrap();
    let told = app.ask(&format!("GET {path}"), "X: y").json();
    assert_eq!(told["resource"], app.resource);
    assert_eq!(told["scopes_supported"][1], "notes:write");

    let other = app
        .issuer
        .token("alice", "notes:read", "http://127.0.0.1:1/mcp");
    let other = app.with("GET /notes", other.unwrap().expose_secret());
    assert_eq!(other.status, 401, "it is for another server");
    assert_eq!(app.with("GET /notes", &good[..good.len() - 2]).status, 401);
    let twice = format!("Authorization: Bearer {good}\r\nAuthorization: Bearer {good}");
    assert_eq!(app.ask("GET /notes", &twice).status, 400);
    let query = format!("GET /notes?access_token={good}");
    assert_eq!(app.with(&query, &good).status, 400);

    let bearer = format!("Authorization: Bearer {good}");
    let rebound = format!("Host: evil.example\r\n{bearer}");
    assert_eq!(app.ask("GET /notes", &rebound).status, 403);
    let foreign = format!("Origin: https://evil.example\r\n{bearer}");
    assert_eq!(app.ask("GET /notes", &foreign).status, 403);
    assert_eq!(
        app.with("GET /nowhere", "x").status,
        401,
        "before the routes are looked at"
    );
    assert_eq!(app.with("GET /nowhere", &good).status, 404);
}

#[test]
fn a_route_asks_for_all_its_scopes_and_names_them() {
    let app = App::start(|http| http);
    let answer = app.with("POST /write", &app.token("notes:read"));
    assert_eq!(answer.status, 403, "{answer:?}");
    let challenge = answer.header("www-authenticate").unwrap();
    assert_eq!(parameter(challenge, "error"), Some("insufficient_scope"));
    assert_eq!(
        parameter(challenge, "scope"),
        Some("notes:read notes:write")
    );
    let answer = app.with("POST /write", &app.token("notes:write notes:read"));
    assert_eq!((answer.status, answer.body.as_str()), (200, "written"));
}

#[test]
fn a_stream_of_the_application_ends_with_its_token() {
    let app = App::lasting(3, |http| http);
    let token = app.token("notes:read");
    let answer = app.with("GET /stream", &token);
    assert_eq!(answer.status, 200);
    assert!(answer.ended && answer.body.contains("tick"), "{answer:?}");
    assert!(!answer.body.contains("over"), "it went on to its own end");
}

#[test]
fn a_full_application_says_so_before_it_looks_at_a_token_or_waits_for_a_body() {
    let app = App::with_places(300, Some(2), |http| http);
    let good = app.token("notes:read");
    let started = |app: &App| {
        let seen = app.seen.lock().unwrap();
        seen.iter().filter(|what| *what == "slow:started").count()
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| app.with("GET /slow", &good)))
            .collect();
        while started(&app) < 2 {
            std::thread::sleep(Duration::from_millis(10));
        }
        // A token that is none, and one that is good, hear the same.
        for token in ["a.b.c", &good] {
            let answer = app.with("GET /notes", token);
            assert_eq!(answer.status, 503, "{answer:?}");
            assert_eq!(answer.header("retry-after"), Some("1"));
            assert_eq!(answer.json()["error"]["data"]["retryAfterMs"], 1000);
        }
        // Its body never comes.
        let request = format!(
            "POST /write HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {good}\r\n\
             Content-Length: 1000\r\nConnection: close\r\n\r\n",
            app.address
        );
        let stream = std::net::TcpStream::connect(app.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        assert_eq!(raw(stream, &request).status, 503);
        // What is refused anyway is refused as always, and what is for everybody is there.
        let rebound = "Host: evil.example\r\nX: y";
        assert_eq!(app.ask("GET /notes", rebound).status, 403);
        for _ in 0..2 {
            app.go.notify_one();
        }
        for one in running {
            assert_eq!(one.join().unwrap().body, "slow");
        }
    });
    assert_eq!(
        app.with("GET /notes", &good).status,
        200,
        "both places are free"
    );
    assert_eq!(app.with("GET /notes", "a.b.c").status, 401);
}

#[test]
fn a_flood_ends_before_tokens_are_looked_at_whoever_it_says_to_be() {
    let app = App::start(|http| {
        http.limits(HttpLimits {
            rate: Some(PeerRate {
                per_second: 1,
                burst: 30,
                failure: 5,
                networks: 1024,
            }),
            ..HttpLimits::default()
        })
    });
    let good = app.token("notes:read");
    let statuses: Vec<u16> = (0..20)
        .map(|number| {
            let spoofed =
                format!("Authorization: Bearer a.b.c\r\nX-Forwarded-For: 10.0.{number}.1");
            app.ask("GET /notes", &spoofed).status
        })
        .collect();
    assert_eq!(statuses[0], 401, "{statuses:?}");
    assert_eq!(statuses[19], 429, "{statuses:?}");
    // The good token of that network waits, too; another network does not.
    assert_eq!(app.with("GET /notes", &good).status, 429);
    let elsewhere = Ipv4Addr::new(127, 9, 9, 9);
    let stream = crate::wire::plain_from(elsewhere, app.address);
    let head = format!(
        "GET /notes HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {good}",
        app.address
    );
    assert_eq!(crate::http::exchange(stream, &head, "").status, 200);
    let large = format!("Authorization: Bearer {good}\r\nContent-Length: 99999999");
    let large = format!(
        "POST /write HTTP/1.1\r\nHost: {}\r\n{large}\r\n\r\n",
        app.address
    );
    let stream = crate::wire::plain_from(elsewhere, app.address);
    assert_eq!(crate::http::raw(stream, &large).status, 413);
}

#[test]
fn what_others_would_reach_in_the_clear_is_no_layer_and_neither_is_a_listener() {
    let runtime = Runtime::new().unwrap();
    let keys = || {
        Http::on("0.0.0.0:8000")
            .allow_host("mcp.example")
            .api_keys("none.json")
    };
    for (http, what) in [
        (keys(), "no TLS"),
        (Http::on("127.0.0.1:0").api_keys("none.json"), "port"),
        (
            Http::on("127.0.0.1:8000")
                .tls(mcp_secure::server::http::Tls::files("a", "b"))
                .api_keys("none.json"),
            "no listener",
        ),
        (
            Http::on("0.0.0.0:8000")
                .tls_of_the_application()
                .api_keys("none.json"),
            "no name",
        ),
        (
            Http::on("127.0.0.1:8000").client_certificates_table([("aa", "a", &["a"][..])]),
            "no client certificates",
        ),
    ] {
        let refused = runtime.block_on(http.layer("notes", ["a"], |_| None));
        let said = refused.err().unwrap().to_string();
        assert!(
            said.contains(what) && said.contains("help:"),
            "{what}: {said}"
        );
    }
}
