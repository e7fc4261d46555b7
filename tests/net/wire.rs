//! The controls through a real server process on pipes.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    site::{Site, ok, reply},
    world::World,
};

/// What a server said, and what it wrote down.
struct Outcome {
    said: String,
    record: Value,
}

/// Starts the server, calls one tool, ends it. The environment has what an attacker would set.
fn call(world: &World, public: &str, inside: &str, tool: &str, id: &str, proxy: &str) -> Outcome {
    let dir = tempfile::tempdir().unwrap();
    let audit = dir.path().join("audit.jsonl");
    let mut child = Command::new(env!("CARGO_BIN_EXE_net-target"))
        .arg("--stdio")
        .args(["--grant", &format!("public={public}")])
        .args(["--grant", &format!("inside={inside}")])
        .arg("--audit")
        .arg(&audit)
        .env_clear()
        .env("HOME", dir.path())
        .env("NET_DNS", world.dns.address.to_string())
        .env("NET_CA", world.authority.pem())
        .envs(
            [
                "HTTP_PROXY",
                "HTTPS_PROXY",
                "ALL_PROXY",
                "http_proxy",
                "https_proxy",
                "all_proxy",
            ]
            .map(|name| (name, proxy)),
        )
        .env("SSLKEYLOGFILE", dir.path().join("keys"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut ask = |message: Value| {
        writeln!(input, "{message}").unwrap();
        if message.get("id").is_none() {
            return Value::Null;
        }
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| {
            let mut errors = String::new();
            let _ = std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut errors);
            panic!("no answer: {errors}")
        })
    };
    ask(
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"}}}),
    );
    ask(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    let answer = ask(json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call",
        "params": {"name": tool, "arguments": {"id": id}}}));
    drop(input);
    child.wait().unwrap();
    assert!(
        !dir.path().join("keys").exists(),
        "the keys of TLS were written down"
    );
    // What was recorded before an answer is in the file some milliseconds after it.
    std::thread::sleep(std::time::Duration::from_millis(50));
    let log = std::fs::read_to_string(&audit).unwrap();
    let mut records = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let record = records.rfind(|r| r.to_string().contains("\"steps\""));
    let said = answer["result"]["content"][0]["text"].as_str();
    Outcome {
        said: said.unwrap_or(&answer.to_string()).to_owned(),
        record: record.unwrap_or(Value::Null),
    }
}

/// The steps of a record, wherever it has them.
fn steps(record: &Value) -> Vec<Value> {
    match record {
        Value::Object(map) => match map.get("steps") {
            Some(Value::Array(steps)) => steps.clone(),
            _ => map.values().flat_map(steps).collect(),
        },
        _ => Vec::new(),
    }
}

fn one_step(outcome: &Outcome) -> Value {
    let [step] = <[Value; 1]>::try_from(steps(&outcome.record))
        .unwrap_or_else(|_| panic!("{}: {}", outcome.said, outcome.record));
    step
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_reads_what_is_granted_and_the_record_says_what_it_did() {
    let world = World::new(|seen| ok(seen.path().as_bytes())).await;
    let proxy = Site::new(None, |_| ok(b"proxied")).await;
    let inside = world.url("/v1");
    let address = format!("http://{}", proxy.address);
    let outcome = call(
        &world,
        &world.url("/v1"),
        &inside,
        "read_inside",
        "a b",
        &address,
    );
    assert_eq!(outcome.said, "/v1/doc/a%20b");
    assert_eq!(proxy.opened(), 0, "no proxy of the environment is asked");
    let step = one_step(&outcome);
    assert_eq!(step["kind"], "net");
    assert_eq!(step["action"], format!("GET {inside}/doc/{{id}}"));
    assert_eq!(
        (&step["outcome"], &step["detail"]),
        (&json!("ok"), &json!("200"))
    );
    assert_eq!(step["bytes_in"], 13);
    assert!(
        !outcome.record.to_string().contains("a%20b"),
        "no value is written down"
    );
}

/// The same name, the same server; only the grant does not say `allow_private`.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_inside_is_refused_and_the_record_names_the_address() {
    let world = World::hello().await;
    let url = world.url("/v1");
    let outcome = call(&world, &url, &url, "read_public", "x", "http://127.0.0.1:1");
    assert!(
        outcome.said.contains("an address that is not allowed"),
        "{} {}",
        outcome.said,
        outcome.record
    );
    assert!(
        !outcome.said.contains("127.0.0.1"),
        "the caller learns no address"
    );
    let step = one_step(&outcome);
    assert_eq!(
        (&step["outcome"], &step["control"]),
        (&json!("denied"), &json!("net/address"))
    );
    assert!(step["detail"].as_str().unwrap().contains("127.0.0.1"));
    assert_eq!(world.site.opened(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_would_leave_its_segment_is_refused() {
    let world = World::hello().await;
    let url = world.url("/v1");
    let outcome = call(
        &world,
        &url,
        &url,
        "read_inside",
        "../../admin",
        "http://127.0.0.1:1",
    );
    assert!(outcome.said.contains("slash"), "{}", outcome.said);
    assert_eq!(one_step(&outcome)["control"], "net/path");
    assert_eq!(world.site.opened(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_to_a_secret_is_not_followed() {
    let secret = Site::new(None, |_| ok(b"secret")).await;
    let location = format!("http://{}/latest/meta-data/", secret.address);
    let world = World::new(move |_| reply("302 Found", &[("location", &location)], b"moved")).await;
    let url = world.url("/v1");
    let outcome = call(&world, &url, &url, "read_inside", "x", "http://127.0.0.1:1");
    assert_eq!(outcome.said, "moved");
    assert_eq!(one_step(&outcome)["detail"], "302");
    assert_eq!(secret.opened(), 0);
}
