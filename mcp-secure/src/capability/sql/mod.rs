//! A database, for reading or for writing.

use super::Capability;

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
