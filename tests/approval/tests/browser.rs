//! What a person with a browser does, and what a page of somebody else's does to them.

use mcp_secure::auth::DevIssuer;
use serde_json::{Value, json};

use crate::{
    chromium::{Chromium, Tab, artefacts},
    world::{Asked, Issuer, Server, World, is_refused, text},
};

/// A world whose issuer shows a page to sign in on.
fn world(more: Value) -> World {
    World::with(more, |resource| {
        Issuer::of(DevIssuer::new().resource(resource))
    })
}

/// Opens the link and signs in as this person.
fn signed_in(chromium: &mut Chromium, link: &str, person: &str) -> Tab {
    let tab = chromium.fresh();
    chromium.go(&tab, link);
    chromium.until(&tab, "Development issuer");
    chromium.value(
        &tab,
        &format!("document.querySelector('input[name=person]').value = {person:?}"),
    );
    chromium.click(&tab, "button[value=yes]", 1);
    tab
}

fn asked(world: &World, line: &str) -> Asked {
    world.asked(line)
}

#[test]
fn a_person_signs_in_reads_and_approves_without_any_script() {
    let Some(mut chromium) = Chromium::start() else {
        return;
    };
    let world = world(json!({}));
    let asked = asked(&world, "by a person");
    let tab = signed_in(&mut chromium, &asked.link, "alice");
    chromium.without_scripts(&tab);
    chromium.until(&tab, "by a person");
    chromium.click(&tab, "button.approve", 1);
    chromium.until(&tab, "Approved");
    let token = world.token("alice");
    assert_eq!(text(&asked.again(&world.server, &token)), "appended");
    let cookies = chromium.cookies(&tab);
    let session = cookies
        .iter()
        .find(|c| c["name"].as_str().unwrap().contains("person"));
    let session = session.unwrap();
    assert_eq!(
        (&session["httpOnly"], &session["sameSite"]),
        (&json!(true), &json!("Strict"))
    );
}

#[test]
fn a_keyboard_is_enough_and_refusing_comes_first() {
    let Some(mut chromium) = Chromium::start() else {
        return;
    };
    let world = world(json!({}));
    let asked = asked(&world, "by keyboard");
    let tab = signed_in(&mut chromium, &asked.link, "alice");
    chromium.until(&tab, "by keyboard");
    let focused = "document.activeElement.value || document.activeElement.tagName";
    let mut order = Vec::new();
    for _ in 0..4 {
        chromium.key(&tab, "Tab", 9);
        order.push(chromium.value(&tab, focused).as_str().unwrap().to_owned());
    }
    assert_eq!(order, ["SUMMARY", "SUMMARY", "refuse", "approve"]);
    chromium.key(&tab, "Enter", 13);
    chromium.until(&tab, "Approved");
}

#[test]
fn a_double_click_is_one_yes_and_the_back_button_none() {
    let Some(mut chromium) = Chromium::start() else {
        return;
    };
    let world = world(json!({}));
    let asked = asked(&world, "twice");
    let tab = signed_in(&mut chromium, &asked.link, "alice");
    chromium.until(&tab, "twice");
    chromium.click(&tab, "button.approve", 2);
    chromium.until(&tab, "Approved");
    chromium.back(&tab);
    std::thread::sleep(std::time::Duration::from_millis(300));
    // Nothing was kept by the browser: what it shows is how it stands now.
    chromium.go(&tab, &asked.link);
    chromium.until(&tab, "Approved");
    let token = world.token("alice");
    assert_eq!(text(&asked.again(&world.server, &token)), "appended");
    assert!(is_refused(&asked.again(&world.server, &token)));
    assert_eq!(world.server.log(), ["twice"]);
}

#[test]
fn of_two_tabs_the_first_answer_counts() {
    let Some(mut chromium) = Chromium::start() else {
        return;
    };
    let world = world(json!({}));
    let asked = asked(&world, "two tabs");
    let first = signed_in(&mut chromium, &asked.link, "alice");
    chromium.until(&first, "two tabs");
    let second = chromium.beside(&first);
    chromium.go(&second, &asked.link);
    chromium.until(&second, "two tabs");
    chromium.click(&first, "button.refuse", 1);
    chromium.until(&first, "Refused");
    chromium.click(&second, "button.approve", 1);
    chromium.until(&second, "Refused");
    let reply = asked.again(&world.server, &world.token("alice"));
    assert!(is_refused(&reply), "{reply}");
    assert!(world.server.log().is_empty());
}

