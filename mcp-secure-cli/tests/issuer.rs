//! `issuer`, as a developer uses it.
#![cfg(feature = "dev-issuer")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Command, Stdio},
};

const RESOURCE: &str = "http://127.0.0.1:8000/mcp";

#[test]
fn it_says_where_it_is_prints_a_token_and_answers() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mcp-secure"))
        .args(["issuer", "--listen", "127.0.0.1:0", "--resource", RESOURCE])
        .args(["--token", "notes:read"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = said.next().unwrap().unwrap();
    let at = first.find("http://").unwrap() + "http://".len();
    let address: String = first[at..].split(": ").next().unwrap().to_owned();
    let mut token = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut token)
        .unwrap();
    assert_eq!(token.trim().split('.').count(), 3, "{token}");

    let mut stream = TcpStream::connect(&address).unwrap();
    write!(
        stream,
        "GET /.well-known/oauth-authorization-server HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.contains(&format!("\"issuer\":\"http://{address}\"")),
        "{answer}"
    );
}

#[test]
fn it_does_not_listen_where_others_are() {
    let output = Command::new(env!("CARGO_BIN_EXE_mcp-secure"))
        .args(["issuer", "--listen", "0.0.0.0:0", "--resource", RESOURCE])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("0.0.0.0"),
        "{said}"
    );
    assert!(said.contains("help:"), "{said}");
}
