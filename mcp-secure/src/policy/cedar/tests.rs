//! The engine against a surface made by hand.

use std::time::{Duration, SystemTime};

use cedar_policy::{Context, Entities, Request};
use serde_json::{Value, json};

use super::*;
use crate::{
    auth::Principal,
    pipeline::Taint,
    policy::{Kind, Offer, Question, Ruling},
};

fn offer(kind: Kind, name: &'static str, schema: Value) -> Offer {
    Offer {
        kind,
        name,
        uri: (kind == Kind::Resource).then_some("x://{a}"),
        schema: schema.as_object().unwrap().clone(),
        scopes: &["s:one"],
        writes: false,
        destructive: false,
        open_world: false,
        private: true,
        open_sink: false,
        needs_approval: false,
        completes: if kind == Kind::Tool {
            vec![]
        } else {
            vec!["a"]
        },
    }
}

/// One argument of each kind that has a type.
fn surface() -> Surface {
    let every = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "long": { "type": "integer" },
            "text": { "type": "string" },
            "truth": { "type": "boolean" },
            "price": { "type": "number" },
            "set": { "type": "array", "items": { "type": "string" } },
            "deep": {
                "type": "object", "additionalProperties": false, "required": ["n"],
                "properties": { "n": { "type": "integer" }, "m": { "type": ["string", "null"] } },
            },
            "may": { "type": ["integer", "null"] },
            "def": { "type": "integer", "default": 7 },
            "map": { "type": "object", "additionalProperties": { "type": "string" } },
            "odd name\"": { "type": "integer" },
        },
        "required": ["long", "text", "truth", "price", "set", "deep", "odd name\""],
    });
    let texts = json!({ "properties": { "a": {}, "b": {} }, "required": ["a"] });
    Surface {
        offers: vec![
            offer(Kind::Tool, "every", every),
            offer(Kind::Tool, "plain", json!({ "properties": {} })),
            // A prompt and a resource may have one name.
            offer(Kind::Prompt, "page", texts.clone()),
            offer(Kind::Resource, "page", texts),
        ],
    }
}

fn arguments() -> Value {
    json!({
        "long": 3, "text": "t", "truth": true, "price": 1.5, "set": ["a", "b"],
        "deep": { "n": 1, "m": null }, "may": null, "map": { "k": "v" }, "odd name\"": 1,
    })
}

fn prepared(policies: &str) -> Prepared {
    CedarPolicies::from_str(policies)
        .prepare(&surface())
        .unwrap_or_else(|e| panic!("{policies}: {e}"))
}

fn question<'a>(
    principal: &'a Principal,
    taint: &'a Taint,
    arguments: Option<&'a rmcp::model::JsonObject>,
) -> Question<'a> {
    Question {
        principal,
        kind: Kind::Tool,
        name: "every",
        completes: None,
        arguments,
        uri: None,
        taint,
        now: SystemTime::UNIX_EPOCH + Duration::from_millis(1_800_000_000_123),
    }
}

fn ask(policies: &str, arguments: &Value) -> Ruling {
    let (principal, taint) = (Principal::local_user().scopes(["s:one"]), Taint::default());
    let arguments = arguments.as_object().unwrap();
    prepared(policies)
        .decider
        .decide(&question(&principal, &taint, Some(arguments)))
}

fn foresee(policies: &str) -> Option<Ruling> {
    let (principal, taint) = (Principal::local_user().scopes(["s:one"]), Taint::default());
    prepared(policies)
        .decider
        .foresee(&question(&principal, &taint, None))
}

fn when(condition: &str) -> String {
    format!(
        r#"permit(principal, action == Action::"call:every", resource) when {{ {condition} }};"#
    )
}

#[test]
fn every_kind_of_argument_can_be_asked_for() {
    for condition in [
        "context.args.long == 3",
        r#"context.args.text like "t*""#,
        "context.args.truth",
        r#"context.args.price.lessThan(decimal("1.51"))"#,
        r#"context.args.set.containsAll(["a", "b"])"#,
        "context.args.deep.n == 1",
        "!(context.args.deep has m)",
        "!(context.args has may)",
        // What the tool takes instead of what is missing.
        "context.args.def == 7",
        r#"context.args["odd name\""] == 1"#,
        r#"context.now == datetime("2027-01-15T08:00:00.123Z")"#,
        "context.weekday == 5",
        "!context.taint.private && !context.taint.secret && !context.taint.untrusted_text",
        r#"principal.issuer == "local" && principal.subject like "uid:*""#,
        r#"principal.scopes.contains("s:one") && principal.scopes.containsAll(resource.scopes)"#,
        r#"principal.assurance == Assurance::"declared" && !principal.is_client"#,
        "principal.actors.isEmpty() && !(principal has key)",
        r#"resource.private && !resource.writes && resource.name == "every""#,
        r#"resource == Tool::"every" && action in Action::"call""#,
    ] {
        let ruling = ask(&when(condition), &arguments());
        assert_eq!(
            ruling,
            Ruling::permit(vec!["policy0".to_owned()]),
            "{condition}"
        );
        let not = ask(&when(&format!("!({condition})")), &arguments());
        assert!(!not.is_permit(), "{condition}");
        assert_eq!(not.control(), "authorize/policy", "{condition}");
    }
}

