//! The network that a program is lent: one host and port, for one run, and nothing beside it.
//!
//! With the sandbox, and without as the control: what holds there is held by the proxy alone, and
//! what does not is the kernel's part.

use std::{fs, io::Read as _, os::unix::net::UnixListener};

use mcp_secure::{capability::net::EgressRule, prelude::*, testing::TestServer};
use serde_json::{Value, json};

use crate::{
    lending::{How, Server, Upstream, from_outside, installed, refused, site, token_and_port},
    scene::{Scene, until},
};

#[test]
fn the_program_reaches_the_granted_host_and_port_and_nothing_else() {
    let (upstream, other) = (Upstream::new(), Upstream::new());
    let port = upstream.port;
    for how in [How::Sandboxed, How::Bare] {
        let scene = Scene::new();
        let _socket = UnixListener::bind(scene.path("socket")).unwrap();
        let mut server = Server::start(&scene, port, how);
        assert_eq!(
            server.reach("Tunnel", &format!("localhost:{port}")),
            "200 pong"
        );
        let [step] = <[Value; 1]>::try_from(server.steps()).unwrap();
        let wanted = json!({ "kind": "net", "capability": "site", "outcome": "ok",
            "action": format!("CONNECT localhost:{port}"), "bytes_in": 5, "bytes_out": 5 });
        assert_eq!(step, wanted, "{how:?}");

        // What the proxy refuses, sandbox or not.
        let foreign = [
            (format!("localhost:{}", other.port), "403"),
            (format!("127.0.0.1:{port}"), "403"),
            (format!("[::1]:{port}"), "403"),
            (format!("other.localhost:{port}"), "403"),
            (format!("localhost.:{port}"), "403"),
            ("example.com:443".to_owned(), "403"),
            (format!("user@localhost:{port}"), "400"),
            ("localhost".to_owned(), "400"),
        ];
        for (to, said) in foreign {
            assert_eq!(server.reach("Tunnel", &to), said, "{how:?} {to}");
            if said == "403" {
                let [step] = <[Value; 1]>::try_from(server.steps()).unwrap();
                assert_eq!(step["control"], "net/host", "{step}");
                assert_eq!(step["action"], format!("CONNECT {to}"), "{step}");
                assert_eq!(step["outcome"], "denied", "{step}");
            }
        }
        assert_eq!(server.reach("Plain", &format!("localhost:{port}")), "405");
        let [step] = <[Value; 1]>::try_from(server.steps()).unwrap();
        assert_eq!(
            (&step["control"], &step["action"]),
            (&json!("exec/network"), &json!("proxy"))
        );

        // What the kernel refuses.
        for to in [port, other.port] {
            let said = server.reach("Connect", &format!("127.0.0.1:{to}"));
            assert_eq!(said == "connected", how == How::Bare, "{how:?}: {said}");
        }
        let socket = scene.path("socket").display().to_string();
        let ways: Value = serde_json::from_str(&server.reach("Sockets", &socket)).unwrap();
        for (way, said) in ways.as_object().unwrap() {
            let refused = said.as_str().unwrap().contains("not permitted");
            match (how, way.as_str()) {
                (How::Bare, "udp" | "unix" | "listen") => assert_eq!(said, "works", "{way}"),
                (How::Bare, _) => {}
                _ => assert!(refused, "{way}: {said}"),
            }
        }
        assert!(other.heard().is_empty());
    }
    // Once each by a tunnel, and nothing of what was refused.
    assert_eq!(upstream.heard(), ["ping", "ping"]);
}

#[test]
fn a_granted_name_that_leads_to_a_private_address_leads_nowhere() {
    let upstream = Upstream::new();
    let to = format!("localhost:{}", upstream.port);
    for how in [How::Sandboxed, How::Bare] {
        let scene = Scene::new();
        let mut server = Server::start(&scene, upstream.port, how);
        assert_eq!(server.call("reach_far", "Tunnel", &to), "403", "{how:?}");
        let [step] = <[Value; 1]>::try_from(server.steps()).unwrap();
        assert_eq!(step["control"], "net/address", "{step}");
        assert_eq!(step["capability"], "far", "{step}");
    }
    assert!(upstream.heard().is_empty());
}

