//! A reverse proxy on loopback that adds the bearer token and nothing else: the conformance
//! suite has no option for one.
//!
//! `Host`, `Origin` and everything else pass as they came, so it is the server's ring that
//! judges them. Each connection carries one request: `Connection: close` is the only header
//! that is changed, and it spares the proxy from having to know where a body ends.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    thread,
};

/// A port that leads to a server, once [`lead_to`](Self::lead_to) has been called.
pub(crate) struct Proxy {
    listener: TcpListener,
    address: SocketAddr,
}

impl Proxy {
    /// Takes a free port. Nothing is answered yet: the server must know the port first.
    pub(crate) fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Forwards every connection from now on, until the process ends.
    pub(crate) fn lead_to(self, server: SocketAddr, token: &str) {
        let token = token.to_owned();
        thread::spawn(move || {
            for client in self.listener.incoming().flatten() {
                let token = token.clone();
                // A connection that breaks off is the business of whoever broke it off.
                thread::spawn(move || drop(forward(client, server, &token)));
            }
        });
    }
}

fn forward(mut client: TcpStream, server: SocketAddr, token: &str) -> io::Result<()> {
    let (head, body) = read_head(&mut client)?;
    let mut upstream = TcpStream::connect(server)?;
    upstream.write_all(&rewritten(&head, token))?;
    upstream.write_all(&body)?;
    let (mut from, mut to) = (client.try_clone()?, upstream.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        // The client is gone: so must be what it asked for.
        let _ = to.shutdown(Shutdown::Both);
    });
    let copied = copy_as_it_comes(&mut upstream, &mut client);
    let _ = client.shutdown(Shutdown::Both);
    copied
}

/// The request line and the headers, and what came with them of the body.
fn read_head(client: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut read = Vec::new();
    let mut buffer = [0_u8; 4096];
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let body = read.split_off(end + 4);
            read.truncate(end);
            let head = String::from_utf8(read).map_err(io::Error::other)?;
            return Ok((head, body));
        }
        match client.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => read.extend_from_slice(&buffer[..n]),
        }
    }
}

fn rewritten(head: &str, token: &str) -> Vec<u8> {
    let is = |line: &str, name: &str| {
        line.split_once(':')
            .is_some_and(|(this, _)| this.eq_ignore_ascii_case(name))
    };
    let mut lines: Vec<&str> = head
        .split("\r\n")
        .filter(|line| !is(line, "connection"))
        .collect();
    let authorization = format!("Authorization: Bearer {token}");
    if !lines.iter().any(|line| is(line, "authorization")) {
        lines.push(&authorization);
    }
    lines.push("Connection: close");
    format!("{}\r\n\r\n", lines.join("\r\n")).into_bytes()
}

/// Without a buffer that waits to be full: an event of a stream is due when it is sent.
fn copy_as_it_comes(from: &mut TcpStream, to: &mut TcpStream) -> io::Result<()> {
    let mut buffer = [0_u8; 16 * 1024];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            n => to.write_all(&buffer[..n])?,
        }
    }
}
