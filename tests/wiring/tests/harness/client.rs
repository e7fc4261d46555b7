//! The same words over each transport, in each generation.

use serde_json::{Value, json};

use super::{Exchange, Generation, Server, Transport};

/// A client that has introduced itself.
pub(crate) struct Client<'a> {
    server: &'a Server,
    generation: Generation,
    capabilities: Value,
    session: Option<String>,
    headers: String,
}

/// A request whose answer has not been read.
pub(crate) struct Begun {
    pub(crate) id: Value,
    exchange: Option<Exchange>,
}

impl Begun {
    /// The head of the answer, over HTTP.
    #[track_caller]
    pub(crate) fn exchange_mut(&mut self) -> &mut Exchange {
        self.exchange.as_mut().expect("it is over HTTP")
    }
}

impl<'a> Client<'a> {
    pub(super) fn connect(
        server: &'a Server,
        generation: Generation,
        capabilities: &Value,
    ) -> Self {
        let capabilities = capabilities.clone();
        let mut client = Self {
            server,
            generation,
            capabilities,
            session: None,
            headers: String::new(),
        };
        if generation == Generation::Sessions {
            let mut begun = client.begin_raw(
                "initialize",
                json!({
                    "protocolVersion": "2025-11-25",
                    "capabilities": client.capabilities,
                    "clientInfo": { "name": "wiring", "version": "1" },
                }),
            );
            if let Some(exchange) = &mut begun.exchange {
                client.session = exchange.header("mcp-session-id");
            }
            let answer = client.end(begun);
            assert_eq!(
                answer["result"]["protocolVersion"], "2025-11-25",
                "{answer}"
            );
            client.notify("notifications/initialized", json!({}));
        }
        client
    }

    /// The same client, with further headers in each request.
    pub(crate) fn with_header(&self, headers: &str) -> Self {
        Self {
            server: self.server,
            generation: self.generation,
            capabilities: self.capabilities.clone(),
            session: self.session.clone(),
            headers: headers.to_owned(),
        }
    }

    pub(crate) fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// Asks and waits.
    #[track_caller]
    pub(crate) fn request(&self, method: &str, params: Value) -> Value {
        let begun = self.begin(method, params);
        self.end(begun)
    }

    /// Calls a tool and waits.
    #[track_caller]
    pub(crate) fn call(&self, tool: &str, arguments: Value) -> Value {
        self.request(
            "tools/call",
            json!({ "name": tool, "arguments": arguments }),
        )
    }

    /// Calls a tool.
    pub(crate) fn begin_call(&self, tool: &str, arguments: Value) -> Begun {
        self.begin(
            "tools/call",
            json!({ "name": tool, "arguments": arguments }),
        )
    }

    /// Asks.
    pub(crate) fn begin(&self, method: &str, mut params: Value) -> Begun {
        if self.generation == Generation::Rounds
            && let Some(params) = params.as_object_mut()
        {
            params.insert("_meta".into(), self.meta());
        }
        self.begin_raw(method, params)
    }

    /// Asks with exactly these parameters.
    pub(crate) fn begin_raw(&self, method: &str, params: Value) -> Begun {
        let id = json!(self.server.next_id());
        self.begin_as(id, method, params)
    }

    /// Asks with exactly this id and these parameters.
    pub(crate) fn begin_as(&self, id: Value, method: &str, params: Value) -> Begun {
        let name = params
            .get("name")
            .or_else(|| params.get("uri"))
            .and_then(Value::as_str);
        let name = name.map(str::to_owned);
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let exchange = self.send(&message, Some(method), name.as_deref());
        Begun { id, exchange }
    }

    /// What comes next: the answer, or a request of the server's.
    #[track_caller]
    pub(crate) fn next(&self, begun: &mut Begun) -> Value {
        match &mut begun.exchange {
            None => self.server.read_for(&begun.id),
            Some(exchange) => loop {
                let message = exchange.message();
                let Some(message) = message else {
                    panic!("the stream ended without an answer")
                };
                if message.get("id").is_some() || message.get("error").is_some() {
                    return message;
                }
            },
        }
    }

    /// The answer.
    #[track_caller]
    pub(crate) fn end(&self, mut begun: Begun) -> Value {
        let answer = self.next(&mut begun);
        assert!(
            answer.get("method").is_none(),
            "an unexpected request: {answer}"
        );
        answer
    }

    /// The answer, and the notifications that came before it.
    #[track_caller]
    pub(crate) fn end_with_notifications(&self, mut begun: Begun) -> (Vec<Value>, Value) {
        let mut notifications = Vec::new();
        loop {
            let message = match &mut begun.exchange {
                None => self.server.read_line(),
                Some(exchange) => match exchange.message() {
                    Some(message) => message,
                    None => panic!("the stream ended without an answer"),
                },
            };
            if message.get("method").is_some() {
                notifications.push(message);
            } else if message.get("id").is_some() || message.get("error").is_some() {
                return (notifications, message);
            }
        }
    }

