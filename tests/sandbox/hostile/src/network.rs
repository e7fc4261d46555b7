//! Ways out. Everybody who could be reached is on this machine.

use std::{
    io::{self, Write as _},
    net::{SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket},
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr as UnixAddress, UnixDatagram, UnixStream},
    },
};

use rustix::{
    io::Errno,
    net::{AddressFamily, Protocol, SendFlags, SocketFlags, SocketType, socket_with},
};

use crate::{Around, Rows, unless};

pub(crate) const ATTEMPTS: Rows = &[
    ("connect by TCP", |around| {
        TcpStream::connect(around.tcp)?.write_all(b"secret")?;
        sent()
    }),
    ("send with TCP Fast Open", |around| {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        let flag = SendFlags::from_bits_retain(0x2000_0000);
        rustix::net::sendto(&socket, b"secret", flag, &v4(around)?)?;
        sent()
    }),
    ("connect by MPTCP", |around| {
        let protocol = Some(rustix::net::ipproto::MPTCP);
        let socket = socket(AddressFamily::INET, SocketType::STREAM, protocol)?;
        rustix::net::connect(&socket, &v4(around)?)?;
        sent()
    }),
    ("send by UDP", |around| {
        UdpSocket::bind("127.0.0.1:0")?.send_to(b"secret", around.udp)?;
        sent()
    }),
    ("listen on TCP", |_| {
        TcpListener::bind("127.0.0.1:0")?;
        Ok("listens".to_owned())
    }),
    ("connect to a Unix-domain socket", |around| {
        UnixStream::connect(&around.unix)?.write_all(b"secret")?;
        sent()
    }),
    ("connect to an abstract Unix-domain socket", |around| {
        let address = UnixAddress::from_abstract_name(&around.abstract_name)?;
        UnixStream::connect_addr(&address)?.write_all(b"secret")?;
        sent()
    }),
    ("send to a path through a pair of sockets", |around| {
        let (socket, _other) = UnixDatagram::pair()?;
        socket.send_to(b"secret", &around.datagrams)?;
        sent()
    }),
    ("ask the kernel by netlink", |_| {
        socket(AddressFamily::NETLINK, SocketType::RAW, None)?;
        Ok("open".to_owned())
    }),
    ("open a vsock", |_| {
        let vsock = AddressFamily::from_raw(40);
        unless(
            socket(vsock, SocketType::STREAM, None),
            &[Errno::AFNOSUPPORT],
        )
    }),
    ("open a socket of the kernel's ciphers", |_| {
        let alg = AddressFamily::from_raw(38);
        unless(
            socket(alg, SocketType::SEQPACKET, None),
            &[Errno::AFNOSUPPORT],
        )
    }),
];

fn socket(
    family: AddressFamily,
    kind: SocketType,
    protocol: Option<Protocol>,
) -> io::Result<rustix::fd::OwnedFd> {
    Ok(socket_with(family, kind, SocketFlags::CLOEXEC, protocol)?)
}

fn v4(around: &Around) -> io::Result<SocketAddrV4> {
    match around.tcp {
        SocketAddr::V4(address) => Ok(address),
        SocketAddr::V6(_) => Err(io::Error::other("not an address of version 4")),
    }
}

fn sent() -> io::Result<String> {
    Ok("sent".to_owned())
}
