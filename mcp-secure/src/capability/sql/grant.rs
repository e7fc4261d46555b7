//! The grant of a database.

use std::{any::Any, fmt, marker::PhantomData, path::Path, sync::Arc, time::Duration};

use super::{Database, Engine, OpenSql};
use crate::{
    capability::{Asked, Binding, Grant, Opening, Rights, Source},
    error::{Error, Result},
};

/// How much one statement may take, and a grant in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SqlLimits {
    /// Rows of one answer. 1000. More is an error: a statement that can find many has a `LIMIT`.
    pub rows: u64,
    /// Bytes of all values of one answer, of one value that the database works on, and of all
    /// values that are bound to one statement. 4 MiB.
    pub bytes: u64,
    /// From the start of a statement, or of a batch, to the end of its answer. 5 s.
    pub statement_timeout: Duration,
    /// Connections of the grant; a call beyond waits for as long as a statement may take. 4.
    pub connections: usize,
}

impl Default for SqlLimits {
    fn default() -> Self {
        Self {
            rows: 1000,
            bytes: 4 << 20,
            statement_timeout: Duration::from_secs(5),
            connections: 4,
        }
    }
}

impl SqlLimits {
    /// Other [`rows`](Self::rows).
    #[must_use]
    pub fn rows(mut self, rows: u64) -> Self {
        self.rows = rows;
        self
    }

    /// Other [`bytes`](Self::bytes).
    #[must_use]
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// Another [`statement_timeout`](Self::statement_timeout).
    #[must_use]
    pub fn statement_timeout(mut self, timeout: Duration) -> Self {
        self.statement_timeout = timeout;
        self
    }

    /// Other [`connections`](Self::connections).
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }
}

/// For the manifest.
impl fmt::Display for SqlLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "at most {} rows, {} bytes and {} ms a statement, {} connections",
            self.rows,
            self.bytes,
            self.statement_timeout.as_millis(),
            self.connections
        )
    }
}

/// The ceiling of a database in code, from `D::from_operator()`.
///
/// The operator binds a SQLite database by its path, and a PostgreSQL one by
/// `postgres://USER@HOST:PORT/DATABASE`; see [the module](super).
pub struct SqlGrant<D> {
    limits: SqlLimits,
    #[cfg(all(feature = "postgres", feature = "vault"))]
    credential: Option<&'static str>,
    of: PhantomData<fn() -> D>,
}

impl<D: Database> SqlGrant<D> {
    /// The database is named by the operator.
    #[doc(hidden)]
    pub fn from_operator() -> Self {
        Self {
            limits: SqlLimits::default(),
            #[cfg(all(feature = "postgres", feature = "vault"))]
            credential: None,
            of: PhantomData,
        }
    }

    /// Replaces the limits.
    #[must_use]
    pub fn limits(mut self, limits: SqlLimits) -> Self {
        self.limits = limits;
        self
    }
}

#[cfg(all(feature = "postgres", feature = "vault"))]
impl<D: Database> SqlGrant<D> {
    /// Proves to a PostgreSQL server who asks with a password of the server's
    /// [vault](crate::vault), stored with `mcp-secure vault set NAME --password --host
    /// postgres://HOST:PORT`. No tool sees it; a grant for another server stops the start.
    #[must_use]
    pub fn credential(mut self, name: &'static str) -> Self {
        self.credential = Some(name);
        self
    }
}

impl<D: Database> From<SqlGrant<D>> for Grant {
    fn from(grant: SqlGrant<D>) -> Self {
        Self::of::<D>(Declared {
            name: D::NAME,
            engine: D::ENGINE,
            limits: grant.limits,
            #[cfg(all(feature = "postgres", feature = "vault"))]
            credential: grant.credential,
            #[cfg(feature = "postgres")]
            allow_private: D::ALLOW_PRIVATE,
        })
    }
}

struct Declared {
    name: &'static str,
    engine: Engine,
    limits: SqlLimits,
    #[cfg(all(feature = "postgres", feature = "vault"))]
    credential: Option<&'static str>,
    #[cfg(feature = "postgres")]
    allow_private: bool,
}

impl Source for Declared {
    fn kind(&self) -> &'static str {
        "sql"
    }

    fn value_name(&self) -> &'static str {
        match self.engine {
            #[cfg(feature = "postgres")]
            Engine::Postgres => "postgres://USER@HOST:PORT/DATABASE",
            #[cfg(feature = "sqlite")]
            Engine::Sqlite => "PATH",
        }
    }

    fn in_code(&self) -> Option<String> {
        None
    }

    fn terms(&self) -> Vec<String> {
        let terms = vec![self.engine.to_string(), self.limits.to_string()];
        #[cfg(all(feature = "postgres", feature = "vault"))]
        let terms = terms
            .into_iter()
            .chain(
                self.credential
                    .map(|name| format!("spends the credential {name} of the vault")),
            )
            .collect();
        terms
    }

    fn bind(&self, asked: Option<&Asked<'_>>, _: &Path) -> Result<Binding> {
        let asked = asked.ok_or_else(|| Error::new(format!("`{}` is not granted", self.name)))?;
        let value = match self.engine {
            #[cfg(feature = "postgres")]
            Engine::Postgres => {
                let address = super::postgres::Address::parse(asked.text()?)?;
                address.check(self.allow_private)?;
                address.to_string().into()
            }
            #[cfg(feature = "sqlite")]
            Engine::Sqlite => asked.path()?.into_os_string(),
        };
        Ok(Binding {
            value,
            ceiling: None,
        })
    }

    fn open(
        &self,
        binding: &Binding,
        rights: Rights,
        opening: &mut Opening,
    ) -> Result<Arc<dyn Any + Send + Sync>> {
        #[cfg(all(feature = "postgres", feature = "sqlite", feature = "vault"))]
        if self.credential.is_some() && matches!(self.engine, Engine::Sqlite) {
            return Err(Error::new(format!(
                "the grant `{}`: a file of SQLite has no password",
                self.name
            ))
            .help("leave `.credential(…)` away"));
        }
        let opened = match self.engine {
            #[cfg(feature = "postgres")]
            Engine::Postgres => {
                let text = binding.value.to_string_lossy();
                let address = super::postgres::Address::parse(&text)?;
                #[cfg(feature = "vault")]
                let password = match self.credential {
                    Some(name) => Some(
                        address
                            .server()
                            .and_then(|place| crate::vault::password(name, &place, opening))
                            .map_err(|e| e.before(&format!("the grant `{}`: ", self.name)))?,
                    ),
                    None => None,
                };
                #[cfg(not(feature = "vault"))]
                let password = None;
                OpenSql::Postgres(super::postgres::Server::open(
                    self.name,
                    address,
                    password,
                    self.allow_private,
                    rights.writes,
                    self.limits,
                    opening,
                )?)
            }
            #[cfg(feature = "sqlite")]
            Engine::Sqlite => OpenSql::Sqlite(super::sqlite::File::open(
                self.name,
                Path::new(&binding.value),
                rights.writes,
                self.limits,
                opening,
            )?),
        };
        Ok(Arc::new(opened))
    }
}
