//! What is sent, and how it comes back.

use std::io;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use mcp_secure::{
    capability::net::{Multipart, NetError, NetLimits, StatusCode},
    prelude::*,
};

use crate::{
    site::{Act, ok, reply},
    world::{Api, World},
};

#[tokio::test]
async fn json_goes_out_and_comes_in() {
    let world = World::new(|seen| ok(&seen.body)).await;
    let server = world.api();
    let net: Net<Api, Post> = server.lend().unwrap();
    let value = serde_json::json!({"a": [1, "\u{fc}"]});
    let response = net.path("/echo").json(&value).send().await.unwrap();
    assert_eq!(response.json::<serde_json::Value>().await.unwrap(), value);
    let seen = world.site.only();
    assert_eq!(seen.line, "POST /v1/echo HTTP/1.1");
    assert_eq!(seen.header("content-type"), Some("application/json"));
    let response = net
        .path("/echo")
        .bytes("text/plain", "no json")
        .send()
        .await
        .unwrap();
    let error = response.json::<serde_json::Value>().await.unwrap_err();
    assert!(matches!(error, NetError::Decode { .. }));
}

#[tokio::test]
async fn each_method_is_its_own() {
    let world = World::hello().await;
    let server = world.api();
    macro_rules! sends {
        ($($method:ident)*) => {$(
            let net: Net<Api, $method> = server.lend().unwrap();
            net.path("/x").send().await.unwrap().bytes().await.unwrap();
        )*};
    }
    sends!(Get Post Put Patch Delete);
    let lines: Vec<String> = world.site.seen().iter().map(|s| s.line.clone()).collect();
    let methods: Vec<&str> = lines.iter().map(|l| l.split(' ').next().unwrap()).collect();
    assert_eq!(methods, ["GET", "POST", "PUT", "PATCH", "DELETE"]);
}

#[tokio::test]
async fn a_head_has_the_headers_of_a_body_and_none() {
    let world = World::new(|_| {
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\ncontent-encoding: gzip\r\n\r\n";
        vec![Act::Say(head.to_vec())]
    })
    .await;
    let server = world.api();
    let net: Net<Api, Head> = server.lend().unwrap();
    let response = net.path("/x").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-length"], "99999999");
    assert!(response.bytes().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_form_and_parts_arrive_as_they_were_meant() {
    let world = World::hello().await;
    let server = world.api();
    let net: Net<Api, Post> = server.lend().unwrap();
    let form = net.path("/f").form([("a", "1&b=2"), ("c", "\u{e4} +")]);
    form.send().await.unwrap().bytes().await.unwrap();
    let parts = Multipart::new().text("title", "x\r\n--y").file(
        "f",
        "a\"b.txt",
        "text/plain",
        &b"content"[..],
    );
    let sent = net.path("/m").multipart(parts).send().await.unwrap();
    sent.bytes().await.unwrap();
    let seen = world.site.seen();
    assert_eq!(seen[0].body, b"a=1%26b%3D2&c=%C3%A4%20%2B");
    let content_type = seen[1].header("content-type").unwrap();
    let boundary = content_type
        .strip_prefix("multipart/form-data; boundary=")
        .unwrap();
    let body = std::str::from_utf8(&seen[1].body).unwrap();
    assert_eq!(body.matches(boundary).count(), 3);
    assert!(body.contains("filename=\"a%22b.txt\"\r\ncontent-type: text/plain\r\n\r\ncontent\r\n"));
}

#[tokio::test]
async fn a_stream_goes_out_as_it_comes_and_stops_at_the_limit() {
    let world = World::new(|seen| ok(seen.body.len().to_string().as_bytes())).await;
    let limits = NetLimits {
        max_request: 1000,
        ..NetLimits::default()
    };
    let server = world.granted(Api::from_operator().limits(limits), "/v1");
    let net: Net<Api, Put> = server.lend().unwrap();
    let pieces =
        |n: usize| stream::iter((0..n).map(|_| Ok::<_, io::Error>(Bytes::from(vec![1; 100]))));
    let sent = net
        .path("/x")
        .stream("application/octet-stream", pieces(10))
        .send()
        .await;
    assert_eq!(sent.unwrap().text().await.unwrap(), "1000");
    assert_eq!(
        world.site.only().header("transfer-encoding"),
        Some("chunked")
    );
    let over = net
        .path("/x")
        .stream("application/octet-stream", pieces(11))
        .send()
        .await;
    assert!(over.is_err());
    let error = net
        .path("/x")
        .bytes("text/plain", vec![0; 1001])
        .send()
        .await
        .unwrap_err();
    assert!(
        matches!(error, NetError::Size { limit: 1000, .. }),
        "{error:?}"
    );
    let broken = stream::iter([Ok(Bytes::from("a")), Err(io::Error::other("mine"))]);
    assert!(
        net.path("/x")
            .stream("text/plain", broken)
            .send()
            .await
            .is_err()
    );
    assert_eq!(
        world.site.seen().len(),
        1,
        "nothing that was cut off is a request"
    );
}

#[tokio::test]
async fn a_body_comes_in_as_a_stream() {
    let world = World::new(|_| ok(&vec![b'x'; 300_000])).await;
    let server = world.api();
    let net: Net<Api, Get> = server.lend().unwrap();
    let response = net.path("/x").send().await.unwrap();
    let mut pieces = std::pin::pin!(response.into_stream());
    let (mut count, mut total) = (0, 0);
    while let Some(piece) = pieces.next().await {
        total += piece.unwrap().len();
        count += 1;
    }
    assert_eq!(total, 300_000);
    assert!(count > 1);
}

#[tokio::test]
async fn a_status_is_no_error_and_text_is_utf_8() {
    let world = World::new(|_| reply("404 Not Found", &[], b"\xff")).await;
    let server = world.api();
    let net: Net<Api, Get> = server.lend().unwrap();
    let response = net.path("/x").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert!(matches!(
        response.text().await,
        Err(NetError::Decode { .. })
    ));
}
