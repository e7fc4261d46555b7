//! Connections that live for several requests, with TLS or without, from any address.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    sync::Arc,
};

use rustix::net::{AddressFamily, SocketType};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
    crypto::aws_lc_rs, pki_types::ServerName,
};
use serde_json::json;

use super::{Authority, Pair, server::PATIENCE};

/// A TLS client.
pub(crate) struct Caller {
    roots: RootCertStore,
    versions: Vec<&'static SupportedProtocolVersion>,
    shows: Option<Pair>,
    alpn: Vec<Vec<u8>>,
    from: Option<IpAddr>,
}

/// One connection.
pub(crate) struct Wire<S> {
    pub(crate) stream: BufReader<S>,
}

/// One answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Caller {
    pub(crate) fn trusting(authority: &Authority) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(authority.der.clone()).unwrap();
        Self {
            roots,
            versions: vec![&rustls::version::TLS13],
            shows: None,
            alpn: Vec::new(),
            from: None,
        }
    }

    pub(crate) fn speaking(mut self, version: &'static SupportedProtocolVersion) -> Self {
        self.versions = vec![version];
        self
    }

    pub(crate) fn showing(mut self, pair: Pair) -> Self {
        self.shows = Some(pair);
        self
    }

    pub(crate) fn offering(mut self, protocols: &[&str]) -> Self {
        self.alpn = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
        self
    }

    pub(crate) fn from(mut self, address: &str) -> Self {
        self.from = Some(address.parse().unwrap());
        self
    }

    /// A whole handshake. In TLS 1.3 a server judges the client's certificate after it.
    pub(crate) fn call(
        &self,
        to: SocketAddr,
        name: &str,
    ) -> io::Result<Wire<StreamOwned<ClientConnection, TcpStream>>> {
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&self.versions)
            .unwrap()
            .with_root_certificates(self.roots.clone());
        let mut config = match &self.shows {
            None => builder.with_no_client_auth(),
            Some(pair) => builder
                .with_client_auth_cert(vec![pair.der.clone()], pair.private())
                .unwrap(),
        };
        config.alpn_protocols = self.alpn.clone();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut tls = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut tcp = connect(self.from, to);
        while tls.is_handshaking() {
            tls.complete_io(&mut tcp)?;
        }
        Ok(Wire::over(StreamOwned::new(tls, tcp)))
    }
}

/// A TCP connection, from this address if one is named.
pub(crate) fn connect(from: Option<IpAddr>, to: SocketAddr) -> TcpStream {
    let family = match to {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = rustix::net::socket(family, SocketType::STREAM, None).unwrap();
    if let Some(from) = from {
        if from.is_ipv6() {
            // No interface has the address; its route says that it is ours.
            rustix::net::sockopt::set_ipv6_freebind(&socket, true).unwrap();
        }
        rustix::net::bind(&socket, &SocketAddr::new(from, 0)).unwrap();
    }
    rustix::net::connect(&socket, &to).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

impl Wire<TcpStream> {
    /// Plain HTTP from an address of the test's namespace.
    pub(crate) fn from(from: &str, to: SocketAddr) -> Self {
        Self::over(connect(Some(from.parse().unwrap()), to))
    }
}

impl<S: Read + Write> Wire<S> {
    pub(crate) fn over(stream: S) -> Self {
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// Calls `whoami` in the newer generation.
    pub(crate) fn whoami(&mut self, host: &str, bearer: &str) -> io::Result<Answer> {
        self.whoami_with(host, bearer, "")
    }

    /// The same with further headers.
    pub(crate) fn whoami_with(
        &mut self,
        host: &str,
        bearer: &str,
        headers: &str,
    ) -> io::Result<Answer> {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": { "name": "wiring", "version": "1" },
        });
        let body = json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": { "name": "whoami", "arguments": {}, "_meta": meta },
        })
        .to_string();
        let authorization = match bearer {
            "" => String::new(),
            token => format!("Authorization: Bearer {token}\r\n"),
        };
        self.ask(&format!(
            "POST /mcp HTTP/1.1\r\nHost: {host}\r\n{authorization}{headers}\
             Content-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\n\
             MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: whoami\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    /// Sends these bytes and reads one answer.
    pub(crate) fn ask(&mut self, request: &str) -> io::Result<Answer> {
        let stream = self.stream.get_mut();
        stream.write_all(request.as_bytes())?;
        stream.flush()?;
        let mut lines = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        let status = lines.first().and_then(|line| line.split(' ').nth(1));
        let status = status.and_then(|status| status.parse().ok());
        let status = status.ok_or(io::ErrorKind::UnexpectedEof)?;
        let headers: Vec<(String, String)> = lines
            .iter()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut answer = Answer {
            status,
            headers,
            body: String::new(),
        };
        let mut body = Vec::new();
        if let Some(length) = answer.header("content-length") {
            body.resize(length.parse().unwrap(), 0);
            self.stream.read_exact(&mut body)?;
        } else if answer.header("transfer-encoding").is_some() {
            loop {
                let size = usize::from_str_radix(&self.line()?, 16).unwrap();
                let start = body.len();
                body.resize(start + size, 0);
                self.stream.read_exact(&mut body[start..])?;
                self.line()?;
                if size == 0 {
                    break;
                }
            }
        }
        answer.body = String::from_utf8(body).unwrap();
        Ok(answer)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }
}
