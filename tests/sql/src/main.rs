//! The server that the wiring tests attack: one on SQLite, one on PostgreSQL that only reads,
//! and one that writes. `SQL_TARGET` chooses.
#![allow(missing_docs, reason = "a server for tests")]

use std::sync::{Mutex, PoisonError};

use mcp_secure::{
    capability::{
        sql::{SqlError, SqlLimits},
        tcp::TcpLimits,
    },
    prelude::*,
    sandbox::Sandbox,
    vault::{Vault, VaultKey},
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// The books.
#[capability(sql = "sqlite", private)]
struct Ledger;

/// The books, on a server.
#[capability(sql = "postgres", private, allow_private)]
struct Books;

/// A handle that outlives its call, if it can.
static KEPT: Mutex<Option<Sql<Ledger, ReadOnly>>> = Mutex::new(None);

struct OnSqlite;

#[secure_server(name = "sql-target")]
impl OnSqlite {
    /// The entries of one name.
    #[tool(public)]
    async fn find(&self, name: String, ledger: Sql<Ledger, ReadOnly>) -> ToolResult<String> {
        let rows = ledger
            .query("SELECT text FROM entries WHERE name = ?1", (name,))
            .await?;
        Ok(rows.all::<String>()?.join("\n"))
    }

    /// Whether a number is small.
    #[tool(public)]
    async fn numbers(&self, upto: i64, ledger: Sql<Ledger, ReadOnly>) -> ToolResult<String> {
        let rows = ledger
            .query(
                "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?1) \
                 SELECT i FROM n",
                (upto,),
            )
            .await?;
        Ok(rows.len().to_string())
    }

    /// Counts, for as long as it takes.
    #[tool(public)]
    async fn count(&self, upto: i64, ledger: Sql<Ledger, ReadOnly>) -> ToolResult<String> {
        let rows = ledger
            .query(
                "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?1) \
                 SELECT count(*) FROM n",
                (upto,),
            )
            .await?;
        Ok(rows.one::<i64>()?.to_string())
    }

    /// So many bytes.
    #[tool(public)]
    async fn bytes(&self, length: i64, ledger: Sql<Ledger, ReadOnly>) -> ToolResult<String> {
        let rows = ledger.query("SELECT zeroblob(?1) AS b", (length,)).await?;
        Ok(format!("{} rows", rows.len()))
    }

    /// Another database.
    #[tool(public)]
    async fn attach(&self, path: String, ledger: Sql<Ledger, ReadOnly>) -> ToolResult<String> {
        ledger.query("ATTACH ?1 AS other", (path,)).await?;
        Ok("attached".to_owned())
    }

    /// Two statements.
    #[tool(public)]
    async fn stacked(&self, ledger: Sql<Ledger, ReadOnly>) -> ToolResult<String> {
        ledger
            .query("SELECT 1; DELETE FROM entries", ())
            .await
            .map(|rows| rows.len().to_string())
            .map_err(Into::into)
    }

    /// A change that begins like a question.
    #[tool(public)]
    async fn disguised(&self, ledger: Sql<Ledger, ReadOnly>) -> ToolResult<String> {
        ledger
            .query(
                "WITH x AS (SELECT 1) DELETE FROM entries RETURNING text",
                (),
            )
            .await?;
        Ok("gone".to_owned())
    }

    /// A change that says what it is, by a handle for reading.
    #[tool(public)]
    async fn brazen(&self, ledger: Sql<Ledger, ReadOnly>) -> ToolResult<String> {
        ledger
            .query("DELETE FROM entries RETURNING text", ())
            .await?;
        Ok("gone".to_owned())
    }

    /// An entry.
    #[tool(public, unapproved = "a server for tests")]
    async fn add(
        &self,
        name: String,
        text: String,
        ledger: Sql<Ledger, ReadWrite>,
    ) -> ToolResult<String> {
        ledger
            .execute(
                "INSERT INTO entries (name, text) VALUES (?1, ?2)",
                (name, text),
            )
            .await?;
        Ok("added".to_owned())
    }

    /// Keeps the handle.
    #[tool(public)]
    async fn keep(&self, ledger: Sql<Ledger, ReadOnly>) -> ToolResult<String> {
        *KEPT.lock().unwrap_or_else(PoisonError::into_inner) = Some(ledger);
        Ok("kept".to_owned())
    }

    /// Uses the one that was kept.
    #[tool(public)]
    async fn use_kept(&self) -> ToolResult<String> {
        let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let kept = kept.ok_or_else(|| ToolError::new("nothing was kept"))?;
        let rows = kept.query("SELECT text FROM entries", ()).await?;
        Ok(rows.all::<String>()?.join("\n"))
    }
}

/// One that only reads, so that the sandbox leaves open as little as it can.
struct OnlyReading;

#[secure_server(name = "sql-target")]
impl OnlyReading {
    /// The entries of one name, after a while.
    #[tool(public)]
    async fn find(
        &self,
        name: String,
        steps: i64,
        ledger: Sql<Ledger, ReadOnly>,
    ) -> ToolResult<String> {
        let rows = ledger
            .query(
                "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?2) \
                 SELECT text FROM entries WHERE name = ?1 AND (SELECT count(*) FROM n) > 0",
                (name, steps),
            )
            .await?;
        Ok(rows.all::<String>()?.join("\n"))
    }
}

/// What both servers on PostgreSQL have.
async fn find<M: mcp_secure::capability::Mode>(
    books: &Sql<Books, M>,
    name: String,
) -> Result<String, SqlError> {
    let rows = books
        .query("SELECT text FROM entries WHERE name = $1", (name,))
        .await?;
    Ok(rows.all::<String>()?.join("\n"))
}

struct Reading;

#[secure_server(name = "sql-target")]
impl Reading {
    /// The entries of one name.
    #[tool(public)]
    async fn find(&self, name: String, books: Sql<Books, ReadOnly>) -> ToolResult<String> {
        Ok(find(&books, name).await?)
    }

    /// Waits.
    #[tool(public)]
    async fn sleep(&self, seconds: f64, books: Sql<Books, ReadOnly>) -> ToolResult<String> {
        books.query("SELECT pg_sleep($1)", (seconds,)).await?;
        Ok("slept".to_owned())
    }

    /// A file of the server's.
    #[tool(public)]
    async fn file(&self, path: String, books: Sql<Books, ReadOnly>) -> ToolResult<String> {
        let rows = books.query("SELECT pg_read_file($1)", (path,)).await?;
        Ok(rows.one::<String>()?)
    }

    /// One row of this many bytes.
    #[tool(public)]
    async fn wide(&self, bytes: i32, books: Sql<Books, ReadOnly>) -> ToolResult<String> {
        let rows = books.query("SELECT repeat('x', $1)", (bytes,)).await?;
        Ok(rows.one::<String>()?)
    }

    /// A change that begins like a question.
    #[tool(public)]
    async fn disguised(&self, books: Sql<Books, ReadOnly>) -> ToolResult<String> {
        books
            .query(
                "WITH gone AS (DELETE FROM entries RETURNING text) SELECT text FROM gone",
                (),
            )
            .await?;
        Ok("gone".to_owned())
    }
}

struct Writing;

#[secure_server(name = "sql-target")]
impl Writing {
    /// The entries of one name.
    #[tool(public)]
    async fn find(&self, name: String, books: Sql<Books, ReadOnly>) -> ToolResult<String> {
        Ok(find(&books, name).await?)
    }

    /// An entry.
    #[tool(public, unapproved = "a server for tests")]
    async fn add(
        &self,
        name: String,
        text: String,
        books: Sql<Books, ReadWrite>,
    ) -> ToolResult<String> {
        books
            .execute(
                "INSERT INTO entries (name, text) VALUES ($1, $2)",
                (name, text),
            )
            .await?;
        Ok("added".to_owned())
    }
}

/// A service.
#[capability(tcp, allow_private)]
struct Service;

struct OnTcp;

#[secure_server(name = "sql-target")]
impl OnTcp {
    /// Says it, and what comes back.
    #[tool(public, unapproved = "a server for tests")]
    async fn say(&self, text: String, service: Tcp<Service>) -> ToolResult<String> {
        let mut conn = service.connect().await?;
        conn.write_all(text.as_bytes()).await?;
        let mut answer = vec![0; text.len()];
        conn.read_exact(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

/// Which of the servers it is.
const TARGET: &str = "SQL_TARGET";

fn main() -> mcp_secure::Result<()> {
    let limits = SqlLimits::default()
        .rows(100)
        .bytes(100_000)
        .statement_timeout(std::time::Duration::from_secs(1));
    let user = Principal::local_user();
    // The server starts itself again with a clean environment.
    let sandbox = Sandbox::new().keep_env(TARGET);
    match std::env::var(TARGET).as_deref() {
        Ok("reading") => SecureServer::new(Reading)
            .grant(Books::from_operator().limits(limits))
            .sandbox(sandbox)
            .stdio(user)
            .run(),
        // The vault is where the test has put it, below the home of the process.
        Ok("vaulted") => {
            let home = std::env::home_dir().unwrap_or_default();
            let key = VaultKey::file(home.join("keys/v"));
            SecureServer::new(Reading)
                .vault(Vault::file(home.join("vault/v"), key))
                .grant(Books::from_operator().limits(limits).credential("db"))
                .sandbox(sandbox)
                .stdio(user)
                .run()
        }
        Ok("writing") => SecureServer::new(Writing)
            .grant(Books::from_operator().limits(limits))
            .sandbox(sandbox)
            .stdio(user)
            .run(),
        Ok("only reading") => SecureServer::new(OnlyReading)
            .grant(Ledger::from_operator())
            .sandbox(sandbox)
            .stdio(user)
            .run(),
        Ok("tcp") => SecureServer::new(OnTcp)
            // One test asks until the kernel chooses a port.
            .limits(Limits {
                principal_per_minute: 1_000_000,
                principal_burst: 100_000,
                repeats_per_minute: 1_000_000,
                ..Limits::default()
            })
            .grant(
                Service::from_operator().limits(
                    TcpLimits::default()
                        .bytes(100, 100)
                        .idle_timeout(std::time::Duration::from_millis(300)),
                ),
            )
            .sandbox(sandbox)
            .stdio(user)
            .run(),
        _ => SecureServer::new(OnSqlite)
            .grant(Ledger::from_operator().limits(limits))
            .sandbox(sandbox)
            .stdio(user)
            .run(),
    }
}
