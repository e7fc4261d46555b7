//! Questions to one database, and nothing beside them.
//!
//! A [`Sql`] handle stands for a database that the operator granted, lent to one call. A
//! statement is a text of the program (`&'static str`) and values are bound to its
//! placeholders, so nothing that a model, a user or a document says is ever read as SQL. Read
//! only is not a matter of looking at statements, which every list of forbidden words has lost:
//! the connection is opened for reading only, and the transaction too; on PostgreSQL the role
//! is asked for its rights at the start, and one that could write does not serve a handle that
//! reads.
//!
//! An operator binds SQLite by a path, and PostgreSQL by an address without a password:
//!
//! ```text
//! --grant ledger=/srv/ledger/ledger.db
//! --grant ledger=postgres://reader@db.example.com:5432/app?passfile=/run/secrets/db
//! --grant ledger=postgres://reader@/app?host=/run/postgresql
//! ```
//!
//! An order or a column that a caller chooses is one of several statements, not a part of one:
//!
//! ```
//! enum By { Date, Amount }
//!
//! impl By {
//!     fn statement(&self) -> &'static str {
//!         match self {
//!             By::Date => "SELECT id, amount FROM entries ORDER BY date DESC LIMIT 100",
//!             By::Amount => "SELECT id, amount FROM entries ORDER BY amount DESC LIMIT 100",
//!         }
//!     }
//! }
//! ```
//!
//! This room knows the two databases and the lease of a call; it knows nothing of transports,
//! layers or macros.
//!
//! ```text
//! param, statement   what is asked             rows       what is answered
//! grant              the operator's grant      pool       connections between calls
//! sqlite, postgres   two databases             error      what is said on refusal
//! ```
//!
//! What it does not cover: what a statement of yours means, what views, triggers and functions
//! of the schema do with the rights of their owner, and schema changes, which no handle can
//! make.

mod error;
mod grant;
mod param;
mod pool;
#[cfg(feature = "postgres")]
mod postgres;
mod rows;
#[cfg(feature = "sqlite")]
mod sqlite;
mod statement;

use std::{fmt, marker::PhantomData, sync::Arc};

pub use super::mode::{Mode, ReadOnly, ReadWrite};
pub use error::{Detail, SqlError};
pub use grant::{SqlGrant, SqlLimits};
pub use param::{Param, Params, Value};
pub use rows::Rows;
pub use statement::Statement;

use super::{Capability, Facts, Handle, Lease, Step, Trail, mode::access, sealed::Sealed};
use crate::{
    call::Call,
    error::{ToolError, ToolResult},
};

/// A database that a server needs, declared with `#[capability(sql = "postgres")]`.
pub trait Database: Capability {
    /// Which database it is.
    const ENGINE: Engine;
    /// Private, loopback and other special addresses may be connected to.
    const ALLOW_PRIVATE: bool;
}

/// The databases that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Engine {
    /// PostgreSQL (feature `postgres`).
    #[cfg(feature = "postgres")]
    Postgres,
    /// A SQLite file (feature `sqlite`).
    #[cfg(feature = "sqlite")]
    Sqlite,
}

impl Engine {
    /// A PostgreSQL server may be anywhere; a file is on this host.
    const fn open_world(self) -> bool {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres => true,
            #[cfg(feature = "sqlite")]
            Self::Sqlite => false,
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            #[cfg(feature = "postgres")]
            Self::Postgres => "PostgreSQL",
            #[cfg(feature = "sqlite")]
            Self::Sqlite => "SQLite",
        })
    }
}