#[test]
fn what_is_built_for_a_request_is_what_the_schema_says() {
    let world = World::of(&surface()).unwrap();
    let principal = Principal::local_user().scopes(["a", "b"]);
    let taint = Taint::default();
    let given = arguments();
    let all = |_: &str| true;
    let (uid, entity) = world.principal(&principal).unwrap();
    let question = question(&principal, &taint, given.as_object());
    let (action, resource, thing) = world.action(&question).unwrap();
    Entities::from_entities([entity, thing.clone()], Some(&world.schema)).unwrap();
    let args = action.args.as_ref().unwrap();
    let args = value::object(args, given.as_object().unwrap(), all).unwrap();
    let record = |pairs: Vec<(&str, cedar_policy::RestrictedExpression)>| {
        let pairs = pairs.into_iter().map(|(n, v)| (n.to_owned(), v));
        cedar_policy::RestrictedExpression::new_record(pairs).unwrap()
    };
    let truth = cedar_policy::RestrictedExpression::new_bool;
    let taint = record(vec![
        ("untrusted_text", truth(false)),
        ("secret", truth(false)),
        ("private", truth(false)),
    ]);
    let now = cedar_policy::RestrictedExpression::new_datetime("2026-01-01T00:00:00.000Z");
    let day = cedar_policy::RestrictedExpression::new_long(1);
    let context = [
        ("args", args),
        ("taint", taint),
        ("now", now),
        ("weekday", day),
    ];
    let context = Context::from_pairs(context.map(|(n, v)| (n.to_owned(), v))).unwrap();
    Request::new(
        uid,
        action.uid.clone(),
        resource.clone(),
        context,
        Some(&world.schema),
    )
    .unwrap();
}

