//! A network of a test's own, where every address is this machine's and no packet can leave.

use std::process::{Command, Stdio};

/// Runs the rest of a test inside: `in_namespace("cases::tls::name", || …)`. The test starts
/// itself again under `unshare`.
pub(crate) fn in_namespace(name: &str, test: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        connect();
        return test();
    }
    let output = command()
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}\n{errors}"
    );
}

/// Who is root needs no user namespace, and where those are closed has no other way.
fn command() -> Command {
    for options in ["-n", "-Urn"] {
        let probe = Command::new("unshare")
            .args([options, "true"])
            .stderr(Stdio::null())
            .status();
        if probe.is_ok_and(|status| status.success()) {
            let mut command = Command::new("unshare");
            command.arg(options);
            return command;
        }
    }
    panic!(
        "this test needs a network namespace: run it as root, or where users may make namespaces \
         (`unshare -Urn true`)"
    );
}

fn connect() {
    for arguments in [
        "link set lo up",
        "route add local 0.0.0.0/0 dev lo src 127.0.0.1",
        "-6 route add local ::/0 dev lo",
    ] {
        let path = std::env::var("PATH").unwrap_or_default();
        let status = Command::new("ip")
            .args(arguments.split(' '))
            .env("PATH", format!("{path}:/usr/sbin:/sbin"))
            .status()
            .expect("`ip`, from the Debian package iproute2");
        assert!(status.success(), "ip {arguments}");
    }
}

const INSIDE: &str = "MCP_SECURE_WIRING_INSIDE";
