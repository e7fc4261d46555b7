//! Callers who connect an account of another issuer, and those who would connect another one's.

use std::{
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use mcp_secure::{
    auth::UpstreamOAuth,
    vault::{NewCredential, Owner, Placement, VaultFile, VaultKey},
};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{
    browser::{Browser, token},
    http::Answer,
    redis::Redis,
    token::{Key, claims, now},
    upstream::{Said, Upstream},
    world::{Issuer, Target, resource},
};

/// Two issuers, a calendar, a vault, and what a server that calls it is asked.
pub(crate) struct Place {
    key: Key,
    /// Of the callers.
    pub(crate) issuer: Issuer,
    /// Of their accounts.
    pub(crate) accounts: Issuer,
    upstream: Arc<Upstream>,
    resource: String,
    vault: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new(more: Value) -> Self {
        let (key, account_key) = (Key::new("k1"), Key::new("a1"));
        let resource = resource();
        let origin = resource.strip_suffix("/mcp").unwrap().to_owned();
        let first = Mutex::new(None);
        let upstream = Upstream::new(move |heard| match heard.path.as_str() {
            "/never" => (401, String::new(), String::new()),
            "/strict" => {
                let token = heard.authorization.clone();
                match *first.lock().unwrap().get_or_insert(token.clone()) == token {
                    true => (401, String::new(), "not this one".to_owned()),
                    false => echo(heard),
                }
            }
            _ => echo(heard),
        });
        let web = json!({ "signs-in": [format!("{origin}/sign-in/callback")] });
        let issuer = Issuer::start(&[&key], &resource, "jwt", json!({ "web": web }));
        let mut asked = json!({
            "web": { "connects": [format!("{origin}/connect/callback")] },
            "resources": { (upstream.url()): "jwt" },
        });
        for (name, value) in more.as_object().unwrap() {
            asked[name] = value.clone();
        }
        let accounts = Issuer::start(&[&account_key], &upstream.url(), "jwt", asked);
        let vault = tempfile::tempdir().unwrap();
        for folder in ["vault", "keys"] {
            std::fs::create_dir(vault.path().join(folder)).unwrap();
        }
        let place = Self {
            key,
            issuer,
            accounts,
            upstream: Arc::new(upstream),
            resource,
            vault,
        };
        VaultFile::make_key(&place.at("keys/0")).unwrap();
        VaultFile::at(place.at("vault/v"))
            .init(&place.vault_key())
            .unwrap();
        place
    }

    pub(crate) fn at(&self, name: &str) -> std::path::PathBuf {
        self.vault.path().canonicalize().unwrap().join(name)
    }

    pub(crate) fn vault_key(&self) -> VaultKey {
        VaultKey::file(self.at("keys/0"))
    }

    pub(crate) fn asked(&self, more: Value) -> Value {
        let mut asked = json!({
            "upstream": self.upstream.url(),
            "accounts": self.accounts.url,
            "vault": self.at(""),
            "sign_in": true,
        });
        for (name, value) in more.as_object().unwrap() {
            asked[name] = value.clone();
        }
        asked
    }

    pub(crate) fn target(&self, more: Value) -> Target {
        Target::connecting(&self.issuer.url, &self.resource, self.asked(more))
    }

    /// What a caller comes with.
    pub(crate) fn token_of(&self, subject: &str) -> String {
        let mut claims = claims(&self.issuer.url, &self.resource, "notes:read");
        claims["sub"] = json!(subject);
        claims["exp"] = json!(now() + 600);
        self.key.sign(&self.key.header(), &claims)
    }

    pub(crate) fn upstream_url(&self) -> String {
        self.upstream.url()
    }

    /// Whether a server over stdio has recorded this control, or does so soon.
    pub(crate) fn audited(&self, control: &str) -> bool {
        let begun = std::time::Instant::now();
        while begun.elapsed() < std::time::Duration::from_secs(20) {
            let log = std::fs::read_to_string(self.at("audit.jsonl")).unwrap_or_default();
            if log.contains(control) {
                return true;
            }
            thread::sleep(std::time::Duration::from_millis(50));
        }
        false
    }

    /// The tokens that the calendar was shown.
    pub(crate) fn spent(&self) -> Vec<String> {
        let heard = self.upstream.heard();
        let shown = heard.into_iter().filter_map(|one| one.authorization);
        shown
            .map(|value| value["Bearer ".len()..].to_owned())
            .collect()
    }
}

/// Whose token it is.
fn echo(heard: &crate::upstream::Heard) -> Said {
    let token = heard.authorization.as_deref().unwrap_or_default();
    let body = match heard.path.as_str() {
        // As it is, and as hexadecimal: the guard of what tools say knows tokens by their form.
        "/mirror" => format!("{token} {}", hex(token)),
        "/key" => format!("{}", token.len()),
        _ => subject(token),
    };
    (200, "Content-Type: text/plain\r\n".to_owned(), body)
}

pub(crate) fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn subject(token: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let part = token.split('.').nth(1).unwrap_or_default();
    let claims = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
    let claims: Value = serde_json::from_slice(&claims).unwrap_or_default();
    claims["sub"].as_str().unwrap_or("nobody").to_owned()
}

/// A caller of the server, with a client that can show links.
pub(crate) struct Caller<'a> {
    pub(crate) target: &'a Target,
    pub(crate) token: String,
}

