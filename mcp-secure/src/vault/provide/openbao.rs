//! HashiCorp Vault and OpenBao over their HTTP API, by way of this library's own egress: one
//! declared address, held against the address rules, under TLS. What such a server answers is
//! believed in its documented form and repeated to nobody.
//!
//! <https://openbao.org/api-docs/secret/kv/kv-v2/>, `…/secret/transit/`, `…/auth/approle/`,
//! `…/auth/token/`.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use secrecy::SecretString;
use serde_json::{Value, json};
use zeroize::{Zeroize as _, Zeroizing};

use super::{Provided, SecretProvider, Wanted};
use crate::{
    Error, Result,
    capability::{
        FileAccess, FileNeed,
        net::fetch::{Client, FetchSettings, Fetched},
    },
    secret_file::secret_file,
    state::Starting,
};

/// A secret in HashiCorp Vault or OpenBao: one field of an entry of the KV engine, version 2, or
/// a text that its transit engine opens.
///
/// ```
/// use mcp_secure::vault::OpenBao;
/// OpenBao::kv("https://bao.example.com", "secret", "stars/github", "token")
///     .app_role("stars", "/run/secrets/stars-secret-id");
/// ```
///
/// The address is the only one that is asked, under the address rules of all egress and under
/// TLS; a redirect of a standby is not followed. A server that is sealed, denies, or is not there
/// gives no credential, and what it gave is not spent past its time.
#[must_use = "it does nothing until a vault has it"]
pub struct OpenBao {
    address: String,
    what: What,
    auth: Auth,
    namespace: Option<String>,
    every: Duration,
    allow_private: bool,
    ca_files: Vec<PathBuf>,
    nameservers: Vec<SocketAddr>,
    open: Mutex<Option<Arc<Open>>>,
}

#[derive(Clone)]
enum What {
    Kv {
        mount: String,
        path: String,
        field: String,
    },
    Transit {
        mount: String,
        key: String,
        file: PathBuf,
    },
}

#[derive(Clone)]
enum Auth {
    None,
    File(PathBuf),
    AppRole { role: String, file: PathBuf },
}

impl OpenBao {
    /// A field of an entry of the KV engine, version 2, that is mounted here: the `token` in
    /// `bao kv get secret/stars/github`.
    pub fn kv(
        address: impl Into<String>,
        mount: impl Into<String>,
        path: impl Into<String>,
        field: impl Into<String>,
    ) -> Self {
        Self::of(
            address.into(),
            What::Kv {
                mount: mount.into(),
                path: path.into(),
                field: field.into(),
            },
        )
    }

    /// A file with what `bao write transit/encrypt/KEY` printed (`vault:v1:…`). It is opened by
    /// the transit engine that is mounted here, under a key that never leaves it.
    pub fn transit(
        address: impl Into<String>,
        mount: impl Into<String>,
        key: impl Into<String>,
        file: impl Into<PathBuf>,
    ) -> Self {
        Self::of(
            address.into(),
            What::Transit {
                mount: mount.into(),
                key: key.into(),
                file: file.into(),
            },
        )
    }

    fn of(address: String, what: What) -> Self {
        Self {
            address,
            what,
            auth: Auth::None,
            namespace: None,
            every: EVERY,
            allow_private: false,
            ca_files: Vec::new(),
            nameservers: Vec::new(),
            open: Mutex::default(),
        }
    }

