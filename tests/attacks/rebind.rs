//! REBIND: a web page talks to a local server.
//!
//! The twin has the checks of the advisories: none, an origin compared by its beginning, and
//! one that a forwarding header goes around. It never looks at `Host`, and to be friendly it
//! lets every page read its answers.
//!
//! The attacker's requests to ours carry the *right token*: a page has none, but that is
//! another control. Here the headers alone must do it.

use std::{env, fs, path::PathBuf};

use serde_json::json;

use crate::{
    ours::{Over, Running},
    report::{Attack, Played, Stopped},
    scene::Scene,
    twin,
    wire::{Http, Server},
};

/// The naive server; its arguments are the folder and how it checks an origin.
pub fn twin() {
    let root = PathBuf::from(env::args().nth(1).unwrap());
    let check = env::args().nth(2).unwrap();
    twin::over_http(move |request, mut stream| {
        let origin = request.header("origin").to_owned();
        let is_allowed = match check.as_str() {
            "prefix" => origin.is_empty() || origin.starts_with("http://localhost"),
            "forwarded" => {
                origin.is_empty()
                    || origin.starts_with("http://localhost:")
                    || request.header("x-forwarded-proto") == "https"
            }
            _ => true,
        };
        if !is_allowed {
            return twin::reply(&mut stream, (403, Vec::new(), String::new()));
        }
        let answer = twin::answer(&request.json(), |_, arguments| {
            fs::read_to_string(root.join(arguments["path"].as_str().unwrap_or_default()))
        });
        let cors = vec![
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Allow-Credentials", "true".to_owned()),
        ];
        twin::reply(
            &mut stream,
            (200, cors, answer.unwrap_or_default().to_string()),
        )
    });
}

pub fn attacks() -> Vec<Attack> {
    let attack =
        |page: &'static Page| Attack::new(page.advisory, "", page.words, move || page.play());
    PAGES.iter().map(attack).collect()
}

/// What the attacker's page makes the browser send.
struct Page {
    advisory: &'static str,
    words: &'static str,
    /// How the twin checks.
    check: &'static str,
    headers: &'static [(&'static str, &'static str)],
    control: &'static str,
}

impl Page {
    fn play(&self) -> Played {
        let scene = Scene::new();
        scene.write("srv/root/diary.txt", &scene.canary);
        let mut request = Http::stateless_call("read_file", json!({ "path": "diary.txt" }));
        for (name, value) in self.headers {
            request = request.with(name, *value);
        }

        let arguments = [scene.root.to_str().unwrap(), self.check];
        let mut twin = Server::start("twin rebind", arguments, &scene);
        let answer = request.send(twin.address()).unwrap();
        assert!(
            answer.body.contains(&scene.canary),
            "the twin was not exploited: {answer:?}"
        );
        let origin = self.headers.iter().find(|(name, _)| *name == "Origin");
        if let Some((_, origin)) = origin {
            // The browser lets the page read it.
            assert_eq!(answer.header("access-control-allow-origin"), Some(*origin));
        }

        let mut ours = Running::start(Over::Http, &scene);
        let token = ours.token.clone();
        let answer = ours.send(&request.bearer(&token));
        assert_eq!(answer.status, 403, "{answer:?}");
        assert!(!answer.body.contains(&scene.canary), "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
        let record = ours.refused_by(self.control);
        assert_eq!(record["event"], "refused");
        ours.still_works();
        Played {
            transport: "http",
            twin: "sent the secret to a foreign page".to_owned(),
            caller: answer.seen(),
            stopped: Stopped::Refused(record),
        }
    }
}

/// The page's own name now leads to this machine: a request to its own origin.
const REBOUND: &[(&str, &str)] = &[("Host", "attacker.example")];

const HOST: &str = "a page whose host name was made to lead to 127.0.0.1 calls a tool";

const fn rebound(advisory: &'static str) -> Page {
    Page {
        advisory,
        words: HOST,
        check: "none",
        headers: REBOUND,
        control: "http/host",
    }
}

const PAGES: &[Page] = &[
    rebound("CVE-2026-42559"),
    rebound("CVE-2025-66414"),
    rebound("CVE-2026-34742"),
    rebound("CVE-2026-63118"),
    rebound("CVE-2026-81092"),
    rebound("CVE-2026-61568"),
    rebound("RUSTSEC-2026-0140"),
    Page {
        advisory: "CVE-2025-9611",
        words: "a rebound page calls a tool, and says where it comes from",
        check: "none",
        headers: &[
            ("Host", "attacker.example:80"),
            ("Origin", "http://attacker.example"),
        ],
        control: "http/host",
    },
    Page {
        advisory: "CVE-2026-9739",
        words: "a rebound page calls a tool, with a user name before the host it claims",
        check: "none",
        headers: &[
            ("Host", "localhost@attacker.example"),
            ("Origin", "http://attacker.example"),
        ],
        control: "http/host",
    },
    Page {
        advisory: "CVE-2026-81315",
        words: "a forged `X-Forwarded-Proto` goes around the check of the origin",
        check: "forwarded",
        headers: &[
            ("Origin", "https://attacker.example"),
            ("X-Forwarded-Proto", "https"),
        ],
        control: "http/origin",
    },
    Page {
        advisory: "CVE-2026-55529",
        words: "the attacker's origin begins like a local one",
        check: "prefix",
        headers: &[("Origin", "http://localhost.evil.com")],
        control: "http/origin",
    },
    Page {
        advisory: "CVE-2026-33010",
        words: "any page may call with the user's credentials and read the answer",
        check: "none",
        headers: &[
            ("Origin", "http://attacker.example"),
            ("Cookie", "session=1"),
        ],
        control: "http/origin",
    },
];
