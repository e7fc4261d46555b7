//! PostgreSQL: a server that is reached by the dialer.

mod address;
mod rights;
mod session;
mod tls;
mod value;

use std::{path::Path, sync::Arc, time::Duration};

pub(crate) use address::Address;
use secrecy::{ExposeSecret as _, SecretString};
use tokio_postgres::{Config, config::SslMode, error::SqlState};

use self::{session::Session, tls::Tls};
use super::{Lease, Rows, SqlError, SqlLimits, Statement, error::Detail, pool::Pool};
use crate::{
    capability::{
        Opening,
        dial::{self, DialRule, HostRule, Route},
        tcp::own_place,
    },
    error::{Error, Result as Started},
};

type Result<T> = std::result::Result<T, SqlError>;

/// A database that is granted.
pub(crate) struct Server {
    pub(super) limits: SqlLimits,
    read: Arc<Connector>,
    /// If some handle writes.
    write: Option<Arc<Connector>>,
}

/// Connections of one kind.
struct Connector {
    address: Address,
    route: Route,
    tls: Option<Tls>,
    password: Option<Arc<SecretString>>,
    writes: bool,
    limits: SqlLimits,
    pool: Pool<Session>,
}

impl Server {
    /// Reads what lies in files, unless a password is given. Nothing is connected to before the sandbox is closed.
    pub(crate) fn open(
        name: &'static str,
        address: Address,
        password: Option<SecretString>,
        allow_private: bool,
        writes: bool,
        limits: SqlLimits,
        opening: &mut Opening,
    ) -> Started<Self> {
        let explain = |error: Error| error.before(&format!("the grant `{name}`: "));
        if let HostRule::Unix(socket) = &address.host {
            own_place(socket).map_err(explain)?;
        }
        let tls = address
            .tls
            .then(|| Tls::new(&address.host, address.rootcert.as_deref()))
            .transpose()
            .map_err(explain)?;
        let password = match (address.passfile.as_deref(), password) {
            (Some(_), Some(_)) => {
                return Err(explain(
                    Error::new("there are two passwords: one in the vault and one in a file")
                        .help("leave `passfile` out of the address"),
                ));
            }
            (Some(path), None) => Some(read_password(path).map_err(explain)?),
            (None, password) => password,
        }
        .map(Arc::new);
        let mut rule = DialRule::new(name, address.host.clone(), address.port);
        rule.allow_private = allow_private;
        let route = dial::route(rule, opening)?;
        let connector = |writes| {
            Arc::new(Connector {
                address: address.clone(),
                route: route.clone(),
                tls: tls.clone(),
                password: password.clone(),
                writes,
                limits,
                pool: Pool::new(limits.connections),
            })
        };
        let server = Self {
            limits,
            read: connector(false),
            write: writes.then(|| connector(true)),
        };
        let asking = Arc::clone(server.write.as_ref().unwrap_or(&server.read));
        opening.ready.push(Box::pin(async move {
            let asked = async {
                let session = asking.connect().await.map_err(|error| {
                    let why = error.detail().unwrap_or_default();
                    Error::new(format!(
                        "the database of the grant `{name}` cannot be reached: {why}"
                    ))
                    .help(format!("look whether `{}` is right", asking.address))
                })?;
                rights::ask(session.client(), name, asking.writes).await?;
                asking.pool.put(session);
                Ok(())
            };
            tokio::time::timeout(PATIENCE, asked)
                .await
                .unwrap_or_else(|_| {
                    Err(Error::new(format!(
                        "the database of the grant `{name}` does not answer"
                    )))
                })
        }));
        Ok(server)
    }

    pub(super) async fn query(
        &self,
        statement: Statement,
        writes: bool,
        lease: &Lease,
    ) -> Result<Rows> {
        let connector = if writes {
            self.write.as_ref().ok_or(SqlError::ReadOnly)?
        } else {
            &self.read
        };
        let limits = self.limits;
        let work = async {
            let _permit = connector.pool.permit(limits.statement_timeout).await?;
            let mut session = connector.session().await?;
            let done = if writes {
                session.change_and_read(&statement, limits).await
            } else {
                session.read(&statement, limits).await
            };
            connector.keep(session, writes, &done);
            done
        };
        within(lease, limits.statement_timeout, work).await
    }

    pub(super) async fn batch(
        &self,
        statements: Vec<Statement>,
        lease: &Lease,
    ) -> Result<Vec<u64>> {
        let connector = self.write.as_ref().ok_or(SqlError::ReadOnly)?;
        let limits = self.limits;
        let work = async {
            let _permit = connector.pool.permit(limits.statement_timeout).await?;
            let mut session = connector.session().await?;
            let done = session.batch(&statements, limits).await;
            connector.keep(session, true, &done);
            done
        };
        within(lease, limits.statement_timeout, work).await
    }
}

impl Connector {
    /// An idle connection, or a new one.
    async fn session(&self) -> Result<Session> {
        while let Some(session) = self.pool.take() {
            if !session.is_closed() {
                return Ok(session);
            }
        }
        self.connect().await
    }

