//! The stdio transport: one JSON-RPC message a line, bounded, and nothing else on stdout.
//!
//! `rmcp`'s own reader drops a line that is too long without an answer, ignores what is not
//! JSON, and lets a second request reuse an id that is running. Here each gets an answer.

use std::{
    collections::HashSet,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::BoxFuture;
use rmcp::{
    RoleServer,
    model::{JsonRpcMessage, RequestId},
    service::{RxJsonRpcMessage, TxJsonRpcMessage},
    transport::Transport,
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    sync::Notify,
};

use super::keys::Keys;
use crate::audit::{AuditSink, Tally};

/// Messages over any byte stream; standard input and output in a server.
pub(crate) struct StdioTransport<R, W> {
    reader: BufReader<R>,
    /// As much of a line as has arrived, kept here because `rmcp` drops the future of
    /// `receive` whenever something else happens first.
    line: Vec<u8>,
    /// Whether the line has been handed out, so that the next one starts anew.
    complete: bool,
    /// The line is too long: what is left of it.
    excess: Option<IdScanner>,
    /// An answer on its way out, kept for the same reason: half of one would spoil the stream.
    refusing: Option<BoxFuture<'static, io::Result<()>>>,
    max: usize,
    shared: Arc<Shared<W>>,
    ended: Arc<Notify>,
}

struct Shared<W> {
    writer: tokio::sync::Mutex<W>,
    running: Mutex<HashSet<RequestId>>,
    tally: Arc<Tally>,
}

impl<R, W> StdioTransport<R, W>
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    /// `ended` is notified when the client closes its side.
    pub(crate) fn new(
        reader: R,
        writer: W,
        max: usize,
        tally: Arc<Tally>,
        ended: Arc<Notify>,
    ) -> Self {
        Self {
            reader: BufReader::with_capacity(64 * 1024, reader),
            line: Vec::with_capacity(4096),
            complete: false,
            excess: None,
            refusing: None,
            max,
            shared: Arc::new(Shared {
                writer: tokio::sync::Mutex::new(writer),
                running: Mutex::default(),
                tally,
            }),
            ended,
        }
    }

    /// The next line into `self.line`; a longer one is read to its end and only looked at
    /// for its id, so memory stays flat. May be dropped at its `await` and called again.
    async fn next_line(&mut self) -> io::Result<Line> {
        if std::mem::take(&mut self.complete) {
            self.line.clear();
        }
        loop {
            let chunk = self.reader.fill_buf().await?;
            if chunk.is_empty() {
                return Ok(if self.line.is_empty() && self.excess.is_none() {
                    Line::End
                } else {
                    self.whole()
                });
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(chunk.len());
            let part = chunk.get(..taken).unwrap_or_default();
            if let Some(scanner) = &mut self.excess {
                scanner.feed(part);
            } else if self.line.len() + part.len() > self.max {
                let mut scanner = IdScanner::default();
                scanner.feed(&self.line);
                scanner.feed(part);
                self.line = Vec::new();
                self.excess = Some(scanner);
            } else {
                self.line.extend_from_slice(part);
            }
            self.reader.consume(taken + usize::from(end.is_some()));
            if end.is_some() {
                return Ok(self.whole());
            }
        }
    }

    fn whole(&mut self) -> Line {
        self.complete = true;
        self.excess
            .take()
            .map_or(Line::Whole, |scanner| Line::TooLong(scanner.id()))
    }

    /// The message of the current line, or the answer to what is not one.
    fn parse(&self) -> Result<Option<RxJsonRpcMessage<RoleServer>>, Refused> {
        let line = self.line.trim_ascii();
        if line.is_empty() {
            return Ok(None);
        }
        if Keys::check(line).is_err() {
            // Not even its id is certain.
            return Err(Refused::new(
                "stdio/keys",
                Value::Null,
                -32700,
                "a key in the message occurs twice or holds a NUL",
            ));
        }
        match serde_json::from_slice::<RxJsonRpcMessage<RoleServer>>(line) {
            Ok(JsonRpcMessage::Request(request)) => {
                if self.shared.begin(&request.id) {
                    Ok(Some(JsonRpcMessage::Request(request)))
                } else {
                    Err(Refused::new(
                        "stdio/duplicate-id",
                        Value::Null,
                        -32600,
                        "this request id is in use",
                    ))
                }
            }
            Ok(message) => Ok(Some(message)),
            Err(_) => Err(not_a_message(line)),
        }
    }
}

/// What is wrong with a line that is not a message, in constant words (spec BASE-04).
fn not_a_message(line: &[u8]) -> Refused {
    let Ok(value) = serde_json::from_slice::<Value>(line) else {
        return Refused::new(
            "stdio/parse",
            Value::Null,
            -32700,
            "the message is not valid JSON",
        );
    };
    let id = match value.get("id") {
        Some(id @ (Value::Number(_) | Value::String(_))) => id.clone(),
        _ => Value::Null,
    };
    // What has no id and a method is a notification: never answered, only counted.
    let silent = id.is_null() && value.get("method").is_some();
    Refused {
        silent,
        ..Refused::new(
            "stdio/message",
            id,
            -32600,
            "the message is not a valid request",
        )
    }
}

enum Line {
    Whole,
    TooLong(Value),
    End,
}

struct Refused {
    control: &'static str,
    id: Value,
    code: i32,
    message: &'static str,
    silent: bool,
}

impl Refused {
    fn new(control: &'static str, id: Value, code: i32, message: &'static str) -> Self {
        Self {
            control,
            id,
            code,
            message,
            silent: false,
        }
    }
}

impl<W: AsyncWrite + Unpin + Send> Shared<W> {
    fn begin(&self, id: &RequestId) -> bool {
        self.running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id.clone())
    }

    fn end(&self, id: &RequestId) {
        self.running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(id);
    }

    async fn refuse(&self, refused: Refused) -> io::Result<()> {
        self.tally.count(refused.control, "stdio");
        if refused.silent {
            return Ok(());
        }
        let answer = serde_json::json!({
            "jsonrpc": "2.0",
            "id": refused.id,
            "error": { "code": refused.code, "message": refused.message },
        });
        self.write(answer.to_string().into_bytes()).await
    }

    async fn write(&self, mut line: Vec<u8>) -> io::Result<()> {
        line.push(b'\n');
        let mut writer = self.writer.lock().await;
        writer.write_all(&line).await?;
        writer.flush().await
    }
}

