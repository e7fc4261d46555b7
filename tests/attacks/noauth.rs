//! NOAUTH: nobody asks who is calling.
//!
//! The twin answers whoever comes, on every route: it runs commands, takes documents, hands out
//! the token that it has for a service behind it, and asks that service in the operator's name
//! where a caller shows no key. The servers of the advisories do it on every interface; the
//! twin stays on the loopback one, because the tests do.
//!
//! Ours is the server of `guarded`, with the one token that its user can read.

use std::{
    env, fs, io,
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Command,
};

use serde_json::{Value, json};

use crate::{
    guarded::{self, RATE, SCOPES, Service},
    ours::{Over, Running, options},
    report::{Attack, Played, Stopped},
    scene::Scene,
    twin,
    wire::{Http, PATIENCE, Server},
};

/// The naive server; its argument is where the service behind it is.
pub fn twin() {
    let behind = env::args().nth(1).unwrap();
    twin::over_http(move |request, mut stream| {
        let body = request.json();
        let word = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let answer = match request.path.as_str() {
            "/dbt_platform_context" => json!({ "access_token": operators_token() }).to_string(),
            "/" => fs::read_to_string("../../outside/etc/passwd").unwrap_or_default(),
            "/execute" => shell(&word("code")).unwrap_or_default(),
            "/api/mcp/connect" => {
                let words = body["args"].as_array().cloned().unwrap_or_default();
                let words = words.iter().filter_map(Value::as_str);
                let output = Command::new(word("command")).args(words).output()?;
                String::from_utf8_lossy(&output.stdout).into_owned()
            }
            path if path.starts_with("/api/documents/") => {
                fs::write(word("filename"), word("text"))?;
                "uploaded".to_owned()
            }
            _ => twin::answer(&body, |tool, arguments| match tool {
                "run" => shell(arguments["command"].as_str().unwrap_or_default()),
                "list_licenses" => licenses(&behind, request.header("x-api-key")),
                _ => fs::read_to_string(arguments["path"].as_str().unwrap_or_default()),
            })
            .unwrap_or_default()
            .to_string(),
        };
        let cors = vec![("Access-Control-Allow-Origin", "*".to_owned())];
        twin::reply(&mut stream, (200, cors, answer))
    });
}

fn operators_token() -> String {
    env::var("API_TOKEN").unwrap()
}

fn shell(command: &str) -> io::Result<String> {
    let output = Command::new("/bin/sh").args(["-c", command]).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// In the operator's name, where the caller has none; and when it fails, all is said.
fn licenses(behind: &str, key: &str) -> io::Result<String> {
    let key = match key {
        "" => operators_token(),
        key => key.to_owned(),
    };
    let address = behind.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address)?;
    let path = format!("/licenses?access_token={key}");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.contains(" 200 ") => Ok(body.to_owned()),
        _ => Err(io::Error::other(format!("GET {behind}{path} failed"))),
    }
}

pub fn attacks() -> Vec<Attack> {
    let door = |door: &'static Door| {
        Attack::new(door.advisory, door.variant, door.words, move || door.play())
    };
    let everywhere = |door: &'static Door| {
        let words = "the server is on every interface, and asks nobody for anything";
        Attack::new(door.advisory, "at the start", words, move || {
            door.at_the_start()
        })
    };
    let mut all: Vec<Attack> = DOORS.iter().map(door).collect();
    all.extend(DOORS.iter().filter(|door| door.everywhere).map(everywhere));
    all.extend([
        Attack::new(
            "CVE-2026-48039",
            "failing",
            "what went wrong behind the server is told, with the operator's token in it",
            token_in_an_error,
        ),
        Attack::new(
            "GHSA-52cq-7v8r-62c6",
            "many",
            "one caller makes as many calls as it likes, and the operator pays",
            many_billable_calls,
        ),
    ]);
    all
}

