//! The git server as clients reach it, on repositories that were made to attack it. Each attack
//! first runs as naive servers run git, and must succeed there.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

use std::{
    fs,
    io::{BufRead as _, BufReader, Lines, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

/// A repository with two commits and a change, a folder beside it, and a server on it.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("git-").tempdir().unwrap();
        let scene = Self { folder };
        for made in ["repo", "outside", "state"] {
            fs::create_dir(scene.path(made)).unwrap();
        }
        scene.git("init -q -b main");
        scene.write("repo/boat.md", "Paint the boat.\n");
        scene.commit("first");
        scene.write("repo/boat.md", "Paint the boat red.\n");
        scene.commit("second");
        scene.write("repo/boat.md", "Paint the boat blue.\n");
        scene.write("outside/payload", "");
        let payload = scene.path("outside/payload");
        // Whatever starts it, and whatever it is given: it leaves a mark.
        fs::write(
            &payload,
            format!("#!/bin/sh\ntouch {}\n", scene.marker().display()),
        )
        .unwrap();
        fs::set_permissions(payload, fs::Permissions::from_mode(0o755)).unwrap();
        scene
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(path)
    }

    fn marker(&self) -> PathBuf {
        self.path("outside/marker")
    }

    fn payload(&self) -> String {
        self.path("outside/payload").display().to_string()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn hook(&self, name: &str) {
        let hook = self.path("repo/.git/hooks").join(name);
        fs::create_dir_all(hook.parent().unwrap()).unwrap();
        fs::copy(self.path("outside/payload"), hook).unwrap();
    }

    fn config(&self, name: &str, value: &str) {
        self.naive(&["config", name, value]);
    }

    /// Git as naive servers start it: in the folder, with these words.
    fn naive(&self, args: &[&str]) -> String {
        let output = Command::new("/usr/bin/git")
            .args(args)
            .current_dir(self.path("repo"))
            .env("HOME", self.path("outside"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&text).into_owned()
    }

    /// The same, with words in one text.
    fn git(&self, args: &str) -> String {
        self.naive(&args.split(' ').collect::<Vec<_>>())
    }

    fn commit(&self, message: &str) {
        self.git("add -A");
        self.naive(&[
            "-c",
            "user.name=n",
            "-c",
            "user.email=n@localhost",
            "commit",
            "-q",
            "-m",
            message,
        ]);
    }
}

struct Server {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    audit: PathBuf,
}

impl Server {
    fn start(scene: &Scene) -> Self {
        let audit = scene.path("state/audit.jsonl");
        let mut child = Command::new(env!("CARGO_BIN_EXE_git-server"))
            .args(["serve", "--stdio", "--grant"])
            .arg(format!("repo={}", scene.path("repo").display()))
            .arg("--audit")
            .arg(&audit)
            .env("HOME", scene.path("outside"))
            .env("XDG_RUNTIME_DIR", scene.path("state"))
            // What naive servers pass on.
            .env("GIT_SSH_COMMAND", scene.payload())
            .env("GIT_EXTERNAL_DIFF", scene.payload())
            .env("GIT_PAGER", scene.payload())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut server = Self {
            child,
            lines,
            audit,
        };
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": { "elicitation": {} },
            "clientInfo": { "name": "test", "version": "1" } });
        assert!(server.ask("initialize", params)["result"].is_object());
        server.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        server
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{message}").unwrap();
    }

    /// Sends a request and returns its answer. The person agrees to everything.
    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }));
        loop {
            let line = self.lines.next().unwrap().unwrap();
            let message: Value = serde_json::from_str(&line).unwrap();
            if message["method"] != "elicitation/create" {
                return message;
            }
            let agreed = json!({ "action": "accept", "content": { "approve": true } });
            self.send(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": agreed }));
        }
    }

    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask(
            "tools/call",
            json!({ "name": tool, "arguments": arguments }),
        )
    }

    /// Everything that the server can do.
    fn call_all(&mut self) -> Vec<(&'static str, Value)> {
        [
            ("status", json!({})),
            ("log", json!({ "revision": "main", "path": ".", "most": 5 })),
            ("show", json!({ "revision": "HEAD" })),
            ("diff", json!({ "since": "HEAD", "path": "." })),
            ("commit", json!({ "path": "boat.md", "message": "third" })),
        ]
        .map(|(tool, arguments)| (tool, self.call(tool, arguments)))
        .into()
    }

    fn records(&self) -> Vec<Value> {
        // What was recorded before an answer is in the file some milliseconds after it.
        std::thread::sleep(std::time::Duration::from_millis(50));
        let log = fs::read_to_string(&self.audit).unwrap();
        log.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer}"))
}

