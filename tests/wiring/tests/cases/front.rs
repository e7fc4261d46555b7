//! Who may be reached by others, and whose word is taken for who they are.

use std::net::SocketAddr;

use crate::harness::*;

fn secured() -> Setup {
    Setup::on(Transport::Http).with("SERVER", "secured")
}

fn with_tls(setup: Setup, names: &[&str], authority: &Authority) -> Setup {
    let (chain, key) = authority.issue(names).put(&setup.folder());
    setup
        .with("CHAIN", &chain.display().to_string())
        .with("KEY", &key.display().to_string())
}

fn refuses(setup: Setup, words: &str) {
    let said = setup.start_fails();
    assert!(
        said.contains(words) && said.contains("help:"),
        "{words}: {said}"
    );
}

#[test]
fn a_server_for_others_without_tls_or_a_proxy_does_not_start() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let open = || {
            secured()
                .with("ADDRESS", address)
                .with("HOSTS", "mcp.example")
        };
        refuses(open(), "the server has no TLS");
        refuses(open().with("LOCAL_TOKEN", "1"), "the server has no TLS");
    }
    // Nor where the operator moves it there.
    let moved = || secured().with("HOSTS", "mcp.example");
    refuses(
        moved().http_at("0.0.0.0:0"),
        "--http: others reach `0.0.0.0:0`",
    );
    let setup = moved();
    let config = setup.folder().join("config.toml");
    std::fs::write(&config, "[http]\naddr = \"0.0.0.0:0\"\n").unwrap();
    refuses(
        setup
            .argument("--config")
            .argument(&config.display().to_string()),
        "config.toml:2:1: `http.addr`: others reach `0.0.0.0:0`",
    );
}

#[test]
fn a_server_for_others_has_names_and_callers_of_its_own() {
    let authority = Authority::new();
    let open = || secured().with("ADDRESS", "0.0.0.0:0");
    refuses(
        with_tls(open(), &["mcp.example"], &authority),
        "has no name there",
    );
    refuses(
        with_tls(open(), &["mcp.example"], &authority)
            .with("HOSTS", "mcp.example")
            .with("LOCAL_TOKEN", "1"),
        "the local token is for the user of this machine alone",
    );
    refuses(open().with("PROXIES", "10.0.0.7"), "has no name there");
    // Behind a proxy, loopback is not what clients reach.
    refuses(
        secured()
            .with("PROXIES", "127.0.0.1")
            .with("LOCAL_TOKEN", "1"),
        "the local token is for the user of this machine alone",
    );
    refuses(
        open()
            .with("PROXIES", "0.0.0.0/0")
            .with("HOSTS", "mcp.example"),
        "too wide a block",
    );
}

#[test]
fn who_is_reached_by_others_says_hsts_and_answers_to_its_name_alone() {
    in_namespace(
        "cases::front::who_is_reached_by_others_says_hsts_and_answers_to_its_name_alone",
        || {
            let authority = Authority::new();
            let setup = secured()
                .with("ADDRESS", "0.0.0.0:8443")
                .with("HOSTS", "mcp.example");
            let server = with_tls(setup, &["mcp.example", "localhost"], &authority).start();
            let caller = Caller::trusting(&authority);
            let to = SocketAddr::from(([203, 0, 113, 5], server.port()));
            let ask = |host: &str| {
                let mut wire = caller.call(to, "mcp.example").unwrap();
                wire.whoami(host, "alice-token").unwrap()
            };
            let answer = ask("mcp.example:8443");
            assert_eq!(answer.status, 200, "{answer:?}");
            let hsts = answer.header("strict-transport-security");
            assert_eq!(hsts, Some("max-age=31536000"));
            for host in [
                "localhost",
                "localhost:8443",
                "127.0.0.1:8443",
                "203.0.113.5:8443",
                "0.0.0.0:8443",
            ] {
                let refused = ask(host);
                assert_eq!(refused.status, 403, "{host}");
                assert!(refused.header("strict-transport-security").is_some());
            }
            server.refused("http/host");
        },
    );
}

#[test]
fn only_a_declared_proxy_says_for_whom_it_asks() {
    in_namespace(
        "cases::front::only_a_declared_proxy_says_for_whom_it_asks",
        || {
            let server = secured()
                .with("ADDRESS", "[::]:8080")
                .with("HOSTS", "mcp.example")
                .with("PROXIES", "10.0.0.7 10.1.0.0/24")
                .start();
            let to = SocketAddr::from(([203, 0, 113, 5], server.port()));
            let ask = |from: &str, token: &str, headers: &str| {
                Wire::from(from, to).whoami_with("mcp.example", token, headers)
            };
            // Others are closed before they are read, whatever they say.
            for from in ["198.51.100.66", "10.0.0.8", "127.0.0.1"] {
                let asked = ask(from, "alice-token", "X-Forwarded-For: 10.0.0.7\r\n");
                assert!(asked.is_err(), "{from}: {asked:?}");
            }
            assert_eq!(server.refused("http/proxy")["peer"], "198.51.100.0/24");
            assert!(server.outcomes("tools/call", "whoami").is_empty());

            for (headers, status) in [
                ("X-Forwarded-For: 198.51.100.9\r\n", 200),
                ("Forwarded: for=198.51.100.9;proto=https\r\n", 200),
                (
                    "X-Forwarded-For: 198.51.100.9\r\nX-Forwarded-Proto: https\r\n",
                    200,
                ),
                ("", 400),
                ("X-Forwarded-For: someone\r\n", 400),
                ("Forwarded: for=_hidden\r\n", 400),
                (
                    "X-Forwarded-For: 198.51.100.9\r\nForwarded: for=1.2.3.4\r\n",
                    400,
                ),
                (
                    "X-Forwarded-For: 198.51.100.9\r\nX-Forwarded-Proto: http\r\n",
                    403,
                ),
            ] {
                let answer = ask("10.0.0.7", "alice-token", headers).unwrap();
                assert_eq!(answer.status, status, "{headers:?} {answer:?}");
            }
            // The client wrote the left part; the proxy the right.
            let spoofed = "X-Forwarded-For: 192.0.2.1, 198.18.0.9, 10.1.0.3\r\n";
            assert_eq!(ask("10.0.0.7", "wrong", spoofed).unwrap().status, 401);
            assert_eq!(server.refused("http/auth")["peer"], "198.18.0.0/24");
            assert!(!server.audit_text().contains("192.0.2.0/24"));
        },
    );
}
