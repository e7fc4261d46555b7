//! SHELL: a value becomes a command.
//!
//! The twin writes a command line around what it gets and hands it to a shell, as `exec` in Node
//! and `shell=True` in Python do.

use std::{io, process::Command};

use serde_json::{Value, json};

use crate::{
    ours::{Over, Running, options},
    report::{Attack, Played, Stopped},
    scene::Scene,
    tools::PROGRAM,
    twin,
    wire::{Server, text},
};

/// The naive server; it works in its folder.
pub fn twin() {
    twin::over_stdio(|line| {
        twin::answer(&serde_json::from_str(line).ok()?, |tool, arguments| {
            let argument = |name: &str| match &arguments[name] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let line = match tool {
                "fetch" => format!("{PROGRAM} fetch \"{}\"", argument("key")),
                "open_url" => format!("{PROGRAM} open \"{}\"", argument("url")),
                "describe" => format!(
                    "{PROGRAM} describe {} {}",
                    argument("kind"),
                    argument("name")
                ),
                "exec_in_pod" => argument("command"),
                "query" => format!("{PROGRAM} query --query '{}'", argument("query")),
                "look_up" => format!("{PROGRAM} look-up {}", argument("name")),
                "tap" => format!("{PROGRAM} tap --duration {}", argument("duration")),
                "who_listens" => format!("{PROGRAM} list --port {}", argument("port")),
                "convert" => format!("{PROGRAM} convert {}", argument("path")),
                // Its list of allowed programs looks at the first word.
                "list" => {
                    let command = argument("filter");
                    if !command.starts_with("aws ") {
                        return Err(io::Error::other("not allowed"));
                    }
                    command.replacen("aws", PROGRAM, 1)
                }
                "run_command" => argument("command"),
                _ => return Err(io::Error::other("unknown tool")),
            };
            let output = Command::new("sh").arg("-c").arg(line).output()?;
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        })
    });
}

pub fn attacks() -> Vec<Attack> {
    let mut attacks: Vec<Attack> = CALLS
        .iter()
        .map(|call| Attack::new(call.advisory, "", call.words, || call.play()))
        .collect();
    for (advisory, command) in [
        ("CVE-2026-55581", "/bin/bash -c 'touch planted'"),
        ("CVE-2025-61492", "touch planted"),
    ] {
        attacks.push(Attack::new(
            advisory,
            "",
            "a shell is among the programs that are allowed",
            || a_shell_is_allowed(command),
        ));
    }
    attacks
}

/// One call of a tool whose argument is a command as well.
struct Call {
    advisory: &'static str,
    words: &'static str,
    tool: &'static str,
    arguments: &'static str,
    ours: Ours,
}