impl Caller<'_> {
    pub(crate) fn ask(&self, method: &str, name: &str, params: Value) -> Answer {
        let mut params = params;
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "client", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": { "elicitation": { "url": {} } },
        });
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let bearer = format!("Authorization: Bearer {}", self.token);
        let head = self.target.head(method, Some(name), &bearer);
        self.target.send(&head, &message.to_string())
    }

    pub(crate) fn call(&self, tool: &str) -> Answer {
        self.ask("tools/call", tool, json!({ "name": tool, "arguments": {} }))
    }

    /// Calls, and is sent to connect: the link, and what the client carries.
    #[track_caller]
    pub(crate) fn is_sent(&self, tool: &str) -> (String, String) {
        let answer = self.call(tool);
        let answer = answer.json();
        let asked = &answer["result"]["inputRequests"]["mcp-secure/connect"]["params"];
        let link = asked["url"].as_str();
        let link = link
            .unwrap_or_else(|| panic!("no link: {answer}"))
            .to_owned();
        assert_eq!(asked["mode"], "url");
        let state = answer["result"]["requestState"].as_str().unwrap();
        (link, state.to_owned())
    }

    /// Comes again, as a client does whose user says that they have been there.
    pub(crate) fn again(&self, tool: &str, state: &str) -> Answer {
        self.ask(
            "tools/call",
            tool,
            json!({
                "name": tool,
                "arguments": {},
                "requestState": state,
                "inputResponses": { "mcp-secure/connect": { "action": "accept" } },
            }),
        )
    }

    /// Goes all the way in one browser.
    #[track_caller]
    pub(crate) fn connects(&self, browser: &mut Browser) {
        let (link, state) = self.is_sent("look");
        let back = browser.agree(&link);
        let page = browser.get(&back);
        assert_eq!(page.status, 200, "{page:?}");
        assert!(page.body.contains("Connected"), "{page:?}");
        let answer = self.again("look", &state);
        assert_eq!(
            answer.json()["result"]["isError"],
            json!(false),
            "{answer:?}"
        );
    }
}

/// What a tool says.
#[track_caller]
pub(crate) fn text(answer: &Answer) -> String {
    let json = answer.json();
    let text = &json["result"]["content"][0]["text"];
    text.as_str()
        .unwrap_or_else(|| panic!("{answer:?}"))
        .to_owned()
}

#[test]
fn a_call_carries_the_account_that_its_caller_connected_and_nobody_elses() {
    let place = Place::new(json!({}));
    let target = place.target(json!({}));
    let caller = |subject: &str| Caller {
        target: &target,
        token: place.token_of(subject),
    };
    let (alice, bob) = (caller("alice"), caller("bob"));
    alice.connects(&mut Browser::of("alice"));
    assert_eq!(text(&alice.call("look")), "alice");
    // The key of what is kept is the caller: without it this would be Alice's.
    bob.is_sent("look");
    bob.connects(&mut Browser::of("bob"));
    for _ in 0..2 {
        assert_eq!(text(&bob.call("look")), "bob");
        assert_eq!(text(&alice.call("look")), "alice");
    }
    for token in place.spent() {
        assert_ne!(
            token, alice.token,
            "the caller's own token never goes upstream"
        );
    }
}