/// A request without a credential.
struct Door {
    advisory: &'static str,
    variant: &'static str,
    words: &'static str,
    request: fn() -> Http,
    harm: Harm,
    /// How ours answers, and by which control.
    refused: (u16, &'static str),
    /// The server of the advisory is on every interface, too.
    everywhere: bool,
}

enum Harm {
    /// The answer holds the operator's token, or the secret.
    Leak,
    /// There is a file where the attacker wanted one.
    Made,
    /// The service behind was asked in the operator's name.
    Spent,
}

impl Door {
    fn play(&self) -> Played {
        let service = Service::start(200);
        let scene = guarded::scene(&service);
        let lost = self.exploit(&scene, &service);

        let service = Service::start(200);
        let scene = guarded::scene(&service);
        let mut ours = Running::start_as("ours guarded", Over::Http, &scene, &json!({}));
        let answer = ours.send(&(self.request)());
        assert_eq!(answer.status, self.refused.0, "{answer:?}");
        let harm = self.harm.done(&scene, &service, &answer.body);
        assert_eq!(harm, None, "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
        let record = ours.refused_by(self.refused.1);
        assert_eq!(record["event"], "refused");
        ours.still_works();
        // Who has the token gets what the service has, so that it is not the service that is away.
        let token = ours.token.clone();
        let has = guarded::works(&ours, &token, "list_licenses", json!({}));
        assert_eq!(has, "a license of the operator");
        assert_eq!(service.asked_as(&scene.canary), 1);
        Played {
            transport: "http",
            twin: lost,
            caller: answer.seen(),
            stopped: Stopped::Refused(record),
        }
    }

    /// What it does to the twin.
    fn exploit(&self, scene: &Scene, service: &Service) -> String {
        let mut twin = Server::start("twin noauth", [service.url()], scene);
        let answer = (self.request)().send(twin.address()).unwrap();
        self.harm
            .done(scene, service, &answer.body)
            .unwrap_or_else(|| panic!("the twin was not exploited: {answer:?}; {}", twin.errors()))
    }

    /// The same server of ours, declared as the advisory's was run.
    fn at_the_start(&self) -> Played {
        let service = Service::start(200);
        let scene = guarded::scene(&service);
        let lost = self.exploit(&scene, &service);
        let scene = guarded::scene(&service);
        let options = options(Over::Http, &scene.root, &scene);
        let mut ours = Server::start("ours guarded, everywhere", options, &scene);
        assert!(!ours.ended(), "it started");
        let said = ours.errors();
        assert!(said.contains("no TLS") && said.contains("help:"), "{said}");
        assert!(!said.contains("listening"), "{said}");
        Played {
            transport: "none",
            twin: lost,
            caller: said.lines().next().unwrap_or_default().to_owned(),
            stopped: Stopped::AtTheStart("the check of an address that others reach"),
        }
    }
}

impl Harm {
    fn done(&self, scene: &Scene, service: &Service, answer: &str) -> Option<String> {
        match self {
            Self::Leak => answer
                .contains(&scene.canary)
                .then(|| "gave away what only its operator has".to_owned()),
            Self::Made => scene
                .path("outside/pwned")
                .exists()
                .then(|| "did what whoever came asked for".to_owned()),
            Self::Spent => (service.asked_as(&scene.canary) > 0)
                .then(|| "asked the service behind it in the operator's name".to_owned()),
        }
    }
}

const COMMAND: &str = "echo pwned > ../../outside/pwned";

fn run() -> Http {
    Http::stateless_call("run", json!({ "command": COMMAND }))
}

fn licenses_without_a_key() -> Http {
    Http::stateless_call("list_licenses", json!({}))
}

fn read_a_file() -> Http {
    let path = json!({ "path": "../../outside/etc/passwd" });
    Http::stateless_call("read_file", path)
}

fn connect() -> Http {
    let server = json!({ "command": "bash", "args": ["-c", COMMAND], "env": {} });
    Http::post(server).at("/api/mcp/connect")
}

fn execute() -> Http {
    Http::post(json!({ "code": COMMAND })).at("/execute")
}

fn context() -> Http {
    Http::new("GET", "").at("/dbt_platform_context")
}

fn upload() -> Http {
    let document = json!({ "filename": "../../outside/pwned", "text": "an instruction" });
    Http::post(document).at("/api/documents/upload")
}

const fn to_the_endpoint(
    advisory: &'static str,
    words: &'static str,
    request: fn() -> Http,
) -> Door {
    Door {
        advisory,
        variant: "",
        words,
        request,
        harm: Harm::Made,
        refused: (401, "http/auth"),
        everywhere: false,
    }
}

const DOORS: &[Door] = &[
    Door {
        variant: "page",
        harm: Harm::Leak,
        refused: (403, "http/origin"),
        ..to_the_endpoint(
            "CVE-2026-55837",
            "a page of another origin asks the helper for the tokens",
            || context().with("Origin", "https://attacker.example"),
        )
    },
    Door {
        variant: "rebound",
        harm: Harm::Leak,
        refused: (403, "http/host"),
        ..to_the_endpoint(
            "CVE-2026-55837",
            "a page whose name leads to 127.0.0.1 asks the helper for the tokens",
            || context().with("Host", "attacker.example"),
        )
    },
    Door {
        refused: (404, "http/path"),
        everywhere: true,
        ..to_the_endpoint(
            "CVE-2026-23744",
            "whoever reaches the inspector names a program, and it is started",
            connect,
        )
    },
    Door {
        refused: (404, "http/path"),
        everywhere: true,
        ..to_the_endpoint(
            "CVE-2026-45805",
            "whoever reaches the second port sends code, and it runs",
            execute,
        )
    },
    Door {
        harm: Harm::Spent,
        ..to_the_endpoint(
            "CVE-2026-54446",
            "who shows no key uses the operator's",
            licenses_without_a_key,
        )
    },
    Door {
        variant: "empty key",
        harm: Harm::Spent,
        ..to_the_endpoint(
            "CVE-2026-54446",
            "who shows an empty key uses the operator's",
            || licenses_without_a_key().with("X-Api-Key", "").bearer(""),
        )
    },
    Door {
        harm: Harm::Spent,
        ..to_the_endpoint(
            "CVE-2026-48039",
            "whoever comes runs tools in the operator's name",
            licenses_without_a_key,
        )
    },
    Door {
        everywhere: true,
        ..to_the_endpoint("CVE-2026-50287", "whoever comes calls a tool", run)
    },
    Door {
        harm: Harm::Spent,
        everywhere: true,
        ..to_the_endpoint(
            "GHSA-52cq-7v8r-62c6",
            "whoever comes makes calls that the operator pays for",
            licenses_without_a_key,
        )
    },
    Door {
        everywhere: true,
        ..to_the_endpoint("CVE-2026-48989", "whoever comes runs commands", run)
    },
    Door {
        variant: "page",
        refused: (403, "http/origin"),
        ..to_the_endpoint(
            "CVE-2026-48989",
            "any page runs commands, because every origin is allowed",
            || run().with("Origin", "https://attacker.example"),
        )
    },
    Door {
        refused: (404, "http/path"),
        ..to_the_endpoint(
            "CVE-2026-50027",
            "the endpoint asks for a key and the routes beside it do not",
            upload,
        )
    },
    to_the_endpoint("CVE-2026-54309", "whoever comes steers the browser", run),
    Door {
        harm: Harm::Leak,
        everywhere: true,
        ..to_the_endpoint("CVE-2026-49257", "whoever comes reads", read_a_file)
    },
    Door {
        harm: Harm::Leak,
        refused: (404, "http/path"),
        everywhere: true,
        ..to_the_endpoint(
            "CVE-2026-54504",
            "whoever comes to the pages beside the server reads the documents",
            || Http::new("GET", "").at("/"),
        )
    },
    Door {
        harm: Harm::Leak,
        ..to_the_endpoint("CVE-2026-32211", "whoever comes reads", read_a_file)
    },
    to_the_endpoint("CVE-2026-5029", "whoever comes runs code", run),
];

fn token_in_an_error() -> Played {
    let service = Service::start(500);
    let scene = guarded::scene(&service);
    let mut twin = Server::start("twin noauth", [service.url()], &scene);
    let answer = licenses_without_a_key().send(twin.address()).unwrap();
    assert!(
        answer.body.contains(&scene.canary),
        "the twin was not exploited: {answer:?}"
    );

    let scene = guarded::scene(&service);
    let mut ours = Running::start_as("ours guarded", Over::Http, &scene, &json!({}));
    // The rightful user: that nobody else gets here is the other half.
    let answer = ours.send(&licenses_without_a_key().bearer(&ours.token));
    assert_eq!(service.asked_as(&scene.canary), 1, "it was asked");
    assert!(answer.body.contains("the service failed"), "{answer:?}");
    assert!(!answer.body.contains(&scene.canary), "{answer:?}");
    let record = ours.record("of the call", |record| {
        record["target"] == "list_licenses" && record["event"] == "outcome"
    });
    assert!(!ours.audit().contains(&scene.canary));
    ours.still_works();
    Played {
        transport: "http",
        twin: "told the operator's token in an error".to_owned(),
        caller: answer.seen(),
        stopped: Stopped::Harmless("a credential is its endpoint's, and no tool has it", record),
    }
}

fn many_billable_calls() -> Played {
    let many = 3 * RATE.burst as usize;
    let service = Service::start(200);
    let scene = guarded::scene(&service);
    let mut twin = Server::start("twin noauth", [service.url()], &scene);
    let address = twin.address();
    for _ in 0..many {
        licenses_without_a_key().send(address).unwrap();
    }
    let billed = service.asked_as(&scene.canary);
    assert_eq!(billed, many, "the twin was not exploited");

    let service = Service::start(200);
    let scene = guarded::scene(&service);
    let key = guarded::key(&scene, "build", &SCOPES);
    let mut ours = Running::start_for_others("ours guarded, keys", &scene);
    ours.token = key.clone();
    let begun = std::time::Instant::now();
    let answers: Vec<_> = (0..many)
        .map(|_| ours.send(&licenses_without_a_key().bearer(&key)))
        .collect();
    let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap() + 1;
    let billed_of_ours = service.asked_as(&scene.canary);
    // Whatever a busy machine gave back meanwhile is part of the rate.
    let at_most = RATE.burst as usize + seconds * RATE.per_second as usize;
    assert!(billed_of_ours <= at_most, "{billed_of_ours} of {at_most}");
    let refused = answers.iter().find(|answer| answer.status == 429);
    let refused = refused.expect("a call that was one too many");
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    let record = ours.refused_by("http/rate");
    let begun = std::time::Instant::now();
    while ours.send(&licenses_without_a_key().bearer(&key)).status != 200 {
        assert!(begun.elapsed() < PATIENCE, "it never works again");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    Played {
        transport: "http",
        twin: format!("made {billed} calls in the operator's name"),
        caller: refused.seen(),
        stopped: Stopped::Refused(record),
    }
}