#[test]
fn only_a_run_that_is_lent_something_is_told_of_it() {
    let upstream = Upstream::new();
    let to = format!("localhost:{}", upstream.port);
    for how in [How::Sandboxed, How::Bare] {
        let scene = Scene::new();
        let mut server = Server::start(&scene, upstream.port, how);
        let env = |told: String| -> Vec<String> {
            let told: Value = serde_json::from_str(&told).unwrap();
            let env = told["env"].as_array().unwrap().iter();
            env.map(|v| v.as_str().unwrap().to_owned())
                .filter(|v| !v.starts_with("GIT_"))
                .collect()
        };
        let lent = env(server.reach("Tell", "x"));
        let names: Vec<_> = lent.iter().map(|v| v.split('=').next().unwrap()).collect();
        assert_eq!(
            names,
            ["ALL_PROXY", "HTTPS_PROXY", "all_proxy", "https_proxy"]
        );
        let (_, port) = server.door();
        assert!(
            lent.iter()
                .all(|v| v.ends_with(&format!("@127.0.0.1:{port}")))
        );
        assert_eq!(
            env(server.call("stay", "Tell", "x")),
            <[String; 0]>::default()
        );
        // It finds the port, and nobody there.
        let said = server.call("stay", "TunnelAs", &format!("none:{port}@{to}"));
        assert_eq!(said, "407", "{how:?}");
    }
    assert!(upstream.heard().is_empty());
}

#[test]
fn the_token_of_a_run_that_is_over_opens_nothing() {
    let upstream = Upstream::new();
    let to = format!("localhost:{}", upstream.port);
    for how in [How::Sandboxed, How::Bare] {
        let scene = Scene::new();
        let mut server = Server::start(&scene, upstream.port, how);
        let (token, _) = server.door();
        for token in [&*token, &"0".repeat(32), "none", "mcp"] {
            let said = server.reach("TunnelAs", &format!("{token}@{to}"));
            assert_eq!(said, "407", "{how:?} {token}");
            assert!(server.steps().is_empty());
        }
    }
    assert!(upstream.heard().is_empty());
}

#[tokio::test]
async fn another_process_of_the_machine_finds_no_proxy_or_has_no_token() {
    for how in [How::Sandboxed, How::Bare] {
        let upstream = Upstream::new();
        let to = format!("localhost:{}", upstream.port);
        let scene = Scene::new();
        let mut server = Server::start(&scene, upstream.port, how);
        server.begin("reach_shortly", "Hold", &to);
        until("the tunnel", || upstream.heard().len() == 2).await;
        let (token, port) = token_and_port(&upstream.heard()[1]);
        let ask = |token: Option<&str>| from_outside(port, &to, token).unzip();
        let wrong = "0".repeat(32);
        let [(none, _), (wrong, _), (right, kept)] = [None, Some(&*wrong), Some(&*token)].map(ask);
        let answers = [none, wrong, right];
        match how {
            How::Bare => assert_eq!(answers.map(Option::unwrap), ["407", "407", "200"]),
            // Another network: not even the right one helps.
            _ => assert_eq!(answers, [None, None, None]),
        }
        // The call has three seconds. Its tunnels end with it, and its token.
        let answer = server.answer();
        assert!(
            answer["error"].is_object() || answer["result"]["isError"] == true,
            "{answer}"
        );
        until("the end of the tunnels", || {
            *upstream.open.lock().unwrap() == 0
        })
        .await;
        if let Some(mut kept) = kept {
            // Also that of somebody who had the token, and did not end.
            assert!(kept.read_to_end(&mut Vec::new()).is_ok());
            assert_eq!(ask(Some(&token)).0.unwrap(), "407");
        }
        assert_eq!(upstream.heard().len(), 2);
    }
}

