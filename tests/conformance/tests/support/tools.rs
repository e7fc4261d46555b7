//! Node, Python and their packages, where `cargo xtask test` put them.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    thread::sleep,
    time::{Duration, Instant},
};

/// A Node that runs the suite.
pub(crate) fn node() -> PathBuf {
    tool("MCP_SECURE_NODE")
}

/// The folder of the npm packages.
pub(crate) fn node_modules() -> PathBuf {
    tool("MCP_SECURE_NODE_MODULES")
}

/// A Python that has the client's packages.
pub(crate) fn python() -> PathBuf {
    tool("MCP_SECURE_PYTHON")
}

/// Where the scripts of the clients are.
pub(crate) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../clients")
}

/// Runs to the end, or not longer than this.
pub(crate) fn output_of(command: &mut Command, limit: Duration) -> Output {
    let (out, err) = (
        tempfile::NamedTempFile::new(),
        tempfile::NamedTempFile::new(),
    );
    let (out, err) = (out.unwrap(), err.unwrap());
    let mut child = command
        .stdout(out.reopen().unwrap())
        .stderr(err.reopen().unwrap())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > limit {
            child.kill().unwrap();
            break child.wait().unwrap();
        }
        sleep(Duration::from_millis(20));
    };
    let read = |file: &Path| std::fs::read(file).unwrap();
    Output {
        status,
        stdout: read(out.path()),
        stderr: read(err.path()),
    }
}

/// The variable, or else the file that holds it for tests that are started by hand. A test
/// that finds nothing fails: one that is skipped proves nothing.
fn tool(name: &str) -> PathBuf {
    let known = std::env::var_os(name)
        .map(PathBuf::from)
        .or_else(|| in_file(name));
    match known {
        Some(path) if path.exists() => path,
        _ => panic!("{name} is not there: `cargo xtask test` (or `install`) brings it"),
    }
}

/// `target/xtask/env`, from where this test was built: `target/debug/deps/…`.
fn in_file(name: &str) -> Option<PathBuf> {
    let exe = std::env::current_exe().ok()?;
    exe.ancestors().find_map(|folder| {
        let file = std::fs::read_to_string(folder.join("xtask/env")).ok()?;
        let mut lines = file.lines();
        lines.find_map(|line| Some(line.strip_prefix(name)?.strip_prefix('=')?.into()))
    })
}
