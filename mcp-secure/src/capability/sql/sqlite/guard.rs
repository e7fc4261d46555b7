//! What a statement may do, asked by SQLite while it is prepared; and whether it may go on,
//! asked while it runs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use super::super::{Lease, SqlError};

/// The ring around what a prepared statement touches. Everything that is not named here is
/// denied, so a new kind of action is, too.
pub(super) fn authorize(context: &AuthContext<'_>, writes: bool) -> Authorization {
    let allowed = match context.action {
        AuthAction::Select | AuthAction::Recursive | AuthAction::Read { .. } => true,
        AuthAction::Function { function_name } => !FUNCTIONS
            .iter()
            .any(|closed| closed.eq_ignore_ascii_case(function_name)),
        // Asked by the full-text index of itself.
        AuthAction::Pragma {
            pragma_name: "data_version",
            pragma_value: None,
        } => true,
        AuthAction::Transaction { .. } => writes,
        AuthAction::Insert { table_name }
        | AuthAction::Delete { table_name }
        | AuthAction::Update { table_name, .. } => {
            writes && !table_name.to_ascii_lowercase().starts_with("sqlite_")
        }
        _ => false,
    };
    if allowed {
        Authorization::Allow
    } else {
        Authorization::Deny
    }
}

/// Functions that reach outside of the database or into the process. Most of them are not
/// compiled in; an extension or a later build may bring them.
const FUNCTIONS: &[&str] = &[
    "load_extension",
    "readfile",
    "writefile",
    "edit",
    "fts3_tokenizer",
    "zipfile",
    "sqlar_uncompress",
    "system",
    "sqlite_dbpage",
];

/// Why a statement that is running must end.
#[derive(Clone)]
pub(super) struct Stop {
    dropped: Arc<AtomicBool>,
    lease: Lease,
    until: Instant,
    limit: Duration,
}

impl Stop {
    pub(super) fn new(lease: Lease, limit: Duration) -> Self {
        Self {
            dropped: Arc::default(),
            lease,
            until: Instant::now() + limit,
            limit,
        }
    }

    /// Ends the statement when the returned value is dropped.
    pub(super) fn on_drop(&self) -> OnDrop {
        OnDrop(Arc::clone(&self.dropped))
    }

    /// The reason, as soon as there is one.
    pub(super) fn reason(&self) -> Option<SqlError> {
        if self.dropped.load(Ordering::Relaxed) || !self.lease.is_live() {
            return Some(SqlError::Revoked);
        }
        (Instant::now() >= self.until).then_some(SqlError::Timeout { limit: self.limit })
    }
}

/// See [`Stop::on_drop`].
pub(super) struct OnDrop(Arc<AtomicBool>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
