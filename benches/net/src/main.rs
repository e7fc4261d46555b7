//! The network handle beside plain hyper-util over tokio-rustls, and beside reqwest, against an
//! HTTPS server on loopback.
//!
//! The machine is noisy, so each round times all contestants one after the other, in turning
//! order, and the printed ratio is the median of the rounds' own ratios.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    unreachable_pub
)]

mod server;

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{Connected, Connection},
    },
    rt::{TokioExecutor, TokioIo},
};
use mcp_secure::{
    capability::net::{__bench::lend, Get, Net, NetLimits},
    prelude::*,
};
use tokio::{io, net::TcpStream};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::server::Server;

/// The server on loopback.
#[capability(net, allow_private)]
struct Api;

const ROUNDS: usize = 61;
const REQUESTS: u32 = 100;
const CONNECTIONS: u32 = 10;

fn main() {
    let server = Server::start();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        kept(&server).await;
        new(&server).await;
    });
}

/// A request on a connection that is there.
async fn kept(server: &Server) {
    let url = format!("https://127.0.0.1:{}/doc/7", server.port);
    let net = handle(server);
    let plain = Client::builder(TokioExecutor::new())
        .build::<_, Empty<Bytes>>(Connect(TlsConnector::from(Arc::clone(&server.client))));
    let reqwest = reqwest::Client::builder()
        .tls_backend_preconfigured((*server.client).clone())
        .http1_only()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let uri: Uri = url.parse().unwrap();
    let through_net = async || {
        let sent = net.path("/doc/{id}").segment("id", 7).send().await.unwrap();
        sent.bytes().await.unwrap().len()
    };
    let through_plain = async || {
        let request = Request::get(uri.clone()).body(Empty::new()).unwrap();
        let response = plain.request(request).await.unwrap();
        response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .len()
    };
    let through_reqwest = async || {
        let response = reqwest.get(&url).send().await.unwrap();
        response.bytes().await.unwrap().len()
    };
    let mut times = [const { Vec::new() }; 3];
    for round in 0..ROUNDS + 3 {
        for turn in 0..3 {
            let who = (round + turn) % 3;
            let time = match who {
                0 => timed(REQUESTS, &through_net).await,
                1 => timed(REQUESTS, &through_plain).await,
                _ => timed(REQUESTS, &through_reqwest).await,
            };
            // The first rounds warm up.
            if round >= 3 {
                times[who].push(time);
            }
        }
    }
    println!("GET of 1 KiB on a kept connection, HTTPS on loopback");
    report(&["Net", "hyper-util + tokio-rustls", "reqwest"], &times);
}

/// A request on a connection of its own: dial, judge, handshake (resumed), request.
async fn new(server: &Server) {
    let net = handle(server);
    let through_net = async || {
        // A response that is not read takes its connection along.
        let sent = net.path("/doc/{id}").segment("id", 7).send().await.unwrap();
        usize::from(sent.status().as_u16())
    };
    let tls = TlsConnector::from(Arc::clone(&server.client));
    let through_plain = async || {
        let stream = TcpStream::connect(("127.0.0.1", server.port))
            .await
            .unwrap();
        stream.set_nodelay(true).unwrap();
        let name = "127.0.0.1".try_into().unwrap();
        let stream = tls.connect(name, stream).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        let request = Request::get("/doc/7")
            .header("host", "x")
            .body(Empty::<Bytes>::new());
        let response = sender.send_request(request.unwrap()).await.unwrap();
        usize::from(response.status().as_u16())
    };
    let mut times = [const { Vec::new() }; 2];
    for round in 0..ROUNDS + 3 {
        for turn in 0..2 {
            let who = (round + turn) % 2;
            let time = match who {
                0 => timed(CONNECTIONS, &through_net).await,
                _ => timed(CONNECTIONS, &through_plain).await,
            };
            if round >= 3 {
                times[who].push(time);
            }
        }
    }
    println!("The same on a new connection");
    report(&["Net", "TcpStream + tokio-rustls + hyper"], &times);
}

fn handle(server: &Server) -> Net<Api, Get> {
    let limits = NetLimits {
        max_per_second: u32::MAX,
        ..NetLimits::default()
    };
    let grant = Api::from_operator().ca_file(&server.ca).limits(limits);
    lend(grant, &format!("https://127.0.0.1:{}", server.port)).unwrap()
}

async fn timed<F: Future<Output = usize>>(times: u32, work: &impl Fn() -> F) -> Duration {
    let start = Instant::now();
    for _ in 0..times {
        assert!(std::hint::black_box(work().await) > 0);
    }
    start.elapsed() / times
}

/// The median of each, and of the ratios of each round to the first contestant.
fn report(names: &[&str], times: &[Vec<Duration>]) {
    for (name, mine) in names.iter().zip(times) {
        let mut ratios: Vec<f64> = times[0]
            .iter()
            .zip(mine)
            .map(|(net, other)| net.as_secs_f64() / other.as_secs_f64())
            .collect();
        ratios.sort_by(f64::total_cmp);
        let mut mine = mine.clone();
        mine.sort();
        let (low, mid, high) = (ratios.len() / 4, ratios.len() / 2, ratios.len() * 3 / 4);
        println!(
            "  {name:34} {:8.1} us   Net / this: {:.3} (quartiles {:.3} to {:.3})",
            mine[mid].as_secs_f64() * 1e6,
            ratios[mid],
            ratios[low],
            ratios[high]
        );
    }
}

/// What hyper-util needs to use tokio-rustls.
#[derive(Clone)]
struct Connect(TlsConnector);

impl tower::Service<Uri> for Connect {
    type Response = TokioIo<Tls>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<Tls>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let tls = self.0.clone();
        Box::pin(async move {
            let stream = TcpStream::connect((uri.host().unwrap(), uri.port_u16().unwrap())).await?;
            stream.set_nodelay(true)?;
            let name = "127.0.0.1".try_into().unwrap();
            Ok(TokioIo::new(Tls(tls.connect(name, stream).await?)))
        })
    }
}

struct Tls(TlsStream<TcpStream>);

impl Connection for Tls {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl io::AsyncRead for Tls {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl io::AsyncWrite for Tls {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
