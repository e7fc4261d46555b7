//! One granted program, started with typed arguments and without a shell.
//!
//! An [`Exec`] handle stands for one program file that was checked, hashed and opened at start,
//! lent to one call. There is no way to give it a command line: subcommands and options are words
//! of the code, values are typed and attached, and what a caller sent can never be read as an
//! option. The program starts in an own process group with an empty environment, no descriptors
//! but its three streams, and limits on everything; when the call ends, so does its whole tree.
//!
//! This room knows processes and the lease of a call; it knows nothing of transports, layers or
//! macros.
//!
//! ```text
//! command, argument      what a tool says          grant, limits        what the code fixes
//! program, interpreters  which file may be run     policy               what the spawner is told
//! run                    the asking side           spawner, tree        the side that starts and kills
//! proxy                  the network that is lent  error                what is said on refusal
//! ```
//!
//! Starting happens in the spawner, which is a helper process with a sandbox of its own where
//! there is one, and a thread of the server otherwise. What a *granted* program does with the
//! files that the kernel lets it reach is its own matter: [`FsPolicy`](super::fs::FsPolicy) does
//! not bind it.

mod argument;
mod command;
mod error;
mod grant;
mod interpreters;
mod limits;
mod policy;
mod program;
#[cfg(all(feature = "net", target_os = "linux"))]
mod proxy;
#[cfg(target_os = "linux")]
mod run;
#[cfg(target_os = "linux")]
mod spawner;
#[cfg(target_os = "linux")]
mod tree;

use std::{fmt, marker::PhantomData, sync::Arc};

pub use argument::{Argument, Flag, Identifier, Text};
pub use command::{Command, Output};
pub use error::ExecError;
pub use grant::ExecGrant;
pub use limits::{ExecLimits, Separator};
#[cfg(all(feature = "sandbox", target_os = "linux"))]
pub(crate) use spawner::Helper;

use self::grant::OpenExec;
use super::{Capability, Facts, Handle, Lease, Trail, sealed::Sealed};
use crate::{
    call::Call,
    error::{ToolError, ToolResult},
};

/// A program that a server needs, declared with `#[capability(exec = "/usr/bin/git")]`.
pub trait Program: Capability {
    /// The absolute path in code. `None`: the operator names it.
    const PATH: Option<&'static str>;
}

/// A program lent to one call.
///
/// When the call ends, everything that was started through the handle is killed, and the handle
/// answers [`ExecError::Revoked`].
///
/// ```
/// use mcp_secure::{ToolResult, capability::{exec::{Exec, Identifier, Program}, fs::{Fs, FsRoot, ReadOnly}}};
///
/// async fn log<G: Program, R: FsRoot>(
///     git: Exec<G>, repo: Fs<R, ReadOnly>, branch: Identifier, most: u32,
/// ) -> ToolResult<String> {
///     let output = git
///         .command(["log"])
///         .flag("--oneline")
///         .option("--max-count", most)
///         .arg(branch) // behind the separator that the grant names
///         .current_dir(&repo)
///         .run()
///         .await?
///         .success()?;
///     Ok(output.stdout_lossy().into_owned())
/// }
/// ```
///
/// A text of the caller is no argument until it has a type that says what it may be:
///
/// ```compile_fail
/// # use mcp_secure::capability::exec::{Exec, Program};
/// fn log<G: Program>(git: Exec<G>, branch: String) {
///     git.command(["log"]).arg(branch);
/// }
/// ```
///
/// and it can become an option or a subcommand in no way:
///
/// ```compile_fail
/// # use mcp_secure::capability::exec::{Exec, Program};
/// fn run<G: Program>(git: Exec<G>, what: String) {
///     git.command([&*what]);
/// }
/// ```
pub struct Exec<P> {
    open: Arc<OpenExec>,
    lease: Lease,
    trail: Trail,
    of: PhantomData<fn() -> P>,
}

/// The result of running a program.
type Result<T> = std::result::Result<T, ExecError>;

impl<P: Program> Exec<P> {
    /// Begins a command: the program, what the grant puts in front, and these words of the code,
    /// such as a subcommand.
    pub fn command(&self, words: impl IntoIterator<Item = &'static str>) -> Command<P> {
        Command::new(&self.open, &self.lease, &self.trail, words)
    }
}

impl<P> Clone for Exec<P> {
    fn clone(&self) -> Self {
        Self {
            open: Arc::clone(&self.open),
            lease: self.lease.clone(),
            trail: self.trail.clone(),
            of: PhantomData,
        }
    }
}

impl<P: Program> fmt::Debug for Exec<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exec({})", P::NAME)
    }
}

impl<P: Program> Sealed for Exec<P> {}

impl<P: Program> Handle for Exec<P> {
    const FACTS: &'static [Facts] = &[Facts {
        capability: P::NAME,
        access: "run",
        // Nobody can say of a program that it only reads.
        writes: true,
        destructive: true,
        private: P::PRIVATE,
        needs_approval: true,
        ..Facts::inert("exec")
    }];

    fn lend(call: &mut Call) -> ToolResult<Self> {
        let open = call.grants.get::<P, OpenExec>().ok_or_else(|| {
            ToolError::internal(format_args!("no grant for capability `{}`", P::NAME))
        })?;
        Ok(Self {
            open,
            lease: call.lease.clone(),
            trail: call.trail.clone(),
            of: PhantomData,
        })
    }
}

/// For `testing::TestServer`, the tests and the benchmark. Not part of the API.
#[cfg(any(feature = "testing", feature = "__bench"))]
#[doc(hidden)]
impl<P: Program> Exec<P> {
    /// Opens a grant without a server. Folders must have been granted before, by name and path.
    pub fn __for_tests(
        grant: ExecGrant<P>,
        program: Option<&std::path::Path>,
        folders: &[(&'static str, &std::path::Path)],
        lease: Lease,
    ) -> crate::Result<Self> {
        Ok(Self {
            open: Arc::new(grant.open_for_tests(program, folders)?),
            lease,
            trail: Trail::default(),
            of: PhantomData,
        })
    }

    /// The same handle for another call.
    pub fn __lent_again(&self, lease: Lease) -> Self {
        Self {
            lease,
            ..self.clone()
        }
    }

    /// What the trail says, as JSON.
    pub fn __trail(&self) -> serde_json::Value {
        serde_json::to_value(self.trail.steps(str::to_owned)).unwrap_or_default()
    }
}
