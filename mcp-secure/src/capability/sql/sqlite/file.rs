//! Which files are granted, and what a sandbox must leave open for them.
//!
//! SQLite opens more than one file: beside `x.db` there are `x.db-journal`, or `x.db-wal` and
//! `x.db-shm`, which come and go. For reading, the file alone is left open; if it is in WAL
//! mode, the two beside it as well, and a connection is held from before the sandbox closes
//! until the end, so that they exist and stay the same files. For writing, files must come and
//! go, which is a right to the folder; so the database has a folder of its own.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use super::{
    File,
    connection::{self, Connection},
};
use crate::{
    capability::{
        FileAccess, FileNeed, Opening, fs,
        sql::{SqlError, SqlLimits, pool::Pool},
    },
    error::{Error, Result},
};

impl File {
    /// Checks the file, opens it once, and says what must stay within reach.
    pub(crate) fn open(
        name: &str,
        given: &Path,
        writes: bool,
        limits: SqlLimits,
        opening: &mut Opening,
    ) -> Result<Self> {
        let explain =
            |error: Error| error.before(&format!("the grant `{name}` cannot be opened: "));
        let path = checked(given).map_err(explain)?;
        let anchor = connection::open(&path, writes).map_err(|error| {
            explain(
                Error::new(format!("`{}`: {error}", path.display()))
                    .help("it must be a SQLite database that the server's user may open"),
            )
        })?;
        let mode: String = anchor
            .query_row("PRAGMA journal_mode", [], |row| row.get(0))
            .and_then(|mode| {
                // Opens what lies beside the file.
                anchor.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
                Ok(mode)
            })
            .map_err(|error| {
                explain(Error::new(format!("`{}`: {error}", path.display())).help(
                    "it must be a SQLite database; one in WAL mode needs a folder in which the \
                     server's user may create files",
                ))
            })?;
        let wal = mode.eq_ignore_ascii_case("wal");
        let mut need = |path: PathBuf, access| {
            opening.needs.files.push(FileNeed {
                path,
                access,
                because: name.to_owned(),
            });
        };
        if writes {
            let folder = path.parent().unwrap_or(Path::new("/"));
            need(folder.to_owned(), FileAccess::Write);
        } else {
            need(path.clone(), FileAccess::Read);
            if wal {
                need(beside(&path, "-wal"), FileAccess::Read);
                // An index of the log, without data; readers mark in it what they still need.
                need(beside(&path, "-shm"), FileAccess::Write);
            }
        }
        let pool = || Arc::new(Pool::new(limits.connections));
        let (read, write) = (pool(), writes.then(pool));
        // A first connection of each kind, while everything is within reach.
        for (pool, writes) in [(Some(&read), false), (write.as_ref(), true)] {
            if let Some(pool) = pool {
                let connection = Connection::open(&path, writes, limits).map_err(|error| {
                    explain(Error::new(format!(
                        "`{}`: {}",
                        path.display(),
                        words(&error)
                    )))
                })?;
                pool.put(connection);
            }
        }
        Ok(Self {
            path: Arc::new(path),
            limits,
            read,
            write,
            _anchor: wal.then(|| Mutex::new(anchor)),
        })
    }
}

fn words(error: &SqlError) -> String {
    error
        .detail()
        .map_or_else(|| error.to_string(), str::to_owned)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The folder is followed to where it is; the file itself must be no link.
fn checked(given: &Path) -> Result<PathBuf> {
    let shown = given.display();
    let (Some(folder), Some(file)) = (given.parent(), given.file_name()) else {
        return Err(Error::new(format!("`{shown}` is no file"))
            .help("name the file of the database: `/srv/ledger/ledger.db`"));
    };
    let folder = folder.canonicalize().map_err(|e| {
        Error::new(format!("`{}`: {}", folder.display(), e.kind()))
            .help("create the folder and the database in it, or grant another one")
    })?;
    // What is too wide or too sensitive to be lent as a folder is no place for a database:
    // whoever writes to it writes to its folder.
    fs::lendable(&folder)?;
    let path = folder.join(file);
    let about = std::fs::symlink_metadata(&path).map_err(|e| {
        Error::new(format!("`{}`: {}", path.display(), e.kind()))
            .help("create the database first; a server creates none")
    })?;
    if !about.file_type().is_file() {
        return Err(Error::new(format!(
            "`{}` is not a regular file, or is a link to one",
            path.display()
        ))
        .help("name the file itself"));
    }
    #[cfg(unix)]
    permissions(&path, &folder, &about)?;
    Ok(path)
}

/// Whoever may create `x.db-journal` beside a database decides what is in it: SQLite plays such
/// a file back. So even a sticky folder such as `/tmp` is no place for one.
#[cfg(unix)]
fn permissions(path: &Path, folder: &Path, about: &std::fs::Metadata) -> Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let shown = path.display();
    if about.mode() & 0o002 != 0 {
        return Err(
            Error::new(format!("every user of this machine may write to `{shown}`"))
                .help(format!("take that away with `chmod o-w {shown}`")),
        );
    }
    if about.nlink() > 1 {
        return Err(Error::new(format!(
            "`{shown}` has a second name (a hard link), under which it has other files beside it"
        ))
        .help("remove the other name, or copy the database"));
    }
    let mode = std::fs::metadata(folder)
        .map_err(|e| Error::new(format!("`{}`: {}", folder.display(), e.kind())))?
        .mode();
    if mode & 0o002 != 0 {
        return Err(Error::new(format!(
            "every user of this machine may create files in `{}`, and so decide what is in the \
             database: SQLite plays back a journal that lies beside it",
            folder.display()
        ))
        .help("put the database in a folder of its own"));
    }
    Ok(())
}
