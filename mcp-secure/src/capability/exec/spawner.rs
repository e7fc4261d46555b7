//! The side that starts programs: in a helper process with a sandbox, or in a thread.

use std::{
    io,
    os::{
        fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
        unix::process::{CommandExt as _, ExitStatusExt as _},
    },
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, pidfd_open},
};

use super::{
    policy::{Door, Policy, Reply, Request, check_args},
    program::Pinned,
    tree::{Forest, Mark, Owner},
};
use crate::broker::Channel;
#[cfg(feature = "sandbox")]
use crate::{
    broker::Apart,
    error::{Error, Result},
};
#[cfg(feature = "sandbox")]
use std::net::{Ipv4Addr, TcpListener};

/// A spawner that is a process of its own: made before its sandbox closes, served after.
#[cfg(feature = "sandbox")]
pub(crate) struct Helper {
    policy: Policy,
    pinned: Pinned,
    forest: Forest,
    proxy: Option<Proxy>,
}

/// Where the program will find the network that it is lent. The server serves it.
#[cfg(feature = "sandbox")]
struct Proxy {
    listener: Option<TcpListener>,
    port: u16,
    apart: Apart,
}

#[cfg(feature = "sandbox")]
impl Proxy {
    /// Leaves the network of the machine, if that can be done, and listens where it is then.
    fn new() -> io::Result<Self> {
        let apart = crate::sandbox::apart();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        Ok(Self {
            port: listener.local_addr()?.port(),
            listener: Some(listener),
            apart,
        })
    }
}

#[cfg(feature = "sandbox")]
impl Helper {
    /// Opens what the sandbox will not let it open: the program, which must be the one that the
    /// server checked, and its own lists in `/proc`.
    pub(crate) fn prepare(policy: serde_json::Value) -> Result<Self> {
        let policy: Policy = serde_json::from_value(policy)
            .map_err(|e| Error::new(format!("the policy of a spawner is malformed: {e}")))?;
        let pinned = Pinned::open(&policy.program, policy.interpreter)?;
        if pinned.sha256 != policy.sha256 {
            return Err(Error::new(format!(
                "`{}` changed while the server started",
                policy.program.display()
            ))
            .help("start it again"));
        }
        let forest = Forest::new(Owner::Helper)
            .map_err(|e| Error::new(format!("a spawner cannot watch its children: {e}")))?;
        let proxy = policy.network.then(Proxy::new).transpose().map_err(|e| {
            Error::new(format!(
                "there is no port on which to lend the network: {e}"
            ))
        })?;
        Ok(Self {
            policy,
            pinned,
            forest,
            proxy,
        })
    }

    /// What its sandbox must leave open, for itself and the program. No network but the proxy's
    /// port, no `ptrace`, no namespaces; `execve`, `clone`, `prlimit64`, `kill`, `pidfd_open`,
    /// `waitid` are needed.
    pub(crate) fn needs(&self) -> crate::broker::HelperNeeds {
        let proxy = self.proxy.as_ref().map(|proxy| (proxy.port, &proxy.apart));
        self.policy.needs(self.pinned.loader.as_deref(), proxy)
    }

    /// What the server serves, once.
    pub(crate) fn hand(&mut self) -> Option<OwnedFd> {
        Some(self.proxy.as_mut()?.listener.take()?.into())
    }

    /// Starts programs until the server is gone, and leaves none behind.
    pub(crate) fn serve(self, channel: &Channel) -> io::Result<()> {
        serve(channel, &self.pinned, &self.policy, &self.forest)
    }
}

/// A spawner that is a thread. Returns when the other end of the channel is gone.
pub(super) fn inside(channel: &Channel, pinned: &Pinned, policy: &Policy) -> io::Result<()> {
    serve(channel, pinned, policy, &Forest::new(Owner::Server)?)
}

