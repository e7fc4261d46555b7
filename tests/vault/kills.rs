//! Writers at the same time, and writers that are killed.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use mcp_secure::vault::{Owner, Placement, VaultKey};

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

/// Kills it in the middle of what it writes, and elsewhere in it each time: how it ended, and
/// what it said was done.
fn killed_after(mut child: Child, round: usize) -> (ExitStatus, Vec<String>) {
    let lines = BufReader::new(child.stdout.take().unwrap());
    let mut done = Vec::new();
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
    (child.wait().unwrap(), done)
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
            let (status, done) = killed_after(writer(&scene, how, &name, 100_000), round);
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

/// Storing, and moving all callers to another root.
#[test]
fn a_writer_that_is_killed_leaves_what_callers_have_whole() {
    let scene = Scene::new();
    scene.filled("https://api.example");
    let folder = scene.at("keys/people");
    let mut newest = [0_u32; 3];
    let mut halves = 0;
    for round in 0..rounds() {
        let (status, done) = killed_after(writer(&scene, "people", "-", 100_000), round);
        assert!(!status.success());
        for line in &done {
            let Some((who, rest)) = line.strip_prefix("caller-").and_then(|l| l.split_once(' '))
            else {
                continue;
            };
            let version = rest.split(' ').next().unwrap().parse().unwrap();
            newest[who.parse::<usize>().unwrap()] = version;
        }
        if scene.anchored().people(&scene.key(), &folder).is_err() {
            halves += 1;
        }
        // Goes on where it was stopped, if it was.
        scene
            .anchored()
            .rotate_people(&scene.key(), &folder, None)
            .unwrap();
        let people = scene.anchored().people(&scene.key(), &folder).unwrap();
        for (who, version) in newest
            .iter()
            .enumerate()
            .filter(|(_, version)| **version > 0)
        {
            let owner = Owner::new("local", format!("caller-{who}")).unwrap();
            let has = people.list(&owner).unwrap();
            assert!(has[0].version() >= *version, "{who}: {version}");
        }
    }
    println!("{} kills, {halves} of them with callers half way", rounds());
}
