use std::collections::HashMap;

use super::*;

fn parse(text: &str) -> Result<Config> {
    config_file::parse("notes.toml", Path::new("/etc/notes"), text)
}

/// What the operator reads.
fn refused(text: &str) -> String {
    match parse(text) {
        Ok(config) => panic!("accepted: {config:?}"),
        Err(error) => error.to_string(),
    }
}

const WHOLE: &str = r#"
# A comment.
[grants]
notes = "data/notes"
cache = "/var/cache/notes"

[limits]
concurrency = 8
timeout = "10s"
max_timeout = "1min"
max_output = "256 KiB"
max_message = 65536

[transport]
default = "http"

[http]
addr = "127.0.0.1:8443"
token_file = "token"

[unix]
path = "/run/notes.sock"

[audit]
path = "audit.jsonl"

[tools]
deny = ["delete_note"]
"#;

#[test]
fn every_key_is_read_and_paths_are_relative_to_the_file() {
    let config = parse(WHOLE).unwrap();
    let grants: Vec<(&str, &str)> = config
        .grants
        .iter()
        .map(|(name, written)| (name.as_str(), written.value.as_str()))
        .collect();
    assert_eq!(
        grants,
        [("notes", "data/notes"), ("cache", "/var/cache/notes")]
    );
    assert_eq!(config.folder, Path::new("/etc/notes"));
    assert_eq!(config.grants[0].1.place("f"), "f:4:1");
    assert_eq!(config.http_addr(), Some("127.0.0.1:8443".parse().unwrap()));
    assert_eq!(config.token_file(), Some(Path::new("/etc/notes/token")));
    assert_eq!(config.unix_path(), Some(Path::new("/run/notes.sock")));
    assert_eq!(
        config.audit(),
        Some(&AuditTarget::File("/etc/notes/audit.jsonl".into()))
    );
    assert_eq!(
        config.transport.as_ref().map(|t| t.value.as_str()),
        Some("http")
    );
    assert_eq!(
        config.denied_tools(&["delete_note", "read_note"]).unwrap(),
        ["delete_note"]
    );

    let limits = config.narrow(Limits::default()).unwrap();
    assert_eq!(limits.concurrency, 8);
    assert_eq!(limits.timeout, Duration::from_secs(10));
    assert_eq!(limits.max_timeout, Duration::from_secs(60));
    assert_eq!(limits.max_output, 256 * 1024);
    assert_eq!(limits.max_message, 65536);
    assert_eq!(limits.page_size, Limits::default().page_size);
    // No more of one tool than of all.
    assert_eq!(limits.tool_concurrency, 8);
}

#[test]
fn an_empty_file_changes_nothing() {
    let config = parse("").unwrap();
    let (a, b) = (config.narrow(Limits::default()).unwrap(), Limits::default());
    assert_eq!(format!("{a:?}"), format!("{b:?}"));
}

#[test]
fn every_limit_can_be_lowered() {
    every_limit_has_a_key(Limits::default());
    let mut text = "[limits]\n".to_owned();
    for key in LIMIT_KEYS {
        let value = if key.unit == Unit::Time {
            "\"1ms\""
        } else {
            "1"
        };
        text.push_str(&format!("{} = {value}\n", key.name));
    }
    let ceiling = Limits {
        queue: 8,
        ..Limits::default()
    };
    let limits = parse(&text).unwrap().narrow(ceiling).unwrap();
    for key in LIMIT_KEYS {
        assert_eq!((key.get)(&limits), 1, "{}", key.name);
    }
}

#[test]
fn unknown_keys_name_file_line_column_and_key() {
    assert_eq!(
        refused("[grants]\nnotes = \"n\"\n\n[limits]\n  tiemout = \"1s\"\n"),
        "notes.toml:5:3: unknown key `limits.tiemout`\n  help: did you mean `timeout`? the keys here \
         are `concurrency`, `queue`, `queue_wait`, `tool_concurrency`, `principal_concurrency`, \
         `principal_per_minute`, `principal_burst`, `client_per_minute`, `client_burst`, \
         `address_per_minute`, `repeats_per_minute`, `limit_keys`, `pending_approvals`, `approval_timeout`, `timeout`, `max_timeout`, `max_output`, `max_message`, `max_depth`, `page_size`"
    );
    assert_eq!(
        refused("grant = {notes = \"n\"}"),
        "notes.toml:1:1: unknown key `grant`\n  help: did you mean `grants`? the keys here are \
         `grants`, `limits`, `transport`, `http`, `unix`, `audit`, `otel`, `text`, \
         `sandbox`, `approvals`, `policies`, `tools`"
    );
    assert_eq!(
        refused("[http]\nhost = \"a\"\n"),
        "notes.toml:2:1: unknown key `http.host`\n  help: the keys here are `addr`, `token_file`"
    );
    assert_eq!(
        refused("http.tls.cert = \"a\"\n"),
        "notes.toml:1:6: unknown key `http.tls`\n  help: the keys here are `addr`, `token_file`"
    );
}