#[test]
fn no_token_is_in_an_answer_a_log_or_the_audit() {
    let place = Place::new(json!({}));
    let target = place.target(json!({}));
    let alice = Caller {
        target: &target,
        token: place.token_of("alice"),
    };
    alice.connects(&mut Browser::of("alice"));
    let answer = alice.call("tell");
    assert!(answer.body.contains("200"), "{answer:?}");
    // The calendar answered with the token itself.
    let spent = place.spent();
    assert!(!spent.is_empty());
    target.audited(|record| record["tool"] == "tell" || record.to_string().contains("tell"));
    let log = std::fs::read_to_string(target.audit_log()).unwrap();
    let places = [answer.body.clone(), target.said(), log];
    for token in spent {
        let (_, signature) = token.rsplit_once('.').unwrap();
        for place in &places {
            assert!(!place.contains(signature), "{place}");
            assert!(!place.contains(&hex(signature)), "{place}");
        }
    }
}

#[test]
fn a_link_that_another_person_opens_is_a_page_that_is_not_there() {
    let place = Place::new(json!({}));
    let target = place.target(json!({}));
    let mallory = Caller {
        target: &target,
        token: place.token_of("mallory"),
    };
    // Phishing: Mallory begins, and sends the link to Victor, who is signed in as himself.
    let (link, state) = mallory.is_sent("look");
    let mut victor = Browser::of("victor");
    let answer = victor.go(&link);
    assert_eq!(answer.status, 404, "{answer:?}");
    assert!(!answer.body.contains("token"), "{answer:?}");
    target.audited(|record| record["control"] == "upstream/person");
    // The form, guessed: there is none for him either.
    let posted = victor.post(&link, &[("token", "x")]);
    assert_eq!(posted.status, 404, "{posted:?}");
    let again = mallory.again("look", &state).json();
    assert!(again["result"]["inputRequests"].is_object(), "{again}");
    assert!(place.spent().is_empty());
}

#[test]
fn what_one_browser_began_no_other_one_finishes() {
    let place = Place::new(json!({}));
    let target = place.target(json!({}));
    let caller = |subject: &str| Caller {
        target: &target,
        token: place.token_of(subject),
    };
    let (mallory, victor) = (caller("mallory"), caller("victor"));
    // Mallory's answer of the issuer in Victor's browser: Victor would work in her account.
    let (link, _) = mallory.is_sent("look");
    let mut hers = Browser::of("mallory");
    let back = hers.agree(&link);
    let (his_link, _) = victor.is_sent("look");
    let mut his = Browser::of("victor");
    let page = his.go(&his_link);
    assert_eq!(page.status, 200, "{page:?}");
    let answer = his.get(&back);
    assert_eq!(answer.status, 403, "{answer:?}");
    target.audited(|record| record["control"] == "upstream/state");
    // A browser that was never here.
    assert_eq!(Browser::of("victor").get(&back).status, 403);
    // Her code with his state: the issuer holds it against his challenge (PKCE).
    let to = his.press(&his_link, &page);
    let his_back = his.go_until(&to, |url| url.contains("/connect/callback")).0;
    let injected = with(&his_back, "code", &of(&back, "code"));
    let answer = his.get(&injected);
    assert_eq!(answer.status, 403, "{answer:?}");
    target.audited(|record| record["control"] == "upstream/code");
    victor.is_sent("look");
    mallory.is_sent("look");
    assert!(place.spent().is_empty());
}

#[test]
fn an_answer_of_another_issuer_and_one_that_came_before_connect_nothing() {
    let place = Place::new(json!({}));
    let target = place.target(json!({}));
    let alice = Caller {
        target: &target,
        token: place.token_of("alice"),
    };
    let mut browser = Browser::of("alice");
    for wrong in ["https://evil.example", &place.issuer.url, ""] {
        let (link, _) = alice.is_sent("look");
        let back = browser.agree(&link);
        let answer = browser.get(&with(&back, "iss", wrong));
        assert_eq!(answer.status, 403, "{wrong:?} {answer:?}");
    }
    let (link, _) = alice.is_sent("look");
    let back = browser.agree(&link);
    // Without any: this issuer says that it names itself (RFC 9207).
    let answer = browser.get(&without(&back, "iss"));
    assert_eq!(answer.status, 403, "{answer:?}");
    target.audited(|record| record["control"] == "upstream/issuer");
    alice.is_sent("look");
    // What was refused is used up, and so is what was good.
    assert_eq!(browser.get(&back).status, 403);
    let (link, _) = alice.is_sent("look");
    let back = browser.agree(&link);
    assert_eq!(browser.get(&back).status, 200);
    assert_eq!(browser.get(&back).status, 403);
    assert_eq!(text(&alice.call("look")), "alice");
}

