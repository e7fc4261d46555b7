//! The limit before anybody is asked who they are.

use std::net::SocketAddr;

use crate::harness::*;

fn secured() -> Setup {
    Setup::on(Transport::Http).with("SERVER", "secured")
}

/// A rate that gives nothing back while a test runs.
const STILL: &str = "rate.per_second=1 rate.burst=40 rate.failure=9";

#[test]
fn a_flood_of_bad_tokens_is_answered_429_before_they_are_looked_at() {
    let server = secured().limits(STILL).start();
    let to = SocketAddr::from(([127, 0, 0, 1], server.port()));
    let ask = |token: &str| {
        let mut wire = Wire::over(connect(None, to));
        wire.whoami("localhost", token).unwrap()
    };
    let mut looked_at = 0;
    for _ in 0..60 {
        let answer = ask("wrong");
        match answer.status {
            401 => looked_at += 1,
            429 => {
                let wait = answer.header("retry-after").unwrap();
                assert!((1..=60).contains(&wait.parse::<u64>().unwrap()), "{wait}");
                assert!(answer.body.contains("Too Many Requests"));
            }
            other => panic!("{other}"),
        }
    }
    // Each costs ten of forty.
    assert!((4..=5).contains(&looked_at), "{looked_at}");
    assert_eq!(server.refused("http/rate")["peer"], "127.0.0.0/24");
    // A good one waits as well: nobody knows yet that it is one.
    assert_eq!(ask("alice-token").status, 429);
}

#[test]
fn who_succeeds_pays_the_plain_price() {
    let server = secured().limits(STILL).start();
    let to = SocketAddr::from(([127, 0, 0, 1], server.port()));
    let mut wire = Wire::over(connect(None, to));
    let served = (0..60)
        .take_while(|_| {
            let answer = wire.whoami("localhost", "alice-token").unwrap();
            answer.status == 200
        })
        .count();
    assert!((40..=43).contains(&served), "{served}");
}

#[test]
fn on_loopback_nobody_is_locked_out_unless_it_is_asked_for() {
    let server = secured().start();
    let to = SocketAddr::from(([127, 0, 0, 1], server.port()));
    for _ in 0..60 {
        let mut wire = Wire::over(connect(None, to));
        assert_eq!(wire.whoami("localhost", "wrong").unwrap().status, 401);
    }
    let mut wire = Wire::over(connect(None, to));
    assert_eq!(wire.whoami("localhost", "alice-token").unwrap().status, 200);
}

#[test]
fn addresses_of_one_network_are_one_and_another_network_is_not_hit() {
    in_namespace(
        "cases::rate::addresses_of_one_network_are_one_and_another_network_is_not_hit",
        || {
            let setup = secured()
                .with("ADDRESS", "[::]:8443")
                .with("HOSTS", "mcp.example")
                .limits("rate.per_second=1 rate.burst=10 rate.failure=9");
            let authority = Authority::new();
            let (chain, key) = authority.issue(&["mcp.example"]).put(&setup.folder());
            let server = setup
                .with("CHAIN", &chain.display().to_string())
                .with("KEY", &key.display().to_string())
                .with("PROXIES", "10.0.0.7")
                .start();
            let caller = Caller::trusting(&authority).from("10.0.0.7");
            let to = SocketAddr::from(([203, 0, 113, 5], server.port()));
            let ask = |client: &str| {
                let mut wire = caller.call(to, "mcp.example").unwrap();
                let headers = format!("X-Forwarded-For: {client}\r\n");
                wire.whoami_with("mcp.example", "wrong", &headers)
                    .unwrap()
                    .status
            };
            // One guess empties the bucket of its network.
            for (client, status) in [
                ("2001:db8:1:100::1", 401),
                ("2001:db8:1:1ff:ffff::2", 429),
                ("2001:db8:1:200::1", 401),
                ("192.0.2.1", 401),
                ("192.0.2.254", 429),
                ("::ffff:192.0.2.7", 429),
                ("192.0.3.1", 401),
            ] {
                assert_eq!(ask(client), status, "{client}");
            }
            server.refused("http/rate");
        },
    );
}

#[test]
fn connections_pay_before_their_handshake() {
    in_namespace(
        "cases::rate::connections_pay_before_their_handshake",
        || {
            let setup = secured()
                .with("ADDRESS", "[::]:8443")
                .with("HOSTS", "mcp.example")
                .limits("rate.per_second=1 rate.burst=10");
            let authority = Authority::new();
            let (chain, key) = authority.issue(&["mcp.example"]).put(&setup.folder());
            let server = setup
                .with("CHAIN", &chain.display().to_string())
                .with("KEY", &key.display().to_string())
                .start();
            let port = server.port();
            let shaken = |from: &str, to: SocketAddr| {
                let caller = Caller::trusting(&authority).from(from);
                (0..20)
                    .filter(|_| caller.call(to, "mcp.example").is_ok())
                    .count()
            };
            let v4 = SocketAddr::from(([203, 0, 113, 5], port));
            let first = shaken("198.51.100.1", v4);
            assert!((10..=12).contains(&first), "{first}");
            assert_eq!(server.refused("http/rate")["peer"], "198.51.100.0/24");
            assert!(shaken("198.51.100.2", v4) <= 2, "its neighbour");
            assert!((10..=12).contains(&shaken("198.51.101.1", v4)));
            let v6 = SocketAddr::new("2001:db8:ffff::5".parse().unwrap(), port);
            assert!((10..=12).contains(&shaken("2001:db8:1:100::1", v6)));
            assert!(shaken("2001:db8:1:101::1", v6) <= 2, "its neighbour");
            assert!((10..=12).contains(&shaken("2001:db8:1:200::1", v6)));
        },
    );
}
