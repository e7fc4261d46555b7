//! A web server that answers with what it was sent, in one spelling or another.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// A server on loopback, for as long as the test runs.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Site {
    /// `elsewhere` is where `/away` redirects to.
    pub(crate) fn new(elsewhere: Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let site = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
        };
        let served = site.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let site = served.clone();
                std::thread::spawn(move || site.serve(stream, elsewhere));
            }
        });
        site
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The heads of all requests so far, as they were on the wire.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    fn serve(&self, mut stream: TcpStream, elsewhere: Option<SocketAddr>) -> Option<()> {
        let mut lines = BufReader::new(stream.try_clone().ok()?);
        loop {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if lines.read_line(&mut head).ok()? == 0 {
                    return None;
                }
            }
            self.seen.lock().unwrap().push(head.clone());
            let sent = value(&head, "authorization")
                .or_else(|| value(&head, "x-api-key"))
                .unwrap_or_else(|| "nothing".to_owned());
            let secret = sent.rsplit(' ').next().unwrap().to_owned();
            let page = head.split([' ', '?']).nth(1)?.to_owned();
            let mut extra = String::new();
            let mut status = "200 OK";
            let body = match page.as_str() {
                "/plain" => "fine".to_owned(),
                "/echo" => format!("you sent {sent}."),
                "/upper" => sent.to_uppercase(),
                "/base64" => STANDARD.encode(&sent),
                "/base64-1" => STANDARD.encode(format!("x{sent}")),
                "/base64-2" => STANDARD.encode(format!("xy{sent}")),
                "/hex" => sent.bytes().map(|b| format!("{b:02x}")).collect(),
                "/percent" => sent.bytes().map(|b| format!("%{b:02X}")).collect(),
                "/unicode" => sent.bytes().map(|b| format!("\\u{b:04x}")).collect(),
                "/headers" => {
                    extra = format!("x-echo: {sent}\r\nset-cookie: a={secret}\r\n");
                    "in the headers".to_owned()
                }
                "/here" => {
                    status = "302 Found";
                    extra = format!("location: /echo?{secret}\r\n");
                    String::new()
                }
                "/away" => {
                    status = "302 Found";
                    extra = format!("location: http://{}/echo\r\n", elsewhere?);
                    String::new()
                }
                "/drip" => {
                    let body = format!("you sent {sent}.");
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                    stream.write_all(head.as_bytes()).ok()?;
                    for byte in body.bytes() {
                        stream.write_all(&[byte]).ok()?;
                        stream.flush().ok()?;
                        std::thread::sleep(std::time::Duration::from_millis(1));
                    }
                    continue;
                }
                _ => "not here".to_owned(),
            };
            let answer = format!(
                "HTTP/1.1 {status}\r\n{extra}content-length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).ok()?;
        }
    }
}

fn value(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (n, value) = line.split_once(": ")?;
        (n.eq_ignore_ascii_case(name)).then(|| value.to_owned())
    })
}