#[test]
fn a_state_is_good_for_once_where_a_browser_forgets_nothing_too() {
    let place = Place::new(json!({}));
    let target = place.target(json!({}));
    let alice = Caller {
        target: &target,
        token: place.token_of("alice"),
    };
    let mut browser = Browser::of("alice");
    let (link, _) = alice.is_sent("look");
    let back = browser.agree(&link);
    let mut copy = browser.clone();
    assert_eq!(browser.get(&back).status, 200);
    assert_eq!(copy.get(&back).status, 403);
    target.audited(|record| record["control"] == "upstream/state");
}

#[test]
fn a_form_of_another_page_and_a_changed_redirect_connect_nothing() {
    let place = Place::new(json!({}));
    let target = place.target(json!({}));
    let alice = Caller {
        target: &target,
        token: place.token_of("alice"),
    };
    let mut browser = Browser::of("alice");
    let (link, _) = alice.is_sent("look");
    let page = browser.go(&link);
    let form = format!("token={}", token(&page));
    let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
    for origin in ["https://evil.example", "null"] {
        let headers = format!("Origin: {origin}\r\nSec-Fetch-Site: cross-site\r\n{kind}");
        let answer = browser.send("POST", &link, &headers, &form);
        assert_eq!(answer.status, 403, "{origin} {answer:?}");
    }
    target.audited(|record| record["control"] == "upstream/origin");
    let answer = browser.post(&link, &[("token", "0123")]);
    assert_eq!(answer.status, 403, "{answer:?}");
    target.audited(|record| record["control"] == "upstream/csrf");
    // The way to the issuer, with another way back: the issuer knows the one that is registered.
    let to = browser.press(&link, &page);
    let evil = with(&to, "redirect_uri", "https://evil.example/connect/callback");
    let answer = browser.go(&evil);
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(to.contains("code_challenge_method=S256"), "{to}");
}

#[test]
fn a_thousand_calls_at_once_renew_a_token_once() {
    let place = Place::new(json!({ "lifetime": 8, "renewed": 600, "slow_token": 300 }));
    let target = place.target(json!({}));
    let alice = Caller {
        target: &target,
        token: place.token_of("alice"),
    };
    let (link, _) = alice.is_sent("look");
    let mut browser = Browser::of("alice");
    let back = browser.agree(&link);
    assert_eq!(browser.get(&back).status, 200);
    assert_eq!(place.accounts.count("refreshed"), 0);
    // Of less than ten seconds: over for us from the first moment on. No more calls than handshakes
    // of one network may be under way; the thousand are the tool's own.
    let all = thread::scope(|scope| {
        let calls = [(); 8].map(|()| scope.spawn(|| alice.call("look")));
        let all = alice.ask(
            "resources/read",
            "calendar://all",
            json!({ "uri": "calendar://all" }),
        );
        for call in calls {
            assert_eq!(text(&call.join().unwrap()), "alice");
        }
        all
    });
    assert_eq!(
        all.json()["result"]["contents"][0]["text"],
        "1000",
        "{all:?}"
    );
    assert_eq!(place.accounts.count("refreshed"), 1);
    assert_eq!(place.accounts.count("refused"), 0);
    assert!(place.spent().len() >= 1008);
}

