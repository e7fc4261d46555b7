//! What a person with a browser does who connects an account or enters a key, and what a page of
//! somebody else's does to them.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
};

use mcp_secure::{
    auth::DevIssuer,
    vault::{VaultFile, VaultKey},
};
use serde_json::{Value, json};

use crate::{
    chromium::{Chromium, Tab, artefacts},
    world::{Issuer, Server, free, text, url_mode},
};

/// Two issuers, a server that is called, and one whose callers give it something of theirs.
struct Place {
    server: Server,
    issuer: Issuer,
    _accounts: Issuer,
    upstream: String,
    resource: String,
    _vault: tempfile::TempDir,
}

impl Place {
    fn new(scopes: &[&str]) -> Self {
        let address = free();
        let resource = format!("http://{address}/mcp");
        let upstream = echo();
        // Persons sign in on a page; the issuer of the accounts shows one, too.
        let issuer = Issuer::of(DevIssuer::new().resource(&resource));
        let accounts = Issuer::of(DevIssuer::new().resource(&upstream));
        let vault = tempfile::tempdir().unwrap();
        let folder = vault.path().canonicalize().unwrap();
        for name in ["vault", "keys"] {
            std::fs::create_dir(folder.join(name)).unwrap();
        }
        VaultFile::make_key(&folder.join("keys/0")).unwrap();
        VaultFile::at(folder.join("vault/v"))
            .init(&VaultKey::file(folder.join("keys/0")))
            .unwrap();
        let server = Server::connecting(
            json!({
                "listen": address,
                "issuer": [issuer.url(), resource],
                "accounts": accounts.url(),
                "upstream": upstream,
                "scopes": scopes,
                "vault": folder,
            }),
            &upstream,
        );
        Self {
            server,
            issuer,
            _accounts: accounts,
            upstream,
            resource,
            _vault: vault,
        }
    }

    fn call(&self, person: &str, params: Value) -> Value {
        let token = self.issuer.token(person, &self.resource);
        self.server.ask(&token, &url_mode(), params)
    }

    /// Calls, and is sent: the link, and how the call goes on.
    #[track_caller]
    fn is_sent(&self, person: &str, tool: &str) -> (String, Value) {
        let reply = self.call(person, json!({ "name": tool, "arguments": {} }));
        let result = &reply["result"];
        let asked = &result["inputRequests"][QUESTION]["params"];
        assert_eq!(asked["mode"], "url", "{reply}");
        let again = json!({
            "name": tool,
            "arguments": {},
            "requestState": result["requestState"],
            "inputResponses": { QUESTION: { "action": "accept" } },
        });
        (asked["url"].as_str().unwrap().to_owned(), again)
    }
}

/// A server that says what token it was shown.
fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut bytes = [0; 8192];
            let read = stream.read(&mut bytes).unwrap_or(0);
            let head = String::from_utf8_lossy(&bytes[..read]).to_ascii_lowercase();
            let body = match head.contains("\r\nauthorization: bearer ") {
                true => "with a token",
                false => "with none",
            };
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            );
        }
    });
    url
}

/// Says at an issuer who is there.
fn says(chromium: &mut Chromium, tab: &Tab, person: &str) {
    chromium.until(tab, "Development issuer");
    let person = Value::from(person);
    chromium.value(
        tab,
        &format!("document.querySelector('input[name=person]').value = {person}"),
    );
    chromium.click(tab, "button[value=yes]", 1);
}

fn signed_in(chromium: &mut Chromium, link: &str, person: &str) -> Tab {
    let tab = chromium.fresh();
    chromium.go(&tab, link);
    says(chromium, &tab, person);
    tab
}

#[test]
fn a_person_connects_an_account_and_the_call_goes_on() {
    let Some(mut chromium) = Chromium::start() else {
        return;
    };
    let place = Place::new(&["calendar:read"]);
    let (link, again) = place.is_sent("alice", "look");
    let tab = signed_in(&mut chromium, &link, "alice");
    chromium.without_scripts(&tab);
    chromium.until(&tab, "Connect an account?");
    let page = chromium.text(&tab);
    for part in ["calendar:read", "alice", "connect-target", &place.upstream] {
        assert!(page.contains(part), "{part}: {page}");
    }
    chromium.click(&tab, "button.approve", 1);
    says(&mut chromium, &tab, "alice-elsewhere");
    chromium.until(&tab, "Connected");
    assert_eq!(text(&place.call("alice", again)), "with a token");
    // One cookie says who is there, for all pages, and goes with no request of another site.
    let cookies = chromium.cookies(&tab);
    let person = cookies
        .iter()
        .find(|it| it["name"].as_str().unwrap().contains("person"));
    assert_eq!(person.unwrap()["sameSite"], "Strict");
    // The back button, and the button once more: nothing is connected twice.
    chromium.go(&tab, &link);
    chromium.until(&tab, "Connected");
}

