//! A SQLite file behind a handle.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use mcp_secure::{
    capability::sql::{SqlError, SqlLimits},
    prelude::*,
    testing::TestServer,
};
use serde::Deserialize;

/// The books.
#[capability(sql = "sqlite", private)]
pub(crate) struct Ledger;

/// A database with entries, in a folder of its own.
pub(crate) struct Files {
    pub(crate) folder: tempfile::TempDir,
}

impl Files {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("ledger-")
            .tempdir()
            .unwrap();
        let files = Self { folder };
        files.raw(
            "CREATE TABLE entries (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, text TEXT,
                                   cents INTEGER NOT NULL DEFAULT 0 CHECK (cents >= 0));
             INSERT INTO entries (name, text, cents) VALUES ('boat', 'Paint the boat.', 100),
                                                            ('pond', 'Dig a pond.', 50);
             CREATE TABLE secrets (word TEXT);
             INSERT INTO secrets VALUES ('swordfish');",
        );
        files
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    pub(crate) fn grant(&self) -> String {
        format!("ledger={}", self.path().display())
    }

    /// As its owner.
    pub(crate) fn raw(&self, sql: &str) {
        let db = rusqlite::Connection::open(self.path()).unwrap();
        db.execute_batch(sql).unwrap();
    }

    pub(crate) fn count(&self) -> i64 {
        let db = rusqlite::Connection::open(self.path()).unwrap();
        db.query_row("SELECT count(*) FROM entries", [], |row| row.get(0))
            .unwrap()
    }

    fn server(&self, limits: SqlLimits) -> TestServer {
        let grant = Ledger::from_operator().limits(limits);
        TestServer::new().granted(grant, self.path()).unwrap()
    }

    fn reading(&self) -> (TestServer, Sql<Ledger, ReadOnly>) {
        let server = self.server(SqlLimits::default());
        let handle = server.lend().unwrap();
        (server, handle)
    }

    fn writing(&self) -> (TestServer, Sql<Ledger, ReadWrite>) {
        let server = self.server(SqlLimits::default());
        let handle = server.lend().unwrap();
        (server, handle)
    }
}

#[derive(Deserialize, Debug, PartialEq)]
struct Entry {
    name: String,
    text: Option<String>,
    cents: i64,
}

/// What a value must never be more than.
const NASTY: &[&str] = &[
    "' OR '1'='1",
    "'; DELETE FROM entries; --",
    "boat' UNION SELECT word FROM secrets --",
    "\" OR 1=1 --",
    "boat'/*",
    "*/ OR 1=1 /*",
    "?1",
    "$1",
    "\\' OR 1=1 --",
    "\u{ff07} OR 1=1",
    "%27 OR 1=1",
    "boat\n-- ",
    ") OR (1=1",
];

#[tokio::test]
async fn a_value_is_never_read_as_sql() {
    let files = Files::new();
    let (_server, db) = files.writing();
    for nasty in NASTY {
        let rows = db
            .query("SELECT name FROM entries WHERE name = ?1", (*nasty,))
            .await
            .unwrap();
        assert!(rows.is_empty(), "{nasty}");
        // It is kept as it is, and found as it is.
        db.execute("INSERT INTO entries (name) VALUES (?1)", (*nasty,))
            .await
            .unwrap();
        let found = db
            .query("SELECT name FROM entries WHERE name = ?1", (*nasty,))
            .await
            .unwrap();
        assert_eq!(found.one::<String>().unwrap(), *nasty);
        // In a list, too.
        let list = vec![(*nasty).to_owned(), "nothing".to_owned()];
        let found = db
            .query(
                "SELECT name FROM entries WHERE name IN (SELECT value FROM json_each(?1))",
                (list,),
            )
            .await
            .unwrap();
        assert_eq!(found.one::<String>().unwrap(), *nasty);
    }
    assert_eq!(files.count(), 2 + NASTY.len() as i64);
}

#[tokio::test]
async fn rows_become_types_and_every_kind_of_value_comes_back() {
    let files = Files::new();
    let (_server, db) = files.reading();
    let entries: Vec<Entry> = db
        .query("SELECT name, text, cents FROM entries ORDER BY name", ())
        .await
        .unwrap()
        .all()
        .unwrap();
    assert_eq!(entries[0].name, "boat");
    assert_eq!(entries[1].cents, 50);
    let all: (i64, f64, String, Option<bool>, bool, Vec<u8>) = db
        .query(
            "SELECT ?1, ?2, ?3, ?4, ?5, ?6",
            (7, 1.5, "x", None::<bool>, true, vec![1_u8, 2]),
        )
        .await
        .unwrap()
        .one()
        .unwrap();
    assert_eq!(all, (7, 1.5, "x".to_owned(), None, true, vec![1, 2]));
}

