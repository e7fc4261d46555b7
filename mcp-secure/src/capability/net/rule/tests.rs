#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::{
    find::{addresses, in_domain, is_host, links},
    *,
};

fn arguments(value: Value) -> JsonObject {
    value.as_object().unwrap().clone()
}

fn check(rule: EgressRule, body: &Value, arguments_: Value) -> Result<(), String> {
    check_content(rule, Content::Json(body), arguments_)
}

fn check_content(rule: EgressRule, body: Content<'_>, arguments_: Value) -> Result<(), String> {
    let rules = EgressRules {
        rules: vec![rule],
        only: false,
    };
    let request = Outgoing {
        method: "POST",
        path: &["email"],
        query: &[],
        headers: &[],
        body,
    };
    rules.check(&request, &arguments(arguments_))
}

fn mail() -> EgressRule {
    EgressRule::on("POST", "/email").addresses_from_arguments(&["example.com"])
}

/// The blind copy of postmark-mcp 1.0.16, in every place where it could stand.
#[test]
fn a_blind_copy_does_not_leave() {
    let call = json!({ "to": "ada@client.org", "text": "hello" });
    let honest = json!({ "To": "ada@client.org", "Cc": "team@example.com", "TextBody": "hello" });
    assert_eq!(check(mail(), &honest, call.clone()), Ok(()));
    for body in [
        json!({ "To": "ada@client.org", "Bcc": "phan@giftshop.club" }),
        json!({ "To": "ada@client.org, phan@giftshop.club" }),
        json!({ "To": "ada@client.org", "ReplyTo": "Phan <PHAN@GiftShop.club>" }),
        json!({ "To": "ada@client.org", "Headers": [{ "Name": "Bcc", "Value": "phan@giftshop.club" }] }),
        json!({ "To": "ada@client.org", "Subject": "x\r\nBcc: phan@giftshop.club" }),
        json!({ "To": "\"ada@client.org\" <phan@giftshop.club>" }),
        json!({ "To": "ada@client.org", "Bcc": "\"phan phan\"@giftshop.club" }),
        json!({ "To": "ada@client.org", "Bcc": "phan(comment)@giftshop.club" }),
        json!({ "To": "ada@client.org", "Bcc": "phan @ giftshop.club" }),
        json!({ "To": "ada@client.org", "Bcc": "phan\u{ff20}giftshop.club" }),
        json!({ "To": "ada@client.org", "Bcc": "phan@gift\u{200b}shop.club" }),
        json!({ "To": "ada@client.org", "Bcc": "phan@[203.0.113.7]" }),
        json!({ "To": "ada@client.org", "Bcc": "mailto:phan%40giftshop.club" }),
        json!({ "To": "ada@client.org", "phan@giftshop.club": true }),
        json!({ "To": "ada@client.org", "Bcc": "x@example.com.giftshop.club" }),
        json!({ "To": "ada@client.org", "Bcc": "mada@client.org" }),
        json!({ "To": "ada@client.org", "Bcc": "ada@client.org.evil.net" }),
    ] {
        assert!(check(mail(), &body, call.clone()).is_err(), "{body}");
    }
}

/// Found by fuzzing: `ESC %`, a space and a letter are one sign to a terminal, which took the
/// first letter of the address; an operating system command hides a whole one.
#[test]
fn an_address_or_a_link_in_or_behind_a_terminal_escape_is_found() {
    for text in [
        "\u{1b}% phan@giftshop.club ",
        "\u{1b}phan@giftshop.club",
        "\u{1b}]phan@giftshop.club\u{7}",
        "p\u{1b}han@giftshop.club",
        "\u{9b}phan@giftshop.club",
    ] {
        let found = addresses(text);
        assert!(
            found.iter().any(|one| one == "phan@giftshop.club"),
            "{text:?}: {found:?}"
        );
        let hidden = json!({ "To": "ada@client.org", "TextBody": text });
        let call = json!({ "to": "ada@client.org", "text": "han@giftshop.club" });
        assert!(check(mail(), &hidden, call).is_err(), "{text:?}");
    }
    for text in [
        "\u{1b}]8;;https://evil.example/\u{7}here\u{1b}]8;;\u{7}",
        "\u{1b}]https://evil.example/\u{7}",
        "\u{1b}% //evil.example/x",
    ] {
        let found = links(text);
        assert!(
            found.iter().any(|one| one == "evil.example"),
            "{text:?}: {found:?}"
        );
    }
}

#[test]
fn dots_alone_are_no_host() {
    for text in ["//.", "see //. and https://../"] {
        assert!(links(text).iter().all(|host| !host.is_empty()), "{text:?}");
    }
}

#[test]
fn a_header_is_no_way_around() {
    let rules = EgressRules {
        rules: vec![mail()],
        only: false,
    };
    let request = Outgoing {
        method: "POST",
        path: &["email"],
        query: &[],
        headers: &[("x-bcc", "phan@giftshop.club")],
        body: Content::Empty,
    };
    assert!(rules.check(&request, &JsonObject::new()).is_err());
}

#[test]
fn an_address_in_the_text_of_the_call_may_leave_in_the_text() {
    let call = json!({ "to": ["ada@client.org"], "text": "ask bob@client.org." });
    let body = json!({ "To": "ada@client.org", "TextBody": "ask bob@client.org." });
    assert_eq!(check(mail(), &body, call), Ok(()));
}

