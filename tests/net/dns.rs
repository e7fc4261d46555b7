//! A name server of the test's own.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
};

use tokio::net::UdpSocket;

/// Answers on loopback. Each name has a list of answers; the last of them stays.
pub(crate) struct Dns {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Dns {
    pub(crate) async fn new(zone: &[(&str, &[&[&str]])]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let zone: HashMap<String, Vec<Vec<IpAddr>>> = zone
            .iter()
            .map(|(name, turns)| {
                let turns = turns.iter();
                let parsed = turns.map(|turn| turn.iter().map(|ip| ip.parse().unwrap()).collect());
                ((*name).to_owned(), parsed.collect())
            })
            .collect();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut turns: HashMap<(String, u16), usize> = HashMap::new();
            let mut buf = [0; 1500];
            loop {
                let (n, from) = socket.recv_from(&mut buf).await.unwrap();
                let (name, kind, end) = question(&buf[..n]);
                log.lock().unwrap().push(name.clone());
                let wild = name.split_once('.').map(|(_, rest)| format!("*.{rest}"));
                let answers = zone.get(&name).or_else(|| zone.get(&wild?));
                let turn = turns.entry((name, kind)).or_default();
                let now = answers.and_then(|turns| turns.get(*turn).or(turns.last()));
                *turn += 1;
                let reply = reply(&buf[..end], kind, now);
                socket.send_to(&reply, from).await.unwrap();
            }
        });
        Self { address, asked }
    }

    /// The names that were asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn question(message: &[u8]) -> (String, u16, usize) {
    let (mut at, mut labels) = (12, Vec::new());
    while message[at] != 0 {
        let n = usize::from(message[at]);
        labels.push(String::from_utf8_lossy(&message[at + 1..=at + n]).to_lowercase());
        at += n + 1;
    }
    let kind = u16::from_be_bytes([message[at + 1], message[at + 2]]);
    (labels.join("."), kind, at + 5)
}

fn reply(asked: &[u8], kind: u16, answers: Option<&Vec<IpAddr>>) -> Vec<u8> {
    let mut records = Vec::new();
    for address in answers.into_iter().flatten() {
        let data = match address {
            IpAddr::V4(a) if kind == 1 => a.octets().to_vec(),
            IpAddr::V6(a) if kind == 28 => a.octets().to_vec(),
            _ => continue,
        };
        let mut record = vec![0xc0, 12];
        record.extend(kind.to_be_bytes());
        record.extend([0, 1, 0, 0, 0, 0]);
        record.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        record.extend(data);
        records.push(record);
    }
    let mut message = asked[..2].to_vec();
    let code = if answers.is_some() { 0 } else { 3 };
    message.extend([0x81, 0x80 | code, 0, 1]);
    message.extend(u16::try_from(records.len()).unwrap().to_be_bytes());
    message.extend([0, 0, 0, 0]);
    message.extend(&asked[12..]);
    message.extend(records.concat());
    message
}
