//! One HTTP/1.1 exchange on a connection of its own.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use serde_json::Value;

use super::server::PATIENCE;

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// A request that was sent, and its answer as it arrives.
pub(crate) struct Exchange {
    stream: BufReader<Box<dyn Stream>>,
    head: Option<Head>,
}

struct Head {
    status: u16,
    headers: Vec<(String, String)>,
}

impl Exchange {
    /// Opens a connection and sends these bytes, whatever they are.
    pub(crate) fn tcp(port: u16, bytes: &[u8]) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(Box::new(stream), bytes)
    }

    pub(crate) fn unix(path: &Path, bytes: &[u8]) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self::over(Box::new(stream), bytes)
    }

    fn over(mut stream: Box<dyn Stream>, bytes: &[u8]) -> Self {
        // The server may have answered and closed before the last byte of a large body.
        let _ = stream.write_all(bytes);
        Self {
            stream: BufReader::new(stream),
            head: None,
        }
    }

    /// Sends more, slowly if asked for.
    pub(crate) fn drip(&mut self, bytes: &[u8], pause: Duration) {
        for byte in bytes {
            if self.stream.get_mut().write_all(&[*byte]).is_err() {
                return;
            }
            std::thread::sleep(pause);
        }
    }

    pub(crate) fn status(&mut self) -> u16 {
        self.head().status
    }

    pub(crate) fn header(&mut self, name: &str) -> Option<String> {
        let headers = &self.head().headers;
        headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.clone())
    }

    /// The next JSON-RPC message: the whole body, or the next event. `None` at the end.
    pub(crate) fn message(&mut self) -> Option<Value> {
        let stream = self
            .header("content-type")
            .is_some_and(|t| t.starts_with("text/event-stream"));
        if !stream {
            let body = self.body();
            return (!body.is_empty()).then(|| {
                serde_json::from_str(&body).unwrap_or_else(|_| panic!("not JSON: {body}"))
            });
        }
        loop {
            // Chunk lengths, `id:` and blank lines are not data.
            let mut line = String::new();
            if self.stream.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some(data) = line.strip_prefix("data:")
                && let Ok(message) = serde_json::from_str(data.trim())
            {
                return Some(message);
            }
        }
    }

    /// Whether these words arrive in this time.
    pub(crate) fn hears_within(self, time: Duration, words: &str) -> bool {
        let (sender, heard) = std::sync::mpsc::channel();
        let words = words.to_owned();
        std::thread::spawn(move || {
            let lines = self.stream.lines().map_while(Result::ok);
            let _ = sender.send(lines.take(100).any(|line| line.contains(&words)));
        });
        heard.recv_timeout(time).unwrap_or(false)
    }

    /// Whether a chunked answer comes to its end in this time; the connection may live on.
    pub(crate) fn ends_within(self, time: Duration) -> bool {
        let (sender, ended) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut lines = self.stream.lines().map_while(Result::ok);
            let _ = sender.send(lines.any(|line| line == "0"));
        });
        ended.recv_timeout(time).unwrap_or(false)
    }

    /// The whole body of an answer that has a length.
    pub(crate) fn body(&mut self) -> String {
        let length = self
            .header("content-length")
            .and_then(|n| n.parse().ok())
            .unwrap_or(0);
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        String::from_utf8(body).unwrap()
    }

    fn head(&mut self) -> &Head {
        if self.head.is_none() {
            let mut lines = Vec::new();
            loop {
                let mut line = String::new();
                self.stream.read_line(&mut line).unwrap();
                match line.trim_end() {
                    "" => break,
                    line => lines.push(line.to_owned()),
                }
            }
            assert!(
                !lines.is_empty(),
                "the connection was closed without an answer"
            );
            let status = lines[0].split(' ').nth(1).unwrap().parse().unwrap();
            let headers = lines[1..]
                .iter()
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            self.head = Some(Head { status, headers });
        }
        self.head.as_ref().unwrap()
    }
}
