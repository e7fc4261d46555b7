//! A statement and its values, before it goes to a database.

use sha2::{Digest as _, Sha256};

use super::{Params, SqlError, Value};

/// A statement with the values that are bound to it, for
/// [`batch`](super::Sql::batch).
#[must_use]
pub struct Statement {
    pub(super) sql: &'static str,
    pub(super) values: Vec<Value>,
    pub(super) changes: Option<u64>,
}

impl Statement {
    /// A statement and its values.
    pub fn new(sql: &'static str, params: impl Params) -> Self {
        Self {
            sql,
            values: params.into_values(),
            changes: None,
        }
    }

    /// It must change exactly so many rows; otherwise the whole batch is undone and answers
    /// [`SqlError::Unmet`]. So a condition can be part of the statement itself
    /// (`… WHERE balance >= ?1`), where nothing comes between the look and the change.
    pub fn changes(mut self, rows: u64) -> Self {
        self.changes = Some(rows);
        self
    }

    /// Holds it against the rules that are the same for all databases.
    pub(super) fn check(&self, writes: bool, limit: u64) -> Result<&'static str, SqlError> {
        let verb = verb(self.sql)?;
        if !writes && WRITING.contains(&verb) {
            return Err(SqlError::ReadOnly);
        }
        let mut bytes = 0;
        for (index, value) in self.values.iter().enumerate() {
            if let Some(reason) = value.fault() {
                return Err(SqlError::Parameter {
                    index: index + 1,
                    reason,
                });
            }
            bytes += value.bytes();
        }
        if bytes > limit {
            return Err(SqlError::Bytes { limit });
        }
        Ok(verb)
    }
}

/// The first word of a statement, if it is one that reads or changes rows.
///
/// What a statement does is not known from its first word, and nothing here relies on that. It
/// keeps apart what is no matter of rows at all: what would end our transaction or change our
/// session (`COMMIT`, `SET`, `DISCARD`), the schema, `ATTACH`, `PRAGMA`, `COPY`, `DO`, `CALL`.
fn verb(sql: &'static str) -> Result<&'static str, SqlError> {
    let start = sql.trim_start();
    let word = start
        .split(|c: char| !c.is_ascii_alphabetic())
        .next()
        .unwrap_or_default();
    READING
        .iter()
        .chain(WRITING)
        .copied()
        .find(|verb| word.eq_ignore_ascii_case(verb))
        .ok_or(SqlError::Statement {
            reason: "it does not begin with a word that reads or changes rows",
        })
}

/// The name of a statement in audit records: its first word and the start of its digest. Values
/// are not part of a statement, so nothing of a call is in it.
pub(super) fn label(sql: &'static str) -> String {
    let verb = verb(sql).unwrap_or("?");
    let digest = Sha256::digest(sql.as_bytes());
    let [a, b, c, d, ..] = <[u8; 32]>::from(digest);
    format!("{verb} {a:02x}{b:02x}{c:02x}{d:02x}")
}

const READING: &[&str] = &["SELECT", "WITH", "VALUES", "TABLE"];
const WRITING: &[&str] = &["INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_matter_of_rows_is_refused_by_its_first_word() {
        for sql in [
            "ATTACH '/etc/passwd' AS x",
            "PRAGMA writable_schema = 1",
            "COMMIT",
            "SET default_transaction_read_only = off",
            "COPY t TO PROGRAM 'id'",
            "DO $$ BEGIN END $$",
            "CALL p()",
            "VACUUM INTO '/tmp/x'",
            "EXPLAIN ANALYZE DELETE FROM t",
            "CREATE TABLE t (x)",
            "DROP TABLE t",
            "BEGIN",
            "/* SELECT */ DROP TABLE t",
            "-- SELECT\nDROP TABLE t",
            "; DROP TABLE t",
            "SELECTED",
            "",
        ] {
            let statement = Statement::new(sql, ());
            let error = statement.check(true, 100);
            assert!(matches!(error, Err(SqlError::Statement { .. })), "{sql}");
        }
    }

    #[test]
    fn a_writing_word_needs_a_handle_that_writes() {
        for sql in [
            "INSERT INTO t VALUES (1)",
            " update t set x = 1",
            "DELETE FROM t",
        ] {
            assert_eq!(
                Statement::new(sql, ()).check(false, 100),
                Err(SqlError::ReadOnly)
            );
            assert!(Statement::new(sql, ()).check(true, 100).is_ok());
        }
    }

    #[test]
    fn the_label_names_the_statement_and_no_value() {
        let label = label("select * from users where name = ?1");
        assert!(label.starts_with("SELECT "), "{label}");
        assert_eq!(label.len(), "SELECT 00000000".len());
    }
}
