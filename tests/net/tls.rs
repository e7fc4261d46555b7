//! Servers that are not who they should be.

use std::time::Duration;

use mcp_secure::{
    capability::net::{NetError, NetLimits},
    prelude::*,
    testing::TestServer,
};

use crate::{
    site::{Site, ok},
    world::{Api, Authority, World},
};

async fn asked(
    world: &World,
    site: &Site,
    grant_ca: bool,
    tls13: bool,
) -> Result<String, NetError> {
    let mut grant = Api::from_operator().nameservers([world.dns.address]);
    if grant_ca {
        grant = grant.ca_file(world.authority.pem());
    }
    if tls13 {
        grant = grant.tls13_only();
    }
    let url = format!("https://api.test:{}", site.address.port());
    let server = TestServer::new().granted(grant, url).unwrap();
    let net: Net<Api, Get> = server.lend().unwrap();
    net.path("/").send().await?.text().await
}

#[tokio::test]
async fn a_server_without_a_certificate_for_the_granted_name_hears_nothing() {
    let world = World::hello().await;
    let stranger = Authority::new();
    let of = &world.authority;
    let cases = [
        ("another name", of.server(&["evil.test"], false)),
        (
            "the name as a wildcard of its own",
            of.server(&["*.api.test"], false),
        ),
        ("an address", of.server(&["127.0.0.1"], false)),
        ("expired", of.server(&["api.test"], true)),
        ("another authority", stranger.server(&["api.test"], false)),
    ];
    for (case, tls) in cases {
        let site = Site::new(Some(tls), |_| ok(b"secret")).await;
        let error = asked(&world, &site, true, false).await.unwrap_err();
        assert!(matches!(error, NetError::Tls { .. }), "{case}: {error:?}");
        assert!(site.seen().is_empty(), "{case}");
    }
    let site = Site::new(Some(of.server(&["api.test"], false)), |_| ok(b"hello")).await;
    assert_eq!(asked(&world, &site, true, false).await.unwrap(), "hello");
    let error = asked(&world, &site, false, false).await.unwrap_err();
    assert!(
        matches!(error, NetError::Tls { .. }),
        "only a granted authority counts"
    );
}

/// It waits for a request that it can read, and never shakes hands.
#[tokio::test]
async fn plain_text_on_a_tls_port_is_no_answer() {
    let world = World::hello().await;
    let site = Site::new(None, |_| ok(b"plain")).await;
    let limits = NetLimits {
        connect_timeout: Duration::from_millis(300),
        ..NetLimits::default()
    };
    let grant = world.with(Api::from_operator().limits(limits));
    let url = format!("https://api.test:{}", site.address.port());
    let server = TestServer::new().granted(grant, url).unwrap();
    let net: Net<Api, Get> = server.lend().unwrap();
    let error = net.path("/").send().await.unwrap_err();
    assert_eq!(error, NetError::Timeout { what: "connecting" });
    assert!(site.seen().is_empty());
}

#[tokio::test]
async fn a_grant_of_tls_13_refuses_12() {
    let world = World::hello().await;
    let old = &[&rustls::version::TLS12];
    let tls = world.authority.acceptor(&["api.test"], false, old);
    let site = Site::new(Some(tls), |_| ok(b"hello")).await;
    assert_eq!(asked(&world, &site, true, false).await.unwrap(), "hello");
    let error = asked(&world, &site, true, true).await.unwrap_err();
    assert!(matches!(error, NetError::Tls { .. }), "{error:?}");
    assert_eq!(site.seen().len(), 1);
}

#[test]
fn a_file_without_certificates_is_said_at_start() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    for path in [empty, dir.path().join("missing.pem")] {
        let grant = Api::from_operator().ca_file(path);
        assert!(
            TestServer::new()
                .granted(grant, "https://api.test")
                .is_err()
        );
    }
}
