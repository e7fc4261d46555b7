//! The URLs of public attack suites, in every place where a URL, a host or a value can stand.
//!
//! From PayloadsAllTheThings (SSRF), and the tests of safeurl, smokescreen, ssrf-req-filter,
//! request-filtering-agent and ssrf_filter, as facts.

use mcp_secure::{
    capability::net::{NetError, NetLimits, Redirects},
    prelude::*,
    testing::TestServer,
};

use crate::{
    dns::Dns,
    site::{Site, ok, reply},
    world::{Api, Public, Wild, World},
};

/// `S` is a scheme, `P` the port of a listener on all of 127.0.0.0/8 that the test looks at.
const URLS: &[&str] = &[
    "S://2130706433:P/",
    "S://0x7f000001:P/",
    "S://0x7f.1:P/",
    "S://017700000001:P/",
    "S://0177.0.0.1:P/",
    "S://0177.0x0.0x0.0x1:P/",
    "S://127.1:P/",
    "S://127.0.0.1.:P/",
    "S://127.0.0.1:P/",
    "S://127.127.127.127:P/",
    "S://\u{2460}\u{2461}\u{2466}.\u{24ea}.\u{24ea}.\u{2460}:P/",
    "S://127\u{3002}0\u{3002}0\u{3002}1:P/",
    "S://\u{ff11}\u{ff12}\u{ff17}.0.0.1:P/",
    "S://0251.00376.000251.0000376/",
    "S://0xA9FEA9FE/",
    "S://2852039166/",
    "S://3232235777/",
    "S://169.254.169.254/latest/meta-data/",
    "S://0/",
    "S://0:P/",
    "S://0.0.0.0:P/",
    "S://[::]:P/",
    "S://[::1]:P/",
    "S://[::ffff:127.0.0.1]:P/",
    "S://[::ffff:7f00:1]:P/",
    "S://[0:0:0:0:0:ffff:a9fe:a9fe]/",
    "S://[::127.0.0.1]:P/",
    "S://[64:ff9b::7f00:1]:P/",
    "S://[fe80::1%25eth0]:P/",
    "S://0000::1:P/",
    "S://425.510.425.510/",
    "S://7147006462/",
    "S://0x41414141A9FEA9FE/",
    "S://o177.0.0.1/",
    "S://0o177.0.0.1/",
    "S://localhost:+11211aaa",
    "S://localhost:99999/",
    "S://api.test%40127.0.0.1:P/",
    "S://api.test\0.evil.test/",
    "S://127.1.1.1:P\\@127.2.2.2:P/",
    "S://127.1.1.1:P\\@@127.2.2.2:P/",
    "S://127.1.1.1:P#\\@127.2.2.2:P/",
    "S://1.1.1.1 &@127.0.0.1:P# @3.3.3.3/",
    "S://api.test@127.0.0.1:P/",
    "S://api.test:pw@127.0.0.1:P/",
    "S://127.0.0.1:80%2f@evil.test/",
    "S://api.test%2eevil.test/",
    "S://api.test;evil.test/",
    "S://localhost:P/",
    "S://ip6-localhost:P/",
    "S://localtest.test:P/",
    "S://127.0.0.1.nip.test:P/",
    "S://metadata.test/",
    "S:127.0.0.1:P/",
    "S:\\\\127.0.0.1:P\\",
    "S:///127.0.0.1:P/",
    "S:////127.0.0.1:P/",
    "gopher://127.0.0.1:P/",
    "dict://127.0.0.1:P/",
    "ftp://127.0.0.1:P/",
    "file:///etc/passwd",
    "jar:https://127.0.0.1!/",
    "javascript:alert(1)",
    "data:text/html,x",
    "unix:/run/docker.sock",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
    "//127.0.0.1:P/",
    "\\\\127.0.0.1:P\\",
    "/\\127.0.0.1:P/",
    "\t//127.0.0.1:P/",
    "S://\u{430}pi.test/",
    "S://api.test:22/",
    "S://api.test:25/",
    "S://api.test:6379/",
    "S://api.test:2375/",
];

fn rows(port: u16) -> impl Iterator<Item = String> {
    let with = move |row: &str, scheme: &str| {
        let row = row
            .strip_prefix('S')
            .map_or(row.to_owned(), |rest| format!("{scheme}{rest}"));
        row.replace('P', &port.to_string())
    };
    URLS.iter()
        .flat_map(move |row| [with(row, "https"), with(row, "http")])
}

/// Without any name that leads elsewhere: here all lead to loopback, as an attacker's would.
async fn names() -> Dns {
    let here: &[&[&str]] = &[&["127.0.0.1"]];
    Dns::new(&[
        ("localtest.test", here),
        ("*.nip.test", here),
        ("127.0.0.1.nip.test", here),
        ("metadata.test", &[&["169.254.169.254"]]),
        ("api.test", here),
    ])
    .await
}

/// What an operator is talked into writing. Whatever can be granted at all is refused when it
/// is dialed.
#[tokio::test]
async fn no_url_of_the_suites_is_a_grant_that_reaches_inside() {
    let inside = Site::new(None, |_| ok(b"inside")).await;
    let dns = names().await;
    let mut granted = Vec::new();
    for row in rows(inside.address.port()) {
        let grant = Public::from_operator().nameservers([dns.address]);
        let Ok(server) = TestServer::new().granted(grant, &row) else {
            continue;
        };
        granted.push(row.clone());
        let net: Net<Public, Get> = server.lend().unwrap();
        let error = net.path("/").send().await.unwrap_err();
        assert!(
            matches!(
                error,
                NetError::Address { .. } | NetError::Resolve { .. } | NetError::Tls { .. }
            ),
            "{row}: {error:?}"
        );
    }
    assert_eq!(inside.opened(), 0);
    // Those in their plain spelling are grants; that they are refused is the dialer's doing.
    assert!(
        granted.iter().all(|row| row.starts_with("https://")),
        "{granted:?}"
    );
    assert!(granted.len() < 25, "{granted:#?}");
}