/// Programs are started by this one thread, because the kernel lists children by thread; each is
/// then watched by one of its own.
fn serve(channel: &Channel, pinned: &Pinned, policy: &Policy, forest: &Forest) -> io::Result<()> {
    // Its end is what ends the runs that are under way.
    let (over, open) = io::pipe()?;
    let running = AtomicUsize::new(0);
    thread::scope(|scope| {
        let open = open;
        let done = loop {
            let (request, conversation, fds) = match channel.answer::<Request>() {
                Ok(Some(asked)) => asked,
                Ok(None) => break Ok(()),
                // A message that is none of ours: its sender is told by the silence.
                Err(error) if error.kind() == io::ErrorKind::InvalidData => continue,
                Err(error) => break Err(error),
            };
            if running.load(Ordering::Acquire) >= MOST_RUNS {
                let _ = conversation.send(&Reply::Failed(EAGAIN), &[]);
                continue;
            }
            let run = match start(pinned, policy, forest, &request, fds) {
                Ok(run) => run,
                Err(reply) => {
                    let _ = conversation.send(&reply, &[]);
                    continue;
                }
            };
            running.fetch_add(1, Ordering::AcqRel);
            let (running, over) = (&running, over.as_fd());
            let watcher = thread::Builder::new().stack_size(STACK);
            let watched = watcher.spawn_scoped(scope, move || {
                run.watch(&conversation, over);
                running.fetch_sub(1, Ordering::AcqRel);
            });
            if let Err(error) = watched {
                // The closure was dropped, and with it the run, which kills.
                running_failed(running, &error);
            }
        };
        drop(open);
        done
    })
}

fn running_failed(running: &AtomicUsize, error: &io::Error) {
    running.fetch_sub(1, Ordering::AcqRel);
    tracing::warn!(%error, "a program could not be watched, and was killed");
}

/// A program that runs.
struct Run<'a> {
    child: Child,
    pid: Pid,
    mark: Mark,
    forest: &'a Forest,
    until: Instant,
    is_over: bool,
}

fn start<'a>(
    pinned: &Pinned,
    policy: &Policy,
    forest: &'a Forest,
    request: &Request,
    fds: Vec<OwnedFd>,
) -> std::result::Result<Run<'a>, Reply> {
    let Ok([folder, stdin, stdout, stderr]) = <[OwnedFd; 4]>::try_from(fds) else {
        return Err(Reply::Malformed);
    };
    let door = request.door.as_ref();
    if check_args(&request.args).is_err() || !door.is_none_or(|d| policy.network && d.is_one()) {
        return Err(Reply::Malformed);
    }
    if !pinned.is_unchanged() {
        return Err(Reply::Changed);
    }
    // Rust opens nothing that a new process keeps. What the server was started with, and what a
    // library opened, is another matter; closing it later is too late.
    close_fds::set_fds_cloexec_threadsafe(3, &[]);
    let until = Instant::now() + policy.limits.wall;
    // Both paths are descriptors of the new process, which it loses when the program begins.
    let mut command = Command::new(pinned.by_descriptor());
    command
        .arg0(&policy.arg0)
        .args(&policy.leading)
        .args(&request.args)
        .env_clear()
        .envs(policy.env.iter().map(|(name, value)| (name, value)))
        .envs(door.into_iter().flat_map(Door::environment))
        .current_dir(format!("/proc/self/fd/{}", folder.as_raw_fd()))
        .stdin(Stdio::from(stdin))
        .stdout(Stdio::from(stdout))
        .stderr(Stdio::from(stderr))
        .process_group(0);
    let (child, pid, mark) = forest
        .plant(&policy.limits, || command.spawn())
        .map_err(|e| Reply::Failed(e.raw_os_error().unwrap_or(EIO)))?;
    Ok(Run {
        child,
        pid,
        mark,
        forest,
        until,
        is_over: false,
    })
}

