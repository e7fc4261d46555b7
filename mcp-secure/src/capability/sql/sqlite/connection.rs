//! One connection, hardened before it sees a statement.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{
    OpenFlags, config::DbConfig, fallible_iterator::FallibleIterator as _, limits::Limit,
};

use super::{
    Result, cell,
    guard::{self, Stop},
    told,
};
use crate::capability::sql::{Rows, SqlError, SqlLimits, Statement};

pub(super) struct Connection {
    sqlite: rusqlite::Connection,
    watch: Watch,
    limits: SqlLimits,
}

/// What the statement that is running is held against, if one is.
type Watch = Arc<Mutex<Option<Stop>>>;

impl Connection {
    pub(super) fn open(path: &Path, writes: bool, limits: SqlLimits) -> Result<Self> {
        let told = |error| told(&error, limits);
        let sqlite = open(path, writes).map_err(told)?;
        let mut connection = Self {
            sqlite,
            watch: Watch::default(),
            limits,
        };
        connection.harden(writes).map_err(told)?;
        Ok(connection)
    }

    /// In this order: the authorizer closes `PRAGMA` for us, too.
    fn harden(&mut self, writes: bool) -> rusqlite::Result<()> {
        let sqlite = &mut self.sqlite;
        for (option, value) in [
            // No writing to shadow tables or to the schema as if it were a table.
            (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
            (DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, false),
            // Views and triggers of a prepared file call no function with side effects.
            (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_WRITE, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true),
            // `"x"` is a column, and an error if there is none; never a text.
            (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
            (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
        ] {
            sqlite.set_db_config(option, value)?;
        }
        sqlite.pragma_update(None, "query_only", !writes)?;
        sqlite.pragma_update(None, "cell_size_check", true)?;
        // No temporary file: a sandbox has no place for it. What is held in memory instead is
        // bounded; the bound is one for the process.
        sqlite.pragma_update(None, "temp_store", "MEMORY")?;
        sqlite.pragma_update(None, "mmap_size", 0)?;
        sqlite.query_row(&format!("PRAGMA hard_heap_limit = {HEAP}"), [], |_| Ok(()))?;
        let bytes = i32::try_from(self.limits.bytes).unwrap_or(i32::MAX);
        for (limit, value) in [
            (Limit::SQLITE_LIMIT_LENGTH, bytes),
            (Limit::SQLITE_LIMIT_ATTACHED, 0),
            (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000),
            (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 16),
            (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
        ] {
            sqlite.set_limit(limit, value)?;
        }
        sqlite.busy_timeout(self.limits.statement_timeout.min(BUSY))?;
        sqlite.authorizer(Some(move |context: rusqlite::hooks::AuthContext<'_>| {
            guard::authorize(&context, writes)
        }))?;
        let watch = Arc::clone(&self.watch);
        sqlite.progress_handler(
            STEPS,
            Some(move || {
                let watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
                watch.as_ref().is_some_and(|stop| stop.reason().is_some())
            }),
        )
    }

    /// From now on, statements are held against this.
    pub(super) fn watch(&self, stop: Option<Stop>) {
        *self.watch.lock().unwrap_or_else(PoisonError::into_inner) = stop;
    }

    /// Whether it can be used again: no transaction is open.
    pub(super) fn is_idle(&self) -> bool {
        self.sqlite.is_autocommit()
    }

    pub(super) fn query(&mut self, statement: &Statement, limits: SqlLimits) -> Result<Rows> {
        let reads = self.prepare(statement)?.readonly();
        if reads {
            return self.rows(statement, limits);
        }
        // Rows of a `RETURNING` that are too many undo the change.
        self.transaction(|connection| connection.rows(statement, limits))
    }

    pub(super) fn batch(&mut self, statements: &[Statement]) -> Result<Vec<u64>> {
        self.transaction(|connection| {
            let mut counts = Vec::with_capacity(statements.len());
            for (index, statement) in statements.iter().enumerate() {
                let mut prepared = connection.prepare(statement)?;
                if prepared.column_count() > 0 {
                    return Err(SqlError::Statement {
                        reason: "it answers rows; ask with `query`",
                    });
                }
                let limits = connection.limits;
                let count = prepared.raw_execute().map_err(|e| told(&e, limits))? as u64;
                if statement.changes.is_some_and(|must| must != count) {
                    return Err(SqlError::Unmet {
                        statement: index + 1,
                    });
                }
                counts.push(count);
            }
            Ok(counts)
        })
    }

    /// One statement with its values. What comes after it is prepared as well, which tells
    /// whether it is nothing, and never run.
    fn prepare(&self, statement: &Statement) -> Result<rusqlite::Statement<'_>> {
        let told = |error| told(&error, self.limits);
        let mut all = rusqlite::Batch::new(&self.sqlite, statement.sql);
        let Some(mut prepared) = all.next().map_err(told)? else {
            return Err(SqlError::Statement {
                reason: "it is none",
            });
        };
        if !matches!(all.next(), Ok(None)) {
            return Err(SqlError::Statement {
                reason: "it is more than one",
            });
        }
        if prepared.parameter_count() != statement.values.len() {
            return Err(SqlError::Parameter {
                index: 0,
                reason: "there are more or fewer than placeholders",
            });
        }
        for (index, value) in statement.values.iter().enumerate() {
            prepared
                .raw_bind_parameter(index + 1, value)
                .map_err(told)?;
        }
        Ok(prepared)
    }

    fn rows(&self, statement: &Statement, limits: SqlLimits) -> Result<Rows> {
        let mut prepared = self.prepare(statement)?;
        let columns: Vec<String> = prepared.column_names().map(str::to_owned).collect();
        let width = columns.len();
        let (mut found, mut rows, mut bytes) = (prepared.raw_query(), Vec::new(), 0);
        while let Some(row) = found.next().map_err(|e| told(&e, limits))? {
            if rows.len() as u64 >= limits.rows {
                return Err(SqlError::Rows { limit: limits.rows });
            }
            let mut cells = Vec::with_capacity(width);
            for index in 0..width {
                let value = row.get_ref(index).map_err(|e| told(&e, limits))?;
                let (cell, length) = cell(value)?;
                bytes += length;
                if bytes > limits.bytes {
                    return Err(SqlError::Bytes {
                        limit: limits.bytes,
                    });
                }
                cells.push(cell);
            }
            rows.push(cells);
        }
        Ok(Rows {
            columns: columns.into(),
            rows,
            bytes,
        })
    }

    fn transaction<T>(&mut self, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let limits = self.limits;
        let run = |sql| {
            self.sqlite
                .execute_batch(sql)
                .map_err(|error| told(&error, limits))
        };
        run("BEGIN IMMEDIATE")?;
        let done = work(self).and_then(|done| run("COMMIT").map(|()| done));
        if done.is_err() && !self.sqlite.is_autocommit() {
            // The reason to stop is not a reason to leave half of it.
            self.watch(None);
            let _ = self.sqlite.execute_batch("ROLLBACK");
        }
        done
    }
}

/// Opens the file itself: no link, no URI, nothing created.
pub(super) fn open(path: &Path, writes: bool) -> rusqlite::Result<rusqlite::Connection> {
    let access = if writes {
        OpenFlags::SQLITE_OPEN_READ_WRITE
    } else {
        OpenFlags::SQLITE_OPEN_READ_ONLY
    };
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    rusqlite::Connection::open_with_flags(path, flags)
}

/// How often a running statement is asked whether it may go on: each so many steps of SQLite's
/// machine, which is some microseconds.
const STEPS: i32 = 1000;

/// How long to wait for a lock that another one holds.
const BUSY: Duration = Duration::from_secs(2);

/// Memory of SQLite, in bytes, over all connections of the process.
const HEAP: u64 = 256 << 20;