#[test]
fn another_persons_session_a_tampered_link_and_a_late_one_show_nothing() {
    let Some(mut chromium) = Chromium::start() else {
        return;
    };
    let world = world(json!({ "time_ms": 6000 }));
    let asked = asked(&world, "for alice alone");
    let mallory = signed_in(&mut chromium, &asked.link, "mallory");
    chromium.until(&mallory, "There is nothing to approve here");
    let tampered = format!("{}{}", &asked.link[..asked.link.len() - 1], "~");
    let alice = signed_in(&mut chromium, &asked.link, "alice");
    chromium.until(&alice, "for alice alone");
    chromium.go(&alice, &tampered);
    chromium.until(&alice, "There is nothing to approve here");
    std::thread::sleep(std::time::Duration::from_secs(6));
    // Her session is over with it, and she signs in again.
    let late = signed_in(&mut chromium, &asked.link, "alice");
    chromium.until(&late, "There is nothing to approve here");
}

/// A page of another origin has the link, and the person is signed in.
#[test]
fn a_form_or_a_frame_of_another_origin_does_not_approve() {
    let Some(mut chromium) = Chromium::start() else {
        return;
    };
    let world = world(json!({}));
    let asked = asked(&world, "not by this page");
    let alice = signed_in(&mut chromium, &asked.link, "alice");
    chromium.until(&alice, "not by this page");
    // Another origin of this machine: same site to a browser, so the cookie goes with it.
    let evil = format!("http://{}", crate::world::free());
    let page = |body: &str| {
        let body = body.to_owned();
        let listener = std::net::TcpListener::bind(&evil["http://".len()..]).unwrap();
        std::thread::spawn(move || serve_once(&listener, &body))
    };
    let form = format!(
        "<form method=post action='{}'><input name=answer value=approve><input name=token value=0>\
         <button>win</button></form>",
        asked.link
    );
    let served = page(&form);
    let attacked = chromium.beside(&alice);
    chromium.go(&attacked, &evil);
    chromium.until(&attacked, "win");
    chromium.click(&attacked, "button", 1);
    chromium.until(&attacked, "sent by another page");
    served.join().unwrap();
    world.server.refused_by("approve/origin");

    let frame = format!(
        "<p>look</p><iframe src='{}' width=800 height=600></iframe>",
        asked.link
    );
    let served = page(&frame);
    chromium.go(&attacked, &evil);
    chromium.until(&attacked, "look");
    std::thread::sleep(std::time::Duration::from_millis(500));
    let shown = chromium.value(
        &attacked,
        "(() => { try { return document.querySelector('iframe').contentDocument.body.innerText } \
         catch { return 'another origin' } })()",
    );
    assert!(
        !shown.as_str().unwrap_or("").contains("not by this page"),
        "{shown}"
    );
    served.join().unwrap();
    assert!(world.server.log().is_empty());
}

fn serve_once(listener: &std::net::TcpListener, body: &str) {
    use std::io::{Read as _, Write as _};
    let (mut stream, _) = listener.accept().unwrap();
    let mut bytes = [0; 4096];
    let _ = stream.read(&mut bytes);
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(answer.as_bytes());
}

/// Everything that is shown and comes from elsewhere, with what breaks out of HTML in all its
/// places.
#[test]
fn markup_in_what_is_shown_is_text() {
    let Some(mut chromium) = Chromium::start() else {
        return;
    };
    let server = Server::start(json!({}));
    let token = server.token();
    for attack in [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "\"><svg onload=alert(1)>",
        "'><button class=approve form=x>",
        "</pre></dd></dl></section><form action=/approve/x><button name=answer value=approve>",
        "<meta http-equiv=refresh content=0;url=javascript:alert(1)>",
        "<style>.refuse{display:none}</style>",
        "<a href=javascript:alert(1)>look</a>",
        "{{7*7}}${7*7}<%= 7*7 %>",
        "&lt;script&gt;&#60;b&#62;",
    ] {
        let arguments = json!({ "title": attack, "text": attack, "tags": [attack, attack] });
        let asked = server.call(&token, "publish", arguments);
        let tab = chromium.fresh();
        chromium.go(&tab, &asked.link);
        chromium.until(&tab, "Allow this call?");
        let body = chromium.text(&tab);
        assert!(
            body.contains(attack),
            "{attack} is not shown as it is: {body}"
        );
        let parts = chromium.value(
            &tab,
            "['script','img','svg','a','iframe','style','meta[http-equiv]'].filter(it => \
             document.querySelector(it)).join() + document.querySelectorAll('form').length + \
             document.querySelectorAll('button').length",
        );
        assert_eq!(parts, "12", "{attack}: one form and two buttons");
        assert!(!chromium.ran_a_script(&tab), "{attack}");
    }
}

