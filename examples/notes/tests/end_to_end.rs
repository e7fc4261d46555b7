//! The notes server as clients reach it: a child process with JSON lines, and HTTP on
//! loopback. Both revisions: 2025-11-25 over stdio, 2026-07-28 over HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

use std::{
    fs,
    io::{BufRead as _, BufReader, Lines, Read as _, Write as _},
    net::TcpStream,
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

/// A server with a folder of its own; both are gone with the value.
struct Server {
    child: Child,
    folder: tempfile::TempDir,
    wire: Wire,
}

enum Wire {
    /// With what the person answers when they are asked.
    Stdio {
        lines: Lines<BufReader<ChildStdout>>,
        person: Value,
    },
    Http {
        address: String,
        token: String,
    },
}

impl Server {
    fn over_stdio() -> Self {
        let (mut child, folder) = Self::launch(&["--stdio"]);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let wire = Wire::Stdio {
            lines,
            person: json!({ "action": "decline" }),
        };
        let mut server = Self {
            child,
            folder,
            wire,
        };
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": { "elicitation": {} },
            "clientInfo": { "name": "test", "version": "1" } });
        assert!(server.ask("initialize", params)["result"].is_object());
        server.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        server
    }

    fn over_http() -> Self {
        let (mut child, folder) = Self::launch(&["--http", "127.0.0.1:0"]);
        let (mut address, mut token) = (None, None);
        for line in BufReader::new(child.stderr.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some(url) = line.strip_prefix("listening on http://") {
                address = url.strip_suffix("/mcp").map(str::to_owned);
            }
            if let Some(file) = line.strip_prefix("token file ") {
                token = Some(fs::read_to_string(file).unwrap().trim().to_owned());
            }
            if address.is_some() && token.is_some() {
                break;
            }
        }
        let wire = Wire::Http {
            address: address.unwrap(),
            token: token.unwrap(),
        };
        Self {
            child,
            folder,
            wire,
        }
    }

    fn launch(options: &[&str]) -> (Child, tempfile::TempDir) {
        let folder = tempfile::Builder::new().prefix("notes-").tempdir().unwrap();
        let notes = folder.path().join("notes");
        fs::create_dir_all(notes.join("ideas")).unwrap();
        fs::create_dir(folder.path().join("state")).unwrap();
        fs::write(notes.join("boat.md"), "Paint the boat.\n").unwrap();
        fs::write(notes.join("ideas/pond.md"), "A pond.\nFor the boat.\n").unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_notes"))
            .arg("serve")
            .args(options)
            .arg("--grant")
            .arg(format!("notes={}", notes.display()))
            .arg("--audit")
            .arg(folder.path().join("state/audit.jsonl"))
            .env("HOME", folder.path())
            .env("XDG_RUNTIME_DIR", folder.path().join("state"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        (child, folder)
    }

    fn note(&self, name: &str) -> PathBuf {
        self.folder.path().join("notes").join(name)
    }

    /// Whether the audit log has a refusal by this control.
    fn was_refused_by(&self, control: &str) -> bool {
        // What was recorded before an answer is in the file some milliseconds after it.
        std::thread::sleep(std::time::Duration::from_millis(50));
        let log = fs::read_to_string(self.folder.path().join("state/audit.jsonl")).unwrap();
        let mut records = log
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        records.any(|record| record["control"] == control && record["outcome"] != "ok")
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{message}").unwrap();
    }

    /// Sends a request and returns its answer.
    fn ask(&mut self, method: &str, mut params: Value) -> Value {
        if let Wire::Http { address, token } = &self.wire {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": { "elicitation": { "form": {} } },
                "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
            });
            let name = params["name"]
                .as_str()
                .or(params["uri"].as_str())
                .map(str::to_owned);
            let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
            let name = name.map_or(String::new(), |name| format!("Mcp-Name: {name}\r\n"));
            let headers = format!(
                "Host: {address}\r\nAuthorization: Bearer {token}\r\n\
                 Mcp-Protocol-Version: 2026-07-28\r\nMcp-Method: {method}\r\n{name}"
            );
            return post(address, &headers, &body.to_string()).1;
        }
        self.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }));
        loop {
            let Wire::Stdio { lines, person } = &mut self.wire else {
                panic!()
            };
            let message: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            if message["method"] != "elicitation/create" {
                return message;
            }
            let answer = json!({ "jsonrpc": "2.0", "id": message["id"], "result": person });
            self.send(&answer);
        }
    }

    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask(
            "tools/call",
            json!({ "name": tool, "arguments": arguments }),
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The status, and the JSON in the body.
fn post(address: &str, headers: &str, body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\n{headers}Content-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let json = answer
        .lines()
        .filter_map(|line| line.find('{').map(|at| &line[at..]));
    let json = json
        .filter_map(|text| serde_json::from_str(text).ok())
        .next();
    (answer[9..12].parse().unwrap(), json.unwrap_or_default())
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer}"))
}