#[tokio::test]
async fn a_second_statement_does_not_run() {
    let files = Files::new();
    let (_server, db) = files.writing();
    for stacked in [
        "SELECT 1; DELETE FROM entries",
        "SELECT 1;;; DELETE FROM entries --",
        "SELECT 1; /* */ ATTACH 'x' AS y",
    ] {
        let done = db.query(stacked, ()).await;
        assert!(
            matches!(
                done,
                Err(SqlError::Statement { .. } | SqlError::Forbidden(_))
            ),
            "{stacked}"
        );
    }
    let inserted = db
        .execute(
            "INSERT INTO entries (name) VALUES ('x'); DELETE FROM entries",
            (),
        )
        .await;
    assert!(matches!(inserted, Err(SqlError::Statement { .. })));
    assert_eq!(files.count(), 2);
    // A semicolon at the end is no second statement.
    assert!(db.query("SELECT 1; -- done", ()).await.is_ok());
}

#[tokio::test]
async fn a_handle_for_reading_changes_nothing_whatever_the_statement_begins_with() {
    let files = Files::new();
    let (_server, db) = files.reading();
    for change in [
        "WITH x AS (SELECT 1) DELETE FROM entries",
        "WITH x AS (SELECT 1) UPDATE entries SET text = 'x'",
        "WITH x AS (SELECT 'n' AS n) INSERT INTO entries (name) SELECT n FROM x",
        "DELETE FROM entries",
        "REPLACE INTO entries (name) VALUES ('boat')",
    ] {
        let done = db.query(change, ()).await;
        assert!(
            matches!(done, Err(SqlError::ReadOnly | SqlError::Forbidden(_))),
            "{change}"
        );
    }
    assert_eq!(files.count(), 2);
}

#[tokio::test]
async fn what_reaches_outside_of_the_database_is_denied() {
    let files = Files::new();
    let other = files.folder.path().join("other.db");
    let (_server, db) = files.writing();
    for (statement, value) in [
        ("ATTACH ?1 AS other", other.to_str().unwrap()),
        ("SELECT load_extension(?1)", "/tmp/x.so"),
        ("SELECT readfile(?1)", "/etc/passwd"),
        ("SELECT writefile(?1, 'x')", "/tmp/x"),
        ("SELECT fts3_tokenizer(?1)", "simple"),
        ("SELECT edit(?1)", "x"),
        ("SELECT * FROM pragma_table_info(?1)", "entries"),
        ("SELECT * FROM pragma_database_list WHERE name = ?1", "main"),
        ("VACUUM INTO ?1", other.to_str().unwrap()),
    ] {
        let done = db.query(statement, (value,)).await;
        assert!(
            matches!(
                done,
                Err(SqlError::Statement { .. } | SqlError::Forbidden(_) | SqlError::Database(_))
            ),
            "{statement}"
        );
    }
    for statement in [
        "PRAGMA writable_schema = 1",
        "PRAGMA query_only = 0",
        "CREATE TABLE x (y)",
        "CREATE TEMP TABLE x (y)",
        "DROP TABLE entries",
        "UPDATE sqlite_schema SET sql = 'x'",
        "DELETE FROM sqlite_master",
        "INSERT INTO sqlite_sequence VALUES ('x', 1)",
    ] {
        assert!(db.execute(statement, ()).await.is_err(), "{statement}");
    }
    assert!(!other.exists());
    assert_eq!(files.count(), 2);
}

#[tokio::test]
async fn a_statement_that_does_not_end_is_stopped() {
    let files = Files::new();
    let limits = SqlLimits::default()
        .connections(1)
        .statement_timeout(Duration::from_millis(200));
    let server = files.server(limits);
    let db: Sql<Ledger, ReadOnly> = server.lend().unwrap();
    let begun = Instant::now();
    let bomb = db
        .query(
            "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) \
             SELECT count(*) FROM n",
            (),
        )
        .await;
    assert!(matches!(bomb, Err(SqlError::Timeout { .. })));
    assert!(begun.elapsed() < Duration::from_secs(20));
    // The only connection is free again, and as good as before.
    assert_eq!(db.query("SELECT 1", ()).await.unwrap().one::<i64>(), Ok(1));
}

