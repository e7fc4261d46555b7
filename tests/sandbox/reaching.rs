//! A closed server reaches what is granted, through its helper, and nothing else.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, UdpSocket},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::server::{Scene, Server};

#[test]
fn a_closed_server_reaches_what_is_granted_and_its_dependency_nothing() {
    let scene = Scene::new();
    let mut server = start(&scene);
    assert_eq!(ask(&mut server), "the word");
    let record = scene.records("sandbox").remove(0);
    assert_eq!(record["level"], "full", "{record}");
    let helper = &record["helpers"][0];
    assert_eq!(
        (&helper["role"], &helper["level"]),
        (&"dial".into(), &"full".into())
    );
    // The helper has sockets, and the server that runs the tools has none.
    let went = scene.attack(&mut server);
    for went in went.iter().filter(|went| went.name.contains("TCP")) {
        assert!(!went.done, "{went:?}");
    }
    assert_eq!(ask(&mut server), "the word");
}

#[test]
fn without_its_helper_a_closed_server_answers_an_error_and_goes_on() {
    let scene = Scene::new();
    let mut server = start(&scene);
    assert_eq!(ask(&mut server), "the word");
    let record = scene.records("sandbox").remove(0);
    let pid = record["helpers"][0]["pid"].as_i64().unwrap();
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    // Its connection may be alive; a new one cannot be had.
    server.until("an error", |server| {
        let answer = server.call("ask", &json!({}));
        (answer["result"]["isError"] == true).then_some(())
    });
    assert!(server.ask("tools/list", &json!({}))["result"].is_object());
}

fn ask(server: &mut Server) -> String {
    let answer = server.call("ask", &json!({}));
    let text = answer["result"]["content"][0]["text"].as_str();
    text.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// A server that is granted a service by its name.
fn start(scene: &Scene) -> Server {
    let service = service();
    let grant = format!("service=http://service.test:{}", service.port());
    let mut command = scene.command("reaching", &["serve", "--stdio", "--grant", &grant]);
    command.env("SANDBOX_NAMESERVER", nameserver().to_string());
    scene.start(&mut command)
}

/// Says its word, and hangs up.
fn service() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 2048]);
            let _ = stream.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\
                  Connection: close\r\n\r\nthe word",
            );
        }
    });
    address
}

/// Answers that every name is 127.0.0.1 (RFC 1035).
fn nameserver() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut query) {
            let question_end = 12 + query[12..length].iter().position(|b| *b == 0).unwrap() + 5;
            let is_a = query[question_end - 4..question_end - 2] == [0, 1];
            let mut answer = query[..question_end].to_vec();
            // A response, authoritative; one question, one answer or none, nothing else.
            answer[2..12].copy_from_slice(&[0x85, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
            if is_a {
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
            }
            let _ = socket.send_to(&answer, from);
        }
    });
    address
}