    /// The token in a file that another program keeps fresh, such as the agent of the server. It
    /// is read each time, so the server goes on reading in its folder: give it one of its own.
    pub fn token_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.auth = Auth::File(path.into());
        self
    }

    /// Signs in as a role, with the `secret_id` in a file. The token is renewed while that is
    /// allowed, and asked for anew when it is not.
    pub fn app_role(mut self, role_id: impl Into<String>, file: impl Into<PathBuf>) -> Self {
        self.auth = Auth::AppRole {
            role: role_id.into(),
            file: file.into(),
        };
        self
    }

    /// The namespace (`X-Vault-Namespace`).
    pub fn namespace(mut self, name: impl Into<String>) -> Self {
        self.namespace = Some(name.into());
        self
    }

    /// How long an answer is good for, where the server says no shorter time: five minutes unless this
    /// says otherwise. A secret that is revoked there is spent no longer than that.
    pub fn good_for(mut self, time: Duration) -> Self {
        self.every = time;
        self
    }

    /// It is on this machine or in the private network, where it may also be plain HTTP.
    pub fn allow_private(mut self) -> Self {
        self.allow_private = true;
        self
    }

    /// Trusts the certificate authorities in a file too, in PEM form.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_files.push(path.into());
        self
    }

    /// Asks these for the name of the server, and not who the system asks.
    pub fn nameservers(mut self, servers: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.nameservers.extend(servers);
        self
    }

    fn check(&self) -> Result<()> {
        let mut names: Vec<&str> = match &self.what {
            What::Kv { mount, path, field } => {
                if field.is_empty() {
                    return Err(Error::new("no field of the entry is named"));
                }
                vec![mount, path]
            }
            What::Transit { mount, key, .. } => vec![mount, key],
        };
        names.extend(self.namespace.as_deref());
        let fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let is_path = |path: &str| {
            path.split('/').all(|part| {
                !part.is_empty() && part.chars().all(fine) && part.chars().any(|c| c != '.')
            })
        };
        if let Some(bad) = names.into_iter().find(|name| !is_path(name)) {
            return Err(
                Error::new(format!("`{}` is no path of a secret", bad.escape_debug()))
                    .help("write letters, digits, `-`, `_`, `.`, with `/` between"),
            );
        }
        if matches!(self.auth, Auth::None) {
            return Err(Error::new("it is not said how this server signs in there")
                .help("add `.token_file(…)` or `.app_role(…)`"));
        }
        if self.every.is_zero() {
            return Err(Error::new("an answer is good for no time"));
        }
        Ok(())
    }
}

impl SecretProvider for OpenBao {
    fn kind(&self) -> String {
        format!("the secret server {}", self.address)
    }

    fn start(&self, wanted: &Wanted<'_>, starting: &mut Starting<'_>) -> Result<Option<Provided>> {
        self.check()?;
        let opening = starting.opening();
        let settings = FetchSettings {
            of: Some(wanted.name()),
            allow_private: self.allow_private,
            ca_files: self.ca_files.clone(),
            nameservers: self.nameservers.clone(),
            max_response: Some(MAX),
            ..FetchSettings::default()
        };
        let client = Client::open("sdk/openbao", &self.address, settings, opening)
            .map_err(|error| error.before("the secret server: "))?;
        let kept = match &self.auth {
            Auth::File(path) => Some(("the token for the secret server", path)),
            Auth::AppRole { file, .. } => Some(("the secret id for the secret server", file)),
            Auth::None => None,
        };
        if let Some((what, path)) = kept {
            // Now, so that a file that is not there or open to all stops the start.
            secret_file(path)?;
            let path = std::path::absolute(path)
                .map_err(|error| Error::new(format!("{what}: {error}")))?;
            let folder = path.parent().map_or_else(|| path.clone(), Into::into);
            // Its folder: who keeps it fresh puts another file into its place.
            opening.own.push(FileNeed {
                path: folder,
                access: FileAccess::Read,
                because: what.to_owned(),
            });
            opening.secrets.push((what, path));
        }
        let sealed = match &self.what {
            What::Kv { .. } => None,
            What::Transit { file, .. } => Some(ciphertext(file)?),
        };
        let base = client.path().trim_end_matches('/').to_owned();
        let open = Open {
            client,
            base,
            kind: self.kind(),
            what: self.what.clone(),
            auth: self.auth.clone(),
            namespace: self.namespace.clone(),
            every: self.every,
            sealed,
            token: Mutex::default(),
        };
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(open));
        Ok(None)
    }

    fn fetch(&self) -> BoxFuture<'_, Result<Provided>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let open = open.clone();
        Box::pin(async move {
            let open = open.ok_or_else(|| Error::new("the secret server was not opened"))?;
            open.provide().await
        })
    }
}

/// The way to it.
struct Open {
    client: Client,
    base: String,
    kind: String,
    what: What,
    auth: Auth,
    namespace: Option<String>,
    every: Duration,
    sealed: Option<String>,
    token: Mutex<Option<Token>>,
}

/// A token of a role.
#[derive(Clone)]
struct Token {
    text: Zeroizing<String>,
    renewable: bool,
    /// `None`: it does not end.
    renew: Option<Instant>,
    dies: Option<Instant>,
}

