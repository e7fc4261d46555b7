//! Who shares a connection with whom.

use mcp_secure::{prelude::*, testing::TestServer};

use crate::{
    site::{Act, ok, reply},
    world::{Api, Other, Wild, World},
};

#[tokio::test]
async fn a_connection_is_used_again_by_its_grant_and_by_no_other() {
    let world = World::hello().await;
    let server = world.with(Api::from_operator());
    let server = TestServer::new().granted(server, world.url("")).unwrap();
    let server = server
        .granted(world.with(Other::from_operator()), world.url(""))
        .unwrap();
    let api: Net<Api, Get> = server.lend().unwrap();
    let post: Net<Api, Post> = server.lend().unwrap();
    let other: Net<Other, Get> = server.lend().unwrap();
    for _ in 0..3 {
        api.path("/").send().await.unwrap().bytes().await.unwrap();
        post.path("/").send().await.unwrap().bytes().await.unwrap();
    }
    assert_eq!(world.site.opened(), 1);
    other.path("/").send().await.unwrap().bytes().await.unwrap();
    assert_eq!(world.site.opened(), 2, "the same host, another grant");
}

#[tokio::test]
async fn a_host_of_a_wildcard_has_connections_of_its_own() {
    let world = World::hello().await;
    let url = format!("https://*.api.test:{}", world.site.address.port());
    let server = TestServer::new()
        .granted(world.with(Wild::from_operator()), url)
        .unwrap();
    let net: Net<Wild, Get> = server.lend().unwrap();
    for host in ["a", "b", "a", "b"] {
        net.path("/")
            .host(host)
            .send()
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap();
    }
    assert_eq!(world.site.opened(), 2);
    for seen in world.site.seen() {
        let first = &world.site.seen()[seen.connection - 1];
        assert_eq!(seen.header("host"), first.header("host"));
    }
}

#[tokio::test]
async fn a_response_that_was_not_read_takes_its_connection_along() {
    let world = World::new(|_| ok(&vec![b'x'; 5_000_000])).await;
    let server = world.api();
    let net: Net<Api, Get> = server.lend().unwrap();
    let mut response = net.path("/").send().await.unwrap();
    assert!(response.chunk().await.unwrap().is_some());
    drop(response);
    world.site.is_left().await;
    net.path("/").send().await.unwrap().bytes().await.unwrap();
    assert_eq!(world.site.opened(), 2);
}

/// A server may close an idle connection at any time. A request that it has not seen is sent
/// again, whatever its method; one that it has seen is not.
#[tokio::test]
async fn a_request_is_sent_again_only_if_nobody_saw_it() {
    let world = World::new(|_| {
        let mut acts = reply("200 OK", &[], b"hello");
        acts.push(Act::Close);
        acts
    })
    .await;
    let server = world.api();
    let net: Net<Api, Post> = server.lend().unwrap();
    for _ in 0..3 {
        net.path("/").send().await.unwrap().bytes().await.unwrap();
        world.site.is_left().await;
    }
    assert_eq!(world.site.seen().len(), 3);
    let world = World::new(|_| vec![Act::Close]).await;
    let server = world.api();
    let net: Net<Api, Post> = server.lend().unwrap();
    assert!(net.path("/").send().await.is_err());
    assert_eq!(world.site.seen().len(), 1);
}
