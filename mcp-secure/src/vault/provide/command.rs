//! A program that knows the secret, in the manner of git's credential helpers
//! (gitcredentials(7)): it reads what is wanted as lines of `key=value`, and answers with such.
//!
//! It is started by a helper process, whose sandbox has in it what was declared for the program
//! and nothing else. The helper is told a number of times to start this one program, and never
//! which: a server that was taken over can ask for the secret that it has anyway, and run nothing
//! else. What the program prints goes through a pipe to the server, past the helper.

use std::{
    io,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use futures::future::BoxFuture;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open},
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::unix::pipe,
};
use zeroize::{Zeroize as _, Zeroizing};

use super::{Provided, SecretProvider, Wanted};
use crate::{
    Error, Result,
    broker::{Channel, HelperSpec, Line, Role},
    state::Starting,
    vault::Placement,
};

/// A program that prints a credential, as git's credential helpers do. It is named by its
/// absolute path and started without a shell, with an empty environment and your arguments. It reads
///
/// ```text
/// protocol=https
/// host=api.github.com
///
/// ```
///
/// and prints `password=…`, for [`Placement::Basic`] also `username=…`, and how long it may be spent:
/// `ttl=` in seconds, or git's `password_expiry_utc=`. Without either that is five minutes. It has five seconds
/// and 16 KiB, and is killed, with its process group, when it takes more. What it says on standard error goes nowhere:
/// it may have the secret in it.
///
/// It runs in a sandbox: it reads the folders of the system, runs the programs in them, and has no network and nothing
/// to write to, unless you say so.
///
/// ```
/// use mcp_secure::vault::CredentialCommand;
/// CredentialCommand::new("/usr/bin/op-helper", ["get"])
///     .env("HOME", "/srv/stars")
///     .reads("/srv/stars/.config/op")
///     .connects([443]);
/// ```
#[must_use = "it does nothing until a vault has it"]
pub struct CredentialCommand {
    policy: Policy,
    started: Mutex<Option<Arc<Started>>>,
}

/// What the helper is told, once.
#[derive(Clone, Serialize, Deserialize)]
struct Policy {
    program: PathBuf,
    args: Vec<String>,
    env: Vec<(String, String)>,
    reads: Vec<PathBuf>,
    writes: Vec<PathBuf>,
    ports: Vec<u16>,
    sockets: bool,
    patience: Duration,
}

/// The way to it, and what it is asked.
struct Started {
    line: Line,
    inside: Mutex<Option<Channel>>,
    policy: Policy,
    question: String,
    is_pair: bool,
}

impl CredentialCommand {
    /// A program by its absolute path, and all of its arguments.
    pub fn new<A: Into<String>>(
        program: impl Into<PathBuf>,
        args: impl IntoIterator<Item = A>,
    ) -> Self {
        Self {
            policy: Policy {
                program: program.into(),
                args: args.into_iter().map(Into::into).collect(),
                env: Vec::new(),
                reads: Vec::new(),
                writes: Vec::new(),
                ports: Vec::new(),
                sockets: false,
                patience: PATIENCE,
            },
            started: Mutex::default(),
        }
    }

    /// A variable of its environment, which is empty otherwise.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.policy.env.push((name.into(), value.into()));
        self
    }

    /// A file or folder that it reads, and may run programs from.
    pub fn reads(mut self, path: impl Into<PathBuf>) -> Self {
        self.policy.reads.push(path.into());
        self
    }

    /// A folder that it also writes in. A socket that it connects to lies in one.
    pub fn writes(mut self, path: impl Into<PathBuf>) -> Self {
        self.policy.writes.push(path.into());
        self
    }

    /// TCP ports that it connects to, at any host. It may then ask for names as well.
    pub fn connects(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.policy.ports.extend(ports);
        self
    }

    /// It connects to Unix-domain sockets, such as an agent's, in folders that it may reach.
    pub fn connects_to_sockets(mut self) -> Self {
        self.policy.sockets = true;
        self
    }
}

impl SecretProvider for CredentialCommand {
    fn kind(&self) -> String {
        format!("the program `{}`", self.policy.program.display())
    }

