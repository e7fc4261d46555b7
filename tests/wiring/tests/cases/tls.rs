//! TLS: what is spoken, who is shown, and what a renewal does.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt,
    time::Duration,
};

use rustix::process::Signal;

use crate::harness::*;

/// A server with a certificate for `localhost`.
fn setup(pair: &Pair) -> Setup {
    let setup = Setup::on(Transport::Http).with("SERVER", "secured");
    let (chain, key) = pair.put(&setup.folder());
    setup
        .with("CHAIN", &chain.display().to_string())
        .with("KEY", &key.display().to_string())
}

fn to(server: &Server) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], server.port()))
}

fn host(server: &Server) -> String {
    format!("localhost:{}", server.port())
}

#[test]
fn a_caller_is_served_over_tls_1_3_and_no_older_version() {
    let authority = Authority::new();
    let server = setup(&authority.issue(&["localhost"])).start();
    server.wait_for_stderr("listening on https://127.0.0.1:");
    let caller = Caller::trusting(&authority);
    let mut wire = caller.call(to(&server), "localhost").unwrap();
    let answer = wire.whoami(&host(&server), "alice-token").unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.contains("test alice files:read"), "{answer:?}");
    // A browser would take it for every port of `localhost`.
    assert_eq!(answer.header("strict-transport-security"), None);
    assert_eq!(server.outcome("whoami")["transport"], "https");
    assert!(!server.audit_text().contains("tls/"));

    let older = Caller::trusting(&authority).speaking(&rustls::version::TLS12);
    let error = older.call(to(&server), "localhost").err().unwrap();
    assert!(error.to_string().contains("ProtocolVersion"), "{error}");
    assert_eq!(server.refused("tls/handshake")["peer"], "127.0.0.0/24");
}

#[test]
fn tls_1_2_is_spoken_where_it_is_asked_for_by_name() {
    let authority = Authority::new();
    let server = setup(&authority.issue(&["localhost"]))
        .with("TLS12", "1")
        .start();
    let older = Caller::trusting(&authority).speaking(&rustls::version::TLS12);
    let mut wire = older.call(to(&server), "localhost").unwrap();
    let answer = wire.whoami(&host(&server), "alice-token").unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[test]
fn plain_http_on_the_port_of_tls_is_not_answered() {
    let authority = Authority::new();
    let server = setup(&authority.issue(&["localhost"])).start();
    let mut tcp = connect(None, to(&server));
    tcp.write_all(b"GET /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut said = Vec::new();
    let _ = tcp.read_to_end(&mut said);
    assert!(!said.starts_with(b"HTTP/"), "{said:?}");
    server.refused("tls/handshake");
}

#[test]
fn a_protocol_is_agreed_on_or_there_is_none() {
    let authority = Authority::new();
    let server = setup(&authority.issue(&["localhost"])).start();
    for (offered, agreed) in [
        (&["h2", "http/1.1"][..], "h2"),
        (&["http/1.1"][..], "http/1.1"),
    ] {
        let caller = Caller::trusting(&authority).offering(offered);
        let wire = caller.call(to(&server), "localhost").unwrap();
        let protocol = wire.stream.get_ref().conn.alpn_protocol();
        assert_eq!(protocol, Some(agreed.as_bytes()));
    }
    // ALPACA: a connection for another protocol is not ours to answer.
    let caller = Caller::trusting(&authority).offering(&["smtp"]);
    assert!(caller.call(to(&server), "localhost").is_err());
    server.refused("tls/handshake");
}

#[test]
fn http_2_says_https_or_is_malformed() {
    let authority = Authority::new();
    let server = setup(&authority.issue(&["localhost"])).start();
    for (scheme, is_malformed) in [("https", false), ("http", true)] {
        let caller = Caller::trusting(&authority).offering(&["h2"]);
        let mut wire = caller.call(to(&server), "localhost").unwrap();
        let status = first_status(wire.stream.get_mut(), scheme, &host(&server));
        // HPACK's table has 400 at 12.
        assert_eq!(status == 0x8c, is_malformed, "{scheme}: {status:x}");
    }
    server.refused("http/auth");
    server.refused("http/host");
}

/// Asks over HTTP/2 without a token; the first byte of the answer's fields is the status.
fn first_status(stream: &mut (impl Read + Write), scheme: &str, host: &str) -> u8 {
    let frame = |kind: u8, flags: u8, id: u32, payload: &[u8]| {
        let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(id.to_be_bytes());
        frame.extend(payload);
        frame
    };
    let mut fields = Vec::new();
    for (name, value) in [
        (":method", "GET"),
        (":scheme", scheme),
        (":path", "/mcp"),
        (":authority", host),
    ] {
        // Literal, without indexing and without Huffman.
        fields.push(0);
        for text in [name, value] {
            fields.push(u8::try_from(text.len()).unwrap());
            fields.extend(text.bytes());
        }
    }
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, &[]));
    bytes.extend(frame(1, 5, 1, &fields));
    stream.write_all(&bytes).unwrap();
    stream.flush().unwrap();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload).unwrap();
        if head[3] == 1 {
            return payload[0];
        }
    }
}

