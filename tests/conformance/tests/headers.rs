//! What the suite does not try of mirrored headers: integers are numbers (spec HEADERS-10).

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::json;
use support::Server;

#[test]
fn an_integer_in_a_header_is_compared_as_a_number() {
    let server = Server::fixture(None);
    for (count, status) in [
        ("42", "200"),
        ("42.0", "200"),
        ("4.2e1", "200"),
        ("042", "400"),
        ("43", "400"),
    ] {
        let answer = call(&server, count);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{count}: {answer}"
        );
        assert_eq!(
            status == "400",
            answer.contains("-32020"),
            "{count}: {answer}"
        );
    }
}

fn call(server: &Server, count: &str) -> String {
    let body = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {
            "name": "test_custom_header",
            "arguments": { "value": "a", "count": 42 },
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    })
    .to_string();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n\
         MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n\
         Mcp-Name: test_custom_header\r\nMcp-Param-Value: a\r\nMcp-Param-Count: {count}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        server.address(),
        server.token(),
        body.len(),
    );
    let mut connection = TcpStream::connect(server.address()).unwrap();
    connection.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}