    fn start(&self, wanted: &Wanted<'_>, starting: &mut Starting<'_>) -> Result<Option<Provided>> {
        let policy = self.policy.clone();
        check(&policy)?;
        let (protocol, host) = wanted.host();
        let started = Started {
            line: Line::default(),
            inside: Mutex::default(),
            question: format!("protocol={protocol}\nhost={host}\n\n"),
            is_pair: wanted.credential.placement == Placement::Basic,
            policy,
        };
        starting.opening().helpers.push(HelperSpec {
            role: Role::Credential,
            name: wanted.name().to_owned(),
            policy: serde_json::to_value(&started.policy)
                .map_err(|error| Error::new(error.to_string()))?,
            line: started.line.clone(),
        });
        *self.started.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(started));
        Ok(None)
    }

    fn fetch(&self) -> BoxFuture<'_, Result<Provided>> {
        let started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        let started = started.clone();
        let kind = self.kind();
        Box::pin(async move {
            let wrong = |what: &str| Error::new(format!("{kind} {what}"));
            let started = started.ok_or_else(|| wrong("was not started"))?;
            let printed = started.ask().await.map_err(|error| match error {
                Failed::System(error) => wrong(&format!("cannot be asked: {error}")),
                Failed::Late => wrong("takes too long, and was killed"),
                Failed::Long => wrong("prints too much, and was killed"),
                Failed::Status => wrong("failed"),
            })?;
            answer(&printed, started.is_pair).map_err(|what| {
                wrong(what).help("it prints lines of `key=value`, as gitcredentials(7) has them")
            })
        })
    }
}

enum Failed {
    System(io::Error),
    Late,
    Long,
    Status,
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl Started {
    async fn ask(&self) -> std::result::Result<Zeroizing<Vec<u8>>, Failed> {
        let (their_in, our_in) = io::pipe()?;
        let (our_out, their_out) = io::pipe()?;
        let fds = [their_in.as_fd(), their_out.as_fd()];
        let conversation = match self.line.get() {
            Some(helper) => helper.ask(&Ask, &fds)?,
            None => self.inside(|channel| channel.ask(&Ask, &fds))?,
        };
        // The program alone holds these ends, so that its end is seen.
        drop((their_in, their_out));
        let talk = async {
            let mut to = pipe::Sender::from_owned_fd(our_in.into())?;
            // A program need not read it.
            let _ = to.write_all(self.question.as_bytes()).await;
            drop(to);
            let mut from = pipe::Receiver::from_owned_fd(our_out.into())?;
            // In one piece from the start: memory that grows leaves copies behind.
            let mut bytes = Zeroizing::new(vec![0; MAX + 1]);
            let mut len = 0;
            loop {
                let rest = bytes.get_mut(len..).filter(|rest| !rest.is_empty());
                let rest = rest.ok_or(Failed::Long)?;
                match from.read(rest).await? {
                    0 => break,
                    more => len += more,
                }
            }
            match conversation.recv::<Ended>().await? {
                Some((Ended::Well, _)) => {}
                Some((Ended::Late, _)) => return Err(Failed::Late),
                Some((Ended::Badly, _)) => return Err(Failed::Status),
                None => return Err(Failed::System(io::ErrorKind::BrokenPipe.into())),
            }
            if let Some(unused) = bytes.get_mut(len..) {
                unused.zeroize();
            }
            bytes.truncate(len);
            Ok(bytes)
        };
        // The helper keeps the time; this is for a program that closes its output and stays, and
        // for a helper that does not answer. Whatever ends this ends the conversation, and with
        // it the program.
        let until = self.policy.patience + Duration::from_secs(1);
        tokio::time::timeout(until, talk)
            .await
            .unwrap_or(Err(Failed::Late))
    }

    /// Where there is no sandbox there is no helper: a thread of this process starts the program.
    fn inside<T>(&self, ask: impl FnOnce(&Channel) -> io::Result<T>) -> io::Result<T> {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        if inside.is_none() {
            let (near, far) = Channel::pair()?;
            let policy = self.policy.clone();
            thread::Builder::new()
                .name("mcp-credential".to_owned())
                .spawn(move || {
                    let _ = serve(&far, &Arc::new(policy));
                })?;
            *inside = Some(near);
        }
        inside
            .as_ref()
            .map_or_else(|| Err(io::ErrorKind::BrokenPipe.into()), ask)
    }
}

fn check(policy: &Policy) -> Result<()> {
    let wrong = |what: &str, help: &str| {
        Err(
            Error::new(format!("the program `{}` {what}", policy.program.display()))
                .help(help.to_owned()),
        )
    };
    if !policy.program.is_absolute() {
        return wrong(
            "is not named by an absolute path",
            "what `PATH` finds first is for others to decide",
        );
    }
    if !policy.program.is_file() {
        return wrong("is not there", "name the program itself");
    }
    let env = policy.env.iter().flat_map(|(name, value)| [name, value]);
    let has_zero = policy
        .args
        .iter()
        .chain(env)
        .any(|word| word.contains('\0'));
    let is_odd = |(name, _): &(String, String)| name.is_empty() || name.contains('=');
    if has_zero || policy.env.iter().any(is_odd) {
        return wrong(
            "has an argument or a variable that is none",
            "leave out zero bytes, and `=` in names",
        );
    }
    let mut paths = policy.reads.iter().chain(&policy.writes);
    if paths.any(|path| !path.is_absolute() || !path.exists()) {
        return wrong(
            "is lent a path that is not there, or not absolute",
            "name it from the root on",
        );
    }
    Ok(())
}

/// What was printed, understood. What is wrong is said without a word of it.
fn answer(printed: &[u8], is_pair: bool) -> std::result::Result<Provided, &'static str> {
    let text = std::str::from_utf8(printed).map_err(|_| "prints what is no text")?;
    let (mut user, mut password, mut life) = (None, None, None);
    for line in text.lines().take_while(|line| !line.is_empty()) {
        let (key, value) = line.split_once('=').ok_or("prints a line without `=`")?;
        match key {
            "username" => user = Some(value),
            "password" if password.is_some() => return Err("prints two passwords"),
            "password" => password = Some(value),
            "ttl" => {
                let seconds = value
                    .parse()
                    .map_err(|_| "prints a `ttl` that is no number")?;
                life = Some(Duration::from_secs(seconds));
            }
            "password_expiry_utc" => {
                let at = value
                    .parse()
                    .map_err(|_| "prints a `password_expiry_utc` that is no number")?;
                let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(at));
                let left = at.and_then(|at| at.duration_since(SystemTime::now()).ok());
                life = Some(left.unwrap_or_default());
            }
            // git: the helper knows that there is none.
            "quit" => return Err("has no credential"),
            _ => {}
        }
    }
    let password = password.ok_or("prints no `password`")?;
    let secret = match (is_pair, user) {
        (false, _) => SecretString::from(password),
        (true, Some(user)) => {
            let mut pair = String::with_capacity(user.len() + 1 + password.len());
            pair.push_str(user);
            pair.push(':');
            pair.push_str(password);
            SecretString::from(pair)
        }
        (true, None) => return Err("prints no `username`, and the placement is `basic`"),
    };
    let provided = Provided::new(secret);
    Ok(match life {
        Some(life) => provided.lasts(life),
        None => provided,
    })
}

