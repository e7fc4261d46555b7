//! A server that lends its program an endpoint, and what there is to reach.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    ops::{Deref, DerefMut},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};

use crate::{scene::Scene, wire::Wire};

/// Answers each `ping` with a `pong!`, and remembers what it heard.
#[derive(Clone)]
pub struct Upstream {
    pub port: u16,
    heard: Arc<Mutex<Vec<String>>>,
    /// Connections that are open.
    pub open: Arc<Mutex<usize>>,
}

impl Upstream {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let upstream = Self {
            port: listener.local_addr().unwrap().port(),
            heard: Arc::default(),
            open: Arc::default(),
        };
        let served = upstream.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let served = served.clone();
                thread::spawn(move || served.serve(&stream));
            }
        });
        upstream
    }

    pub fn serve(&self, mut stream: &TcpStream) {
        *self.open.lock().unwrap() += 1;
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let pong = stream.write_all(b"pong\n");
            self.heard.lock().unwrap().push(line);
            if pong.is_err() {
                break;
            }
        }
        *self.open.lock().unwrap() -= 1;
    }

    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

/// How a server is started.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum How {
    Sandboxed,
    Full,
    /// In a container that refuses these.
    Contained(&'static str),
    ContainedFull,
    Bare,
}

pub fn command(scene: &Scene, program: &Path, port: u16, how: How) -> Command {
    let state = scene.path("state");
    fs::create_dir_all(&state).unwrap();
    let server = env!("CARGO_BIN_EXE_lending-server");
    let container = env!("CARGO_BIN_EXE_exec-container");
    let mut command = match how {
        How::Contained(refused) => {
            let mut command = Command::new(container);
            command.args([refused, server]);
            command
        }
        How::ContainedFull => {
            let mut command = Command::new(container);
            command.args(["unshare", server]);
            command
        }
        _ => Command::new(server),
    };
    let grant = |name: &str, path: &Path| format!("{name}={}", path.display());
    command
        .args(["serve", "--stdio"])
        .args(["--grant", &grant("work", &scene.path("work"))])
        .args(["--grant", &grant("lent", program)])
        .args(["--grant", &format!("site=https://localhost:{port}")])
        .args(["--grant", &format!("far=https://localhost:{port}")])
        .args(["--grant", "stray=https://localhost:1"])
        .args(["--audit".as_ref(), state.join("audit.jsonl").as_os_str()])
        .env("HOME", &state)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    match how {
        How::Bare => {
            command.env("WITHOUT_SANDBOX", "1");
        }
        How::Full | How::ContainedFull => {
            command.env("REQUIRE_FULL", "1");
        }
        How::Sandboxed | How::Contained(_) => {}
    }
    command
}

pub struct Server(Wire);

impl Deref for Server {
    type Target = Wire;

    fn deref(&self) -> &Wire {
        &self.0
    }
}

impl DerefMut for Server {
    fn deref_mut(&mut self) -> &mut Wire {
        &mut self.0
    }
}

impl Server {
    pub fn start(scene: &Scene, port: u16, how: How) -> Self {
        Self::start_program(scene, &scene.program, port, how)
    }

    pub fn start_program(scene: &Scene, program: &Path, port: u16, how: How) -> Self {
        let command = command(scene, program, port, how);
        Self(Wire::start(command, scene.path("state/audit.jsonl")))
    }

    pub fn begin(&mut self, tool: &str, request: &str, value: &str) {
        self.0.begin(tool, &arguments(tool, request, value));
    }

    pub fn call(&mut self, tool: &str, request: &str, value: &str) -> String {
        let said = self.0.call(tool, &arguments(tool, request, value));
        said.trim_end().to_owned()
    }

    pub fn reach(&mut self, request: &str, value: &str) -> String {
        self.call("reach", request, value)
    }

    /// The token of a run, which is over then, and the port of the proxy.
    pub fn door(&mut self) -> (String, u16) {
        let said = self.reach("Door", "x");
        let (pieces, address) = said.rsplit_once(' ').unwrap();
        let port = address.strip_prefix("127.0.0.1:").unwrap();
        (pieces.replace(' ', ""), port.parse().unwrap())
    }

    /// The last run's steps, without that of the program itself.
    pub fn steps(&self) -> Vec<Value> {
        let records = self.records();
        let mut records = records.iter().rev();
        let last = records.find(|record| record["steps"].is_array()).unwrap();
        last["steps"].as_array().unwrap()[1..].to_vec()
    }

    /// The row of the program's helper about its network.
    pub fn network(&self) -> Value {
        let records = self.records();
        let record = records.iter().find(|record| record["event"] == "sandbox");
        let helpers = find(record.unwrap_or_else(|| panic!("{records:?}")), "helpers");
        let helper = helpers.as_array().unwrap();
        let helper = helper
            .iter()
            .find(|helper| helper["role"] == "spawn")
            .unwrap();
        let rows = helper["rows"].as_array().unwrap();
        rows.iter()
            .find(|row| row["name"] == "network")
            .unwrap()
            .clone()
    }
}

fn arguments(tool: &str, request: &str, value: &str) -> Value {
    match tool {
        "stray" => json!({}),
        "reach_twice" => json!({ "value": value }),
        _ => json!({ "request": request, "value": value }),
    }
}

/// A field, wherever it stands.
pub fn find(value: &Value, name: &str) -> Value {
    match value {
        Value::Object(fields) => fields.get(name).cloned().unwrap_or_else(|| {
            let found = fields.values().map(|value| find(value, name));
            found.into_iter().find(|v| !v.is_null()).unwrap_or_default()
        }),
        _ => Value::Null,
    }
}

/// `http://mcp:TOKEN@127.0.0.1:PORT`
pub fn token_and_port(url: &str) -> (String, u16) {
    let rest = url.strip_prefix("http://mcp:").unwrap();
    let (token, address) = rest.split_once('@').unwrap();
    let port = address.strip_prefix("127.0.0.1:").unwrap();
    assert!(token.len() == 32, "{url}");
    (token.to_owned(), port.parse().unwrap())
}

/// What a process of the machine is told that found the port.
pub fn from_outside(port: u16, to: &str, token: Option<&str>) -> Option<(String, TcpStream)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let shown = token.map(|token| {
        let text = STANDARD.encode(format!("mcp:{token}"));
        format!("Proxy-Authorization: Basic {text}\r\n")
    });
    write!(
        stream,
        "CONNECT {to} HTTP/1.1\r\n{}\r\n",
        shown.unwrap_or_default()
    )
    .ok()?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).ok()?;
    let status = String::from_utf8_lossy(&status);
    Some((status.split(' ').nth(1)?.to_owned(), stream))
}

/// What a server says that does not start.
pub fn refused(scene: &Scene, how: How) -> String {
    let output = command(scene, &scene.program, 1, how)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A site with a certificate, for programs that speak TLS themselves. `ca.pem` is left in a folder.
pub fn site(folder: &Path, answer: &'static str) -> u16 {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // Of the same name as its certificates it would be theirs.
    params
        .distinguished_name
        .push(DnType::CommonName, "an authority of the tests");
    let key = KeyPair::generate().unwrap();
    fs::write(
        folder.join("ca.pem"),
        params.self_signed(&key).unwrap().pem(),
    )
    .unwrap();
    let issuer = Issuer::new(params, key);
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let tls = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(tls, stream);
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read_exact(&mut byte).is_err() {
                    break;
                }
                head.push(byte[0]);
            }
            let length = answer.len();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\
                 Connection: close\r\n\r\n{answer}"
            );
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    port
}

/// The first of these that is there.
pub fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}
