//! `mcp-secure verify`: what the crates of a server can reach beyond what they are handed.

mod authority;
mod build;
mod lock;
mod names;
mod object_file;
mod report;
mod source;

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;

use self::{lock::Lock, report::Report};

/// The long help.
pub(crate) const ABOUT: &str = "\
Look for ambient authority: files, sockets, names, programs, the environment, standard input and
output, functions of C, hand-written instructions, and code that runs while the server is built.

The package is built without optimization in target/mcp-secure-verify, and the symbols that its
crates mention are compared with capabilities.lock beside its manifest. Building runs the build
scripts and macros of the dependencies.

Exit codes: 0 if the lock has everything, 1 if not, 2 for an error.";

/// The arguments of `verify`.
#[derive(Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    what: build::What,
    /// The reviewed authorities; capabilities.lock beside the manifest of the package if not given
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,
    /// Write what is found into the lock, and keep the reasons that are in it
    #[arg(long)]
    update: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Verify {
    /// Verifies, and tells errors itself: they end with 2, not with 1 like other verbs.
    pub(crate) fn run(&self) -> ExitCode {
        match self.verify() {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(1),
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::from(2)
            }
        }
    }

    /// Whether the lock has everything.
    fn verify(&self) -> Result<bool, String> {
        let built = build::build(&self.what)?;
        let path = match &self.lock {
            Some(path) => path.clone(),
            None => built.folder.join("capabilities.lock"),
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // Before what may be slow: a lock that is not understood is not overwritten.
        let mut lock = Lock::read(&path)?;
        let mut report = Report::of(&built)?;
        if self.update {
            lock = lock.updated(report.found());
            std::fs::write(&path, lock.to_text())
                .map_err(|error| format!("`{}` cannot be written: {error}", path.display()))?;
        }
        report.compare(&lock, &name);
        let print = if self.json { json } else { page };
        match print(&report, &lock, &name) {
            // Whoever reads has seen enough.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                return Err(format!("the output cannot be written: {error}"));
            }
            _ => {}
        }
        Ok(report.faults.is_empty())
    }
}

fn json(report: &Report, _: &Lock, _: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, report)?;
    writeln!(out)
}

fn page(report: &Report, lock: &Lock, name: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for found in &report.crates {
        if found.can.is_empty() && !found.own {
            continue;
        }
        let can: Vec<String> = found.can.keys().map(ToString::to_string).collect();
        let own = if found.own { "own" } else { "" };
        let can = match can.as_slice() {
            [] => "nothing".to_owned(),
            can => can.join(" "),
        };
        writeln!(out, "{own:<4}{:<32} {can}", found.key.to_string())?;
    }
    for fault in &report.faults {
        writeln!(out, "error: {}\n  help: {}", fault.message, fault.help)?;
    }
    for (key, row) in lock.rows() {
        let found = report.crates.iter().find(|found| found.key == *key);
        let gone: Vec<String> = row
            .can
            .iter()
            .filter(|authority| !found.is_some_and(|found| found.can.contains_key(authority)))
            .map(ToString::to_string)
            .collect();
        if !gone.is_empty() {
            writeln!(
                out,
                "note: {name} gives {key} {}, and it is not used",
                gone.join(" ")
            )?;
        }
    }
    for found in report.crates.iter().filter(|found| !found.can.is_empty()) {
        if !lock.has(&found.key) && lock.row(&found.key).is_some() {
            writeln!(
                out,
                "note: {name} has {} in another version",
                found.key.name
            )?;
        }
    }
    let with = report.crates.iter().filter(|c| !c.can.is_empty()).count();
    writeln!(
        out,
        "{}: {} crates, {with} with authority, {} errors",
        report.package,
        report.crates.len(),
        report.faults.len()
    )
}