#[test]
fn a_handshake_that_does_not_end_is_ended() {
    let authority = Authority::new();
    let server = setup(&authority.issue(&["localhost"]))
        .limits("http.handshake_time=200")
        .start();
    let mut tcp = connect(None, to(&server));
    // The beginning of a record that never comes.
    tcp.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01])
        .unwrap();
    let mut said = Vec::new();
    let _ = tcp.read_to_end(&mut said);
    server.refused("tls/handshake-time");
}

#[test]
fn one_network_does_not_take_all_handshakes() {
    let authority = Authority::new();
    let server = setup(&authority.issue(&["localhost"]))
        .limits("http.handshakes=8 http.handshake_time=600000")
        .start();
    // Of eight, one network has two; which of the three comes late is open.
    let mut silent: Vec<_> = (0..3).map(|_| connect(None, to(&server))).collect();
    server.refused("tls/handshakes");
    assert_eq!(closed(&mut silent), 1);
    drop(silent);
    // A place comes back with the end of each.
    let caller = Caller::trusting(&authority);
    let served = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        caller.call(to(&server), "localhost").is_ok()
    });
    assert!(served);
}

#[test]
fn many_networks_do_not_take_more_handshakes_than_there_are() {
    let authority = Authority::new();
    let server = setup(&authority.issue(&["localhost"]))
        .limits("http.handshakes=2 http.handshake_time=600000")
        .start();
    // Each of the three is within the share of its own network.
    let mut silent: Vec<_> = ["127.0.1.1", "127.0.2.1", "127.0.3.1"]
        .map(|from| connect(Some(from.parse().unwrap()), to(&server)))
        .into();
    server.refused("tls/handshakes");
    assert_eq!(closed(&mut silent), 1);
}

/// How many of these the server has closed.
fn closed(silent: &mut [TcpStream]) -> usize {
    let is_closed = |tcp: &mut TcpStream| {
        tcp.set_read_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        tcp.read(&mut [0]).is_ok()
    };
    silent
        .iter_mut()
        .map(is_closed)
        .filter(|closed| *closed)
        .count()
}

#[test]
fn no_session_is_resumed() {
    let authority = Authority::new();
    let server = setup(&authority.issue(&["localhost"])).start();
    let caller = Caller::trusting(&authority);
    let mut wire = caller.call(to(&server), "localhost").unwrap();
    wire.whoami(&host(&server), "alice-token").unwrap();
    let connection = &wire.stream.get_ref().conn;
    assert_eq!(connection.tls13_tickets_received(), 0);
}

#[test]
fn a_renewed_certificate_is_taken_and_open_connections_live_on() {
    let (old, new) = (Authority::new(), Authority::new());
    let server = setup(&old.issue(&["localhost"])).start();
    let (old_caller, new_caller) = (Caller::trusting(&old), Caller::trusting(&new));
    let mut open = old_caller.call(to(&server), "localhost").unwrap();
    assert_eq!(
        open.whoami(&host(&server), "alice-token").unwrap().status,
        200
    );
    assert!(new_caller.call(to(&server), "localhost").is_err());

    new.issue(&["localhost"]).put(&server.folder());
    server.signal(Signal::HUP);
    server.wait_for_stderr("new certificate, valid until 2090-01-01");
    let mut fresh = new_caller.call(to(&server), "localhost").unwrap();
    assert_eq!(
        fresh.whoami(&host(&server), "alice-token").unwrap().status,
        200
    );
    assert!(old_caller.call(to(&server), "localhost").is_err());
    assert_eq!(
        open.whoami(&host(&server), "alice-token").unwrap().status,
        200
    );
}

