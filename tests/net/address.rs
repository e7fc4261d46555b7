//! Names that lead inside.

use mcp_secure::{capability::net::NetError, prelude::*, testing::TestServer};

use crate::{
    dns::Dns,
    site::{Site, ok},
    world::{Api, Public, World},
};

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_and_nothing_is_sent() {
    let inside = Site::new(None, |_| ok(b"inside")).await;
    for answers in [
        &["127.0.0.1"] as &[&str],
        &["93.184.215.14", "127.0.0.1"],
        &["93.184.215.14", "::1"],
        &["::ffff:127.0.0.1"],
        &["169.254.169.254"],
        &["fd00:ec2::254"],
    ] {
        let dns = Dns::new(&[("api.test", &[answers])]).await;
        let url = format!("https://api.test:{}", inside.address.port());
        let grant = Public::from_operator().nameservers([dns.address]);
        let server = TestServer::new().granted(grant, url).unwrap();
        let net: Net<Public, Get> = server.lend().unwrap();
        let error = net.path("/").send().await.unwrap_err();
        assert!(
            matches!(error, NetError::Address { .. }),
            "{answers:?}: {error:?}"
        );
    }
    assert_eq!(inside.opened(), 0);
}

/// A private grant is for one's own network. The metadata service is none of it.
#[tokio::test]
async fn a_name_that_is_rebound_to_the_metadata_service_is_refused_in_a_private_grant_too() {
    let world = World::hello().await;
    let dns = Dns::new(&[("api.test", &[&["127.0.0.1"], &["169.254.169.254"]])]).await;
    let grant = Api::from_operator()
        .ca_file(world.authority.pem())
        .nameservers([dns.address]);
    let server = TestServer::new().granted(grant, world.url("")).unwrap();
    let net: Net<Api, Get> = server.lend().unwrap();
    // Not read to its end: the next request needs another connection.
    let first = net.path("/").send().await.unwrap();
    drop(first);
    let error = net.path("/").send().await.unwrap_err();
    assert!(matches!(error, NetError::Address { .. }), "{error:?}");
    assert_eq!(world.site.opened(), 1);
}

/// Plain HTTP is for one's own network. A name of it that moves to the internet is refused
/// before anything is said.
#[tokio::test]
async fn plain_http_needs_a_private_grant() {
    let site = Site::new(None, |_| ok(b"plain")).await;
    let url = format!("http://127.0.0.1:{}", site.address.port());
    assert!(
        TestServer::new()
            .granted(Public::from_operator(), &url)
            .is_err()
    );
    let dangerous = mcp_secure::dangerous::plain_http(Public::from_operator());
    assert!(TestServer::new().granted(dangerous, &url).is_ok());
    let server = TestServer::new()
        .granted(Api::from_operator(), &url)
        .unwrap();
    let net: Net<Api, Get> = server.lend().unwrap();
    let response = net.path("/x").send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "plain");
}
