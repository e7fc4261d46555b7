#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::*;

const RESOURCE: &str = "http://127.0.0.1:8000/mcp";
const CALLBACK: &str = "http://127.0.0.1:5555/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// Of the verifier (RFC 7636 appendix B).
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

async fn started(declared: DevIssuer) -> RunningIssuer {
    declared.resource(RESOURCE).start().await.unwrap()
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn location(&self) -> String {
        let line = self
            .head
            .lines()
            .find(|line| line.to_lowercase().starts_with("location:"));
        line.unwrap_or_else(|| panic!("{} {}", self.head, self.body))["location:".len()..]
            .trim()
            .to_owned()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

async fn send(issuer: &RunningIssuer, line: &str, headers: &str, body: &str) -> Answer {
    let host = issuer.url().trim_start_matches("http://");
    let headers = match headers.contains("Host:") {
        true => headers.to_owned(),
        false => format!("Host: {host}\r\n{headers}"),
    };
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!(
        "{line} HTTP/1.1\r\n{headers}Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    Answer {
        status: head[9..12].parse().unwrap(),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

fn query(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

fn asking<'a>(change: &[(&'a str, &'a str)]) -> String {
    let mut pairs = vec![
        ("response_type", "code"),
        ("client_id", "dev"),
        ("redirect_uri", CALLBACK),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("scope", "notes:read notes:write"),
        ("resource", RESOURCE),
        ("state", "s"),
    ];
    for (name, value) in change {
        pairs.retain(|(known, _)| known != name);
        if !value.is_empty() {
            pairs.push((name, value));
        }
    }
    format!("GET /authorize?{}", query(&pairs))
}

/// What the redirect says under this name.
fn said(answer: &Answer, name: &str) -> Option<String> {
    let url = url::Url::parse(&answer.location()).unwrap();
    url.query_pairs()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.into_owned())
}

async fn code(issuer: &RunningIssuer) -> String {
    said(&send(issuer, &asking(&[]), "", "").await, "code").unwrap()
}

async fn token(issuer: &RunningIssuer, pairs: &[(&str, &str)]) -> Answer {
    send(issuer, "POST /token", "", &query(pairs)).await
}

fn redeeming<'a>(code: &'a str, change: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut pairs = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("client_id", "dev"),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    for (name, value) in change {
        pairs.retain(|(known, _)| known != name);
        pairs.push((name, value));
    }
    pairs
}

#[tokio::test]
async fn an_address_that_others_reach_is_refused_and_so_is_having_no_resource() {
    for listen in [
        "0.0.0.0:0",
        "[::]:0",
        "192.0.2.1:0",
        "example:x",
        "10.0.0.1:80",
    ] {
        let refused = DevIssuer::new()
            .listen(listen)
            .resource(RESOURCE)
            .start()
            .await;
        let said = refused.unwrap_err().to_string();
        assert!(said.contains(listen) && said.contains("help:"), "{said}");
    }
    assert!(
        DevIssuer::new()
            .start()
            .await
            .unwrap_err()
            .to_string()
            .contains("help:")
    );
    for resource in ["notes", "http://127.0.0.1/mcp#x", "mailto:a@b"] {
        assert!(
            DevIssuer::new().resource(resource).start().await.is_err(),
            "{resource}"
        );
    }
}

#[tokio::test]
async fn a_page_of_another_host_or_origin_is_nobody_here() {
    let issuer = started(DevIssuer::new()).await;
    let path = "GET /.well-known/oauth-authorization-server";
    assert_eq!(send(&issuer, path, "", "").await.status, 200);
    let rebound = send(&issuer, path, "Host: evil.example\r\n", "").await;
    assert_eq!(rebound.status, 403);

    let page = send(&issuer, &asking(&[]), "", "").await;
    assert_eq!(page.status, 200);
    let ticket = page.body.split("name=\"ticket\" value=\"").nth(1).unwrap();
    let ticket = &ticket[..ticket.find('"').unwrap()];
    let body = query(&[("ticket", ticket), ("answer", "yes"), ("person", "bob")]);
    for origin in ["", "Origin: https://evil.example\r\n", "Origin: null\r\n"] {
        let forged = send(&issuer, "POST /authorize/decide", origin, &body).await;
        assert_eq!(forged.status, 403, "{origin}");
    }
    let own = format!("Origin: {}\r\n", issuer.url());
    let agreed = send(&issuer, "POST /authorize/decide", &own, &body).await;
    assert_eq!(said(&agreed, "iss").unwrap(), issuer.url());
    let code = said(&agreed, "code").unwrap();
    let again = send(&issuer, "POST /authorize/decide", &own, &body).await;
    assert_eq!(again.status, 400, "a page is answered once");
    let answer = token(&issuer, &redeeming(&code, &[])).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[tokio::test]
async fn what_a_client_calls_itself_is_no_markup() {
    let issuer = started(DevIssuer::new()).await;
    let name = "<script>alert(1)</script>\\\"'&";
    let body = format!("{{\"client_name\":\"{name}\",\"redirect_uris\":[\"{CALLBACK}\"]}}");
    let registered = send(&issuer, "POST /register", "", &body).await;
    assert_eq!(registered.status, 201, "{}", registered.body);
    let id = registered.json()["client_id"].as_str().unwrap().to_owned();
    let page = send(
        &issuer,
        &asking(&[("client_id", &id), ("scope", "<b>")]),
        "",
        "",
    )
    .await;
    assert_eq!(page.status, 200);
    assert!(page.head.contains("default-src 'none'"));
    assert!(
        !page.body.contains("<script") && !page.body.contains("<b></code>"),
        "{}",
        page.body
    );
}

#[tokio::test]
async fn answers_go_where_the_client_said_at_registration() {
    let issuer = started(DevIssuer::new().agrees()).await;
    for bad in [
        "http://evil.example/cb",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://u:p@a.example/",
        "https://a.example/#x",
        "nothing",
    ] {
        let body = format!("{{\"redirect_uris\":[\"{bad}\"]}}");
        let answer = send(&issuer, "POST /register", "", &body).await;
        assert_eq!(answer.status, 400, "{bad}");
    }
    let body = "{\"redirect_uris\":[\"https://a.example/cb\",\"http://127.0.0.1/cb\"]}";
    let registered = send(&issuer, "POST /register", "", body).await.json();
    let id = registered["client_id"].as_str().unwrap();
    let at = |uri: &str| asking(&[("client_id", id), ("redirect_uri", uri)]);
    for good in ["https://a.example/cb", "http://127.0.0.1:4711/cb"] {
        assert_eq!(send(&issuer, &at(good), "", "").await.status, 303, "{good}");
    }
    for bad in [
        "https://a.example/cb/",
        "https://a.example/cb?x",
        "https://a.example.evil/cb",
        "https://a.example:444/cb",
        "http://127.0.0.1:4711/other",
        "http://localhost/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://127.0.0.1@evil.example/cb",
    ] {
        let answer = send(&issuer, &at(bad), "", "").await;
        assert_eq!(
            answer.status, 400,
            "{bad}: no redirect to what nobody registered"
        );
    }
    let unregistered = asking(&[("redirect_uri", "https://a.example/cb")]);
    assert_eq!(send(&issuer, &unregistered, "", "").await.status, 400);
}

#[tokio::test]
async fn a_code_is_worth_something_once_and_to_who_asked_for_it() {
    let issuer = started(DevIssuer::new().agrees()).await;
    for (name, value, error) in [
        ("code_challenge", "", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("response_type", "token", "unsupported_response_type"),
        ("resource", "https://other.example/mcp", "invalid_target"),
    ] {
        let answer = send(&issuer, &asking(&[(name, value)]), "", "").await;
        assert_eq!(said(&answer, "error").as_deref(), Some(error), "{name}");
        assert_eq!(said(&answer, "state").as_deref(), Some("s"));
    }
    let twice = format!("{}&state=t", asking(&[]));
    assert_eq!(send(&issuer, &twice, "", "").await.status, 400);

    for (name, value) in [
        ("code_verifier", "x"),
        (
            "code_verifier",
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXX",
        ),
        ("client_id", "machine"),
        ("redirect_uri", "http://127.0.0.1:5556/callback"),
    ] {
        let code = code(&issuer).await;
        let wrong = token(&issuer, &redeeming(&code, &[(name, value)])).await;
        assert_eq!(wrong.json()["error"], "invalid_grant", "{name}");
        let late = token(&issuer, &redeeming(&code, &[])).await;
        assert_eq!(
            late.json()["error"],
            "invalid_grant",
            "{name}: it was used up"
        );
    }
    let code = code(&issuer).await;
    let answer = token(&issuer, &redeeming(&code, &[])).await.json();
    assert_eq!(answer["scope"], "notes:read notes:write");
    assert_eq!(token(&issuer, &redeeming(&code, &[])).await.status, 400);
}

#[tokio::test]
async fn a_refresh_token_that_is_shown_twice_ends_all_that_came_of_it() {
    let issuer = started(DevIssuer::new().agrees()).await;
    let code = code(&issuer).await;
    let first = token(&issuer, &redeeming(&code, &[])).await.json();
    let first = first["refresh_token"].as_str().unwrap().to_owned();
    let refresh = |shown: String, more: Vec<(&'static str, &'static str)>| {
        let issuer = &issuer;
        async move {
            let mut pairs = vec![
                ("grant_type", "refresh_token"),
                ("client_id", "dev"),
                ("refresh_token", shown.as_str()),
            ];
            pairs.extend(more);
            token(issuer, &pairs).await.json()
        }
    };
    let second = refresh(first.clone(), vec![("scope", "notes:read")]).await;
    assert_eq!(second["scope"], "notes:read");
    let second = second["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(refresh(first, vec![]).await["error"], "invalid_grant");
    assert_eq!(
        refresh(second, vec![]).await["error"],
        "invalid_grant",
        "the thief's, or ours"
    );
}

#[tokio::test]
async fn a_machine_needs_its_secret() {
    let issuer = started(DevIssuer::new()).await;
    let ask = |secret: &str| {
        query(&[
            ("grant_type", "client_credentials"),
            ("client_id", "machine"),
            ("client_secret", secret),
            ("scope", "notes:read"),
        ])
    };
    for wrong in ["", "x"] {
        let answer = send(&issuer, "POST /token", "", &ask(wrong)).await;
        assert_eq!(answer.status, 401, "{wrong}");
    }
    let secret = issuer.machine_secret().expose_secret().to_owned();
    let answer = send(&issuer, "POST /token", "", &ask(&secret)).await;
    assert_eq!(answer.status, 200);
    assert!(answer.json()["refresh_token"].is_null());
    let other = issuer.token("alice", "", "https://other.example/mcp");
    assert!(other.unwrap_err().to_string().contains("help:"));
}
