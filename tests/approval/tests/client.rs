//! The official TypeScript client, which shows the link to its user: over HTTP and stdio, in both
//! generations.

use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    cookies::Browser,
    world::{World, tool},
};

pub(crate) struct Client {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Client {
    pub(crate) fn start(asked: &Value, environment: &[(&str, String)]) -> Self {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../clients/approve.mjs");
        let mut process = Command::new(tool("MCP_SECURE_NODE"))
            .arg(script)
            .arg(asked.to_string())
            .envs(environment.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self {
            process,
            input,
            output,
        }
    }

    pub(crate) fn next(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    pub(crate) fn link(&mut self) -> String {
        let said = self.next();
        assert_eq!(said["asked"]["mode"], "url", "{said}");
        let url = said["asked"]["url"].as_str().unwrap();
        url.to_owned()
    }

    pub(crate) fn answer(&mut self, action: &str) {
        writeln!(self.input, "{action}").unwrap();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) const GENERATIONS: [&str; 2] = ["2026-07-28", "2025-11-25"];

pub(crate) fn over_http(world: &World, generation: &str, line: &str) -> Client {
    let asked = json!({
        "generation": generation,
        "url": format!("http://{}/mcp", world.server.address),
        "token": world.token("alice"),
        "tool": "append",
        "arguments": { "line": line },
    });
    Client::start(&asked, &[])
}

#[test]
fn the_call_goes_on_when_the_person_has_approved_on_the_page() {
    for generation in GENERATIONS {
        let world = World::new(json!({}));
        let mut client = over_http(&world, generation, "by the client");
        let link = client.link();
        let mut browser = Browser::default();
        let page = browser.open(&link, "alice");
        assert!(world.server.log().is_empty());
        browser.press(&page, "approve");
        client.answer("accept");
        let said = client.next();
        assert_eq!(said["outcome"]["text"], "appended", "{generation}: {said}");
        assert_eq!(world.server.log(), ["by the client"]);
        let record = world.server.audited(|r| {
            r["event"] == "outcome" && r["outcome"] == "ok" && r["target"] == "append"
        });
        assert_eq!(record["approval"], "page");
        // Who has sessions is told that the page is done with; the later revision has no such
        // message.
        let id = link.rsplit('/').next().unwrap();
        let told = match generation {
            "2025-11-25" => json!([id]),
            _ => json!([]),
        };
        assert_eq!(said["completed"], told, "{generation}: {said}");
    }
}

#[test]
fn a_client_that_says_accept_before_its_user_waits_for_the_page() {
    for generation in GENERATIONS {
        let world = World::new(json!({}));
        let mut client = over_http(&world, generation, "late");
        let link = client.link();
        client.answer("accept");
        let mut browser = Browser::default();
        let page = browser.open(&link, "alice");
        assert!(world.server.log().is_empty());
        browser.press(&page, "approve");
        let said = client.next();
        assert_eq!(said["outcome"]["text"], "appended", "{generation}: {said}");
    }
}

#[test]
fn a_user_who_says_no_in_the_client_or_on_the_page_stops_the_call() {
    for generation in GENERATIONS {
        for (action, on_page) in [
            ("decline", None),
            ("cancel", None),
            ("accept", Some("refuse")),
        ] {
            let world = World::new(json!({}));
            let mut client = over_http(&world, generation, "no");
            let link = client.link();
            if let Some(button) = on_page {
                let mut browser = Browser::default();
                let page = browser.open(&link, "alice");
                browser.press(&page, button);
            }
            client.answer(action);
            let said = client.next();
            let outcome = &said["outcome"];
            assert!(
                outcome["isError"] == true || !outcome["code"].is_null(),
                "{generation} {action}: {said}"
            );
            assert!(world.server.log().is_empty());
            world.server.refused_by("approve/declined");
        }
    }
}

#[test]
fn over_stdio_the_page_is_on_loopback_and_for_the_first_browser() {
    for generation in GENERATIONS {
        let folder = tempfile::tempdir().unwrap();
        let files = folder.path().join("files");
        std::fs::create_dir(&files).unwrap();
        let asked = json!({
            "generation": generation,
            "stdio": [
                env!("CARGO_BIN_EXE_approval-target"), "serve", "--stdio",
                "--grant", format!("files={}", files.display()),
                "--audit", folder.path().join("audit.jsonl"),
            ],
            "tool": "append",
            "arguments": { "line": "from a pipe" },
        });
        let target = json!({ "listen": "127.0.0.1:0", "token": folder.path().join("t/token") });
        let mut client = Client::start(&asked, &[("APPROVAL_TARGET", target.to_string())]);
        let link = client.link();
        assert!(link.starts_with("http://127.0.0.1:"), "{link}");
        let (mut first, mut second) = (Browser::default(), Browser::default());
        let page = first.open(&link, "");
        assert_eq!(page.answer.status, 200, "{page:?}");
        assert_eq!(second.open(&link, "").answer.status, 404);
        first.press(&page, "approve");
        client.answer("accept");
        let said = client.next();
        assert_eq!(said["outcome"]["text"], "appended", "{generation}: {said}");
        let log = std::fs::read_to_string(files.join("log.txt")).unwrap();
        assert_eq!(log, "from a pipe\n");
    }
}
