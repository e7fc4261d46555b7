//! Servers that send a client elsewhere.

use mcp_secure::{
    capability::net::{NetError, Redirects},
    prelude::*,
    testing::TestServer,
};

use crate::{
    site::{ok, reply},
    world::{Api, Wild, World},
};

const STATUSES: [&str; 5] = [
    "301 Moved",
    "302 Found",
    "303 See Other",
    "307 Temporary",
    "308 Permanent",
];

#[tokio::test]
async fn a_redirect_is_the_response_unless_the_grant_says_otherwise() {
    for status in STATUSES {
        let world = World::new(move |_| reply(status, &[("location", "/v1/next")], b"moved")).await;
        let server = world.api();
        let net: Net<Api, Get> = server.lend().unwrap();
        let response = net.path("/start").send().await.unwrap();
        assert_eq!(response.status().as_str(), &status[..3]);
        assert_eq!(response.headers()["location"], "/v1/next");
        assert_eq!(response.text().await.unwrap(), "moved");
        assert_eq!(world.site.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_redirect_that_is_followed_stays_on_the_host_and_below_the_path() {
    for (location, arrives) in [
        ("/v1/next?x=1", Some("/v1/next?x=1")),
        ("next", Some("/v1/next")),
        ("?y", Some("/v1/start?y")),
        ("/v1", Some("/v1")),
        ("/admin", None),
        ("/v10/next", None),
        ("../admin", None),
        ("/v1/../admin", None),
        ("/v1/%2e%2e/admin", None),
        ("/v1/..%2fadmin", None),
        ("/v1/%2e%2e%2fadmin", None),
        ("/v1/%252e%252e/admin", None),
        ("/v1/..;/admin", None),
        ("/v1/\\..\\..\\admin", None),
        // The parser reads `/v1//../next`, and so does the server: it is asked for the result.
        ("/v1/\\..\\next", Some("/v1/next")),
        ("https://evil.test/v1/next", None),
        ("https://api.test/v1/next", None),
        ("http://api.test/v1/next", None),
        ("https://user@api.test/v1/next", None),
    ] {
        for status in STATUSES {
            let world = World::new(move |seen| match seen.path() {
                "/v1/start" => reply(status, &[("location", location)], b""),
                _ => ok(b"there"),
            })
            .await;
            let grant = Api::from_operator().redirects(Redirects::SameOrigin);
            let server = world.granted(grant, "/v1");
            let net: Net<Api, Get> = server.lend().unwrap();
            let sent = net.path("/start").header("x-key", "1").send().await;
            match arrives {
                Some(path) => {
                    assert_eq!(sent.unwrap().text().await.unwrap(), "there", "{location}");
                    let seen = world.site.seen();
                    assert_eq!((seen.len(), seen[1].path()), (2, path));
                    assert_eq!(seen[1].header("x-key"), Some("1"));
                }
                None => {
                    let error = sent.unwrap_err();
                    assert!(
                        matches!(error, NetError::Redirect { .. }),
                        "{location}: {error:?}"
                    );
                    assert_eq!(world.site.seen().len(), 1);
                }
            }
        }
    }
}

/// With the port that was granted, so that the port is not what stops them.
#[tokio::test]
async fn a_redirect_to_another_host_or_scheme_or_as_somebody_is_refused_whatever_is_followed() {
    for elsewhere in [
        "https://evil.test:{port}/v1/next",
        "https://127.0.0.1:{port}/v1/next",
        "http://api.test:{port}/v1/next",
        "ftp://api.test:{port}/v1/next",
        "https://user@api.test:{port}/v1/next",
        "https://user:word@api.test:{port}/v1/next",
    ] {
        let world = World::new(|seen| match seen.path() {
            "/v1/start" => {
                let elsewhere = seen.header("x-to").unwrap();
                reply("302 Found", &[("location", elsewhere)], b"")
            }
            _ => ok(b"there"),
        })
        .await;
        let port = world.site.address.port().to_string();
        let grant = Api::from_operator().redirects(Redirects::Granted);
        let server = world.granted(grant, "/v1");
        let net: Net<Api, Get> = server.lend().unwrap();
        let to = elsewhere.replace("{port}", &port);
        let sent = net.path("/start").header("x-to", &to).send().await;
        let error = sent.unwrap_err();
        assert!(
            matches!(error, NetError::Redirect { .. }),
            "{to}: {error:?}"
        );
        assert_eq!(world.site.seen().len(), 1, "{to}");
    }
}

/// What a caller meant for one tenant is not for another (CVE-2026-64684).
#[tokio::test]
async fn another_host_of_a_wildcard_gets_no_header_and_no_body() {
    for method in ["GET", "POST"] {
        let world = World::new(|seen| {
            if seen.header("host").unwrap().starts_with("a.") {
                let port = seen.header("host").unwrap().split(':').nth(1).unwrap();
                let location = format!("https://b.api.test:{port}/taken");
                reply("307 Temporary", &[("location", &location)], b"")
            } else {
                ok(b"there")
            }
        })
        .await;
        let url = format!("https://*.api.test:{}", world.site.address.port());
        let grant = world.with(Wild::from_operator().redirects(Redirects::Granted));
        let server = TestServer::new().granted(grant, &url).unwrap();
        if method == "GET" {
            let net: Net<Wild, Get> = server.lend().unwrap();
            let request = net.path("/start").host("a").header("x-api-key", "s3cret");
            assert_eq!(request.send().await.unwrap().text().await.unwrap(), "there");
            let seen = world.site.seen();
            assert_eq!(seen.len(), 2);
            assert_eq!(seen[0].header("x-api-key"), Some("s3cret"));
            assert_eq!(seen[1].header("x-api-key"), None);
        } else {
            let net: Net<Wild, Post> = server.lend().unwrap();
            let request = net.path("/start").host("a").json("secret");
            let error = request.send().await.unwrap_err();
            assert!(matches!(error, NetError::Redirect { .. }));
            assert_eq!(world.site.seen().len(), 1);
        }
        // And where only the same host is followed, it is not.
        let grant = world.with(Wild::from_operator().redirects(Redirects::SameOrigin));
        let server = TestServer::new().granted(grant, &url).unwrap();
        let net: Net<Wild, Get> = server.lend().unwrap();
        let error = net.path("/start").host("a").send().await.unwrap_err();
        assert!(matches!(error, NetError::Redirect { .. }));
    }
}

/// A `303` would make a GET of a POST: a right that the handle does not carry.
#[tokio::test]
async fn a_redirect_never_changes_the_method() {
    for status in STATUSES {
        let world = World::new(move |seen| match seen.path() {
            "/v1/start" => reply(status, &[("location", "/v1/next")], b"moved"),
            _ => ok(b"there"),
        })
        .await;
        let grant = Api::from_operator().redirects(Redirects::SameOrigin);
        let server = world.granted(grant, "/v1");
        let net: Net<Api, Post> = server.lend().unwrap();
        let response = net.path("/start").json(&[1]).send().await.unwrap();
        let seen = world.site.seen();
        if status.starts_with("307") || status.starts_with("308") {
            assert_eq!(response.status(), 200);
            assert_eq!(
                (seen[1].line.as_str(), &seen[1].body[..]),
                ("POST /v1/next HTTP/1.1", b"[1]" as &[u8])
            );
        } else {
            assert_eq!(response.status().as_str(), &status[..3]);
            assert_eq!(seen.len(), 1);
        }
    }
}

#[tokio::test]
async fn a_circle_of_redirects_ends() {
    let world = World::new(|_| reply("302 Found", &[("location", "/v1/start")], b"")).await;
    let grant = Api::from_operator().redirects(Redirects::SameOrigin);
    let server = world.granted(grant, "/v1");
    let net: Net<Api, Get> = server.lend().unwrap();
    let error = net.path("/start").send().await.unwrap_err();
    assert!(matches!(error, NetError::Redirect { .. }));
    assert_eq!(world.site.seen().len(), 6);
}
