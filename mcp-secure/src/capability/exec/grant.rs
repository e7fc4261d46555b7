//! The grant of a program.

use std::{
    any::Any,
    marker::PhantomData,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    ExecError, ExecLimits, Program, Separator,
    policy::{DOOR_VARIABLES, Policy},
    program::Pinned,
};
use crate::{
    broker::{HelperSpec, Line, Role},
    capability::{
        Asked, Binding, Grant, Opening, Rights, Source,
        fs::{FsRoot, Mode},
    },
    error::{Error, Result},
};

/// A program and everything that the code fixes about it, from `P::declared()` or
/// `P::from_operator()`.
///
/// ```
/// use std::time::Duration;
/// use mcp_secure::{capability::{exec::{ExecLimits, Separator}, fs::ReadOnly}, prelude::*};
///
/// /// The repository.
/// #[capability(fs)]
/// pub struct Repo;
///
/// /// Looks at the repository.
/// #[capability(exec = "/usr/bin/git")]
/// pub struct Git;
///
/// let grant = Git::declared()
///     .folder::<Repo, ReadOnly>()
///     .leading(["--no-pager", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"])
///     .env("GIT_CONFIG_NOSYSTEM", "1")
///     .env("GIT_CONFIG_GLOBAL", "/dev/null")
///     .separator(Separator::EndOfOptions)
///     .limits(ExecLimits { wall: Duration::from_secs(10), ..ExecLimits::default() });
/// # let _: mcp_secure::__private::Grant = grant.into();
/// ```
pub struct ExecGrant<P> {
    path: Option<&'static str>,
    pub(crate) terms: Terms,
    of: PhantomData<fn() -> P>,
}

/// What the code says besides the path.
#[derive(Clone)]
pub(crate) struct Terms {
    limits: ExecLimits,
    env: Vec<(&'static str, &'static str)>,
    leading: Vec<&'static str>,
    separator: Separator,
    forbidden: Vec<&'static str>,
    reads: Vec<PathBuf>,
    runs: Vec<PathBuf>,
    /// By the name of the capability, and whether the program writes there.
    folders: Vec<(&'static str, bool)>,
    /// Endpoints that it may be lent, by the name of the capability.
    networks: Vec<&'static str>,
    pub(crate) interpreter: Option<&'static str>,
}

impl<P: Program> ExecGrant<P> {
    /// The program is named by the operator.
    #[doc(hidden)]
    pub fn from_operator() -> Self {
        Self {
            path: None,
            terms: Terms {
                limits: ExecLimits::default(),
                env: Vec::new(),
                leading: Vec::new(),
                separator: Separator::DoubleDash,
                forbidden: FORBIDDEN.to_vec(),
                reads: Vec::new(),
                runs: Vec::new(),
                folders: Vec::new(),
                networks: Vec::new(),
                interpreter: None,
            },
            of: PhantomData,
        }
    }

    /// The program is fixed in code.
    #[doc(hidden)]
    pub fn declared() -> Self {
        Self {
            path: P::PATH,
            ..Self::from_operator()
        }
    }

    /// How much one run may take.
    #[must_use]
    pub fn limits(mut self, limits: ExecLimits) -> Self {
        self.terms.limits = limits;
        self
    }

    /// Adds a variable. There are no others: nothing of the server's environment is passed on.
    #[must_use]
    pub fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.terms.env.push((name, value));
        self
    }

    /// Words that stand in front of every command, such as `-c core.fsmonitor=false`.
    #[must_use]
    pub fn leading(mut self, words: impl IntoIterator<Item = &'static str>) -> Self {
        self.terms.leading.extend(words);
        self
    }

    /// How the program is told that its options end. [`Separator::DoubleDash`] by default.
    #[must_use]
    pub fn separator(mut self, separator: Separator) -> Self {
        self.terms.separator = separator;
        self
    }

    /// What no value may begin with, on its own or behind an `=`, besides what looks like an
    /// option: prefixes by which the program opens a file. `@`, `file:` and `fileb:` by default,
    /// as curl, gcc, the AWS command line (CVE-2026-4270) and many others have them.
    #[must_use]
    pub fn forbid_prefixes(mut self, prefixes: impl IntoIterator<Item = &'static str>) -> Self {
        self.terms.forbidden = prefixes.into_iter().collect();
        self
    }