    /// After trouble a connection is closed: it may be inside of a transaction, or still
    /// sending. A read that failed by the words of the statement has ended its transaction.
    fn keep<T>(&self, session: Session, writes: bool, done: &Result<T>) {
        let clean = match done {
            Ok(_) => true,
            Err(SqlError::Parameter { .. }) => !writes,
            Err(_) => false,
        };
        if clean && !session.is_closed() {
            self.pool.put(session);
        }
    }

    async fn connect(&self) -> Result<Session> {
        let host = self.address.host.single().unwrap_or_default();
        let dialed = self.route.dial(&host).await.map_err(SqlError::connection)?;
        let mut config = Config::new();
        config
            .user(&self.address.user)
            .dbname(&self.address.database)
            .application_name("mcp-secure")
            .options(self.settings())
            .ssl_mode(if self.tls.is_some() {
                SslMode::Require
            } else {
                SslMode::Disable
            });
        if let Some(password) = &self.password {
            config.password(password.expose_secret());
        }
        Session::start(dialed.stream, &config, self.tls.clone())
            .await
            .map_err(|error| SqlError::connection(session::chain(&error)))
    }

    /// As options of the connection, so that they are what `RESET ALL` goes back to.
    fn settings(&self) -> String {
        let timeout = self.limits.statement_timeout.as_millis().max(1);
        let read_only = if self.writes { "off" } else { "on" };
        format!(
            "-c default_transaction_read_only={read_only} -c statement_timeout={timeout} \
             -c lock_timeout={timeout} -c idle_in_transaction_session_timeout={} \
             -c client_connection_check_interval=1000 -c row_security=on",
            timeout + 1000
        )
    }
}

/// Ends with the time that a statement has, or with the lease; either way what is dropped takes
/// its connection with it.
async fn within<T>(
    lease: &Lease,
    limit: Duration,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let ended = async {
        while lease.is_live() {
            tokio::time::sleep(LOOK).await;
        }
    };
    // The server has the same time; it is given a moment to say so itself.
    tokio::select! {
        done = tokio::time::timeout(limit + GRACE, work) => {
            let done = done.unwrap_or(Err(SqlError::Timeout { limit }));
            super::live(lease)?;
            done
        }
        () = ended => Err(SqlError::Revoked),
    }
}

/// What PostgreSQL says, in our words.
fn told(error: &tokio_postgres::Error, limits: SqlLimits) -> SqlError {
    let Some(db) = error.as_db_error() else {
        return if error.is_closed() {
            SqlError::connection(error)
        } else {
            SqlError::database(session::chain(error))
        };
    };
    let detail = Detail(format!("SQLSTATE {}: {}", db.code().code(), db.message()));
    match db.code() {
        &SqlState::QUERY_CANCELED => SqlError::Timeout {
            limit: limits.statement_timeout,
        },
        // The second: a function asked for a transaction that writes.
        &SqlState::READ_ONLY_SQL_TRANSACTION | &SqlState::ACTIVE_SQL_TRANSACTION => {
            SqlError::ReadOnly
        }
        &SqlState::INSUFFICIENT_PRIVILEGE => SqlError::Forbidden(detail),
        &SqlState::SYNTAX_ERROR if db.message().contains("multiple commands") => {
            SqlError::Statement {
                reason: "it is more than one",
            }
        }
        &SqlState::LOCK_NOT_AVAILABLE
        | &SqlState::T_R_SERIALIZATION_FAILURE
        | &SqlState::T_R_DEADLOCK_DETECTED
        | &SqlState::TOO_MANY_CONNECTIONS => SqlError::Busy,
        code => match code.code().get(..2) {
            Some("22") => SqlError::Parameter {
                index: 0,
                reason: "the database cannot read or compute one of them",
            },
            Some("23") => SqlError::Conflict(detail),
            Some("53" | "54") => SqlError::Bytes {
                limit: limits.bytes,
            },
            Some("08" | "57") => SqlError::Connection(detail),
            _ => SqlError::Database(detail),
        },
    }
}

/// The password in a file that nobody else can read.
fn read_password(path: &Path) -> Started<SecretString> {
    use std::io::Read as _;
    let shown = path.display();
    let unreadable = |e: std::io::Error| {
        Error::new(format!("`passfile={shown}`: {}", e.kind()))
            .help("write the password to that file, and nothing else")
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let about = file.metadata().map_err(unreadable)?;
        if !about.is_file() {
            return Err(Error::new(format!(
                "`passfile={shown}` is not a regular file"
            )));
        }
        if about.mode() & 0o077 != 0 {
            return Err(Error::new(format!("others may read `passfile={shown}`"))
                .help(format!("take that away with `chmod 600 {shown}`")));
        }
    }
    let mut text = zeroize::Zeroizing::new(String::new());
    file.take(4096)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() || password.contains(['\n', '\0']) {
        return Err(Error::new(format!("`passfile={shown}` holds no password"))
            .help("write the password to that file, in one line, and nothing else"));
    }
    Ok(SecretString::from(password.to_owned()))
}

/// How long the server has to say itself that a statement took too long.
const GRACE: Duration = Duration::from_millis(500);

/// How often a lease is looked at while a statement runs.
const LOOK: Duration = Duration::from_millis(50);

/// For the question at the start.
const PATIENCE: Duration = Duration::from_secs(15);
