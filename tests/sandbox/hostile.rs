//! A dependency that has turned, called by a tool: the kernel stops each of its attempts, and
//! with the sandbox off the same crate succeeds.

use mcp_secure_tests_hostile::{Went, attempts};

use crate::server::{Scene, is_root};

/// What Landlock does not mediate and no filter can take away: `std` needs these calls for what
/// is granted. That a path exists can be seen; what is in it cannot.
const REMAIN: [&str; 2] = [
    "see that a path exists, and its size",
    "change the current folder",
];

#[test]
fn the_kernel_stops_a_hostile_dependency_over_stdio() {
    let scene = Scene::new();
    let mut server = scene.stdio("strict");
    all_stopped(&scene.attack(&mut server));
    assert!(server.end().success());
}

#[test]
fn the_kernel_stops_a_hostile_dependency_over_http() {
    let scene = Scene::new();
    let mut command = scene.command("strict", &["serve", "--http"]);
    let mut server = scene.start(&mut command);
    all_stopped(&scene.attack(&mut server));
    // It goes on serving, and has its record.
    scene.attack(&mut server);
    assert_eq!(scene.records("sandbox").len(), 1);
}

#[test]
fn without_the_sandbox_the_same_dependency_succeeds() {
    let scene = Scene::new();
    let mut server = scene.stdio("without");
    let went = scene.attack(&mut server);
    print("without", &went);
    for went in &went {
        let for_root = attempts()
            .iter()
            .any(|attempt| attempt.name == went.name && attempt.for_root);
        if for_root && !is_root() {
            continue;
        }
        assert!(went.done, "{went:?} proves nothing");
    }
    assert!(server.end().success());
}

#[test]
fn with_the_network_ambient_the_rest_is_stopped_all_the_same() {
    let scene = Scene::new();
    let mut server = scene.stdio("network");
    let went = scene.attack(&mut server);
    for name in ["connect by TCP", "send by UDP"] {
        assert!(went.iter().any(|went| went.name == name && went.done));
    }
    for name in [
        "read the vault file",
        "spawn a shell",
        "send with TCP Fast Open",
        "connect by MPTCP",
        "ask the kernel by netlink",
        "open an io_uring",
        "ptrace another process",
    ] {
        assert!(
            went.iter().any(|went| went.name == name && !went.done),
            "{name}"
        );
    }
}

#[test]
fn what_is_within_reach_for_reading_is_not_written() {
    let scene = Scene::new();
    let mut command = scene.command("vault", &["serve", "--stdio"]);
    command.env("SANDBOX_SECRET", &scene.around.secret);
    let went = scene.attack(&mut scene.start(&mut command));
    let done = |name: &str| went.iter().any(|went| went.name == name && went.done);
    assert!(done("read the vault file"));
    for name in [
        "empty the vault file",
        "write beside the vault",
        "link the vault file into the granted folder",
        "move the vault file into the granted folder",
    ] {
        assert!(!done(name), "{name}");
    }
}

fn all_stopped(went: &[Went]) {
    print("with", went);
    assert_eq!(went.len(), attempts().len());
    for went in went {
        if REMAIN.contains(&went.name.as_str()) {
            assert!(went.done, "{went:?}: the book says that it remains");
            continue;
        }
        assert!(!went.done, "{went:?}");
        // By the ring, and not because the attempt was clumsy.
        let by_the_ring = [
            "os error 1)",
            "os error 13)",
            "os error 18)",
            "EPERM",
            "EACCES",
            "not found",
        ];
        assert!(
            by_the_ring.iter().any(|said| went.said.contains(said)),
            "{went:?}"
        );
    }
}

/// The table of the book.
fn print(sandbox: &str, went: &[Went]) {
    for Went { name, done, said } in went {
        eprintln!("{sandbox}\t{name}\t{done}\t{said}");
    }
}