fn both(test: impl Fn(Server)) {
    test(Server::over_stdio());
    test(Server::over_http());
}

#[test]
fn notes_are_listed_read_and_found() {
    both(|mut server| {
        assert_eq!(
            text(&server.call("list_notes", json!({}))),
            "boat.md\nideas/pond.md"
        );
        let read = server.call("read_note", json!({ "name": "boat.md" }));
        assert_eq!(text(&read), "Paint the boat.\n");
        let found = server.call("search_notes", json!({ "word": "pond" }));
        let expected = json!({ "matches": [{ "note": "ideas/pond.md", "line": 1 }] });
        assert_eq!(found["result"]["structuredContent"], expected);
    });
}

#[test]
fn the_prompt_the_completion_and_the_resources_show_the_same_notes() {
    both(|mut server| {
        let prompt = server.ask(
            "prompts/get",
            json!({ "name": "summarize", "arguments": { "name": "boat.md" } }),
        );
        let said = prompt["result"]["messages"][0]["content"]["text"]
            .as_str()
            .unwrap();
        assert!(said.ends_with("Paint the boat.\n"), "{said}");
        let completed = server.ask(
            "completion/complete",
            json!({ "ref": { "type": "ref/prompt", "name": "summarize" },
                "argument": { "name": "name", "value": "id" } }),
        );
        assert_eq!(
            completed["result"]["completion"]["values"],
            json!(["ideas/pond.md"])
        );
        let index = server.ask("resources/read", json!({ "uri": "notes://index" }));
        assert_eq!(
            index["result"]["contents"][0]["text"],
            "boat.md\nideas/pond.md"
        );
        let note = server.ask("resources/read", json!({ "uri": "notes://note/boat.md" }));
        assert_eq!(note["result"]["contents"][0]["text"], "Paint the boat.\n");
    });
}

#[test]
fn a_note_is_written_when_the_person_agrees_and_not_otherwise() {
    let mut server = Server::over_stdio();
    let write = |server: &mut Server, answer: Value| {
        if let Wire::Stdio { person, .. } = &mut server.wire {
            *person = answer;
        }
        server.call(
            "write_note",
            json!({ "name": "new.md", "text": "Bought paint." }),
        )
    };
    let declined = write(&mut server, json!({ "action": "decline" }));
    assert!(
        declined["result"]["isError"] == true && !server.note("new.md").exists(),
        "{declined}"
    );
    assert!(server.was_refused_by("approve/declined"));
    let agreed = json!({ "action": "accept", "content": { "approve": true } });
    assert_eq!(
        text(&write(&mut server, agreed)),
        "wrote 13 bytes to new.md"
    );
    assert_eq!(
        fs::read_to_string(server.note("new.md")).unwrap(),
        "Bought paint."
    );
}