/// A grant for loopback is in the spelling that a reviewer reads.
#[tokio::test]
async fn an_address_is_granted_in_one_spelling_even_where_private_ones_are() {
    for written in [
        "http://2130706433:1",
        "http://0x7f.1:1",
        "http://127.1:1",
        "http://127.0.0.1.:1",
        "http://[0:0:0:0:0:0:0:1]:1",
        "http://0:1",
        "http://user@127.0.0.1:1",
        "http://127.0.0.1:01",
        "http://127.0.0.1:0",
        "http://127.0.0.1:1/?q",
        "http://127.0.0.1:1/#f",
        "http://127.0.0.1:1/a/../b",
        "http://127.0.0.1:1/%61",
        "http://127.0.0.1:1//a",
        "HTTP://127.0.0.1:1",
        " http://127.0.0.1:1",
        "http://127.0.0.1:1\\a",
        "http:127.0.0.1:1",
        "http://*:1",
        "http://*.test",
        "http://",
        "https://*",
        "https://*.com",
        "https://10.0.0.0/8",
        "https://api.test\u{ad}",
        "https://a\tpi.test",
    ] {
        assert!(
            TestServer::new()
                .granted(Api::from_operator(), written)
                .is_err(),
            "{written}"
        );
    }
    assert!(
        TestServer::new()
            .granted(Api::from_operator(), "http://127.0.0.1:1")
            .is_ok()
    );
    assert!(
        TestServer::new()
            .granted(Api::from_operator(), "http://[::1]:1/v1")
            .is_ok()
    );
}

#[tokio::test]
async fn no_url_of_the_suites_is_followed_as_a_redirect() {
    let inside = Site::new(None, |_| ok(b"inside")).await;
    for row in rows(inside.address.port()) {
        let location = row.replace(['\0', '\t'], "");
        let world = World::new(move |_| reply("302 Found", &[("location", &location)], b"")).await;
        let grant = Api::from_operator().redirects(Redirects::SameOrigin);
        let server = world.granted(grant, "/v1");
        let net: Net<Api, Get> = server.lend().unwrap();
        let error = net.path("/start").send().await.unwrap_err();
        assert!(
            matches!(error, NetError::Redirect { .. }),
            "{row}: {error:?}"
        );
        // `https:127.0.0.1` is a path to the standard, where the scheme is the same: it may go
        // in a circle on the granted host, below the granted path.
        for seen in world.site.seen() {
            assert!(seen.path().starts_with("/v1/"), "{row}: {}", seen.line);
        }
    }
    assert_eq!(inside.opened(), 0);
}

/// Where a caller chooses the host, it is one label.
#[tokio::test]
async fn no_row_is_a_label_of_a_wildcard() {
    let world = World::hello().await;
    let url = format!("https://*.api.test:{}", world.site.address.port());
    let grant = world.with(Wild::from_operator());
    let server = TestServer::new().granted(grant, url).unwrap();
    let net: Net<Wild, Get> = server.lend().unwrap();
    let more = [
        "a.b",
        "evil.test",
        "evil.test/",
        "evil.test#",
        "evil.test?",
        "a@b",
        "a:1",
        "",
        ".",
        "*",
        "-a",
    ];
    for row in rows(1).chain(more.map(str::to_owned)) {
        let error = net.path("/").host(&row).send().await.unwrap_err();
        assert_eq!(error, NetError::Host, "{row}");
    }
    assert_eq!(
        net.path("/").send().await.unwrap_err(),
        NetError::Host,
        "none"
    );
    assert!(
        world.dns.asked().is_empty(),
        "no label of a caller was asked for"
    );
    let response = net.path("/").host("Tenant").send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "hello");
    let host = format!("tenant.api.test:{}", world.site.address.port());
    assert_eq!(world.site.only().header("host"), Some(host.as_str()));
}

/// A row as a value stays in its segment, whatever it is.
#[tokio::test]
async fn no_row_leaves_its_segment() {
    let world = World::hello().await;
    let limits = NetLimits {
        max_per_second: 1000,
        ..NetLimits::default()
    };
    let server = world.granted(Api::from_operator().limits(limits), "/v1");
    let net: Net<Api, Get> = server.lend().unwrap();
    let mut sent = 0;
    let more = [
        "..",
        "../../admin",
        "%2e%2e",
        "..%2f",
        "x?admin=1",
        "x#y",
        "a b",
        "\u{ff0e}\u{ff0e}\u{ff0f}",
        "..;",
    ];
    for row in rows(1).chain(more.map(str::to_owned)) {
        let request = net.path("/users/{id}/repos").segment("id", &row);
        match request.send().await {
            Err(NetError::Path { .. }) => {}
            other => {
                other.unwrap().bytes().await.unwrap();
                sent += 1;
            }
        }
    }
    let seen = world.site.seen();
    assert_eq!(seen.len(), sent);
    for seen in seen {
        let parts: Vec<&str> = seen.path().split('/').collect();
        assert!(
            matches!(parts[..], ["", "v1", "users", id, "repos"] if id != ".."),
            "{}",
            seen.line
        );
        assert!(!seen.path().contains(['?', '#', '\\']), "{}", seen.line);
        assert!(seen.header("host").unwrap().starts_with("api.test:"));
    }
}