impl Run<'_> {
    /// Waits for its end, or for a reason to end it.
    fn watch(mut self, conversation: &Channel, over: BorrowedFd<'_>) {
        let why = match pidfd_open(self.pid, PidfdFlags::empty()) {
            Ok(pidfd) if conversation.send(&Reply::Started, &[]).is_ok() => {
                self.wait(pidfd.as_fd(), conversation, over)
            }
            _ => Why::Nobody,
        };
        let (code, signal) = self.end();
        let _ = conversation.send(
            &Reply::Ended {
                code,
                signal,
                timed_out: why == Why::Late,
            },
            &[],
        );
    }

    fn wait(&self, pidfd: BorrowedFd<'_>, conversation: &Channel, over: BorrowedFd<'_>) -> Why {
        loop {
            let left = self.until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Why::Late;
            }
            let mut fds = [
                PollFd::from_borrowed_fd(pidfd, PollFlags::IN),
                PollFd::new(conversation, PollFlags::IN),
                PollFd::from_borrowed_fd(over, PollFlags::IN),
            ];
            match poll(&mut fds, Some(&timespec(left))) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return Why::Nobody,
            }
            let [ended, nobody, over] = fds.each_ref().map(|fd| !fd.revents().is_empty());
            if ended {
                return Why::Ended;
            }
            // There is nothing to say in a conversation: anything on it is its end.
            if nobody || over {
                return Why::Nobody;
            }
        }
    }

    /// Kills what is left, and says how the program ended.
    fn end(&mut self) -> (Option<i32>, Option<i32>) {
        let mut status = None;
        if !self.is_over {
            self.is_over = true;
            let child = &mut self.child;
            self.forest
                .fell(self.mark, self.pid, || status = child.wait().ok());
        }
        (
            status.and_then(|status| status.code()),
            status.and_then(|status| status.signal()),
        )
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    Ended,
    Late,
    /// Whoever asked is gone.
    Nobody,
}

fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}

/// Programs of one grant that run at once.
const MOST_RUNS: usize = 64;
/// A watcher waits, and does little else.
const STACK: usize = 256 * 1024;
const EAGAIN: i32 = 11;
const EIO: i32 = 5;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::{os::fd::AsFd as _, path::Path};

    use super::*;
    use crate::{broker::Conversation, capability::exec::ExecLimits};

    fn policy(pinned: &Pinned) -> Policy {
        Policy {
            program: pinned.path.clone(),
            arg0: "true".to_owned(),
            sha256: pinned.sha256.clone(),
            leading: Vec::new(),
            env: Vec::new(),
            limits: ExecLimits::default(),
            interpreter: false,
            reads: Vec::new(),
            runs: Vec::new(),
            folders: Vec::new(),
            network: false,
        }
    }

    fn program() -> Pinned {
        Pinned::open(Path::new("/bin/true"), false).unwrap()
    }

    /// A server that was taken over asks for what its own side would have refused.
    #[tokio::test]
    async fn a_command_line_is_held_to_its_bounds_here_as_well() {
        let (near, far) = Channel::pair().unwrap();
        let spawner = thread::spawn(move || {
            let pinned = program();
            inside(&far, &pinned, &policy(&pinned)).unwrap();
        });
        let null = std::fs::File::open("/dev/null").unwrap();
        let folder = std::fs::File::open("/").unwrap();
        let all = [folder.as_fd(), null.as_fd(), null.as_fd(), null.as_fd()];
        let ask = async |args: Vec<String>, fds: &[BorrowedFd<'_>]| {
            let asked: Conversation = near.ask(&Request { args, door: None }, fds).unwrap();
            asked.recv::<Reply>().await.unwrap().unwrap().0
        };
        let word = "x".to_owned();
        assert_eq!(ask(vec![word.clone(); 512], &all).await, Reply::Started);
        for too_much in [
            vec![word.clone(); 513],
            vec!["x".repeat(32 * 1024 + 1)],
            vec!["a\0b".to_owned()],
        ] {
            assert_eq!(ask(too_much, &all).await, Reply::Malformed);
        }
        let [three @ .., _] = &all;
        assert_eq!(ask(vec![word], three).await, Reply::Malformed);
        drop(near);
        spawner.join().unwrap();
    }

    /// Between the check of the server and the start of the helper.
    #[cfg(feature = "sandbox")]
    #[test]
    fn a_helper_runs_no_other_file_than_the_one_that_the_server_hashed() {
        let mut policy = policy(&program());
        let prepare = |policy: &Policy| Helper::prepare(serde_json::to_value(policy).unwrap());
        assert!(prepare(&policy).is_ok());
        policy.sha256 = "0".repeat(64);
        let error = prepare(&policy).err().unwrap().to_string();
        assert!(
            error.contains("changed while the server started"),
            "{error}"
        );
    }
}
