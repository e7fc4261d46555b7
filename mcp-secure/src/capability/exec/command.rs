//! A command line, built word by word and never from a text.

use std::{borrow::Cow, fmt, marker::PhantomData, sync::Arc};

use super::{Argument, ExecError, Flag, Lease, Program, Result, Trail, grant::OpenExec, policy};
use crate::capability::{
    Step,
    fs::{Fs, FsRoot, Mode},
};

/// One command under construction, from [`Exec::command`](super::Exec::command).
///
/// The first thing that is not acceptable is kept and reported by [`run`](Self::run); nothing is
/// started then.
#[must_use = "nothing happens before `run`"]
pub struct Command<P> {
    open: Arc<OpenExec>,
    lease: Lease,
    trail: Trail,
    args: Vec<String>,
    /// The words of the code, for the audit record.
    action: String,
    separated: bool,
    #[cfg(target_os = "linux")]
    folder: Option<std::os::fd::OwnedFd>,
    #[cfg(all(feature = "net", target_os = "linux"))]
    outlets: Vec<crate::capability::net::Outlet>,
    stdin: Vec<u8>,
    fault: Option<ExecError>,
    of: PhantomData<fn() -> P>,
}

impl<P: Program> Command<P> {
    pub(super) fn new(
        open: &Arc<OpenExec>,
        lease: &Lease,
        trail: &Trail,
        words: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        let mut command = Self {
            open: Arc::clone(open),
            lease: lease.clone(),
            trail: trail.clone(),
            args: Vec::new(),
            action: open.program_name().to_owned(),
            separated: false,
            #[cfg(target_os = "linux")]
            folder: None,
            #[cfg(all(feature = "net", target_os = "linux"))]
            outlets: Vec::new(),
            stdin: Vec::new(),
            fault: None,
            of: PhantomData,
        };
        for word in words {
            command.say(word);
            command.push(word.into());
        }
        command
    }

    /// Adds an option of the code, such as `--oneline`.
    pub fn flag(mut self, flag: impl Flag) -> Self {
        let flag = flag.as_flag();
        if !flag.starts_with('-') || flag == "--" || flag == "-" {
            return self.refuse_option("it does not begin with `-`");
        }
        if self.separated {
            return self.refuse_option("it comes after the arguments, where it would be one");
        }
        self.say(flag);
        self.push(flag.into());
        self
    }

    /// Adds an option with a value, as one word: `--name=value`, or `-nvalue`.
    pub fn option(mut self, name: impl Flag, value: impl Argument) -> Self {
        let name = name.as_flag();
        let is_long = name.starts_with("--") && name.len() > 2;
        let is_short = name.len() == 2 && name.starts_with('-') && name != "--";
        if !is_long && !is_short {
            return self.refuse_option("its name is neither `--name` nor `-n`");
        }
        if self.separated {
            return self.refuse_option("it comes after the arguments, where it would be one");
        }
        self.say(name);
        let value = value.render();
        if let Err(error) = self.open.check_value(&value) {
            return self.refuse(error);
        }
        if !is_long && value.is_empty() {
            // The program would take the next word for the value.
            return self.refuse(ExecError::Argument {
                reason: "the value of a short option may not be empty",
            });
        }
        let word = if is_long {
            format!("{name}={value}")
        } else {
            format!("{name}{value}")
        };
        self.push(word);
        self
    }

    /// Adds an argument that is no option. The separator of the grant is put in front of the
    /// first one.
    pub fn arg(mut self, argument: impl Argument) -> Self {
        if !self.separated
            && let Some(separator) = self.open.separator().word()
        {
            self.separated = true;
            self.push(separator.to_owned());
        }
        let argument = argument.render();
        let checked = self.open.check_value(&argument).and_then(|()| {
            // A program without a separator takes options anywhere.
            if !self.separated && argument.starts_with(['-', '+']) {
                return Err(ExecError::Argument {
                    reason: "it begins with `-` or `+`, as an option does",
                });
            }
            Ok(())
        });
        if let Err(error) = checked {
            return self.refuse(error);
        }
        let argument = argument.into_owned();
        self.push(argument);
        self
    }

