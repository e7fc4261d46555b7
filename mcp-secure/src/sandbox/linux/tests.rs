//! What a helper that connects may reach, and what not. The attempts are made in a process of
//! their own, since what is closed stays closed.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    net::{SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket},
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr as UnixAddress, UnixListener, UnixStream},
    },
    path::PathBuf,
    process::Command,
};

use rustix::net::{AddressFamily, Protocol, SendFlags, SocketFlags, SocketType, ipproto};
use serde::{Deserialize, Serialize};

use crate::{
    broker::HelperNeeds,
    capability::{FileAccess, FileNeed},
    sandbox::enter_helper,
};

/// What the attempts are made on, and what is granted of it.
#[derive(Serialize, Deserialize)]
struct Around {
    port: u16,
    other_port: u16,
    datagrams: SocketAddr,
    socket: PathBuf,
    hidden: String,
    secret: PathBuf,
    closed: bool,
    udp: bool,
    unix: bool,
}

#[test]
fn a_helper_that_connects_reaches_its_ports_and_sockets_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let [port, other] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    let socket = folder.path().join("s");
    let _unix = UnixListener::bind(&socket).unwrap();
    let hidden = folder.path().display().to_string();
    let name = UnixAddress::from_abstract_name(&hidden).unwrap();
    let _hidden = UnixListener::bind_addr(&name).unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "x").unwrap();
    let mut around = Around {
        port: port.local_addr().unwrap().port(),
        other_port: other.local_addr().unwrap().port(),
        datagrams: datagrams.local_addr().unwrap(),
        socket,
        hidden,
        secret,
        closed: false,
        udp: false,
        unix: false,
    };
    let open = in_a_process_of_its_own(&around);
    assert!(open.values().all(|said| said == DONE), "{open:?}");
    for (udp, unix, reached) in [
        (false, false, vec!["the port"]),
        (true, false, vec!["datagrams", "the port"]),
        (false, true, vec!["the port", "the socket"]),
    ] {
        (around.closed, around.udp, around.unix) = (true, udp, unix);
        let tried = in_a_process_of_its_own(&around);
        assert_eq!(tried.len(), open.len());
        let done = tried.iter().filter(|(_, said)| *said == DONE);
        let done: Vec<_> = done.map(|(name, _)| name.as_str()).collect();
        assert_eq!(done, reached, "{tried:?}");
    }
}

fn in_a_process_of_its_own(around: &Around) -> BTreeMap<String, String> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sandbox::linux::tests::inside"])
        .args(["--ignored", "--nocapture"])
        .env(INSIDE, serde_json::to_string(around).unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().find_map(|line| line.split_once(INSIDE));
    let Some((_, line)) = line else {
        let errors = String::from_utf8_lossy(&output.stderr);
        unreachable!("{said} {errors}");
    };
    serde_json::from_str(line).unwrap()
}

#[test]
#[ignore = "it is the process that the other test starts"]
fn inside() {
    let around: Around = serde_json::from_str(&std::env::var(INSIDE).unwrap()).unwrap();
    if around.closed {
        let need = |path: &PathBuf| FileNeed {
            path: path.clone(),
            access: FileAccess::Read,
            because: "test".to_owned(),
        };
        let files = around.unix.then(|| need(&around.socket));
        enter_helper(HelperNeeds {
            files: files.into_iter().collect(),
            connect_ports: vec![around.port],
            udp: around.udp,
            unix_connect: around.unix,
            ..HelperNeeds::default()
        })
        .unwrap();
    }
    let tried: BTreeMap<_, _> = ATTEMPTS
        .iter()
        .map(|(name, attempt)| match attempt(&around) {
            Ok(()) => (*name, DONE.to_owned()),
            Err(error) => (*name, error.to_string()),
        })
        .collect();
    println!("{INSIDE}{}", serde_json::to_string(&tried).unwrap());
}

type Attempt = fn(&Around) -> io::Result<()>;

const ATTEMPTS: &[(&str, Attempt)] = &[
    ("the port", |around| {
        TcpStream::connect(v4(around.port)).map(drop)
    }),
    ("another port", |around| {
        TcpStream::connect(v4(around.other_port)).map(drop)
    }),
    ("another port, with TCP Fast Open", |around| {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        let flag = SendFlags::from_bits_retain(0x2000_0000);
        rustix::net::sendto(&socket, b"x", flag, &v4(around.other_port))?;
        Ok(())
    }),
    ("another port, by MPTCP", |around| {
        let mptcp = Some(ipproto::MPTCP);
        let socket = socket(AddressFamily::INET, SocketType::STREAM, mptcp)?;
        Ok(rustix::net::connect(&socket, &v4(around.other_port))?)
    }),
    ("listen", |_| TcpListener::bind("127.0.0.1:0").map(drop)),
    ("listen, at a port of the kernel's choice", |_| {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        Ok(rustix::net::listen(&socket, 1)?)
    }),
    ("a port of its own", |_| {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        Ok(rustix::net::bind(&socket, &v4(0))?)
    }),
    ("datagrams", |around| {
        UdpSocket::bind("127.0.0.1:0")?.send_to(b"x", around.datagrams)?;
        Ok(())
    }),
    ("the socket", |around| {
        UnixStream::connect(&around.socket).map(drop)
    }),
    ("a socket without a path", |around| {
        let name = UnixAddress::from_abstract_name(&around.hidden)?;
        UnixStream::connect_addr(&name).map(drop)
    }),
    ("netlink", |_| {
        socket(AddressFamily::NETLINK, SocketType::RAW, None).map(drop)
    }),
    ("read", |around| File::open(&around.secret).map(drop)),
    ("write", |around| {
        File::options().append(true).open(&around.secret).map(drop)
    }),
    ("start a program", |_| {
        Command::new("/bin/true").status().map(drop)
    }),
    ("signal the parent", |_| {
        let parent = rustix::process::getppid().unwrap();
        Ok(rustix::process::test_kill_process(parent)?)
    }),
];

fn socket(
    family: AddressFamily,
    kind: SocketType,
    protocol: Option<Protocol>,
) -> io::Result<rustix::fd::OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    Ok(rustix::net::socket_with(family, kind, flags, protocol)?)
}

fn v4(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, port)
}

const DONE: &str = "done";
const INSIDE: &str = "MCP_SECURE_TEST_INSIDE";