    /// A file or folder that the program reads besides its libraries.
    #[must_use]
    pub fn reads(mut self, path: impl Into<PathBuf>) -> Self {
        self.terms.reads.push(path.into());
        self
    }

    /// A file or folder with further programs that the program may run, such as
    /// `/usr/lib/git-core`. In the sandbox it can run no others.
    #[must_use]
    pub fn runs(mut self, path: impl Into<PathBuf>) -> Self {
        self.terms.runs.push(path.into());
        self
    }

    /// A folder that the program may work in, for reading or for writing. Grant the folder
    /// before the program.
    ///
    /// A program that one tool may use for reading and another for writing is two capabilities:
    /// each has a sandbox of its own.
    #[must_use]
    pub fn folder<R: FsRoot, M: Mode>(mut self) -> Self {
        self.terms.folders.push((R::NAME, M::WRITES));
        self
    }

    /// An endpoint that the program may be lent ([`Command::lend`](super::Command::lend)). Grant
    /// it before the program. Without this, and without `lend`, it has no network.
    ///
    /// The program speaks TLS itself, so nobody sees what it says there. An endpoint whose grant
    /// says more than scheme, host and port, such as a path or a rule, is refused at start.
    #[cfg(feature = "net")]
    #[must_use]
    pub fn network<E: crate::capability::net::Endpoint>(mut self) -> Self {
        self.terms.networks.push(E::NAME);
        self
    }

    #[cfg(any(feature = "testing", feature = "__bench"))]
    pub(super) fn open_for_tests(
        self,
        program: Option<&Path>,
        folders: &[(&'static str, &Path)],
    ) -> Result<OpenExec> {
        let path = program.map(Path::to_owned).or(self.path.map(PathBuf::from));
        let folders = folders
            .iter()
            .map(|(name, path)| crate::capability::FileNeed {
                path: path.to_path_buf(),
                access: crate::capability::FileAccess::Write,
                because: (*name).to_owned(),
            });
        let mut opening = Opening::default();
        opening.needs.files.extend(folders);
        open(
            P::NAME,
            &self.terms,
            &path.unwrap_or_default(),
            &mut opening,
        )
    }
}

impl<P: Program> From<ExecGrant<P>> for Grant {
    fn from(grant: ExecGrant<P>) -> Self {
        Self::of::<P>(OneProgram {
            name: P::NAME,
            path: grant.path,
            terms: grant.terms,
        })
    }
}

struct OneProgram {
    name: &'static str,
    path: Option<&'static str>,
    terms: Terms,
}

impl Source for OneProgram {
    fn kind(&self) -> &'static str {
        "exec"
    }

    fn value_name(&self) -> &'static str {
        "PROGRAM"
    }

    fn in_code(&self) -> Option<String> {
        self.path.map(str::to_owned)
    }

    fn terms(&self) -> Vec<String> {
        let Terms {
            limits,
            env,
            leading,
            separator,
            forbidden,
            reads,
            runs,
            folders,
            networks,
            interpreter,
        } = &self.terms;
        let mut terms = vec![limits.term()];
        terms.push(match separator.word() {
            Some(word) => format!("options end with `{word}`"),
            None => "options do not end: no argument may look like one".to_owned(),
        });
        if !leading.is_empty() {
            terms.push(format!("always begins with `{}`", leading.join(" ")));
        }
        terms.extend(
            env.iter()
                .map(|(name, value)| format!("environment: {name}={value}")),
        );
        if *forbidden != FORBIDDEN {
            terms.push(format!("forbidden in front of a value: {forbidden:?}"));
        }
        terms.extend(reads.iter().map(|path| format!("reads {}", path.display())));
        terms.extend(runs.iter().map(|path| format!("runs {}", path.display())));
        terms.extend(folders.iter().map(|(name, writes)| {
            let how = if *writes { "read-write" } else { "read-only" };
            format!("works in `{name}`, {how}")
        }));
        terms.extend(
            networks.iter().map(|name| {
                format!("may be lent tunnels to `{name}`, and says there what it likes")
            }),
        );
        terms.extend(interpreter.map(|why| format!("dangerous: an interpreter, because {why}")));
        terms
    }