#[test]
fn a_refresh_token_that_somebody_else_used_ends_the_grant_and_says_so() {
    let place = Place::new(json!({ "lifetime": 8 }));
    let target = place.target(json!({}));
    let alice = Caller {
        target: &target,
        token: place.token_of("alice"),
    };
    let (link, state) = alice.is_sent("look");
    let mut browser = Browser::of("alice");
    let back = browser.agree(&link);
    assert_eq!(browser.get(&back).status, 200);
    // A thief has a copy of what the vault had: the first of the two to show it is good.
    let stolen = place.copy_of_vault();
    assert_eq!(text(&alice.again("look", &state)), "alice");
    place.put_back(&stolen);
    let answer = alice.call("look");
    assert_eq!(answer.json()["result"]["isError"], true, "{answer:?}");
    assert!(answer.body.contains("connected again"), "{answer:?}");
    target.audited(|record| record["control"] == "upstream/reuse");
    let ended = target.audited(|record| record["what"] == "ended");
    assert_eq!(ended["event"], "account", "{ended}");
    assert_eq!(ended["control"], "upstream/reuse", "{ended}");
    assert_eq!(ended["target"], "calendar", "{ended}");
    assert_eq!(ended["principal"]["subject"], "alice", "{ended}");
    assert!(ended.get("how").is_none(), "nobody did it: {ended}");
    assert!(
        target.said().contains("upstream/reuse"),
        "{}",
        target.said()
    );
    assert_eq!(place.accounts.count("refused"), 1);
    // Not tried again: from here on the caller is asked anew.
    alice.is_sent("look");
    assert_eq!(place.accounts.count("refused"), 1);
    alice.connects(&mut Browser::of("alice"));
}

#[test]
fn of_two_replicas_one_renews_and_the_other_reads_what_it_kept() {
    let Some(redis) = Redis::start("") else {
        return;
    };
    let place = Place::new(json!({ "lifetime": 8, "renewed": 600, "slow_token": 500 }));
    let shared = json!({ "redis": [
        format!("redis://{}", redis.address), crate::redis::PASSWORD,
    ] });
    let one = place.target(shared.clone());
    let mut elsewhere = shared;
    elsewhere["listen"] = json!(resource()["https://".len()..].trim_end_matches("/mcp"));
    let other = place.target(elsewhere);
    let caller = |target| Caller {
        target,
        token: place.token_of("alice"),
    };
    let (alice, alice_there) = (caller(&one), caller(&other));
    let (link, _) = alice.is_sent("look");
    let mut browser = Browser::of("alice");
    let back = browser.agree(&link);
    assert_eq!(browser.get(&back).status, 200);
    thread::scope(|scope| {
        let calls = [&alice, &alice_there, &alice, &alice_there]
            .map(|caller| scope.spawn(|| caller.call("look")));
        for call in calls {
            assert_eq!(text(&call.join().unwrap()), "alice");
        }
    });
    assert_eq!(place.accounts.count("refreshed"), 1);
    assert_eq!(place.accounts.count("refused"), 0);
}

#[test]
fn a_token_that_the_endpoint_refuses_is_renewed_once_and_the_call_goes_on() {
    let place = Place::new(json!({ "lifetime": 600 }));
    let target = place.target(json!({}));
    let alice = Caller {
        target: &target,
        token: place.token_of("alice"),
    };
    alice.connects(&mut Browser::of("alice"));
    assert_eq!(text(&alice.call("strict")), "alice");
    assert_eq!(place.accounts.count("refreshed"), 1);
    let spent = place.spent();
    let [.., refused, taken] = spent.as_slice() else {
        panic!("{spent:?}");
    };
    assert_ne!(refused, taken);
    assert_eq!(text(&alice.call("look")), "alice", "and stays good");
    assert_eq!(place.accounts.count("refreshed"), 1);
}

#[test]
fn an_endpoint_that_refuses_everything_has_the_issuer_asked_once() {
    let place = Place::new(json!({ "lifetime": 600 }));
    let target = place.target(json!({}));
    let alice = Caller {
        target: &target,
        token: place.token_of("alice"),
    };
    alice.connects(&mut Browser::of("alice"));
    for _ in 0..4 {
        assert_eq!(text(&alice.call("never")), "401");
    }
    assert_eq!(place.accounts.count("refreshed"), 1);
    assert!(
        target.said().contains("upstream/refused"),
        "{}",
        target.said()
    );
    assert_eq!(text(&alice.call("look")), "alice");
}