/// The question, with the program's standard input and output beside it.
#[derive(Serialize, Deserialize)]
struct Ask;

/// How it ended.
#[derive(Serialize, Deserialize)]
enum Ended {
    Well,
    Badly,
    Late,
}

/// The process that starts the program.
#[cfg(feature = "sandbox")]
pub(crate) struct Helper(Arc<Policy>);

#[cfg(feature = "sandbox")]
impl Helper {
    pub(crate) fn prepare(policy: serde_json::Value) -> Result<Self> {
        let policy: Policy = serde_json::from_value(policy).map_err(|error| {
            Error::new(format!("the policy of a credential is malformed: {error}"))
        })?;
        check(&policy)?;
        Ok(Self(Arc::new(policy)))
    }

    /// What the program inherits.
    pub(crate) fn needs(&self) -> crate::broker::HelperNeeds {
        use crate::capability::{FileAccess, FileNeed};

        let policy = &self.0;
        let there = |paths: &'static [&'static str]| {
            let paths = paths.iter().map(PathBuf::from);
            paths.filter(|path| path.exists())
        };
        let need = |path: PathBuf, access| FileNeed {
            path,
            access,
            because: "credential".to_owned(),
        };
        let reads = there(SYSTEM).chain(policy.reads.iter().cloned());
        let reads = reads.chain([policy.program.clone()]);
        let writes = there(DEVICES).chain(policy.writes.iter().cloned());
        let runs = there(PROGRAMS).chain(policy.reads.iter().cloned());
        crate::broker::HelperNeeds {
            files: reads
                .map(|path| need(path, FileAccess::Read))
                .chain(writes.map(|path| need(path, FileAccess::Write)))
                .collect(),
            exec_paths: runs.chain([policy.program.clone()]).collect(),
            connect_ports: match policy.ports.is_empty() {
                true => Vec::new(),
                false => policy.ports.iter().copied().chain([53]).collect(),
            },
            udp: !policy.ports.is_empty(),
            unix_connect: policy.sockets,
            ..crate::broker::HelperNeeds::default()
        }
    }

    pub(crate) fn serve(&self, channel: &Channel) -> io::Result<()> {
        serve(channel, &self.0)
    }
}

