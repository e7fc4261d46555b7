//! Ten times what a server can do: how long those wait who are admitted.
//!
//! One process is the server: over HTTP, with a token, an audit log in a file and eight calls at
//! once of a tool that takes 20 ms, which is 400 a second. The other offers calls at the times of
//! a Poisson process, whether or not others were answered, over connections that are kept. What is
//! timed is from the moment at which a call was to be sent.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use mcp_secure::{prelude::*, sandbox::Sandbox};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
};

use crate::{Random, median};

struct Busy;

#[secure_server(name = "bench-overload")]
impl Busy {
    /// Take 20 ms.
    #[tool(scope = "bench:call", repeat = false)]
    async fn work(&self) -> &'static str {
        tokio::time::sleep(WORK).await;
        "done"
    }
}

const PLACES: usize = 8;
const WORK: Duration = Duration::from_millis(20);
const CONNECTIONS: usize = 256;
const SECONDS: u64 = 5;
const ROUNDS: usize = 5;

/// The server's half.
pub(crate) fn serve(folder: &str, queue: usize) -> mcp_secure::Result<()> {
    let file = |name: &str| format!("{folder}/{name}");
    let limits = Limits {
        concurrency: PLACES,
        principal_concurrency: PLACES,
        tool_concurrency: PLACES,
        queue,
        principal_per_minute: 1 << 30,
        principal_burst: 1 << 30,
        ..Limits::default()
    };
    SecureServer::new(Busy)
        .limits(limits)
        // What chose this half outlives the clean start.
        .sandbox(
            Sandbox::new()
                .keep_env("BENCH_OVERLOAD")
                .keep_env("BENCH_QUEUE"),
        )
        .http(Http::on("127.0.0.1:0").local_token(["bench:call"]))
        .run_from([
            "bench".to_owned(),
            "serve".to_owned(),
            "--http".to_owned(),
            "127.0.0.1:0".to_owned(),
            "--token-file".to_owned(),
            file("own/token"),
            "--audit".to_owned(),
            file("audit.jsonl"),
        ])
}

/// Measures one time and ten times of what the server can do, in turn.
pub(crate) fn measure() {
    for queue in [0, PLACES] {
        let mut ratios = Vec::new();
        let (mut once, mut tenfold) = (Vec::new(), Vec::new());
        let (mut admitted, mut cost) = ((0, 0), Vec::new());
        for _ in 0..ROUNDS {
            let a = offer(queue, 1);
            let b = offer(queue, 10);
            ratios.push(b.p99 / a.p99);
            once.push(a.p99);
            tenfold.push(b.p99);
            admitted = (admitted.0 + a.admitted, admitted.1 + b.admitted);
            cost.push(b.refused_after);
        }
        println!(
            "overload, a queue of {queue}: p99 of admitted calls {:.1} ms at 1x, {:.1} ms at 10x, ratio \
             {:.2}; admitted {} and {}; half of the others hear no within {:.2} ms",
            median(&mut once),
            median(&mut tenfold),
            median(&mut ratios),
            admitted.0,
            admitted.1,
            median(&mut cost),
        );
    }
}

struct Offered {
    admitted: usize,
    /// In milliseconds.
    p99: f64,
    refused_after: f64,
}

fn offer(queue: usize, times: u32) -> Offered {
    let folder = std::env::temp_dir().join(format!("bench-overload-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let (server, address) = start(&folder, queue);
    let token = std::fs::read_to_string(folder.join("own/token")).unwrap();
    let call = request(address, token.trim());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let rate = f64::from(times) * PLACES as f64 / WORK.as_secs_f64();
    let answers = runtime.block_on(flood(address, call, rate));
    drop(server);
    let _ = std::fs::remove_dir_all(&folder);
    let of = |status: u16| {
        let of = answers.iter().filter(|(is, _)| *is == status);
        let mut times: Vec<f64> = of.map(|(_, took)| took.as_secs_f64() * 1000.0).collect();
        times.sort_by(f64::total_cmp);
        times
    };
    let (admitted, refused) = (of(200), of(503));
    assert_eq!(
        admitted.len() + refused.len(),
        answers.len(),
        "all were answered"
    );
    Offered {
        admitted: admitted.len(),
        p99: admitted[admitted.len() * 99 / 100],
        refused_after: refused.get(refused.len() / 2).copied().unwrap_or(0.0),
    }
}

/// Killed when it is dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(folder: &Path, queue: usize) -> (Server, SocketAddr) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .env("BENCH_OVERLOAD", folder)
        .env("BENCH_QUEUE", queue.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let server = Server(child);
    let address = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| {
            let (_, at) = line.strip_prefix("listening on ")?.split_once("://")?;
            at.split('/').next()?.parse().ok()
        })
        .expect("the server listens");
    // What it says more must not fill the pipe.
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    (server, address)
}

async fn flood(address: SocketAddr, call: String, rate: f64) -> Vec<(u16, Duration)> {
    let (due, waiting) = mpsc::unbounded_channel::<Instant>();
    let waiting = Arc::new(tokio::sync::Mutex::new(waiting));
    let answers = Arc::new(Mutex::new(Vec::new()));
    let call: Arc<[u8]> = call.into_bytes().into();
    let connections: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (waiting, answers, call) = (waiting.clone(), answers.clone(), call.clone());
            tokio::spawn(async move {
                let mut stream = None;
                loop {
                    let Some(due) = waiting.lock().await.recv().await else {
                        return;
                    };
                    let status = ask(&mut stream, address, &call).await;
                    answers.lock().unwrap().push((status, due.elapsed()));
                }
            })
        })
        .collect();
    let mut random = Random(11);
    let begun = Instant::now();
    let mut next = 0.0;
    while next < SECONDS as f64 {
        let unit = (random.below(1 << 30) + 1) as f64 / f64::from(1 << 30);
        next -= unit.ln() / rate;
        let at = begun + Duration::from_secs_f64(next);
        // The runtime's timer has milliseconds; what falls into one is sent together, and each is
        // timed from when it was sent.
        tokio::time::sleep_until(at.into()).await;
        due.send(Instant::now()).unwrap();
    }
    drop(due);
    for connection in connections {
        connection.await.unwrap();
    }
    let answers = std::mem::take(&mut *answers.lock().unwrap());
    // The first tenth is for connections to be made.
    answers.into_iter().skip(rate as usize / 2).collect()
}

/// The status of the answer. A connection that the server closed is opened again.
async fn ask(stream: &mut Option<TcpStream>, address: SocketAddr, call: &[u8]) -> u16 {
    if stream.is_none() {
        let opened = TcpStream::connect(address).await.unwrap();
        opened.set_nodelay(true).unwrap();
        *stream = Some(opened);
    }
    let open = stream.as_mut().unwrap();
    open.write_all(call).await.unwrap();
    let mut answer = Vec::with_capacity(1024);
    loop {
        let read = open.read_buf(&mut answer).await.unwrap();
        assert!(read > 0, "the answer is cut off");
        let text = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
        let length: usize = field("content-length: ").unwrap().trim().parse().unwrap();
        if body.len() < length {
            continue;
        }
        let status = head[9..12].parse().unwrap();
        if field("connection: ") == Some("close") {
            *stream = None;
        }
        return status;
    }
}

fn request(address: SocketAddr, token: &str) -> String {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"work","arguments":{},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"}}}}"#;
    format!(
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n\
         MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: work\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
