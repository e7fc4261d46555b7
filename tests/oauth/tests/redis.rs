//! A Redis of the test's own: on a free port of the loopback interface and on a socket in a
//! folder of its own, with a password, and with nothing on disk. From the system's package
//! `redis-server`.

use std::{
    fs,
    io::{BufRead, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{wire::Authority, world::private_file};

pub(crate) const PASSWORD: &str = "correct horse";

/// A running server; it is gone with the value.
pub(crate) struct Redis {
    child: Child,
    folder: tempfile::TempDir,
    pub(crate) address: SocketAddr,
    tls_port: u16,
}

impl Redis {
    /// With more lines of configuration. `None`, with a word on standard error, where the
    /// package is missing; on CI that is a failure.
    pub(crate) fn start(more: &str) -> Option<Self> {
        if Command::new("redis-server")
            .arg("--version")
            .output()
            .is_err()
        {
            let missing = "Redis is missing: install the package `redis-server`, or run \
                           `cargo xtask test`, which does";
            assert!(std::env::var_os("CI").is_none(), "{missing}");
            eprintln!("SKIPPED: {missing}");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("redis-").tempdir().unwrap();
        let (port, tls_port) = (free_port(), free_port());
        let authority = Authority::get();
        authority.server_files(folder.path());
        private_file(folder.path(), "ca.pem", &authority.pem());
        private_file(folder.path(), "other-ca.pem", &Authority::new().pem());
        let at = |name: &str| folder.path().join(name).display().to_string();
        let configuration = format!(
            "bind 127.0.0.1\nport {port}\nrequirepass \"{PASSWORD}\"\nsave \"\"\n\
             appendonly no\nenable-debug-command local\ndir {}\nunixsocket {}\n\
             tls-port {tls_port}\ntls-cert-file {}\ntls-key-file {}\ntls-auth-clients no\n\
             {more}\n",
            at(""),
            at("redis.sock"),
            at("chain.pem"),
            at("key.pem")
        );
        fs::write(folder.path().join("redis.conf"), configuration).unwrap();
        let mut redis = Self {
            child: run(&folder),
            folder,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            tls_port,
        };
        redis.until_it_answers();
        Some(redis)
    }

    /// What a replica of ours is told of it.
    pub(crate) fn asked(&self, more: Value) -> Value {
        let mut asked = json!({
            "address": format!("redis://{}", self.address),
            "password": PASSWORD,
        });
        for (name, value) in more.as_object().unwrap() {
            asked[name] = value.clone();
        }
        json!({ "redis": asked })
    }

    pub(crate) fn over_tls(&self) -> String {
        format!("rediss://127.0.0.1:{}", self.tls_port)
    }

    pub(crate) fn over_the_socket(&self) -> String {
        format!("unix:{}", self.path("redis.sock").display())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The answer to one command, line by line as it came.
    pub(crate) fn run(&self, command: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let sent = format!("AUTH \"{PASSWORD}\"\r\n{command}\r\nQUIT\r\n");
        stream.write_all(sent.as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let mut first = String::new();
        reader.read_line(&mut first).unwrap();
        assert_eq!(first, "+OK\r\n");
        let mut answer = String::new();
        reader.read_to_string(&mut answer).unwrap();
        answer.trim_end_matches("+OK\r\n").to_owned()
    }

    /// The keys that it holds.
    pub(crate) fn keys(&self) -> Vec<String> {
        let answer = self.run("KEYS *");
        let lines = answer.lines().filter(|line| !line.starts_with(['*', '$']));
        lines.map(str::to_owned).collect()
    }

    /// How often something was to be remembered.
    pub(crate) fn sets(&self) -> u64 {
        let answer = self.run("INFO commandstats");
        let line = answer
            .lines()
            .find_map(|l| l.strip_prefix("cmdstat_set:calls="));
        line.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
    }

    /// How often a command was asked for.
    pub(crate) fn calls(&self, command: &str) -> u64 {
        let answer = self.run("INFO commandstats");
        let prefix = format!("cmdstat_{command}:calls=");
        let line = answer.lines().find_map(|l| l.strip_prefix(&prefix));
        line.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
    }

    /// How often it was connected to.
    pub(crate) fn connections(&self) -> u64 {
        let answer = self.run("INFO stats");
        let prefix = "total_connections_received:";
        let line = answer.lines().find_map(|line| line.strip_prefix(prefix));
        line.unwrap().parse().unwrap()
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The same again, at the same place; it remembers nothing.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.child = run(&self.folder);
        self.until_it_answers();
    }

    /// It hangs: connected, and silent.
    pub(crate) fn hang(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(status.unwrap().success());
    }

    fn until_it_answers(&mut self) {
        let begun = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            assert!(
                begun.elapsed() < Duration::from_secs(30)
                    && self.child.try_wait().unwrap().is_none(),
                "Redis does not start: {}",
                fs::read_to_string(self.path("log")).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn run(folder: &tempfile::TempDir) -> Child {
    let log = fs::File::create(folder.path().join("log")).unwrap();
    Command::new("redis-server")
        .arg(folder.path().join("redis.conf"))
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