/// A database lent to one call.
///
/// When the call ends, so does the handle: everything then answers [`SqlError::Revoked`], and a
/// statement that is under way is stopped. A call that is cancelled takes its statement with it.
///
/// ```
/// use mcp_secure::{ToolResult, capability::sql::{Database, ReadWrite, Sql, Statement}};
///
/// /// Both changes are made, or none.
/// async fn transfer<D: Database>(db: Sql<D, ReadWrite>, from: &str, to: &str, cents: i64) -> ToolResult<()> {
///     db.batch([
///         Statement::new(
///             "UPDATE accounts SET cents = cents - ?1 WHERE name = ?2 AND cents >= ?1",
///             (cents, from),
///         )
///         .changes(1),
///         Statement::new("UPDATE accounts SET cents = cents + ?1 WHERE name = ?2", (cents, to))
///             .changes(1),
///     ])
///     .await?;
///     Ok(())
/// }
/// ```
///
/// A text that is made at run time is no statement:
///
/// ```compile_fail
/// # use mcp_secure::{ToolResult, capability::sql::{Database, ReadOnly, Sql}};
/// async fn find<D: Database>(db: Sql<D, ReadOnly>, name: String) -> ToolResult<()> {
///     db.query(&format!("SELECT id FROM users WHERE name = '{name}'"), ()).await?;
///     Ok(())
/// }
/// ```
///
/// A handle for reading has no way to change anything:
///
/// ```compile_fail
/// # use mcp_secure::{ToolResult, capability::sql::{Database, ReadOnly, Sql}};
/// async fn clear<D: Database>(db: Sql<D, ReadOnly>) -> ToolResult<()> {
///     db.execute("DELETE FROM users", ()).await?;
///     Ok(())
/// }
/// ```
pub struct Sql<D, M> {
    open: Arc<OpenSql>,
    lease: Lease,
    trail: Trail,
    of: PhantomData<fn() -> (D, M)>,
}

/// The result of a statement.
type Result<T> = std::result::Result<T, SqlError>;

/// A database that is granted and open.
pub(crate) enum OpenSql {
    #[cfg(feature = "postgres")]
    Postgres(postgres::Server),
    #[cfg(feature = "sqlite")]
    Sqlite(sqlite::File),
}

impl OpenSql {
    fn limits(&self) -> SqlLimits {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(server) => server.limits,
            #[cfg(feature = "sqlite")]
            Self::Sqlite(file) => file.limits,
        }
    }
}

impl<D: Database, M: Mode> Sql<D, M> {
    /// Asks for rows. With a handle that writes, it may also be a statement that changes rows
    /// and has a `RETURNING`.
    ///
    /// # Errors
    ///
    /// [`SqlError`]; one of [`Rows`](SqlError::Rows) or [`Bytes`](SqlError::Bytes) for an
    /// answer that is too large: it is never cut.
    pub async fn query(&self, sql: &'static str, params: impl Params) -> Result<Rows> {
        self.run_query(Statement::new(sql, params)).await
    }

    /// The same database for reading only.
    pub fn read_only(&self) -> Sql<D, ReadOnly> {
        Sql {
            open: Arc::clone(&self.open),
            lease: self.lease.clone(),
            trail: self.trail.clone(),
            of: PhantomData,
        }
    }

    async fn run_query(&self, statement: Statement) -> Result<Rows> {
        let mut note = Note::new::<D>(&self.trail, &statement);
        let done = self.answer(statement).await;
        note.done(done.as_ref().map(|rows| (rows.len() as u64, rows.bytes)));
        done
    }

    async fn answer(&self, statement: Statement) -> Result<Rows> {
        live(&self.lease)?;
        statement.check(M::WRITES, self.open.limits().bytes)?;
        match &*self.open {
            #[cfg(feature = "postgres")]
            OpenSql::Postgres(server) => server.query(statement, M::WRITES, &self.lease).await,
            #[cfg(feature = "sqlite")]
            OpenSql::Sqlite(file) => file.query(statement, M::WRITES, &self.lease).await,
        }
    }
}

impl<D: Database> Sql<D, ReadWrite> {
    /// Changes rows; answers how many.
    ///
    /// # Errors
    ///
    /// [`SqlError`]; on every one of them nothing was changed, except
    /// [`Connection`](SqlError::Connection) and [`Timeout`](SqlError::Timeout), after which it
    /// is not known: the connection may have ended after the change and before the answer.
    pub async fn execute(&self, sql: &'static str, params: impl Params) -> Result<u64> {
        let counts = self.batch([Statement::new(sql, params)]).await?;
        Ok(counts.first().copied().unwrap_or_default())
    }

    /// Changes rows with several statements, in one transaction: all of them, or none. Answers
    /// how many rows each changed.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute), and [`SqlError::Unmet`].
    pub async fn batch(&self, statements: impl IntoIterator<Item = Statement>) -> Result<Vec<u64>> {
        let statements: Vec<Statement> = statements.into_iter().collect();
        let mut notes: Vec<Note> = statements
            .iter()
            .map(|statement| Note::new::<D>(&self.trail, statement))
            .collect();
        let done = self.changes(statements).await;
        for (index, note) in notes.iter_mut().enumerate() {
            let changed = |counts: &Vec<u64>| (counts.get(index).copied().unwrap_or_default(), 0);
            note.done(done.as_ref().map(changed));
        }
        done
    }

