//! SQLite: one file, opened by this process.

mod connection;
mod file;
mod guard;

use std::{path::PathBuf, sync::Arc};

use rusqlite::types::ValueRef;

use self::{connection::Connection, guard::Stop};
use super::{
    Lease, Rows, SqlError, SqlLimits, Statement, Value, error::Detail, pool::Pool, rows::Cell,
};

type Result<T> = std::result::Result<T, SqlError>;

/// A database file that is granted and open.
pub(crate) struct File {
    path: Arc<PathBuf>,
    pub(super) limits: SqlLimits,
    read: Arc<Pool<Connection>>,
    /// If some handle writes.
    write: Option<Arc<Pool<Connection>>>,
    /// Keeps what lies beside a database in WAL mode in its place; see [`file`].
    _anchor: Option<std::sync::Mutex<rusqlite::Connection>>,
}

impl File {
    pub(super) async fn query(
        &self,
        statement: Statement,
        writes: bool,
        lease: &Lease,
    ) -> Result<Rows> {
        let limits = self.limits;
        self.run(writes, lease, move |connection| {
            connection.query(&statement, limits)
        })
        .await
    }

    pub(super) async fn batch(
        &self,
        statements: Vec<Statement>,
        lease: &Lease,
    ) -> Result<Vec<u64>> {
        self.run(true, lease, move |connection| connection.batch(&statements))
            .await
    }

    /// Runs something on a connection where it may block. What is dropped here is stopped there.
    async fn run<T: Send + 'static>(
        &self,
        writes: bool,
        lease: &Lease,
        work: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let pool = if writes {
            self.write.as_ref().ok_or(SqlError::ReadOnly)?
        } else {
            &self.read
        };
        let limit = self.limits.statement_timeout;
        let permit = pool.permit(limit).await?;
        let stop = Stop::new(lease.clone(), limit);
        // However this future ends, the statement does not outlive it.
        let _stopping = stop.on_drop();
        let (pool, path, limits) = (Arc::clone(pool), Arc::clone(&self.path), self.limits);
        let running = tokio::task::spawn_blocking(move || {
            let mut connection = match pool.take() {
                Some(connection) => connection,
                None => Connection::open(&path, writes, limits)?,
            };
            connection.watch(Some(stop.clone()));
            let done = work(&mut connection);
            connection.watch(None);
            if connection.is_idle() {
                pool.put(connection);
            }
            drop(permit);
            // Whatever the words of SQLite are, this is why.
            match (done, stop.reason()) {
                (Err(_), Some(reason)) => Err(reason),
                (done, _) => done,
            }
        });
        // One step of SQLite's may take longer than what is looked at between steps.
        match tokio::time::timeout(limit + GRACE, running).await {
            Ok(Ok(done)) => {
                super::live(lease)?;
                done
            }
            Ok(Err(error)) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down, and with it the call.
                Err(_) => Err(SqlError::Revoked),
            },
            Err(_) => Err(SqlError::Timeout { limit }),
        }
    }
}

/// How long a statement may take to notice that it is stopped.
const GRACE: std::time::Duration = std::time::Duration::from_secs(1);

/// What rusqlite says, in our words.
fn told(error: &rusqlite::Error, limits: SqlLimits) -> SqlError {
    use rusqlite::ErrorCode as Code;
    let rusqlite::Error::SqliteFailure(failure, _) = error else {
        return match error {
            rusqlite::Error::SqlInputError { error: failure, .. }
                if failure.code == Code::AuthorizationForStatementDenied =>
            {
                forbidden(error)
            }
            rusqlite::Error::InvalidParameterCount(..) => SqlError::Parameter {
                index: 0,
                reason: "there are more or fewer than placeholders",
            },
            error => SqlError::database(error),
        };
    };
    match failure.code {
        Code::ReadOnly => SqlError::ReadOnly,
        Code::AuthorizationForStatementDenied => forbidden(error),
        Code::ConstraintViolation => SqlError::Conflict(Detail(error.to_string())),
        Code::DatabaseBusy | Code::DatabaseLocked => SqlError::Busy,
        Code::TooBig | Code::OutOfMemory => SqlError::Bytes {
            limit: limits.bytes,
        },
        Code::CannotOpen | Code::NotADatabase | Code::PermissionDenied => {
            SqlError::connection(error)
        }
        _ => SqlError::database(error),
    }
}

fn forbidden(error: &rusqlite::Error) -> SqlError {
    SqlError::Forbidden(Detail(error.to_string()))
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        use rusqlite::types::{ToSqlOutput, Value as Owned};
        let borrowed = match self {
            Self::Null => ValueRef::Null,
            Self::Bool(value) => ValueRef::Integer((*value).into()),
            Self::Integer(value) => ValueRef::Integer(*value),
            Self::Real(value) => ValueRef::Real(*value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Bytes(value) => ValueRef::Blob(value),
            Self::Integers(all) => return json(all),
            Self::Texts(all) => return json(all),
        };
        fn json<T: serde::Serialize>(all: &[T]) -> rusqlite::Result<ToSqlOutput<'static>> {
            serde_json::to_string(all)
                .map(|text| ToSqlOutput::Owned(Owned::Text(text)))
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
        }
        Ok(ToSqlOutput::Borrowed(borrowed))
    }
}

/// A value, and its length.
fn cell(value: ValueRef<'_>) -> Result<(Cell, u64)> {
    Ok(match value {
        ValueRef::Null => (Cell::Null, 8),
        ValueRef::Integer(value) => (Cell::Integer(value), 8),
        ValueRef::Real(value) => (Cell::Real(value), 8),
        ValueRef::Text(bytes) => {
            let text = std::str::from_utf8(bytes).map_err(SqlError::shape)?;
            (Cell::Text(text.to_owned()), bytes.len() as u64)
        }
        ValueRef::Blob(bytes) => (Cell::Bytes(bytes.to_owned()), bytes.len() as u64),
    })
}
