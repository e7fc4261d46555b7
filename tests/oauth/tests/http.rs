//! One request over one connection, byte for byte as the test wrote it.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// The other side ended it, and not this one's patience.
    pub(crate) ended: bool,
}

impl Answer {
    fn parse(bytes: &[u8], ended: bool) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, rest) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let mut lines = head.lines();
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1))
            .and_then(|status| status.parse().ok())
            .unwrap_or_else(|| panic!("no answer: {text:?}"));
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let chunked = headers
            .iter()
            .any(|(name, value)| name == "transfer-encoding" && value == "chunked");
        let body = if chunked {
            unchunk(rest)
        } else {
            rest.to_owned()
        };
        Self {
            status,
            headers,
            body,
            ended,
        }
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(n, _)| n == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// The JSON of the body, or of the last message of a stream.
    pub(crate) fn json(&self) -> Value {
        let text = self
            .body
            .lines()
            .filter_map(|line| line.strip_prefix("data:"))
            .rfind(|data| data.contains("jsonrpc"))
            .unwrap_or(&self.body);
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

fn unchunk(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, more)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 || more.len() < size {
            break;
        }
        body.push_str(&more[..size]);
        rest = more[size..].trim_start_matches("\r\n");
    }
    body
}

/// Sends the head and the body, with `Connection: close`, and reads to the end.
pub(crate) fn send(to: SocketAddr, head: &str, body: &str) -> Answer {
    let stream = TcpStream::connect(to).unwrap();
    stream
        // Longer than a round waits for a person, which is twenty seconds.
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    exchange(stream, head, body)
}

/// As [`send`], over a stream of any kind.
pub(crate) fn exchange(stream: impl Read + Write, head: &str, body: &str) -> Answer {
    let request = format!(
        "{}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        head.trim_end(),
        body.len()
    );
    raw(stream, &request)
}

/// Sends these bytes and reads to the end.
pub(crate) fn raw(mut stream: impl Read + Write, request: &str) -> Answer {
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    // A peer that closes without the goodbye of TLS has said all it wanted to say.
    let patience = |error: std::io::Error| {
        use std::io::ErrorKind::{TimedOut, WouldBlock};
        !matches!(error.kind(), TimedOut | WouldBlock)
    };
    let ended = stream
        .read_to_end(&mut bytes)
        .map_or_else(patience, |_| true);
    Answer::parse(&bytes, ended)
}

/// The value of a parameter in a challenge.
pub(crate) fn parameter<'a>(challenge: &'a str, name: &str) -> Option<&'a str> {
    let start = challenge.find(&format!("{name}=\""))? + name.len() + 2;
    let rest = &challenge[start..];
    Some(&rest[..rest.find('"')?])
}
