//! The whole stack in memory: the transport, the layers, the audit log.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use rmcp::ServiceExt;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf},
    sync::{Mutex, Notify},
};

use crate::{
    Error, Result, SecureServer,
    audit::{AuditSink, MemoryLog},
    definition::SecureService,
    layer::identity::IdentitySource,
    server::{Ready, assemble, stdio::StdioTransport},
};

/// A client of a server that runs in this process, over the stdio transport and through
/// every layer, as a 2025-11-25 client without elicitation.
///
/// ```
/// use mcp_secure::{prelude::*, testing::TestClient};
/// use serde_json::json;
///
/// struct Hello;
/// #[secure_server]
/// impl Hello {
///     /// Greet somebody.
///     #[tool(scope = "greet")]
///     async fn greet(&self, name: String) -> String { format!("Hello, {name}!") }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> mcp_secure::Result<()> {
/// let me = Principal::local_user().scopes(["greet"]);
/// let client = TestClient::connect(SecureServer::new(Hello).stdio(me), &[]).await?;
/// let result = client.call_tool("greet", json!({"name": "Ada"})).await?;
/// assert_eq!(result["result"]["content"][0]["text"], "Hello, Ada!");
/// assert!(client.audit().contains("\"target\":\"greet\""));
/// # Ok(()) }
/// ```
pub struct TestClient {
    reader: Mutex<BufReader<ReadHalf<DuplexStream>>>,
    writer: Mutex<WriteHalf<DuplexStream>>,
    next: AtomicU64,
    log: MemoryLog,
}

impl TestClient {
    /// Starts the server with these folders bound to its grants, and initializes.
    ///
    /// # Errors
    ///
    /// When the server would not start.
    pub async fn connect<S: SecureService>(
        server: SecureServer<S, Ready>,
        grants: &[(&str, &std::path::Path)],
    ) -> Result<Self> {
        let principal = server
            .stdio
            .clone()
            .ok_or_else(|| Error::new("the server declares no stdio transport"))?;
        let log = MemoryLog::default();
        let grants: Vec<(String, std::path::PathBuf)> = grants
            .iter()
            .map(|(name, path)| ((*name).to_owned(), path.to_path_buf()))
            .collect();
        let max = server.limits.max_message;
        let plan = assemble::plan_for_tests(
            server,
            &grants,
            AuditSink::memory(log.clone()),
            IdentitySource::Declared(principal),
        )?;
        let assembled = plan.assemble().await?;
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let (reader, writer) = tokio::io::split(theirs);
        let transport = StdioTransport::new(
            reader,
            writer,
            max,
            Arc::clone(&assembled.tally),
            Arc::new(Notify::new()),
        );
        tokio::spawn(async move {
            let _tally = assembled.tally;
            if let Ok(running) = assembled.hardened.serve(transport).await {
                let _ = running.waiting().await;
            }
        });
        let (reader, writer) = tokio::io::split(ours);
        let client = Self {
            reader: Mutex::new(BufReader::new(reader)),
            writer: Mutex::new(writer),
            next: AtomicU64::new(1),
            log,
        };
        client
            .request(
                "initialize",
                json!({
                    "protocolVersion": "2025-11-25",
                    "capabilities": {},
                    "clientInfo": { "name": "test", "version": "0" },
                }),
            )
            .await?;
        client
            .send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
            .await?;
        Ok(client)
    }

    /// Calls a tool; the whole JSON-RPC answer.
    ///
    /// # Errors
    ///
    /// When the server is gone.
    pub async fn call_tool(&self, name: &str, arguments: Value) -> Result<Value> {
        self.request(
            "tools/call",
            json!({ "name": name, "arguments": arguments }),
        )
        .await
    }

    /// Sends a request; the whole JSON-RPC answer.
    ///
    /// # Errors
    ///
    /// When the server is gone.
    pub async fn request(&self, method: &str, params: Value) -> Result<Value> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
            .await?;
        let mut reader = self.reader.lock().await;
        loop {
            let mut line = String::new();
            let read = reader.read_line(&mut line).await.map_err(gone)?;
            if read == 0 {
                return Err(Error::new("the server ended"));
            }
            let message: Value = serde_json::from_str(&line)
                .map_err(|e| Error::new(format!("the server sent what is not JSON: {e}")))?;
            if message.get("id") == Some(&json!(id)) {
                return Ok(message);
            }
        }
    }

    /// The audit log so far: one JSON object a line.
    pub fn audit(&self) -> String {
        self.log.text()
    }

    async fn send(&self, message: &Value) -> Result<()> {
        let mut writer = self.writer.lock().await;
        writer
            .write_all(format!("{message}\n").as_bytes())
            .await
            .map_err(gone)
    }
}

fn gone(error: std::io::Error) -> Error {
    Error::new(format!("the server is gone: {error}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{auth::Principal, definition::Definition};

    struct Hushed;

    impl SecureService for Hushed {
        fn definition() -> Definition<Self> {
            Definition {
                name: "hushed",
                version: "0.1.0",
                instructions: Some("Be\u{202E}have."),
                exceptions: &[],
                tools: Vec::new(),
                prompts: Vec::new(),
                resources: Vec::new(),
                completions: Vec::new(),
            }
        }
    }

    #[tokio::test]
    async fn a_server_that_would_not_start_does_not_start_here() {
        let server = SecureServer::new(Hushed).stdio(Principal::local_user());
        let refused = TestClient::connect(server, &[]).await.err().unwrap();
        let refused = refused.to_string();
        assert!(
            refused.starts_with("a text is refused: the server at /instructions: U+202E"),
            "{refused}"
        );
    }
}
