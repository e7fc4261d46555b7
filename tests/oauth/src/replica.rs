//! One of several servers that are one resource, and share what was used once.

use std::{path::PathBuf, pin::Pin, time::Duration};

use mcp_secure::{
    auth::Dpop,
    capability::tcp::Tcp,
    prelude::*,
    sandbox::Sandbox,
    state::{
        MemoryStore, OnLoss, RedisLimits, RedisStore, SealingKey, SecretString, Store, StoreError,
    },
};
use serde::Deserialize;

/// What a test asks for, as JSON in `OAUTH_TARGET`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    listen: String,
    issuer: String,
    resource: String,
    tls: (PathBuf, PathBuf),
    #[serde(default)]
    memory: bool,
    /// A memory that says it were shared.
    #[serde(default)]
    pretended: bool,
    #[serde(default)]
    redis: Option<Redis>,
    #[serde(default)]
    sealing_key: Option<PathBuf>,
    /// Where callers and tools are counted for all.
    #[serde(default)]
    limits: Option<Redis>,
    /// Each has its part of the limits while that does not answer.
    #[serde(default)]
    replicas: Option<u32>,
    #[serde(default)]
    principal_burst: Option<usize>,
    #[serde(default)]
    client_burst: Option<usize>,
    #[serde(default)]
    concurrency: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Redis {
    address: String,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    password_file: Option<PathBuf>,
    #[serde(default)]
    ca_file: Option<PathBuf>,
    #[serde(default)]
    not_private: bool,
    #[serde(default)]
    timeout_ms: Option<u64>,
    #[serde(default)]
    waiting: Option<usize>,
}

/// Where the notes are published.
#[capability(tcp = "127.0.0.1:9", allow_private)]
struct Board;

struct Replica;

#[secure_server(name = "oauth-replica")]
impl Replica {
    /// Read a note.
    #[tool(scope = "notes:read")]
    async fn read(&self) -> ToolResult<String> {
        Ok("a note".to_owned())
    }

    /// Read a note, a few times an hour.
    #[tool(scope = "notes:read", rate = "6/h", burst = 4)]
    async fn rated(&self) -> ToolResult<String> {
        Ok("a note".to_owned())
    }

    /// Read a note, slowly.
    #[tool(scope = "notes:read")]
    async fn slow(&self, ms: u64) -> ToolResult<String> {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        Ok("a note".to_owned())
    }

    /// Read a note, a few times an hour, all together.
    #[tool(scope = "notes:read", total_rate = "4/h")]
    async fn shared(&self) -> ToolResult<String> {
        Ok("a note".to_owned())
    }

    /// Read a note, a few times a day.
    #[tool(scope = "notes:read", quota = "3/day")]
    async fn daily(&self) -> ToolResult<String> {
        Ok("a note".to_owned())
    }

    /// Read a long note, a few of them a day.
    #[tool(scope = "notes:read", output_quota = "4 KiB/day")]
    async fn long(&self) -> ToolResult<String> {
        Ok("a note".repeat(500))
    }

    /// Publish a note. A person must agree.
    #[tool(scope = "notes:write")]
    async fn publish(&self, text: String, board: Approved<Tcp<Board>>) -> ToolResult<String> {
        drop(board);
        Ok(format!("published {text}"))
    }
}

impl Redis {
    fn store(self) -> RedisStore {
        let mut store = RedisStore::at(self.address);
        if let Some(namespace) = self.namespace {
            store = store.namespace(namespace);
        }
        if let Some(user) = self.user {
            store = store.user(user);
        }
        if let Some(password) = self.password {
            store = store.password(SecretString::from(password));
        }
        if let Some(path) = self.password_file {
            store = store.password_file(path);
        }
        if let Some(path) = self.ca_file {
            store = store.ca_file(path);
        }
        if !self.not_private {
            store = store.allow_private();
        }
        if let Some(ms) = self.timeout_ms {
            store = store.timeout(Duration::from_millis(ms));
        }
        if let Some(most) = self.waiting {
            store = store.waiting(most);
        }
        store
    }
}

/// What each replica remembers for itself, and says that the others knew.
struct Pretended(MemoryStore);

impl Store for Pretended {
    fn insert_new<'a>(
        &'a self,
        key: &'a str,
        ttl: Duration,
    ) -> Pin<Box<dyn Future<Output = Result<bool, StoreError>> + Send + 'a>> {
        self.0.insert_new(key, ttl)
    }
}

fn main() -> mcp_secure::Result<()> {
    let text = std::env::var("OAUTH_TARGET").unwrap_or_default();
    let asked: Asked = serde_json::from_str(&text)
        .map_err(|error| Error::new(format!("`OAUTH_TARGET` is not what it has to be: {error}")))?;
    let issued = ResourceServer::new(asked.issuer, asked.resource)
        .allow_private_issuer()
        .dpop(Dpop::Accepted);
    let mut server = SecureServer::new(Replica)
        .grant(Board::declared())
        // What is agreed to once is what is tested, and not by whom.
        .approvals(Approvals::by(By::in_client()))
        .sandbox(Sandbox::new().keep_env("OAUTH_TARGET"));
    if asked.memory {
        server = server.store(MemoryStore::new(1024));
    }
    if asked.pretended {
        server = server.store(Pretended(MemoryStore::new(1024)));
    }
    if let Some(redis) = asked.redis {
        server = server.store(redis.store());
    }
    if let Some(path) = asked.sealing_key {
        server = server.sealing_key(SealingKey::file(path));
    }
    let mut limits = Limits::default();
    if let Some(burst) = asked.principal_burst {
        (limits.principal_per_minute, limits.principal_burst) = (1, burst);
    }
    if let Some(burst) = asked.client_burst {
        (limits.client_per_minute, limits.client_burst) = (1, burst);
    }
    limits.concurrency = asked.concurrency.unwrap_or(limits.concurrency);
    server = server.limits(limits);
    if let Some(redis) = asked.limits {
        let mut limits = RedisLimits::on(redis.store());
        if let Some(replicas) = asked.replicas {
            limits = limits.on_loss(OnLoss::Local { replicas });
        }
        server = server.shared_limits(limits);
    }
    server
        .http(
            Http::on(asked.listen)
                .tls(Tls::files(asked.tls.0, asked.tls.1))
                .resource_server(issued),
        )
        .run()
}
