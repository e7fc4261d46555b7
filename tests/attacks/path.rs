//! PATH: a name leaves its folder.
//!
//! The twin joins what it gets to its folder. On the way it does what the servers of the
//! advisories did: it expands `~`, and it keeps a list of closed names, which looks at the
//! start of the text only and minds the case.

use std::{env, fs, io, path::PathBuf};

use serde_json::{Value, json};

use crate::{
    ours::{Over, Running, options},
    report::{Attack, Played, Stopped},
    scene::Scene,
    twin,
    wire::{Server, text},
};

/// The naive server; its argument is the folder.
pub fn twin() {
    let root = PathBuf::from(env::args().nth(1).unwrap());
    twin::over_stdio(|line| {
        twin::answer(&serde_json::from_str(line).ok()?, |tool, arguments| {
            let argument = |name: &str| arguments[name].as_str().unwrap_or_default().to_owned();
            let resolve = |path: &str| -> io::Result<PathBuf> {
                if path.starts_with(".git/") {
                    return Err(io::Error::other("access denied"));
                }
                let home = env::var("HOME").unwrap();
                Ok(root.join(path.replacen('~', &home, 1)))
            };
            match tool {
                "read_file" => fs::read_to_string(resolve(&argument("path"))?),
                "list_folder" => {
                    let entries = fs::read_dir(resolve(&argument("path"))?)?.flatten();
                    Ok(entries
                        .map(|entry| format!("{}\n", entry.path().display()))
                        .collect())
                }
                "save_file" => {
                    let folder = resolve(&argument("folder"))?;
                    fs::write(folder.join(argument("name")), argument("text"))?;
                    Ok("saved".to_owned())
                }
                "init_repo" => {
                    fs::create_dir_all(resolve(&argument("path"))?)?;
                    Ok("initialized".to_owned())
                }
                "competition" => {
                    let folder = format!("competitions/{}", argument("id"));
                    fs::read_to_string(root.join(folder).join("data.csv"))
                }
                "install" => {
                    fs::create_dir_all(root.join("servers").join(argument("name")))?;
                    Ok("installed".to_owned())
                }
                _ => Err(io::Error::other("unknown tool")),
            }
        })
    });
}

pub fn attacks() -> Vec<Attack> {
    let mut attacks: Vec<Attack> = CALLS.iter().flat_map(Call::attacks).collect();
    attacks.push(Attack::new(
        "CVE-2026-76099",
        "",
        "the operator's configuration mounts the whole machine",
        the_whole_machine_is_granted,
    ));
    attacks
}