#[tokio::test]
async fn a_call_that_is_dropped_takes_its_statement_with_it() {
    let files = Files::new();
    let limits = SqlLimits::default()
        .connections(1)
        .statement_timeout(Duration::from_secs(30));
    let server = files.server(limits);
    let db: Sql<Ledger, ReadOnly> = server.lend().unwrap();
    let endless = db.query(
        "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
        (),
    );
    let cancelled = tokio::time::timeout(Duration::from_millis(100), endless).await;
    assert!(cancelled.is_err());
    // There is one connection: this waits until the statement is gone.
    let next = tokio::time::timeout(Duration::from_secs(20), db.query("SELECT 1", ()));
    assert_eq!(next.await.unwrap().unwrap().one::<i64>(), Ok(1));
}

#[tokio::test]
async fn a_handle_dies_with_its_call_and_so_does_what_it_runs() {
    let files = Files::new();
    // It is the end of the call that ends it.
    let limits = SqlLimits::default().statement_timeout(Duration::from_secs(3600));
    let server = files.server(limits);
    let db: Sql<Ledger, ReadOnly> = server.lend().unwrap();
    let running = tokio::spawn({
        let db = db.clone();
        async move {
            db.query(
                "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) \
                 SELECT count(*) FROM n",
                (),
            )
            .await
            .map(|rows| rows.len())
        }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(server);
    let ended = tokio::time::timeout(Duration::from_secs(20), running).await;
    assert_eq!(ended.expect("it runs on").unwrap(), Err(SqlError::Revoked));
    let after = db.query("SELECT 1", ()).await.map(|rows| rows.len());
    assert_eq!(after, Err(SqlError::Revoked));
}

#[tokio::test]
async fn a_handle_that_was_kept_changes_nothing() {
    let files = Files::new();
    let (server, db) = files.writing();
    drop(server);
    let insert = "INSERT INTO entries (name) VALUES ('late')";
    assert_eq!(db.execute(insert, ()).await, Err(SqlError::Revoked));
    let returning = "INSERT INTO entries (name) VALUES ('late') RETURNING name";
    let done = db.query(returning, ()).await.map(|rows| rows.len());
    assert_eq!(done, Err(SqlError::Revoked));
    assert_eq!(files.count(), 2);
}

#[tokio::test]
async fn rows_and_bytes_are_capped_and_never_cut() {
    let files = Files::new();
    let server = files.server(SqlLimits::default().rows(10).bytes(1000));
    let db: Sql<Ledger, ReadWrite> = server.lend().unwrap();
    let numbers = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?1) \
                   SELECT i FROM n";
    assert_eq!(db.query(numbers, (10,)).await.unwrap().len(), 10);
    let error = |done: Result<mcp_secure::capability::sql::Rows, SqlError>| done.err().unwrap();
    assert_eq!(
        error(db.query(numbers, (1_000_000_000,)).await),
        SqlError::Rows { limit: 10 }
    );
    for (statement, length) in [
        ("SELECT zeroblob(?1)", 1001),
        ("SELECT hex(zeroblob(?1))", 501),
        ("SELECT zeroblob(?1), zeroblob(600)", 600),
        ("SELECT zeroblob(?1)", i64::from(i32::MAX)),
    ] {
        let done = error(db.query(statement, (length,)).await);
        assert_eq!(done, SqlError::Bytes { limit: 1000 }, "{statement}");
    }
    let long = "x".repeat(1001);
    assert_eq!(
        error(db.query("SELECT ?1", (long.as_str(),)).await),
        SqlError::Bytes { limit: 1000 }
    );
    // What goes in counts together.
    let half = "x".repeat(600);
    let both = db
        .query("SELECT length(?1) + length(?2)", (&half, &half))
        .await;
    assert_eq!(error(both), SqlError::Bytes { limit: 1000 });
    // Too much comes back of a change: it is undone.
    let wide = db
        .query(
            "INSERT INTO entries (name) SELECT value FROM json_each(?1) RETURNING name",
            ((0..50).map(|i| format!("n{i}")).collect::<Vec<_>>(),),
        )
        .await;
    assert_eq!(error(wide), SqlError::Rows { limit: 10 });
    assert_eq!(files.count(), 2);
}

#[tokio::test]
async fn a_value_that_no_database_takes_is_named_and_a_wrong_count_too() {
    let files = Files::new();
    let (_server, db) = files.reading();
    let nul = db.query("SELECT ?1, ?2", (1, "a\0b")).await.err().unwrap();
    assert!(matches!(nul, SqlError::Parameter { index: 2, .. }));
    for values in [vec![], vec![1.into_value(), 2.into_value()]] {
        let count = db.query("SELECT ?1", values).await.err().unwrap();
        assert!(matches!(count, SqlError::Parameter { index: 0, .. }));
    }
}

use mcp_secure::capability::sql::Param as _;

#[tokio::test]
async fn a_batch_is_made_whole_or_not_at_all() {
    let files = Files::new();
    let (_server, db) = files.writing();
    let take = |cents: i64, from: &str| {
        Statement::new(
            "UPDATE entries SET cents = cents - ?1 WHERE name = ?2 AND cents >= ?1",
            (cents, from),
        )
        .changes(1)
    };
    let give = |cents: i64, to: &str| {
        Statement::new(
            "UPDATE entries SET cents = cents + ?1 WHERE name = ?2",
            (cents, to),
        )
        .changes(1)
    };
    let cents = async |name: &str| {
        let rows = db
            .query("SELECT cents FROM entries WHERE name = ?1", (name,))
            .await
            .unwrap();
        rows.one::<i64>().unwrap()
    };
    let done = db.batch([take(30, "boat"), give(30, "pond")]).await;
    assert_eq!(done, Ok(vec![1, 1]));
    assert_eq!((cents("boat").await, cents("pond").await), (70, 80));
    // To nobody: what was taken is back.
    let nobody = db.batch([take(30, "boat"), give(30, "nobody")]).await;
    assert_eq!(nobody, Err(SqlError::Unmet { statement: 2 }));
    // More than there is.
    let much = db.batch([take(500, "boat"), give(500, "pond")]).await;
    assert_eq!(much, Err(SqlError::Unmet { statement: 1 }));
    // Against a rule of the schema.
    let twice = db
        .batch([
            take(1, "boat"),
            Statement::new("INSERT INTO entries (name) VALUES (?1)", ("pond",)),
        ])
        .await;
    assert!(matches!(twice, Err(SqlError::Conflict(_))));
    assert_eq!((cents("boat").await, cents("pond").await), (70, 80));
}

#[tokio::test]
async fn the_words_of_sqlite_are_not_said_to_the_caller() {
    let files = Files::new();
    let (_server, db) = files.writing();
    let errors = [
        db.query("SELECT nothing FROM entries", ()).await.err(),
        db.query("SELECT FROM WHERE", ()).await.err(),
        db.execute("INSERT INTO entries (name) VALUES (?1)", ("boat",))
            .await
            .err(),
    ];
    for error in errors {
        let error = ToolError::from(error.unwrap());
        let said = error.public_message().unwrap_or_default();
        for word in ["entries", "nothing", "syntax", "UNIQUE", "boat"] {
            assert!(!said.contains(word), "{said}");
        }
    }
}

#[tokio::test]
async fn a_database_in_wal_mode_is_read_and_written() {
    let files = Files::new();
    files.raw("PRAGMA journal_mode = WAL");
    let (_server, db) = files.writing();
    let reader = db.read_only();
    db.execute("INSERT INTO entries (name) VALUES ('wal')", ())
        .await
        .unwrap();
    let rows = reader.query("SELECT name FROM entries", ()).await.unwrap();
    assert_eq!(rows.len(), 3);
}

/// What has the name of the database by now is not opened: neither a link, nor what it leads to.
#[tokio::test]
async fn a_link_in_the_place_of_the_database_is_not_followed() {
    let files = Files::new();
    let limits = SqlLimits::default().statement_timeout(Duration::from_millis(500));
    let server = files.server(limits);
    let db: Sql<Ledger, ReadOnly> = server.lend().unwrap();
    let moved = files.folder.path().join("moved.db");
    std::fs::rename(files.path(), &moved).unwrap();
    std::os::unix::fs::symlink(&moved, files.path()).unwrap();
    // One takes the connection that is there, the other one opens its own.
    let endless = async || {
        let bomb = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) \
                    SELECT count(*) FROM n";
        db.query(bomb, ()).await.map(|rows| rows.len())
    };
    let (one, other) = tokio::join!(endless(), endless());
    let is_refused = |done: &Result<usize, SqlError>| matches!(done, Err(SqlError::Connection(_)));
    assert!(is_refused(&one) != is_refused(&other), "{one:?} {other:?}");
}

