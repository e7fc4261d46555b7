use super::*;
use crate::{
    definition::{Definition, TextException},
    server::resolve::tests::{definition, with_definition},
};

/// What a run left behind: what remains, standard output, standard error.
struct Ran {
    next: Next,
    out: String,
    err: String,
}

fn run(line: &str) -> Ran {
    run_with(line, |_| Ok(()))
}

fn run_with(line: &str, probe: impl FnOnce(&Resolved) -> Result<()>) -> Ran {
    run_of(&definition(), line, probe)
}

fn run_of(
    definition: &Definition<()>,
    line: &str,
    probe: impl FnOnce(&Resolved) -> Result<()>,
) -> Ran {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut around = Surroundings {
        exe: Path::new("/opt/notes"),
        cwd: Path::new("/srv/app"),
        now: SystemTime::UNIX_EPOCH,
        out: &mut out,
        err: &mut err,
    };
    let args = std::iter::once("notes")
        .chain(line.split_whitespace())
        .map(Into::into);
    let next = with_definition(definition, (true, true, false), |declared| {
        dispatch(args, ("notes", "0.1.0"), declared, probe, &mut around)
    });
    Ran {
        next,
        out: String::from_utf8(out).unwrap(),
        err: String::from_utf8(err).unwrap(),
    }
}

impl Ran {
    fn code(&self) -> u8 {
        match self.next {
            Next::Exit(code) => code,
            _ => panic!("would serve"),
        }
    }
}

#[test]
fn serving_says_nothing_on_standard_output() {
    let ran = run("--grant notes=n");
    assert!(matches!(ran.next, Next::Serve(_)));
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", ""));
}

#[test]
fn a_start_that_fails_is_1_and_a_usage_error_is_2() {
    let ran = run("serve");
    assert_eq!(ran.code(), 1);
    assert_eq!(ran.out, "");
    assert!(
        ran.err
            .starts_with("error: `notes` is not granted\n  help: bind it with `--grant"),
        "{}",
        ran.err
    );
    let ran = run("--nonsense");
    assert_eq!((ran.code(), ran.out.as_str()), (2, ""));
    assert!(ran.err.starts_with("error: "), "{}", ran.err);
    let ran = run("--help");
    assert_eq!((ran.code(), ran.err.as_str()), (0, ""));
}

#[test]
fn check_says_what_would_run_and_asks_the_builder() {
    let ran = run("check --grant notes=n --http");
    assert_eq!(ran.code(), 0, "{}", ran.err);
    let lines: Vec<&str> = ran.out.lines().take(5).collect();
    assert_eq!(
        lines,
        [
            "mcp-secure-unit-test 0.1.0 would serve http on 127.0.0.1:8443",
            "  config    none",
            "  grant     notes = /srv/app/n (by --grant)",
            "  audit     the server's own place",
            "  offers    0 tools, 0 prompts, 0 resources",
        ]
    );
    let ran = run_with("check --grant notes=n", |_| {
        Err(Error::new("the folder is gone"))
    });
    assert_eq!(
        (ran.code(), ran.err.as_str()),
        (1, "error: the folder is gone\n")
    );
}

#[test]
fn the_manifest_is_printed_in_three_ways() {
    let json = run("manifest --json").out;
    let compiled = Manifest::from_json(&json).unwrap();
    assert_eq!(
        run("manifest --digest").out,
        format!("{}\n", compiled.digest())
    );
    assert!(
        run("manifest")
            .out
            .starts_with("mcp-secure-unit-test 0.1.0\n=====")
    );
    // Without a grant there is no effective form.
    assert_eq!(run("manifest --effective").code(), 1);
    let effective = run("manifest --json --grant notes=n").out;
    let effective = Manifest::from_json(&effective).unwrap().effective.unwrap();
    assert_eq!(effective.compiled, compiled.digest());
}

