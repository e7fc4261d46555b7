//! What only this crate can see: bindings, the audit trail, the SDK's own requests, and a
//! request that goes through the helper.

use std::{ffi::OsStr, net::SocketAddr, path::Path, sync::Arc};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{
    fetch::{Client, FetchSettings},
    *,
};
use crate::{
    auth::Principal,
    capability::{Asked, Grant, Grants, Opening, Rights},
    error::Error,
};

macro_rules! endpoint {
    ($name:ident, $text:literal, $url:expr, $open:literal) => {
        struct $name;
        impl Capability for $name {
            const NAME: &'static str = $text;
            const DOC: &'static str = "";
            const PRIVATE: bool = false;
        }
        impl Endpoint for $name {
            const URL: Option<&'static str> = $url;
            const OPEN: bool = $open;
            const ALLOW_PRIVATE: bool = true;
        }
    };
}

endpoint!(Api, "api", Some("https://api.test/v1"), false);
endpoint!(Wild, "wild", None, true);
endpoint!(Named, "named", None, false);

/// Answers every request with this, and tells what it heard.
async fn answering(
    status: &'static str,
    body: &'static str,
) -> (SocketAddr, Arc<std::sync::Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Arc::new(std::sync::Mutex::new(String::new()));
    let hearing = Arc::clone(&heard);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buf = [0; 4096];
            let n = stream.read(&mut buf).await.unwrap();
            hearing
                .lock()
                .unwrap()
                .push_str(&String::from_utf8_lossy(&buf[..n]));
            let reply = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {}\r\nlocation: /x\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(reply.as_bytes()).await.unwrap();
        }
    });
    (address, heard)
}

fn bind(grant: impl Into<Grant>, written: Option<&str>) -> crate::Result<String> {
    let base = Path::new("/");
    let asked = written.map(|written| Asked {
        written: OsStr::new(written),
        base,
    });
    let grant = grant.into();
    let binding = grant.source.bind(asked.as_ref(), base)?;
    Ok(binding.value.to_str().unwrap().to_owned())
}

#[test]
fn an_operator_narrows_what_the_code_fixes_and_never_widens_it() {
    let api = |written| bind(NetGrant::<Api>::declared(), written);
    assert_eq!(api(None).unwrap(), "https://api.test/v1");
    assert_eq!(
        api(Some("https://api.test/v1/users/")).unwrap(),
        "https://api.test/v1/users"
    );
    for wider in [
        "https://api.test",
        "https://api.test/v2",
        "https://api.test/v10",
        "https://evil.test/v1",
        "https://api.test:8443/v1",
        "http://api.test/v1",
        "https://*.test/v1",
    ] {
        let error: Error = api(Some(wider)).unwrap_err();
        assert!(error.to_string().contains("help"), "{wider}");
    }
    assert!(bind(NetGrant::<Named>::from_operator(), None).is_err());
    assert!(
        bind(
            NetGrant::<Named>::from_operator(),
            Some("https://*.api.test")
        )
        .is_err()
    );
    assert!(
        bind(
            NetGrant::<Wild>::from_operator(),
            Some("https://*.api.test")
        )
        .is_ok()
    );
}

#[test]
fn a_secret_is_not_sent_to_hosts_of_a_callers_choice() {
    let grant: Grant = NetGrant::<Wild>::from_operator().bearer("s3cret").into();
    let base = Path::new("/");
    let open = |written: &str| {
        let asked = Asked {
            written: OsStr::new(written),
            base,
        };
        let binding = grant.source.bind(Some(&asked), base).unwrap();
        let rights = Rights { writes: false };
        grant.source.open(&binding, rights, &mut Opening::default())
    };
    assert!(open("https://*.api.test").is_err());
    assert!(open("https://one.api.test").is_ok());
    let terms = grant.source.terms();
    assert!(
        terms.iter().all(|term| !term.contains("s3cret")),
        "{terms:?}"
    );
}

#[test]
fn the_facts_of_a_handle_are_those_of_its_method() {
    let [get] = <Net<Wild, Get> as Handle>::FACTS else {
        unreachable!()
    };
    assert!(get.open_world && get.open_sink && !get.writes && !get.needs_approval);
    let [post] = <Net<Api, Post> as Handle>::FACTS else {
        unreachable!()
    };
    assert!(post.writes && post.destructive && post.needs_approval && !post.open_sink);
    assert_eq!(
        (post.kind, post.access, post.capability),
        ("net", "POST", "api")
    );
    // A program that is lent an open sink writes to wherever it likes.
    let [connect] = <Net<Wild, Connect> as Handle>::FACTS else {
        unreachable!()
    };
    assert!(connect.writes && connect.destructive && connect.needs_approval && connect.open_sink);
    assert_eq!(connect.access, "CONNECT");
}