fn refused(path: &Path) -> String {
    let granted = TestServer::new().granted(Ledger::from_operator(), path);
    granted.err().expect("it was granted").to_string()
}

#[test]
fn only_a_file_that_nobody_else_decides_about_is_granted() {
    let files = Files::new();
    let folder = files.folder.path();
    let path = files.path();
    let set = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    set(&path, 0o666);
    assert!(refused(&path).contains("chmod o-w"));
    set(&path, 0o644);
    // Whoever can put a journal beside it decides what is in it, in a sticky folder as well.
    set(folder, 0o1777);
    assert!(refused(&path).contains("plays back a journal"));
    set(folder, 0o700);
    let link = folder.join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(refused(&link).contains("not a regular file"));
    let second = folder.join("second.db");
    std::fs::hard_link(&path, &second).unwrap();
    assert!(refused(&path).contains("second name"));
    std::fs::remove_file(second).unwrap();
    let inner = folder.join("inner");
    std::fs::create_dir(&inner).unwrap();
    assert!(refused(&inner).contains("not a regular file"));
    assert!(refused(&folder.join("none.db")).contains("creates none"));
    let text = folder.join("text.db");
    std::fs::write(
        &text,
        "this is no database, however long the text is made to be here",
    )
    .unwrap();
    assert!(refused(&text).contains("SQLite database"));
    assert!(refused(Path::new("/etc/passwd")).contains("belongs to the system"));
    assert!(
        TestServer::new()
            .granted(Ledger::from_operator(), &path)
            .is_ok()
    );
}

