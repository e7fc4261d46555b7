//! The page as others reach it: behind TLS of the server's own, and behind a proxy that ends it.

use std::path::PathBuf;

use mcp_secure::auth::api_keys::{KeyFile, Lifetime, NewKey};
use serde_json::{Value, json};
use url::Url;

use crate::{
    chromium::Chromium,
    client::Client,
    cookies::send,
    http::Answer,
    world::{QUESTION, Server, text, url_mode},
};

/// A certificate for loopback, which vouches for itself.
fn certificate(folder: &tempfile::TempDir) -> (PathBuf, PathBuf) {
    let names = vec!["127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let (chain, key) = (
        folder.path().join("chain.pem"),
        folder.path().join("key.pem"),
    );
    std::fs::write(&chain, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    (chain, key)
}

/// The official client and a real browser, both over TLS.
#[test]
fn behind_tls_the_cookie_is_the_hosts_alone_and_the_form_is_taken() {
    let Some(mut chromium) = Chromium::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = certificate(&folder);
    let server = Server::start(json!({ "tls": [chain, key] }));
    let asked = json!({
        "generation": "2026-07-28",
        "url": format!("https://{}/mcp", server.address),
        "token": server.token(),
        "tool": "append",
        "arguments": { "line": "over TLS" },
    });
    let trusted = [("NODE_EXTRA_CA_CERTS", chain.display().to_string())];
    let mut client = Client::start(&asked, &trusted);
    let link = client.link();
    let origin = format!("https://{}/approve/", server.address);
    assert!(link.starts_with(&origin), "{link}");
    let tab = chromium.fresh();
    chromium.trusting(&tab);
    chromium.go(&tab, &link);
    chromium.until(&tab, "over TLS");
    let cookies = chromium.cookies(&tab);
    let session = cookies
        .iter()
        .find(|cookie| cookie["name"] == "__Host-mcp-secure-person")
        .unwrap_or_else(|| panic!("{cookies:?}"));
    for (what, is) in [
        ("secure", json!(true)),
        ("httpOnly", json!(true)),
        ("sameSite", json!("Strict")),
        ("path", json!("/")),
    ] {
        assert_eq!(session[what], is, "{session}");
    }
    chromium.click(&tab, "button.approve", 1);
    chromium.until(&tab, "Approved");
    client.answer("accept");
    let said = client.next();
    assert_eq!(said["outcome"]["text"], "appended", "{said}");
    assert_eq!(server.log(), ["over TLS"]);
}

const NAME: &str = "mcp.example";

/// A request as the proxy passes it on.
fn passed(server: &Server, line: &str, more: &str, body: &str) -> Answer {
    let head = format!("{line} HTTP/1.1\r\nHost: {NAME}\r\nX-Forwarded-For: 203.0.113.9{more}");
    send(&server.address, &head, body)
}

fn called(server: &Server, key: &str, more: Value) -> Value {
    let mut params = json!({ "name": "append", "arguments": { "line": "by proxy" } });
    for (name, value) in more.as_object().unwrap() {
        params[name] = value.clone();
    }
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": url_mode(),
    });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let more = format!(
        "\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n\
         MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: append\r\n\
         Authorization: Bearer {key}"
    );
    passed(server, "POST /mcp", &more, &body.to_string()).json()
}

#[test]
fn behind_a_proxy_the_page_is_at_its_name_and_takes_forms_of_that_alone() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys/keys.json");
    let alice = NewKey::new("alice", Lifetime::NoExpiry).scopes(["files:write"]);
    let key = KeyFile::at(&keys).add(&alice).unwrap();
    let key = key.secret.reveal();
    let server = Server::start(json!({ "proxy": ["127.0.0.1", NAME], "keys": keys }));
    let reply = called(&server, key, json!({}));
    let question = &reply["result"]["inputRequests"][QUESTION]["params"];
    let link = question["url"]
        .as_str()
        .unwrap_or_else(|| panic!("{reply}"));
    assert!(link.starts_with("https://mcp.example/approve/"), "{link}");
    let path = Url::parse(link).unwrap().path().to_owned();
    let page = passed(&server, &format!("GET {path}"), "", "");
    assert_eq!(page.status, 200, "{page:?}");
    let hsts = page.header("strict-transport-security");
    assert_eq!(hsts, Some("max-age=31536000"));
    let cookie = page.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-mcp-secure-person="), "{cookie}");
    assert!(
        cookie.contains("; Secure") && cookie.contains("; Path=/;"),
        "{cookie}"
    );
    assert!(!cookie.contains("Domain"), "{cookie}");
    let csp = page.header("content-security-policy").unwrap();
    assert!(csp.contains("form-action 'self'"), "{csp}");
    let (cookie, _) = cookie.split_once(';').unwrap();
    let token = page.body.split("name=\"token\" value=\"").nth(1).unwrap();
    let token = token.split('"').next().unwrap();
    let form = format!("token={token}&answer=approve");
    let send = |origin: &str| {
        let more = format!(
            "\r\nContent-Type: application/x-www-form-urlencoded\r\nCookie: {cookie}\r\n\
             Origin: {origin}"
        );
        passed(&server, &format!("POST {path}"), &more, &form).status
    };
    for elsewhere in [
        "http://mcp.example",
        "https://mcp.example:8443",
        "https://mcp.example.evil.example",
        "https://127.0.0.1",
        &format!("http://{}", server.address),
    ] {
        assert_eq!(send(elsewhere), 403, "{elsewhere}");
    }
    server.refused_by("approve/origin");
    // A cookie that plain HTTP or a neighbour could have set is none.
    let planted = cookie.replace("__Host-", "");
    let more = format!("\r\nCookie: {planted}");
    let other = passed(&server, &format!("GET {path}"), &more, "");
    assert_eq!(other.status, 404, "{other:?}");
    assert_eq!(send("https://mcp.example"), 303);
    let responses = json!({
        "requestState": reply["result"]["requestState"],
        "inputResponses": { QUESTION: { "action": "accept" } },
    });
    assert_eq!(text(&called(&server, key, responses)), "appended");
    // Who does not come by the proxy is not let in.
    let head = format!("GET {path} HTTP/1.1\r\nHost: {NAME}");
    assert_ne!(crate::cookies::send(&server.address, &head, "").status, 200);
}
