//! Killed at any moment, with calls under way.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, Write as _},
    time::Duration,
};

use serde_json::{Value, json};

use crate::scene::*;

/// `MCP_SECURE_CRASH_ROUNDS=200` for the long run.
fn rounds() -> u64 {
    let asked = std::env::var("MCP_SECURE_CRASH_ROUNDS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(12)
}

#[test]
fn a_server_that_is_killed_under_load_has_a_record_of_each_effect() {
    let scene = Scene::configured("checkpoint_records = 16");
    let mut answered = BTreeSet::new();
    let mut torn = 0;
    for round in 0..rounds() {
        let mut server = scene.start();
        let mut stdin = server.stdin.take().unwrap();
        let writer = std::thread::spawn(move || {
            for n in 0..100_000 {
                let name = format!("r{round}n{n}");
                let (tool, arguments) = match n % 3 {
                    0 => ("echo", json!({ "text": name })),
                    _ => ("leave", json!({ "name": name })),
                };
                let call = json!({ "jsonrpc": "2.0", "id": name, "method": "tools/call",
                    "params": { "name": tool, "arguments": arguments } });
                if writeln!(stdin, "{call}").is_err() {
                    break;
                }
            }
        });
        // At another moment in each round.
        let pid = server.child.id();
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_micros(20_000 + round * 7919 % 150_000));
            let kill = std::process::Command::new("kill")
                .args(["-9", &pid.to_string()])
                .status();
            assert!(kill.unwrap().success());
        });
        let mut line = String::new();
        while server.stdout.read_line(&mut line).unwrap_or(0) > 0 {
            if let Ok(message) = serde_json::from_str::<Value>(&line)
                && message["result"]["content"][0]["text"] == "left"
            {
                answered.insert(message["id"].as_str().unwrap().to_owned());
            }
            line.clear();
        }
        killer.join().unwrap();
        writer.join().unwrap();
        server.child.wait().unwrap();
        torn += usize::from(!scene.text().ends_with('\n'));
    }
    let server = scene.start();
    server.end();
    let seen = scene.verify();
    assert!(seen.findings.is_empty(), "{:?}", seen.findings);

    // Whatever was done has its intent, whether or not the answer got out.
    let records = scene.records();
    let intents = records.iter().filter(|r| r["event"] == "intent").count();
    let done = std::fs::read_dir(scene.path("files")).unwrap().count();
    assert!(answered.len() > 2 * rounds() as usize, "{}", answered.len());
    assert!(
        answered.len() <= done && done <= intents,
        "{} {done} {intents}",
        answered.len()
    );
    let repairs = records.iter().filter(|r| r["event"] == "repair").count();
    assert_eq!(repairs, torn);
    let opened = records.iter().filter(|r| r["event"] == "opened").count();
    assert_eq!(opened as u64, rounds());
}

#[test]
fn half_a_line_at_the_end_is_set_aside_and_reported() {
    let scene = Scene::new();
    let mut server = scene.start();
    assert!(server.leave("one"));
    server.kill();
    let whole = scene.text();
    // Back to where the last line was half written; the state is older than that.
    let end = whole.trim_end().rfind('\n').unwrap() + 1;
    let cut = (end + whole.len()) / 2;
    std::fs::write(scene.log(), &whole[..cut]).unwrap();
    let server = scene.start();
    server.end();
    assert_eq!(scene.kinds(), []);
    let repair = scene
        .records()
        .into_iter()
        .find(|r| r["event"] == "repair")
        .unwrap();
    assert_eq!(repair["bytes"], (cut - end) as u64);
    let aside = scene.path("state").join(repair["file"].as_str().unwrap());
    assert_eq!(std::fs::read_to_string(aside).unwrap(), whole[end..cut]);
}

#[test]
fn a_server_that_is_told_to_end_writes_what_it_has() {
    let scene = Scene::new();
    let mut server = scene.start();
    for _ in 0..50 {
        server.call("echo", json!({ "text": "x" }));
    }
    let pid = server.child.id().to_string();
    std::process::Command::new("kill")
        .arg(pid)
        .status()
        .unwrap();
    server.child.wait().unwrap();
    let records = scene.records();
    assert_eq!(records.iter().filter(|r| r["target"] == "echo").count(), 50);
    assert_eq!(records[records.len() - 2]["event"], "closed");
    assert_eq!(scene.kinds(), []);
}
