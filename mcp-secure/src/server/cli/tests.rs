use super::*;

fn parsed(line: &str) -> Invocation {
    parse("notes", "0.1.0", words(line)).unwrap_or_else(|stop| panic!("{}", stop.text))
}

fn stopped(line: &str) -> Stop {
    match parse("notes", "0.1.0", words(line)) {
        Ok(invocation) => panic!("accepted: {invocation:?}"),
        Err(stop) => stop,
    }
}

fn words(line: &str) -> Vec<OsString> {
    std::iter::once("notes")
        .chain(line.split_whitespace())
        .map(Into::into)
        .collect()
}

fn grant_of(name: &str, path: &str) -> GrantOption {
    GrantOption {
        name: name.into(),
        value: path.into(),
    }
}

#[test]
fn no_verb_is_serve() {
    assert_eq!(parsed(""), Invocation::Serve(ServeOptions::default()));
    assert_eq!(parsed("serve"), Invocation::Serve(ServeOptions::default()));
    assert_eq!(
        parsed("--stdio --grant notes=n"),
        parsed("serve --stdio --grant notes=n")
    );
}

#[test]
fn all_options_of_serve_are_read() {
    assert_eq!(
        parsed(
            "serve --http 127.0.0.1:8443 --grant notes=/n --grant cache=c=d --config f.toml \
             --audit log --token-file t --lock m.json"
        ),
        Invocation::Serve(ServeOptions {
            transport: Some(TransportOption::Http(Some(
                "127.0.0.1:8443".parse().unwrap()
            ))),
            grants: vec![grant_of("notes", "/n"), grant_of("cache", "c=d")],
            config: Some("f.toml".into()),
            audit: Some(AuditTarget::File("log".into())),
            token_file: Some("t".into()),
            lock: Some("m.json".into()),
            ..ServeOptions::default()
        })
    );
}

#[test]
fn a_transport_needs_no_address() {
    let transport = |line| match parsed(line) {
        Invocation::Serve(options) | Invocation::Check(options) => options.transport,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        transport("--http --grant a=b"),
        Some(TransportOption::Http(None))
    );
    assert_eq!(transport("check --unix"), Some(TransportOption::Unix(None)));
    assert_eq!(
        transport("--unix s"),
        Some(TransportOption::Unix(Some("s".into())))
    );
    assert_eq!(
        transport("--http 8443"),
        Some(TransportOption::Http(Some(
            "127.0.0.1:8443".parse().unwrap()
        )))
    );
    assert_eq!(transport("--audit stderr"), None);
}

#[test]
fn a_usage_error_is_2_and_help_is_0() {
    for line in [
        "--htpp",
        "srve",
        "--stdio --http",
        "serve --grant notes",
        "serve --grant =n",
        "serve --grant notes=",
        "--http 0.0.0.0:99999",
        "--http x",
        "--audit a --audit b",
        "manifest --json --page",
        "client-config --client emacs",
        "--stdio check",
        "serve extra",
    ] {
        assert_eq!(stopped(line).code, 2, "{line}");
    }
    for line in ["--help", "serve --help", "--version"] {
        assert_eq!(stopped(line).code, 0, "{line}");
    }
    assert_eq!(stopped("--version").text, "notes 0.1.0\n");
    let help = stopped("--help").text;
    for verb in [
        "serve",
        "check",
        "manifest",
        "client-config",
        "--grant <NAME=VALUE>",
    ] {
        assert!(help.contains(verb), "{verb} in\n{help}");
    }
    assert!(!help.contains('\u{1b}'), "colour");
    let message = stopped("--http 0.0.0.0:99999").text;
    assert!(
        message.contains("`0.0.0.0:99999` is not an address"),
        "{message}"
    );
}

#[test]
fn the_effective_manifest_is_asked_for_by_name_or_by_what_shows_in_it() {
    let manifest = |line| match parsed(line) {
        Invocation::Manifest(options) => options,
        other => panic!("{other:?}"),
    };
    let plain = manifest("manifest");
    assert_eq!(
        plain,
        ManifestOptions {
            form: ManifestForm::Page,
            effective: None
        }
    );
    assert_eq!(manifest("manifest --page"), plain);
    assert_eq!(manifest("manifest --json").form, ManifestForm::Json);
    assert_eq!(manifest("manifest --digest").form, ManifestForm::Digest);
    assert_eq!(
        manifest("manifest --effective").effective,
        Some(ServeOptions::default())
    );
    let bound = manifest("manifest --grant notes=n").effective.unwrap();
    assert_eq!(bound.grants, [grant_of("notes", "n")]);
}

#[test]
fn clients_have_names() {
    let client = |line| match parsed(line) {
        Invocation::ClientConfig(options) => options.client,
        other => panic!("{other:?}"),
    };
    assert_eq!(client("client-config"), Client::ClaudeDesktop);
    assert_eq!(
        client("client-config --client claude-code --stdio"),
        Client::ClaudeCode
    );
    assert_eq!(client("client-config --client vscode"), Client::Vscode);
    assert_eq!(client("client-config --client cursor"), Client::Cursor);
}

#[cfg(unix)]
#[test]
fn a_path_of_any_bytes_can_be_granted() {
    use std::os::unix::ffi::OsStringExt as _;
    let args = vec![
        "notes".into(),
        "--grant".into(),
        OsString::from_vec(b"notes=/n\xff".to_vec()),
    ];
    let Ok(Invocation::Serve(options)) = parse("notes", "0", args) else {
        panic!()
    };
    assert_eq!(options.grants[0].value.len(), 3);
}
