//! A point query through `Sql`, side by side with what a careful author writes with the bare
//! driver: for SQLite a connection and `spawn_blocking`, for PostgreSQL a prepared statement.
//!
//! Rounds alternate, and each ratio is that of two neighbours; their median is printed.
//!
//! ```console
//! $ cargo run --release -p mcp-secure-bench-sql
//! $ SQL_BENCH_SOCKET=/run/postgresql SQL_BENCH_USER=reader cargo run --release -p mcp-secure-bench-sql
//! ```
//!
//! The second one needs a PostgreSQL with a database `postgres` and a table
//! `points (id bigint PRIMARY KEY, text text)` with the numbers from 1 to 1000 that the user may
//! read.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark"
)]

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use mcp_secure::{
    capability,
    capability::{
        fs::__lease,
        sql::{ReadOnly, Sql},
    },
};

/// Points, in a file.
#[capability(sql = "sqlite")]
struct InFile;

/// Points, on a server.
#[capability(sql = "postgres")]
struct OnServer;

const ROUNDS: usize = 41;
const QUERIES: i64 = 1000;

#[tokio::main]
async fn main() {
    sqlite().await;
    match (
        std::env::var("SQL_BENCH_SOCKET"),
        std::env::var("SQL_BENCH_USER"),
    ) {
        (Ok(socket), Ok(user)) => postgres(&socket, &user).await,
        _ => println!("PostgreSQL: not measured, there is no SQL_BENCH_SOCKET and SQL_BENCH_USER"),
    }
}

async fn sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.db");
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch(
            "CREATE TABLE points (id INTEGER PRIMARY KEY, text TEXT);
             WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
             INSERT INTO points SELECT i, 'point ' || i FROM n;",
        )
        .unwrap();
    let ours: Sql<InFile, ReadOnly> = Sql::__for_bench(
        InFile::from_operator(),
        path.to_str().unwrap(),
        __lease::new(),
    )
    .unwrap();
    let bare = Arc::new(Mutex::new(
        rusqlite::Connection::open_with_flags(&path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)
            .unwrap(),
    ));
    const QUERY: &str = "SELECT text FROM points WHERE id = ?1";
    compare(
        "SQLite",
        async |id| {
            let rows = ours.query(QUERY, (id,)).await.unwrap();
            rows.one::<String>().unwrap()
        },
        async |id| {
            let bare = Arc::clone(&bare);
            tokio::task::spawn_blocking(move || {
                let bare = bare.lock().unwrap();
                bare.query_row(QUERY, [id], |row| row.get::<_, String>(0))
                    .unwrap()
            })
            .await
            .unwrap()
        },
    )
    .await;
}

async fn postgres(socket: &str, user: &str) {
    let address = format!("postgres://{user}@/postgres?host={socket}");
    let ours: Sql<OnServer, ReadOnly> =
        Sql::__for_bench(OnServer::from_operator(), &address, __lease::new()).unwrap();
    let (client, connection) = tokio_postgres::Config::new()
        .host_path(socket)
        .user(user)
        .dbname("postgres")
        .connect(tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    const QUERY: &str = "SELECT text FROM points WHERE id = $1";
    let prepared = client.prepare(QUERY).await.unwrap();
    compare(
        "PostgreSQL",
        async |id| {
            let rows = ours.query(QUERY, (id,)).await.unwrap();
            rows.one::<String>().unwrap()
        },
        async |id| {
            let row = client.query_one(&prepared, &[&id]).await.unwrap();
            row.get::<_, String>(0)
        },
    )
    .await;
}

async fn compare(name: &str, ours: impl AsyncFn(i64) -> String, bare: impl AsyncFn(i64) -> String) {
    let (mut ratios, mut fastest) = (Vec::new(), [Duration::MAX; 2]);
    for round in 0..=ROUNDS {
        let first = round % 2;
        let mut took = [Duration::ZERO; 2];
        for side in [first, 1 - first] {
            let begun = Instant::now();
            for id in 1..=QUERIES {
                let text = match side {
                    0 => ours(id).await,
                    _ => bare(id).await,
                };
                assert_eq!(text.len(), "point ".len() + id.to_string().len());
            }
            took[side] = begun.elapsed();
        }
        // The first round warms up.
        if round > 0 {
            ratios.push(took[0].as_secs_f64() / took[1].as_secs_f64());
            fastest = [fastest[0].min(took[0]), fastest[1].min(took[1])];
        }
    }
    ratios.sort_by(f64::total_cmp);
    let each = |took: Duration| took.as_secs_f64() * 1e6 / QUERIES as f64;
    println!(
        "{name}: {:.1} us through the handle, {:.1} us bare (fastest rounds); ratio {:.3} (median of {ROUNDS}), {:.3} to {:.3} (quartiles)",
        each(fastest[0]),
        each(fastest[1]),
        ratios[ROUNDS / 2],
        ratios[ROUNDS / 4],
        ratios[ROUNDS * 3 / 4],
    );
}