#[tokio::test]
async fn a_tunnel_ends_with_its_run_also_where_the_call_goes_on() {
    let upstream = Upstream::new();
    let to = format!("localhost:{}", upstream.port);
    let scene = Scene::new();
    let mut server = Server::start(&scene, upstream.port, How::Bare);
    server.begin("reach_twice", "", &to);
    until("the first run", || upstream.heard().len() == 2).await;
    let (token, port) = token_and_port(&upstream.heard()[1]);
    // By somebody who outlives the run.
    let (said, mut kept) = from_outside(port, &to, Some(&token)).unwrap();
    assert_eq!(said, "200");
    until("the second run", || upstream.heard().len() == 4).await;
    assert!(kept.read_to_end(&mut Vec::new()).is_ok());
    let (said, _) = from_outside(port, &to, Some(&token)).unwrap();
    assert_eq!(said, "407");
    let (token, _) = token_and_port(&upstream.heard()[3]);
    let (said, _) = from_outside(port, &to, Some(&token)).unwrap();
    assert_eq!(said, "200", "the call goes on");
}

#[test]
fn a_tunnel_that_is_left_open_ends_with_the_run_and_is_in_the_record() {
    let upstream = Upstream::new();
    let to = format!("localhost:{}", upstream.port);
    let scene = Scene::new();
    let mut server = Server::start(&scene, upstream.port, How::Sandboxed);
    assert_eq!(server.reach("Leave", &to), "left");
    let [step] = <[Value; 1]>::try_from(server.steps()).unwrap();
    let out = upstream
        .heard()
        .iter()
        .map(|line| line.len() + 1)
        .sum::<usize>();
    assert_eq!(step["outcome"], "ok", "{step}");
    assert_eq!(
        (&step["bytes_in"], &step["bytes_out"]),
        (&json!(10), &json!(out))
    );
    // Nor is the token in it.
    let (token, _) = token_and_port(&upstream.heard()[1]);
    assert!(!fs::read_to_string(&server.audit).unwrap().contains(&token));
}

#[test]
fn a_tunnel_carries_as_much_as_the_grant_of_the_endpoint_allows() {
    let upstream = Upstream::new();
    let to = format!("localhost:{}", upstream.port);
    let scene = Scene::new();
    let mut server = Server::start(&scene, upstream.port, How::Sandboxed);
    let poured: u64 = server.reach("Pour", &to).parse().unwrap();
    assert!(poured < 1000, "{poured}");
    let [step] = <[Value; 1]>::try_from(server.steps()).unwrap();
    assert_eq!(
        (&step["control"], &step["outcome"]),
        (&json!("net/size"), &json!("denied"))
    );
    assert!(step["bytes_out"].as_u64().unwrap() <= 100_000, "{step}");
}

#[test]
fn a_run_has_so_many_tunnels_and_no_more() {
    let upstream = Upstream::new();
    let to = format!("localhost:{}", upstream.port);
    let scene = Scene::new();
    let mut server = Server::start(&scene, upstream.port, How::Sandboxed);
    assert_eq!(server.reach("Tunnels", &to), "200 pong then 429");
    assert!(upstream.heard().len() <= 256);
    // The next run has its own.
    assert_eq!(server.reach("Tunnel", &to), "200 pong");
}

#[test]
fn an_endpoint_that_the_grant_does_not_name_is_not_lent() {
    let scene = Scene::new();
    let mut server = Server::start(&scene, 1, How::Sandboxed);
    let said = server.call("stray", "", "");
    assert!(said.contains("does not name this endpoint"), "{said}");
    let records = server.records();
    let mut refused = records.iter().filter(|r| r["control"] == "exec/network");
    let record = refused.next().unwrap();
    assert_eq!(record["target"], "stray");
}

#[test]
fn with_a_network_of_its_own_the_sandbox_is_whole() {
    let upstream = Upstream::new();
    let scene = Scene::new();
    let mut server = Server::start(&scene, upstream.port, How::Full);
    let row = server.network();
    assert_eq!(row["got"], "full", "{row}");
    assert!(
        row["because"]
            .as_str()
            .unwrap()
            .contains("a network namespace"),
        "{row}"
    );
    let said = server.reach("Tunnel", &format!("localhost:{}", upstream.port));
    assert_eq!(said, "200 pong");
}