impl<R, W> Transport<RoleServer> for StdioTransport<R, W>
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        match &item {
            JsonRpcMessage::Response(response) => self.shared.end(&response.id),
            JsonRpcMessage::Error(error) => {
                if let Some(id) = &error.id {
                    self.shared.end(id);
                }
            }
            _ => {}
        }
        let shared = Arc::clone(&self.shared);
        async move { shared.write(serde_json::to_vec(&item)?).await }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            if let Some(refusing) = &mut self.refusing {
                let written = refusing.await;
                self.refusing = None;
                if written.is_err() {
                    self.ended.notify_one();
                    return None;
                }
            }
            let refused = match self.next_line().await {
                Ok(Line::Whole) => match self.parse() {
                    Ok(Some(message)) => {
                        // A cancelled request is not answered, so nothing else frees its id.
                        if let JsonRpcMessage::Notification(notification) = &message
                            && let rmcp::model::ClientNotification::CancelledNotification(cancelled) =
                                &notification.notification
                            && let Some(id) = &cancelled.params.request_id
                        {
                            self.shared.end(id);
                        }
                        return Some(message);
                    }
                    Ok(None) => continue,
                    Err(refused) => refused,
                },
                Ok(Line::TooLong(id)) => Refused::new(
                    "stdio/size",
                    id,
                    -32600,
                    "the message is larger than this server accepts",
                ),
                Ok(Line::End) | Err(_) => {
                    self.ended.notify_one();
                    return None;
                }
            };
            let shared = Arc::clone(&self.shared);
            self.refusing = Some(Box::pin(async move { shared.refuse(refused).await }));
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        self.shared.writer.lock().await.flush().await
    }
}

/// Finds the top-level `id` of a JSON object while its bytes pass by, in constant memory.
#[derive(Default)]
struct IdScanner {
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// The string that ended last, if it stands where a key may stand.
    key: Vec<u8>,
    /// At depth 1, after a `:` whose key is `id`.
    at_value: bool,
    value: Vec<u8>,
    done: bool,
}

impl IdScanner {
    const LONGEST: usize = 256;

    fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.done {
                return;
            }
            self.step(byte);
        }
    }

    fn step(&mut self, byte: u8) {
        if self.at_value {
            let ends = !self.in_string && matches!(byte, b',' | b'}');
            if ends || self.value.len() >= Self::LONGEST {
                self.done = true;
                return;
            }
            self.value.push(byte);
        }
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => {
                    self.in_string = false;
                    return;
                }
                _ => {}
            }
            if self.depth == 1 && !self.at_value && self.key.len() < 8 {
                self.key.push(byte);
            }
            return;
        }
        match byte {
            b'"' => {
                self.in_string = true;
                self.key.clear();
            }
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b':' if self.depth == 1 && self.key == b"id" => self.at_value = true,
            _ => {}
        }
    }

    fn id(&self) -> Value {
        match serde_json::from_slice(&self.value) {
            Ok(id @ (Value::Number(_) | Value::String(_))) => id,
            _ => Value::Null,
        }
    }
}

/// Takes standard output for the protocol and points descriptor 1 at standard error, so
/// that a `println!` of a tool or a dependency cannot end up between messages.
#[cfg(unix)]
pub(crate) fn take_stdout() -> io::Result<std::fs::File> {
    let private = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
    rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
    Ok(private.into())
}

