//! Policies over typed arguments: default deny, an error denies, and what is denied whatever the
//! arguments are does not exist.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::authorize::assert_alike;
use crate::harness::*;

const ALL: &str = r#"@id("all") permit(principal, action, resource);"#;

/// A server under these policies.
fn under(way: Way, policies: &str) -> Setup {
    way.setup()
        .with("SERVER", "policed")
        .with("POLICIES", policies)
}

/// The same, with everything else permitted.
fn all_but(way: Way, policies: &str) -> Setup {
    under(way, &format!("{ALL}\n{policies}"))
}

fn transfer(amount: impl Into<Value>) -> Value {
    json!({ "to": "bob", "amount": amount.into() })
}

/// The caller reads that it was denied, and nothing of by what; the log has both.
#[track_caller]
fn assert_denied(server: &Server, answer: &Value, tool: &str, control: &str, policies: &[&str]) {
    assert_eq!(code(answer), -32600, "{answer}");
    assert_eq!(message(answer), "denied by policy", "{answer}");
    let record = server.outcome_that_is(tool, "denied");
    assert_record(&record, "denied", "deny", Some(control));
    assert_eq!(record["policies"], json!(policies), "{record}");
    for policy in policies {
        assert!(!answer.to_string().contains(policy), "{answer}");
    }
    assert!(!server.reached(tool), "user code ran");
}

/// What one list names.
fn listed(client: &Client<'_>, list: &str) -> Vec<String> {
    let answer = client.request(&format!("{list}/list"), json!({}));
    let items = answer["result"][list]
        .as_array()
        .unwrap_or_else(|| panic!("{answer}"));
    let name = |item: &Value| item["name"].as_str().unwrap().to_owned();
    items.iter().map(name).collect()
}

