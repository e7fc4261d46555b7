use super::*;
use crate::{
    capability::{
        Capability,
        fs::{FsGrant, FsRoot},
    },
    definition::Definition,
    server::{
        cli::{self, Invocation},
        config_file,
    },
};

pub(in crate::server) struct Notes;

impl FsRoot for Notes {}
impl Capability for Notes {
    const NAME: &'static str = "notes";
    const DOC: &'static str = "The user's notes.";
    const PRIVATE: bool = true;
}

/// A server with no tools that asks for one folder.
pub(in crate::server) fn with_declared<T>(
    transports: (bool, bool, bool),
    f: impl FnOnce(&Declared<'_>) -> T,
) -> T {
    with_definition(&definition(), transports, f)
}

pub(in crate::server) fn definition() -> Definition<()> {
    Definition {
        // No user has a file for a server of this name.
        name: "mcp-secure-unit-test",
        version: "0.1.0",
        instructions: None,
        exceptions: &[],
        tools: Vec::new(),
        prompts: Vec::new(),
        resources: Vec::new(),
        completions: Vec::new(),
    }
}

pub(in crate::server) fn with_definition<T>(
    definition: &Definition<()>,
    (stdio, http, unix): (bool, bool, bool),
    f: impl FnOnce(&Declared<'_>) -> T,
) -> T {
    with_http(definition, (stdio, http, unix), loopback(), f)
}

/// What most tests declare.
pub(in crate::server) fn loopback() -> DeclaredHttp {
    DeclaredHttp {
        addr: "127.0.0.1:8443".into(),
        path: "/mcp".into(),
        shown: "http",
        scheme: "http",
        host: None,
        is_behind_proxy: false,
        unfit: Some(Unfit {
            why: "the server has no TLS",
            help: "add it",
        }),
        shown_by_callers: Shown::TokenFile,
    }
}

pub(in crate::server) fn with_http<T>(
    definition: &Definition<()>,
    (stdio, http, unix): (bool, bool, bool),
    declared: DeclaredHttp,
    f: impl FnOnce(&Declared<'_>) -> T,
) -> T {
    let grants = [FsGrant::<Notes>::from_operator().into()];
    let limits = Limits::default();
    let transports = Declared::transports(stdio, http, unix);
    let manifest = Manifest::compiled(definition, &grants, &limits, &transports);
    f(&Declared {
        texts: manifest.texts_with(definition),
        grants: &grants,
        limits: &limits,
        text: crate::TextPolicy::default(),
        approvals: &crate::approval::Approvals::default(),
        could_sign_in: false,
        signs_in_by: None,
        stdio,
        http: http.then_some(declared),
        unix: unix.then(|| Some("/run/in-code.sock".into())),
        manifest,
    })
}

fn options(line: &str) -> ServeOptions {
    let words = std::iter::once("x").chain(line.split_whitespace());
    match cli::parse("notes", "0", words.map(Into::into)) {
        Ok(Invocation::Serve(options)) => options,
        other => panic!("{other:?}"),
    }
}

fn resolve(declared: (bool, bool, bool), line: &str, toml: &str) -> Result<Resolved> {
    let config = config_file::parse("notes.toml", Path::new("/etc"), toml)?;
    with_declared(declared, |declared| {
        declared.resolve_with(&options(line), Some(config), Path::new("/srv/app"))
    })
}

fn transport(declared: (bool, bool, bool), line: &str, toml: &str) -> Result<Transport> {
    resolve(declared, &format!("{line} --grant notes=n"), toml).map(|resolved| resolved.transport)
}

const ALL: (bool, bool, bool) = (true, true, true);

#[test]
fn the_operator_does_not_move_a_server_to_where_others_reach_it() {
    let http = (false, true, false);
    for (line, toml, at) in [
        ("--http 0.0.0.0:80", "", "--http: "),
        (
            "--http",
            "[http]\naddr = \"0.0.0.0:80\"",
            "notes.toml:2:1: `http.addr`: ",
        ),
    ] {
        let error = transport(http, line, toml).unwrap_err().to_string();
        let words = "others reach `0.0.0.0:80`, and the server has no TLS\n  help: add it";
        assert_eq!(error, format!("{at}{words}"));
    }
    assert!(transport(http, "--http 127.0.0.2:80", "").is_ok());
}

#[test]
fn the_only_transport_is_the_default_and_stdio_is_that_of_several() {
    assert_eq!(
        transport((true, false, false), "", "").unwrap(),
        Transport::Stdio
    );
    assert_eq!(
        transport((false, true, false), "", "").unwrap(),
        Transport::Http(None)
    );
    assert_eq!(
        transport((false, false, true), "", "").unwrap(),
        Transport::Unix(Some("/run/in-code.sock".into()))
    );
    assert_eq!(transport(ALL, "", "").unwrap(), Transport::Stdio);
    assert_eq!(
        transport((false, true, true), "", "")
            .unwrap_err()
            .to_string(),
        "it is not said how to serve\n  help: add `--http` or `--unix`; the code declares `http`, \
         `unix`"
    );
}

#[test]
fn the_command_line_goes_before_the_file_and_the_file_before_the_code() {
    let toml =
        "[transport]\ndefault = \"http\"\n[http]\naddr = \"127.0.0.1:1\"\n[unix]\npath = \"s\"\n";
    let at = |port: u16| Transport::Http(Some(([127, 0, 0, 1], port).into()));
    assert_eq!(transport(ALL, "", toml).unwrap(), at(1));
    assert_eq!(transport(ALL, "--http", toml).unwrap(), at(1));
    assert_eq!(transport(ALL, "--http 2", toml).unwrap(), at(2));
    assert_eq!(transport(ALL, "--stdio", toml).unwrap(), Transport::Stdio);
    assert_eq!(
        transport(ALL, "--unix", toml).unwrap(),
        Transport::Unix(Some("/etc/s".into()))
    );
    assert_eq!(
        transport(ALL, "--unix s", toml).unwrap(),
        Transport::Unix(Some("/srv/app/s".into()))
    );
}

#[test]
fn a_transport_that_the_code_does_not_declare_is_refused() {
    assert_eq!(
        transport((true, false, true), "--http", "")
            .unwrap_err()
            .to_string(),
        "this server does not declare `http`\n  help: the code declares `stdio`, `unix`"
    );
    assert_eq!(
        transport(
            (true, false, false),
            "",
            "[transport]\ndefault = \"htpp\"\n"
        )
        .unwrap_err()
        .to_string(),
        "notes.toml:2:1: `transport.default` is `htpp`\n  help: the code declares `stdio`"
    );
}

#[test]
fn what_runs_is_the_code_narrowed_by_the_file_and_the_command_line() {
    let toml = "[grants]\nnotes = \"n\"\n[limits]\nconcurrency = 3\n[audit]\nstderr = true\n\
                [http]\ntoken_file = \"t\"\n";
    let resolved = resolve(ALL, "", toml).unwrap();
    assert_eq!(resolved.grants[0].value, Path::new("/etc/n"));
    assert_eq!(resolved.limits.concurrency, 3);
    assert_eq!(resolved.audit, Some(AuditTarget::Stderr));
    assert_eq!(resolved.token_file.as_deref(), Some(Path::new("/etc/t")));
    let effective = resolved.manifest.effective.unwrap();
    assert_eq!(effective.transport.as_deref(), Some("stdio"));
    assert_eq!(effective.grants[0].bound_by, "notes.toml:2:1");
    assert_eq!(resolved.manifest.limits.concurrency, 3);

    let resolved = resolve(ALL, "--audit a --token-file u", toml).unwrap();
    assert_eq!(resolved.audit, Some(AuditTarget::File("/srv/app/a".into())));
    assert_eq!(
        resolved.token_file.as_deref(),
        Some(Path::new("/srv/app/u"))
    );
}

#[test]
fn a_denied_tool_must_exist() {
    let error = resolve(ALL, "--grant notes=n", "[tools]\ndeny = [\"x\"]\n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "notes.toml:2:9: `tools.deny` names `x`, which is no tool\n  help: there are no tools"
    );
}