#[test]
fn what_one_replica_began_another_one_finishes() {
    let Some(redis) = Redis::start("") else {
        return;
    };
    let place = Place::new(json!({}));
    crate::world::private_file(
        &place.at("keys"),
        "sealing",
        "Zm9ydHktdHdvIGlzIG5vdCBhIHJhbmRvbSBudW1iZXI=",
    );
    let shared = json!({
        "sealing_key": place.at("keys/sealing"),
        "redis": [format!("redis://{}", redis.address), crate::redis::PASSWORD],
    });
    let one = place.target(shared.clone());
    let elsewhere = resource()["https://".len()..]
        .trim_end_matches("/mcp")
        .to_owned();
    let mut asked = shared;
    asked["listen"] = json!(elsewhere);
    let other = place.target(asked);
    let [alice, alice_there] = [&one, &other].map(|target| Caller {
        target,
        token: place.token_of("alice"),
    });
    // Asked by the second, finished at the first, where browsers are sent.
    let (link, state) = alice_there.is_sent("look");
    let mut browser = Browser::of("alice");
    let back = browser.agree(&link);
    assert_eq!(browser.get(&back).status, 200);
    let answer = alice_there.again("look", &state);
    assert_eq!(text(&answer), "alice");
    assert_eq!(text(&alice.call("look")), "alice");
    // And both send a caller to the one page that waits.
    let [bob, bob_there] = [&one, &other].map(|target| Caller {
        target,
        token: place.token_of("bob"),
    });
    assert_eq!(bob.is_sent("look").0, bob_there.is_sent("look").0);
}

#[test]
fn where_it_is_not_known_who_is_at_the_browser_a_server_does_not_start() {
    let place = Place::new(json!({}));
    let fails = |more| {
        let asked = place.asked(more);
        Target::connecting_fails(&place.issuer.url, &place.resource, asked)
    };
    let said = fails(json!({ "sign_in": false }));
    assert!(
        said.contains("by what persons sign in") && said.contains("help:"),
        "{said}"
    );
    let said = fails(json!({ "device": true }));
    assert!(said.contains("who types it"), "{said}");
}

#[test]
fn what_is_disconnected_is_taken_back_at_its_issuer_and_gone_here() {
    let place = Place::new(json!({ "lifetime": 60 }));
    let target = place.target(json!({}));
    let alice = Caller {
        target: &target,
        token: place.token_of("alice"),
    };
    alice.connects(&mut Browser::of("alice"));
    let people = VaultFile::at(place.at("vault/v"))
        .people(&place.vault_key(), place.at("people"))
        .unwrap();
    let (owner, bob) = (place.owner("alice"), place.owner("bob"));
    assert_eq!(people.connected(&owner).unwrap(), ["calendar"]);
    let who =
        |issuer: &str, client: &str| UpstreamOAuth::new(issuer, client).allow_private_issuer();
    assert!(!people.disconnect(&bob, "calendar", who).unwrap());
    assert_eq!(place.accounts.count("revoked"), 0);
    let stolen = place.copy_of_vault();
    assert!(people.disconnect(&owner, "calendar", who).unwrap());
    assert_eq!(place.accounts.count("revoked"), 1);
    assert!(people.connected(&owner).unwrap().is_empty());
    alice.is_sent("look");
    // A copy of what was here is good for nothing at the issuer, and does not open here either:
    // the bytes that opened it are gone.
    place.put_back(&stolen);
    assert!(people.connected(&owner).unwrap().is_empty());
    assert!(!people.disconnect(&owner, "calendar", who).unwrap());
    assert!(people.forget(&owner).is_ok());
    alice.connects(&mut Browser::of("alice"));
    assert_eq!(people.connected(&owner).unwrap(), ["calendar"]);
    let gone = people.disconnect(&owner, "calendar", |issuer, client| {
        // Without the right to go there it is removed here, and said.
        UpstreamOAuth::new(issuer, client)
    });
    let said = gone.unwrap_err().to_string();
    assert!(
        said.contains("removed here") && said.contains("help:"),
        "{said}"
    );
    assert!(people.connected(&owner).unwrap().is_empty());
}