#[test]
fn a_renewal_that_is_not_whole_changes_nothing() {
    let authority = Authority::new();
    let server = setup(&authority.issue(&["localhost"])).start();
    let caller = Caller::trusting(&authority);
    let folder = server.folder();
    let other = authority.issue(&["localhost"]);
    let good = std::fs::read_to_string(folder.join("tls/key.pem")).unwrap();
    let expired = authority.issue_until(&["localhost"], 2021).chain;
    let cases = [
        ("key.pem", good.clone(), 0o644, "can be read by other users"),
        ("key.pem", other.key.clone(), 0o600, "is not the key of"),
        (
            "chain.pem",
            "nonsense".into(),
            0o600,
            "holds no certificate",
        ),
        ("chain.pem", expired, 0o600, "expired at 2021"),
    ];
    for (name, text, mode, words) in cases {
        private(&folder, name, &text, mode);
        server.signal(Signal::HUP);
        server.wait_for_stderr(words);
        let mut wire = caller.call(to(&server), "localhost").unwrap();
        assert_eq!(
            wire.whoami(&host(&server), "alice-token").unwrap().status,
            200,
            "{words}"
        );
    }
    std::fs::remove_file(folder.join("tls/chain.pem")).unwrap();
    server.signal(Signal::HUP);
    server.wait_for_stderr("cannot be opened");
    assert!(caller.call(to(&server), "localhost").is_ok());
    let record = server.refused("tls/reload");
    assert_eq!(record["peer"], "local", "{record}");
    assert!(!server.stderr().contains("PRIVATE KEY"));

    other.put(&folder);
    server.signal(Signal::HUP);
    server.wait_for_stderr("new certificate");
}

#[test]
fn a_client_without_a_certificate_of_the_right_authority_does_not_get_in() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let setup = setup(&authority.issue(&["localhost"]));
    let file = private(&setup.folder(), "clients.pem", &clients.pem, 0o600);
    let server = setup.with("CLIENTS", &file.display().to_string()).start();
    let caller = || Caller::trusting(&authority);
    let refused = |caller: Caller| {
        // In TLS 1.3 the client hears of it with its first answer.
        let asked = caller
            .call(to(&server), "localhost")
            .and_then(|mut wire| wire.whoami(&host(&server), "alice-token"));
        assert!(asked.is_err(), "{asked:?}");
    };
    refused(caller());
    refused(caller().showing(authority.issue(&["alice"])));
    refused(caller().showing(clients.issue_until(&["alice"], 2021)));
    server.refused("tls/handshake");
    assert!(server.outcomes("tools/call", "whoami").is_empty());

    let good = caller().showing(clients.issue(&["alice"]));
    let mut wire = good.call(to(&server), "localhost").unwrap();
    let answer = wire.whoami(&host(&server), "alice-token").unwrap();
    assert_eq!(answer.status, 200, "the token is asked all the same");
}

#[test]
fn an_optional_certificate_may_be_missing_but_not_foreign() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let setup = setup(&authority.issue(&["localhost"]));
    let file = private(&setup.folder(), "clients.pem", &clients.pem, 0o600);
    let server = setup
        .with("OPTIONAL_CLIENTS", &file.display().to_string())
        .start();
    let caller = || Caller::trusting(&authority);
    let ask = |caller: Caller| {
        caller
            .call(to(&server), "localhost")
            .and_then(|mut wire| wire.whoami(&host(&server), "alice-token"))
    };
    assert_eq!(ask(caller()).unwrap().status, 200);
    assert_eq!(
        ask(caller().showing(clients.issue(&["a"]))).unwrap().status,
        200
    );
    assert!(ask(caller().showing(authority.issue(&["a"]))).is_err());
}

#[test]
fn a_certificate_in_the_table_is_a_principal_and_another_of_its_authority_is_not() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let setup = setup(&authority.issue(&["localhost"]));
    let file = private(&setup.folder(), "clients.pem", &clients.pem, 0o600);
    let alice = clients.issue(&["alice"]);
    let thumbprint = alice.thumbprint(&setup.folder());
    let server = setup
        .with("CLIENTS", &file.display().to_string())
        .with("TABLE", &format!("{thumbprint}=alice"))
        .start();
    let ask = |pair: Pair, token: &str| {
        let caller = Caller::trusting(&authority).showing(pair);
        let mut wire = caller.call(to(&server), "localhost").unwrap();
        wire.whoami(&host(&server), token).unwrap()
    };
    let mallory = ask(clients.issue(&["alice"]), "");
    assert_eq!(mallory.status, 403, "{mallory:?}");
    let record = server.refused("http/auth");
    assert_eq!(record["peer"], "127.0.0.0/24");
    assert!(server.outcomes("tools/call", "whoami").is_empty());
    let answer = ask(alice, "");
    assert!(
        answer.body.contains("client-certificate alice files:read"),
        "{answer:?}"
    );
    let record = server.outcome("whoami");
    assert_eq!(record["principal"]["assurance"], "client_certificate");
}

