//! Killed at any moment, with calls under way.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, Write as _},
    time::Duration,
};

use serde_json::{Value, json};

use crate::scene::*;

/// `MCP_SECURE_CRASH_ROUNDS=200` for the long run.
fn rounds(usual: u64) -> u64 {
    let asked = std::env::var("MCP_SECURE_CRASH_ROUNDS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Kills a server under load again and again, and looks at what is left.
fn killed(scene: &Scene, rounds: u64) -> Vec<Value> {
    let mut answered = BTreeSet::new();
    for round in 0..rounds {
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
        // At another moment in each round, once it has had something to do.
        let pid = server.child.id();
        let (tell, told) = std::sync::mpsc::channel::<()>();
        let killer = std::thread::spawn(move || {
            for _ in 0..6 + round % 17 {
                // On a machine that is busy with other things, it is killed with less.
                if told.recv_timeout(Duration::from_secs(2)).is_err() {
                    break;
                }
            }
            std::thread::sleep(Duration::from_micros(round * 7919 % 20_000));
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
                let _ = tell.send(());
            }
            line.clear();
        }
        killer.join().unwrap();
        writer.join().unwrap();
        server.child.wait().unwrap();
    }
    let server = scene.start();
    server.end();
    let seen = scene.verify();
    assert!(seen.findings.is_empty(), "{:?}", seen.findings);

    // Whatever was done has its intent, whether or not the answer got out.
    let records = scene.records();
    let intents = records.iter().filter(|r| r["event"] == "intent").count();
    let done = std::fs::read_dir(scene.path("files")).unwrap().count();
    assert!(answered.len() > rounds as usize, "{}", answered.len());
    assert!(
        answered.len() <= done && done <= intents,
        "{} {done} {intents}",
        answered.len()
    );
    // What was torn is set aside, and each time a record says so.
    assert_eq!(said(&records), torn(scene));
    let opened = records.iter().filter(|r| r["event"] == "opened").count();
    assert_eq!(opened as u64, rounds);
    records
}

/// Ends that were set aside: the files, and those that records speak of.
fn torn(scene: &Scene) -> u64 {
    let beside = std::fs::read_dir(scene.path("state")).unwrap();
    let names = beside.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains(".torn-")).count() as u64
}

fn said(records: &[Value]) -> u64 {
    let repairs = records.iter().filter(|r| r["event"] == "repair");
    repairs.map(|r| 1 + r["more"].as_u64().unwrap_or(0)).sum()
}

#[test]
fn a_server_that_is_killed_under_load_has_a_record_of_each_effect() {
    killed(&Scene::configured("checkpoint_records = 16"), rounds(12));
}

#[test]
fn a_server_that_is_killed_while_segments_change_loses_none() {
    let scene = Scene::configured("checkpoint_records = 8\nsegment = \"2 KiB\"");
    let rounds = rounds(30);
    let records = killed(&scene, rounds);
    // Several began in each round, so that one was on its way in many a kill.
    let began = records.iter().filter(|r| r["event"] == "segment").count();
    assert!(began as u64 > rounds, "{began}");
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
fn a_start_that_breaks_after_it_set_an_end_aside_leaves_the_record_to_the_next() {
    let mut scene = Scene::new();
    let mut server = scene.start();
    // More than the state, which has to be written when the log cannot.
    while scene.text().len() < 20 * 1024 {
        assert!(server.leave("one"));
        server.call("echo", json!({ "text": "x" }));
    }
    server.kill();
    let whole = scene.text();
    let end = whole.trim_end().rfind('\n').unwrap() + 1;
    std::fs::write(scene.log(), &whole[..end + 40]).unwrap();
    // The disk has no room for a line that says so.
    scene.file_size = Some((end as u64).div_ceil(512) * 512);
    for _ in 0..3 {
        let said = scene.refusal();
        assert!(said.contains("cannot be written"), "{said}");
    }
    assert!(torn(&scene) >= 1);
    scene.file_size = None;
    let server = scene.start();
    server.end();
    assert_eq!(scene.kinds(), []);
    let records = scene.records();
    assert_eq!(said(&records), torn(&scene));
    let first = records.iter().find(|r| r["event"] == "repair").unwrap();
    assert_eq!(first["bytes"], 40);
}

#[test]
fn a_start_that_was_killed_while_it_made_the_keys_is_gone_on_with() {
    let scene = Scene::new();
    let elsewhere = scene.path("elsewhere.key");
    mcp_secure::audit::init(&scene.log(), &elsewhere).unwrap();
    // The state is there, the key half, what is written last not at all.
    let key = std::fs::read_to_string(&elsewhere).unwrap();
    std::fs::remove_file(scene.beside("pub")).unwrap();
    std::fs::write(scene.beside("key"), &key[..key.len() / 2]).unwrap();
    let mut server = scene.start();
    assert!(server.leave("one"));
    server.end();
    assert_eq!(std::fs::read_to_string(scene.beside("key")).unwrap(), key);
    let seen = scene.verify();
    assert!(seen.findings.is_empty() && seen.keyed, "{seen:?}");

    // The same of `audit init`, which is asked again.
    let scene = Scene::new();
    let elsewhere = scene.path("elsewhere.key");
    mcp_secure::audit::init(&scene.log(), &elsewhere).unwrap();
    let key = std::fs::read_to_string(&elsewhere).unwrap();
    std::fs::remove_file(scene.beside("pub")).unwrap();
    std::fs::write(&elsewhere, "").unwrap();
    mcp_secure::audit::init(&scene.log(), &elsewhere).unwrap();
    assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), key);
    // Keys of another log stay what they are.
    let other = Scene::new();
    assert!(mcp_secure::audit::init(&other.log(), &elsewhere).is_err());
    std::fs::write(other.beside("key"), &key).unwrap();
    let said = other.refusal();
    assert!(said.contains("is there already"), "{said}");
    assert_eq!(std::fs::read_to_string(other.beside("key")).unwrap(), key);
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
