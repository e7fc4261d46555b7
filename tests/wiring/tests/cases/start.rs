//! A server that is not sure starts not; and says what to change.

use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::json;

use crate::harness::*;

/// The operator is told what is wrong, and what to do about it.
fn refuses(setup: Setup, words: &[&str]) {
    let said = setup.start_fails();
    for word in words {
        assert!(said.contains(word), "`{word}` is missing: {said}");
    }
}

const TRANSPORTS: [Transport; 2] = [Transport::Stdio, Transport::Http];

#[test]
fn a_grant_that_nobody_bound_stops_the_start() {
    for transport in TRANSPORTS {
        refuses(Setup::on(transport).files(""), &["files"]);
    }
}

#[test]
fn a_grant_that_nothing_uses_stops_the_start() {
    for transport in TRANSPORTS {
        let setup = Setup::on(transport).with("UNUSED_GRANT", "1");
        let spare = setup.folder().display().to_string();
        refuses(
            setup
                .argument("--grant")
                .argument(&format!("spare={spare}")),
            &["spare", "help:"],
        );
    }
}

#[test]
fn a_grant_that_the_server_does_not_declare_stops_the_start() {
    for transport in TRANSPORTS {
        let setup = Setup::on(transport);
        let folder = setup.folder().display().to_string();
        refuses(
            setup
                .argument("--grant")
                .argument(&format!("nobody={folder}")),
            &["nobody", "help:"],
        );
    }
}

#[test]
fn a_folder_that_is_too_wide_or_the_systems_stops_the_start() {
    let home = std::env::var("HOME").unwrap();
    for folder in [
        "/",
        "/proc",
        "/proc/self/root",
        "/sys",
        "/dev",
        "/etc",
        "/tmp",
        "/usr/../etc",
        &home,
    ] {
        refuses(
            Setup::on(Transport::Stdio).files(folder),
            &["cannot be granted", "help:"],
        );
    }
    refuses(
        Setup::on(Transport::Http).files("/"),
        &["cannot be granted", "help:"],
    );
}

#[test]
fn a_link_to_a_folder_that_is_too_wide_stops_the_start() {
    let setup = Setup::on(Transport::Stdio);
    let link = setup.folder().join("innocent");
    symlink("/etc", &link).unwrap();
    refuses(
        setup.files(&link.display().to_string()),
        &["innocent", "/etc", "help:"],
    );
}

#[test]
fn a_folder_that_every_user_may_change_stops_the_start() {
    for (transport, mode) in TRANSPORTS
        .into_iter()
        .zip([0o777, 0o1777].into_iter().cycle())
    {
        let setup = Setup::on(transport);
        let open = setup.folder().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, PermissionsExt::from_mode(mode)).unwrap();
        let named = open.display().to_string();
        refuses(
            setup.files(&named),
            &["every user of this machine", "help:", "chmod o-w"],
        );
    }
}

#[test]
fn a_folder_above_or_in_a_home_that_holds_keys_stops_the_start() {
    let setup = Setup::on(Transport::Stdio);
    for name in [".ssh", ".aws", ".git", ".gnupg"] {
        let folder = setup.folder().join("project").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        refuses(
            Setup::on(Transport::Stdio).files(&folder.display().to_string()),
            &["cannot be granted", name, "help:"],
        );
    }
    refuses(
        Setup::on(Transport::Stdio).files("/home"),
        &["cannot be granted", "help:"],
    );
}

#[test]
fn a_folder_that_is_not_there_or_is_a_file_stops_the_start() {
    let setup = Setup::on(Transport::Stdio);
    let file = setup.folder().join("files/a.txt").display().to_string();
    refuses(setup.files(&file), &["a.txt"]);
    let setup = Setup::on(Transport::Stdio);
    let nowhere = setup.folder().join("nowhere").display().to_string();
    refuses(setup.files(&nowhere), &["nowhere"]);
}

#[test]
fn a_pattern_that_needs_backtracking_stops_the_start() {
    for transport in TRANSPORTS {
        let setup = Setup::on(transport).with("SERVER", "quadratic").files("");
        refuses(setup, &["the schema of `matches`"]);
    }
}

#[test]
fn a_text_that_only_a_model_reads_stops_the_start() {
    for transport in TRANSPORTS {
        let setup = Setup::on(transport).with("SERVER", "hidden").files("");
        refuses(
            setup,
            &[
                "a text is refused: the tool `say` at ",
                "/description: U+E0041 TAG CHARACTER for `A` at byte 7: ",
                "help:",
            ],
        );
    }
}

#[test]
fn a_token_that_others_could_have_read_stops_the_start() {
    let setup = Setup::on(Transport::Http);
    let folder = setup.folder().join("token");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o700)).unwrap();
    let token = folder.join("secret");
    std::fs::write(&token, format!("{SECRET}{SECRET}{SECRET}{SECRET}")).unwrap();
    std::fs::set_permissions(&token, PermissionsExt::from_mode(0o644)).unwrap();
    let said = setup.start_fails();
    assert!(
        said.contains("other users") && said.contains("help:"),
        "{said}"
    );
    assert!(!said.contains(SECRET), "{said}");
}

#[test]
fn an_audit_log_that_cannot_be_kept_stops_the_start() {
    for transport in TRANSPORTS {
        for path in ["/dev/full", "/dev/null", "/dev/null/audit"] {
            let setup = Setup::on(transport).audit(path);
            let said = setup.start_fails();
            assert!(said.contains("audit"), "{path}: {said}");
        }
        let setup = Setup::on(transport);
        let (real, link) = (setup.folder().join("real"), setup.folder().join("link"));
        std::fs::write(&real, "").unwrap();
        symlink(&real, &link).unwrap();
        refuses(setup.audit(&link.display().to_string()), &["audit", "link"]);
        let setup = Setup::on(transport);
        let open = setup.folder().join("open");
        std::fs::write(&open, "").unwrap();
        std::fs::set_permissions(&open, PermissionsExt::from_mode(0o644)).unwrap();
        refuses(
            setup.audit(&open.display().to_string()),
            &["audit", "chmod 600"],
        );
    }
}

#[test]
fn an_option_that_is_not_known_stops_the_start() {
    refuses(
        Setup::on(Transport::Stdio).argument("--no-such-option"),
        &["--no-such-option"],
    );
}

on_every_way! {
    fn what_init_made_is_served_and_its_handle_is_dead(way: Way) {
        let server = way.setup().with("SERVER", "init").file("start.txt", "from the start").start();
        let client = server.client(way);
        assert_eq!(text(&client.call("started_with", json!({}))), "from the start");
        // Authority of the start would outlive every call.
        let answer = client.call("again", json!({}));
        assert!(is_tool_error(&answer), "{answer}");
        assert!(!answer.to_string().contains("from the start"));
    }
}

#[test]
fn an_init_that_fails_stops_the_start() {
    for transport in TRANSPORTS {
        let setup = Setup::on(transport).with("SERVER", "init");
        refuses(setup, &["start.txt", "help: put it there"]);
    }
}