#[test]
fn over_http_the_question_is_the_answer_of_the_first_round() {
    let mut server = Server::over_http();
    let arguments = json!({ "name": "new.md", "text": "Bought paint." });
    let asked = server.call("write_note", arguments.clone())["result"].take();
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    assert!(!server.note("new.md").exists());
    let question = asked["inputRequests"]
        .as_object()
        .unwrap()
        .keys()
        .next()
        .unwrap();
    let agreed = json!({ "action": "accept", "content": { "approve": true } });
    let round = |arguments: &Value| {
        json!({ "name": "write_note", "arguments": arguments,
            "requestState": asked["requestState"], "inputResponses": { question: agreed } })
    };
    // What was agreed to is what is written, and nothing else.
    let other = json!({ "name": "new.md", "text": "Something else." });
    assert!(server.ask("tools/call", round(&other))["error"].is_object());
    assert!(server.was_refused_by("approve/state") && !server.note("new.md").exists());
    assert_eq!(
        text(&server.ask("tools/call", round(&arguments))),
        "wrote 13 bytes to new.md"
    );
}

#[test]
fn nothing_leads_out_of_the_folder() {
    both(|mut server| {
        let secret = server.folder.path().join("secret.md");
        fs::write(&secret, "a secret").unwrap();
        fs::create_dir(server.note(".git")).unwrap();
        fs::write(server.note(".git/config"), "a secret").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(&secret, server.note("link.md")).unwrap();
        for (name, control) in [
            (secret.to_str().unwrap(), "validate/schema"),
            ("../secret.md", "validate/schema"),
            ("~/secret.md", "validate/schema"),
            (".git/config", "fs/policy"),
            (".GIT./config", "fs/policy"),
            #[cfg(unix)]
            ("link.md", "fs/escape"),
        ] {
            let refused = server.call("read_note", json!({ "name": name }));
            assert_eq!(refused["result"]["isError"], true, "{name}: {refused}");
            assert!(!refused.to_string().contains("a secret"), "{name}");
            assert!(server.was_refused_by(control), "{name}");
        }
        assert_eq!(
            text(&server.call("list_notes", json!({}))).lines().count(),
            2
        );
    });
}

#[test]
fn a_foreign_page_and_a_stranger_stay_outside() {
    let server = Server::over_http();
    let Wire::Http { address, token } = &server.wire else {
        panic!()
    };
    let good = format!("Authorization: Bearer {token}\r\n");
    for (headers, status) in [
        (format!("Host: {address}\r\n"), 401),
        (
            format!("Host: {address}\r\nAuthorization: Bearer guessed\r\n"),
            401,
        ),
        (format!("Host: attacker.example\r\n{good}"), 403),
        (
            format!("Host: {address}\r\nOrigin: http://attacker.example\r\n{good}"),
            403,
        ),
    ] {
        assert_eq!(post(address, &headers, "{}").0, status, "{headers}");
    }
    assert!(
        ["http/auth", "http/host", "http/origin"]
            .iter()
            .all(|c| server.was_refused_by(c))
    );
}

#[test]
fn it_does_not_start_on_everything_or_on_nothing() {
    for (options, words) in [
        (&["--grant", "notes=/"][..], "cannot be granted"),
        (&["--grant", "notes=/etc"], "cannot be granted"),
        (&["--grant", "other=/srv/notes"], "other"),
        (&[], "notes"),
    ] {
        let ended = Command::new(env!("CARGO_BIN_EXE_notes"))
            .args(["serve", "--stdio", "--audit", "stderr"])
            .args(options)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(
            !ended.status.success() && said.contains(words),
            "{options:?}: {said}"
        );
        assert!(said.contains("help:"), "{options:?}: {said}");
    }
}

#[test]
fn it_can_do_no_more_than_the_reviewed_manifest_says() {
    let printed = Command::new(env!("CARGO_BIN_EXE_notes"))
        .args(["manifest", "--json"])
        .output()
        .unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert_eq!(
        printed.trim_end(),
        include_str!("../manifest.json").trim_end(),
        "see what changed, then run `cargo run -p notes -- manifest --json > examples/notes/manifest.json`"
    );
}
