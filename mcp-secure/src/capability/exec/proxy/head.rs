//! What a program asks of the proxy, and what it is told.

use std::net::IpAddr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use subtle::ConstantTimeEq as _;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    time::timeout,
};

use super::{DOOR_USER, Token};

/// One request, read and not judged.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) ask: Ask,
    /// What stands behind `Proxy-Authorization`.
    credentials: Option<String>,
    /// What came after the head: the program did not wait for the answer.
    pub(super) rest: Vec<u8>,
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// A tunnel. The host is in lower case, without brackets.
    Connect { host: String, port: u16 },
    /// Something else: a request by its absolute URL, as for plain HTTP.
    Other,
}

/// Why there is no head.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoHead {
    /// Nobody waits for an answer.
    Gone,
    /// It is none, too long, or came too slowly.
    Malformed,
}

impl Head {
    /// Reads one from a connection, as much as there may be and no longer than it may take.
    pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> Result<Self, NoHead> {
        let reading = async {
            let mut bytes = Vec::with_capacity(512);
            loop {
                if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                    let rest = bytes.split_off(end + 4);
                    bytes.truncate(end);
                    return Self::parse(&bytes, rest).ok_or(NoHead::Malformed);
                }
                if bytes.len() >= MAX_HEAD {
                    return Err(NoHead::Malformed);
                }
                let mut part = [0; 1024];
                let room = part.len().min(MAX_HEAD - bytes.len());
                let part = part.get_mut(..room).unwrap_or_default();
                match from.read(part).await {
                    Ok(got @ 1..) => bytes.extend_from_slice(part.get(..got).unwrap_or_default()),
                    _ => return Err(NoHead::Gone),
                }
            }
        };
        timeout(HEAD_TIME, reading)
            .await
            .unwrap_or(Err(NoHead::Malformed))
    }

    fn parse(head: &[u8], rest: Vec<u8>) -> Option<Self> {
        let text = std::str::from_utf8(head).ok()?;
        // A line break of another kind would end a line for somebody else.
        if text
            .replace("\r\n", "")
            .chars()
            .any(|c| c.is_control() && c != '\t')
        {
            return None;
        }
        let mut lines = text.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        if words.next().is_some() || !matches!(version, "HTTP/1.1" | "HTTP/1.0") {
            return None;
        }
        let mut credentials = None;
        for line in lines {
            let (name, value) = line.split_once(':')?;
            if name.eq_ignore_ascii_case("proxy-authorization")
                && credentials.replace(value.trim().to_owned()).is_some()
            {
                return None;
            }
        }
        let ask = match method {
            "CONNECT" => {
                let (host, port) = authority(target)?;
                Ask::Connect { host, port }
            }
            _ => Ask::Other,
        };
        Some(Self {
            ask,
            credentials,
            rest,
        })
    }

    /// Whether it came with the token of a run (RFC 7617). Takes as long for every wrong one.
    pub(super) fn shows(&self, token: &Token) -> bool {
        let text = self.credentials.as_deref().and_then(|credentials| {
            let (scheme, text) = credentials.split_once(' ')?;
            let text = STANDARD.decode(text.trim_start()).ok()?;
            scheme.eq_ignore_ascii_case("basic").then_some(text)
        });
        let wanted = format!("{DOOR_USER}:{token}");
        text.is_some_and(|text| text.ct_eq(wanted.as_bytes()).into())
    }

    pub(super) fn has_credentials(&self) -> bool {
        self.credentials.is_some()
    }
}

/// `host:port`, in the only form that a CONNECT has (RFC 9110, section 9.3.6).
fn authority(target: &str) -> Option<(String, u16)> {
    let (host, port) = target.rsplit_once(':')?;
    if port.is_empty() || port.len() > 5 || !port.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let port = port.parse().ok().filter(|port| *port > 0)?;
    let host = match host.strip_prefix('[') {
        Some(rest) => {
            let address: IpAddr = rest.strip_suffix(']')?.parse().ok()?;
            address.is_ipv6().then(|| address.to_string())?
        }
        None => host.to_ascii_lowercase(),
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
    (!host.is_empty() && host.len() <= 253 && host.bytes().all(plain)).then_some((host, port))
}

/// What a program is told before there is a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Tunnel,
    Malformed,
    /// No token of a run that is under way.
    Stranger,
    Refused,
    NoTunnel,
    TooMany,
    Unreachable,
    Late,
}