/// Starts with these files and must not.
fn refuses(chain: (&str, u32), key: (&str, u32), hosts: &str, words: &str) {
    let setup = Setup::on(Transport::Http).with("SERVER", "secured");
    let folder = setup.folder();
    let chain = private(&folder, "chain.pem", chain.0, chain.1);
    let key = private(&folder, "key.pem", key.0, key.1);
    let setup = setup
        .with("CHAIN", &chain.display().to_string())
        .with("KEY", &key.display().to_string())
        .with("HOSTS", hosts);
    let said = setup.start_fails();
    assert!(
        said.contains(words) && said.contains("help:"),
        "{words}: {said}"
    );
    assert!(!said.contains("PRIVATE KEY"), "{said}");
}

#[test]
fn files_that_do_not_fit_stop_the_start() {
    let authority = Authority::new();
    let pair = authority.issue(&["localhost", "mcp.example"]);
    let (chain, key) = (pair.chain.as_str(), pair.key.as_str());
    let other = authority.issue(&["localhost"]);
    let expired = authority.issue_until(&["localhost"], 2021);
    let disorder = format!("{}{chain}", authority.pem);
    let twice = format!("{chain}{}", other.chain);
    for (chain, key, hosts, words) in [
        (
            (chain, 0o600),
            (key, 0o640),
            "",
            "can be read by other users",
        ),
        (
            (chain, 0o600),
            (key, 0o604),
            "",
            "can be read by other users",
        ),
        (
            (chain, 0o600),
            (key, 0o602),
            "",
            "can be written by other users",
        ),
        (
            (chain, 0o622),
            (key, 0o600),
            "",
            "can be written by other users",
        ),
        (
            (chain, 0o644),
            (other.key.as_str(), 0o600),
            "",
            "is not the key of the certificate",
        ),
        (
            (expired.chain.as_str(), 0o600),
            (expired.key.as_str(), 0o600),
            "",
            "expired at 2021-01-01",
        ),
        (
            (disorder.as_str(), 0o600),
            (key, 0o600),
            "",
            "did not issue the one before it",
        ),
        (
            (twice.as_str(), 0o600),
            (key, 0o600),
            "",
            "did not issue the one before it",
        ),
        (
            (chain, 0o600),
            (key, 0o600),
            "mcp.example other.example",
            "is not for `other.example`",
        ),
        (("", 0o600), (key, 0o600), "", "holds no certificate"),
        ((chain, 0o600), (chain, 0o600), "", "holds no private key"),
    ] {
        // A key of root's may be lent to a group.
        if key.1 == 0o640 && rustix::process::geteuid().is_root() {
            continue;
        }
        refuses(chain, key, hosts, words);
    }
}

#[test]
fn a_folder_that_others_write_or_that_a_tool_reads_stops_the_start() {
    let authority = Authority::new();
    let setup = setup(&authority.issue(&["localhost"]));
    let folder = setup.folder().join("tls");
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o777)).unwrap();
    let said = setup.start_fails();
    assert!(
        said.contains("can be written by other users") && said.contains("help:"),
        "{said}"
    );

    let setup = self::setup(&authority.issue(&["localhost"]));
    let folder = setup.folder().join("tls").display().to_string();
    let said = setup.files(&folder).start_fails();
    assert!(said.contains("a tool could change"), "{said}");

    // One that only reads could still give the key away.
    let setup = self::setup(&authority.issue(&["localhost"])).with("READER", "1");
    let folder = setup.folder().join("tls").display().to_string();
    let said = setup.files(&folder).start_fails();
    assert!(
        said.contains("the private key file `") && said.contains("a tool could give it away"),
        "{said}"
    );
}

#[test]
fn a_table_without_certificates_stops_the_start() {
    let digits = "0".repeat(64);
    let secured = || Setup::on(Transport::Http).with("SERVER", "secured");
    let said = secured()
        .with("TABLE", &format!("{digits}=alice"))
        .start_fails();
    assert!(
        said.contains("no client is asked for a certificate"),
        "{said}"
    );
}
