//! A small internet for the attacks on what a server fetches: a metadata service on
//! 169.254.169.254, machines of a private network, public hosts with certificates, an attacker's
//! host, and a name server that answers as the owner of each name would.
//!
//! It is in a network namespace that the test makes itself, by starting itself again under
//! `unshare`. Every IPv4 address is local there, and no packet can leave: so the addresses are
//! those of the advisories, and ports are what they are.

pub mod case;
pub mod client;
mod dns;
pub mod ours;
mod world;

use std::{
    net::Ipv4Addr,
    process::{Command, Stdio},
};

pub use world::{Place, World};

use crate::harness::Trial;

/// Runs the attacks of these classes inside, the others where they are.
pub fn inside(trial: Trial) -> Trial {
    let Trial { name, run } = trial;
    let classes = ["ssrf::", "urlauth::", "supply::"];
    if !classes.iter().any(|class| name.starts_with(class)) {
        return Trial { name, run };
    }
    let again = name.clone();
    Trial {
        name,
        run: Box::new(move || {
            if std::env::var_os(INSIDE).is_some() {
                connect();
                run();
            } else {
                enter(&again);
            }
        }),
    }
}

/// Starts this program again, in a namespace of its own, for one test.
fn enter(name: &str) {
    let output = command()
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    // What the attack came to, without what a list of tests has around it.
    for line in said.lines().filter(|line| line.starts_with("  ")) {
        println!("{line}");
    }
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
        "these attacks need a network namespace: run the test as root, or where users may make \
         namespaces (`unshare -Urn true`)"
    );
}

/// Makes every IPv4 address an address of this namespace.
fn connect() {
    for arguments in [
        "link set lo up",
        "route add local 0.0.0.0/0 dev lo src 127.0.0.1",
    ] {
        let path = format!(
            "{}:/usr/sbin:/sbin",
            std::env::var("PATH").unwrap_or_default()
        );
        let status = Command::new("ip")
            .args(arguments.split(' '))
            .env("PATH", path)
            .status()
            .expect("`ip`, from the Debian package iproute2");
        assert!(status.success(), "ip {arguments}");
    }
}

const INSIDE: &str = "MCP_SECURE_ATTACKS_INSIDE";

/// Where names are asked.
pub const NAME_SERVER: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 53);
