//! AUTHZ: the caller is known, and may not do this.
//!
//! The twin knows its callers by a key and then forgets them: the workspace is what the
//! arguments or the path say, a missing tenant is the operator, tasks are everybody's, each
//! tool has to check by itself, and one does not. A policy that cannot be read is no policy.
//!
//! Ours is the server of `guarded` with API keys: each tenant is a principal. CVE-2025-58337, a
//! read-only mode that writes, is played with the databases (`query`).

use std::{env, io};

use serde_json::{Value, json};

use crate::{
    guarded::{self, ALICE, MALLORY, SCOPES, Service, TASK},
    ours::{Over, Running, options},
    report::{Attack, Played, Stopped},
    scene::Scene,
    twin,
    wire::{Http, Server},
};

/// The naive server; its argument is the file with the policy.
pub fn twin() {
    let policy = policy(&env::args().nth(1).unwrap());
    twin::over_http(move |request, mut stream| {
        let user = request
            .header("authorization")
            .trim_start_matches("Bearer ")
            .trim_end_matches("-token")
            .to_owned();
        if ![ALICE, MALLORY].contains(&user.as_str()) {
            return twin::reply(&mut stream, (401, Vec::new(), String::new()));
        }
        let message = request.json();
        let tool = |name: &str, arguments: &Value| {
            if policy.iter().any(|denied| denied == name) {
                return Err(io::Error::other("denied by the policy"));
            }
            match name {
                // The tenant's own service, or the operator's.
                "list_licenses" => Ok(match request.header("x-n8n-key") {
                    "" => format!("with {}", env::var("API_TOKEN").unwrap()),
                    key => format!("with {key}"),
                }),
                "get_task" => {
                    let named = arguments["workspace_id"].as_str();
                    let server = request.path.strip_prefix("/mcp/");
                    // Without either it looks everywhere, since ids are unique.
                    let workspace = named.or(server).unwrap_or(ALICE);
                    task(workspace, arguments["id"].as_str().unwrap_or_default())
                }
                // `get_task` has a check, and who wrote this one forgot it.
                "delete_task" => Ok(format!("deleted for {user}")),
                _ => Err(io::Error::other("unknown tool")),
            }
        };
        let answer = if message["method"] == "tasks/list" {
            let all = [task(ALICE, TASK).unwrap_or_default()];
            json!({ "jsonrpc": "2.0", "id": message["id"], "result": { "tasks": all } })
        } else {
            twin::answer(&message, tool).unwrap_or_default()
        };
        twin::reply(&mut stream, (200, Vec::new(), answer.to_string()))
    });
}

/// What may not be called. A policy that does not load is reported, and that is all.
fn policy(path: &str) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    match serde_json::from_str::<Value>(&text) {
        Ok(policy) => serde_json::from_value(policy["deny"].clone()).unwrap_or_default(),
        Err(error) => {
            eprintln!("the policy is not loaded: {error}");
            Vec::new()
        }
    }
}

fn task(workspace: &str, id: &str) -> io::Result<String> {
    match (workspace, id) {
        (ALICE, TASK) => std::fs::read_to_string("../x/data.csv"),
        _ => Err(io::Error::other("no such task")),
    }
}

pub fn attacks() -> Vec<Attack> {
    let mut all: Vec<Attack> = REQUESTS
        .iter()
        .map(|request| {
            Attack::new(request.advisory, request.variant, request.words, || {
                request.play()
            })
        })
        .collect();
    all.extend([
        Attack::new(
            "CVE-2026-16584",
            "not read",
            "the policy is no JSON, and the server starts without it",
            || broken_policy(|text| text.replacen('{', "", 1)),
        ),
        Attack::new(
            "CVE-2026-16584",
            "not known",
            "a word of the policy is misspelt, and the server starts without it",
            || broken_policy(|text| text.replace("\"scopes\"", "\"scope\"")),
        ),
    ]);
    all
}

/// What mallory sends, whose key is good.
struct Request {
    advisory: &'static str,
    variant: &'static str,
    words: &'static str,
    request: fn() -> Http,
    /// What she may do here.
    scopes: &'static [&'static str],
    harm: &'static str,
    ours: Ours,
}