    /// The stream of the session, where there is one.
    pub(crate) fn session_stream(&self) -> Option<Exchange> {
        let session = self.session.as_ref()?;
        let headers = format!("MCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: {session}\r\n");
        let head = self.server.head("GET", &headers, 0);
        let mut stream = self.server.exchange(head.as_bytes());
        assert_eq!(stream.status(), 200);
        Some(stream)
    }

    /// Answers a request of the server's.
    pub(crate) fn answer(&self, id: &Value, result: Value) {
        let message = json!({ "jsonrpc": "2.0", "id": id, "result": result });
        if let Some(mut exchange) = self.send(&message, None, None) {
            assert_eq!(exchange.status(), 202);
        }
    }

    pub(crate) fn notify(&self, method: &str, params: Value) {
        let message = json!({ "jsonrpc": "2.0", "method": method, "params": params });
        if let Some(mut exchange) = self.send(&message, Some(method), None) {
            assert_eq!(exchange.status(), 202);
        }
    }

    /// Withdraws a request, in the way of the transport and the generation.
    pub(crate) fn cancel(&self, begun: Begun) {
        let stateless =
            self.server.transport() == Transport::Http && self.generation == Generation::Rounds;
        if stateless {
            // Closing the stream is the cancellation.
            drop(begun);
        } else {
            let params = json!({ "requestId": begun.id, "reason": "changed my mind" });
            self.notify("notifications/cancelled", params);
        }
    }

    pub(crate) fn meta(&self) -> Value {
        json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": self.capabilities,
            "io.modelcontextprotocol/clientInfo": { "name": "wiring", "version": "1" },
        })
    }

    fn send(&self, message: &Value, method: Option<&str>, name: Option<&str>) -> Option<Exchange> {
        if self.server.transport() == Transport::Stdio {
            self.server.write_line(message.to_string().as_bytes());
            return None;
        }
        let mut headers = self.headers.clone();
        match self.generation {
            Generation::Sessions => {
                if let Some(session) = &self.session {
                    headers.push_str("MCP-Protocol-Version: 2025-11-25\r\n");
                    headers.push_str(&format!("Mcp-Session-Id: {session}\r\n"));
                }
            }
            Generation::Rounds => {
                headers.push_str("MCP-Protocol-Version: 2026-07-28\r\n");
                if let Some(method) = method {
                    headers.push_str(&format!("Mcp-Method: {method}\r\n"));
                }
                if let Some(name) = name {
                    headers.push_str(&format!("Mcp-Name: {name}\r\n"));
                }
            }
        }
        Some(self.server.post(&headers, message.to_string().as_bytes()))
    }
}

impl Server {
    /// A POST of an honest client, with these further headers.
    pub(crate) fn post(&self, headers: &str, body: &[u8]) -> Exchange {
        let mut request = self.head("POST", headers, body.len()).into_bytes();
        request.extend(body);
        self.exchange(&request)
    }

    /// Sends bytes on a new connection.
    pub(crate) fn exchange(&self, bytes: &[u8]) -> Exchange {
        match self.socket() {
            Some(path) => Exchange::unix(path, bytes),
            None => Exchange::tcp(self.port(), bytes),
        }
    }

    /// The head that an honest client sends.
    pub(crate) fn head(&self, method: &str, headers: &str, length: usize) -> String {
        let who = match self.socket() {
            Some(_) => "Host: localhost\r\n".to_owned(),
            None => {
                format!(
                    "Host: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\n",
                    self.port(),
                    self.token()
                )
            }
        };
        format!(
            "{method} /mcp HTTP/1.1\r\n{who}Content-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\n\
             {headers}Content-Length: {length}\r\n\r\n",
        )
    }
}

/// The text of an answer's first block.
#[track_caller]
pub(crate) fn text(answer: &Value) -> &str {
    match answer["result"]["content"][0]["text"].as_str() {
        Some(text) => text,
        None => panic!("no text in {answer}"),
    }
}

/// The code of a protocol error.
#[track_caller]
pub(crate) fn code(answer: &Value) -> i64 {
    match answer["error"]["code"].as_i64() {
        Some(code) => code,
        None => panic!("no error in {answer}"),
    }
}

/// What the caller reads, wherever it stands.
pub(crate) fn message(answer: &Value) -> &str {
    answer["error"]["message"]
        .as_str()
        .unwrap_or_else(|| text(answer))
}

/// Whether a tool answered that it failed.
pub(crate) fn is_tool_error(answer: &Value) -> bool {
    answer["result"]["isError"] == true
}

/// Whether the answer is no success, in whichever shape.
pub(crate) fn is_refusal(answer: &Value) -> bool {
    answer.get("error").is_some() || is_tool_error(answer)
}