    fn bind(&self, asked: Option<&Asked<'_>>, _: &Path) -> Result<Binding> {
        let value = match (self.path, asked) {
            (Some(path), None) => path.into(),
            (None, Some(asked)) => asked.written.to_owned(),
            (Some(path), Some(asked)) if asked.written == path => path.into(),
            (Some(path), Some(asked)) => {
                return Err(Error::new(format!(
                    "`{}` is fixed in code at `{path}`, and `{}` is another program",
                    self.name,
                    asked.written.display()
                ))
                .help("leave the grant out"));
            }
            (None, None) => return Err(Error::new(format!("`{}` is not granted", self.name))),
        };
        if !Path::new(&value).is_absolute() {
            return Err(Error::new(format!(
                "`{}` is no absolute path",
                Path::new(&value).display()
            ))
            .help("a program is never looked for in `PATH`; write where it is"));
        }
        Ok(Binding {
            value,
            ceiling: None,
        })
    }

    fn open(
        &self,
        binding: &Binding,
        _: Rights,
        opening: &mut Opening,
    ) -> Result<Arc<dyn Any + Send + Sync>> {
        let open = open(self.name, &self.terms, Path::new(&binding.value), opening)?;
        opening.helpers.push(HelperSpec {
            role: Role::Spawn,
            name: self.name.to_owned(),
            policy: serde_json::to_value(&*open.policy).map_err(|e| Error::new(e.to_string()))?,
            line: open.line.clone(),
        });
        Ok(Arc::new(open))
    }
}

/// A program that was checked and opened, and the way to what starts it.
pub(super) struct OpenExec {
    /// Of the capability.
    #[cfg_attr(
        not(feature = "net"),
        allow(dead_code, reason = "for what the network is lent to")
    )]
    pub(super) name: &'static str,
    terms: Terms,
    pub(super) policy: Arc<Policy>,
    pub(super) line: Line,
    #[cfg(target_os = "linux")]
    pub(super) pinned: Arc<Pinned>,
    #[cfg(target_os = "linux")]
    pub(super) inside: super::run::Inside,
    #[cfg(all(feature = "net", target_os = "linux"))]
    pub(super) proxy: super::proxy::Proxy,
    /// Where a program works that was given no folder.
    #[cfg(target_os = "linux")]
    pub(super) nowhere: std::os::fd::OwnedFd,
}

fn open(name: &'static str, terms: &Terms, path: &Path, opening: &mut Opening) -> Result<OpenExec> {
    if cfg!(not(target_os = "linux")) {
        return Err(Error::new(format!(
            "`{name}` is a program, and programs are started on Linux only"
        ))
        .help("leave the grant and its tools out on this system"));
    }
    let of = |error: Error| error.before(&format!("the grant `{name}`: "));
    if terms.interpreter.is_some_and(|why| why.trim().is_empty()) {
        return Err(of(Error::new(
            "`dangerous::interpreter` needs a reason, which the manifest shows",
        )));
    }
    let words = terms.leading.iter().copied();
    let env = terms.env.iter().flat_map(|(name, value)| [*name, *value]);
    if words.chain(env).any(|word| word.contains('\0'))
        || terms
            .env
            .iter()
            .any(|(name, _)| name.is_empty() || name.contains('='))
    {
        return Err(of(Error::new(
            "a fixed word or variable is none: a zero byte, or a name with `=`",
        )));
    }
    let pinned = Pinned::open(path, terms.interpreter.is_some()).map_err(of)?;
    let utf8 = |path: &Path| {
        path.to_str().map(str::to_owned).ok_or_else(|| {
            of(Error::new(format!("`{}` is not UTF-8", path.display()))
                .help("name it by another path"))
        })
    };
    utf8(&pinned.path)?;
    for path in terms.reads.iter().chain(&terms.runs) {
        utf8(path)?;
        if !path.is_absolute() || !path.exists() {
            return Err(of(Error::new(format!(
                "`{}` is no absolute path of something that exists",
                path.display()
            ))
            .help("name what the program reads or runs by its whole path")));
        }
    }
    let folders = terms
        .folders
        .iter()
        .map(|(folder, writes)| {
            let need = opening
                .needs
                .files
                .iter()
                .find(|need| need.because == *folder);
            let need = need.ok_or_else(|| {
                of(
                    Error::new(format!("it works in `{folder}`, which is not granted yet")).help(
                        format!("write `.grant(…)` for `{folder}` above the one for `{name}`"),
                    ),
                )
            })?;
            utf8(&need.path)?;
            Ok((need.path.clone(), *writes))
        })
        .collect::<Result<Vec<_>>>()?;
    lendable(name, terms, opening).map_err(of)?;
    tracing::info!(
        grant = name,
        program = %pinned.path.display(),
        sha256 = pinned.sha256,
        "program checked and pinned"
    );
    let policy = Policy {
        program: pinned.path.clone(),
        arg0: utf8(path)?,
        sha256: pinned.sha256.clone(),
        leading: terms
            .leading
            .iter()
            .map(|word| (*word).to_owned())
            .collect(),
        env: terms
            .env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        limits: terms.limits,
        interpreter: terms.interpreter.is_some(),
        reads: terms.reads.clone(),
        runs: terms.runs.clone(),
        folders,
        network: !terms.networks.is_empty(),
    };
    Ok(OpenExec {
        name,
        terms: terms.clone(),
        policy: Arc::new(policy),
        line: Line::default(),
        #[cfg(target_os = "linux")]
        pinned: Arc::new(pinned),
        #[cfg(target_os = "linux")]
        inside: super::run::Inside::default(),
        #[cfg(all(feature = "net", target_os = "linux"))]
        proxy: super::proxy::Proxy::default(),
        #[cfg(target_os = "linux")]
        nowhere: nowhere().map_err(|e| {
            of(Error::new(format!(
                "no empty folder can be made for it: {}",
                e.kind()
            )))
        })?,
    })
}

