//! What the naive servers share: the protocol, at its most trusting. The holes are in the
//! files of the classes, except that nothing here has a limit.

use std::{
    collections::HashMap,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::Arc,
};

use serde_json::{Value, json};

/// Serves JSON lines: a line, however long, is collected, parsed and answered.
pub fn over_stdio(mut answer: impl FnMut(&str) -> Option<Value>) {
    for line in io::stdin().lock().lines() {
        if let Some(reply) = answer(&line.unwrap()) {
            let mut out = io::stdout().lock();
            writeln!(out, "{reply}").unwrap();
            out.flush().unwrap();
        }
    }
}

/// A request as the naive HTTP servers see it.
pub struct Request {
    pub method: String,
    pub path: String,
    /// Names in lower case; of a repeated one, the last.
    pub headers: HashMap<String, String>,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// Status, further headers, body.
pub type Reply = (u16, Vec<(&'static str, String)>, String);

/// Serves HTTP on a free port of the loopback interface, a thread for each connection and
/// without a limit. Whoever handles a request may answer late, on the connection itself.
pub fn over_http(handle: impl Fn(Request, TcpStream) -> io::Result<()> + Send + Sync + 'static) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    eprintln!("listening on {} ", listener.local_addr().unwrap());
    let handle = Arc::new(handle);
    for stream in listener.incoming() {
        let handle = Arc::clone(&handle);
        std::thread::spawn(move || {
            let stream = stream.unwrap();
            if let Ok(request) = read(&stream) {
                let _ = handle(request, stream);
            }
        });
    }
}

pub fn reply(stream: &mut TcpStream, (status, headers, body): Reply) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} -\r\nContent-Type: application/json\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!(
        "Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}

fn read(stream: &TcpStream) -> io::Result<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split(' ').map(str::to_owned);
    let [method, path] = [words.next(), words.next()].map(Option::unwrap_or_default);
    let mut headers = HashMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => {
                headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
            }
            None => break,
        }
    }
    let mut body = Vec::new();
    if let Some(length) = headers.get("content-length") {
        // As much as the head announces, and as much as comes.
        reader
            .take(length.parse().unwrap_or(0))
            .read_to_end(&mut body)?;
    } else if headers.contains_key("transfer-encoding") {
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let size = u64::from_str_radix(line.trim(), 16).unwrap_or(0);
            if size == 0 {
                break;
            }
            (&mut reader).take(size).read_to_end(&mut body)?;
            reader.read_line(&mut line)?;
        }
    }
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Request {
        method,
        path,
        headers,
        body,
    })
}

/// The answer to a message: `initialize` is granted, a tool is whatever `tool` makes of it.
pub fn answer(
    message: &Value,
    tool: impl FnOnce(&str, &Value) -> io::Result<String>,
) -> Option<Value> {
    let id = message.get("id")?;
    let result = match message["method"].as_str()? {
        "initialize" => json!({ "protocolVersion": "2025-11-25", "capabilities": { "tools": {} },
            "serverInfo": { "name": "twin", "version": "0" } }),
        "tools/call" => {
            let name = message["params"]["name"].as_str().unwrap_or_default();
            match tool(name, &message["params"]["arguments"]) {
                Ok(text) => json!({ "content": [{ "type": "text", "text": text }] }),
                Err(error) => json!({ "isError": true,
                    "content": [{ "type": "text", "text": error.to_string() }] }),
            }
        }
        _ => json!({}),
    };
    Some(json!({ "jsonrpc": "2.0", "id": id, "result": result }))
}