#[cfg(feature = "cedar")]
#[test]
fn policies_are_a_path_and_what_cannot_be_read_is_said_with_its_place() {
    let config = parse("[policies]\npath = \"none-there\"\n").unwrap();
    let error = config.policies().unwrap_err().to_string();
    assert!(
        error.starts_with(
            "notes.toml:2:1: `policies.path`: the policy file `/etc/notes/none-there`"
        ),
        "{error}"
    );
    assert!(parse("").unwrap().policies().unwrap().is_none());
    assert!(refused("[policies]\nfile = \"a\"\n").contains("the keys here are `path`"));
}

#[cfg(not(feature = "cedar"))]
#[test]
fn without_policies_in_the_build_an_operator_who_asks_for_them_is_told() {
    let said = refused("[policies]\npath = \"rules\"\n");
    assert!(said.contains("built without policies"), "{said}");
    assert!(
        said.contains("help: build it with the feature `cedar`"),
        "{said}"
    );
}

#[cfg(feature = "sandbox")]
#[test]
fn a_level_is_full_or_partial_and_a_variable_is_a_name() {
    use crate::sandbox::Level;

    let config = parse("[sandbox]\nrequire = \"full\"\nenv = [\"NOTES_THEME\"]\n").unwrap();
    assert_eq!(config.require(), Some(Level::Full));
    assert_eq!(config.env(), ["NOTES_THEME"]);
    assert_eq!(
        refused("[sandbox]\nrequire = \"none\"\n"),
        "notes.toml:2:1: `sandbox.require` is `none`, which is not known\n  help: the words here \
         are `full`, `partial`"
    );
}

#[test]
fn the_first_mistake_of_several_is_named() {
    assert!(refused("[tools]\nx = 1\n[audit]\ny = 1\n").starts_with("notes.toml:2:1:"));
    assert!(refused("[audit]\ny = 1\nx = 1\n[tools]\nx = 1\n").starts_with("notes.toml:2:1:"));
}

#[test]
fn text_that_is_not_toml_names_its_line() {
    assert_eq!(
        refused("[limits]\ntimeout = \n"),
        "notes.toml:2:11: string values must be quoted, expected literal string"
    );
    assert_eq!(refused("[a]\n[a]\n"), "notes.toml:2:2: duplicate key");
    let twice = refused("[grants]\nnotes = \"a\"\nnotes = \"b\"\n");
    assert_eq!(twice, "notes.toml:3:1: duplicate key");
}

#[test]
fn columns_count_characters_and_not_bytes() {
    assert!(refused("http = { addr = \"é\", \"größe\" = 1 }").starts_with("notes.toml:1:22: "));
}

