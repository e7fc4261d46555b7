//! A PostgreSQL server of the test's own: in a folder of its own, on a socket in it and on a
//! free port of the loopback interface, from the system's package `postgresql`.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A running server; it is gone with the value.
pub(crate) struct Cluster {
    child: Child,
    bin: PathBuf,
    folder: tempfile::TempDir,
    pub(crate) port: u16,
}

impl Cluster {
    /// Starts one. `None`, with a word on standard error, where the package is missing; on CI
    /// that is a failure.
    pub(crate) fn start() -> Option<Self> {
        let Some(bin) = bin() else {
            let missing = "PostgreSQL is missing: install the package `postgresql`, or run \
                           `cargo xtask test`, which does";
            assert!(std::env::var_os("CI").is_none(), "{missing}");
            eprintln!("SKIPPED: {missing}");
            return None;
        };
        let folder = tempfile::Builder::new().prefix("pg-").tempdir().unwrap();
        // The server is another user where this one is root.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let own = folder.path().join("own");
        fs::create_dir(&own).unwrap();
        if is_root() {
            done(Command::new("chown").arg("postgres").arg(&own));
        }
        done(
            program(&bin, "initdb")
                .args([
                    "-U",
                    "postgres",
                    "--no-sync",
                    "--no-instructions",
                    "-E",
                    "UTF8",
                ])
                .args(["--locale", "C.UTF-8", "--auth-local", "trust"])
                .args(["--auth-host", "scram-sha-256", "-D"])
                .arg(own.join("data")),
        );
        certificates(folder.path(), &own);
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let child = program(&bin, "postgres")
            .arg("-D")
            .arg(own.join("data"))
            .args(["-p", &port.to_string(), "-k"])
            .arg(&own)
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"])
            .args(["-c", "shared_buffers=16MB", "-c", "max_connections=30"])
            .args(["-c", "ssl=on", "-c"])
            .arg(format!("ssl_cert_file={}", own.join("cert.pem").display()))
            .arg("-c")
            .arg(format!("ssl_key_file={}", own.join("key.pem").display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut cluster = Self {
            child,
            bin,
            folder,
            port,
        };
        let begun = Instant::now();
        while !cluster.answers("SELECT 1") {
            assert!(
                begun.elapsed() < Duration::from_secs(60)
                    && cluster.child.try_wait().unwrap().is_none(),
                "PostgreSQL does not start: {}",
                cluster.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        cluster.run(SCHEMA);
        Some(cluster)
    }

    /// Runs statements as the superuser.
    pub(crate) fn run(&self, sql: &str) -> String {
        let output = self.psql(sql).output().unwrap();
        assert!(
            output.status.success(),
            "{sql}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// What `--grant books=` takes: over the socket.
    pub(crate) fn socket(&self, role: &str) -> String {
        format!(
            "postgres://{role}@:{}/postgres?host={}",
            self.port,
            self.own().display()
        )
    }

    /// The same over TCP.
    pub(crate) fn tcp(&self, role: &str, options: &str) -> String {
        format!(
            "postgres://{role}@127.0.0.1:{}/postgres?{options}",
            self.port
        )
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    fn own(&self) -> PathBuf {
        self.path("own")
    }

    fn answers(&self, sql: &str) -> bool {
        self.psql(sql)
            .output()
            .is_ok_and(|output| output.status.success())
    }

    fn psql(&self, sql: &str) -> Command {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args(["-U", "postgres", "-d", "postgres", "-X", "-q", "-A", "-t"])
            .args(["-v", "ON_ERROR_STOP=1", "-p", &self.port.to_string(), "-h"])
            .arg(self.own())
            .args(["-c", sql])
            .env_remove("PGOPTIONS");
        psql
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // At once: nothing of it is kept. `runuser` passes no signal on, so the server is named
        // by its own file.
        let pid = fs::read_to_string(self.own().join("data/postmaster.pid")).unwrap_or_default();
        if let Some(pid) = pid.lines().next() {
            let _ = Command::new("kill").args(["-QUIT", pid]).status();
        }
        let _ = self.child.wait();
    }
}

/// Where the newest version is.
fn bin() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    versions
        .flatten()
        .map(|version| version.path().join("bin"))
        .filter(|bin| bin.join("initdb").exists())
        .max()
}

/// A program of PostgreSQL, which refuses to run as root.
fn program(bin: &Path, name: &str) -> Command {
    let path = bin.join(name);
    let mut command = if is_root() {
        let mut runuser = Command::new("runuser");
        runuser.args(["-u", "postgres", "--"]).arg(path);
        runuser
    } else {
        Command::new(path)
    };
    command.current_dir("/").env("LC_ALL", "C.UTF-8");
    command
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout == b"0\n"
}

fn done(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A certificate for 127.0.0.1 from an authority of our own, and another authority.
fn certificates(folder: &Path, own: &Path) {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    let authority = || {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let ours = authority();
    let key = KeyPair::generate().unwrap();
    let cert = CertificateParams::new(vec!["127.0.0.1".to_owned()])
        .unwrap()
        .signed_by(&key, &ours)
        .unwrap();
    fs::write(folder.join("ca.pem"), ours.pem()).unwrap();
    fs::write(folder.join("other-ca.pem"), authority().pem()).unwrap();
    fs::write(own.join("cert.pem"), cert.pem()).unwrap();
    fs::write(own.join("key.pem"), key.serialize_pem()).unwrap();
    fs::set_permissions(own.join("key.pem"), fs::Permissions::from_mode(0o600)).unwrap();
    if is_root() {
        done(
            Command::new("chown")
                .arg("postgres")
                .arg(own.join("cert.pem"))
                .arg(own.join("key.pem")),
        );
    }
}

/// What every test starts from: entries, a role that reads, a role that writes, and functions
/// with which a statement tries to get out of its transaction.
const SCHEMA: &str = "
CREATE ROLE reader LOGIN PASSWORD 'correct horse';
CREATE ROLE writer LOGIN PASSWORD 'correct horse';
CREATE TYPE mood AS ENUM ('calm', 'cross');
CREATE TABLE entries (id bigint GENERATED ALWAYS AS IDENTITY, name text NOT NULL UNIQUE,
                      text text, cents bigint NOT NULL DEFAULT 0 CHECK (cents >= 0));
INSERT INTO entries (name, text, cents) VALUES ('boat', 'Paint the boat.', 100),
                                               ('pond', 'Dig a pond.', 50);
CREATE TABLE secrets (word text);
INSERT INTO secrets VALUES ('swordfish');
GRANT SELECT ON entries TO reader;
GRANT SELECT, INSERT, UPDATE, DELETE ON entries TO writer;
CREATE FUNCTION sneak() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
    PERFORM set_config('transaction_read_only', 'off', true);
    INSERT INTO entries (name) VALUES ('sneaked') RETURNING id INTO n;
    RETURN n;
END $$;
CREATE FUNCTION leave_open() RETURNS text LANGUAGE sql AS $$
    SELECT set_config('default_transaction_read_only', 'off', false)
        || set_config('statement_timeout', '0', false) || set_config('search_path', 'evil', false)
$$;
CREATE FUNCTION slow() RETURNS void LANGUAGE sql AS 'SELECT pg_sleep(600)';
";
