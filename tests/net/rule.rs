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

/// Each kind of rule, and each place of a request that it looks at.
#[tokio::test]
async fn each_rule_stops_what_it_forbids_before_anything_is_sent() {
    type Posting = Net<Api, Post>;
    type Made = fn(&Posting) -> mcp_secure::capability::net::Request<Api, Post>;
    let on = || EgressRule::on("POST", "/email");
    let cases: [(EgressRule, Made); 14] = [
        (on().addresses_from_arguments(&[]), |net| {
            net.path("/email").json("phan@giftshop.club")
        }),
        (on().addresses_from_arguments(&["shop.example"]), |net| {
            net.path("/email").query("cc", "phan@giftshop.club")
        }),
        (on().addresses_from_arguments(&[]), |net| {
            net.path("/email").header("x-bcc", "phan@giftshop.club")
        }),
        (on().addresses_from_arguments(&[]), |net| {
            net.path("/email/{to}").segment("to", "phan@giftshop.club")
        }),
        (on().addresses_from_arguments(&[]), |net| {
            net.path("/email")
                .text("text/plain", "to phan@giftshop.club")
        }),
        (on().addresses_from_arguments(&[]), |net| {
            net.path("/email")
                .multipart(Multipart::new().file("a", "a.txt", "text/plain", "x"))
        }),
        (on().addresses_from_arguments(&[]), |net| {
            net.path("/email").bytes("text/plain", "nothing")
        }),
        (on().links_to(&["shop.example"]), |net| {
            net.path("/email").json("see https://giftshop.club/x")
        }),
        (on().links_to(&[]), |net| {
            net.path("/email").form([("text", "https://giftshop.club")])
        }),
        (on().from_arguments("/To"), |net| {
            net.path("/email").form([("To", "a")])
        }),
        (on().one_of("/From", &["us@example.com"]), |net| {
            net.path("/email").form([("From", "phan@giftshop.club")])
        }),
        (on().one_of("/From", &["us@example.com"]), |net| {
            net.path("/email").query("from", "phan@giftshop.club")
        }),
        (on().without("/Bcc"), |net| {
            net.path("/email").query("bcc", "phan@giftshop.club")
        }),
        (on(), |net| net.path("/users").json("x")),
    ];
    for (n, (rule, made)) in cases.into_iter().enumerate() {
        let world = World::hello().await;
        let shown = format!("{n}: {rule}");
        let server = world.granted(Api::from_operator().egress(rule).egress_only(), "/v1");
        let net: Posting = server.lend().unwrap();
        let error = made(&net).send().await.unwrap_err();
        assert!(
            matches!(error, NetError::Content { .. }),
            "{shown}: {error:?}"
        );
        assert_eq!(world.site.opened(), 0, "{shown}");
        let honest = net.path("/email").form([("Subject", "Your order")]);
        honest.send().await.unwrap();
        assert_eq!(world.site.seen().len(), 1, "{shown}");
    }
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
