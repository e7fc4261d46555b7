//! Names, by whoever owns them.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{NAME_SERVER, Place};

/// A name server.
pub struct Names {
    /// How often the address of [`Names::FLIPPING`] was asked for.
    flips: Arc<AtomicUsize>,
}

impl Names {
    /// Public when it is asked for the first time, this machine afterwards.
    pub const FLIPPING: &str = "gateway.example";

    pub fn serve() -> Self {
        let socket = UdpSocket::bind(NAME_SERVER).unwrap();
        let flips = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&flips);
        std::thread::spawn(move || {
            let mut buffer = [0; 1500];
            loop {
                let (length, from) = socket.recv_from(&mut buffer).unwrap();
                if let Some(reply) = answer(&buffer[..length], &count) {
                    socket.send_to(&reply, from).unwrap();
                }
            }
        });
        Self { flips }
    }

    /// Begins anew: the next question is the first one.
    pub fn forget(&self) {
        self.flips.store(0, Ordering::SeqCst);
    }
}

/// Whose a name is.
fn addresses(name: &str, flips: &AtomicUsize, kind: u16) -> Vec<IpAddr> {
    let place = match name {
        "127.0.0.1.nip.io" | "loopback.opendata.example" => Place::Loopback,
        "intranet.opendata.example" => Place::Intranet,
        "metadata.opendata.example" => Place::Metadata,
        // In a form that a check of IPv4 does not see.
        "mapped.opendata.example" => {
            return vec![Ipv4Addr::from(Place::Metadata).to_ipv6_mapped().into()];
        }
        Names::FLIPPING if kind == A && flips.fetch_add(1, Ordering::SeqCst) == 0 => Place::Public,
        Names::FLIPPING => Place::Loopback,
        name if name.contains("evil") || name.contains("attacker") => Place::Attacker,
        _ => Place::Public,
    };
    vec![Ipv4Addr::from(place).into()]
}

fn answer(asked: &[u8], flips: &AtomicUsize) -> Option<Vec<u8>> {
    let (name, kind, end) = question(asked)?;
    let mut records = Vec::new();
    let mut count = 0_u16;
    for address in addresses(&name, flips, kind) {
        let data = match (kind, address) {
            (A, IpAddr::V4(address)) => address.octets().to_vec(),
            (AAAA, IpAddr::V6(address)) => address.octets().to_vec(),
            _ => continue,
        };
        count += 1;
        records.extend([0xc0, 12]); // the name of the question
        records.extend(kind.to_be_bytes());
        records.extend([0, 1, 0, 0, 0, 0]); // IN, and good for no time
        records.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
        records.extend(data);
    }
    let mut message = asked.get(..2)?.to_vec();
    message.extend([0x81, 0x80, 0, 1]);
    message.extend(count.to_be_bytes());
    message.extend([0, 0, 0, 0]);
    message.extend(asked.get(12..end)?);
    message.extend(records);
    Some(message)
}

/// Name, kind and end of the question in a message.
fn question(message: &[u8]) -> Option<(String, u16, usize)> {
    let (mut at, mut labels) = (12, Vec::new());
    while *message.get(at)? != 0 {
        let length = usize::from(message[at]);
        let label = message.get(at + 1..=at + length)?;
        labels.push(String::from_utf8_lossy(label).to_lowercase());
        at += length + 1;
    }
    let kind = u16::from_be_bytes([*message.get(at + 1)?, *message.get(at + 2)?]);
    Some((labels.join("."), kind, at + 5))
}

/// The first address of a name, as the naive servers look it up: each time anew.
pub fn resolve(name: &str) -> io::Result<IpAddr> {
    for kind in [A, AAAA] {
        let mut message = vec![0x2a, 0x2a, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            message.push(u8::try_from(label.len()).map_err(io::Error::other)?);
            message.extend(label.as_bytes());
        }
        message.extend([0]);
        message.extend(kind.to_be_bytes());
        message.extend([0, 1]);
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        socket.send_to(&message, NAME_SERVER)?;
        let mut reply = [0; 1500];
        let length = socket.recv(&mut reply)?;
        let at = message.len() + 12; // behind the head of the first record
        let data = reply.get(at..length).unwrap_or_default();
        if let Some(octets) = data.first_chunk::<4>().filter(|_| kind == A) {
            return Ok(Ipv4Addr::from(*octets).into());
        }
        if let Some(octets) = data.first_chunk::<16>() {
            return Ok(Ipv6Addr::from(*octets).into());
        }
    }
    Err(io::Error::other("no such host"))
}

const A: u16 = 1;
const AAAA: u16 = 28;
