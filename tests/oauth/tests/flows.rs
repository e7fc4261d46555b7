//! Beside a real authorization server: its tokens, its keys, and what happens when it is gone.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::{
    http::send,
    token::Key,
    world::{Issuer, Target, World, resource},
};

#[test]
fn a_token_of_the_issuer_works_here_and_one_for_another_server_does_not() {
    let world = World::new(json!({}));
    let (issuer, target) = (&world.issuer, &world.target);
    let ours = issuer.token_for("machine", "notes:read", &target.resource);
    let answer = target.call("who", &ours);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.json()["result"]["content"][0]["text"],
        format!("{} machine machine [notes:read]", issuer.url)
    );
    assert_eq!(target.call("read", &ours).status, 200);
    assert_eq!(target.call("write", &ours).status, 403);

    let theirs = issuer.token_for("machine", "notes:read", "https://other.example/mcp");
    assert_eq!(target.call("who", &theirs).status, 401);
}

#[test]
fn a_program_that_asks_for_nobody_is_told_from_a_person() {
    let world = World::new(json!({}));
    let (issuer, target) = (&world.issuer, &world.target);
    let machine = issuer.token_for("machine", "notes:admin", &target.resource);
    assert_eq!(target.call("erase", &machine).status, 200);
    let answer = target.call("agree", &machine).json();
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    let claims = crate::token::claims(&issuer.url, &target.resource, "notes:admin");
    let person = world.key.sign(&world.key.header(), &claims);
    let answer = target.call("agree", &person).json();
    assert_eq!(answer["result"]["content"][0]["text"], "agreed");
}

#[test]
fn a_new_key_is_found_and_an_old_one_forgotten_with_few_questions() {
    let mut world = World::new(json!({}));
    let resource = world.target.resource.clone();
    let before = world.issuer.token_for("machine", "notes:read", &resource);
    assert_eq!(world.target.call("who", &before).status, 200);

    let next = Key::new("k2");
    world.issuer.restart_with(&[&next]);
    let after = world.issuer.token_for("machine", "notes:read", &resource);
    let answer = world.target.call("who", &after);
    assert_eq!(answer.status, 200, "{answer:?}");
    let asked = world.issuer.asked();
    // Unknown keys do not make the server ask again and again.
    for number in 0..50 {
        let stranger = Key::new(&format!("unknown-{number}"));
        let claims = crate::token::claims(&world.issuer.url, &resource, "notes:read");
        let token = stranger.sign(&stranger.header(), &claims);
        assert_eq!(world.target.call("who", &token).status, 401);
    }
    assert!(
        world.issuer.asked() <= asked + 1,
        "{}",
        world.issuer.asked()
    );
}

#[test]
fn keys_turn_over_while_many_ask_and_no_good_token_is_refused() {
    let World {
        key,
        mut issuer,
        target,
    } = World::new(json!({}));
    let claims = crate::token::claims(&issuer.url, &target.resource, "notes:read");
    let old = key.sign(&key.header(), &claims);
    let next = Key::new("k2");
    let new = next.sign(&next.header(), &claims);
    assert_eq!(target.call("read", &old).status, 200);

    let over = AtomicBool::new(false);
    let asked = std::thread::scope(|scope| {
        let load = [(); 3].map(|()| {
            scope.spawn(|| {
                let mut asked = 0;
                while !over.load(Ordering::Relaxed) {
                    assert_eq!(target.call("read", &old).status, 200);
                    asked += 1;
                }
                asked
            })
        });
        // For a while it publishes both, as issuers do; and it is away while it starts anew.
        issuer.restart_with(&[&key, &next]);
        for _ in 0..20 {
            assert_eq!(target.call("read", &new).status, 200);
        }
        assert!(issuer.asked() <= 2, "{}", issuer.asked());
        over.store(true, Ordering::Relaxed);
        load.map(|thread| thread.join().unwrap())
    });
    assert!(asked.iter().all(|asked| *asked > 0), "{asked:?}");
}

#[test]
fn without_its_issuer_a_server_does_not_start_and_says_why() {
    let key = Key::new("k1");
    let resource = resource();
    let mut issuer = Issuer::start(&[&key], &resource, "jwt", json!({}));
    issuer.stop();
    let url = issuer.url.clone();
    let refused = std::panic::catch_unwind(|| Target::start(&url, &resource, json!({})));
    let said = *refused.err().unwrap().downcast::<String>().unwrap();
    assert!(said.contains(&url) && said.contains("help:"), "{said}");
}