#[test]
fn values_of_the_wrong_kind_name_the_key_and_what_is_wanted() {
    for (text, message) in [
        (
            "[limits]\nconcurrency = \"8\"",
            "2:1: `limits.concurrency` is a text, not a whole number",
        ),
        (
            "[limits]\nconcurrency = 8.5",
            "2:1: `limits.concurrency` is a number with a fraction, not a whole number",
        ),
        (
            "[limits]\nconcurrency = -1",
            "2:1: `limits.concurrency` is `-1`, not a whole number",
        ),
        (
            "[limits]\ntimeout = 10",
            "2:1: `limits.timeout` is a whole number, not a time in quotes, such as `\"500ms\"`, `\"10s\"` or `\"5min\"`",
        ),
        (
            "[limits]\ntimeout = \"10\"",
            "2:1: `limits.timeout` is `\"10\"`, not a time in quotes, such as `\"500ms\"`, `\"10s\"` or `\"5min\"`",
        ),
        (
            "[limits]\nmax_output = \"1 MB\"",
            "2:1: `limits.max_output` is `\"1 MB\"`, not a size in quotes, such as `\"256 KiB\"`, or a number of bytes",
        ),
        (
            "[grants]\nnotes = 1",
            "2:1: `grants.notes` is a whole number, not a text in quotes",
        ),
        (
            "[tools]\ndeny = \"a\"",
            "2:1: `tools.deny` is a text, not a list of texts",
        ),
        (
            "[tools]\ndeny = [\n  \"a\",\n  1]",
            "4:3: `tools.deny` holds a whole number, not a text in quotes",
        ),
        (
            "limits = 1",
            "1:10: `limits` is a whole number, not a section\n  help: write `[limits]` on a line of its own",
        ),
        (
            "[limits]\ntimeout = \"0s\"",
            "2:1: `limits.timeout` is zero\n  help: nothing would be served: write at least one",
        ),
        (
            "[grants]\nnotes = \"\"",
            "2:1: `grants.notes`: the path is empty\n  help: write the path of a folder or file",
        ),
        (
            "[grants]\nnotes = \"~/notes\"",
            "2:1: `grants.notes`: `~/notes` begins with `~`, which only a shell replaces\n  help: write the whole path",
        ),
        (
            "[http]\naddr = \"mcp.example:80\"",
            "2:1: `http.addr`: `mcp.example:80` is not an address\n  help: write an IP address and a port, such as `127.0.0.1:8443`, or a port alone",
        ),
        (
            "[audit]\nstderr = false",
            "2:1: `audit.stderr` can only be `true`\n  help: leave the key out: there is always an audit log",
        ),
        (
            "[audit]\npath = \"a\"\nstderr = true",
            "3:1: `audit.path` and `audit.stderr` exclude each other\n  help: keep one of the two",
        ),
    ] {
        assert_eq!(refused(text), format!("notes.toml:{message}"), "{text}");
    }
}

#[test]
fn a_number_too_large_to_hold_is_refused_and_not_cut() {
    refused("[limits]\nmax_output = \"18446744073709551615 GiB\"");
    refused("[limits]\nmax_output = 99999999999999999999999");
    assert_eq!(quantities("1h"), 3_600_000);
    assert_eq!(quantities(" 1500 ms "), 1_500);
}

fn quantities(time: &str) -> u64 {
    parse(&format!("[limits]\ntimeout = \"{time}\""))
        .unwrap()
        .limits[0]
        .1
        .value
}

#[test]
fn a_limit_cannot_be_raised() {
    let error = |text: &str| {
        parse(text)
            .unwrap()
            .narrow(Limits::default())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        error("[limits]\nconcurrency = 1\ntimeout = \"1min\"\n"),
        "notes.toml:3:1: `limits.timeout` is 1 min, above the ceiling of 30 s that the code sets\n  \
         help: the operator can lower a limit, never raise it"
    );
    assert_eq!(
        error("[limits]\nmax_output = \"2 MiB\"\n"),
        "notes.toml:2:1: `limits.max_output` is 2 MiB, above the ceiling of 1 MiB that the code \
         sets\n  help: the operator can lower a limit, never raise it"
    );
}

#[test]
fn denying_what_does_not_exist_is_an_error() {
    let config = parse("[tools]\ndeny = [\"read_note\", \"delete_notes\"]\n").unwrap();
    assert_eq!(
        config
            .denied_tools(&["read_note", "delete_note"])
            .unwrap_err()
            .to_string(),
        "notes.toml:2:22: `tools.deny` names `delete_notes`, which is no tool\n  help: did you mean \
         `delete_note`? the tools are `read_note`, `delete_note`"
    );
}

