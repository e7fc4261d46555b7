//! A server of ours as a child process, on a port of its own.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// A running HTTP server. It ends with this value.
pub(crate) struct Server {
    child: Child,
    home: TempDir,
    address: SocketAddr,
}

impl Server {
    /// The server that has what the suite asks for, and answers to the proxy's address, too.
    pub(crate) fn fixture(proxy: Option<SocketAddr>) -> Self {
        let home = TempDir::new().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_conformance-fixture"));
        command.env("CONFORMANCE_TOKEN", home.path().join("token"));
        if let Some(proxy) = proxy {
            command.env("CONFORMANCE_PROXY", proxy.to_string());
        }
        command.args(["serve", "--http"]);
        Self::start(command, home)
    }

    /// The example `notes` over a folder.
    pub(crate) fn notes(folder: &Path) -> Self {
        let home = TempDir::new().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_conformance-notes"));
        command.args(["serve", "--http", "127.0.0.1:0", "--token-file"]);
        command.arg(home.path().join("token")).arg("--grant");
        command.arg(format!("notes={}", folder.display()));
        Self::start(command, home)
    }

    fn start(mut command: Command, home: TempDir) -> Self {
        let log = home.path().join("stderr");
        let mut child = command
            .arg("--audit")
            .arg(home.path().join("audit.jsonl"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        let address = loop {
            let said = fs::read_to_string(&log).unwrap();
            if let Some(address) = first_address(&said) {
                break address;
            }
            let ended = child.try_wait().unwrap();
            assert!(
                ended.is_none() && begun.elapsed() < START,
                "no server, but: {said}"
            );
            sleep(Duration::from_millis(20));
        };
        Self {
            child,
            home,
            address,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    pub(crate) fn token(&self) -> String {
        fs::read_to_string(self.home.path().join("token"))
            .unwrap()
            .trim()
            .to_owned()
    }

    pub(crate) fn audit_log(&self) -> PathBuf {
        self.home.path().join("audit.jsonl")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn first_address(text: &str) -> Option<SocketAddr> {
    let start = text.find("127.0.0.1:")?;
    let rest = &text[start..];
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':')?;
    rest[..end].trim_end_matches(['.', ':']).parse().ok()
}

const START: Duration = Duration::from_secs(20);