/// The box is not ticked by itself, and what was ticked is found again.
#[test]
fn what_a_person_ticked_is_listed_and_taken_back() {
    let Some(mut chromium) = Chromium::start() else {
        return;
    };
    let world = world(json!({ "remember": [3600, ["title"]] }));
    let token = world.token("alice");
    let arguments = json!({ "title": "Report\u{202e}", "text": "one", "tags": ["a"] });
    let asked = world.server.call(&token, "publish", arguments.clone());
    let tab = signed_in(&mut chromium, &asked.link, "alice");
    chromium.until(&tab, "Do not ask me again for one hour");
    let ticked = "document.querySelector('#remember').checked";
    assert_eq!(chromium.value(&tab, ticked), json!(false));
    let folder = artefacts();
    chromium.picture(&tab, "light", 1000, &folder.join("remember-light.png"));
    chromium.picture(&tab, "dark", 360, &folder.join("remember-phone-dark.png"));
    let (content, window) = chromium.width_of_content(&tab);
    assert!(content <= window, "{content} is wider than {window}");
    chromium.click(&tab, "label[for=remember]", 1);
    assert_eq!(chromium.value(&tab, ticked), json!(true));
    chromium.click(&tab, "button.approve", 1);
    chromium.until(&tab, "Approved");
    assert!(world.server.runs_at_once(&token, "publish", &arguments));
    let list = format!("http://{}/approve/remembered", world.server.address);
    chromium.go(&tab, &list);
    chromium.until(&tab, "What you let run");
    chromium.until(&tab, "text: any text");
    let shown = chromium.text(&tab);
    assert!(shown.contains("U+202E"), "{shown}");
    chromium.picture(&tab, "light", 1000, &folder.join("remembered-light.png"));
    chromium.picture(&tab, "dark", 360, &folder.join("remembered-phone-dark.png"));
    chromium.click(&tab, "button.refuse", 1);
    chromium.until(&tab, "Nothing: you are asked each time");
    assert!(!world.server.runs_at_once(&token, "publish", &arguments));
}

#[test]
fn the_pages_look_as_they_should_in_light_and_dark_and_on_a_phone() {
    let Some(mut chromium) = Chromium::start() else {
        return;
    };
    let world = world(json!({}));
    let token = world.token("alice");
    let long = "All work and no play makes a long text. ".repeat(60);
    let arguments = json!({
        "title": "Quarterly\u{202e}gpj.exe re\u{200b}port",
        "text": format!("Dear all,\n\n{long}\n\n— A.<b>bold</b>"),
        "tags": ["finance", "a-tag-that-is-so-long-that-it-does-not-fit-into-any-line-of-a-phone-at-all"],
    });
    let asked = world.server.call(&token, "publish", arguments);
    let tab = signed_in(&mut chromium, &asked.link, "alice");
    chromium.until(&tab, "Allow this call?");
    let shown = chromium.text(&tab);
    assert!(shown.contains(long.trim_end()), "a long argument was cut");
    assert!(
        shown.contains("U+202E") && shown.contains("U+200B"),
        "{shown}"
    );
    let folder = artefacts();
    for (name, scheme, width) in [
        ("question-light", "light", 1000),
        ("question-dark", "dark", 1000),
        ("question-phone", "light", 360),
        ("question-phone-dark", "dark", 360),
    ] {
        chromium.picture(&tab, scheme, width, &folder.join(format!("{name}.png")));
        let (content, window) = chromium.width_of_content(&tab);
        assert!(
            content <= window,
            "{name}: {content} is wider than {window}"
        );
    }
    chromium.click(&tab, "button.approve", 1);
    chromium.until(&tab, "Approved");
    chromium.picture(&tab, "light", 1000, &folder.join("approved-light.png"));
    chromium.go(
        &tab,
        &asked.link.replace(asked.id(), "AAAAAAAAAAAAAAAAAAAAAA"),
    );
    chromium.until(&tab, "There is nothing");
    chromium.picture(&tab, "dark", 360, &folder.join("nothing-phone-dark.png"));
}