/// Three hundred megabytes in a table that SQLite makes for itself: no value is too long, and no
/// row is too much.
#[tokio::test]
async fn a_statement_does_not_take_all_memory() {
    let files = Files::new();
    let limits = SqlLimits::default().statement_timeout(Duration::from_secs(300));
    let server = files.server(limits);
    let db: Sql<Ledger, ReadOnly> = server.lend().unwrap();
    let hoard = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 300) \
                 SELECT count(*) FROM (SELECT DISTINCT randomblob(1000000) FROM n)";
    let done = db.query(hoard, ()).await.map(|rows| rows.len());
    assert!(matches!(done, Err(SqlError::Bytes { .. })), "{done:?}");
    assert_eq!(db.query("SELECT 1", ()).await.unwrap().one::<i64>(), Ok(1));
}

/// The tables that an index keeps for itself; and a name in double quotes, which is no text.
#[tokio::test]
async fn what_is_below_an_index_is_not_written_and_a_name_is_never_a_text() {
    let files = Files::new();
    files.raw(
        "CREATE VIRTUAL TABLE docs USING fts5(text); INSERT INTO docs VALUES ('a boat');
         CREATE TABLE owners (name TEXT REFERENCES entries (name));
         CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT);
         INSERT INTO counted VALUES (7);",
    );
    let (_server, db) = files.writing();
    let found = "SELECT text FROM docs WHERE docs MATCH ?1";
    assert_eq!(db.query(found, ("boat",)).await.unwrap().len(), 1);
    for broken in [
        "DELETE FROM docs_data",
        "UPDATE sqlite_sequence SET seq = 0",
        "UPDATE docs_content SET c0 = 'x'",
        "UPDATE entries SET text = \"swordfish\"",
        "INSERT INTO owners VALUES ('nobody')",
    ] {
        assert!(db.execute(broken, ()).await.is_err(), "{broken}");
    }
    assert_eq!(db.query(found, ("boat",)).await.unwrap().len(), 1);
}

/// A schema that was prepared by someone else: a view that calls what it must not.
#[tokio::test]
async fn a_prepared_view_or_trigger_does_not_reach_out() {
    let files = Files::new();
    files.raw(
        "CREATE VIEW trap AS SELECT load_extension('/tmp/x.so') AS x;
         CREATE TABLE open (x);
         CREATE TRIGGER t AFTER INSERT ON open BEGIN
             SELECT load_extension('/tmp/x.so');
         END;",
    );
    let (_server, db) = files.writing();
    assert!(db.query("SELECT x FROM trap", ()).await.is_err());
    assert!(db.execute("INSERT INTO open VALUES (1)", ()).await.is_err());
}