#[test]
fn what_is_disconnected_while_it_is_renewed_stays_disconnected() {
    // A token that is renewed at each call, by an issuer that takes its time: before it has looked
    // at the token that it is shown, and after it has given another one.
    for (takes_time, taken_back) in [("slow_token", 1), ("late_token", 2)] {
        let place = Place::new(json!({ "lifetime": 8, takes_time: 1500 }));
        let target = place.target(json!({}));
        let alice = Caller {
            target: &target,
            token: place.token_of("alice"),
        };
        let (link, _) = alice.is_sent("look");
        let mut browser = Browser::of("alice");
        let back = browser.agree(&link);
        assert_eq!(browser.get(&back).status, 200);
        let people = VaultFile::at(place.at("vault/v"))
            .people(&place.vault_key(), place.at("people"))
            .unwrap();
        let owner = place.owner("alice");
        assert_eq!(people.connected(&owner).unwrap(), ["calendar"]);
        thread::scope(|scope| {
            let call = scope.spawn(|| alice.call("look"));
            // The first was for the code.
            while place.accounts.count("begun") < 2 {
                thread::sleep(Duration::from_millis(20));
            }
            if takes_time == "late_token" {
                while place.accounts.count("refreshed") < 1 {
                    thread::sleep(Duration::from_millis(20));
                }
            }
            let who = |issuer: &str, client: &str| {
                UpstreamOAuth::new(issuer, client).allow_private_issuer()
            };
            assert!(people.disconnect(&owner, "calendar", who).unwrap());
            // They are asked anew.
            let answer = call.join().unwrap();
            assert!(answer.body.contains("/connect/"), "{answer:?}");
        });
        assert!(place.spent().is_empty(), "{:?}", place.spent());
        // Nothing came back, not even that there was one; and it was no theft.
        assert!(people.connected(&owner).unwrap().is_empty());
        assert!(
            !target.said().contains("upstream/reuse"),
            "{}",
            target.said()
        );
        assert_eq!(place.accounts.count("revoked"), taken_back);
        alice.is_sent("look");
    }
}

#[test]
fn the_secret_of_the_server_lies_in_the_vault_and_goes_to_the_host_that_it_is_for() {
    let place = Place::new(json!({ "web_secret": "secret-of-the-server" }));
    let store = |host: &str| {
        let credential = NewCredential::new("at-issuer", Placement::Bearer, [host]).unwrap();
        let secret = SecretString::from("secret-of-the-server");
        let file = VaultFile::at(place.at("vault/v"));
        file.set(&place.vault_key(), &credential, &secret).unwrap();
    };
    store(&place.upstream.url());
    let asked = place.asked(json!({ "secret": true }));
    let said = Target::connecting_fails(&place.issuer.url, &place.resource, asked);
    assert!(said.contains("net/credential"), "{said}");
    store(&place.accounts.url);
    let target = place.target(json!({ "secret": true }));
    let alice = Caller {
        target: &target,
        token: place.token_of("alice"),
    };
    alice.connects(&mut Browser::of("alice"));
    let log = std::fs::read_to_string(target.audit_log()).unwrap();
    assert!(!format!("{log}{}", target.said()).contains("secret-of-the-server"));
}

#[test]
fn a_client_that_shows_no_links_is_told_and_sent_none() {
    let place = Place::new(json!({}));
    let target = place.target(json!({}));
    let answer = target.call("look", &place.token_of("alice"));
    assert!(answer.body.contains("not connected"), "{answer:?}");
    assert!(!answer.body.contains("/connect/"), "{answer:?}");
    target.audited(|record| record["control"] == "upstream/capability");
}

impl Place {
    /// Everything that the callers have.
    pub(crate) fn copy_of_vault(&self) -> Vec<(std::path::PathBuf, Vec<u8>)> {
        let entries = std::fs::read_dir(self.at("people/entries")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let all: Vec<_> = paths
            .filter(|path| path.is_file())
            .map(|path| (path.clone(), std::fs::read(&path).unwrap()))
            .collect();
        assert!(!all.is_empty());
        all
    }

    pub(crate) fn put_back(&self, copy: &[(std::path::PathBuf, Vec<u8>)]) {
        for (path, bytes) in copy {
            std::fs::write(path, bytes).unwrap();
        }
    }

    pub(crate) fn owner(&self, subject: &str) -> Owner {
        Owner::new(&self.issuer.url, subject).unwrap()
    }
}

/// The value of a parameter.
fn of(url: &str, name: &str) -> String {
    let (_, query) = url.split_once('?').unwrap();
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).unwrap().1.to_owned()
}

/// The same URL with another value, or without the parameter.
fn without(url: &str, name: &str) -> String {
    let (base, query) = url.split_once('?').unwrap();
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| !pair.starts_with(&format!("{name}=")))
        .collect();
    format!("{base}?{}", kept.join("&"))
}

fn with(url: &str, name: &str, value: &str) -> String {
    let value = match name {
        "code" => value.to_owned(),
        _ => crate::world::encoded(value),
    };
    format!("{}&{name}={value}", without(url, name))
}