enum Ours {
    /// The status, and the control.
    Refuses(u16, &'static str),
    /// It is answered for her: with this, and this is why it does no harm.
    Answers(&'static str, &'static str),
}

/// What stands for the secret of alice's task in a harm.
const SECRET: &str = "{secret}";

impl Request {
    fn play(&self) -> Played {
        let service = Service::start(200);
        let scene = guarded::scene(&service);
        let harm = |scene: &Scene| self.harm.replace(SECRET, &scene.canary);
        scene.write("srv/policy.json", r#"{ "deny": [] }"#);
        let policy = scene.path("srv/policy.json");
        let mut twin = Server::start("twin authz", [policy], &scene);
        let request = (self.request)().bearer("mallory-token");
        let answer = request.send(twin.address()).unwrap();
        assert!(
            answer.body.contains(&harm(&scene)),
            "the twin was not exploited: {answer:?}; {}",
            twin.errors()
        );

        let scene = guarded::scene(&service);
        let alice = guarded::key(&scene, ALICE, &SCOPES);
        let mallory = guarded::key(&scene, MALLORY, self.scopes);
        let ours = Running::start_for_others("ours guarded, keys", &scene);
        let answer = ours.send(&(self.request)().bearer(&mallory));
        assert!(!answer.body.contains(&harm(&scene)), "{answer:?}");
        assert!(!answer.body.contains(&scene.canary), "{answer:?}");
        let stopped = match self.ours {
            Ours::Refuses(status, control) => {
                assert_eq!(answer.status, status, "{answer:?}");
                Stopped::Refused(ours.refused_by(control))
            }
            Ours::Answers(with, why) => {
                assert!(answer.body.contains(with), "{answer:?}");
                let record = ours.record("of mallory's call", |record| {
                    record["event"] == "outcome" && record["principal"]["subject"] == MALLORY
                });
                Stopped::Harmless(why, record)
            }
        };
        assert_eq!(service.asked_as(&scene.canary), 0, "in the operator's name");
        // Whose the task is has it still, and it is not that nobody has it.
        let has = guarded::works(&ours, &alice, "get_task", json!({ "id": TASK }));
        assert_eq!(has, scene.canary);
        Played {
            transport: "http",
            twin: if self.harm == SECRET {
                "gave the secret of another tenant".to_owned()
            } else {
                format!("answered `{}`", self.harm)
            },
            caller: answer.seen(),
            stopped,
        }
    }
}

const REQUESTS: &[Request] = &[
    Request {
        advisory: "CVE-2026-45707",
        variant: "",
        words: "a caller who names no tenant gets the operator's",
        request: || Http::stateless_call("list_licenses", json!({})),
        scopes: &["tasks:read"],
        harm: "with canary",
        ours: Ours::Answers(
            "unknown tool",
            "a credential is its endpoint's, and who has no scope for it does not reach it",
        ),
    },
    Request {
        advisory: "Asana MCP cross-tenant (2025-06)",
        variant: "",
        words: "the id of another tenant's task is enough",
        request: || Http::stateless_call("get_task", json!({ "id": TASK })),
        scopes: &["tasks:read"],
        harm: SECRET,
        ours: Ours::Answers("not found", "the workspace is the principal's"),
    },
    Request {
        advisory: "CVE-2026-52870",
        variant: "",
        words: "the tasks of all clients are listed for one",
        request: || Http::stateless("tasks/list", "", json!({})),
        scopes: &["tasks:read"],
        harm: SECRET,
        ours: Ours::Refuses(404, "authorize/method"),
    },
    Request {
        advisory: "CVE-2026-79750",
        variant: "",
        words: "a tool of somebody else's server is called by the server's id",
        request: || Http::stateless_call("get_task", json!({ "id": TASK })).at("/mcp/alice"),
        scopes: &["tasks:read"],
        harm: SECRET,
        ours: Ours::Refuses(404, "http/path"),
    },
    Request {
        advisory: "GHSA-f9ff-5x35-7gfw",
        variant: "",
        words: "a tool whose author forgot the check does what a reader may not",
        request: || Http::stateless_call("delete_task", json!({ "id": TASK })),
        scopes: &["tasks:read"],
        harm: "deleted for mallory",
        ours: Ours::Refuses(200, "authorize/scope"),
    },
    Request {
        advisory: "GHSA-f9ff-5x35-7gfw",
        variant: "another workspace",
        words: "who may delete deletes another's task, by its id",
        request: || Http::stateless_call("delete_task", json!({ "id": TASK })),
        scopes: &["tasks:write"],
        harm: "deleted",
        ours: Ours::Answers("not found", "the workspace is the principal's"),
    },
    Request {
        advisory: "GHSA-647h-p824-99w7",
        variant: "",
        words: "the workspace is an argument, and any is taken",
        request: || {
            let arguments = json!({ "id": TASK, "workspace_id": ALICE });
            Http::stateless_call("get_task", arguments)
        },
        scopes: &["tasks:read"],
        harm: SECRET,
        ours: Ours::Refuses(200, "validate/schema"),
    },
];

/// What says who may do what is damaged, as by an edit that went wrong.
fn broken_policy(damage: fn(&str) -> String) -> Played {
    let service = Service::start(200);
    let scene = guarded::scene(&service);
    let policy = scene.path("srv/policy.json");
    let whole = r#"{ "deny": ["delete_task"], "scopes": [] }"#;
    let delete = || Http::stateless_call("delete_task", json!({ "id": TASK }));
    let twin = |text: &str| {
        scene.write("srv/policy.json", text);
        let mut twin = Server::start("twin authz", [&policy], &scene);
        let answer = delete().bearer("mallory-token").send(twin.address());
        answer.unwrap().body
    };
    assert!(twin(whole).contains("denied by the policy"));
    let answer = twin(&whole.replacen('{', "", 1));
    assert!(answer.contains("deleted"), "the twin was not exploited");

    let scene = guarded::scene(&service);
    let key = guarded::key(&scene, MALLORY, &["tasks:read"]);
    let keys = scene.path("srv/keys/keys.json");
    let whole = std::fs::read_to_string(&keys).unwrap();
    let broken = damage(&whole);
    assert_ne!(whole, broken);
    std::fs::write(&keys, broken).unwrap();
    let mut ours = Server::start(
        "ours guarded, keys",
        options(Over::Http, &scene.root, &scene),
        &scene,
    );
    assert!(!ours.ended(), "the server started without its policy");
    let said = ours.errors();
    assert!(said.contains("keys.json"), "{said}");
    assert!(!said.contains("listening"), "{said}");
    // It is the damage: with the file as it was, it starts and denies.
    std::fs::write(&keys, whole).unwrap();
    let ours = Running::start_for_others("ours guarded, keys", &scene);
    let answer = ours.send(&delete().bearer(&key));
    assert!(answer.body.contains("error"), "{answer:?}");
    ours.refused_by("authorize/scope");
    Played {
        transport: "none",
        twin: "did what its policy denies".to_owned(),
        caller: said.lines().next().unwrap_or_default().to_owned(),
        stopped: Stopped::AtTheStart("the file that says who may do what"),
    }
}