enum Ours {
    /// By this control.
    Refuses(&'static str),
    /// It arrives as this word, and nothing reads it as more.
    Passes(&'static str),
}

impl Call {
    fn play(&self) -> Played {
        let arguments: Value = serde_json::from_str(self.arguments).unwrap();
        let planted = |scene: &Scene| scene.root.join("planted").exists();
        {
            let scene = Scene::new();
            let mut twin = Server::start("twin shell", [""; 0], &scene);
            twin.initialize();
            let answer = twin.call(self.tool, arguments.clone());
            assert!(planted(&scene), "the twin was not exploited: {answer}");
        }
        let scene = Scene::new();
        let mut ours = Running::start_as("ours tools", Over::Stdio, &scene, &json!({}));
        let (answer, caller) = ours.call(self.tool, arguments);
        assert!(!planted(&scene), "{answer}");
        let stopped = match self.ours {
            Ours::Refuses(control) => {
                let record = ours.refused_by(control);
                assert_eq!(record["target"], self.tool);
                Stopped::Refused(record)
            }
            Ours::Passes(word) => {
                assert_eq!(answer["result"]["isError"], false, "{answer}");
                let calls = std::fs::read_to_string(scene.root.join("calls")).unwrap();
                assert!(calls.contains(&format!("{word:?}")), "{calls}");
                let record = ours.record("of the call", |record| {
                    record["target"] == self.tool && record["outcome"] == "ok"
                });
                assert_eq!(record["steps"][0]["kind"], "exec", "{record}");
                assert!(!record.to_string().contains("planted"), "{record}");
                Stopped::Harmless("no shell reads it", record)
            }
        };
        assert!(!planted(&scene));
        ours.still_works();
        Played {
            transport: Over::Stdio.name(),
            twin: "ran a command of the caller's".to_owned(),
            caller,
            stopped,
        }
    }
}

const CALLS: &[Call] = &[
    Call {
        advisory: "CVE-2025-53967",
        words: "the key of a file is a command substitution",
        tool: "fetch",
        arguments: r#"{ "key": "$(touch planted)" }"#,
        ours: Ours::Passes("$(touch planted)"),
    },
    Call {
        advisory: "CVE-2025-10619",
        words: "the address to sign in at is a command",
        tool: "open_url",
        arguments: r#"{ "url": "https://a.example/\"; touch planted; \"" }"#,
        ours: Ours::Passes("https://a.example/\"; touch planted; \""),
    },
    Call {
        advisory: "CVE-2025-54074",
        words: "the address to sign in at is a command substitution",
        tool: "open_url",
        arguments: r#"{ "url": "https://a.example/$(touch planted)" }"#,
        ours: Ours::Passes("https://a.example/$(touch planted)"),
    },
    Call {
        advisory: "CVE-2025-53355",
        words: "the name of a resource ends the command and begins another",
        tool: "describe",
        arguments: r#"{ "kind": "pod", "name": "x; touch planted", "namespace": "default" }"#,
        ours: Ours::Refuses("validate/schema"),
    },
    Call {
        advisory: "CVE-2025-66404",
        words: "a command is one text for a shell",
        tool: "exec_in_pod",
        arguments: r#"{ "command": "ls; touch planted" }"#,
        ours: Ours::Refuses("validate/schema"),
    },
    Call {
        advisory: "CVE-2025-59834",
        words: "the name of a device ends the command and begins another",
        tool: "look_up",
        arguments: r#"{ "name": "x; touch planted" }"#,
        ours: Ours::Refuses("validate/schema"),
    },
    Call {
        advisory: "CVE-2025-54073",
        words: "the name of a package ends the command and begins another",
        tool: "look_up",
        arguments: r#"{ "name": "x;touch planted" }"#,
        ours: Ours::Refuses("validate/schema"),
    },
    Call {
        advisory: "CVE-2026-0756",
        words: "the name of a repository ends the command and begins another",
        tool: "look_up",
        arguments: r#"{ "name": "a;touch planted" }"#,
        ours: Ours::Refuses("validate/schema"),
    },
    Call {
        advisory: "CVE-2025-53100",
        words: "the name of a collection is a command substitution",
        tool: "fetch",
        arguments: r#"{ "key": "`touch planted`" }"#,
        ours: Ours::Passes("`touch planted`"),
    },
    Call {
        advisory: "CVE-2025-52573",
        words: "a duration ends the command and begins another",
        tool: "tap",
        arguments: r#"{ "duration": "1; touch planted" }"#,
        ours: Ours::Refuses("validate/schema"),
    },
    Call {
        advisory: "CVE-2025-54994",
        words: "a port ends the command and begins another",
        tool: "who_listens",
        arguments: r#"{ "port": "3000;touch planted" }"#,
        ours: Ours::Refuses("validate/schema"),
    },
    Call {
        advisory: "CVE-2025-58358",
        words: "the name of a file ends the command and begins another",
        tool: "convert",
        arguments: r#"{ "path": "x.pdf; touch planted" }"#,
        ours: Ours::Passes("./x.pdf; touch planted"),
    },
    Call {
        advisory: "CVE-2026-5058",
        words: "the first word is allowed, and the rest goes to a shell",
        tool: "list",
        arguments: r#"{ "filter": "aws s3 ls; touch planted" }"#,
        ours: Ours::Passes("--filter=aws s3 ls; touch planted"),
    },
    Call {
        advisory: "CVE-2025-66401",
        words: "the address of a repository ends the command and begins another",
        tool: "fetch",
        arguments: r#"{ "key": "https://a.example\"; touch planted; #" }"#,
        ours: Ours::Passes("https://a.example\"; touch planted; #"),
    },
    Call {
        advisory: "CVE-2026-25546",
        words: "the path of a project is a command substitution",
        tool: "convert",
        arguments: r#"{ "path": "$(touch planted)" }"#,
        ours: Ours::Passes("./$(touch planted)"),
    },
    Call {
        advisory: "CVE-2026-26029",
        words: "a query ends its quotes",
        tool: "query",
        arguments: r#"{ "query": "x'; touch planted; '" }"#,
        ours: Ours::Passes("--query=x'; touch planted; '"),
    },
    Call {
        advisory: "CVE-2026-55071",
        words: "the name of a package has a second line",
        tool: "look_up",
        arguments: r#"{ "name": "x\ntouch planted" }"#,
        ours: Ours::Refuses("validate/schema"),
    },
    Call {
        advisory: "CVE-2026-30635",
        words: "the name of a task ends the command and begins another",
        tool: "look_up",
        arguments: r#"{ "name": "; touch planted" }"#,
        ours: Ours::Refuses("validate/schema"),
    },
    Call {
        advisory: "CVE-2025-15063",
        words: "the name of a model ends the command and begins another",
        tool: "look_up",
        arguments: r#"{ "name": "x; touch planted" }"#,
        ours: Ours::Refuses("validate/schema"),
    },
];

/// With us a program is a grant, and this one does not start.
fn a_shell_is_allowed(command: &str) -> Played {
    let scene = Scene::new();
    let mut twin = Server::start("twin shell", [""; 0], &scene);
    twin.initialize();
    let answer = twin.call("run_command", json!({ "command": command }));
    assert!(scene.root.join("planted").exists(), "{}", text(&answer));

    let scene = Scene::new();
    let options = options(Over::Stdio, &scene.root, &scene);
    let mut ours = Server::start("ours tools, with a shell", options, &scene);
    assert!(!ours.ended(), "the server started with a shell");
    let caller = ours.errors();
    let caller = caller.lines().next().unwrap_or_default().to_owned();
    assert!(caller.contains("`bash` runs other programs"), "{caller}");
    Played {
        transport: "none",
        twin: "ran a command of the caller's".to_owned(),
        caller,
        stopped: Stopped::AtTheStart("the check of a program"),
    }
}
