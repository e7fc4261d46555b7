//! A handle after its call.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use mcp_secure::{capability::net::NetError, prelude::*};

use crate::{
    site::{Act, ok},
    world::{Api, World},
};

#[tokio::test]
async fn a_handle_that_was_kept_sends_nothing() {
    let world = World::hello().await;
    let server = world.api();
    let net: Net<Api, Get> = server.lend().unwrap();
    server.end_calls();
    assert_eq!(net.path("/").send().await.unwrap_err(), NetError::Revoked);
    assert_eq!(world.site.opened(), 0);
}

#[tokio::test]
async fn a_body_ends_with_the_call_and_so_does_its_connection() {
    let world = World::new(|_| {
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n";
        vec![
            Act::Say(head.to_vec()),
            Act::Say(vec![b'x'; 100]),
            Act::Wait(Duration::from_secs(3600)),
        ]
    })
    .await;
    let server = world.api();
    let net: Net<Api, Get> = server.lend().unwrap();
    let mut response = net.path("/").send().await.unwrap();
    assert!(response.chunk().await.unwrap().is_some());
    server.end_calls();
    assert_eq!(response.chunk().await.unwrap_err(), NetError::Revoked);
    assert_eq!(response.chunk().await.unwrap(), None);
}

/// What has arrived already is not handed out either.
#[tokio::test]
async fn what_arrived_before_the_end_of_the_call_is_not_read_after_it() {
    let world = World::new(|_| {
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\n";
        vec![
            Act::Say(head.to_vec()),
            Act::Say(vec![b'x'; 100]),
            Act::Wait(Duration::from_millis(20)),
            Act::Say(vec![b'y'; 100]),
        ]
    })
    .await;
    let server = world.api();
    let net: Net<Api, Get> = server.lend().unwrap();
    let mut response = net.path("/").send().await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap()[0], b'x');
    // The rest arrives, and waits to be read.
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.end_calls();
    assert_eq!(response.chunk().await.unwrap_err(), NetError::Revoked);
}

/// Nobody polls a response that was put away; the connection closes all the same.
#[tokio::test]
async fn a_response_that_was_put_away_keeps_no_connection() {
    let world = World::new(|_| {
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 8000000\r\n\r\n";
        vec![Act::Say(head.to_vec()), Act::Forever(vec![b'x'; 1000])]
    })
    .await;
    let server = world.api();
    let net: Net<Api, Get> = server.lend().unwrap();
    let response = net.path("/").send().await.unwrap();
    server.end_calls();
    world.site.is_left().await;
    drop(response);
}

#[tokio::test]
async fn a_body_that_is_being_sent_ends_with_the_call() {
    let world = World::new(|_| ok(b"taken")).await;
    let server = world.api();
    let net: Net<Api, Post> = server.lend().unwrap();
    let endless =
        futures::stream::repeat_with(|| Ok(Bytes::from_static(b"x"))).then(async |piece| {
            tokio::time::sleep(Duration::from_millis(5)).await;
            piece
        });
    let sending = tokio::spawn(net.path("/").stream("text/plain", endless).send());
    while world.site.opened() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.end_calls();
    assert!(sending.await.unwrap().is_err());
    assert!(world.site.seen().is_empty());
}
