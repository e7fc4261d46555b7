//! The rings of one process, put on in the order in which they need each other.

#[cfg(feature = "exec")]
mod apart;
mod bpf;
mod landlock;
mod privileges;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod seccomp;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod seccomp {
    //! No filter is written for this architecture.
    pub(super) fn enter(_: &super::Profile) -> Result<(), String> {
        Err("no filter is written for this architecture".to_owned())
    }
}
#[cfg(test)]
mod tests;

#[cfg(feature = "exec")]
pub(super) use apart::apart;

use super::{
    Network, Profile,
    report::{Level, Row},
};
use crate::{Error, Result};

/// Closes the process. What the kernel does not have is in the rows; what it has and refuses
/// is there as well. An error is a path that is not there.
pub(super) fn enter(profile: &Profile) -> Result<(Vec<Row>, u32)> {
    let mut rows = Vec::with_capacity(10);
    rows.extend(privileges::limits(&profile.limits));
    let alone = privileges::threads() == 1;
    rows.push(if alone {
        Row::new("threads", "all", Level::Full, "there is one yet")
    } else {
        Row::new(
            "threads",
            "all",
            Level::Partial,
            "threads were started before `run`: Landlock does not hold them",
        )
    });
    rows.push(privileges::no_new());
    let landlock = landlock::enter(profile)?;
    let seccomp = seccomp::enter(profile);
    // After Landlock: in a container, the right to open a granted path may be one of these.
    rows.push(privileges::capabilities());
    if let Network::Connect {
        apart: Some(Err(why)),
        ..
    } = &profile.network
        && (landlock < 4 || seccomp.is_err())
    {
        return Err(Error::new(format!(
            "it may be lent the network, and nothing would keep it from the rest: no network \
             namespace ({why}), Landlock ABI {landlock}, {}",
            if seccomp.is_ok() {
                "seccomp"
            } else {
                "no seccomp"
            }
        ))
        .help(
            "let the server make user namespaces, or run it on Linux 6.7 or later where \
             Landlock is not forbidden; or take `.network` from the grant",
        ));
    }
    rows.extend(judge(profile, landlock, &seccomp));
    Ok((rows, landlock))
}

/// What the two of them keep, in words: one row for each thing a reader may ask about.
fn judge(profile: &Profile, abi: u32, seccomp: &Result<(), String>) -> Vec<Row> {
    let filter = match seccomp {
        Ok(()) => "seccomp".to_owned(),
        Err(error) => format!("no seccomp: {error}"),
    };
    let filters = seccomp.is_ok();
    let by = |landlock: Option<Level>, seccomp: Option<Level>| {
        let reached = |level: Option<Level>| level.unwrap_or(Level::None);
        let mut because = Vec::new();
        if landlock.is_some() {
            because.push(match abi {
                0 => "no Landlock: the kernel, or the container, has none".to_owned(),
                abi => format!("Landlock ABI {abi}"),
            });
        }
        if seccomp.is_some() {
            because.push(filter.clone());
        }
        (
            reached(landlock).max(reached(seccomp)),
            because.join(" and "),
        )
    };
    let with = |yes: bool, level: Level| if yes { level } else { Level::None };
    let row = |name, wanted: String, (got, because): (Level, String)| Row {
        name,
        wanted,
        got,
        because,
    };

    // Before ABI 3 a file outside could be emptied; before ABI 5, a device be driven.
    let files = match abi {
        0 => Level::None,
        1..=4 => Level::Partial,
        _ => Level::Full,
    };
    let reach = format!("{} granted", profile.files.len());
    let mut rows = vec![row("files", reach, by(Some(files), None))];
    rows.push(match &profile.network {
        Network::None => {
            let tcp = with(abi >= 4, Level::Partial);
            row(
                "network",
                "none".to_owned(),
                by(Some(tcp), Some(with(filters, Level::Full))),
            )
        }
        Network::Connect {
            ports,
            apart: Some(apart),
            ..
        } => {
            let ports: Vec<_> = ports.iter().map(u16::to_string).collect();
            let port = ports.join(", ");
            match apart {
                // An empty network needs no ring around it; the filter keeps from the sockets
                // that have a path.
                Ok(()) => Row::new(
                    "network",
                    format!("one proxy of this server, on port {port} of a loopback of its own"),
                    with(filters, Level::Full).max(Level::Partial),
                    format!("a network namespace and {filter}"),
                ),
                Err(why) => Row::new(
                    "network",
                    format!("one proxy of this server, on port {port}"),
                    Level::Partial,
                    format!(
                        "no network namespace ({why}): Landlock ABI {abi} holds the port at any \
                         address, and {filter}"
                    ),
                ),
            }
        }
        Network::Connect {
            ports, udp, unix, ..
        } => {
            let mut wanted = Vec::new();
            if !ports.is_empty() {
                let ports: Vec<_> = ports.iter().map(u16::to_string).collect();
                wanted.push(format!("connect to TCP {}", ports.join(", ")));
            }
            if *udp {
                wanted.push("UDP".to_owned());
            }
            if *unix {
                wanted.push("connect to Unix-domain sockets".to_owned());
            }
            // Each without the other leaves a way: MPTCP and Fast Open pass Landlock, and a
            // filter cannot read an address.
            let got = match (abi >= 4 || ports.is_empty(), filters) {
                (true, true) => Level::Full,
                (false, false) => Level::None,
                _ => Level::Partial,
            };
            let (_, because) = by(Some(got), Some(got));
            row("network", wanted.join("; "), (got, because))
        }
        Network::Ambient => Row::new(
            "network",
            "any",
            Level::None,
            "`dangerous::ambient_network`",
        ),
    });
    let programs = if profile.starts_programs() {
        let wanted = format!("{} granted", profile.programs.len());
        row(
            "programs",
            wanted,
            by(Some(with(abi >= 1, Level::Full)), None),
        )
    } else {
        // Without a path that may be executed, what is left is a program in memory.
        row(
            "programs",
            "none".to_owned(),
            by(
                Some(with(abi >= 1, Level::Partial)),
                Some(with(filters, Level::Full)),
            ),
        )
    };
    rows.push(programs);
    let others = match profile.starts_programs() {
        true => by(Some(with(abi >= 6, Level::Full)), None),
        false => by(
            Some(with(abi >= 6, Level::Partial)),
            Some(with(filters, Level::Full)),
        ),
    };
    rows.push(row("other processes", "none".to_owned(), others));
    rows.push(row(
        "system calls",
        "what a server needs".to_owned(),
        by(None, Some(with(filters, Level::Full))),
    ));
    rows
}
