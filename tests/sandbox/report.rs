//! What a server says about its sandbox, and what it refuses.

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use serde_json::Value;

use crate::server::{Scene, exists, output};

#[test]
fn the_audit_log_begins_with_what_the_kernel_keeps() {
    let scene = Scene::new();
    let server = scene.stdio("probe");
    let record = scene.records("sandbox").remove(0);
    assert_eq!(record["level"], "full", "{record}");
    assert!(record["landlock_abi"].as_u64() >= Some(5), "{record}");
    let rows = record["rows"].as_array().unwrap();
    for name in [
        "environment",
        "descriptors",
        "memory",
        "limits",
        "threads",
        "new privileges",
        "capabilities",
        "files",
        "network",
        "programs",
        "other processes",
        "system calls",
    ] {
        let row = rows.iter().find(|row| row["name"] == name);
        assert_eq!(row.unwrap()["got"], "full", "{name}: {record}");
    }
    let tests = record["self_tests"].as_array().unwrap();
    assert!(tests.iter().all(|test| test["result"] != "not_stopped"));
    let stopped = tests.iter().filter(|test| test["result"] == "stopped");
    assert!(stopped.count() >= 12, "{record}");
    let reach = &record["files"][0];
    assert_eq!(reach["because"], "files");
    assert_eq!(reach["access"], "write");
    drop(server);
}

#[test]
fn a_helper_is_closed_in_and_ends_with_its_server() {
    let scene = Scene::new();
    let server = scene.stdio("probe");
    let record = scene.records("sandbox").remove(0);
    let helper = &record["helpers"][0];
    assert_eq!(
        (&helper["role"], &helper["level"]),
        (&"probe".into(), &"full".into())
    );
    let pid = helper["pid"].as_u64().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    for line in [
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
    ] {
        // The bounding set needs a right that only root has.
        if line.starts_with("CapBnd") && !crate::server::is_root() {
            continue;
        }
        assert!(status.contains(line), "{line} is not in {status}");
    }
    // What is typed at the terminal of the server does not reach it first, and what it starts does
    // not find the channel as its input.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    assert_eq!(fields.split(' ').nth(2), Some(&*pid.to_string()), "{stat}");
    if let Ok(input) = std::fs::read_link(format!("/proc/{pid}/fd/0")) {
        assert_eq!(input.to_str(), Some("/dev/null"));
    }
    let environment = std::fs::read(format!("/proc/{pid}/environ"));
    let is_clean = |text: Vec<u8>| !String::from_utf8_lossy(&text).contains("secret");
    assert!(environment.is_err() || environment.is_ok_and(is_clean));
    assert!(server.end().success());
    let begun = std::time::Instant::now();
    while exists(pid) && begun.elapsed().as_secs() < 10 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(!exists(pid), "the helper has outlived its server");
}

#[test]
fn a_helper_is_not_started_by_hand() {
    let scene = Scene::new();
    let mut command = scene.command("", &["serve", "--stdio"]);
    command.env("MCP_SECURE_HELPER", "1");
    let (done, out, error) = output(&mut command);
    assert!(!done && out.is_empty(), "{out}");
    assert!(error.contains("not for people"), "{error}");
    // Nor by a socket of another kind, nor by whoever handed one on.
    for (kind, words) in [
        (SocketType::STREAM, &[][..]),
        (
            SocketType::SEQPACKET,
            &["sh", "-c", "\"$0\" \"$@\"; exit $?"],
        ),
    ] {
        let (theirs, ours) =
            socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap();
        let server = scene.command("", &["serve", "--stdio"]);
        let all: Vec<_> = words
            .iter()
            .map(AsRef::as_ref)
            .chain([server.get_program()])
            .chain(server.get_args())
            .collect();
        let mut command = std::process::Command::new(all[0]);
        command.args(&all[1..]);
        for (name, value) in server.get_envs() {
            command.env(name, value.unwrap());
        }
        command.env("MCP_SECURE_HELPER", "1");
        drop(ours);
        let done = command.stdin(theirs).output().unwrap();
        let error = String::from_utf8_lossy(&done.stderr);
        assert!(!done.status.success(), "{kind:?}");
        assert!(error.contains("not for people"), "{error}");
    }
}

