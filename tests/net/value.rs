//! Values of a caller in headers, queries and forms.

use mcp_secure::{capability::net::NetError, prelude::*};

use crate::world::{Api, World};

#[tokio::test]
async fn a_value_with_a_line_break_begins_no_header_and_no_request() {
    let world = World::hello().await;
    let server = world.api();
    let net: Net<Api, Get> = server.lend().unwrap();
    for value in [
        "a\r\nx-admin: 1",
        "a\nx-admin: 1",
        "a\r\n\r\nGET /admin HTTP/1.1\r\nhost: x\r\n\r\n",
        "a\0b",
        "a\rb",
    ] {
        let error = net
            .path("/")
            .header("x-note", value)
            .send()
            .await
            .unwrap_err();
        assert!(matches!(error, NetError::Header { .. }), "{value:?}");
        let response = net.path("/").query("q", value).send().await.unwrap();
        response.bytes().await.unwrap();
    }
    for seen in world.site.seen() {
        assert!(seen.line.starts_with("GET /v1/?q=a%"), "{}", seen.line);
        assert_eq!(seen.header("x-admin"), None);
        assert_eq!(seen.line.split(' ').count(), 3);
    }
}

/// What servers read as structure, in one or two rounds of decoding.
#[tokio::test]
async fn a_value_that_some_server_reads_as_more_than_one_segment_is_not_sent() {
    let world = World::hello().await;
    let server = world.api();
    let net: Net<Api, Get> = server.lend().unwrap();
    let long = "a".repeat(4097);
    for value in [
        "a/b",
        "..\\admin",
        "..",
        "...",
        ".",
        "",
        "..;",
        "..;x",
        "%2e%2e",
        "..%2fadmin",
        "a\0",
        "a\r\nb",
        "\u{85}",
        &long,
    ] {
        let sent = net.path("/users/{id}").segment("id", value).send().await;
        let error = sent.unwrap_err();
        assert!(
            matches!(error, NetError::Path { .. }),
            "{value:?}: {error:?}"
        );
        let dotted = net.path("/users/.{id}").segment("id", value).send().await;
        assert!(dotted.is_err(), "{value:?} behind a dot");
    }
    // Dots that come together; a value that the template has no place for, or has twice.
    for sent in [
        net.path("/users/{a}{b}")
            .segment("a", ".")
            .segment("b", "."),
        net.path("/users/.{a}").segment("a", "."),
        net.path("/users").segment("a", "x"),
        net.path("/users/{a}/{a}").segment("a", "x"),
        net.path("/users/../admin"),
        net.path("/users/%2e%2e/admin"),
        net.path("/users?x=1"),
    ] {
        let error = sent.send().await.unwrap_err();
        assert!(matches!(error, NetError::Path { .. }), "{error:?}");
    }
    assert_eq!(world.site.opened(), 0);
}

#[tokio::test]
async fn headers_that_are_not_a_callers_are_refused_before_anything_is_sent() {
    let world = World::hello().await;
    let server = world.api();
    let net: Net<Api, Get> = server.lend().unwrap();
    for name in [
        "Host",
        "content-length",
        "Transfer-Encoding",
        "connection",
        "authorization",
        "cookie",
        "proxy-authorization",
        "x-forwarded-host",
        "x-forwarded-for",
        "x-http-method-override",
        "x-original-url",
        "expect",
        "upgrade",
        "te",
        "bad name",
        "",
        "x:y",
    ] {
        let error = net.path("/").header(name, "1").send().await.unwrap_err();
        assert!(matches!(error, NetError::Header { .. }), "{name}");
    }
    assert_eq!(world.site.opened(), 0);
}

#[tokio::test]
async fn what_is_sent_is_what_was_asked_and_nothing_of_ones_own() {
    let world = World::hello().await;
    let server = world.granted(Api::from_operator().bearer("s3cret"), "/v1");
    let net: Net<Api, Get> = server.lend().unwrap();
    let request = net
        .path("/users/{id}.json")
        .segment("id", 7)
        .query("q", "a&b=c")
        .query("page", 2)
        .header("accept", "application/json");
    request.send().await.unwrap().bytes().await.unwrap();
    let seen = world.site.only();
    assert_eq!(
        seen.line,
        "GET /v1/users/7.json?q=a%26b%3Dc&page=2 HTTP/1.1"
    );
    let mut names: Vec<&str> = seen.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "accept",
            "accept-encoding",
            "authorization",
            "host",
            "user-agent"
        ]
    );
    assert_eq!(seen.header("authorization"), Some("Bearer s3cret"));
}

/// A second session that answers with a cookie, an authentication challenge, a referrer policy:
/// none of it comes back with the next request.
#[tokio::test]
async fn nothing_that_a_server_sets_is_remembered() {
    let world = World::new(|_| {
        crate::site::reply(
            "200 OK",
            &[
                ("set-cookie", "a=b; Path=/"),
                ("alt-svc", "h3=\":443\""),
                ("link", "</x>; rel=next"),
            ],
            b"",
        )
    })
    .await;
    let server = world.api();
    let net: Net<Api, Get> = server.lend().unwrap();
    for _ in 0..2 {
        net.path("/").send().await.unwrap().bytes().await.unwrap();
    }
    let seen = world.site.seen();
    assert_eq!(seen[0].headers, seen[1].headers);
    assert_eq!(seen[1].header("cookie"), None);
}
