//! What a caller sends is a value, and nothing but a value.

use mcp_secure::{
    capability::exec::{Exec, ExecError, Flag, Identifier, Separator, Text},
    prelude::*,
};
use serde_json::json;

use crate::scene::{Probe, Scene, told};

fn text(text: &str) -> Text {
    Text::parse(text).unwrap()
}

async fn args(command: mcp_secure::capability::exec::Command<Probe>) -> serde_json::Value {
    let mut told = told(command.run().await);
    let args = told["args"].as_array_mut().unwrap();
    args.remove(0);
    told["args"].take()
}

fn refused<T>(result: Result<T, ExecError>) -> &'static str {
    match result.map(|_| ()).unwrap_err() {
        ExecError::Argument { .. } => "exec/argument",
        ExecError::Option { .. } => "exec/option",
        other => panic!("{other:?}"),
    }
}

const HOSTILE: &[&str] = &[
    "x; id > marker",
    "$(id > marker)",
    "`id > marker`",
    "x\nid > marker",
    "x | id",
    "x && id",
    "' ; id ; '",
    "\" ; id ; \"",
    "%PATH%",
    "a b  c",
    "*",
    "~",
    "\\",
    "ä\u{202e}",
    "",
];

#[tokio::test]
async fn what_a_shell_would_obey_arrives_as_it_was_sent() {
    let scene = Scene::new();
    let probe = scene.open(Probe::from_operator());
    for hostile in HOSTILE {
        let args = args(
            probe
                .command(["tell"])
                .option("--query", text(hostile))
                .arg(text(hostile)),
        )
        .await;
        assert_eq!(
            args,
            json!(["tell", format!("--query={hostile}"), "--", hostile])
        );
    }
}

#[tokio::test]
async fn the_separator_comes_before_the_first_argument_and_once() {
    let scene = Scene::new();
    let name = || Identifier::parse("main").unwrap();
    let path = || RelPath::parse("-rf").unwrap();
    let of = |separator| {
        let probe = scene.open(
            Probe::from_operator()
                .separator(separator)
                .leading(["tell"]),
        );
        probe.command([]).flag("--oneline")
    };
    let cases = [
        (Separator::DoubleDash, json!(["--"])),
        (Separator::EndOfOptions, json!(["--end-of-options"])),
        (Separator::None, json!([])),
    ];
    for (separator, words) in cases {
        let mut expected = vec![json!("tell"), json!("--oneline")];
        expected.extend(words.as_array().unwrap().clone());
        expected.extend([json!("main"), json!("./-rf"), json!("5")]);
        let args = args(of(separator).arg(name()).arg(path()).arg(5_u8)).await;
        assert_eq!(args, json!(expected), "{separator:?}");
    }
    let between = of(Separator::EndOfOptions)
        .arg(name())
        .double_dash()
        .arg(path());
    let expected = json!([
        "tell",
        "--oneline",
        "--end-of-options",
        "main",
        "--",
        "./-rf"
    ]);
    assert_eq!(args(between).await, expected);
    let first = of(Separator::EndOfOptions).double_dash().arg(path());
    let expected = json!(["tell", "--oneline", "--end-of-options", "--", "./-rf"]);
    assert_eq!(args(first).await, expected);
}

#[tokio::test]
async fn behind_a_separator_a_dash_is_a_dash_and_without_one_it_is_refused() {
    let scene = Scene::new();
    let with = scene.open(Probe::from_operator());
    let without = scene.open(Probe::from_operator().separator(Separator::None));
    for dashed in ["-x", "--output=/tmp/x", "+x", "-"] {
        let sent = args(with.command(["tell"]).arg(text(dashed))).await;
        assert_eq!(sent, json!(["tell", "--", dashed]));
        let refusal = without.command(["tell"]).arg(text(dashed)).run().await;
        assert_eq!(refused(refusal), "exec/argument", "{dashed}");
        // In one word with its name it is a value everywhere.
        let sent = args(without.command(["tell"]).option("--message", text(dashed))).await;
        assert_eq!(sent, json!(["tell", format!("--message={dashed}")]));
    }
    assert_eq!(
        refused(without.command(["tell"]).arg(-5_i32).run().await),
        "exec/argument"
    );
}