fn call(grant: impl Into<Grant>, written: &str, opening: &mut Opening) -> Call {
    let grant = grant.into();
    let base = Path::new("/");
    let asked = Asked {
        written: OsStr::new(written),
        base,
    };
    let binding = grant.source.bind(Some(&asked), base).unwrap();
    let rights = Rights { writes: false };
    let mut grants = Grants::default();
    grants.insert(
        grant.type_id,
        grant.source.open(&binding, rights, opening).unwrap(),
    );
    Call::outside_of_requests(Arc::new(grants), Principal::local_user())
}

fn steps(call: &Call) -> Vec<Value> {
    let steps = serde_json::to_value(call.trail.steps(str::to_owned).unwrap()).unwrap();
    steps["steps"].as_array().unwrap().clone()
}

/// A tool cannot keep an attempt out of the record by never letting it end.
#[tokio::test]
async fn an_attempt_is_in_the_record_before_it_is_over() {
    let (address, _) = answering("200 OK", "hello").await;
    let mut call = call(
        NetGrant::<Named>::from_operator(),
        &format!("http://{address}"),
        &mut Opening::default(),
    );
    let net: Net<Named, Get> = Handle::lend(&mut call).unwrap();
    let response = net
        .path("/{id}")
        .segment("id", "secret")
        .send()
        .await
        .unwrap();
    std::mem::forget(response);
    let refused = net.path("/{id}").segment("id", "../x").send().await;
    assert!(refused.is_err());
    let [ok, denied] = <[Value; 2]>::try_from(steps(&call)).unwrap();
    assert_eq!(ok["action"], format!("GET http://{address}/{{id}}"));
    assert_eq!(
        (&ok["outcome"], &ok["detail"]),
        (&json!("ok"), &json!("200"))
    );
    assert_eq!(
        (&denied["outcome"], &denied["control"]),
        (&json!("denied"), &json!("net/path"))
    );
}

/// Without `socket` and `connect` in the server's sandbox, this is the only way.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_request_goes_through_the_helper_where_there_is_one() {
    use crate::{broker::Channel, capability::dial};

    let (address, heard) = answering("200 OK", "hello").await;
    let mut opening = Opening::default();
    let written = format!("http://{address}");
    let mut call = call(NetGrant::<Named>::from_operator(), &written, &mut opening);
    let spec = opening.helpers.pop().unwrap();
    let (near, far) = Channel::pair().unwrap();
    spec.line.connect(near, None);
    let policy = serde_json::from_value(spec.policy).unwrap();
    let helper = std::thread::spawn(move || dial::serve(far, policy));
    let net: Net<Named, Get> = Handle::lend(&mut call).unwrap();
    let response = net.path("/x").send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "hello");
    assert!(heard.lock().unwrap().starts_with("GET /x HTTP/1.1\r\n"));
    // And when it is gone there is no other.
    drop((net, call, spec.line, opening));
    helper.join().unwrap().unwrap();
}

#[tokio::test]
async fn the_sdk_fetches_a_document_within_limits_and_follows_nothing() {
    let settings = || FetchSettings {
        allow_private: true,
        ..FetchSettings::default()
    };
    let open = |address: SocketAddr| {
        let url = format!("http://{address}/keys");
        Client::open("sdk/jwks", &url, settings(), &mut Opening::default()).unwrap()
    };
    let (address, heard) = answering("200 OK", r#"{"keys": []}"#).await;
    let keys = open(address).get("/keys").await.unwrap();
    assert_eq!(keys.json(), Some(json!({"keys": []})));
    assert!(heard.lock().unwrap().starts_with("GET /keys HTTP/1.1\r\n"));
    let posted = open(address).post_form("/keys", &[("token", "a&b")]).await;
    assert!(posted.is_ok());
    assert!(heard.lock().unwrap().contains("\r\n\r\ntoken=a%26b"));
    for status in ["302 Found", "404 Not Found", "204 No Content"] {
        let (address, heard) = answering(status, "").await;
        let fetched = open(address).get("/keys").await.unwrap();
        assert_eq!(fetched.status.as_str(), &status[..3]);
        assert_eq!(fetched.json::<Value>(), None);
        assert_eq!(heard.lock().unwrap().matches("HTTP/1.1").count(), 1);
    }
}

#[tokio::test]
async fn the_sdk_reaches_nothing_private_unless_it_is_told() {
    let (address, heard) = answering("200 OK", "{}").await;
    let open = |url: &str| {
        Client::open(
            "sdk/jwks",
            url,
            FetchSettings::default(),
            &mut Opening::default(),
        )
    };
    assert!(open(&format!("http://{address}/keys")).is_err());
    let client = open(&format!("https://{address}/keys")).unwrap();
    let error = client.get("/keys").await.err();
    assert!(matches!(error, Some(NetError::Address { .. })), "{error:?}");
    assert!(heard.lock().unwrap().is_empty());
}