#[test]
fn a_plain_repository_is_shown_and_committed_to() {
    let scene = Scene::new();
    let mut server = Server::start(&scene);
    let answers = server.call_all();
    let said = |tool| text(&answers.iter().find(|(name, _)| *name == tool).unwrap().1);
    assert_eq!(said("status"), "## main\n M boat.md\n");
    let log = said("log");
    assert!(
        log.contains(" n: second\n") && log.contains(" n: first\n"),
        "{log}"
    );
    assert!(said("show").contains("+Paint the boat red."));
    assert!(said("diff").contains("+Paint the boat blue."));
    assert!(said("commit").contains("third"));
    assert!(
        scene
            .git("log --format=%an:%s -1")
            .contains("git-server:third")
    );
    let step = |record: &Value| {
        record["steps"].as_array().is_some_and(|steps| {
            steps.iter().any(|step| {
                step["action"]
                    == "git show --no-show-signature --no-ext-diff \
            --no-textconv --submodule=short"
                    && step["outcome"] == "ok"
            })
        })
    };
    let records = server.records();
    assert!(records.iter().any(step), "{records:#?}");
}

/// An argument of a caller that git would take for an option, or for a program to start.
#[test]
fn an_argument_is_never_an_option() {
    let attack = |name: &str, naive: &dyn Fn(&Scene, &str), argument: &dyn Fn(&Scene) -> String| {
        let scene = Scene::new();
        let argument = argument(&scene);
        naive(&scene, &argument);
        assert!(scene.marker().exists(), "{name}: git was not exploited");
        fs::remove_file(scene.marker()).unwrap();

        let mut server = Server::start(&scene);
        for (tool, arguments) in [
            ("diff", json!({ "since": argument, "path": "." })),
            ("show", json!({ "revision": argument })),
            (
                "log",
                json!({ "revision": argument, "path": ".", "most": 1 }),
            ),
        ] {
            let refused = server.call(tool, arguments);
            assert_eq!(refused["result"]["isError"], true, "{name}: {refused}");
        }
        // As a path and as a message it is no more than that.
        server.call("diff", json!({ "since": "HEAD", "path": argument }));
        server.call("commit", json!({ "path": "boat.md", "message": argument }));
        assert!(!scene.marker().exists(), "{name}: it came through");
        let refused = |record: &&Value| record["control"] == "validate/schema";
        assert!(
            server.records().iter().filter(refused).count() >= 3,
            "{name}"
        );
    };
    attack(
        "--output",
        &|scene, argument| drop(scene.naive(&["diff", argument])),
        &|scene| format!("--output={}", scene.marker().display()),
    );
    attack(
        "--upload-pack",
        &|scene, argument| drop(scene.naive(&["ls-remote", argument, "."])),
        &|scene| format!("--upload-pack={}", scene.payload()),
    );
    attack(
        "-c alias",
        &|scene, argument| drop(scene.naive(&["-c", argument, "x"])),
        &|scene| format!("alias.x=!{}", scene.payload()),
    );
    attack(
        "ext::",
        &|scene, argument| {
            drop(scene.naive(&["-c", "protocol.ext.allow=always", "ls-remote", argument]));
        },
        &|scene| format!("ext::{}", scene.payload()),
    );
    attack(
        "--open-files-in-pager",
        &|scene, argument| drop(scene.naive(&["grep", argument, "boat"])),
        &|scene| format!("--open-files-in-pager={}", scene.payload()),
    );
    attack(
        "--exec",
        &|scene, argument| drop(scene.naive(&["archive", "--remote=.", argument, "HEAD"])),
        &|scene| format!("--exec={}", scene.payload()),
    );
}

