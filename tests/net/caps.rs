//! Servers that send too much, too slowly, or something else than HTTP.

use std::{io::Write as _, time::Duration};

use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};
use mcp_secure::{
    capability::net::{NetError, NetLimits},
    prelude::*,
    testing::TestServer,
};

use crate::{
    site::{Act, ok, reply},
    world::{Api, World},
};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

fn limited(world: &World, limits: NetLimits) -> TestServer {
    world.granted(Api::from_operator().limits(limits), "")
}

async fn get(server: &TestServer) -> Result<Vec<u8>, NetError> {
    let net: Net<Api, Get> = server.lend().unwrap();
    Ok(net.path("/").send().await?.bytes().await?.to_vec())
}

#[tokio::test]
async fn what_is_packed_is_unpacked() {
    let text = b"all work and no play ".repeat(500);
    let plain = text.clone();
    let world = World::new(move |seen| {
        assert_eq!(seen.header("accept-encoding"), Some("gzip, deflate"));
        match seen.connection {
            _ if seen.path() == "/d" => {
                let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
                zlib.write_all(&plain).unwrap();
                reply(
                    "200 OK",
                    &[("content-encoding", "deflate")],
                    &zlib.finish().unwrap(),
                )
            }
            _ => reply("200 OK", &[("content-encoding", "gzip")], &gzip(&plain)),
        }
    })
    .await;
    let server = limited(&world, NetLimits::default());
    assert_eq!(get(&server).await.unwrap(), text);
    let net: Net<Api, Get> = server.lend().unwrap();
    assert_eq!(
        net.path("/d").send().await.unwrap().bytes().await.unwrap(),
        text
    );
    let head: Net<Api, Head> = server.lend().unwrap();
    let _ = head;
}

/// Ten mebibytes of zeros are ten kilobytes on the way.
#[tokio::test]
async fn a_bomb_stops_when_it_grows() {
    let bomb = gzip(&vec![0; 64 * 1024 * 1024]);
    assert!(bomb.len() < 128 * 1024);
    let world = World::new(move |_| reply("200 OK", &[("content-encoding", "gzip")], &bomb)).await;
    let error = get(&limited(&world, NetLimits::default()))
        .await
        .unwrap_err();
    assert_eq!(error, NetError::Ratio { limit: 100 });
    let roomy = NetLimits {
        max_ratio: u32::MAX,
        ..NetLimits::default()
    };
    let error = get(&limited(&world, roomy)).await.unwrap_err();
    assert!(matches!(error, NetError::Size { .. }), "{error:?}");
    world.site.is_left().await;
}

#[tokio::test]
async fn encodings_that_were_not_asked_for_are_refused() {
    for encoding in ["br", "zstd", "gzip, gzip", "GZIP,identity", "compress"] {
        let world =
            World::new(move |_| reply("200 OK", &[("content-encoding", encoding)], b"x")).await;
        let error = get(&limited(&world, NetLimits::default()))
            .await
            .unwrap_err();
        assert_eq!(error, NetError::Encoding, "{encoding}");
    }
    let twice: &[_] = &[("content-encoding", "gzip"), ("content-encoding", "gzip")];
    let world = World::new(move |_| reply("200 OK", twice, b"x")).await;
    assert_eq!(
        get(&limited(&world, NetLimits::default()))
            .await
            .unwrap_err(),
        NetError::Encoding
    );
}

#[tokio::test]
async fn part_of_a_packed_document_is_not_the_document() {
    let mut packed = gzip(&b"all work and no play ".repeat(500));
    packed.truncate(packed.len() / 2);
    let world =
        World::new(move |_| reply("200 OK", &[("content-encoding", "gzip")], &packed)).await;
    assert!(get(&limited(&world, NetLimits::default())).await.is_err());
}

#[tokio::test]
async fn a_body_ends_at_the_limit_whether_or_not_it_is_announced() {
    let limits = NetLimits {
        max_response: 1000,
        ..NetLimits::default()
    };
    let too_large = |error| matches!(error, NetError::Size { limit: 1000, .. });
    let world = World::new(|_| ok(&[b'x'; 1001])).await;
    assert!(too_large(
        get(&limited(&world, limits.clone())).await.unwrap_err()
    ));
    let world = World::new(|_| ok(&[b'x'; 1000])).await;
    assert_eq!(
        get(&limited(&world, limits.clone())).await.unwrap().len(),
        1000
    );
    // One that says so is not waited for.
    let world = World::new(|_| {
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n";
        vec![
            Act::Say(head.to_vec()),
            Act::Wait(Duration::from_secs(3600)),
        ]
    })
    .await;
    let server = limited(&world, limits.clone());
    let net: Net<Api, Get> = server.lend().unwrap();
    assert!(too_large(net.path("/").send().await.unwrap_err()));
    let world = World::new(|_| {
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        vec![
            Act::Say(head.to_vec()),
            Act::Forever(b"5\r\nhello\r\n".to_vec()),
        ]
    })
    .await;
    assert!(too_large(get(&limited(&world, limits)).await.unwrap_err()));
    world.site.is_left().await;
}