#[test]
fn a_port_alone_is_one_of_loopback() {
    for (text, is_loopback) in [
        ("127.0.0.1:0", true),
        ("127.8.8.8:1", true),
        ("[::1]:80", true),
        ("localhost:80", true),
        ("8443", true),
        ("0.0.0.0:1", false),
        ("[::]:1", false),
        ("192.168.0.1:1", false),
        ("[::ffff:127.0.0.1]:1", false),
    ] {
        let address = address(text).unwrap();
        assert_eq!(address.ip().is_loopback(), is_loopback, "{text}");
    }
    for bad in ["x", "", "99999", "localhost"] {
        assert!(address(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_current_directory_is_never_searched() {
    let with = |vars: &[(&str, &str)]| {
        let vars: HashMap<String, std::ffi::OsString> = vars
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).into()))
            .collect();
        default_path("notes", |name| vars.get(name).cloned())
    };
    assert_eq!(with(&[]), None);
    assert_eq!(with(&[("XDG_CONFIG_HOME", ""), ("HOME", ".")]), None);
    assert_eq!(with(&[("XDG_CONFIG_HOME", "config")]), None);
    assert_eq!(
        with(&[("XDG_CONFIG_HOME", "relative"), ("HOME", "/home/me")]),
        Some("/home/me/.config/mcp-secure/notes.toml".into())
    );
    assert_eq!(
        with(&[("XDG_CONFIG_HOME", "/cfg"), ("HOME", "/home/me")]),
        Some("/cfg/mcp-secure/notes.toml".into())
    );
    assert_eq!(default_path("../notes", |_| Some("/cfg".into())), None);
}

#[test]
fn a_named_file_that_is_missing_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("none.toml");
    let message = Config::load(&path).unwrap_err().to_string();
    assert!(
        message.starts_with("there is no config file `"),
        "{message}"
    );
    assert!(Config::find(Some(&path), "notes").is_err());
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn write(mode: u32) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notes.toml");
        std::fs::write(&path, "[grants]\nnotes = \"n\"\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    #[test]
    fn a_file_that_others_can_write_is_refused() {
        for mode in [0o600, 0o644, 0o400] {
            let (dir, path) = write(mode);
            let config = Config::load(&path).unwrap();
            assert_eq!(config.grants[0].1.value, "n");
            assert_eq!(config.folder, dir.path());
        }
        for mode in [0o620, 0o602, 0o666] {
            let (_dir, path) = write(mode);
            let path = path.display();
            assert_eq!(
                Config::load(Path::new(&path.to_string()))
                    .unwrap_err()
                    .to_string(),
                format!(
                    "the config file `{path}` can be written by others\n  help: run `chmod go-w {path}`"
                )
            );
        }
    }

    #[test]
    fn a_folder_or_a_pipe_in_its_place_does_not_hold_the_start() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Config::load(dir.path()).is_err());
        let pipe = dir.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        let message = Config::load(&pipe).unwrap_err().to_string();
        assert!(message.contains("is not a regular file"), "{message}");
    }

    #[test]
    fn a_file_without_end_is_not_read_to_its_end() {
        let (_dir, path) = write(0o600);
        std::fs::write(&path, "#".repeat(70_000)).unwrap();
        let message = Config::load(&path).unwrap_err().to_string();
        assert!(message.ends_with("is larger than 64 KiB"), "{message}");
    }
}

#[test]
fn the_text_policy_can_be_made_stricter_and_never_looser() {
    let tightened = |text: &str, policy: TextPolicy| {
        parse(text)
            .and_then(|config| config.tighten(policy))
            .map_err(|error| error.to_string())
    };
    let code = TextPolicy::default();
    assert_eq!(tightened("", code), Ok(code));
    let email = tightened("[text]\nredact = [\"email\"]", code).unwrap();
    assert!(email.redacts(Secret::Email) && email.redacts(Secret::Credential));
    assert!(!code.redacts(Secret::Email));
    // What the code lets out on purpose, the operator takes back.
    let loose = crate::dangerous::unredacted(code, Secret::Credential)
        .hidden(Hidden::Escape)
        .without_notes();
    let strict = "[text]\nredact = [\"credentials\"]\nhidden = \"strip\"\nnotes = true";
    assert_eq!(tightened(strict, loose), Ok(code));
    assert_eq!(tightened("[text]\nhidden = \"escape\"", loose), Ok(loose));
    assert_eq!(
        tightened("[text]\nhidden = \"escape\"", code).unwrap_err(),
        "notes.toml:2:1: `text.hidden` is `escape`, and the code strips\n  \
         help: the operator can take more out of a text, never less"
    );
    assert_eq!(
        tightened("[text]\nnotes = false", code).unwrap_err(),
        "notes.toml:2:1: `text.notes` can only be `true`\n  \
         help: leave the key out: it can only be switched on here"
    );
    assert!(
        tightened("[text]\nredact = [\"emial\"]", code)
            .unwrap_err()
            .contains("did you mean `email`?")
    );
}