/// One call of a tool whose argument leads out.
struct Call {
    advisory: &'static str,
    variant: [&'static str; 2],
    words: &'static str,
    tool: &'static str,
    /// `{out}` stands for the absolute path of what is outside.
    arguments: &'static str,
    harm: Harm,
    control: &'static str,
}

enum Harm {
    /// The answer holds the secret.
    Leak,
    /// The answer holds a name of what is outside.
    Names(&'static str),
    /// This now exists, and must not.
    Made(&'static str),
}

impl Call {
    fn attacks(&'static self) -> [Attack; 2] {
        let attack = |over: Over, variant| {
            Attack::new(self.advisory, variant, self.words, move || self.play(over))
        };
        let [stdio, http] = self.variant;
        [attack(Over::Stdio, stdio), attack(Over::Http, http)]
    }

    fn play(&self, over: Over) -> Played {
        let twin = {
            let scene = scene();
            let mut twin = Server::start("twin path", [&scene.root], &scene);
            twin.initialize();
            let answer = twin.call(self.tool, self.arguments(&scene));
            self.harm.done(&scene, &answer).unwrap_or_else(|| {
                panic!("the twin was not exploited: {answer}; {}", twin.errors())
            })
        };
        let scene = scene();
        let mut ours = Running::start(over, &scene);
        let (answer, caller) = ours.call(self.tool, self.arguments(&scene));
        assert_eq!(self.harm.done(&scene, &answer), None, "{answer}");
        let host = scene.path("").to_str().unwrap().to_owned();
        assert!(
            !answer.to_string().contains(&host),
            "the host's path is shown: {answer}"
        );
        let record = ours.refused_by(self.control);
        assert_eq!(record["target"], self.tool);
        assert!(!record.to_string().contains(&scene.canary), "{record}");
        ours.still_works();
        Played {
            transport: over.name(),
            twin,
            caller,
            stopped: Stopped::Refused(record),
        }
    }

    fn arguments(&self, scene: &Scene) -> Value {
        let out = scene.outside("");
        serde_json::from_str(&self.arguments.replace("{out}", out.trim_end_matches('/'))).unwrap()
    }
}

impl Harm {
    /// What was lost, if something was.
    fn done(&self, scene: &Scene, answer: &Value) -> Option<String> {
        let answer = answer.to_string();
        match self {
            Self::Leak => answer
                .contains(&scene.canary)
                .then(|| "sent the secret".to_owned()),
            Self::Names(name) => answer
                .contains(name)
                .then(|| format!("listed `{name}` outside its folder")),
            Self::Made(path) => scene
                .path(path)
                .exists()
                .then(|| format!("made `{path}` outside its folder")),
        }
    }
}

/// The usual one, and secrets inside the folder that the policy on names keeps closed.
fn scene() -> Scene {
    let scene = Scene::new();
    for secret in [".Git/config", ".git./config", "tools/somerepo/.git/config"] {
        scene.write(&format!("srv/root/{secret}"), &scene.canary);
    }
    scene
}

const CALLS: &[Call] = &[
    Call {
        advisory: "CVE-2025-5273",
        variant: ["stdio", "http"],
        words: "an absolute path is read",
        tool: "read_file",
        arguments: r#"{ "path": "{out}/etc/passwd" }"#,
        harm: Harm::Leak,
        control: "validate/schema",
    },
    Call {
        advisory: "CVE-2026-73498",
        variant: ["stdio", "http"],
        words: "the file to upload is any file",
        tool: "read_file",
        arguments: r#"{ "path": "{out}/etc/shadow" }"#,
        harm: Harm::Leak,
        control: "validate/schema",
    },
    Call {
        advisory: "CVE-2026-40576",
        variant: ["absolute, stdio", "absolute, http"],
        words: "a workbook is read by its absolute path",
        tool: "read_file",
        arguments: r#"{ "path": "{out}/etc/shadow" }"#,
        harm: Harm::Leak,
        control: "validate/schema",
    },
    Call {
        advisory: "CVE-2026-40576",
        variant: ["dots, stdio", "dots, http"],
        words: "a workbook is read two folders up",
        tool: "read_file",
        arguments: r#"{ "path": "../../x.xlsx" }"#,
        harm: Harm::Leak,
        control: "validate/schema",
    },
    Call {
        advisory: "CVE-2026-40576",
        variant: ["write, stdio", "write, http"],
        words: "a workbook is written two folders up",
        tool: "save_file",
        arguments: r#"{ "folder": "../..", "name": "planted.xlsx", "text": "x" }"#,
        harm: Harm::Made("planted.xlsx"),
        control: "validate/schema",
    },
    Call {
        advisory: "CVE-2025-68143",
        variant: ["stdio", "http"],
        words: "a repository is made in the folder with the keys",
        tool: "init_repo",
        arguments: r#"{ "path": "{out}/home/u/.ssh/repo" }"#,
        harm: Harm::Made("outside/home/u/.ssh/repo"),
        control: "validate/schema",
    },
    Call {
        advisory: "Smithery.ai build (2025-06/10)",
        variant: ["stdio", "http"],
        words: "the folder to build is `..`",
        tool: "list_folder",
        arguments: r#"{ "path": ".." }"#,
        harm: Harm::Names("srv/root/../x"),
        control: "validate/schema",
    },
    Call {
        advisory: "CVE-2026-54561",
        variant: ["stdio", "http"],
        words: "any file is imported",
        tool: "read_file",
        arguments: r#"{ "path": "{out}/etc/passwd" }"#,
        harm: Harm::Leak,
        control: "validate/schema",
    },
    Call {
        advisory: "CVE-2026-55557",
        variant: ["stdio", "http"],
        words: "the folder to save to is the one for scheduled jobs",
        tool: "save_file",
        arguments: r#"{ "folder": "{out}/etc/cron.d", "name": "job", "text": "* * * * * x" }"#,
        harm: Harm::Made("outside/etc/cron.d/job"),
        control: "validate/schema",
    },
    Call {
        advisory: "GHSA-j4r7-8ph4-43g3",
        variant: ["tilde, stdio", "tilde, http"],
        words: "`~` is the home folder",
        tool: "read_file",
        arguments: r#"{ "path": "~/.ssh/id_rsa" }"#,
        harm: Harm::Leak,
        control: "validate/schema",
    },
    Call {
        advisory: "CVE-2026-7149",
        variant: ["stdio", "http"],
        words: "an id becomes part of a path",
        tool: "competition",
        arguments: r#"{ "id": "../../x" }"#,
        harm: Harm::Leak,
        control: "fs/path",
    },
    Call {
        advisory: "GHSA-p3h2-2j4p-p83g",
        variant: ["stdio", "http"],
        words: "the name in a bundle becomes a folder",
        tool: "install",
        arguments: r#"{ "name": "../../../planted" }"#,
        harm: Harm::Made("planted"),
        control: "fs/path",
    },
    Call {
        advisory: "CVE-2026-57441",
        variant: ["case, stdio", "case, http"],
        words: "a closed name is written in capitals",
        tool: "read_file",
        arguments: r#"{ "path": ".Git/config" }"#,
        harm: Harm::Leak,
        control: "fs/policy",
    },
    Call {
        advisory: "CVE-2026-57441",
        variant: ["dot, stdio", "dot, http"],
        words: "a closed name is written with a dot at its end",
        tool: "read_file",
        arguments: r#"{ "path": ".git./config" }"#,
        harm: Harm::Leak,
        control: "fs/policy",
    },
    Call {
        advisory: "CVE-2026-57442",
        variant: ["stdio", "http"],
        words: "a closed name is deeper in the tree",
        tool: "read_file",
        arguments: r#"{ "path": "tools/somerepo/.git/config" }"#,
        harm: Harm::Leak,
        control: "fs/policy",
    },
    Call {
        advisory: "CVE-2026-61560",
        variant: ["stdio", "http"],
        words: "the server's own environment, with its token, is read",
        tool: "read_file",
        arguments: r#"{ "path": "/proc/self/environ" }"#,
        harm: Harm::Leak,
        control: "validate/schema",
    },
];

/// A gateway took `volumes: "/:/host"` from a file. With us that is a grant, and the start.
fn the_whole_machine_is_granted() -> Played {
    let scene = Scene::new();
    let everything = std::path::Path::new("/");
    let inside = scene.outside("etc/passwd");
    let arguments = json!({ "path": inside.trim_start_matches('/') });

    let mut twin = Server::start("twin path", [everything], &scene);
    twin.initialize();
    let answer = twin.call("read_file", arguments);
    assert_eq!(text(&answer), scene.canary);

    let mut ours = Server::start("ours", options(Over::Stdio, everything, &scene), &scene);
    assert!(!ours.ended(), "the server started on `/`");
    let caller = ours.errors();
    let caller = caller.lines().next().unwrap_or_default().to_owned();
    assert!(caller.contains("`/` cannot be granted"), "{caller}");
    Played {
        transport: "none",
        twin: "sent the secret".to_owned(),
        caller,
        stopped: Stopped::AtTheStart("the check of a grant"),
    }
}