impl Open {
    async fn provide(&self) -> Result<Provided> {
        let token = self.token().await?;
        let mut answer = self.read(&token).await?;
        // A token may be revoked before its time. One of a role is asked for once more.
        if answer.status == StatusCode::FORBIDDEN && matches!(self.auth, Auth::AppRole { .. }) {
            wipe_bytes(answer.body);
            self.keep(None);
            let token = self.token().await?;
            answer = self.read(&token).await?;
        }
        let mut value = self.understood(answer)?;
        let provided = self.take(&mut value);
        wipe(&mut value);
        provided
    }

    async fn read(&self, token: &str) -> Result<Fetched> {
        match &self.what {
            What::Kv { mount, path, .. } => {
                self.ask(&format!("/v1/{mount}/data/{path}"), Some(token), None)
                    .await
            }
            What::Transit { mount, key, .. } => {
                let body = json!({ "ciphertext": self.sealed });
                let path = format!("/v1/{mount}/decrypt/{key}");
                self.ask(&path, Some(token), Some(&body)).await
            }
        }
    }

    fn take(&self, value: &mut Value) -> Result<Provided> {
        let missing = |what: &str| Error::new(format!("{} has {what} there", self.kind));
        let mut life = self.every;
        let lease = value.pointer("/lease_duration").and_then(Value::as_u64);
        if let Some(seconds @ 1..) = lease {
            life = life.min(Duration::from_secs(seconds));
        }
        let provided = match &self.what {
            What::Kv { field, .. } => {
                let version = value.pointer("/data/metadata/version");
                let version = version
                    .and_then(Value::as_u64)
                    .and_then(|v| v.try_into().ok());
                let fields = value.pointer("/data/data").and_then(Value::as_object);
                let secret = fields.and_then(|fields| fields.get(field)?.as_str());
                let secret = secret.ok_or_else(|| missing("no such field, or no text in it,"))?;
                let provided = Provided::new(SecretString::from(secret));
                match version {
                    Some(version) => provided.version(version),
                    None => provided,
                }
            }
            What::Transit { .. } => {
                let text = value.pointer("/data/plaintext").and_then(Value::as_str);
                let bytes = text.and_then(|text| STANDARD.decode(text).ok().map(Zeroizing::new));
                let bytes = bytes.ok_or_else(|| missing("no plaintext"))?;
                let text = std::str::from_utf8(&bytes).map_err(|_| missing("no text"))?;
                Provided::new(SecretString::from(text))
            }
        };
        Ok(provided.lasts(life))
    }

    /// The token for the next request.
    async fn token(&self) -> Result<Zeroizing<String>> {
        let (role, file) = match &self.auth {
            Auth::AppRole { role, file } => (role, file),
            Auth::File(file) => return in_file(file).await,
            Auth::None => return Err(Error::new("there is no token")),
        };
        let now = Instant::now();
        let held = self
            .token
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(held) = held.filter(|held| held.dies.is_none_or(|dies| now < dies)) {
            if held.renew.is_none_or(|renew| now < renew) {
                return Ok(held.text);
            }
            if held.renewable
                && let Ok(answer) = self
                    .ask(
                        "/v1/auth/token/renew-self",
                        Some(&held.text),
                        Some(&json!({})),
                    )
                    .await
                && let Ok(token) = self.signed_in(answer)
            {
                return Ok(token);
            }
        }
        // Not renewable any more, or revoked: who has the secret id signs in anew.
        let secret = in_file(file).await?;
        let mut body = json!({ "role_id": role, "secret_id": *secret });
        let answer = self.ask("/v1/auth/approle/login", None, Some(&body)).await;
        wipe(&mut body);
        self.signed_in(answer?)
            .map_err(|error| error.before("signing in: "))
    }

    fn signed_in(&self, answer: Fetched) -> Result<Zeroizing<String>> {
        let from = Instant::now();
        let mut value = self.understood(answer)?;
        let text = value.pointer("/auth/client_token").and_then(Value::as_str);
        let text = text.map(|text| Zeroizing::new(text.to_owned()));
        let seconds = value
            .pointer("/auth/lease_duration")
            .and_then(Value::as_u64);
        let renewable = value.pointer("/auth/renewable").and_then(Value::as_bool);
        wipe(&mut value);
        let text = text.ok_or_else(|| Error::new(format!("{} gives no token", self.kind)))?;
        // Zero: it does not end.
        let life = seconds
            .filter(|seconds| *seconds > 0)
            .map(|seconds| Duration::from_secs(seconds.min(LONGEST)));
        self.keep(Some(Token {
            text: text.clone(),
            renewable: renewable == Some(true),
            renew: life.map(|life| from + life.mul_f64(2.0 / 3.0)),
            dies: life.map(|life| from + life),
        }));
        Ok(text)
    }