impl Answer {
    pub(super) fn bytes(self) -> &'static [u8] {
        match self {
            Self::Tunnel => b"HTTP/1.1 200 Connection established\r\n\r\n",
            Self::Malformed => {
                b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            }
            Self::Stranger => {
                b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic \
                  realm=\"mcp-secure\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            }
            Self::Refused => {
                b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            }
            Self::NoTunnel => {
                b"HTTP/1.1 405 Method Not Allowed\r\nAllow: CONNECT\r\nContent-Length: 0\r\n\
                  Connection: close\r\n\r\n"
            }
            Self::TooMany => {
                b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            }
            Self::Unreachable => {
                b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            }
            Self::Late => {
                b"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            }
        }
    }
}

/// A head of curl has 300 bytes.
const MAX_HEAD: usize = 8 * 1024;
const HEAD_TIME: std::time::Duration = std::time::Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Head> {
        Head::parse(text.as_bytes(), Vec::new())
    }

    #[test]
    fn a_target_is_a_host_and_a_port_and_nothing_else() {
        for (target, host, port) in [
            ("API.Example.com:443", "api.example.com", 443),
            ("127.0.0.1:8443", "127.0.0.1", 8443),
            ("[0:0::1]:443", "::1", 443),
        ] {
            assert_eq!(authority(target), Some((host.to_owned(), port)), "{target}");
        }
        for bad in [
            "",
            ":443",
            "a",
            "a:",
            "a:0",
            "a:65536",
            "a:+443",
            "a:0x50",
            "a: 443",
            "user@a:443",
            "a/b:443",
            "a%2eb:443",
            "a;b:443",
            "[a]:443",
            "[127.0.0.1]:443",
            "https://a:443",
        ] {
            assert_eq!(authority(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn what_two_readers_could_read_differently_is_not_read() {
        let line = "CONNECT a:443 HTTP/1.1";
        assert!(parse(line).is_some());
        assert!(parse(&format!("{line}\r\nHost: a:443")).is_some());
        for bad in [
            "CONNECT a:443",
            "CONNECT  a:443 HTTP/1.1",
            "CONNECT a:443 HTTP/2",
            "CONNECT a:443 HTTP/1.1 x",
            "CONNECT a:443 HTTP/1.1\nHost: a",
            "CONNECT a:443 HTTP/1.1\r\nHost",
            "CONNECT a:443 HTTP/1.1\r\nX: a\rY: b",
            "CONNECT a:443 HTTP/1.1\r\nX: \0",
            "CONNECT a:443 HTTP/1.1\r\nProxy-Authorization: x\r\nproxy-authorization: y",
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
        let other = parse("GET http://a/ HTTP/1.1").unwrap();
        assert_eq!(other.ask, Ask::Other);
        assert_eq!(parse("connect a:443 HTTP/1.1").unwrap().ask, Ask::Other);
    }

    #[test]
    fn only_the_whole_token_of_the_run_is_one() {
        let token = Token::new().unwrap();
        let with = |credentials: &str| {
            let text = format!("CONNECT a:443 HTTP/1.1\r\nProxy-Authorization: {credentials}");
            parse(&text).unwrap().shows(&token)
        };
        let basic = |text: String| STANDARD.encode(text);
        assert!(with(&format!("Basic {}", basic(format!("mcp:{token}")))));
        assert!(with(&format!("basic {}", basic(format!("mcp:{token}")))));
        for wrong in [
            format!("Basic {}", basic(format!("mcp:{}", Token::new().unwrap()))),
            format!("Basic {}", basic("mcp:".to_owned())),
            format!("Basic {}", basic(format!("mcp:{token}x"))),
            format!("Basic {}", basic(format!(":{token}"))),
            format!("Bearer {}", basic(format!("mcp:{token}"))),
            format!("Basic {token}"),
            String::new(),
        ] {
            assert!(!with(&wrong), "{wrong}");
        }
        assert!(!parse("CONNECT a:443 HTTP/1.1").unwrap().shows(&token));
    }

    #[tokio::test]
    async fn a_head_ends_where_it_ends_and_a_long_one_is_none() {
        let mut bytes = &b"CONNECT a:443 HTTP/1.1\r\n\r\nhello"[..];
        let head = Head::read(&mut bytes).await.unwrap();
        assert_eq!(head.rest, b"hello");
        let long = format!("CONNECT a:443 HTTP/1.1\r\nX: {}", "x".repeat(MAX_HEAD));
        assert_eq!(
            Head::read(&mut long.as_bytes()).await,
            Err(NoHead::Malformed)
        );
        assert_eq!(Head::read(&mut &b"CONN"[..]).await, Err(NoHead::Gone));
    }
}
