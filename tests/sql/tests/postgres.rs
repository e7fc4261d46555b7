//! A PostgreSQL database behind a handle, on a real server.

use mcp_secure::{
    capability::sql::{SqlError, SqlLimits},
    prelude::*,
    testing::TestServer,
};

use crate::cluster::Cluster;

/// The books.
#[capability(sql = "postgres", private, allow_private)]
struct Books;

/// The same without private addresses.
#[capability(sql = "postgres", name = "books")]
struct Public;

type Reading = Sql<Books, ReadOnly>;
type Writing = Sql<Books, ReadWrite>;

fn server(address: &str, limits: SqlLimits) -> TestServer {
    let grant = Books::from_operator().limits(limits);
    TestServer::new().granted(grant, address).unwrap()
}

/// A role that could do everything, so that what stops a statement is not the role.
fn powerful(cluster: &Cluster) -> TestServer {
    server(&cluster.socket("postgres"), SqlLimits::default())
}

macro_rules! cluster {
    () => {
        match Cluster::start() {
            Some(cluster) => cluster,
            None => return,
        }
    };
}

fn error<T>(done: Result<T, SqlError>) -> SqlError {
    match done {
        Ok(_) => panic!("it was done"),
        Err(error) => error,
    }
}

mod limits;
mod process;
mod reach;
mod reading;
mod values;
mod vaulted;
