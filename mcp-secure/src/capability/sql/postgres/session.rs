//! One connection to PostgreSQL, and what is said on it.

use std::collections::HashMap;

use futures::{StreamExt as _, pin_mut};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, NoTls};

use super::{Result, tls::Tls, told};
use crate::capability::{
    dial::{Meter, Metered, Stream},
    sql::{Rows, SqlError, SqlLimits, Statement, Value, rows::Cell},
};

/// A connection. Dropping it closes the socket at once, and with it ends what the server does
/// for it.
pub(super) struct Session {
    client: Client,
    driver: JoinHandle<()>,
    meter: Meter,
    /// Statements of the program that were prepared on this connection.
    prepared: HashMap<&'static str, tokio_postgres::Statement>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Session {
    pub(super) async fn start(
        stream: Stream,
        config: &Config,
        tls: Option<Tls>,
    ) -> std::result::Result<Self, tokio_postgres::Error> {
        let meter = Meter::default();
        meter.allow(SMALL);
        let stream = Metered::new(stream, meter.clone());
        // What is left to do on the connection is done by a task; its error ends the client.
        let (client, driver) = match tls {
            Some(tls) => {
                let (client, connection) = config.connect_raw(stream, tls).await?;
                (client, tokio::spawn(async move { drop(connection.await) }))
            }
            None => {
                let (client, connection) = config.connect_raw(stream, NoTls).await?;
                (client, tokio::spawn(async move { drop(connection.await) }))
            }
        };
        Ok(Self {
            client,
            driver,
            meter,
            prepared: HashMap::new(),
        })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// In a transaction that can only read and is undone in the end: what a function did all
    /// the same, such as a setting or a large object, is gone. The three go out at once, so it
    /// takes as long as the query alone.
    pub(super) async fn read(&mut self, statement: &Statement, limits: SqlLimits) -> Result<Rows> {
        let prepared = self.prepare(statement, limits).await?;
        self.meter.allow(limits.bytes.saturating_mul(2));
        let done = {
            let client = &self.client;
            let begin = async {
                let begun = client.batch_execute(BEGIN_TO_READ).await;
                begun.map_err(|error| told(&error, limits))
            };
            // An error of the statement waits for the end of the transaction; too many rows do
            // not wait for the rest of them.
            let rows = async {
                match collect(client, &prepared, &statement.values, limits).await {
                    Err(error @ (SqlError::Rows { .. } | SqlError::Bytes { .. })) => Err(error),
                    done => Ok(done),
                }
            };
            let end = async {
                let ended = client.batch_execute("ROLLBACK").await;
                ended.map_err(|error| told(&error, limits))
            };
            futures::try_join!(begin, rows, end)
        };
        self.unless_spent(done.and_then(|((), rows, ())| rows), limits)
    }

    /// In a transaction that is kept if the answer arrives whole.
    pub(super) async fn change_and_read(
        &mut self,
        statement: &Statement,
        limits: SqlLimits,
    ) -> Result<Rows> {
        let prepared = self.prepare(statement, limits).await?;
        self.meter.allow(limits.bytes.saturating_mul(2));
        let done = async {
            self.run(BEGIN_TO_WRITE, limits).await?;
            let rows = collect(&self.client, &prepared, &statement.values, limits).await?;
            self.run("COMMIT", limits).await?;
            Ok(rows)
        }
        .await;
        self.unless_spent(done, limits)
    }

    /// All, or none.
    pub(super) async fn batch(
        &mut self,
        statements: &[Statement],
        limits: SqlLimits,
    ) -> Result<Vec<u64>> {
        let mut prepared = Vec::with_capacity(statements.len());
        for statement in statements {
            let one = self.prepare(statement, limits).await?;
            if !one.columns().is_empty() {
                return Err(SqlError::Statement {
                    reason: "it answers rows; ask with `query`",
                });
            }
            prepared.push(one);
        }
        self.meter.allow(SMALL);
        let done = async {
            self.run(BEGIN_TO_WRITE, limits).await?;
            let mut counts = Vec::with_capacity(statements.len());
            for (index, (statement, prepared)) in statements.iter().zip(&prepared).enumerate() {
                let count = self
                    .client
                    .execute_raw(prepared, statement.values.iter())
                    .await
                    .map_err(|error| told(&error, limits))?;
                if statement.changes.is_some_and(|must| must != count) {
                    return Err(SqlError::Unmet {
                        statement: index + 1,
                    });
                }
                counts.push(count);
            }
            self.run("COMMIT", limits).await?;
            Ok(counts)
        }
        .await;
        self.unless_spent(done, limits)
    }

    async fn run(&self, sql: &'static str, limits: SqlLimits) -> Result<()> {
        self.client
            .batch_execute(sql)
            .await
            .map_err(|error| told(&error, limits))
    }

    /// By the extended protocol, which knows one statement alone: a second one after it is an
    /// error of the server's.
    async fn prepare(
        &mut self,
        statement: &Statement,
        limits: SqlLimits,
    ) -> Result<tokio_postgres::Statement> {
        let prepared = match self.prepared.get(statement.sql) {
            Some(prepared) => prepared.clone(),
            None => {
                self.meter.allow(SMALL);
                let prepared = self
                    .client
                    .prepare(statement.sql)
                    .await
                    .map_err(|error| told(&error, limits))?;
                self.prepared.insert(statement.sql, prepared.clone());
                prepared
            }
        };
        if prepared.params().len() != statement.values.len() {
            return Err(SqlError::Parameter {
                index: 0,
                reason: "there are more or fewer than placeholders",
            });
        }
        Ok(prepared)
    }

    /// A connection that was cut because too much came says only that it was cut.
    fn unless_spent<T>(&self, done: Result<T>, limits: SqlLimits) -> Result<T> {
        match done {
            Err(_) if self.meter.is_spent() => Err(SqlError::Bytes {
                limit: limits.bytes,
            }),
            done => done,
        }
    }
}

/// The rows of one statement, as they come; no further than the limits.
async fn collect(
    client: &Client,
    prepared: &tokio_postgres::Statement,
    values: &[Value],
    limits: SqlLimits,
) -> Result<Rows> {
    let told = |error: &tokio_postgres::Error| told(error, limits);
    let columns: Vec<String> = prepared
        .columns()
        .iter()
        .map(|column| column.name().to_owned())
        .collect();
    let width = columns.len();
    let found = client
        .query_raw(prepared, values.iter())
        .await
        .map_err(|error| told(&error))?;
    pin_mut!(found);
    let (mut rows, mut bytes) = (Vec::new(), 0);
    while let Some(row) = found.next().await {
        let row = row.map_err(|error| told(&error))?;
        if rows.len() as u64 >= limits.rows {
            return Err(SqlError::Rows { limit: limits.rows });
        }
        bytes += row.raw_size_bytes() as u64;
        if bytes > limits.bytes {
            return Err(SqlError::Bytes {
                limit: limits.bytes,
            });
        }
        let mut cells = Vec::with_capacity(width);
        for index in 0..width {
            cells.push(
                row.try_get::<_, Cell>(index)
                    .map_err(|error| SqlError::shape(chain(&error)))?,
            );
        }
        rows.push(cells);
    }
    Ok(Rows {
        columns: columns.into(),
        rows,
        bytes,
    })
}

/// An error with its sources.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// What was set by the use before is reset, as `DISCARD ALL` would, except that statements of
/// the program stay prepared.
const BEGIN_TO_READ: &str = "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; \
                             SELECT pg_catalog.pg_advisory_unlock_all(); BEGIN READ ONLY";
const BEGIN_TO_WRITE: &str = "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; CLOSE ALL; \
                              UNLISTEN *; SELECT pg_catalog.pg_advisory_unlock_all(); \
                              DISCARD TEMP; DISCARD SEQUENCES; BEGIN READ WRITE";

/// For greetings, descriptions of statements, and messages about errors.
const SMALL: u64 = 1 << 20;
