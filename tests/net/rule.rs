//! What a request may say, on the wire.

use mcp_secure::{
    capability::net::{EgressRule, Multipart, NetError, Redirects},
    prelude::*,
};

use crate::{
    site::reply,
    world::{Api, World},
};

/// The blind copy of postmark-mcp, in every form that a body can have.
#[tokio::test]
async fn a_blind_copy_does_not_leave_in_any_form() {
    let world = World::hello().await;
    let rule = EgressRule::on("POST", "/email").without("/Bcc");
    let server = world.granted(Api::from_operator().egress(rule), "/v1");
    let net: Net<Api, Post> = server.lend().unwrap();
    let mail = || net.path("/email");
    let bcc = r#"{"Bcc": "phan@giftshop.club"}"#;
    let json: serde_json::Value = serde_json::from_str(bcc).unwrap();
    for request in [
        mail().json(&json),
        mail().form([("Bcc", "phan@giftshop.club")]),
        mail().form([("bcc[]", "phan@giftshop.club")]),
        mail().multipart(Multipart::new().text("Bcc", "phan@giftshop.club")),
        mail().query("Bcc", "phan@giftshop.club"),
        mail().bytes("application/json", bcc),
        mail().stream("application/json", futures::stream::iter([Ok(bcc.into())])),
        net.path("/{what}").segment("what", "email").json(&json),
    ] {
        let error = request.send().await.unwrap_err();
        assert!(matches!(error, NetError::Content { .. }), "{error:?}");
    }
    assert_eq!(world.site.opened(), 0);
    let honest = mail()
        .json(&serde_json::json!({"To": "a@example.com"}))
        .send()
        .await;
    honest.unwrap().bytes().await.unwrap();
    assert_eq!(world.site.seen().len(), 1);
}

/// JSON with a key twice says one thing to a rule and another to a server.
#[tokio::test]
async fn a_key_that_stands_twice_is_sent_once() {
    struct Twice;
    impl mcp_secure::serde::Serialize for Twice {
        fn serialize<S: mcp_secure::serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            use mcp_secure::serde::ser::SerializeMap as _;
            let mut map = to.serialize_map(None)?;
            map.serialize_entry("Bcc", "phan@giftshop.club")?;
            map.serialize_entry("Bcc", "")?;
            map.end()
        }
    }
    let world = World::hello().await;
    let rule = EgressRule::on("*", "/").without("/Bcc");
    let server = world.granted(Api::from_operator().egress(rule), "");
    let net: Net<Api, Post> = server.lend().unwrap();
    net.path("/email").json(&Twice).send().await.unwrap();
    assert_eq!(world.site.only().body, br#"{"Bcc":""}"#);
}

#[tokio::test]
async fn a_redirect_is_held_to_the_rules() {
    let world = World::new(|seen| match seen.path() {
        "/a" => reply("307 Temporary", &[("location", "/b?to=x%40evil.test")], b""),
        _ => reply("200 OK", &[], b""),
    })
    .await;
    let rule = EgressRule::on("*", "/").addresses_from_arguments(&[]);
    let grant = Api::from_operator()
        .egress(rule)
        .redirects(Redirects::SameOrigin);
    let server = world.granted(grant, "");
    let net: Net<Api, Get> = server.lend().unwrap();
    let error = net.path("/a").send().await.unwrap_err();
    assert!(matches!(error, NetError::Content { .. }), "{error:?}");
    assert_eq!(world.site.seen().len(), 1);
}
