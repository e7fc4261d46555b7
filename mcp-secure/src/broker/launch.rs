//! From a [`HelperSpec`] to a running helper, and the other end of it.
//!
//! A helper is the same program, executed again: no second binary to find, to trust and to
//! keep in step. It has the arguments and the environment of the server, so that the same `main`
//! goes the same way, up to `run`, which sees by one variable more, and by the socket that is its
//! standard input, what it is. So keep `main` short.

use std::{
    fs::File,
    os::{fd::AsFd, unix::process::CommandExt as _},
    process::{Command, Stdio},
    time::Duration,
};

use rustix::net::{AddressFamily, SocketType, sockopt};
use serde::{Deserialize, Serialize};

use super::{Channel, HelperSpec, Role, roles};
use crate::{
    Error, Result,
    sandbox::{HelperReport, HelperRow, Sandbox, enter_helper, level},
};

/// The first thing that a helper hears.
#[derive(Serialize, Deserialize)]
struct Start {
    role: Role,
    policy: serde_json::Value,
}

/// The first thing that it says.
#[derive(Serialize, Deserialize)]
enum Begun {
    Ready(Vec<HelperRow>),
    Failed(String),
}

/// Starts them all and waits until each is closed in. Before the runtime exists.
///
/// # Errors
///
/// When one does not start: what it would do for the server, the server itself cannot.
pub(crate) fn start(specs: Vec<HelperSpec>, sandbox: &Sandbox) -> Result<Vec<HelperReport>> {
    let mut begun = Vec::with_capacity(specs.len());
    for spec in specs {
        let failed = |error: &dyn std::fmt::Display| failed(&spec.name, error);
        let (near, far) = Channel::pair().map_err(|e| failed(&e))?;
        let mut arguments = std::env::args_os();
        let mut command = Command::new("/proc/self/exe");
        if let Some(name) = arguments.next() {
            command.arg0(name);
        }
        let child = command
            .args(arguments)
            .env_clear()
            .envs(sandbox.environment())
            .env(MARK, "1")
            .stdin(Stdio::from(far.into_fd()))
            .stdout(Stdio::null())
            // What a person types to end the server ends the server, which may have answers
            // under way. The helper ends after it.
            .process_group(0)
            .spawn()
            .map_err(|e| failed(&e))?;
        sockopt::set_socket_timeout(near.as_fd(), sockopt::Timeout::Recv, Some(PATIENCE))
            .map_err(|e| failed(&e))?;
        let start = Start {
            role: spec.role,
            policy: spec.policy.clone(),
        };
        near.send(&start, &[]).map_err(|e| failed(&e))?;
        begun.push((spec, near, child.id()));
    }
    let mut reports = Vec::with_capacity(begun.len());
    for (spec, near, pid) in begun {
        let failed = |error: &dyn std::fmt::Display| failed(&spec.name, error);
        let (rows, handed) = match near.recv::<Begun>().map_err(|e| failed(&e))? {
            Some((Begun::Ready(rows), fds)) => (rows, fds.into_iter().next()),
            Some((Begun::Failed(why), _)) => return Err(failed(&why)),
            None => return Err(failed(&"it ended")),
        };
        sockopt::set_socket_timeout(near.as_fd(), sockopt::Timeout::Recv, None)
            .map_err(|e| failed(&e))?;
        spec.line.connect(near, handed);
        reports.push(HelperReport {
            role: spec.role.name().to_owned(),
            name: spec.name,
            pid,
            level: level(rows.iter().map(|row| (row.name.as_str(), row.got))),
            rows,
        });
    }
    Ok(reports)
}

fn failed(name: &str, error: &dyn std::fmt::Display) -> Error {
    Error::new(format!("the helper for `{name}` did not start: {error}"))
        .help("it is this program again: `main` must come to `run` with the same arguments")
}

/// Serves as a helper, if that is what this process is. `None`: it is not.
pub(crate) fn serve_as_helper() -> Option<Result<()>> {
    std::env::var_os(MARK).is_some().then(serve)
}

fn serve() -> Result<()> {
    let channel = channel()?;
    // For who lists processes.
    let _ = rustix::thread::set_name(c"mcp-helper");
    let broken = |error| Error::new(format!("the server cannot be heard: {error}"));
    let Some((start, _)) = channel.recv::<Start>().map_err(broken)? else {
        return Ok(());
    };
    let begun = roles::prepare(start.role, start.policy)
        .and_then(|prepared| Ok((enter_helper(prepared.needs)?, prepared.hand, prepared.serve)));
    match begun {
        Ok((rows, hand, serve)) => {
            let fds: Vec<_> = hand.iter().map(AsFd::as_fd).collect();
            channel.send(&Begun::Ready(rows), &fds).map_err(broken)?;
            // The server's alone: nothing that is started here may use it.
            drop(hand);
            serve(channel).map_err(broken)
        }
        Err(error) => channel
            .send(&Begun::Failed(error.to_string()), &[])
            .map_err(broken),
    }
}

/// The server's end of the line, if it is the server that started this.
fn channel() -> Result<Channel> {
    let stranger = || {
        Error::new(format!("the variable `{MARK}` is not for people"))
            .help("a server starts its helpers itself; run the program without it")
    };
    let stdin = rustix::stdio::stdin();
    let is_ours = sockopt::socket_domain(stdin) == Ok(AddressFamily::UNIX)
        && sockopt::socket_type(stdin) == Ok(SocketType::SEQPACKET)
        && sockopt::socket_peercred(stdin)
            .is_ok_and(|peer| Some(peer.pid) == rustix::process::getppid());
    if !is_ours {
        return Err(stranger());
    }
    // What the helper starts must not find it as its standard input.
    let channel = rustix::io::fcntl_dupfd_cloexec(stdin, 3).map_err(|_| stranger())?;
    let null = File::open("/dev/null").map_err(|_| stranger())?;
    rustix::stdio::dup2_stdin(&null).map_err(|_| stranger())?;
    Ok(Channel::from_fd(channel))
}

/// Set for helpers alone: a clean start drops it.
const MARK: &str = "MCP_SECURE_HELPER";

/// For a helper to come up, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