/// A repository whose settings, attributes or hooks start a program.
struct Hostile {
    name: &'static str,
    make: fn(&Scene),
    naive: &'static [&'static str],
}

const HOSTILE: &[Hostile] = &[
    Hostile {
        name: "core.fsmonitor",
        make: |scene| scene.config("core.fsmonitor", &scene.payload()),
        naive: &["status"],
    },
    Hostile {
        name: "core.fsmonitor in an included file",
        make: |scene| {
            scene.config("include.path", "more");
            scene.write(
                "repo/.git/more",
                &format!("[core]\nfsmonitor = {}\n", scene.payload()),
            );
        },
        naive: &["status"],
    },
    Hostile {
        name: "core.fsmonitor for this worktree",
        make: |scene| {
            scene.config("extensions.worktreeConfig", "true");
            scene.write(
                "repo/.git/config.worktree",
                &format!("[core]\nfsmonitor = {}\n", scene.payload()),
            );
        },
        naive: &["status"],
    },
    Hostile {
        name: "core.fsmonitor in a submodule",
        make: |scene| {
            scene.git("init -q sub");
            scene.write("repo/sub/a", "a");
            scene.git("-C sub add a");
            scene.git("-C sub -c user.name=n -c user.email=n@localhost commit -q -m a");
            scene.commit("with a submodule");
            scene.git(&format!("-C sub config core.fsmonitor {}", scene.payload()));
            let _ = fs::remove_file(scene.marker());
        },
        naive: &["status"],
    },
    Hostile {
        name: "diff.external",
        make: |scene| scene.config("diff.external", &scene.payload()),
        naive: &["diff", "HEAD"],
    },
    Hostile {
        name: "textconv by attribute",
        make: |scene| {
            scene.write("repo/.gitattributes", "* diff=x\n");
            scene.commit("attributes");
            scene.config("diff.x.textconv", &scene.payload());
            scene.write("repo/boat.md", "Paint it black.\n");
        },
        naive: &["diff", "HEAD"],
    },
    Hostile {
        name: "a diff driver by attribute",
        make: |scene| {
            scene.write("repo/.git/info/attributes", "* diff=x\n");
            scene.config("diff.x.command", &scene.payload());
        },
        naive: &["diff", "HEAD"],
    },
    Hostile {
        name: "a filter by attribute",
        make: |scene| {
            scene.write("repo/.git/info/attributes", "* filter=x\n");
            scene.config("filter.x.clean", &scene.payload());
        },
        naive: &["diff", "HEAD"],
    },
    Hostile {
        name: "core.sshCommand",
        make: |scene| {
            scene.config("core.sshCommand", &scene.payload());
            scene.config("remote.origin.url", "ssh://localhost/x");
        },
        naive: &["ls-remote", "origin"],
    },
    Hostile {
        name: "ext:: as a remote",
        make: |scene| {
            scene.config("protocol.ext.allow", "always");
            scene.config("remote.origin.url", &format!("ext::{}", scene.payload()));
        },
        naive: &["ls-remote", "origin"],
    },
    Hostile {
        name: "an alias",
        make: |scene| scene.config("alias.st", &format!("!{}", scene.payload())),
        naive: &["st"],
    },
    Hostile {
        name: "pre-commit",
        make: |scene| scene.hook("pre-commit"),
        naive: &[
            "-c",
            "user.name=n",
            "-c",
            "user.email=n@localhost",
            "commit",
            "-q",
            "-m",
            "x",
            "boat.md",
        ],
    },
    Hostile {
        name: "post-commit",
        make: |scene| scene.hook("post-commit"),
        naive: &[
            "-c",
            "user.name=n",
            "-c",
            "user.email=n@localhost",
            "commit",
            "-q",
            "-m",
            "x",
            "boat.md",
        ],
    },
    Hostile {
        name: "post-index-change",
        make: |scene| {
            scene.commit("third");
            // The same content at another time: the index is written anew.
            scene.write("repo/boat.md", "Paint the boat blue.\n");
            let file = fs::File::options()
                .write(true)
                .open(scene.path("repo/boat.md"))
                .unwrap();
            file.set_modified(std::time::SystemTime::UNIX_EPOCH)
                .unwrap();
            scene.hook("post-index-change");
        },
        naive: &["status"],
    },
];

