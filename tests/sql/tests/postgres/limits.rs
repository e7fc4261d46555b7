//! Statements that take too long, answer too much, or outlive their call.

use std::time::{Duration, Instant};

use super::*;

#[tokio::test]
async fn a_long_sleep_is_cancelled_and_nothing_of_it_is_left() {
    let cluster = cluster!();
    let limits = SqlLimits::default()
        .connections(1)
        .statement_timeout(Duration::from_millis(300));
    let server = server(&cluster.socket("reader"), limits);
    let db: Reading = server.lend().unwrap();
    let begun = Instant::now();
    assert!(matches!(
        error(db.query("SELECT slow()", ()).await),
        SqlError::Timeout { .. }
    ));
    assert!(begun.elapsed() < Duration::from_secs(20));
    // PostgreSQL has the same time, so that it does not work on for nobody.
    let log = cluster.log();
    assert!(log.contains("due to statement timeout"), "{log}");
    // Another connection: the one that had trouble is not used again.
    let pid = "SELECT pg_backend_pid()";
    let first: i64 = db.query(pid, ()).await.unwrap().one().unwrap();
    let same: i64 = db.query(pid, ()).await.unwrap().one().unwrap();
    assert_eq!(first, same);
    assert!(db.query("SELECT slow()", ()).await.is_err());
    let next: i64 = db.query(pid, ()).await.unwrap().one().unwrap();
    assert_ne!(first, next);
    // What a statement sets for itself comes too late.
    let rows = db
        .query(
            "SELECT set_config('statement_timeout', '0', false), pg_sleep(600)",
            (),
        )
        .await;
    assert!(matches!(error(rows), SqlError::Timeout { .. }));
}

/// The process that serves the connection is stopped: nobody there keeps the time.
#[tokio::test]
async fn a_server_that_hangs_is_left() {
    let cluster = cluster!();
    let limits = SqlLimits::default()
        .connections(1)
        .statement_timeout(Duration::from_millis(300));
    let server = server(&cluster.socket("reader"), limits);
    let db: Reading = server.lend().unwrap();
    let pid = "SELECT pg_backend_pid()";
    let backend: i64 = db.query(pid, ()).await.unwrap().one().unwrap();
    let signal = |name: &str| {
        let pid = backend.to_string();
        let status = std::process::Command::new("kill")
            .args([name, &pid])
            .status();
        assert!(status.unwrap().success());
    };
    signal("-STOP");
    let asked = tokio::time::timeout(Duration::from_secs(20), db.query("SELECT 1", ())).await;
    signal("-CONT");
    let done = error(asked.expect("it is waited for"));
    assert!(matches!(done, SqlError::Timeout { .. }), "{done:?}");
}

/// A connection in the middle of a transaction that failed is no connection for the next use.
#[tokio::test]
async fn a_connection_that_had_trouble_is_not_used_again() {
    let cluster = cluster!();
    let limits = SqlLimits::default().connections(1);
    let server = server(&cluster.socket("writer"), limits);
    let db: Writing = server.lend().unwrap();
    let divide = "UPDATE entries SET cents = cents / $1::bigint RETURNING name";
    let done = error(db.query(divide, (0,)).await);
    assert!(matches!(done, SqlError::Parameter { .. }), "{done:?}");
    assert_eq!(db.query(divide, (1,)).await.unwrap().len(), 2);
}

/// How many backends run something slow.
fn sleepers(cluster: &Cluster) -> String {
    cluster.run(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%slow()' \
         AND pid <> pg_backend_pid()",
    )
}

fn wait_for(what: &str, mut look: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !look() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_dropped_or_over_ends_its_statement_on_the_server() {
    let cluster = cluster!();
    let limits = SqlLimits::default().statement_timeout(Duration::from_secs(300));
    let server = server(&cluster.socket("reader"), limits);
    let db: Reading = server.lend().unwrap();
    let slow = db.query("SELECT slow()", ());
    let cancelled = tokio::time::timeout(Duration::from_millis(500), slow).await;
    assert!(cancelled.is_err());
    wait_for("the statement of a dropped call runs", || {
        sleepers(&cluster) == "0"
    });

    let running = tokio::spawn({
        let db = db.clone();
        async move { db.query("SELECT slow()", ()).await.map(|rows| rows.len()) }
    });
    wait_for("the statement does not start", || sleepers(&cluster) == "1");
    drop(server);
    assert_eq!(running.await.unwrap(), Err(SqlError::Revoked));
    wait_for("the statement of a call that is over runs", || {
        sleepers(&cluster) == "0"
    });
    let after = db.query("SELECT 1", ()).await;
    assert_eq!(error(after), SqlError::Revoked);
}

#[tokio::test]
async fn rows_and_bytes_are_capped_before_they_arrive() {
    let cluster = cluster!();
    let limits = SqlLimits::default().rows(10).bytes(10_000);
    let server = server(&cluster.socket("reader"), limits);
    let db: Reading = server.lend().unwrap();
    let numbers = "SELECT generate_series(1, $1::bigint)";
    assert_eq!(db.query(numbers, (10,)).await.unwrap().len(), 10);
    let begun = Instant::now();
    assert_eq!(
        error(db.query(numbers, (1_000_000_000,)).await),
        SqlError::Rows { limit: 10 }
    );
    for length in [10_001, 100_000_000] {
        // The second would be one message of a hundred megabytes.
        assert_eq!(
            error(db.query("SELECT repeat('x', $1)", (length,)).await),
            SqlError::Bytes { limit: 10_000 }
        );
    }
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!(db.query(numbers, (10,)).await.unwrap().len(), 10);
}

#[tokio::test]
async fn no_more_connections_are_made_than_granted() {
    let cluster = cluster!();
    let limits = SqlLimits::default().connections(1);
    let server = server(&cluster.socket("reader"), limits);
    let db: Reading = server.lend().unwrap();
    let pid = async || {
        let rows = db.query("SELECT pg_backend_pid()", ()).await?;
        rows.one::<i64>()
    };
    let (a, b, c) = tokio::join!(pid(), pid(), pid());
    let [a, b, c] = [a, b, c].map(Result::unwrap);
    assert_eq!((a, a), (b, c), "they took turns on one");
}