    async fn changes(&self, statements: Vec<Statement>) -> Result<Vec<u64>> {
        live(&self.lease)?;
        let limit = self.open.limits().bytes;
        for statement in &statements {
            statement.check(true, limit)?;
        }
        match &*self.open {
            #[cfg(feature = "postgres")]
            OpenSql::Postgres(server) => server.batch(statements, &self.lease).await,
            #[cfg(feature = "sqlite")]
            OpenSql::Sqlite(file) => file.batch(statements, &self.lease).await,
        }
    }
}

/// What the audit record says of one statement, however its future ends.
struct Note {
    trail: Trail,
    step: Option<Step>,
}

impl Note {
    fn new<D: Database>(trail: &Trail, statement: &Statement) -> Self {
        Self {
            trail: trail.clone(),
            step: Some(Step {
                kind: "sql",
                file: None,
                capability: D::NAME,
                action: statement::label(statement.sql),
                outcome: "failed",
                control: None,
                detail: Some("cancelled".to_owned()),
                bytes_in: 0,
                bytes_out: statement.values.iter().map(Value::bytes).sum(),
            }),
        }
    }

    /// With rows and bytes.
    fn done(&mut self, done: std::result::Result<(u64, u64), &SqlError>) {
        let Some(step) = &mut self.step else { return };
        match done {
            Ok((rows, bytes)) => {
                step.outcome = "ok";
                step.detail = Some(format!("rows: {rows}"));
                step.bytes_in = bytes;
            }
            Err(error) => {
                step.control = error.control();
                step.outcome = if step.control.is_some() {
                    "denied"
                } else {
                    "failed"
                };
                step.detail = None;
            }
        }
        if let Some(step) = self.step.take() {
            self.trail.add(step);
        }
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        if let Some(step) = self.step.take() {
            self.trail.add(step);
        }
    }
}

fn live(lease: &Lease) -> Result<()> {
    if lease.is_live() {
        Ok(())
    } else {
        Err(SqlError::Revoked)
    }
}

impl<D, M> Clone for Sql<D, M> {
    fn clone(&self) -> Self {
        Self {
            open: Arc::clone(&self.open),
            lease: self.lease.clone(),
            trail: self.trail.clone(),
            of: PhantomData,
        }
    }
}

impl<D: Database, M: Mode> fmt::Debug for Sql<D, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sql({}, {})", D::NAME, access::<M>())
    }
}

impl<D: Database, M: Mode> Sealed for Sql<D, M> {}

impl<D: Database, M: Mode> Handle for Sql<D, M> {
    const FACTS: &'static [Facts] = &[Facts {
        capability: D::NAME,
        access: access::<M>(),
        writes: M::WRITES,
        destructive: M::WRITES,
        open_world: D::ENGINE.open_world(),
        private: D::PRIVATE,
        needs_approval: M::WRITES,
        ..Facts::inert("sql")
    }];

    fn lend(call: &mut Call) -> ToolResult<Self> {
        let open = call.grants.get::<D, OpenSql>().ok_or_else(|| {
            ToolError::internal(format_args!("no grant for capability `{}`", D::NAME))
        })?;
        Ok(Self {
            open,
            lease: call.lease.clone(),
            trail: call.trail.clone(),
            of: PhantomData,
        })
    }
}

/// For the benchmark. Not part of the API.
#[cfg(feature = "__bench")]
#[doc(hidden)]
impl<D: Database, M: Mode> Sql<D, M> {
    pub fn __for_bench(grant: SqlGrant<D>, value: &str, lease: Lease) -> crate::Result<Self> {
        use crate::capability::{Asked, Grant, Opening, Rights};
        let source = Grant::from(grant).source;
        let base = std::path::Path::new("/");
        let asked = Asked {
            written: value.as_ref(),
            base,
        };
        let binding = source.bind(Some(&asked), base)?;
        let rights = Rights { writes: M::WRITES };
        let open = source.open(&binding, rights, &mut Opening::default())?;
        Ok(Self {
            open: open
                .downcast()
                .map_err(|_| crate::Error::new("not a database"))?,
            lease,
            trail: Trail::default(),
            of: PhantomData,
        })
    }
}
