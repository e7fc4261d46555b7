//! LINK: a link leaves the folder.
//!
//! The twin takes `..` out of the text and compares prefixes, as most servers do; then it
//! opens what the text leads to.

use std::{
    env, fs, io,
    path::{Component, Path, PathBuf},
};

use serde_json::json;

use crate::{
    ours::{Over, Running},
    report::{Attack, Played, Stopped},
    scene::Scene,
    twin,
    wire::Server,
};

/// The naive server; its argument is the folder.
pub fn twin() {
    let root = PathBuf::from(env::args().nth(1).unwrap());
    twin::over_stdio(|line| {
        twin::answer(&serde_json::from_str(line).ok()?, |tool, arguments| {
            let argument = |name: &str| arguments[name].as_str().unwrap_or_default().to_owned();
            match tool {
                "read_file" => fs::read_to_string(inside(&root, &argument("path"))?),
                "save_file" => {
                    let path = format!("{}/{}", argument("folder"), argument("name"));
                    fs::write(inside(&root, &path)?, argument("text"))?;
                    Ok("saved".to_owned())
                }
                _ => Err(io::Error::other("unknown tool")),
            }
        })
    });
}

/// The path as text, and it is below the root as text.
fn inside(root: &Path, path: &str) -> io::Result<PathBuf> {
    let mut resolved = PathBuf::new();
    for component in root.join(path).components() {
        match component {
            Component::ParentDir => drop(resolved.pop()),
            Component::CurDir => {}
            other => resolved.push(other),
        }
    }
    if resolved.starts_with(root) {
        Ok(resolved)
    } else {
        Err(io::Error::other("access denied"))
    }
}

pub fn attacks() -> Vec<Attack> {
    let mut attacks = Vec::new();
    for over in [Over::Stdio, Over::Http] {
        let name = over.name();
        attacks.push(Attack::new(
            "CVE-2025-67364",
            name,
            "a link in the folder leads to the whole machine",
            move || read_through_a_link(over),
        ));
        attacks.push(Attack::new(
            "CVE-2026-53765",
            name,
            "a link waits where the server will write its file",
            move || write(over, ".", "daemon.pid"),
        ));
        attacks.push(Attack::new(
            "CVE-2026-12958",
            name,
            "a repository brings a link to a folder outside, and a file is saved in it",
            move || write(over, "repo/docs", "notes"),
        ));
    }
    attacks
}

fn read_through_a_link(over: Over) -> Played {
    let scene = scene();
    let arguments = json!({ "path": "link/etc/passwd" });

    let mut twin = Server::start("twin link", [&scene.root], &scene);
    twin.initialize();
    let answer = twin.call("read_file", arguments.clone());
    assert!(
        answer.to_string().contains(&scene.canary),
        "the twin was not exploited: {answer}"
    );

    let mut ours = Running::start(over, &scene);
    let (answer, caller) = ours.call("read_file", arguments);
    assert!(!answer.to_string().contains(&scene.canary), "{answer}");
    let record = ours.refused_by("fs/escape");
    ours.still_works();
    Played {
        transport: over.name(),
        twin: "sent the secret".to_owned(),
        caller,
        stopped: Stopped::Refused(record),
    }
}

fn write(over: Over, folder: &str, name: &str) -> Played {
    let arguments = json!({ "folder": folder, "name": name, "text": "4711" });
    // Behind both links lies the same file.
    let is_intact = |scene: &Scene| {
        fs::read_to_string(scene.path("outside/victim/notes")).unwrap() == scene.canary
    };

    let first = scene();
    let mut twin = Server::start("twin link", [&first.root], &first);
    twin.initialize();
    let answer = twin.call("save_file", arguments.clone());
    assert!(!is_intact(&first), "the twin was not exploited: {answer}");

    let second = scene();
    let mut ours = Running::start(over, &second);
    let (_, caller) = ours.call("save_file", arguments);
    assert!(is_intact(&second), "{caller}");
    let record = ours.refused_by("fs/symlink");
    ours.still_works();
    Played {
        transport: over.name(),
        twin: "overwrote a file outside its folder".to_owned(),
        caller,
        stopped: Stopped::Refused(record),
    }
}

fn scene() -> Scene {
    let scene = Scene::new();
    scene.write("outside/victim/notes", &scene.canary);
    scene.symlink(scene.path("outside"), "srv/root/link");
    scene.symlink(scene.path("outside/victim/notes"), "srv/root/daemon.pid");
    scene.symlink(scene.path("outside/victim"), "srv/root/repo/docs");
    scene
}
