//! Writers at the same time, and writers that are killed.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use mcp_secure::vault::{Placement, VaultKey};

use crate::scene::Scene;

fn writer(scene: &Scene, how: &str, name: &str, count: usize) -> Child {
    Command::new(env!("CARGO_BIN_EXE_vault-writer"))
        .arg(how)
        .arg(scene.at("vault/v"))
        .arg(scene.at("keys"))
        .args([name, &count.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn three_writers_at_once_lose_nothing() {
    let scene = Scene::new();
    scene.filled("https://api.example");
    let writers: Vec<Child> = ["a", "b", "c"]
        .iter()
        .map(|name| writer(&scene, "set", name, 50))
        .collect();
    for writer in writers {
        let done = writer.wait_with_output().unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
    assert_eq!(scene.anchored().list(&scene.key()).unwrap().len(), 153);
}

/// How often; `VAULT_KILLS` says another number.
fn rounds() -> usize {
    let asked = std::env::var("VAULT_KILLS").ok();
    asked.and_then(|n| n.parse().ok()).unwrap_or(30)
}

/// Each opens with one of the two keys, has all that was there, and all that was said to be
/// stored. `true`: with the second key.
fn whole(scene: &Scene, entries: &[String]) -> bool {
    let second = VaultKey::file(scene.at("keys/1"));
    let (listed, is_second) = match scene.anchored().list(&scene.key()) {
        Ok(listed) => (listed, false),
        Err(first) => match scene.anchored().list(&second) {
            Ok(listed) => (listed, true),
            Err(error) => panic!("{first}\n{error}"),
        },
    };
    for entry in entries {
        assert!(
            listed.iter().any(|e| e.name() == entry),
            "`{entry}` is lost"
        );
    }
    is_second
}

#[test]
fn a_writer_that_is_killed_leaves_a_whole_vault() {
    let scene = Scene::new();
    scene.filled("https://api.example");
    let mut expected: Vec<String> = ["token", "key", "pair"].map(str::to_owned).to_vec();
    let (mut killed, mut changes) = (0, [0; 3]);
    for round in 0..rounds() {
        for (kind, how) in ["set", "rotate", "rewrap"].into_iter().enumerate() {
            let name = format!("r{round}");
            let mut child = writer(&scene, how, &name, 100_000);
            let lines = BufReader::new(child.stdout.take().unwrap());
            let mut done = Vec::new();
            // In the middle of what it writes, and elsewhere in it each time.
            let moment = Duration::from_micros((round as u64 * 7_919 + 131) % 16_000);
            let pid = rustix::process::Pid::from_child(&child);
            let mut killer = None;
            for line in lines.lines().map_while(Result::ok) {
                done.push(line);
                killer.get_or_insert_with(|| {
                    std::thread::spawn(move || {
                        std::thread::sleep(moment);
                        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
                    })
                });
            }
            killer.unwrap().join().unwrap();
            let status = child.wait().unwrap();
            killed += usize::from(!status.success());
            changes[kind] += done.len();
            if how == "set" {
                expected.extend(done.iter().map(|n| format!("{name}.{n}")));
            }
            if whole(&scene, &expected) {
                let second = VaultKey::file(scene.at("keys/1"));
                scene
                    .anchored()
                    .rewrap(&second, &scene.key(), false)
                    .unwrap();
            }
        }
    }
    assert_eq!(killed, 3 * rounds());
    println!("{killed} kills among {changes:?} changes");
    assert!(
        changes.iter().all(|n| *n >= rounds()),
        "killed before it wrote anything: {changes:?}"
    );
    // What the killed ones left behind is gone after the next change.
    scene.store(
        &scene.anchored(),
        "last",
        Placement::Bearer,
        "https://api.example",
        "a-last-secret",
    );
    let left: Vec<_> = std::fs::read_dir(scene.at("vault"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("draft"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