/// Standard input and the taken standard output for tokio: pipes are polled, everything
/// else is read on a thread.
#[cfg(unix)]
pub(crate) fn streams(
    out: std::fs::File,
) -> (
    Box<dyn AsyncRead + Send + Unpin>,
    Box<dyn AsyncWrite + Send + Unpin>,
) {
    let reader: Box<dyn AsyncRead + Send + Unpin> =
        match reopen(0, false).and_then(tokio::net::unix::pipe::Receiver::from_file) {
            Ok(pipe) => Box::new(pipe),
            Err(_) => Box::new(tokio::io::stdin()),
        };
    use std::os::fd::AsRawFd;
    let writer: Box<dyn AsyncWrite + Send + Unpin> =
        match reopen(out.as_raw_fd(), true).and_then(tokio::net::unix::pipe::Sender::from_file) {
            Ok(pipe) => Box::new(pipe),
            Err(_) => Box::new(tokio::fs::File::from_std(out)),
        };
    (reader, writer)
}

/// Ends the process some time after its client has gone, whatever the runtime is doing: a
/// tool that blocks a thread may hold up the very task that would notice.
#[cfg(unix)]
pub(crate) fn leave_with_client(patience: Duration, log: AuditSink) {
    use rustix::event::{PollFd, PollFlags, poll};
    let watch = move || {
        let stdin = rustix::stdio::stdin();
        let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
        let mut watched = [PollFd::new(&stdin, PollFlags::empty())];
        loop {
            match poll(&mut watched, None) {
                Ok(_) if watched.iter().any(|fd| fd.revents().intersects(gone)) => break,
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
        }
        std::thread::sleep(patience);
        log.close();
        std::process::exit(0);
    };
    // Without the thread the server still serves; it only may outlive a stuck tool's client.
    let _ = std::thread::Builder::new()
        .name("client".to_owned())
        .spawn(watch);
}

/// Elsewhere the end of standard input is noticed by the runtime alone.
#[cfg(not(unix))]
pub(crate) fn leave_with_client(_: Duration, _: AuditSink) {}

/// Opens a pipe anew, so that "non-blocking" is ours alone and not of whoever shares it.
#[cfg(unix)]
fn reopen(fd: i32, write: bool) -> io::Result<std::fs::File> {
    use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
    let path = format!("/proc/self/fd/{fd}");
    if !std::fs::metadata(&path)?.file_type().is_fifo() {
        return Err(io::Error::other("not a pipe"));
    }
    std::fs::File::options()
        .read(!write)
        .write(write)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_of(text: &str) -> Value {
        let mut scanner = IdScanner::default();
        // In pieces, as they arrive.
        for part in text.as_bytes().chunks(3) {
            scanner.feed(part);
        }
        scanner.id()
    }

    /// `rmcp` polls `receive` in a `select!` and drops it when something else is first.
    #[tokio::test]
    async fn a_message_that_arrives_in_pieces_survives_a_dropped_future() {
        use futures::FutureExt;

        let (mut client, server) = tokio::io::duplex(1 << 20);
        let (reader, writer) = tokio::io::split(server);
        let tally = Tally::new(Arc::new(crate::audit::Audit::new(
            crate::audit::AuditSink::stderr(),
            "stdio",
            "".into(),
            crate::audit::DigestKey::random().unwrap(),
            crate::metrics::Meter::default(),
        )));
        let mut transport = StdioTransport::new(reader, writer, 256, tally, Arc::default());
        for piece in [r#"{"jsonrpc":"2.0","id":1,"#, r#""method":"pi"#, r#"ng"}"#] {
            client.write_all(piece.as_bytes()).await.unwrap();
            assert!(transport.receive().now_or_never().is_none());
        }
        client.write_all(b"\n").await.unwrap();
        assert!(matches!(
            transport.receive().await,
            Some(JsonRpcMessage::Request(_))
        ));

        client.write_all(&[b' '; 300]).await.unwrap();
        assert!(transport.receive().now_or_never().is_none());
        client.write_all(b"{\"id\":7}\n").await.unwrap();
        assert!(transport.receive().now_or_never().is_none());
        let mut answer = [0; 512];
        let length = tokio::io::AsyncReadExt::read(&mut client, &mut answer)
            .await
            .unwrap();
        let answer: Value = serde_json::from_slice(&answer[..length]).unwrap();
        assert_eq!(answer["id"], 7, "{answer}");
    }

    #[test]
    fn the_id_of_an_oversize_message_is_found_wherever_it_stands() {
        assert_eq!(id_of(r#"{"jsonrpc":"2.0","id":7,"params":{"id":9}}"#), 7);
        assert_eq!(
            id_of(r#"{"params":{"id":9,"x":["id",{"id":1}]},"id":"a\"b"}"#),
            "a\"b"
        );
        assert_eq!(id_of(r#"{ "id" : 12 }"#), 12);
        assert_eq!(id_of(r#"{"a":"id","b":"\"id\":5"}"#), Value::Null);
        assert_eq!(id_of(r#"{"id":{"id":3}}"#), Value::Null);
        assert_eq!(id_of(r#"[{"id":3}]"#), Value::Null);
        assert_eq!(id_of("not json at all"), Value::Null);
    }
}