#[test]
fn a_person_enters_a_key_and_the_back_button_does_not_show_it() {
    let Some(mut chromium) = Chromium::start() else {
        return;
    };
    let place = Place::new(&[]);
    let (link, again) = place.is_sent("alice", "track");
    let tab = signed_in(&mut chromium, &link, "alice");
    chromium.until(&tab, "Enter a key?");
    chromium.value(
        &tab,
        "document.querySelector('#secret').value = 'short one'",
    );
    chromium.click(&tab, "button.approve", 1);
    chromium.until(&tab, "Not kept");
    assert_eq!(
        chromium.value(&tab, "document.querySelector('#secret').value"),
        ""
    );
    let key = "key-of-alice-0123456789";
    chromium.value(
        &tab,
        &format!("document.querySelector('#secret').value = '{key}'"),
    );
    chromium.click(&tab, "button.approve", 2);
    chromium.until(&tab, "Connected");
    assert_eq!(text(&place.call("alice", again)), "with a token");
    chromium.back(&tab);
    thread::sleep(std::time::Duration::from_millis(500));
    let shown = chromium.value(&tab, "document.documentElement.outerHTML + Array.from(document.querySelectorAll('input')).map(it => it.value)");
    assert!(!shown.as_str().unwrap_or_default().contains(key), "{shown}");
}

#[test]
fn another_persons_session_shows_nothing_and_the_second_tab_finds_it_done() {
    let Some(mut chromium) = Chromium::start() else {
        return;
    };
    let place = Place::new(&["calendar:read"]);
    let (link, _) = place.is_sent("alice", "look");
    let mallory = signed_in(&mut chromium, &link, "mallory");
    chromium.until(&mallory, "There is nothing to connect here");
    let first = signed_in(&mut chromium, &link, "alice");
    chromium.until(&first, "Connect an account?");
    let second = chromium.beside(&first);
    chromium.go(&second, &link);
    chromium.until(&second, "Connect an account?");
    // Both are at the issuer; each comes back to its own.
    for tab in [&first, &second] {
        chromium.click(tab, "button.approve", 1);
        chromium.until(tab, "Development issuer");
    }
    for tab in [&first, &second] {
        says(&mut chromium, tab, "alice-elsewhere");
        chromium.until(tab, "Connected");
    }
    // What is connected is seen by who connected it.
    let list = link.rsplit_once('/').unwrap().0.to_owned() + "/";
    chromium.go(&first, &list);
    chromium.until(&first, "Remove calendar");
    chromium.go(&mallory, &list);
    chromium.until(&mallory, "Nothing.");
}

/// Everything that is shown and comes from elsewhere, with what breaks out of HTML.
#[test]
fn markup_in_what_is_shown_when_connecting_is_text() {
    let Some(mut chromium) = Chromium::start() else {
        return;
    };
    for attack in [
        "<script>alert(1)</script>",
        "<img/src=x/onerror=alert(1)>",
        "'><svg/onload=alert(1)>",
        "</p></form><form/action=/approve/x>",
        "&lt;script&gt;",
    ] {
        let place = Place::new(&[attack]);
        // The person, too, is called so.
        let (link, _) = place.is_sent(attack, "look");
        let (entering, _) = place.is_sent(attack, "track");
        let tab = signed_in(&mut chromium, &link, attack);
        chromium.until(&tab, "Connect an account?");
        let list = link.rsplit_once('/').unwrap().0.to_owned() + "/";
        for (url, title) in [
            (&link, "Connect an account?"),
            (&entering, "Enter a key?"),
            (&list, "What you have connected"),
        ] {
            chromium.go(&tab, url);
            chromium.until(&tab, title);
            let body = chromium.text(&tab);
            assert!(
                body.contains(attack),
                "{attack} is not shown as it is: {body}"
            );
            let parts = chromium.value(
                &tab,
                "['script','img','svg','iframe','style'].filter(it => \
                 document.querySelector(it)).join() + \
                 document.querySelectorAll('form[action^=\"/approve\"]').length",
            );
            assert_eq!(parts, "0", "{attack}");
            assert!(!chromium.ran_a_script(&tab), "{attack}");
        }
    }
}

#[test]
fn the_pages_where_something_is_connected_look_as_they_should() {
    let Some(mut chromium) = Chromium::start() else {
        return;
    };
    let place = Place::new(&["calendar:read", "offline_access"]);
    let (link, _) = place.is_sent("alice", "look");
    let (entering, _) = place.is_sent("alice", "track");
    let tab = signed_in(&mut chromium, &link, "alice");
    let folder = artefacts();
    chromium.until(&tab, "Connect an account?");
    let look = |chromium: &mut Chromium, page: &str| {
        for (name, scheme, width) in [
            ("light", "light", 1000),
            ("dark", "dark", 1000),
            ("phone", "light", 360),
            ("phone-dark", "dark", 360),
        ] {
            let to = folder.join(format!("{page}-{name}.png"));
            chromium.picture(&tab, scheme, width, &to);
            let (content, window) = chromium.width_of_content(&tab);
            assert!(
                content <= window,
                "{page} {name}: {content} is wider than {window}"
            );
        }
    };
    look(&mut chromium, "connect");
    chromium.go(&tab, &entering);
    chromium.until(&tab, "Enter a key?");
    look(&mut chromium, "key");
    chromium.value(
        &tab,
        "document.querySelector('#secret').value = 'with a space in it'",
    );
    chromium.click(&tab, "button.approve", 1);
    chromium.until(&tab, "Not kept");
    look(&mut chromium, "key-wrong");
    chromium.value(
        &tab,
        "document.querySelector('#secret').value = 'key-of-alice-0123456789'",
    );
    chromium.click(&tab, "button.approve", 1);
    chromium.until(&tab, "Connected");
    look(&mut chromium, "connected");
    chromium.go(&tab, &(link.rsplit_once('/').unwrap().0.to_owned() + "/"));
    chromium.until(&tab, "Remove tracker");
    look(&mut chromium, "list");
    chromium.click(&tab, "button.refuse", 1);
    chromium.until(&tab, "Nothing.");
}

const QUESTION: &str = "mcp-secure/connect";