    fn keep(&self, token: Option<Token>) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }

    async fn ask(&self, path: &str, token: Option<&str>, body: Option<&Value>) -> Result<Fetched> {
        let mut headers = HeaderMap::new();
        // Against requests that a browser or a redirect was tricked into.
        headers.insert(
            HeaderName::from_static("x-vault-request"),
            HeaderValue::from_static("true"),
        );
        let value = |text: &str| {
            HeaderValue::from_str(text)
                .map_err(|_| Error::new("the token has a character that none may have"))
        };
        if let Some(token) = token {
            let mut value = value(token)?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static("x-vault-token"), value);
        }
        if let Some(namespace) = &self.namespace {
            headers.insert(
                HeaderName::from_static("x-vault-namespace"),
                value(namespace)?,
            );
        }
        let path = format!("{}{path}", self.base);
        let sent = match body {
            None => self.client.get_with(&path, headers).await,
            Some(body) => {
                let json = HeaderValue::from_static("application/json");
                headers.insert(header::CONTENT_TYPE, json);
                let body = serde_json::to_vec(body).map_err(|e| Error::new(e.to_string()))?;
                self.client.post(&path, headers, body.into()).await
            }
        };
        sent.map_err(|error| Error::new(format!("{} cannot be asked: {error}", self.kind)))
    }

    /// The answer, if it is one. Nothing of it is in an error: who answers may say anything.
    fn understood(&self, answer: Fetched) -> Result<Value> {
        let wrong = |what: &str| Error::new(format!("{} {what}", self.kind));
        let status = answer.status;
        let value = match status {
            StatusCode::OK => serde_json::from_slice(&answer.body),
            _ => Ok(Value::Null),
        };
        wipe_bytes(answer.body);
        let what = match status.as_u16() {
            200 => return value.map_err(|_| wrong("answers with what is no JSON")),
            400 => {
                "does not understand the request (400): is the mount of that kind, and the secret id right?"
            }
            403 => "refuses (403): the token may not read it, or is over",
            404 => "has no secret there (404), or it was deleted",
            429 | 472 | 473 => "is a standby or too busy (429): name the active server",
            503 => "is sealed, or down for maintenance (503)",
            301 | 302 | 303 | 307 | 308 => {
                "sends elsewhere, and is not followed: name the active server"
            }
            _ => return Err(wrong(&format!("answers {}", status.as_u16()))),
        };
        Err(wrong(what).help("nothing else is tried"))
    }
}

/// Reads a file that another program may replace meanwhile.
async fn in_file(path: &std::path::Path) -> Result<Zeroizing<String>> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || secret_file(&path))
        .await
        .unwrap_or_else(|_| Err(Error::new("the file was not read")))
}

fn ciphertext(path: &std::path::Path) -> Result<String> {
    let wrong = |what: &str| Error::new(format!("the ciphertext in `{}` {what}", path.display()));
    let text = std::fs::read_to_string(path)
        .map_err(|error| wrong(&format!("cannot be read: {}", error.kind())))?;
    let text = text.trim_end();
    // `vault:` is what both servers write.
    if !text.starts_with("vault:v") || text.len() as u64 > MAX {
        return Err(wrong("is none").help("store what `bao write transit/encrypt/KEY` prints"));
    }
    Ok(text.to_owned())
}

/// Overwrites the texts of a document.
fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(all) => all.iter_mut().for_each(wipe),
        Value::Object(all) => all.values_mut().for_each(wipe),
        _ => {}
    }
}

/// Overwrites an answer, if nobody else has it.
fn wipe_bytes(bytes: Bytes) {
    if let Ok(mut bytes) = bytes.try_into_mut() {
        bytes.as_mut().zeroize();
    }
}

const EVERY: Duration = Duration::from_secs(5 * 60);
/// Seconds of a token's life that are believed.
const LONGEST: u64 = 32 * 24 * 3600;
const MAX: u64 = 64 * 1024;
