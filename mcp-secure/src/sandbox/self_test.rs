//! Tries what is forbidden, from inside, each time a server starts: a ring that is not there
//! looks the same from its configuration.
//!
//! Each attempt is harmless if it works: nothing listens, nothing is executed, nothing is
//! changed.

use std::{
    fs::{self, File, Permissions},
    io,
    net::{SocketAddr, TcpStream, UdpSocket},
    os::unix::{
        fs::PermissionsExt as _,
        net::{UnixDatagram, UnixStream},
    },
    path::Path,
    process::Command,
};

use rustix::{
    net::{AddressFamily, SendFlags, SocketFlags, SocketType},
    process::{Resource, Rlimit},
};

use super::{Network, Profile, SelfTest, Tried};

pub(super) fn run(profile: &Profile) -> Vec<SelfTest> {
    let mut tests = vec![
        match READ
            .iter()
            .find(|path| is_outside(Path::new(path), profile))
        {
            Some(path) => tried("read a file that is not granted", File::open(path)),
            None => not_tried("read a file that is not granted", "none is there"),
        },
        tried(
            "write a file that is not granted",
            File::options().write(true).open("/dev/null"),
        ),
        tried("list the root", fs::read_dir("/")),
        tried(
            "change the rights of a path",
            fs::set_permissions(NOWHERE, Permissions::from_mode(0o600)),
        ),
        tried("start a program", Command::new(NOWHERE).spawn()),
        tried(
            "raise a limit",
            rustix::process::setrlimit(
                Resource::Core,
                Rlimit {
                    current: Some(0),
                    maximum: Some(0),
                },
            ),
        ),
        match rustix::process::getppid() {
            Some(parent) => tried(
                "signal the parent",
                rustix::process::test_kill_process(parent),
            ),
            None => not_tried("signal the parent", "it has none here"),
        },
    ];
    if matches!(profile.network, Network::None) {
        tests.extend(network());
    }
    for name in ["io_uring", "ptrace", "mount"] {
        tests.push(not_tried(name, "there is no safe call"));
    }
    tests
}

fn network() -> [SelfTest; 6] {
    // Nothing listens there, and nobody is asked: the socket is refused.
    let nobody = SocketAddr::from(([127, 0, 0, 1], 9));
    let mptcp = rustix::net::socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        Some(rustix::net::ipproto::MPTCP),
    );
    let netlink = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None,
    );
    let fast_open = UnixStream::pair().and_then(|(socket, _other)| {
        let flag = SendFlags::from_bits_retain(MSG_FASTOPEN);
        Ok(rustix::net::send(&socket, b"", flag)?)
    });
    [
        tried("connect by TCP", TcpStream::connect(nobody)),
        tried("connect by MPTCP", mptcp),
        tried("send with TCP Fast Open", fast_open),
        tried("send by UDP", UdpSocket::bind("127.0.0.1:0")),
        tried(
            "reach a Unix-domain socket",
            UnixStream::connect(NOWHERE)
                .map(drop)
                .or_else(|error| match refused(&error) {
                    true => UnixDatagram::pair().map(drop),
                    false => Err(error),
                }),
        ),
        tried("ask the kernel by netlink", netlink),
    ]
}

fn tried<T, E: Into<io::Error>>(name: &'static str, result: Result<T, E>) -> SelfTest {
    let (result, said) = match result.map_err(Into::into) {
        Ok(_) => (Tried::NotStopped, "it works".to_owned()),
        Err(error) if refused(&error) => (Tried::Stopped, error.to_string()),
        // Another error is one of somebody who could have done it.
        Err(error) => (Tried::NotStopped, error.to_string()),
    };
    SelfTest { name, result, said }
}

fn not_tried(name: &'static str, why: &str) -> SelfTest {
    SelfTest {
        name,
        result: Tried::NotTried,
        said: why.to_owned(),
    }
}

/// `EPERM`, or `EACCES`.
fn refused(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

fn is_outside(path: &Path, profile: &Profile) -> bool {
    // Landlock does not hide that it is there.
    path.exists()
        && !profile
            .files
            .iter()
            .any(|need| path.starts_with(&need.path))
}

/// World-readable, so that it is the ring that refuses.
const READ: &[&str] = &["/etc/passwd", "/proc/self/maps", "/etc/hostname"];

const NOWHERE: &str = "/nonexistent/mcp-secure";

const MSG_FASTOPEN: u32 = 0x2000_0000;