    /// Adds arguments, as [`arg`](Self::arg).
    pub fn args<A: Argument>(self, arguments: impl IntoIterator<Item = A>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// Adds a `--` that stands *between* arguments, as git's between revisions and paths. It also
    /// ends the options.
    pub fn double_dash(mut self) -> Self {
        if !self.separated
            && let Some(separator) = self.open.separator().word()
            && separator != "--"
        {
            self.push(separator.to_owned());
        }
        self.separated = true;
        self.push("--".to_owned());
        self
    }

    /// The folder that the program works in. Without one it is an empty folder that is no longer
    /// in the file system, so that a relative path leads nowhere.
    ///
    /// The grant must name the folder ([`ExecGrant::folder`](super::ExecGrant::folder)), and the
    /// handle must allow at least what is said there.
    pub fn current_dir<R: FsRoot, M: Mode>(mut self, folder: &Fs<R, M>) -> Self {
        if let Err(error) = self.open.check_folder(R::NAME, M::WRITES) {
            return self.refuse(error);
        }
        #[cfg(target_os = "linux")]
        match folder.descriptor() {
            Ok(descriptor) => self.folder = Some(descriptor),
            Err(crate::capability::fs::FsError::Revoked) => return self.refuse(ExecError::Revoked),
            Err(_) => {
                return self.refuse(ExecError::Folder {
                    reason: "it cannot be opened",
                });
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _ = folder;
        self
    }

    /// Lends the program an endpoint for this run: tunnels to the granted host and port, through
    /// a proxy of this server that it finds in `HTTPS_PROXY` and `ALL_PROXY`. Every other
    /// address is out of reach for it, and so is every name server; names are resolved here, and
    /// every answer is judged, as for a request of one's own. Each tunnel is a step in the
    /// audit record.
    ///
    /// The grant must name the endpoint ([`ExecGrant::network`](super::ExecGrant::network)). Its
    /// limits hold for each tunnel: bytes, time, how many at once. What is said inside of TLS
    /// nobody sees; that is why this takes no other access than
    /// [`Connect`](crate::capability::net::Connect).
    #[cfg(feature = "net")]
    pub fn lend<E: crate::capability::net::Endpoint>(
        mut self,
        remote: &crate::capability::net::Net<E, crate::capability::net::Connect>,
    ) -> Self {
        if let Err(error) = self.open.check_network(E::NAME) {
            return self.refuse(error);
        }
        #[cfg(target_os = "linux")]
        self.outlets.push(remote.outlet());
        #[cfg(not(target_os = "linux"))]
        let _ = (&mut self, remote);
        self
    }

    /// What the program reads on standard input. Without it there is nothing to read.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        let limit = self.open.limits().stdin;
        if self.stdin.len() as u64 > limit {
            self.stdin = Vec::new();
            return self.refuse(ExecError::Input { limit });
        }
        self
    }

    /// Runs it to its end. Dropping the future kills it.
    ///
    /// An exit code is no error; see [`Output::success`].
    ///
    /// # Errors
    ///
    /// What was not acceptable in the command; [`ExecError::Program`], [`ExecError::Spawn`];
    /// [`ExecError::Output`], [`ExecError::Timeout`] and [`ExecError::Limit`], when it was killed;
    /// [`ExecError::Revoked`].
    pub async fn run(mut self) -> Result<Output> {
        let entry = self.trail.begin(Step {
            kind: "exec",
            file: None,
            capability: P::NAME,
            action: std::mem::take(&mut self.action),
            outcome: "failed",
            control: None,
            detail: Some("killed: the call was abandoned".into()),
            bytes_in: 0,
            bytes_out: self.stdin.len() as u64,
        });
        let result = self.run_it().await;
        entry.change(|step| close(step, &result));
        result
    }

    async fn run_it(self) -> Result<Output> {
        if !self.lease.is_live() {
            return Err(ExecError::Revoked);
        }
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        policy::check_args(&self.args)?;
        #[cfg(target_os = "linux")]
        {
            #[cfg(feature = "net")]
            let admitted = match self.outlets.is_empty() {
                true => None,
                false => Some(self.open.admit(self.outlets, &self.trail)?),
            };
            #[cfg(feature = "net")]
            let door = admitted.as_ref().map(|admitted| admitted.door());
            #[cfg(not(feature = "net"))]
            let door = None;
            let request = policy::Request {
                args: self.args,
                door,
            };
            let run = super::run::run(&self.open, request, self.folder, self.stdin, &self.lease);
            let result = run.await;
            #[cfg(feature = "net")]
            if let Some(admitted) = admitted {
                admitted.leave().await;
            }
            result
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = self.stdin;
            Err(ExecError::Spawn {
                kind: std::io::ErrorKind::Unsupported,
            })
        }
    }

    fn push(&mut self, word: String) {
        self.args.push(word);
    }

    fn say(&mut self, word: &str) {
        self.action.push(' ');
        self.action.push_str(word);
    }

    fn refuse(mut self, error: ExecError) -> Self {
        self.fault.get_or_insert(error);
        self
    }

    fn refuse_option(self, reason: &'static str) -> Self {
        self.refuse(ExecError::Option { reason })
    }
}

impl<P: Program> fmt::Debug for Command<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The words of the code alone: values are the caller's.
        write!(f, "Command({})", self.action)
    }
}

/// What a program left when it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output {
    /// Its exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it wrote on standard output.
    pub stdout: Vec<u8>,
    /// What it wrote on standard error. It may name paths of the host.
    pub stderr: Vec<u8>,
}

impl Output {
    /// The output, if the exit code is 0.
    ///
    /// # Errors
    ///
    /// [`ExecError::Failed`].
    pub fn success(self) -> Result<Self> {
        match self.code {
            Some(0) => Ok(self),
            code => Err(ExecError::Failed {
                code,
                signal: self.signal,
            }),
        }
    }

    /// Standard output as text.
    ///
    /// # Errors
    ///
    /// [`ExecError::NotText`].
    pub fn stdout_text(&self) -> Result<&str> {
        std::str::from_utf8(&self.stdout).map_err(|_| ExecError::NotText)
    }

    /// Standard output as text, with `U+FFFD` for what is none.
    pub fn stdout_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }
}

/// Writes into the trail how it ended.
fn close(step: &mut Step, result: &Result<Output>) {
    match result {
        Ok(output) => {
            step.outcome = if output.code == Some(0) {
                "ok"
            } else {
                "failed"
            };
            step.detail = Some(match (output.code, output.signal) {
                (Some(code), _) => format!("exit code {code}"),
                (None, signal) => format!("signal {}", signal.unwrap_or_default()),
            });
            step.bytes_in = (output.stdout.len() + output.stderr.len()) as u64;
        }
        Err(error) => {
            step.outcome = match error {
                ExecError::Spawn { .. } => "failed",
                _ => "denied",
            };
            step.control = error.control();
            step.detail = Some(error.to_string());
        }
    }
}