#[test]
fn what_cannot_be_read_does_not_leave() {
    let call = json!({});
    assert!(check_content(mail(), Content::Opaque, call.clone()).is_err());
    let files = Content::Fields {
        fields: &[],
        files: true,
    };
    assert!(check_content(mail(), files, call.clone()).is_err());
    let form = [("to".to_owned(), "phan@giftshop.club".to_owned())];
    let form = Content::Fields {
        fields: &form,
        files: false,
    };
    assert!(check_content(mail(), form, call.clone()).is_err());
    assert!(
        check_content(
            mail(),
            Content::Text("to: phan@giftshop.club"),
            call.clone()
        )
        .is_err()
    );
    assert_eq!(check_content(mail(), Content::Empty, call), Ok(()));
}

#[test]
fn a_field_is_what_the_call_named() {
    let rule = || EgressRule::on("*", "/").from_arguments("/channel");
    let call = json!({ "channel": "C123", "text": "hi" });
    assert_eq!(
        check(rule(), &json!({ "channel": "C123" }), call.clone()),
        Ok(())
    );
    assert!(check(rule(), &json!({ "channel": "C999" }), call.clone()).is_err());
    assert!(check(rule(), &json!({ "Channel": "C999" }), call.clone()).is_err());
    assert!(check(rule(), &json!({ "channel": ["C123"] }), call.clone()).is_err());
    let twice = json!({ "channel": "C123", "CHANNEL": "C999" });
    assert!(check(rule(), &twice, call.clone()).is_err());

    let deep = || EgressRule::on("*", "/").from_arguments("/to/*/id");
    let body = json!({ "to": [{ "id": "C123" }, { "id": "C999" }] });
    assert!(check(deep(), &body, call.clone()).is_err());

    let form = [("channel[]".to_owned(), "C999".to_owned())];
    let form = Content::Fields {
        fields: &form,
        files: false,
    };
    assert!(check_content(rule(), form, call).is_err());
}

#[test]
fn fixed_values_and_forbidden_fields() {
    let rule = || {
        EgressRule::on("POST", "/email")
            .one_of("/visibility", &["private"])
            .without("/Bcc")
    };
    let call = || json!({});
    assert_eq!(
        check(
            rule(),
            &json!({ "visibility": "private", "Bcc": "" }),
            call()
        ),
        Ok(())
    );
    assert!(check(rule(), &json!({ "visibility": "public" }), call()).is_err());
    assert!(
        check(
            rule(),
            &json!({ "visibility": "private", "bcc": "x" }),
            call()
        )
        .is_err()
    );
}

#[test]
fn a_link_leads_where_it_may() {
    let rule = || EgressRule::on("*", "/").links_to(&["example.com", "*.example.org"]);
    let send = |text: &str| check(rule(), &json!({ "text": text }), json!({ "text": text }));
    for fine in [
        "see https://example.com/a?b=c",
        "see http://docs.example.org.",
        "version 1.5, and/or main.rs, 10:30, a.b",
        "mail to ada@client.org",
        "![x](https://example.com/x.png)",
    ] {
        assert_eq!(send(fine), Ok(()), "{fine}");
    }
    for leak in [
        "https://evil.net/?q=secret",
        "![x](https://evil.net/x.png?q=secret)",
        "<//evil.net/x>",
        "www.evil.net",
        "evil.net/secret",
        "see evil.net?secret.",
        "https:evil.net/x",
        "https://example.com@evil.net/",
        "https://example.com.evil.net/",
        "https://ev\u{200b}il.net/",
        "HTTPS://EVIL.NET/",
        "https://example.com https://evil.net",
        "[https://example.com](https://evil.net/)",
        "https://example.org/",
        "https://[::1]/",
        "https://evil\u{3002}net/x",
        "https:///evil.net/",
        "https:/\\evil.net/",
    ] {
        assert!(send(leak).is_err(), "{leak}");
    }
}

#[test]
fn only_what_a_rule_is_for_leaves_if_the_grant_says_so() {
    let rules = EgressRules {
        rules: vec![EgressRule::on("POST", "/repos/{}/issues")],
        only: true,
    };
    let send = |method: &str, path: &[&str]| {
        let request = Outgoing {
            method,
            path,
            query: &[],
            headers: &[],
            body: Content::Empty,
        };
        rules.check(&request, &JsonObject::new())
    };
    assert_eq!(send("POST", &["repos", "a", "issues", "1"]), Ok(()));
    assert!(send("POST", &["repos", "a", "hooks"]).is_err());
    assert!(send("DELETE", &["repos", "a", "issues"]).is_err());
    assert!(send("POST", &["repos"]).is_err());
}

#[test]
fn what_is_found() {
    assert_eq!(addresses("A <a@b.org>; c@d.net"), ["a@b.org", "c@d.net"]);
    assert_eq!(addresses("@channel and foo@ and a @ b.c"), ["a@b.c"]);
    assert!(links("plain words, e.g. this").is_empty());
    assert!(in_domain("x@example.com", &["example.com"]));
    assert!(!in_domain("x@sub.example.com", &["example.com"]));
    assert!(is_host("a.example.com", "*.example.com") && !is_host("example.com", "*.example.com"));
    assert!(!is_host("badexample.com", "*.example.com"));
}
