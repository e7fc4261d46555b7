//! PARSER: two readers, two messages.
//!
//! The twin is a gateway and what is behind it. The gateway reads the method and lets
//! everything but a tool call through; behind it a second reader, whose keys end at a NUL as
//! strings in C do, finds another method.

use std::{env, fs, path::PathBuf};

use serde_json::{Value, json};

use crate::{
    ours::{Over, Running},
    report::{Attack, Played, Stopped},
    scene::Scene,
    twin,
    wire::{Http, PATIENCE, Server},
};

/// The naive server; its argument is the folder.
pub fn twin() {
    let root = PathBuf::from(env::args().nth(1).unwrap());
    twin::over_stdio(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        if message["method"] == "tools/call" {
            return Some(json!({ "jsonrpc": "2.0", "id": message["id"],
                "error": { "code": -32600, "message": "tools are not for you" } }));
        }
        twin::answer(&ending_keys_at_a_nul(message), |_, arguments| {
            fs::read_to_string(root.join(arguments["path"].as_str().unwrap_or_default()))
        })
    });
}

/// The message of the second reader. The later of two keys wins.
fn ending_keys_at_a_nul(message: Value) -> Value {
    let Value::Object(members) = message else {
        return message;
    };
    let mut read = serde_json::Map::new();
    for (key, value) in members {
        let key = key.split('\0').next().unwrap_or_default().to_owned();
        read.insert(key, ending_keys_at_a_nul(value));
    }
    Value::Object(read)
}

pub fn attacks() -> Vec<Attack> {
    let words = "a `ping` that is a tool call for a reader whose keys end at a NUL";
    vec![
        Attack::new("GHSA-q382-vc8q-7jhj", "stdio", words, || {
            nul_in_a_key(Over::Stdio)
        }),
        Attack::new("GHSA-q382-vc8q-7jhj", "http", words, || {
            nul_in_a_key(Over::Http)
        }),
    ]
}

fn nul_in_a_key(over: Over) -> Played {
    let scene = Scene::new();
    scene.write("srv/root/diary.txt", &scene.canary);
    let message = r#"{"jsonrpc":"2.0","id":7,"method":"ping","method\u0000":"tools/call",
        "params":{"name":"read_file","arguments":{"path":"diary.txt"}}}"#
        .replace('\n', "");

    let mut twin = Server::start("twin parser", [&scene.root], &scene);
    twin.initialize();
    twin.send_line(&message).unwrap();
    let answer = twin.line(PATIENCE).unwrap();
    assert!(
        answer.to_string().contains(&scene.canary),
        "the twin was not exploited: {answer}"
    );

    let mut ours = Running::start(over, &scene);
    let (answer, caller, control) = match over {
        Over::Stdio => {
            ours.server.send_line(&message).unwrap();
            let answer = ours.server.line(PATIENCE).unwrap();
            let caller = crate::wire::text(&answer);
            (answer, caller, "stdio/keys")
        }
        Over::Http => {
            let answer = ours.send(&Http::post(&message).bearer(&ours.token));
            assert_eq!(answer.status, 400);
            (answer.json(), answer.seen(), "http/keys")
        }
    };
    assert_eq!(answer["error"]["code"], -32700, "{answer}");
    assert!(!answer.to_string().contains(&scene.canary), "{answer}");
    let record = ours.refused_by(control);
    ours.still_works();
    Played {
        transport: over.name(),
        twin: "ran a tool that its gateway forbids, and sent the secret".to_owned(),
        caller,
        stopped: Stopped::Refused(record),
    }
}
