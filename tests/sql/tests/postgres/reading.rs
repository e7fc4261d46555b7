//! Where reading ends: statements that change, stack, or reach out of the database.

use super::*;

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
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'";
    assert_eq!(cluster.run(locks), "0");
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
    assert_eq!(cluster.run(locks), "0");
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
