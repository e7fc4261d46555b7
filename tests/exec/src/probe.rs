//! A program that says what it got, and misbehaves on request. Its first word is the request.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::zombie_processes,
    reason = "a program of the tests"
)]

use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream, UdpSocket},
    os::unix::{net::UnixStream, process::CommandExt as _},
    process::{Command, Stdio, exit},
    thread,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with};
use serde_json::json;

fn main() {
    let args: Vec<String> = env::args().collect();
    if ["tell", "fill", "allocate", "open"].contains(&args[1].as_str()) {
        limits_are_there();
    }
    match args[1].as_str() {
        "tell" => println!("{}", surroundings(&args)),
        "cat" => {
            let mut text = Vec::new();
            std::io::stdin().read_to_end(&mut text).unwrap();
            std::io::stdout().write_all(&text).unwrap();
        }
        "exit" => exit(args[2].parse().unwrap()),
        "abort" => std::process::abort(),
        "flood" => flood(std::io::stdout().lock()),
        "flood-errors" => flood(std::io::stderr().lock()),
        "spin" => loop {
            std::hint::spin_loop();
        },
        "sleep" => sleep(),
        "fill" => {
            let mut file = fs::File::create("filled").unwrap();
            loop {
                file.write_all(&[b'x'; 4096]).unwrap();
            }
        }
        "allocate" => {
            let mut all: Vec<Vec<u8>> = Vec::new();
            loop {
                let mut more = Vec::new();
                if more.try_reserve_exact(16 << 20).is_err() {
                    println!("refused after {} MiB", all.len() * 16);
                    return;
                }
                all.push(more);
            }
        }
        "open" => {
            let files: Vec<_> = (0..4096)
                .map_while(|_| fs::File::open("/dev/null").ok())
                .collect();
            println!("{}", files.len());
        }
        "read" => match fs::read_to_string(&args[args.len() - 1]) {
            Ok(text) => print!("{text}"),
            Err(error) => println!("{error}"),
        },
        "tunnel" => println!("{}", tunnel(&args[args.len() - 1], &proxy().1).0),
        "tunnel-as" => {
            let (token, to) = args[args.len() - 1].split_once('@').unwrap();
            println!("{}", tunnel(to, token).0);
        }
        "tunnels" => {
            let all = (0..300).map(|_| tunnel(&args[args.len() - 1], &proxy().1).0);
            let all: Vec<_> = all.collect();
            println!("{} then {}", all[0], all[299]);
        }
        // In pieces: what looks like a password does not pass the guard.
        "door" => {
            let (address, token) = proxy();
            let pieces: Vec<_> = token.chars().map(String::from).collect();
            println!("{} {address}", pieces.join(" "));
        }
        "plain" => {
            let (mut stream, token) = (TcpStream::connect(proxy().0).unwrap(), proxy().1);
            let to = &args[args.len() - 1];
            write!(stream, "GET http://{to}/ HTTP/1.1\r\nHost: {to}\r\n").unwrap();
            println!("{}", answer(&mut stream, &token));
        }
        "hold" | "leave" => {
            let (said, stream) = tunnel(&args[args.len() - 1], &proxy().1);
            let mut stream = stream.unwrap_or_else(|| panic!("{said}"));
            writeln!(stream, "{}", env::var("HTTPS_PROXY").unwrap()).unwrap();
            stream.read_exact(&mut [0; 5]).unwrap();
            if args[1] == "hold" {
                thread::sleep(Duration::from_secs(600));
            }
            println!("left");
        }
        "pour" => {
            let (said, stream) = tunnel(&args[args.len() - 1], &proxy().1);
            let mut stream = stream.unwrap_or_else(|| panic!("{said}"));
            let poured = (0..1000).take_while(|_| stream.write_all(&[b'x'; 4096]).is_ok());
            println!("{}", poured.count());
        }
        "sockets" => println!("{}", sockets(&args[args.len() - 1])),
        "connect" => match std::net::TcpStream::connect(&args[args.len() - 1]) {
            Ok(_) => println!("connected"),
            Err(error) => println!("{error}"),
        },
        "shell" => match Command::new("/bin/sh")
            .args(["-c", "echo a shell"])
            .output()
        {
            Ok(output) => print!("{}", String::from_utf8_lossy(&output.stdout)),
            Err(error) => println!("{error}"),
        },
        "write" => fs::write("written", "by the program").unwrap(),
        // A tree: itself, a child, one in another group, and a daemon that lost its parents.
        "tree" => {
            tree(&args[2..]);
            sleep();
        }
        "tree-and-go" => {
            tree(&args[2..]);
            println!("gone");
        }
        "daemon" => {
            rustix::process::setsid().unwrap();
            again("sleep");
        }
        other => panic!("no request `{other}`"),
    }
}

/// Where the proxy is, and the token of this run.
fn proxy() -> (String, String) {
    let url = env::var("HTTPS_PROXY").unwrap();
    let (user, address) = url.rsplit_once('@').unwrap();
    let token = user.strip_prefix("http://mcp:").unwrap();
    (address.to_owned(), token.to_owned())
}