fn serve(channel: &Channel, policy: &Arc<Policy>) -> io::Result<()> {
    let running = Arc::new(AtomicUsize::new(0));
    while let Some((Ask, conversation, fds)) = channel.answer()? {
        if running.load(Ordering::Acquire) >= MOST_RUNS {
            let _ = conversation.send(&Ended::Badly, &[]);
            continue;
        }
        running.fetch_add(1, Ordering::AcqRel);
        let (policy, counted) = (Arc::clone(policy), Arc::clone(&running));
        let spawned = thread::Builder::new().spawn(move || {
            let ended = run(&policy, &conversation, fds).unwrap_or(Ended::Badly);
            counted.fetch_sub(1, Ordering::AcqRel);
            let _ = conversation.send(&ended, &[]);
        });
        if spawned.is_err() {
            running.fetch_sub(1, Ordering::AcqRel);
        }
    }
    Ok(())
}

/// Runs it to its end, or to the end of its time or of the conversation.
fn run(policy: &Policy, conversation: &Channel, fds: Vec<OwnedFd>) -> io::Result<Ended> {
    let Ok([stdin, stdout]) = <[OwnedFd; 2]>::try_from(fds) else {
        return Ok(Ended::Badly);
    };
    let until = Instant::now() + policy.patience;
    let mut command = Command::new(&policy.program);
    command
        .args(&policy.args)
        .env_clear()
        .envs(policy.env.iter().map(|(name, value)| (name, value)))
        .current_dir(Path::new("/"))
        .stdin(Stdio::from(stdin))
        .stdout(Stdio::from(stdout))
        .stderr(Stdio::null())
        .process_group(0);
    let mut child = command.spawn()?;
    // Its ends of the pipes are the program's alone.
    drop(command);
    let pid = Pid::from_child(&child);
    let is_late = pidfd_open(pid, PidfdFlags::empty()).map(|ended| {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(left) = Timespec::try_from(left) else {
                return true;
            };
            let mut fds = [
                PollFd::new(&ended, PollFlags::IN),
                PollFd::new(conversation, PollFlags::IN),
            ];
            match poll(&mut fds, Some(&left)) {
                Err(rustix::io::Errno::INTR) => {}
                // Nobody says anything in a conversation: something on it is its end.
                Ok(1..) => return fds.first().is_some_and(|fd| fd.revents().is_empty()),
                Ok(0) | Err(_) => return true,
            }
        }
    });
    // What it started in its group goes with it, in any case.
    let _ = kill_process_group(pid, Signal::KILL);
    let status = child.wait()?;
    Ok(match is_late {
        Ok(false) if status.success() => Ended::Well,
        Ok(false) => Ended::Badly,
        _ => Ended::Late,
    })
}

const PATIENCE: Duration = Duration::from_secs(5);
const MAX: usize = 16 * 1024;
/// One asks at a time; what was left behind is ending.
const MOST_RUNS: usize = 8;

/// What a program of this system reads.
#[cfg(feature = "sandbox")]
const SYSTEM: &[&str] = &["/bin", "/lib", "/lib64", "/usr", "/etc"];
#[cfg(feature = "sandbox")]
const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/urandom"];
/// And runs, with what loads it.
#[cfg(feature = "sandbox")]
const PROGRAMS: &[&str] = &[
    "/bin",
    "/lib",
    "/lib64",
    "/usr/bin",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/bin",
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn an_answer_is_understood_whole_or_not_at_all() {
        let said = |text: &str, is_pair| answer(text.as_bytes(), is_pair);
        let one = said(
            "protocol=https\nusername=u\npassword=a=b=c\nttl=60\n",
            false,
        );
        let one = one.ok().unwrap();
        assert_eq!(one.secret.expose_secret(), "a=b=c");
        assert_eq!(one.life, Some(Duration::from_secs(60)));
        let pair = said("username=u\npassword=p", true).ok().unwrap();
        assert_eq!((pair.secret.expose_secret(), pair.life), ("u:p", None));
        // It is over since 1970.
        let old = said("password=p\npassword_expiry_utc=1\n", false);
        assert_eq!(old.ok().unwrap().life, Some(Duration::ZERO));
        for bad in [
            "",
            "\npassword=late",
            "password=a\npassword=b",
            "secret without a key",
            "password=p\nttl=soon",
            "password=p\nttl=-1",
            "quit=1\npassword=p",
        ] {
            let error = said(bad, false).err().unwrap();
            assert!(
                !error.contains("late") && !error.contains("soon"),
                "{error}"
            );
        }
        assert!(said("password=p", true).is_err());
        assert!(answer(b"password=\xff", false).is_err());
    }
}