#[test]
fn doctor_says_it_to_people_and_to_programs() {
    let scene = Scene::new();
    let (done, page, error) = output(&mut scene.command("strict", &["doctor"]));
    assert!(done, "{page}{error}");
    assert!(page.starts_with("sandbox: full, Landlock ABI "), "{page}");
    assert!(page.contains("stopped     connect by TCP"), "{page}");
    let (done, json, _) = output(&mut scene.command("", &["doctor", "--json"]));
    let report: Value = serde_json::from_str(&json).unwrap();
    assert!(done && report["level"] == "full", "{json}");
    let (done, page, _) = output(&mut scene.command("without", &["doctor"]));
    assert!(done && page.starts_with("sandbox: none"), "{page}");
    assert!(page.contains("the control of a test"), "why: {page}");
    assert!(scene.records("sandbox").is_empty(), "nothing was served");
}

#[test]
fn in_a_container_without_landlock_it_says_what_is_missing() {
    let scene = Scene::new();
    let mut command = scene.in_a_container("", &["serve", "--stdio"]);
    let mut server = scene.start(&mut command);
    let said = server.stderr();
    assert!(
        said.contains("the sandbox has a gap: files: none"),
        "{said}"
    );
    let record = scene.records("sandbox").remove(0);
    assert_eq!(record["level"], "none");
    let test = &record["self_tests"][0];
    assert_eq!(
        test["result"], "not_stopped",
        "it tried, and says so: {test}"
    );
    // What seccomp holds, holds.
    let went = scene.attack(&mut server);
    let done = |name: &str| went.iter().any(|went| went.name == name && went.done);
    assert!(done("read the vault file"));
    for name in BY_SECCOMP {
        assert!(went.iter().any(|went| went.name == *name), "{name}");
        assert!(!done(name), "{name}");
    }
}

#[test]
fn in_a_container_without_landlock_a_strict_server_does_not_start() {
    let scene = Scene::new();
    for verb in [&["serve", "--stdio"][..], &["doctor"]] {
        let mut command = scene.in_a_container("strict", verb);
        let (done, _, error) = output(&mut command);
        assert!(!done);
        assert!(error.contains("`full` is required"), "{error}");
        assert!(error.contains("files: none (no Landlock"), "{error}");
    }
}

#[test]
fn the_operator_can_ask_for_more_and_never_for_less() {
    let scene = Scene::new();
    let config = scene.path("state/config.toml");
    std::fs::write(&config, "[sandbox]\nrequire = \"full\"\n").unwrap();
    let config = config.display().to_string();
    let options = ["serve", "--stdio", "--config", &config];
    let (done, _, error) = output(&mut scene.command("without", &options));
    assert!(!done && error.contains("`full` is required"), "{error}");
    std::fs::write(
        scene.path("state/config.toml"),
        "[sandbox]\nrequire = \"partial\"\n",
    )
    .unwrap();
    let (done, _, error) = output(&mut scene.in_a_container("strict", &options));
    assert!(!done && error.contains("`full` is required"), "{error}");
}

#[test]
fn a_thread_that_is_there_before_is_a_gap() {
    let scene = Scene::new();
    let server = scene.stdio("thread");
    let said = server.stderr();
    assert!(said.contains("threads: partial"), "{said}");
    let record = scene.records("sandbox").remove(0);
    assert_eq!(record["level"], "partial");
}

#[test]
fn what_the_code_loosens_is_in_the_manifest() {
    let scene = Scene::new();
    let manifest = |server: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sandbox-target"));
        let command = command
            .args(["manifest", "--json"])
            .env("SANDBOX_SERVER", server);
        serde_json::from_str::<Value>(&output(command).1).unwrap()
    };
    drop(scene);
    let terms = |server: &str| manifest(server)["sandbox"].to_string();
    assert!(terms("reads").contains("reads `/etc/passwd`"));
    assert!(terms("without").contains("there is none: the control of a test"));
    assert!(terms("network").contains("any network: a test"));
}

/// What is stopped without Landlock as well.
const BY_SECCOMP: &[&str] = &[
    "connect by TCP",
    "send with TCP Fast Open",
    "connect by MPTCP",
    "send by UDP",
    "listen on TCP",
    "connect to a Unix-domain socket",
    "connect to an abstract Unix-domain socket",
    "send to a path through a pair of sockets",
    "ask the kernel by netlink",
    "open a vsock",
    "open a socket of the kernel's ciphers",
    "spawn a shell",
    "execute a path",
    "execute a descriptor",
    "run a script from memory",
    "signal another process",
    "ptrace another process",
    "read another process's memory",
    "take another process's descriptor",
    "change another process's limits",
    "raise a limit",
    "be dumpable again",
    "open an io_uring",
    "unshare",
    "mount",
    "chroot",
    "change the rights of the vault file",
    "change the owner of the vault file",
    "change the times of the vault file",
    "label the vault file",
    "watch the vault's folder",
];