#[test]
fn a_policy_that_fails_denies_whatever_the_others_say() {
    let sum = r#"
        @id("all") permit(principal, action, resource);
        @id("sum") forbid(principal, action == Action::"call:every", resource)
        when { context.args.long + context.args.long > 100 };
    "#;
    let mut given = arguments();
    assert!(ask(sum, &given).is_permit());
    given["long"] = json!(i64::MAX);
    let ruling = ask(sum, &given);
    assert_eq!(
        ruling,
        Ruling::error(vec!["sum".to_owned()], "a policy could not be evaluated")
    );
    assert_eq!(ruling.control(), "authorize/policy-error");
    // Without us, Cedar says yes: this is what the rule is for.
    let set: PolicySet = r#"
        permit(principal, action, resource);
        forbid(principal, action, resource) when { context.long + context.long > 100 };
    "#
    .parse()
    .unwrap();
    let context = Context::from_json_value(json!({ "long": i64::MAX }), None).unwrap();
    let uid = |text: &str| text.parse().unwrap();
    let request = Request::new(
        uid(r#"P::"p""#),
        uid(r#"Action::"a""#),
        uid(r#"R::"r""#),
        context,
        None,
    );
    let response =
        cedar_policy::Authorizer::new().is_authorized(&request.unwrap(), &set, &Entities::empty());
    assert_eq!(response.decision(), cedar_policy::Decision::Allow);
}

#[test]
fn an_argument_that_no_policy_reads_cannot_deny_by_its_form() {
    let mut given = arguments();
    given["price"] = json!(0.123_456_789);
    assert!(ask(&when("context.args.long == 3"), &given).is_permit());
    let ruling = ask(
        &when(r#"context.args.price.lessThan(decimal("1.0"))"#),
        &given,
    );
    assert_eq!(ruling.control(), "authorize/policy-error");
    assert!(ruling.reason.contains("price"), "{ruling:?}");
    assert!(!ruling.reason.contains("0.123"), "{ruling:?}");
    // Wherever a policy takes the arguments as a whole, all are looked at.
    let whole = when("context.args == context.args && context.args.long == 3");
    assert!(!ask(&whole, &given).is_permit());
}

#[test]
fn only_what_is_denied_for_all_arguments_is_foreseen() {
    let all = "permit(principal, action, resource);";
    let every = r#"principal, action == Action::"call:every", resource"#;
    for (policies, hidden) in [
        (all.to_owned(), false),
        (when("context.args.long == 3"), false),
        (when("context.args has may"), false),
        (
            when(r#"context.args.price.lessThan(decimal("1.0"))"#),
            false,
        ),
        (when(r#"context.args.text like "a*""#), false),
        (
            when(r#"context.args.set.containsAny(["a"]) && !context.args.set.isEmpty()"#),
            false,
        ),
        (
            when("if context.args.truth then resource.writes else resource.private"),
            false,
        ),
        (
            when("context.args has may && context.args.may > 3 && context.args.deep.n < 0"),
            false,
        ),
        (
            when(r#"principal.scopes.contains(context.args.text)"#),
            false,
        ),
        (
            when(r#"principal.scopes.contains("no") && context.args.truth"#),
            true,
        ),
        (when("context.args == context.args"), false),
        (when("resource.writes"), true),
        (when("resource.writes && context.args.long == 3"), true),
        (when("context.args.long == 3 && resource.writes"), false),
        (
            r#"permit(principal, action == Action::"call:plain", resource);"#.to_owned(),
            true,
        ),
        (format!("{all} forbid({every});"), true),
        (
            format!("{all} forbid({every}) when {{ context.args.long > 3 }};"),
            false,
        ),
        (
            format!("{all} forbid({every}) unless {{ resource.writes }};"),
            true,
        ),
        (
            format!("{all} forbid({every}) when {{ context.taint.private }};"),
            false,
        ),
        (
            when(r#"context.now < datetime("2020-01-01T00:00:00Z")"#),
            true,
        ),
        (
            when(r#"context.now > datetime("2020-01-01T00:00:00Z")"#),
            false,
        ),
        (
            when(r#"context.args.long > 3 && context.now > datetime("2020-01-01T00:00:00Z")"#),
            false,
        ),
        (
            when(r#"context.now.toTime() < duration("1h") && context.args.long > 3"#),
            true,
        ),
        (
            format!("{all} forbid({every}) when {{ context.now > datetime(\"2020-01-01\") }};"),
            true,
        ),
        // It fails whatever the arguments are, and so denies.
        (
            format!("{all} forbid({every}) when {{ context.weekday * 9223372036854775807 > 1 }};"),
            true,
        ),
        // Only if the first half is true: not for all arguments.
        (
            format!(
                "{all} forbid({every}) when {{ context.args.long > 3 && \
                 context.weekday * 9223372036854775807 > 1 }};"
            ),
            false,
        ),
    ] {
        let foreseen = foresee(&policies);
        assert_eq!(foreseen.is_some(), hidden, "{policies}: {foreseen:?}");
        if hidden {
            // What is hidden is denied for these arguments, too.
            assert!(!ask(&policies, &arguments()).is_permit(), "{policies}");
        }
    }
}

#[test]
fn a_name_that_is_a_prompts_and_a_resources_completes_each() {
    let policies = r#"
        permit(principal, action in Action::"complete", resource is Prompt)
        when { context.argument == "a" };
    "#;
    let (principal, taint) = (Principal::local_user(), Taint::default());
    let decider = prepared(policies).decider;
    for (kind, may) in [(Kind::Prompt, true), (Kind::Resource, false)] {
        let question = Question {
            kind,
            name: "page",
            completes: Some("a"),
            ..question(&principal, &taint, None)
        };
        assert_eq!(decider.decide(&question).is_permit(), may, "{kind:?}");
    }
}

#[test]
fn what_is_not_in_the_surface_is_denied() {
    let (principal, taint) = (Principal::local_user(), Taint::default());
    let decider = prepared("permit(principal, action, resource);").decider;
    let nobody = Question {
        name: "nobody",
        ..question(&principal, &taint, None)
    };
    assert!(!decider.decide(&nobody).is_permit());
    assert!(decider.foresee(&nobody).is_some());
    // And a call without its arguments is no call.
    assert!(
        !decider
            .decide(&question(&principal, &taint, None))
            .is_permit()
    );
}

#[test]
fn the_digest_is_of_the_text_and_of_how_it_is_cut() {
    let row = |text: &str| CedarPolicies::from_str(text).row();
    assert_ne!(row("a"), row("b"));
    assert_eq!(row("a"), row("a"));
    assert!(row("a").starts_with("cedar, in the code, sha256:"));
}

#[test]
fn the_policies_of_the_book_hold_against_a_server() {
    let book = include_str!("../../../../book/src/policies.md");
    let blocks: Vec<&str> = book
        .split("```text")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert_eq!(blocks.len(), 2);
    let pay = json!({
        "properties": { "to": { "type": "string" }, "amount": { "type": "integer" } },
        "required": ["to", "amount"],
    });
    let surface = Surface {
        offers: vec![offer(Kind::Tool, "pay", pay)],
    };
    for block in blocks {
        let prepared = CedarPolicies::from_str(block).prepare(&surface);
        assert!(prepared.is_ok(), "{block}: {}", prepared.err().unwrap());
    }
}