#[test]
fn a_television_gets_a_token_that_a_person_agreed_to_elsewhere() {
    let world = World::new(json!({}));
    let (issuer, target) = (&world.issuer, &world.target);
    let begun = issuer.post(
        "/device/auth",
        "",
        &[
            ("client_id", "television"),
            ("scope", "notes:read"),
            ("resource", &target.resource),
        ],
    );
    assert_eq!(begun.status, 200, "{begun:?}");
    let begun = begun.json();
    let ask = || {
        issuer.post(
            "/token",
            "",
            &[
                ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
                ("client_id", "television"),
                ("device_code", begun["device_code"].as_str().unwrap()),
                ("resource", &target.resource),
            ],
        )
    };
    assert_eq!(ask().json()["error"], "authorization_pending");
    agree(issuer, begun["verification_uri_complete"].as_str().unwrap());
    let answer = ask();
    assert_eq!(answer.status, 200, "{answer:?}");
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    let who = target.call("who", &token).json();
    assert_eq!(
        who["result"]["content"][0]["text"],
        format!("{} alice television [notes:read]", issuer.url)
    );
}

/// The person's browser on another device: follows redirects, submits the page's form.
pub(crate) fn agree(issuer: &Issuer, start: &str) {
    let mut cookies: Vec<(String, String)> = Vec::new();
    let mut next = start.replacen(&issuer.url, "", 1);
    let mut form = None::<String>;
    for _ in 0..12 {
        let jar: Vec<String> = cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let head = format!(
            "{} {next} HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\n\
             Content-Type: application/x-www-form-urlencoded",
            if form.is_some() { "POST" } else { "GET" },
            issuer.address(),
            jar.join("; ")
        );
        let answer = send(issuer.address(), &head, form.as_deref().unwrap_or(""));
        form = None;
        for cookie in answer.all("set-cookie") {
            let pair = cookie.split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            cookies.retain(|(known, _)| known != name);
            cookies.push((name.to_owned(), value.to_owned()));
        }
        if let Some(location) = answer.header("location") {
            next = location.replacen(&issuer.url, "", 1);
        } else if let Some(xsrf) = field(&answer.body, "xsrf") {
            // The page that asks whether this is the device that the person meant.
            let code = field(&answer.body, "user_code").unwrap_or_default();
            form = Some(format!("xsrf={xsrf}&user_code={code}&confirm=yes"));
            next = "/device".to_owned();
        } else {
            assert_eq!(answer.status, 200, "{answer:?}");
            return;
        }
    }
    panic!("the person did not come to an end");
}

/// The value of a hidden field.
fn field(page: &str, name: &str) -> Option<String> {
    let at = page.find(&format!("name=\"{name}\""))?;
    let value = page[at..].split("value=\"").nth(1)?;
    Some(value[..value.find('"')?].to_owned())
}

#[test]
fn an_issuer_that_answers_slowly_does_not_keep_those_whose_key_is_known() {
    let key = Key::new("k1");
    let resource = resource();
    let issuer = Issuer::start(&[&key], &resource, "jwt", json!({ "slow": 3000 }));
    let target = Target::start(&issuer.url, &resource, json!({}));
    let claims = crate::token::claims(&issuer.url, &resource, "notes:read");
    let good = key.sign(&key.header(), &claims);
    let stranger = Key::new("unknown");
    let unknown = stranger.sign(&stranger.header(), &claims);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| target.call("who", &unknown).status);
        for _ in 0..20 {
            assert_eq!(target.call("who", &good).status, 200);
        }
        assert!(!waiting.is_finished(), "the issuer was not slow");
        assert_eq!(waiting.join().unwrap(), 401);
    });
}

#[test]
fn who_acts_for_somebody_is_in_the_record() {
    let world = World::new(json!({}));
    let mut claims = crate::token::claims(&world.issuer.url, &world.target.resource, "");
    claims["act"] = json!({ "sub": "agent", "act": { "sub": "gateway" } });
    let token = world.key.sign(&world.key.header(), &claims);
    assert_eq!(world.target.call("who", &token).status, 200);
    let record = world.target.audited(|record| record["target"] == "who");
    assert_eq!(record["principal"]["subject"], "alice");
    assert_eq!(
        record["principal"]["actors"],
        json!([{ "subject": "agent" }, { "subject": "gateway" }])
    );
}