#[tokio::test]
async fn a_value_that_the_program_would_open_is_refused() {
    let scene = Scene::new();
    let probe = scene.open(Probe::from_operator());
    for file in [
        "@/etc/passwd",
        "file:///etc/passwd",
        "FILE:///etc/passwd",
        "fileb://x",
        "Name=@x",
        "Name@=file:///etc/passwd",
        "Key=a,Value=file://x",
    ] {
        let as_argument = probe.command(["tell"]).arg(text(file)).run().await;
        assert_eq!(refused(as_argument), "exec/argument", "{file}");
        let as_value = probe
            .command(["tell"])
            .option("--input", text(file))
            .run()
            .await;
        assert_eq!(refused(as_value), "exec/argument", "{file}");
    }
    let own = scene.open(Probe::from_operator().forbid_prefixes(["%"]));
    assert_eq!(
        refused(own.command(["tell"]).arg(text("%x")).run().await),
        "exec/argument"
    );
    let sent = args(own.command(["tell"]).arg(text("@x"))).await;
    assert_eq!(sent, json!(["tell", "--", "@x"]));
}

#[tokio::test]
async fn an_option_is_a_word_of_the_code_and_stands_where_options_are_read() {
    enum Order {
        Oldest,
        Newest,
    }
    impl Flag for Order {
        fn as_flag(&self) -> &'static str {
            match self {
                Self::Oldest => "--reverse",
                Self::Newest => "--no-reverse",
            }
        }
    }
    let scene = Scene::new();
    let probe = scene.open(Probe::from_operator());
    let sent = args(
        probe
            .command(["tell"])
            .flag(Order::Oldest)
            .flag(Order::Newest)
            .option("-n", 5_u32),
    )
    .await;
    assert_eq!(sent, json!(["tell", "--reverse", "--no-reverse", "-n5"]));
    let name = || Identifier::parse("x").unwrap();
    for command in [
        probe.command(["tell"]).flag("reverse"),
        probe.command(["tell"]).flag("--"),
        probe.command(["tell"]).flag("-"),
        probe.command(["tell"]).flag("--a\0b"),
        probe.command(["tell"]).option("name", 5_u32),
        probe.command(["tell"]).option("--", 5_u32),
        probe.command(["tell"]).option("-na", 5_u32),
        probe.command(["tell"]).arg(name()).flag("--late"),
        probe.command(["tell"]).arg(name()).option("--late", 5_u32),
        probe.command(["tell"]).double_dash().flag("--late"),
    ] {
        let shown = format!("{command:?}");
        let error = command.run().await.unwrap_err();
        let zero = shown.contains('\0');
        assert!(
            matches!(error, ExecError::Option { .. })
                || zero && matches!(error, ExecError::Argument { .. }),
            "{shown}: {error:?}"
        );
    }
    let empty = probe.command(["tell"]).option("-m", text("")).run().await;
    assert_eq!(refused(empty), "exec/argument");
}

#[tokio::test]
async fn a_command_line_has_an_end() {
    let scene = Scene::new();
    let probe = scene.open(Probe::from_operator());
    let long = text(&"x".repeat(8192));
    let sent = args(probe.command(["tell"]).args([&long, &long, &long])).await;
    assert_eq!(sent.as_array().unwrap().len(), 5);
    let refusal = probe
        .command(["tell"])
        .args([&long, &long, &long, &long])
        .run()
        .await;
    assert_eq!(refused(refusal), "exec/argument");
    let many = probe
        .command(["tell"])
        .args((0..512).map(|_| 1_u8))
        .run()
        .await;
    assert_eq!(refused(many), "exec/argument");
    let zero = probe.command(["tell"]).arg("a\0b").run().await;
    assert_eq!(refused(zero), "exec/argument");
    // What takes twice its size on the way to the spawner.
    let quotes = text(&"\"\n".repeat(4000));
    let sent = args(
        probe
            .command(["tell"])
            .args([&quotes, &quotes, &quotes, &quotes]),
    )
    .await;
    assert_eq!(sent[5], quotes.as_str());
}

#[tokio::test]
async fn the_trail_has_the_words_of_the_code_and_no_value() {
    let scene = Scene::new();
    let probe = scene.open(Probe::from_operator());
    let secret = || text("a-secret");
    let run = probe
        .command(["exit"])
        .option("--author", secret())
        .arg(secret());
    assert!(!format!("{run:?}").contains("a-secret"));
    run.run().await.unwrap();
    let _ = probe.command(["tell"]).arg(text("@a-secret")).run().await;
    let trail = probe.__trail();
    assert!(!trail.to_string().contains("a-secret"), "{trail}");
    let steps = trail["steps"].as_array().unwrap();
    assert_eq!(steps[0]["action"], "probe exit --author");
    assert_eq!(steps[0]["outcome"], "failed");
    assert_eq!(steps[1]["outcome"], "denied");
    assert_eq!(steps[1]["control"], "exec/argument");
}

#[allow(dead_code, reason = "it must compile")]
fn handles_are_shared_between_threads(probe: Exec<Probe>) -> impl Send + Sync {
    probe
}
