//! Through a real process: what stops its start, and what is in its record.

use std::path::Path;

use mcp_secure::serde_json::json;

use super::*;
use crate::wire::Server;

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

/// A row is one message of the protocol: it is not taken in to be refused then.
#[test]
fn a_row_that_is_too_large_does_not_come_into_memory() {
    let cluster = cluster!();
    let mut server = Server::start("reading", &grant(&cluster.socket("reader")));
    assert_eq!(server.call("wide", json!({ "bytes": 10 })), "xxxxxxxxxx");
    let before = server.peak();
    server.call("wide", json!({ "bytes": 40_000_000 }));
    server.refused_by("sql/bytes");
    let more = server.peak() - before;
    assert!(more < 20_000, "{more} kB");
}
