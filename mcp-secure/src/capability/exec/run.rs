//! The asking side: pipes, caps, and a conversation whose end kills.

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        mpsc::{Receiver, sync_channel},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::unix::pipe,
};

#[cfg(feature = "net")]
use super::Trail;
use super::{
    ExecError, Lease, Output, Result,
    grant::OpenExec,
    policy::{Policy, Reply, Request},
    program::Pinned,
    spawner,
};
use crate::broker::{Channel, Conversation};

/// Runs one command to its end. When this future is dropped the conversation ends with it, and
/// with that the program.
pub(super) async fn run(
    open: &OpenExec,
    request: Request,
    folder: Option<OwnedFd>,
    stdin: Vec<u8>,
    lease: &Lease,
) -> Result<Output> {
    let wall = open.limits().wall;
    let work = converse(open, request, folder, stdin);
    tokio::select! {
        biased;
        () = revoked(lease) => Err(ExecError::Revoked),
        done = work => done,
        // The spawner keeps the time; this is for a spawner that does not answer.
        () = tokio::time::sleep(wall + PATIENCE) => Err(ExecError::Timeout { limit: wall }),
    }
}

async fn converse(
    open: &OpenExec,
    request: Request,
    folder: Option<OwnedFd>,
    stdin: Vec<u8>,
) -> Result<Output> {
    let limits = open.limits();
    let channel = open.channel()?;
    let (their_in, our_in) = io::pipe()?;
    let (our_out, their_out) = io::pipe()?;
    let (our_err, their_err) = io::pipe()?;
    let conversation = channel.ask(
        &request,
        &[
            folder.as_ref().unwrap_or(&open.nowhere).as_fd(),
            their_in.as_fd(),
            their_out.as_fd(),
            their_err.as_fd(),
        ],
    )?;
    // The program alone holds these ends, so that its end is seen.
    drop((folder, their_in, their_out, their_err));
    match conversation.recv::<Reply>().await? {
        Some((Reply::Started, _)) => {}
        Some((Reply::Changed, _)) => return Err(ExecError::Program),
        Some((Reply::Failed(errno), _)) => {
            return Err(io::Error::from_raw_os_error(errno).into());
        }
        _ => return Err(gone()),
    }
    let (stdout, stderr, (), (code, signal)) = tokio::try_join!(
        read(our_out.into(), limits.stdout),
        read(our_err.into(), limits.stderr),
        feed(our_in.into(), stdin),
        end(&conversation, limits.wall),
    )?;
    Ok(Output {
        code,
        signal,
        stdout,
        stderr,
    })
}

/// Reads to the end, or to the limit.
async fn read(pipe: OwnedFd, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let pipe = pipe::Receiver::from_owned_fd(pipe)?;
    pipe.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .await?;
    if bytes.len() as u64 > limit {
        return Err(ExecError::Output { limit });
    }
    Ok(bytes)
}

/// Writes what there is to read. A program need not read it.
async fn feed(pipe: OwnedFd, bytes: Vec<u8>) -> Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let mut pipe = pipe::Sender::from_owned_fd(pipe)?;
    match pipe.write_all(&bytes).await {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

async fn end(conversation: &Conversation, wall: Duration) -> Result<(Option<i32>, Option<i32>)> {
    match conversation.recv::<Reply>().await? {
        Some((
            Reply::Ended {
                timed_out: true, ..
            },
            _,
        )) => Err(ExecError::Timeout { limit: wall }),
        Some((Reply::Ended { code, signal, .. }, _)) => match signal {
            Some(SIGXCPU) => Err(ExecError::Limit {
                what: "processor time",
            }),
            Some(SIGXFSZ) => Err(ExecError::Limit { what: "file size" }),
            _ => Ok((code, signal)),
        },
        _ => Err(gone()),
    }
}

/// Returns when the call is over. A handle that was spawned away has nobody who drops its future.
async fn revoked(lease: &Lease) {
    while lease.is_live() {
        tokio::time::sleep(LOOK).await;
    }
}

fn gone() -> ExecError {
    ExecError::Spawn {
        kind: io::ErrorKind::BrokenPipe,
    }
}

impl OpenExec {
    /// Opens the proxy to one run.
    #[cfg(feature = "net")]
    pub(super) fn admit(
        &self,
        outlets: Vec<crate::capability::net::Outlet>,
        trail: &Trail,
    ) -> Result<super::proxy::Admitted> {
        self.proxy
            .admit(&self.line, self.name, outlets, trail)
            .map_err(|error| {
                tracing::error!(%error, "the proxy of a program does not open");
                ExecError::Network {
                    reason: "there is no proxy",
                }
            })
    }

    fn channel(&self) -> io::Result<&Channel> {
        match self.line.get() {
            Some(helper) => Ok(helper),
            None => self.inside.channel(&self.pinned, &self.policy),
        }
    }
}

/// The spawner as a thread of this process, for where there is no helper. Started on first use.
#[derive(Default)]
pub(super) struct Inside(OnceLock<Thread>);

struct Thread {
    channel: Option<Channel>,
    done: Mutex<Receiver<()>>,
}

impl Inside {
    fn channel(&self, pinned: &Arc<Pinned>, policy: &Arc<Policy>) -> io::Result<&Channel> {
        if self.0.get().is_none() {
            let thread = Thread::start(Arc::clone(pinned), Arc::clone(policy))?;
            // Of two that start at once one is dropped, and ends.
            let _ = self.0.set(thread);
        }
        self.0
            .get()
            .and_then(|thread| thread.channel.as_ref())
            .ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }
}

impl Thread {
    fn start(pinned: Arc<Pinned>, policy: Arc<Policy>) -> io::Result<Self> {
        let (near, far) = Channel::pair()?;
        let (tell, done) = sync_channel(1);
        std::thread::Builder::new()
            .name("mcp-spawner".to_owned())
            .spawn(move || {
                if let Err(error) = spawner::inside(&far, &pinned, &policy) {
                    tracing::error!(%error, "the spawner ended");
                }
                let _ = tell.send(());
            })?;
        Ok(Self {
            channel: Some(near),
            done: Mutex::new(done),
        })
    }
}

impl Drop for Thread {
    /// The server ends: what still runs is killed before the process is gone.
    fn drop(&mut self) {
        drop(self.channel.take());
        let done = self.done.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = done.recv_timeout(PATIENCE);
    }
}

const SIGXCPU: i32 = 24;
const SIGXFSZ: i32 = 25;

/// How often a program that runs looks at the lease.
const LOOK: Duration = Duration::from_millis(20);

/// What is granted to a spawner beyond the time of the program.
const PATIENCE: Duration = Duration::from_secs(2);