/// Whether it may be lent what its grant names, and finds it where the proxy is.
fn lendable(name: &str, terms: &Terms, opening: &mut Opening) -> Result<()> {
    if terms.networks.is_empty() {
        return Ok(());
    }
    if let Some((taken, _)) = terms
        .env
        .iter()
        .find(|(variable, _)| DOOR_VARIABLES.contains(variable))
    {
        return Err(Error::new(format!("the variable `{taken}` is the proxy's"))
            .help("leave it out: it is set for a run that is lent something"));
    }
    #[cfg(feature = "net")]
    for endpoint in &terms.networks {
        crate::capability::net::Lendable::check(opening, endpoint, name)?;
    }
    #[cfg(not(feature = "net"))]
    let _ = (name, opening);
    Ok(())
}

/// A folder without a name: nothing is in it, nothing can be made in it, and no path leads there.
#[cfg(target_os = "linux")]
fn nowhere() -> std::io::Result<std::os::fd::OwnedFd> {
    let folder = tempfile::tempdir()?;
    let opened = std::fs::File::open(folder.path())?;
    folder.close()?;
    Ok(opened.into())
}

impl OpenExec {
    /// The name of the program file, for records.
    pub(super) fn program_name(&self) -> &str {
        let name = Path::new(&self.policy.arg0).file_name();
        name.and_then(|name| name.to_str()).unwrap_or_default()
    }

    pub(super) fn limits(&self) -> &ExecLimits {
        &self.terms.limits
    }

    pub(super) fn separator(&self) -> Separator {
        self.terms.separator
    }

    /// Whether a value is only a value: not a file that the program would open.
    pub(super) fn check_value(&self, value: &str) -> super::Result<()> {
        let begins = |text: &str| {
            self.terms.forbidden.iter().any(|prefix| {
                text.get(..prefix.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
            })
        };
        // `Key=@file`, `Key@=file://…`: the short forms of the AWS command line.
        if begins(value)
            || value
                .match_indices('=')
                .any(|(at, _)| value.get(at + 1..).is_some_and(begins))
        {
            return Err(ExecError::Argument {
                reason: "the program would open it as a file",
            });
        }
        Ok(())
    }

    /// Whether the program may be lent this endpoint.
    #[cfg(feature = "net")]
    pub(super) fn check_network(&self, name: &str) -> super::Result<()> {
        match self.terms.networks.contains(&name) {
            true => Ok(()),
            false => Err(ExecError::Network {
                reason: "the grant of the program does not name this endpoint",
            }),
        }
    }

    /// Whether the program may work in this folder, lent in this way.
    pub(super) fn check_folder(&self, name: &str, writes: bool) -> super::Result<()> {
        let refuse = |reason| Err(ExecError::Folder { reason });
        match self
            .terms
            .folders
            .iter()
            .find(|(folder, _)| *folder == name)
        {
            None => refuse("the grant of the program does not name this folder"),
            Some((_, true)) if !writes => {
                refuse("the program may write there, and the folder is lent for reading")
            }
            Some(_) => Ok(()),
        }
    }
}

const FORBIDDEN: &[&str] = &["@", "file:", "fileb:"];