#[test]
fn a_hostile_repository_starts_nothing() {
    for Hostile { name, make, naive } in HOSTILE {
        let first = Scene::new();
        make(&first);
        let said = first.naive(naive);
        assert!(
            first.marker().exists(),
            "{name}: naive git was not exploited: {said}"
        );

        let second = Scene::new();
        make(&second);
        assert!(!second.marker().exists(), "{name}");
        let before = listing(&second.path("outside"));
        let mut server = Server::start(&second);
        for (tool, answer) in server.call_all() {
            assert!(
                !second.marker().exists(),
                "{name}: {tool} started it: {answer}"
            );
        }
        assert_eq!(listing(&second.path("outside")), before, "{name}");
    }
}

/// A pager runs on a terminal only; `script` gives naive git one.
#[test]
fn a_pager_of_the_repository_is_not_started() {
    let scene = Scene::new();
    scene.config("core.pager", &scene.payload());
    let terminal = Command::new("/usr/bin/script")
        .args(["-qec", "git log", "/dev/null"])
        .current_dir(scene.path("repo"))
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    assert!(
        terminal.is_ok() && scene.marker().exists(),
        "naive git was not exploited"
    );
    fs::remove_file(scene.marker()).unwrap();
    let mut server = Server::start(&scene);
    server.call_all();
    assert!(!scene.marker().exists());
}

#[test]
fn a_repository_that_is_elsewhere_is_not_shown() {
    let scene = Scene::new();
    // A repository beside the folder, with a secret in its log.
    let secret = scene.path("outside/secret");
    fs::rename(scene.path("repo/.git"), &secret).unwrap();
    let gitfile = format!("gitdir: {}\n", secret.display());
    scene.write("repo/.git", &gitfile);
    assert!(scene.git("log").contains("second"), "the control");
    let mut server = Server::start(&scene);
    for (tool, answer) in server.call_all() {
        assert_eq!(answer["result"]["isError"], true, "{tool}: {answer}");
        assert!(!answer.to_string().contains("second"), "{tool}: {answer}");
    }
    drop(server);
    // One that borrows everything but its head from there.
    fs::remove_file(scene.path("repo/.git")).unwrap();
    scene.write("repo/.git/HEAD", "ref: refs/heads/main\n");
    scene.write("repo/.git/commondir", secret.to_str().unwrap());
    assert!(scene.git("log").contains("second"), "the control");
    let mut server = Server::start(&scene);
    for (tool, answer) in server.call_all() {
        assert_eq!(answer["result"]["isError"], true, "{tool}: {answer}");
    }
    drop(server);
    // And one that is above the folder.
    fs::remove_dir_all(scene.path("repo/.git")).unwrap();
    fs::rename(secret, scene.path(".git")).unwrap();
    assert!(scene.git("log").contains("second"), "the control");
    let mut server = Server::start(&scene);
    for (tool, answer) in server.call_all() {
        assert_eq!(answer["result"]["isError"], true, "{tool}: {answer}");
    }
}

#[test]
fn it_can_do_no_more_than_the_reviewed_manifest_says() {
    let output = Command::new(env!("CARGO_BIN_EXE_git-server"))
        .args(["manifest", "--json"])
        .output()
        .unwrap();
    let now = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        now.trim_end(),
        include_str!("../manifest.json").trim_end(),
        "see what changed, then run `cargo run -p git-server -- manifest --json > examples/git/manifest.json`"
    );
}

fn listing(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