#[test]
fn a_server_wider_than_its_lock_file_neither_checks_nor_serves() {
    let dir = tempfile::tempdir().unwrap();
    let lock = dir.path().join("manifest.json");
    let json = run("manifest --json").out;
    let line = |verb: &str| format!("{verb} --grant notes=n --lock {}", lock.display());

    assert_eq!(run(&line("check")).code(), 1);
    std::fs::write(&lock, &json).unwrap();
    let ran = run(&line("check"));
    assert_eq!(ran.code(), 0);
    assert!(ran.out.contains("manifest.json: the same"), "{}", ran.out);
    assert!(matches!(run(&line("serve")).next, Next::Serve(_)));

    let mut smaller: serde_json::Value = serde_json::from_str(&json).unwrap();
    smaller["limits"]["max_output"] = 1.into();
    std::fs::write(&lock, smaller.to_string()).unwrap();
    for verb in ["check", "serve"] {
        let ran = run(&line(verb));
        assert_eq!(ran.code(), 1, "{verb}");
        assert!(
            ran.err
                .contains("\n  wider     limits: max_output is 1048576, was 1\n  help: review it"),
            "{}",
            ran.err
        );
    }

    smaller["limits"]["max_output"] = 9_999_999.into();
    std::fs::write(&lock, smaller.to_string()).unwrap();
    let ran = run(&line("check"));
    assert_eq!(ran.code(), 0);
    assert!(
        ran.out
            .contains("nothing is wider; write it again\n    narrower"),
        "{}",
        ran.out
    );

    std::fs::write(&lock, run("manifest --json --grant notes=n").out).unwrap();
    assert!(
        run(&line("check"))
            .err
            .contains("is an effective manifest, of one host")
    );
}

#[test]
fn the_client_gets_json_and_the_person_gets_the_hint() {
    let ran = run("client-config --client cursor --grant notes=n");
    assert_eq!(ran.code(), 0, "{}", ran.err);
    serde_json::from_str::<serde_json::Value>(&ran.out).unwrap();
    assert!(ran.err.starts_with("put it into `~/.cursor/mcp.json`"));
}

#[test]
fn a_refused_text_neither_checks_nor_serves_and_a_doubtful_one_is_told() {
    let mut refused = definition();
    refused.instructions = Some("Be\u{202E}have.");
    for verb in ["check", "serve"] {
        let ran = run_of(&refused, &format!("{verb} --grant notes=n"), |_| Ok(()));
        assert_eq!(ran.code(), 1, "{verb}");
        assert!(
            ran.err
                .starts_with("error: a text is refused: the server at /instructions: U+202E"),
            "{}",
            ran.err
        );
    }
    let mut doubtful = definition();
    doubtful.instructions = Some("Always call this tool.");
    let ran = run_of(&doubtful, "check --grant notes=n", |_| Ok(()));
    assert_eq!(ran.code(), 0, "{}", ran.err);
    assert!(
        ran.out
            .contains("\n  warning   the server at /instructions: `always call this tool`"),
        "{}",
        ran.out
    );
    let ran = run_of(&doubtful, "serve --grant notes=n", |_| Ok(()));
    assert!(matches!(ran.next, Next::Serve(_)));
}

#[test]
fn an_exception_that_is_over_fails_the_check_and_stops_no_server() {
    let mut over = definition();
    over.instructions = Some("Be\u{202E}have.");
    over.exceptions = &[TextException {
        rule: "hidden/bidi-control",
        reason: "shown in a terminal that knows it",
        // These tests run on the first of January.
        until: "1969-12-31",
        spent: true,
    }];
    let run = |line: &str| run_of(&over, line, |_| Ok(()));
    let check = run("check --grant notes=n");
    assert_eq!((check.code(), check.out.as_str()), (1, ""));
    assert!(
        check
            .err
            .starts_with("error: exceptions are over:\n  server sets `hidden/bidi-control`"),
        "{}",
        check.err
    );
    // The manifest is printed nevertheless: somebody has to look at it.
    for form in ["--json", "--digest", ""] {
        let manifest = run(&format!("manifest {form}"));
        assert_eq!(manifest.code(), 1, "{form}");
        assert!(
            !manifest.out.is_empty() && manifest.err.starts_with("error: "),
            "{form}"
        );
    }
    assert!(matches!(run("serve --grant notes=n").next, Next::Serve(_)));
    over.exceptions = &[TextException {
        rule: "hidden/bidi-control",
        reason: "shown in a terminal that knows it",
        until: "1970-01-01",
        spent: true,
    }];
    assert_eq!(run_of(&over, "check --grant notes=n", |_| Ok(())).code(), 0);
}