on_every_way! {
    fn an_argument_that_a_policy_forbids_is_denied_and_the_policy_is_not_named(way: Way) {
        let server = all_but(way, r#"
            @id("big") forbid(principal, action == Action::"call:transfer", resource)
            when { context.args.amount >= 1000 };
        "#).start();
        let client = server.client(way);
        assert_denied(&server, &client.call("transfer", transfer(1000)), "transfer", "authorize/policy", &["big"]);
        // It is listed, because another amount may be sent.
        assert!(listed(&client, "tools").contains(&"transfer".to_owned()));
        let answer = client.call("transfer", transfer(999));
        assert_eq!(text(&answer), "sent 999 to bob at speed 1");
        let record = server.outcome_that_is("transfer", "ok");
        assert_record(&record, "ok", "allow", None);
        assert_eq!(record["policies"], json!(["all"]), "{record}");
    }

    fn a_forbid_that_is_made_to_fail_denies_instead_of_being_skipped(way: Way) {
        // Cedar leaves out a policy that it cannot evaluate. The caller chooses an amount whose
        // hundredfold has no 64 bits: the forbid fails, the permit stands.
        let server = all_but(way, r#"
            @id("cents") forbid(principal, action == Action::"call:transfer", resource)
            when { context.args.amount * 100 >= 100000 };
        "#).start();
        let client = server.client(way);
        assert_eq!(text(&client.call("say", json!({ "text": "on" }))), "on");
        for amount in [i64::MAX, i64::MAX / 99, i64::MIN] {
            let answer = client.call("transfer", transfer(amount));
            assert_denied(&server, &answer, "transfer", "authorize/policy-error", &["cents"]);
        }
        assert_eq!(text(&client.call("transfer", transfer(999))), "sent 999 to bob at speed 1");
    }

    fn what_the_session_has_read_counts(way: Way) {
        let server = all_but(way, r#"
            @id("after-reading") forbid(principal, action == Action::"call:say", resource)
            when { context.taint.private };
        "#).start();
        let client = server.client(way);
        assert_eq!(text(&client.call("say", json!({ "text": "before" }))), "before");
        assert!(listed(&client, "tools").contains(&"say".to_owned()));
        assert_eq!(text(&client.call("read", json!({ "name": "a.txt" }))), "the content of a");
        // No argument can change it any more: from now on there is no such tool.
        let answer = client.call("say", json!({ "text": "after" }));
        assert_alike(answer, client.call("nobody", json!({})));
        assert!(!listed(&client, "tools").contains(&"say".to_owned()));
        let record = server.outcome_that_is("say", "denied");
        assert_record(&record, "denied", "deny", Some("authorize/policy"));
        assert_eq!(record["policies"], json!(["after-reading"]), "{record}");
        assert_eq!(server.traces().iter().filter(|t| *t == "say").count(), 1);
    }

    fn who_asks_counts_and_which_scopes_they_hold(way: Way) {
        let policies = r#"
            @id("writers") forbid(principal, action == Action::"call:transfer", resource)
            unless { principal.scopes.contains("files:write") };
            @id("declared") forbid(principal, action == Action::"call:quote", resource)
            when { principal.issuer == "local" && !(principal has client) };
        "#;
        for (scopes, may) in [("files:read", false), ("files:read files:write", true)] {
            let server = all_but(way, policies).with("SCOPES", scopes).start();
            let client = server.client(way);
            let answer = client.call("transfer", transfer(1));
            assert_eq!(is_refusal(&answer), !may, "{answer}");
            assert_eq!(listed(&client, "tools").contains(&"transfer".to_owned()), may);
            assert!(!listed(&client, "tools").contains(&"quote".to_owned()));
            assert_eq!(server.reached("transfer"), may);
        }
    }

    fn the_time_counts(way: Way) {
        for (policy, may) in [
            (r#"context.now > datetime("2026-01-01T00:00:00Z")"#, true),
            (r#"context.now < datetime("2026-01-01T00:00:00Z")"#, false),
            ("context.weekday >= 1 && context.weekday <= 7", true),
            ("context.weekday == 0 || context.weekday > 7", false),
            (r#"context.now.toTime() >= duration("0h") && context.now.toTime() < duration("24h")"#, true),
        ] {
            let server = under(way, &format!("permit(principal, action, resource) when {{ {policy} }};")).start();
            let client = server.client(way);
            assert_eq!(is_refusal(&client.call("say", json!({ "text": "x" }))), !may, "{policy}");
            assert_eq!(server.reached("say"), may, "{policy}");
            assert_eq!(listed(&client, "tools").is_empty(), !may, "{policy}");
        }
    }

    fn what_no_policy_permits_is_as_if_it_did_not_exist(way: Way) {
        let server = under(way, r#"
            @id("talk") permit(principal, action == Action::"call:say", resource);
        "#).start();
        let client = server.client(way);
        assert_eq!(listed(&client, "tools"), ["say"]);
        for list in ["prompts", "resources"] {
            assert_eq!(listed(&client, list), Vec::<String>::new());
        }
        let templates = client.request("resources/templates/list", json!({}));
        assert_eq!(templates["result"]["resourceTemplates"], json!([]), "{templates}");
        let unknown = client.call("nobody", json!({}));
        assert_alike(client.call("transfer", transfer(1)), unknown.clone());
        // Nor is anything said of its arguments, or of a scope.
        assert_alike(client.call("transfer", json!({ "no": "such" })), unknown.clone());
        assert_alike(client.call("read", json!({ "name": "a.txt" })), unknown);
        let prompt = |name: &str| client.request("prompts/get", json!({ "name": name, "arguments": { "name": "x" } }));
        assert_alike(prompt("letter"), prompt("nobody"));
        let read = |uri: &str| client.request("resources/read", json!({ "uri": uri }));
        assert_alike(read("bank://accounts"), read("bank://nothing"));
        assert_alike(read("bank://account/1"), read("bank://nothing"));
        let complete = |name: &str, argument: &str| client.request("completion/complete", json!({
            "ref": { "type": "ref/prompt", "name": name },
            "argument": { "name": argument, "value": "a" },
        }));
        assert_alike(complete("letter", "name"), complete("nobody", "name"));
        assert_eq!(server.traces(), Vec::<String>::new());
        for (op, target) in [
            ("tools/call", "transfer"), ("tools/call", "read"), ("prompts/get", "letter"),
            ("resources/read", "accounts"), ("resources/read", "account"), ("completion/complete", "letter"),
        ] {
            let record = server.outcome_of(op, target);
            assert_record(&record, "denied", "deny", Some("authorize/policy"));
            assert_eq!(record["reason"], "no policy permits it", "{record}");
        }
        assert_eq!(text(&client.call("say", json!({ "text": "on" }))), "on");
    }

    fn prompts_resources_and_completions_are_asked_as_tools_are(way: Way) {
        let server = under(way, r#"
            @id("letters") permit(principal, action == Action::"get:letter", resource == Prompt::"letter")
            when { context.args.name != "eve" };
            @id("odd") permit(principal, action in Action::"read", resource)
            when { context.uri like "bank://account/1*" };
        "#).start();
        let client = server.client(way);
        let prompt = |name: &str| client.request("prompts/get", json!({ "name": "letter", "arguments": { "name": name } }));
        assert!(!is_refusal(&prompt("bob")));
        assert_eq!(message(&prompt("eve")), "denied by policy");
        let read = |uri: &str| client.request("resources/read", json!({ "uri": uri }));
        assert!(!is_refusal(&read("bank://account/12")));
        assert_eq!(message(&read("bank://account/2")), "denied by policy");
        let complete = |argument: &str| client.request("completion/complete", json!({
            "ref": { "type": "ref/prompt", "name": "letter" },
            "argument": { "name": argument, "value": "a" },
        }));
        // No policy permits a completion here: the words for one that does not exist.
        assert_alike(complete("name"), complete("nothing"));
        assert_eq!(server.traces(), ["letter", "account"]);
        let record = server.outcome_of("completion/complete", "letter");
        assert_eq!(record["outcome"], "denied", "{record}");

        let server = under(way, r#"
            permit(principal, action == Action::"get:letter", resource);
            permit(principal, action in Action::"complete", resource) when { context.argument == "name" };
        "#).start();
        let client = server.client(way);
        let answer = client.request("completion/complete", json!({
            "ref": { "type": "ref/prompt", "name": "letter" },
            "argument": { "name": "name", "value": "a" },
        }));
        assert_eq!(answer["result"]["completion"]["values"], json!(["alice"]), "{answer}");
    }

    fn no_form_of_an_argument_gets_past_what_is_said_of_it(way: Way) {
        let server = all_but(way, r#"
            @id("big") forbid(principal, action == Action::"call:transfer", resource)
            when { context.args.amount >= 1000 };
            @id("speed") forbid(principal, action == Action::"call:transfer", resource)
            when { context.args.speed > 5 };
            @id("note") forbid(principal, action == Action::"call:transfer", resource)
            unless { context.args has note };
            @id("bank") forbid(principal, action == Action::"call:transfer", resource)
            when { context.args has route && context.args.route.bank like "shell*" };
            @id("count") forbid(principal, action == Action::"call:quote", resource)
            when { context.args.count > 5 };
            @id("price") forbid(principal, action == Action::"call:quote", resource)
            when { context.args.price.greaterThan(decimal("9.99")) || context.args.tags.contains("x") };
        "#).start();
        let client = server.client(way);
        let honest = json!({ "to": "bob", "amount": 5, "note": "rent" });
        let with = |name: &str, value: Value| {
            let mut arguments = honest.clone();
            arguments[name] = value;
            arguments
        };
        for refused in [
            with("amount", json!(1000)),
            with("amount", json!("5")),
            with("amount", json!(5.5)),
            // A schema takes this for an integer.
            with("amount", json!(5.0)),
            with("amount", json!(1e3)),
            with("amount", json!(9_223_372_036_854_775_808_u64)),
            with("amount", json!(null)),
            with("amount", json!([5])),
            with("amount", json!({ "amount": 5 })),
            // Names that look alike: of another script, with a mark that is not seen, in capitals.
            json!({ "to": "bob", "\u{430}mount": 5, "note": "rent" }),
            with("\u{430}mount", json!(5)),
            with("amount\u{200b}", json!(5)),
            with("Amount", json!(5)),
            with("__proto__", json!({ "amount": 5 })),
            with("__entity", json!({ "type": "Principal", "id": "x" })),
            json!({ "to": "bob", "note": "rent" }),
            // What is null is absent, and `unless … has` says so.
            with("note", json!(null)),
            json!({ "to": "bob", "amount": 5 }),
            with("route", json!({ "bank": "shell bank" })),
            with("route", json!({ "bank": "ok", "bank2": "shell" })),
            with("route", json!({ "bank": { "__extn": { "fn": "decimal", "arg": "1.0" } } })),
            with("route", json!("shell")),
            with("speed", json!(9)),
            with("speed", json!(null)),
        ] {
            let answer = client.call("transfer", refused.clone());
            assert!(is_refusal(&answer), "{refused} went through: {answer}");
        }
        let quote = |price: Value, count: Value, tags: Value| json!({
            "price": price, "count": count, "tags": tags, "urgent": true,
        });
        for refused in [
            quote(json!(1.0), json!(u64::MAX), json!([])),
            quote(json!(1.0), json!(9_223_372_036_854_775_808_u64), json!([])),
            quote(json!(10), json!(1), json!([])),
            // Five digits after the point have no form in Cedar, and rounding would be a guess.
            quote(json!(9.990_01), json!(1), json!([])),
            quote(json!(-1e300), json!(1), json!([])),
            quote(json!(1.0), json!(1), json!(["a", "x"])),
            quote(json!(1.0), json!(1), json!(["a", null])),
        ] {
            let answer = client.call("quote", refused.clone());
            assert!(is_refusal(&answer), "{refused} went through: {answer}");
        }
        assert_eq!(server.traces(), Vec::<String>::new());
        // And what is honest goes through, with the same policies.
        for honest in [
            honest.clone(),
            with("route", json!({ "bank": "ok" })),
            with("route", json!(null)),
            with("speed", json!(5)),
            with("labels", json!({ "any": "thing" })),
        ] {
            let answer = client.call("transfer", honest.clone());
            assert!(!is_refusal(&answer), "{honest}: {answer}");
        }
        assert!(!is_refusal(&client.call("quote", quote(json!(9.99), json!(5), json!(["a"])))));
    }
}

#[test]
fn a_name_that_is_there_twice_reaches_no_policy() {
    // The policy would see one of the two, and another parser of the same message the other.
    for way in [STDIO_2025, HTTP_2025] {
        let server = all_but(
            way,
            r#"forbid(principal, action == Action::"call:transfer", resource)
               when { context.args.amount >= 1000 };"#,
        )
        .start();
        let client = server.client(way);
        for twice in [
            r#""amount":1,"amount":5000"#,
            r#""amount":5000,"amount":1"#,
            r#""amount":1,"\u0061mount":5000"#,
        ] {
            let message = format!(
                r#"{{"jsonrpc":"2.0","id":901,"method":"tools/call","params":{{"name":"transfer","arguments":{{"to":"bob",{twice}}}}}}}"#
            );
            let answer = match client.session() {
                None => {
                    server.write_line(message.as_bytes());
                    server.read_line()
                }
                Some(session) => {
                    let headers = format!(
                        "MCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: {session}\r\n"
                    );
                    let mut exchange = server.post(&headers, message.as_bytes());
                    exchange.message().unwrap()
                }
            };
            assert_eq!(code(&answer), -32700, "{answer}");
        }
        assert!(!server.reached("transfer"));
    }
}

#[test]
fn what_a_principal_has_read_is_remembered_where_requests_stand_alone() {
    let server = all_but(
        HTTP_2026,
        r#"forbid(principal, action == Action::"call:say", resource)
           when { context.taint.private };
           forbid(principal, action == Action::"call:quote", resource)
           when { principal.subject == "bob" };"#,
    )
    .with("USERS", "yes")
    .start();
    let client = server.client(HTTP_2026);
    server.sign_in("alice-token");
    client.call("read", json!({ "name": "a.txt" }));
    assert!(is_refusal(&client.call("say", json!({ "text": "x" }))));
    assert!(listed(&client, "tools").contains(&"quote".to_owned()));
    server.sign_in("bob-token");
    assert_eq!(text(&client.call("say", json!({ "text": "x" }))), "x");
    assert!(!listed(&client, "tools").contains(&"quote".to_owned()));
}

/// The operator is told which policy, what is wrong with it, and what to do.
#[track_caller]
fn refuses(policies: &str, words: &[&str]) {
    let said = under(STDIO_2025, policies).start_fails();
    for word in words.iter().chain(&["help:"]) {
        assert!(said.contains(word), "`{word}` is missing: {said}");
    }
}

#[test]
fn a_policy_that_names_what_is_not_there_stops_the_start() {
    for (policy, words) in [
        (
            r#"permit(principal, action == Action::"call:trasnfer", resource);"#,
            &[
                "`policy0`",
                "`call:trasnfer`",
                "did you mean `call:transfer`",
            ][..],
        ),
        (
            r#"permit(principal, action, resource == Tool::"trasnfer");"#,
            &["there is no tool `trasnfer`", "did you mean `transfer`"],
        ),
        (
            r#"permit(principal, action == Action::"call", resource);"#,
            &["is a group", "action in"],
        ),
        (
            r#"permit(principal, action, resource) when { action != Action::"call" };"#,
            &["is a group"],
        ),
        (
            r#"permit(principal == Principal::"alice", action, resource);"#,
            &["by its id", "principal.subject"],
        ),
        (
            r#"permit(principal, action == Action::"call:transfer", resource) when { context.args.amuont < 5 };"#,
            &["there is no `amuont`", "did you mean `amount`"],
        ),
        // To Cedar `has` of what is not there is false, and a forbid behind it never speaks.
        (
            r#"@id("typo") forbid(principal, action in Action::"call", resource) when { context.args has amuont };"#,
            &["`typo`", "there is no `amuont`"],
        ),
        (
            r#"forbid(principal, action, resource) when { context has tiant };"#,
            &["there is no `tiant`", "did you mean `taint`"],
        ),
        (
            r#"forbid(principal, action == Action::"call:transfer", resource) when { context.args has route && context.args.route has bnak };"#,
            &["there is no `bnak`"],
        ),
        (
            r#"forbid(principal, action, resource) when { principal has clientt };"#,
            &["there is no `clientt`"],
        ),
        // A map has no type.
        (
            r#"forbid(principal, action == Action::"call:transfer", resource) when { context.args has labels };"#,
            &["`labels`", "has no type"],
        ),
        (
            r#"permit(principal, action, resource) when { unknown("x") };"#,
            &["unknown"],
        ),
        (
            r#"permit(principal, action, resource) when { principal.assurance == Assurance::"acess_token" };"#,
            &["acess_token"],
        ),
    ] {
        refuses(policy, words);
    }
}

#[test]
fn a_policy_that_cannot_be_right_stops_the_start() {
    for (policy, words) in [
        (
            "permit(principal, action resource);",
            &["the policies in the code:1:"][..],
        ),
        (
            "permit(principal, action, resource) when { context.now > 5 };",
            &["the policies in the code:1:"],
        ),
        (
            r#"permit(principal, action == Action::"call:transfer", resource) when { context.args.amount == "5" };"#,
            &["the policies in the code:1:"],
        ),
        // An optional attribute is asked for by `has` first, or the policy would fail at run time.
        (
            r#"forbid(principal, action == Action::"call:transfer", resource) when { context.args.note like "x*" };"#,
            &["note"],
        ),
        // Not all tools have an amount.
        (
            "forbid(principal, action, resource) when { context.args.amount > 5 };",
            &["amount"],
        ),
        (
            "permit(principal == ?principal, action, resource);",
            &["template"],
        ),
        (
            r#"@id("a") permit(principal, action, resource); @id("a") forbid(principal, action, resource);"#,
            &["`a` is used twice"],
        ),
        (
            r#"@id("a b\n") permit(principal, action, resource);"#,
            &["is not an id"],
        ),
    ] {
        refuses(policy, words);
    }
}

#[test]
fn policies_that_permit_nothing_are_doubtful_and_no_error() {
    let server = under(STDIO_2025, "forbid(principal, action, resource);").start();
    let client = server.client(STDIO_2025);
    assert_eq!(listed(&client, "tools"), Vec::<String>::new());
    server.wait_for_stderr("no policy permits anything");
    server.wait_for_stderr("policies apply: cedar, 1 policies, sha256:");
}

/// A folder of the operator's with one file of policies, and a config file that names it.
fn operators(setup: Setup, policies: &str, more: &str) -> Setup {
    let folder = setup.folder();
    let policy_folder = folder.join("rules");
    std::fs::create_dir(&policy_folder).unwrap();
    std::fs::write(policy_folder.join("house.cedar"), policies).unwrap();
    std::fs::write(policy_folder.join("README"), "not a policy").unwrap();
    std::fs::set_permissions(&policy_folder, std::fs::Permissions::from_mode(0o700)).unwrap();
    let file = policy_folder.join("house.cedar");
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let config = folder.join("config.toml");
    std::fs::write(&config, format!("[policies]\npath = \"rules\"\n{more}")).unwrap();
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o600)).unwrap();
    setup
        .argument("--config")
        .argument(&config.display().to_string())
}

#[test]
fn an_operators_policies_take_away_and_give_nothing() {
    let setup = all_but(
        STDIO_2025,
        r#"forbid(principal, action == Action::"call:transfer", resource);"#,
    );
    let house = r#"
        @id("transfers") permit(principal, action == Action::"call:transfer", resource);
        permit(principal, action == Action::"call:say", resource) when { context.args.text != "no" };
    "#;
    let server = operators(setup, house, "").start();
    let client = server.client(STDIO_2025);
    // The author forbids it, the operator permits it: no.
    assert!(is_refusal(&client.call("transfer", transfer(1))));
    assert_eq!(listed(&client, "tools"), ["say"]);
    assert_eq!(
        message(&client.call("say", json!({ "text": "no" }))),
        "denied by policy"
    );
    assert_eq!(text(&client.call("say", json!({ "text": "yes" }))), "yes");
    let record = server.outcome_that_is("say", "ok");
    assert_eq!(
        record["policies"],
        json!(["all", "house.cedar:policy1"]),
        "{record}"
    );
    assert!(!server.reached("transfer"));
}

#[test]
fn an_operators_policies_stand_alone_where_the_author_has_none() {
    let setup = Setup::on(Transport::Stdio).with("SERVER", "policed");
    // It names a tool that the same file takes away: that is no mistake.
    let house = r#"
        permit(principal, action == Action::"call:say", resource);
        forbid(principal, action == Action::"call:quote", resource);
    "#;
    let server = operators(setup, house, "[tools]\ndeny = [\"quote\"]\n").start();
    let client = server.client(STDIO_2025);
    assert_eq!(listed(&client, "tools"), ["say"]);
    assert_eq!(text(&client.call("say", json!({ "text": "yes" }))), "yes");
}

#[test]
fn policies_that_a_tool_or_another_user_could_write_stop_the_start() {
    // The folder of the grant is where a tool would read; the author's folder must not be
    // writable by others.
    let setup = Setup::on(Transport::Stdio).with("SERVER", "policed");
    let folder = setup.folder().join("loose");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("a.cedar"), ALL).unwrap();
    std::fs::set_permissions(
        folder.join("a.cedar"),
        std::fs::Permissions::from_mode(0o666),
    )
    .unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
    let said = setup
        .with("POLICY_DIR", &folder.display().to_string())
        .start_fails();
    assert!(
        said.contains("can be written by others") && said.contains("help:"),
        "{said}"
    );

    let setup = Setup::on(Transport::Stdio).with("SERVER", "policed");
    let said = setup.with("POLICY_DIR", "policies").start_fails();
    assert!(
        said.contains("relative path") && said.contains("help:"),
        "{said}"
    );

    let setup = Setup::on(Transport::Stdio).with("SERVER", "policed");
    let empty = setup.folder().join("empty");
    std::fs::create_dir(&empty).unwrap();
    std::fs::set_permissions(&empty, std::fs::Permissions::from_mode(0o700)).unwrap();
    let said = setup
        .with("POLICY_DIR", &empty.display().to_string())
        .start_fails();
    assert!(
        said.contains("no file `*.cedar`") && said.contains("help:"),
        "{said}"
    );
}

#[test]
fn policies_that_lie_where_a_tool_writes_stop_the_start() {
    let setup = Setup::on(Transport::Stdio);
    let folder = setup.folder();
    std::fs::create_dir(folder.join("files/rules")).unwrap();
    let file = folder.join("files/rules/a.cedar");
    std::fs::write(&file, ALL).unwrap();
    let config = folder.join("config.toml");
    std::fs::write(&config, "[policies]\npath = \"files/rules\"\n").unwrap();
    for (path, mode) in [
        (&file, 0o600),
        (&folder.join("files/rules"), 0o700),
        (&config, 0o600),
    ] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let config = config.display().to_string();
    let said = setup.argument("--config").argument(&config).start_fails();
    for words in ["the policies", "lies in", "can write", "help:"] {
        assert!(said.contains(words), "{said}");
    }
}
