//! The operator's listener: `/metrics`, `/livez`, `/readyz`, and nothing else.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr, TcpListener},
    path::Path,
    sync::Arc,
    time::Duration,
};

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Bytes, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Semaphore,
};

use super::Meter;
#[cfg(unix)]
use crate::server::http::unix::{SocketFile, listen};
use crate::{Error, Result};

/// Bound before the sandbox closes, served inside it.
pub(crate) struct Operator {
    door: Door,
    meter: Meter,
    /// Names in `Host` are taken only where a network may come; see [`answer`].
    on_network: bool,
}

enum Door {
    Tcp(TcpListener),
    /// The file system says who comes in: the owner.
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener, SocketFile),
}

#[cfg(unix)]
impl Operator {
    /// Takes a path.
    ///
    /// # Errors
    ///
    /// When others get into its folder, or another server is there.
    pub(crate) fn bind_unix(path: &Path, meter: Meter) -> Result<Self> {
        let (socket, file) =
            listen(path.to_owned()).map_err(|error| error.before("`--metrics`: "))?;
        Ok(Self {
            door: Door::Unix(socket, file),
            meter,
            // No page of a browser comes through it.
            on_network: true,
        })
    }

    /// The socket in the file system, which is removed at the end.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.door {
            Door::Unix(_, file) => Some(file.path()),
            Door::Tcp(_) => None,
        }
    }
}

impl Operator {
    /// Takes the address.
    ///
    /// # Errors
    ///
    /// When it is taken, or is the network's and the operator has not said so.
    pub(crate) fn bind(address: SocketAddr, on_network: bool, meter: Meter) -> Result<Self> {
        if !address.ip().is_loopback() && !on_network {
            return Err(Error::new(format!(
                "the numbers at `{address}` could be read by others than this machine's users"
            ))
            .help("use 127.0.0.1 or [::1], or say `--metrics-on-network`: nobody is asked who they are there"));
        }
        let socket = TcpListener::bind(address)
            .and_then(|socket| socket.set_nonblocking(true).map(|()| socket))
            .map_err(|e| Error::new(format!("the address `{address}` of `--metrics`: {e}")))?;
        Ok(Self {
            door: Door::Tcp(socket),
            meter,
            on_network,
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match &self.door {
            Door::Tcp(socket) => socket.local_addr().ok(),
            #[cfg(unix)]
            Door::Unix(..) => None,
        }
    }

    /// Answers until the runtime ends: readiness is asked for during the shutdown, too.
    pub(crate) async fn serve(self) {
        let asked = (self.meter, self.on_network);
        match self.door {
            Door::Tcp(socket) => {
                let Ok(socket) = tokio::net::TcpListener::from_std(socket) else {
                    return;
                };
                let accept = || async { socket.accept().await.map(|(io, _)| io) };
                serve(accept, asked).await;
            }
            #[cfg(unix)]
            Door::Unix(socket, _file) => {
                let Ok(socket) = tokio::net::UnixListener::from_std(socket) else {
                    return;
                };
                let accept = || async { socket.accept().await.map(|(io, _)| io) };
                serve(accept, asked).await;
            }
        }
    }
}

async fn serve<I, F>(accept: impl Fn() -> F, (meter, on_network): (Meter, bool))
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = std::io::Result<I>>,
{
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let Ok(io) = accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let meter = meter.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let answer = answer(&request, &meter, on_network);
                std::future::ready(Ok::<_, Infallible>(answer))
            });
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .max_buf_size(16 * 1024)
                .keep_alive(false)
                .serve_connection(TokioIo::new(io), service);
            let _ = tokio::time::timeout(WHOLE, served).await;
            drop(place);
        });
    }
}

fn answer<B>(request: &Request<B>, meter: &Meter, on_network: bool) -> Response<Full<Bytes>> {
    // A page in a browser of this machine can reach loopback under a name of its own (DNS
    // rebinding); a scraper that is here says `localhost` or an address.
    if !on_network && !is_here(request.headers().get(header::HOST)) {
        return plain(StatusCode::MISDIRECTED_REQUEST, "not this host\n");
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "GET only\n");
    }
    let Some(numbers) = &meter.numbers else {
        return plain(StatusCode::NOT_FOUND, "not found\n");
    };
    match request.uri().path() {
        "/livez" => plain(StatusCode::OK, "alive\n"),
        "/readyz" => match numbers.unready() {
            None => plain(StatusCode::OK, "ready\n"),
            Some(why) => plain(StatusCode::SERVICE_UNAVAILABLE, why),
        },
        "/metrics" => match numbers.text() {
            Some(text) => {
                let mut response = plain(StatusCode::OK, text);
                let kind = HeaderValue::from_static(OPEN_METRICS);
                response.headers_mut().insert(header::CONTENT_TYPE, kind);
                response
            }
            None => plain(StatusCode::INTERNAL_SERVER_ERROR, "no numbers\n"),
        },
        _ => plain(StatusCode::NOT_FOUND, "not found\n"),
    }
}

fn is_here(host: Option<&HeaderValue>) -> bool {
    let Some(host) = host.and_then(|host| host.to_str().ok()) else {
        return false;
    };
    if let Ok(address) = host.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let literal = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || literal.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const CONNECTIONS: usize = 16;
const HEAD: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(50);