#[tokio::test]
async fn headers_have_a_number_and_a_size() {
    let many: Vec<u8> = (0..200)
        .flat_map(|n| format!("x-{n}: 1\r\n").into_bytes())
        .collect();
    let large = format!("x: {}\r\n", "y".repeat(64 * 1024)).into_bytes();
    for headers in [many, large] {
        let head = [b"HTTP/1.1 200 OK\r\n".to_vec(), headers, b"\r\n".to_vec()].concat();
        let world = World::new(move |_| vec![Act::Say(head.clone()), Act::Close]).await;
        let error = get(&limited(&world, NetLimits::default()))
            .await
            .unwrap_err();
        assert!(matches!(error, NetError::Header { .. }), "{error:?}");
    }
    // Without an end, too.
    let world = World::new(|_| {
        vec![
            Act::Say(b"HTTP/1.1 200 OK\r\n".to_vec()),
            Act::Forever(b"x: y\r\n".to_vec()),
        ]
    })
    .await;
    let error = get(&limited(&world, NetLimits::default()))
        .await
        .unwrap_err();
    assert!(matches!(error, NetError::Header { .. }), "{error:?}");
}

#[tokio::test]
async fn a_slow_server_is_left() {
    let short = |timeout: u64, idle: u64| NetLimits {
        timeout: Duration::from_millis(timeout),
        idle_timeout: Duration::from_millis(idle),
        ..NetLimits::default()
    };
    let is_timeout = |error| matches!(error, NetError::Timeout { .. });
    // No answer at all.
    let world = World::new(|_| vec![Act::Wait(Duration::from_secs(60))]).await;
    assert!(is_timeout(
        get(&limited(&world, short(300, 300))).await.unwrap_err()
    ));
    // A body that stops.
    let head = || Act::Say(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n".to_vec());
    let world = World::new(move |_| vec![head(), Act::Wait(Duration::from_secs(60))]).await;
    let server = limited(&world, short(3_600_000, 300));
    let stopped = tokio::time::timeout(Duration::from_secs(20), get(&server));
    assert!(is_timeout(
        stopped.await.expect("it is waited for").unwrap_err()
    ));
    // One byte at a time is never idle, and over when the time is.
    let world = World::new(move |_| {
        let drip = || {
            [
                Act::Say(b"x".to_vec()),
                Act::Wait(Duration::from_millis(20)),
            ]
        };
        std::iter::once(head())
            .chain((0..100_000).flat_map(|_| drip()))
            .collect()
    })
    .await;
    let server = limited(&world, short(500, 300));
    let dripped = tokio::time::timeout(Duration::from_secs(20), get(&server));
    assert!(is_timeout(
        dripped.await.expect("it is waited for").unwrap_err()
    ));
}

#[tokio::test]
async fn more_at_a_time_than_granted_is_refused() {
    let world = World::hello().await;
    let limits = NetLimits {
        max_per_second: 3,
        ..NetLimits::default()
    };
    let server = limited(&world, limits);
    let mut refused = 0;
    for _ in 0..6 {
        match get(&server).await {
            Ok(body) => assert_eq!(body, b"hello"),
            Err(error) => {
                assert_eq!(error, NetError::Rate);
                refused += 1;
            }
        }
    }
    assert!(refused > 0);
    assert_eq!(world.site.seen().len(), 6 - refused);
}

/// A response that is not read to its end counts as open.
#[tokio::test]
async fn more_open_at_a_time_than_granted_is_refused() {
    let world = World::new(|_| {
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n";
        vec![
            Act::Say(head.to_vec()),
            Act::Wait(Duration::from_secs(3600)),
        ]
    })
    .await;
    let limits = NetLimits {
        max_concurrent: 1,
        timeout: Duration::from_millis(500),
        ..NetLimits::default()
    };
    let server = limited(&world, limits);
    let net: Net<Api, Get> = server.lend().unwrap();
    let first = net.path("/").send().await.unwrap();
    assert_eq!(net.path("/").send().await.unwrap_err(), NetError::Rate);
    assert_eq!(world.site.seen().len(), 1);
    drop(first);
    net.path("/").send().await.unwrap();
}

/// What ends a response in two ways, or goes on after its end, is two responses to somebody.
#[tokio::test]
async fn a_response_that_hides_another_one_poisons_nothing() {
    for bad in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length : 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nx: y\r\n z\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nx\0: y\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nhello",
        "HTTP/0.9 200 OK\r\n\r\nhello",
        "hello",
    ] {
        let world = World::new(move |_| vec![Act::Say(bad.into()), Act::Close]).await;
        let error = get(&limited(&world, NetLimits::default()))
            .await
            .unwrap_err();
        assert!(
            matches!(error, NetError::Connection { .. }),
            "{bad:?}: {error:?}"
        );
    }
    // A whole second response behind the first is not the answer to the next request.
    let world = World::new(|seen| match seen.connection {
        1 => {
            let two = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfirst\
                       HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison";
            vec![Act::Say(two.into())]
        }
        _ => ok(b"clean"),
    })
    .await;
    let server = limited(&world, NetLimits::default());
    assert_eq!(get(&server).await.unwrap(), b"first");
    assert_eq!(get(&server).await.unwrap(), b"clean");
    assert_eq!(world.site.opened(), 2);
}
