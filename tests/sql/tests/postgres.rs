//! A PostgreSQL database behind a handle, on a real server.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::{Duration, Instant},
};

use mcp_secure::{
    capability::sql::{SqlError, SqlLimits},
    prelude::*,
    serde_json::{self, json},
    testing::TestServer,
};
use serde::Deserialize;

use crate::{cluster::Cluster, wire::Server};

/// The books.
#[capability(sql = "postgres", private, allow_private)]
struct Books;

/// The same without private addresses.
#[capability(sql = "postgres", name = "books")]
struct Public;

type Reading = Sql<Books, ReadOnly>;
type Writing = Sql<Books, ReadWrite>;

fn server(address: &str, limits: SqlLimits) -> TestServer {
    let grant = Books::from_operator().limits(limits);
    TestServer::new().granted(grant, address).unwrap()
}

/// A role that could do everything, so that what stops a statement is not the role.
fn powerful(cluster: &Cluster) -> TestServer {
    server(&cluster.socket("postgres"), SqlLimits::default())
}

macro_rules! cluster {
    () => {
        match Cluster::start() {
            Some(cluster) => cluster,
            None => return,
        }
    };
}

fn error<T>(done: Result<T, SqlError>) -> SqlError {
    match done {
        Ok(_) => panic!("it was done"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_value_is_never_read_as_sql() {
    let cluster = cluster!();
    let server = server(&cluster.socket("writer"), SqlLimits::default());
    let db: Writing = server.lend().unwrap();
    let nasty = [
        "' OR '1'='1",
        "'; DELETE FROM entries; --",
        "boat' UNION SELECT word FROM secrets --",
        "$1",
        "$$; DELETE FROM entries; $$",
        "\\'; DELETE FROM entries; --",
        "*/ OR 1=1 /*",
        r#"a"},{"b\"#,
        "\u{bf}' OR 1=1 --",
        "NULL",
        "{}",
        "",
    ];
    for (count, value) in nasty.iter().enumerate() {
        let find = "SELECT name FROM entries WHERE name = $1";
        assert!(
            db.query(find, (*value,)).await.unwrap().is_empty(),
            "{value}"
        );
        db.execute("INSERT INTO entries (name) VALUES ($1)", (*value,))
            .await
            .unwrap();
        let found = db.query(find, (*value,)).await.unwrap();
        assert_eq!(found.one::<String>().unwrap(), *value);
        let all: Vec<String> = nasty.iter().map(|&text| text.to_owned()).collect();
        let listed = db
            .query("SELECT name FROM entries WHERE name = ANY($1)", (all,))
            .await
            .unwrap();
        assert_eq!(listed.len(), count + 1, "{value}");
    }
    assert_eq!(cluster.run("SELECT count(*) FROM entries"), "14");
    assert!(matches!(
        error(db.query("SELECT $1::text", ("a\0b",)).await),
        SqlError::Parameter { index: 1, .. }
    ));
}

#[derive(Deserialize, Debug, PartialEq)]
struct Everything {
    b: bool,
    i: i16,
    n: i64,
    f: f64,
    t: String,
    y: Vec<u8>,
    none: Option<String>,
    j: serde_json::Value,
    u: String,
    at: String,
    local: String,
    day: String,
    money: String,
    mood: String,
    list: Vec<Option<String>>,
    numbers: Vec<i64>,
}

#[tokio::test]
async fn every_kind_of_value_goes_there_and_comes_back() {
    let cluster = cluster!();
    let server = server(&cluster.socket("reader"), SqlLimits::default());
    let db: Reading = server.lend().unwrap();
    let rows = db
        .query(
            "SELECT $1::bool AS b, $2::int2 AS i, $3::int8 AS n, $4::float8 AS f, $5::text AS t,
                    $6::bytea AS y, $7::text AS none, $8::jsonb AS j, $9::uuid AS u,
                    $10::timestamptz AS at, '2026-02-28 23:59:59.5'::timestamp AS local,
                    '1999-12-31'::date AS day, $11::numeric AS money, $12::mood AS mood,
                    ARRAY['a', NULL] AS list, '{1,-2}'::int4[] AS numbers",
            (
                true,
                -7,
                i64::MIN,
                0.1,
                "\u{2603}",
                vec![0_u8, 255],
                None::<String>,
                r#"{"a": [1, null]}"#,
                "00112233-4455-6677-8899-aabbccddeeff",
                "2026-11-27T20:00:00+01:00",
                "-12345.60",
                "cross",
            ),
        )
        .await
        .unwrap();
    let expected = Everything {
        b: true,
        i: -7,
        n: i64::MIN,
        f: 0.1,
        t: "\u{2603}".into(),
        y: vec![0, 255],
        none: None,
        j: json!({ "a": [1, null] }),
        u: "00112233-4455-6677-8899-aabbccddeeff".into(),
        at: "2026-11-27T19:00:00Z".into(),
        local: "2026-02-28T23:59:59.500".into(),
        day: "1999-12-31".into(),
        money: "-12345.60".into(),
        mood: "cross".into(),
        list: vec![Some("a".into()), None],
        numbers: vec![1, -2],
    };
    assert_eq!(rows.one::<Everything>().unwrap(), expected);
    // What is not read says what to write, to the log.
    let range = error(db.query("SELECT '[1,2)'::int4range", ()).await);
    assert!(matches!(range, SqlError::Shape(_)));
}

#[tokio::test]
async fn reading_ends_where_writing_begins_though_the_role_may_do_everything() {
    let cluster = cluster!();
    let server = powerful(&cluster);
    let db: Reading = server.lend().unwrap();
    for change in [
        "WITH gone AS (DELETE FROM entries RETURNING name) SELECT name FROM gone",
        "SELECT sneak()",
        "SELECT nextval('entries_id_seq')",
        "SELECT name FROM entries FOR UPDATE",
        "SELECT name INTO other FROM entries",
        "WITH x AS (SELECT 1) INSERT INTO entries (name) VALUES ('x')",
        "SELECT set_config('transaction_read_only', 'off', false)",
    ] {
        // A function may set it for itself, and is told that it cannot.
        let done = error(db.query(change, ()).await);
        assert!(
            matches!(done, SqlError::ReadOnly | SqlError::Statement { .. }),
            "{change}: {done:?}"
        );
    }
    // What is no change of a table and works all the same is undone.
    db.query("SELECT lo_from_bytea(0, 'left behind')", ())
        .await
        .map(drop)
        .unwrap_or_default();
    assert_eq!(
        cluster.run("SELECT count(*) FROM pg_largeobject_metadata"),
        "0"
    );
    assert_eq!(cluster.run("SELECT count(*) FROM entries"), "2");
}

#[tokio::test]
async fn what_one_use_sets_is_not_there_for_the_next() {
    let cluster = cluster!();
    let limits = SqlLimits::default().connections(1);
    let server = server(&cluster.socket("postgres"), limits);
    let reading: Reading = server.lend().unwrap();
    let writing: Writing = server.lend().unwrap();
    let show = "SELECT current_setting('statement_timeout') || ' ' || current_setting('search_path') \
                || ' ' || current_setting('default_transaction_read_only') || ' ' || current_user";
    let before = reading
        .query(show, ())
        .await
        .unwrap()
        .one::<String>()
        .unwrap();
    assert!(before.ends_with(" on postgres"), "{before}");
    reading.query("SELECT leave_open()", ()).await.unwrap();
    reading
        .query("SELECT pg_advisory_lock(7) IS NULL", ())
        .await
        .unwrap();
    let after = reading
        .query(show, ())
        .await
        .unwrap()
        .one::<String>()
        .unwrap();
    assert_eq!(after, before);
    assert_eq!(
        error(reading.query("SELECT sneak()", ()).await),
        SqlError::ReadOnly
    );
    // Of the other connection, on which a use is kept.
    let before = writing
        .query(show, ())
        .await
        .unwrap()
        .one::<String>()
        .unwrap();
    writing.query("SELECT leave_open()", ()).await.unwrap();
    writing
        .query("SELECT set_config('role', 'reader', false)", ())
        .await
        .unwrap();
    let after = writing
        .query(show, ())
        .await
        .unwrap()
        .one::<String>()
        .unwrap();
    assert_eq!(after, before);
    assert_eq!(
        cluster.run("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"),
        "0"
    );
}

#[tokio::test]
async fn a_second_statement_does_not_run() {
    let cluster = cluster!();
    let server = powerful(&cluster);
    let db: Writing = server.lend().unwrap();
    for stacked in [
        "SELECT 1; DELETE FROM entries",
        "SELECT 1; COMMIT; DELETE FROM entries",
        "INSERT INTO entries (name) VALUES ('x'); DELETE FROM entries",
    ] {
        let done = error(db.query(stacked, ()).await);
        assert!(
            matches!(done, SqlError::Statement { .. }),
            "{stacked}: {done:?}"
        );
    }
    for other in [
        "COMMIT",
        "COPY entries TO PROGRAM 'id'",
        "DO $$BEGIN END$$",
        "SET ROLE reader",
    ] {
        let done = error(db.query(other, ()).await);
        assert!(matches!(done, SqlError::Statement { .. }), "{other}");
    }
    assert_eq!(cluster.run("SELECT count(*) FROM entries"), "2");
}

#[tokio::test]
async fn files_and_programs_of_the_server_are_closed_to_a_plain_role() {
    let cluster = cluster!();
    let server = server(&cluster.socket("reader"), SqlLimits::default());
    let db: Reading = server.lend().unwrap();
    for reach in [
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT * FROM pg_read_file('/etc/passwd')",
        "SELECT pg_ls_dir('/')::text",
        "SELECT lo_import('/etc/passwd')",
        "SELECT lo_export(1, '/tmp/x')",
        "SELECT word FROM secrets",
        "SELECT rolpassword FROM pg_authid",
    ] {
        let done = error(db.query(reach, ()).await);
        assert!(
            matches!(done, SqlError::Forbidden(_) | SqlError::ReadOnly),
            "{reach}: {done:?}"
        );
        let said = ToolError::from(done);
        let said = said.public_message().unwrap_or_default();
        assert!(!said.contains("pg_") && !said.contains("secrets"), "{said}");
    }
}

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
    // Another connection: the one that had trouble is not used again.
    let pid = "SELECT pg_backend_pid()";
    let first: i64 = db.query(pid, ()).await.unwrap().one().unwrap();
    let same: i64 = db.query(pid, ()).await.unwrap().one().unwrap();
    assert_eq!(first, same);
    assert!(db.query("SELECT slow()", ()).await.is_err());
    let next: i64 = db.query(pid, ()).await.unwrap().one().unwrap();
    assert_ne!(first, next);
    // A statement that sets the time for itself is stopped on this side.
    let rows = db
        .query(
            "SELECT set_config('statement_timeout', '0', false), pg_sleep(600)",
            (),
        )
        .await;
    assert!(matches!(error(rows), SqlError::Timeout { .. }));
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
async fn a_batch_is_made_whole_or_not_at_all() {
    let cluster = cluster!();
    let server = server(&cluster.socket("writer"), SqlLimits::default());
    let db: Writing = server.lend().unwrap();
    let take = |cents: i64, from: &str| {
        Statement::new(
            "UPDATE entries SET cents = cents - $1 WHERE name = $2 AND cents >= $1",
            (cents, from),
        )
        .changes(1)
    };
    let give = |cents: i64, to: &str| {
        Statement::new(
            "UPDATE entries SET cents = cents + $1 WHERE name = $2",
            (cents, to),
        )
        .changes(1)
    };
    let done = db.batch([take(30, "boat"), give(30, "pond")]).await;
    assert_eq!(done, Ok(vec![1, 1]));
    let nobody = db.batch([take(30, "boat"), give(30, "nobody")]).await;
    assert_eq!(nobody, Err(SqlError::Unmet { statement: 2 }));
    let twice = db
        .batch([
            take(1, "boat"),
            Statement::new("INSERT INTO entries (name) VALUES ($1)", ("pond",)),
        ])
        .await;
    assert!(matches!(twice, Err(SqlError::Conflict(_))));
    let returned = db
        .query(
            "UPDATE entries SET text = NULL WHERE name = $1 RETURNING name",
            ("pond",),
        )
        .await
        .unwrap();
    assert_eq!(returned.one::<String>().unwrap(), "pond");
    assert_eq!(
        cluster.run("SELECT string_agg(cents::text, ',' ORDER BY name) FROM entries"),
        "70,80"
    );
}

fn secret(cluster: &Cluster, mode: u32) -> String {
    let path = cluster.path("password");
    std::fs::write(&path, "correct horse\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn over_tcp_there_is_a_password_from_a_file_and_tls_with_the_granted_name() {
    let cluster = cluster!();
    let secret = secret(&cluster, 0o600);
    let ca = |name: &str| cluster.path(name).to_str().unwrap().to_owned();
    let connect = async |options: String| {
        let server = server(&cluster.tcp("reader", &options), SqlLimits::default());
        let db: Reading = server.lend().unwrap();
        let rows = db
            .query(
                "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
                (),
            )
            .await?;
        rows.one::<bool>()
    };
    let good = format!("passfile={secret}&sslrootcert={}", ca("ca.pem"));
    assert_eq!(connect(good).await, Ok(true));
    let clear = format!("passfile={secret}&sslmode=disable");
    assert_eq!(connect(clear).await, Ok(false));
    // Another authority; the public ones; no password.
    for bad in [
        format!("passfile={secret}&sslrootcert={}", ca("other-ca.pem")),
        format!("passfile={secret}"),
        format!("sslrootcert={}", ca("ca.pem")),
    ] {
        assert!(
            matches!(connect(bad.clone()).await, Err(SqlError::Connection(_))),
            "{bad}"
        );
    }
}

fn refused(address: &str) -> String {
    let granted = TestServer::new().granted(Books::from_operator(), address);
    granted.err().expect("it was granted").to_string()
}

#[test]
fn an_address_that_gives_a_secret_away_is_not_granted() {
    let cluster = cluster!();
    let said = refused("postgres://reader:hunter2@db.example.com/app");
    assert!(
        said.contains("passfile") && !said.contains("hunter2"),
        "{said}"
    );
    let open = secret(&cluster, 0o644);
    let said = refused(&cluster.tcp("reader", &format!("passfile={open}")));
    assert!(said.contains("chmod 600"), "{said}");
    let said = refused("postgres://reader@db.example.com/app?sslmode=disable");
    assert!(said.contains("in the clear"), "{said}");
    let tcp = cluster.tcp("reader", "sslmode=disable");
    let public = TestServer::new().granted(Public::from_operator(), &tcp);
    assert!(public.err().unwrap().to_string().contains("in the clear"));
    let open = tempfile::tempdir().unwrap();
    std::fs::set_permissions(open.path(), std::fs::Permissions::from_mode(0o1777)).unwrap();
    let said = refused(&format!("postgres://r@/x?host={}", open.path().display()));
    assert!(said.contains("a socket of theirs"), "{said}");
}

#[tokio::test]
async fn a_loopback_server_is_not_reached_without_leave() {
    let cluster = cluster!();
    let options = format!("sslrootcert={}", cluster.path("ca.pem").display());
    let address = cluster.tcp("reader", &options);
    let server = TestServer::new()
        .granted(Public::from_operator(), &address)
        .unwrap();
    let db: Sql<Public, ReadOnly> = server.lend().unwrap();
    let done = error(db.query("SELECT 1", ()).await);
    assert!(matches!(done, SqlError::Connection(_)), "{done:?}");
    assert!(!cluster.log().contains("reader"), "it was connected to");
}

/// Through a real process from here on.
fn grant(address: &str) -> String {
    format!("books={address}")
}

#[test]
fn a_role_that_may_do_more_than_the_handles_stops_the_start() {
    let cluster = cluster!();
    assert!(Path::new(env!("CARGO_BIN_EXE_sql-target")).exists());
    let alone = |sql: &str| {
        cluster.run("DROP ROLE IF EXISTS wide");
        cluster.run("CREATE ROLE wide LOGIN");
        cluster.run(sql);
        let said = Server::refusal("reading", &grant(&cluster.socket("wide")));
        cluster.run("DROP OWNED BY wide");
        said
    };
    for (sql, right) in [
        ("ALTER ROLE wide SUPERUSER", "a superuser"),
        (
            "GRANT postgres TO wide",
            "may become the superuser postgres",
        ),
        ("ALTER ROLE wide CREATEROLE", "CREATEROLE"),
        ("ALTER ROLE wide BYPASSRLS", "BYPASSRLS"),
        ("ALTER ROLE wide REPLICATION", "REPLICATION"),
        ("GRANT pg_read_server_files TO wide", "pg_read_server_files"),
        (
            "GRANT pg_execute_server_program TO wide",
            "pg_execute_server_program",
        ),
        ("GRANT pg_write_all_data TO wide", "pg_write_all_data"),
        (
            "GRANT EXECUTE ON FUNCTION pg_read_file(text) TO wide",
            "may call pg_read_file",
        ),
        (
            "GRANT INSERT ON entries TO wide",
            "may write to public.entries",
        ),
        (
            "GRANT UPDATE (text) ON entries TO wide",
            "may write to public.entries",
        ),
        ("GRANT writer TO wide", "may write to public.entries"),
        (
            "GRANT CREATE ON SCHEMA public TO wide",
            "create tables in the schema public",
        ),
    ] {
        let said = alone(sql);
        assert!(said.contains(right), "{sql}: {said}");
    }
    // What writes may write, and no more.
    let said = Server::refusal("writing", &grant(&cluster.socket("postgres")));
    assert!(said.contains("a superuser"), "{said}");
    let mut writing = Server::start("writing", &grant(&cluster.socket("writer")));
    let entry = json!({ "name": "sail", "text": "'; DROP TABLE entries; --" });
    assert_eq!(writing.call("add", entry), "added");
    assert_eq!(
        writing.call("find", json!({ "name": "sail" })),
        "'; DROP TABLE entries; --"
    );
}

#[test]
fn dblink_beside_a_reader_stops_the_start() {
    let cluster = cluster!();
    let there = cluster.run("SELECT count(*) FROM pg_available_extensions WHERE name = 'dblink'");
    if there == "0" {
        // The contributed modules are a part of the package on Debian.
        panic!("this PostgreSQL has no dblink");
    }
    cluster.run("CREATE EXTENSION dblink");
    let said = Server::refusal("reading", &grant(&cluster.socket("reader")));
    assert!(said.contains("may call dblink"), "{said}");
}

#[test]
fn a_server_that_cannot_be_reached_stops_the_start() {
    let cluster = cluster!();
    let said = Server::refusal("reading", &grant(&cluster.socket("nobody")));
    assert!(said.contains("cannot be reached"), "{said}");
}

#[test]
fn each_control_refuses_over_stdio_and_is_in_the_record() {
    let cluster = cluster!();
    let mut server = Server::start("reading", &grant(&cluster.socket("reader")));
    assert_eq!(
        server.call("find", json!({ "name": "boat" })),
        "Paint the boat."
    );
    let nasty = "boat' UNION SELECT word FROM secrets --";
    assert_eq!(server.call("find", json!({ "name": nasty })), "");
    for (tool, arguments, control) in [
        ("file", json!({ "path": "/etc/passwd" }), "sql/permission"),
        ("sleep", json!({ "seconds": 600.0 }), "sql/timeout"),
        ("disguised", json!({}), "sql/read-only"),
    ] {
        let said = server.call(tool, arguments);
        let record = server.refused_by(control);
        let steps = record["steps"].to_string();
        assert!(steps.contains(control), "{record}");
        assert!(!said.contains("pg_read_file"), "{said}");
    }
    // The role gets a right after the start: the transaction still only reads, and the other
    // way round, the role has none.
    cluster.run("GRANT DELETE ON entries TO reader");
    server.call("disguised", json!({}));
    server.refused_by("sql/read-only");
    assert_eq!(cluster.run("SELECT count(*) FROM entries"), "2");
}