#[test]
fn without_namespaces_a_port_is_what_the_kernel_holds_and_the_report_says_so() {
    let (upstream, other) = (Upstream::new(), Upstream::new());
    let scene = Scene::new();
    let mut server = Server::start(&scene, upstream.port, How::Contained("unshare"));
    let row = server.network();
    assert_eq!(row["got"], "partial", "{row}");
    let because = row["because"].as_str().unwrap();
    assert!(
        because.contains("no network namespace") && because.contains("at any address"),
        "{row}"
    );
    let to = format!("localhost:{}", upstream.port);
    assert_eq!(server.reach("Tunnel", &to), "200 pong");
    for port in [upstream.port, other.port] {
        let said = server.reach("Connect", &format!("127.0.0.1:{port}"));
        assert!(said.contains("denied"), "{said}");
    }
    // Who asks for the whole does not get this.
    drop(server);
    let refused = refused(&scene, How::ContainedFull);
    assert!(refused.contains("`full` is required"), "{refused}");
    assert!(refused.contains("no network namespace"), "{refused}");
}

#[test]
fn without_namespaces_and_landlock_nothing_is_lent() {
    let scene = Scene::new();
    let refused = refused(&scene, How::Contained("unshare+landlock"));
    assert!(
        refused.contains("nothing would keep it from the rest"),
        "{refused}"
    );
    assert!(refused.contains(".network"), "{refused}");
}

/// The endpoint of the tests that start no server.
#[capability(net, allow_private)]
struct Site;

/// The program of these tests.
#[capability(exec)]
struct Lent;

#[test]
fn a_grant_that_says_more_than_a_host_and_a_port_cannot_be_lent() {
    let scene = Scene::new();
    let granted = |site: Option<(mcp_secure::capability::net::NetGrant<Site>, &str)>, lent| {
        let mut server = TestServer::new();
        if let Some((site, url)) = site {
            server = server.granted(site, url).unwrap();
        }
        let granted = server.granted(lent, &scene.program);
        granted.map(drop).map_err(|error| error.to_string())
    };
    let lent = || Lent::from_operator().network::<Site>();
    let site = Site::from_operator;
    let host = "https://localhost:1";
    assert_eq!(granted(Some((site(), host)), lent()), Ok(()));
    let refused = [
        (
            Some((site(), "https://localhost:1/path")),
            lent(),
            "ends with a path",
        ),
        (Some((site(), "http://localhost:1")), lent(), "plain HTTP"),
        (
            Some((
                site().egress(EgressRule::on("GET", "/").without("/x")),
                host,
            )),
            lent(),
            "rules",
        ),
        (Some((site().egress_only(), host)), lent(), "rules"),
        (Some((site().tls13_only(), host)), lent(), "TLS 1.3"),
        (None, lent(), "not granted yet"),
        (
            Some((site(), host)),
            lent().env("HTTPS_PROXY", "x"),
            "the proxy's",
        ),
        (
            Some((site(), host)),
            lent().env("all_proxy", "x"),
            "the proxy's",
        ),
    ];
    for (site, lent, why) in refused {
        let error = granted(site, lent).unwrap_err();
        assert!(error.contains(why), "{why}: {error}");
    }
}

#[test]
fn curl_and_git_find_their_way_by_themselves() {
    let programs = [
        ("curl", "Curl", "hello"),
        // What a repository on a plain web server says of its branches.
        (
            "git",
            "Git",
            "0123456789012345678901234567890123456789\trefs/heads/main\n",
        ),
    ];
    for (name, request, answer) in programs {
        let Some(program) = installed(name) else {
            eprintln!("`{name}` is not installed");
            continue;
        };
        let scene = Scene::new();
        let port = site(&scene.path("work"), answer);
        for how in [How::Sandboxed, How::Bare] {
            let mut server = Server::start_program(&scene, &program, port, how);
            let said = server.reach(request, &format!("https://localhost:{port}/r.git"));
            assert_eq!(said, answer.trim_end(), "{how:?}");
            let steps = server.steps();
            assert!(!steps.is_empty());
            for step in steps {
                assert_eq!(step["action"], format!("CONNECT localhost:{port}"));
                assert_eq!(step["outcome"], "ok", "{step}");
            }
            let said = server.reach(request, "https://example.com/r.git");
            assert!(said.contains("403"), "{said}");
            assert_eq!(server.steps()[0]["control"], "net/host");
        }
    }
}
