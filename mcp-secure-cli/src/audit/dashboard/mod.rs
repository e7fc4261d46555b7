//! `mcp-secure audit serve`: a log in a browser of this machine. It reads, and changes nothing.
//!
//! What is in a log was written by strangers, and a browser runs what it is sent: pages are made
//! by a template that escapes, have no script, and forbid every script. The port is open to every
//! user of the machine and to every page in its browsers: a token in the address that was printed
//! is good once and becomes a cookie, and no other host than this one is answered.

mod chart;
mod door;
mod page;
mod stats;

use std::{convert::Infallible, path::Path, process::ExitCode, sync::Arc, time::Duration};

use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use mcp_secure::{Error, Result};
use tokio::{net::TcpListener, sync::Semaphore};

use door::Door;

/// Serves until it is interrupted.
#[allow(clippy::print_stdout, reason = "the address is the answer")]
pub(super) fn serve(file: &Path, port: u16) -> Result<ExitCode> {
    stats::Stats::read(file)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::new(format!("cannot start: {e}")))?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", port))
            .await
            .map_err(|e| Error::new(format!("port {port} of 127.0.0.1: {e}")))?;
        let port = listener
            .local_addr()
            .map_err(|e| Error::new(format!("the port is not known: {e}")))?
            .port();
        let door = Arc::new(Door::new(file, port)?);
        println!("http://127.0.0.1:{port}/?token={}", door.token());
        eprintln!("the address is good once, in a browser of this machine; end with Ctrl-C");
        accept(listener, door).await;
        Ok(ExitCode::SUCCESS)
    })
}

async fn accept(listener: TcpListener, door: Arc<Door>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let Ok((io, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let door = Arc::clone(&door);
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                std::future::ready(Ok::<_, Infallible>(door.answer(&request)))
            });
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .max_buf_size(16 * 1024)
                .keep_alive(false)
                .serve_connection(TokioIo::new(io), service);
            let _ = tokio::time::timeout(PATIENCE, served).await;
            drop(place);
        });
    }
}

const CONNECTIONS: usize = 16;
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(50);
