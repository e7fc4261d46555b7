//! A web server that says whatever a test wants, byte by byte, and remembers what it heard.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

/// A request as it stood on the wire.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Which connection it came by, from 1.
    pub(crate) connection: usize,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(n, _)| n == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "`{name}` came twice");
        value
    }

    pub(crate) fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap()
    }
}

/// What the server does next.
pub(crate) enum Act {
    Say(Vec<u8>),
    Wait(Duration),
    /// Says it until nobody listens.
    Forever(Vec<u8>),
    Close,
}

type Handler = Arc<dyn Fn(&Seen) -> Vec<Act> + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    opened: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
}

impl Site {
    pub(crate) async fn new(
        tls: Option<TlsAcceptor>,
        handler: impl Fn(&Seen) -> Vec<Act> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let site = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            opened: Arc::default(),
            open: Arc::default(),
        };
        let (served, handler): (_, Handler) = (site.clone(), Arc::new(handler));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let number = served.opened.fetch_add(1, Ordering::SeqCst) + 1;
                let (site, handler, tls) = (served.clone(), Arc::clone(&handler), tls.clone());
                tokio::spawn(async move {
                    site.open.fetch_add(1, Ordering::SeqCst);
                    match tls {
                        None => site.serve(stream, number, &handler).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                site.serve(stream, number, &handler).await;
                            }
                        }
                    }
                    site.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        site
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        connection: usize,
        handler: &Handler,
    ) {
        let mut stream = BufReader::new(stream);
        while let Some(mut seen) = read(&mut stream).await {
            seen.connection = connection;
            self.seen.lock().unwrap().push(seen.clone());
            for act in handler(&seen) {
                let done = match act {
                    Act::Say(bytes) => say(&mut stream, &bytes).await,
                    Act::Wait(time) => {
                        tokio::time::sleep(time).await;
                        true
                    }
                    Act::Forever(bytes) => {
                        while say(&mut stream, &bytes).await {}
                        false
                    }
                    Act::Close => {
                        let _ = stream.shutdown().await;
                        false
                    }
                };
                if !done {
                    return;
                }
            }
        }
    }

    /// What was heard so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The one request that was heard.
    pub(crate) fn only(&self) -> Seen {
        let [seen] = <[Seen; 1]>::try_from(self.seen()).unwrap();
        seen
    }

    /// Connections so far.
    pub(crate) fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }

    /// Waits until no connection is open.
    pub(crate) async fn is_left(&self) {
        let left = async {
            while self.open.load(Ordering::SeqCst) > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let patience = Duration::from_secs(10);
        tokio::time::timeout(patience, left)
            .await
            .expect("a connection stays open");
    }
}

async fn say<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> bool {
    stream.write_all(bytes).await.is_ok() && stream.flush().await.is_ok()
}

/// The next request, by length or in chunks.
async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Seen> {
    let head = until(stream, b"\r\n\r\n").await?;
    let mut lines = head.trim_end().split("\r\n");
    let line = lines.next()?.to_owned();
    let headers: Vec<(String, String)> = lines
        .map(|line| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        })
        .collect();
    let find = |name: &str| {
        headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    };
    let mut body = Vec::new();
    if let Some(length) = find("content-length") {
        body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body).await.ok()?;
    } else if find("transfer-encoding") == Some("chunked") {
        loop {
            let size = until(stream, b"\r\n").await?;
            let size = usize::from_str_radix(size.trim(), 16).unwrap();
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk).await.ok()?;
            if size == 0 {
                break;
            }
            body.extend(&chunk[..size]);
        }
    }
    Some(Seen {
        line,
        headers,
        body,
        connection: 0,
    })
}

async fn until<S: AsyncRead + Unpin>(stream: &mut S, end: &[u8]) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end) {
        bytes.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// A whole response.
pub(crate) fn reply(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<Act> {
    let mut bytes = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        bytes.push_str(&format!("{name}: {value}\r\n"));
    }
    bytes.push_str("\r\n");
    let mut bytes = bytes.into_bytes();
    bytes.extend(body);
    vec![Act::Say(bytes)]
}

/// `200`, with this.
pub(crate) fn ok(body: &[u8]) -> Vec<Act> {
    reply("200 OK", &[], body)
}
