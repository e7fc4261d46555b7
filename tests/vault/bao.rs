//! A stand-in for HashiCorp Vault and OpenBao: what their documentation says of the KV engine
//! version 2, transit, AppRole and tokens, on loopback. It is as strict as they are about the
//! token, and its errors are worse: they repeat what it was sent.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// What it takes.
pub(crate) const TOKEN: &str = "hvs.CAESIJ-token-of-the-stand-in";
pub(crate) const SECRET_ID: &str = "c0ffee00-secret-id-of-the-stand-in";

#[derive(Clone)]
pub(crate) struct Bao {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    secret: String,
    version: u64,
    /// Instead of any answer.
    status: Option<u16>,
    /// Of what a role is given.
    lease: u64,
    renewable: bool,
    /// Those that are good.
    tokens: Vec<String>,
    asked: Vec<String>,
}

impl Bao {
    pub(crate) fn new(secret: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let bao = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::new(Mutex::new(State {
                secret: secret.to_owned(),
                version: 7,
                status: None,
                lease: 3600,
                renewable: true,
                tokens: vec![TOKEN.to_owned()],
                asked: Vec::new(),
            })),
        };
        let served = bao.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let bao = served.clone();
                std::thread::spawn(move || bao.serve(stream));
            }
        });
        bao
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn holds(&self, secret: &str) {
        let mut state = self.state.lock().unwrap();
        state.secret = secret.to_owned();
        state.version += 1;
    }

    pub(crate) fn answers(&self, status: Option<u16>) {
        self.state.lock().unwrap().status = status;
    }

    pub(crate) fn leases(&self, seconds: u64, renewable: bool) {
        let mut state = self.state.lock().unwrap();
        (state.lease, state.renewable) = (seconds, renewable);
    }

    pub(crate) fn revokes(&self) {
        self.state.lock().unwrap().tokens.clear();
    }

    pub(crate) fn takes(&self, token: &str) {
        self.state.lock().unwrap().tokens.push(token.to_owned());
    }

    /// Method and path of each request so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.state.lock().unwrap().asked.clone()
    }

    pub(crate) fn count(&self, of: &str) -> usize {
        self.asked().iter().filter(|one| one.contains(of)).count()
    }

    fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut writer = stream.try_clone().ok()?;
        let mut lines = BufReader::new(stream);
        loop {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if lines.read_line(&mut head).ok()? == 0 {
                    return None;
                }
            }
            let value = |name: &str| {
                head.lines().find_map(|line| {
                    let (n, value) = line.split_once(": ")?;
                    n.eq_ignore_ascii_case(name).then(|| value.to_owned())
                })
            };
            let len = value("content-length").and_then(|len| len.parse().ok());
            let mut body = vec![0; len.unwrap_or(0)];
            lines.read_exact(&mut body).ok()?;
            let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
            let asked: Vec<&str> = head.split(' ').take(2).collect();
            let (status, answer) = self.answer(&asked.join(" "), value("x-vault-token"), &body);
            let answer = answer.to_string();
            let head = match status {
                307 => "HTTP/1.1 307 Away\r\nlocation: http://192.0.2.1/\r\n".to_owned(),
                _ => format!("HTTP/1.1 {status} Said\r\n"),
            };
            let answer = format!(
                "{head}content-type: application/json\r\ncontent-length: {}\r\n\r\n{answer}",
                answer.len()
            );
            writer.write_all(answer.as_bytes()).ok()?;
        }
    }

    fn answer(&self, asked: &str, token: Option<String>, body: &Value) -> (u16, Value) {
        let mut state = self.state.lock().unwrap();
        state.asked.push(asked.to_owned());
        // Words of a server that talks too much.
        let errors = json!({"errors": [
            format!("no: {token:?} {body} {}", state.secret)
        ]});
        if let Some(status) = state.status {
            return (status, errors);
        }
        if asked == "POST /v1/auth/approle/login" {
            if body["role_id"] != "stars" || body["secret_id"] != SECRET_ID {
                return (400, errors);
            }
            let token = format!("hvs.role-{}", state.asked.len());
            state.tokens.push(token.clone());
            return (200, state.auth(&token));
        }
        let Some(token) = token.filter(|token| state.tokens.contains(token)) else {
            return (403, errors);
        };
        match asked {
            "POST /v1/auth/token/renew-self" if state.renewable => (200, state.auth(&token)),
            "POST /v1/auth/token/renew-self" => (400, errors),
            "GET /v1/secret/data/stars/github" => (
                200,
                json!({
                    "request_id": "0", "lease_id": "", "renewable": false, "lease_duration": 0,
                    "data": {
                        "data": {"token": state.secret, "other": "field"},
                        "metadata": {"created_time": "2026-01-01T00:00:00Z", "deletion_time": "",
                            "destroyed": false, "version": state.version, "custom_metadata": null},
                    },
                    "wrap_info": null, "warnings": null, "auth": null,
                }),
            ),
            "POST /v1/transit/decrypt/stars" if body["ciphertext"] == "vault:v1:c2VhbGVk" => (
                200,
                json!({"data": {"plaintext": STANDARD.encode(&state.secret)}}),
            ),
            _ => (404, json!({"errors": []})),
        }
    }
}

impl State {
    fn auth(&self, token: &str) -> Value {
        json!({"auth": {
            "client_token": token, "accessor": "a", "policies": ["default"],
            "token_policies": ["default"], "lease_duration": self.lease,
            "renewable": self.renewable,
        }})
    }
}