/// What the proxy says to a request with a token, and what the other end says then. The token
/// `none` is none; `token:port` is for a program that was told of no proxy.
fn tunnel(to: &str, token: &str) -> (String, Option<TcpStream>) {
    let (token, address) = match token.split_once(':') {
        Some((token, port)) => (token.to_owned(), format!("127.0.0.1:{port}")),
        None => (token.to_owned(), proxy().0),
    };
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n").unwrap();
    let said = answer(&mut stream, &token);
    if said != "200" {
        return (said, None);
    }
    stream.write_all(b"ping\n").unwrap();
    let mut pong = [0; 5];
    match stream.read_exact(&mut pong) {
        Ok(()) => (
            format!("200 {}", String::from_utf8_lossy(&pong).trim()),
            Some(stream),
        ),
        Err(error) => (format!("200 {error}"), None),
    }
}

/// Ends the head, and reads the status.
fn answer(stream: &mut TcpStream, token: &str) -> String {
    if token != "none" {
        let shown = STANDARD.encode(format!("mcp:{token}"));
        write!(stream, "Proxy-Authorization: Basic {shown}\r\n").unwrap();
    }
    stream.write_all(b"\r\n").unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read_exact(&mut byte).is_err() {
            return "no answer".to_owned();
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    head.split(' ').nth(1).unwrap().to_owned()
}

/// Which other ways out there are. The argument is a socket in the file system.
fn sockets(path: &str) -> serde_json::Value {
    fn tried<T, E: std::fmt::Display>(result: Result<T, E>) -> String {
        result.map_or_else(|error| error.to_string(), |_| "works".to_owned())
    }
    let kind =
        |family, kind, protocol| tried(socket_with(family, kind, SocketFlags::CLOEXEC, protocol));
    let dns =
        UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.send_to(b"?", "127.0.0.1:53"));
    json!({
        "udp": tried(dns),
        "unix": tried(UnixStream::connect(path)),
        "listen": tried(TcpListener::bind("127.0.0.1:0")),
        "raw": kind(AddressFamily::INET, SocketType::RAW, Some(ipproto::ICMP)),
        "mptcp": kind(AddressFamily::INET, SocketType::STREAM, Some(ipproto::MPTCP)),
        "netlink": kind(AddressFamily::NETLINK, SocketType::RAW, None),
    })
}

fn surroundings(args: &[String]) -> serde_json::Value {
    let env: Vec<_> = env::vars()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut fds: Vec<u32> = fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .filter_map(|fd| {
            let fd = fd.unwrap();
            // The descriptor of this very listing is gone when it is looked at.
            let open = fs::read_link(fd.path()).is_ok_and(|to| !to.ends_with("fd"));
            open.then(|| fd.file_name().to_str()?.parse().ok())
                .flatten()
        })
        .collect();
    fds.sort_unstable();
    json!({
        "args": args,
        "env": env,
        "fds": fds,
        "cwd": env::current_dir().map_err(|error| error.to_string()).ok(),
        "cwd_entries": fs::read_dir(".").map(Iterator::count).ok(),
        "limits": fs::read_to_string("/proc/self/limits").unwrap_or_default(),
        "group": rustix::process::getpgrp().as_raw_nonzero(),
        "pid": std::process::id(),
    })
}

/// In a server without a sandbox the limits come a moment after the start; the last one is this.
fn limits_are_there() {
    while rustix::process::getrlimit(rustix::process::Resource::Cpu)
        .current
        .is_none()
    {
        thread::sleep(Duration::from_micros(200));
    }
}

fn flood(mut out: impl std::io::Write) {
    while out.write_all(&[b'x'; 4096]).is_ok() {}
}

/// Leaves its number where the test finds it, and stays.
fn sleep() -> ! {
    let name = format!("pid-{}", std::process::id());
    if fs::write(&name, "").is_err() {
        exit(2);
    }
    thread::sleep(Duration::from_secs(600));
    exit(0)
}

fn tree(kinds: &[String]) {
    for kind in kinds {
        match kind.as_str() {
            "child" => again("sleep"),
            "group" => {
                quiet("sleep").process_group(0).spawn().unwrap();
            }
            "daemon" => {
                // The one in the middle ends, so that the daemon has no parent.
                quiet("daemon").status().unwrap();
            }
            // Keeps the output open, as many daemons forget to close it.
            "talker" => {
                Command::new(env::current_exe().unwrap())
                    .arg("daemon")
                    .status()
                    .unwrap();
            }
            other => panic!("no kind `{other}`"),
        }
    }
    // Until all of them are there.
    while fs::read_dir(".").unwrap().count() < kinds.len() {
        thread::sleep(Duration::from_millis(2));
    }
}

fn again(request: &str) {
    Command::new(env::current_exe().unwrap())
        .arg(request)
        .spawn()
        .unwrap();
}

fn quiet(request: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .arg(request)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}
