//! Attacks through a DNS server of the test's own: what it answers is what an attacker who owns
//! a granted name, or the way to it, would answer.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
};

use super::*;

mod helper;

/// What is said to one question.
#[derive(Clone)]
enum Say {
    Addresses(Vec<IpAddr>),
    /// An alias, with the address of what it points to in the same answer.
    Alias(&'static str, IpAddr),
    NoSuchName,
    Nothing,
}

/// A name server on loopback. Each name has a list of answers, the last of which stays.
struct Dns {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Dns {
    async fn new(zone: impl IntoIterator<Item = (&'static str, Vec<Say>)>) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let mut zone: HashMap<&str, Vec<Say>> = zone.into_iter().collect();
        tokio::spawn(async move {
            let mut turns: HashMap<(String, u16), usize> = HashMap::new();
            let mut buf = [0_u8; 1500];
            loop {
                let (n, from) = socket.recv_from(&mut buf).await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let (name, kind, end) = question(&buf[..n]);
                let says = zone.entry("").or_default().clone();
                let says = zone.get(name.as_str()).unwrap_or(&says);
                let turn = turns.entry((name, kind)).or_default();
                let say = says.get(*turn).or(says.last()).unwrap_or(&Say::NoSuchName);
                *turn += 1;
                if let Some(reply) = reply(&buf[..end], kind, say) {
                    socket.send_to(&reply, from).await.unwrap();
                }
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// Name, type and end of the question of a message.
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

fn reply(asked: &[u8], kind: u16, say: &Say) -> Option<Vec<u8>> {
    let mut answers = Vec::new();
    let mut code = 0;
    let record = |name: &[u8], kind: u16, data: &[u8]| {
        let mut record = name.to_vec();
        record.extend(kind.to_be_bytes());
        record.extend([0, 1, 0, 0, 0, 0]); // IN, a TTL of 0
        record.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        record.extend(data);
        record
    };
    let address = |name: &[u8], address: &IpAddr| match (kind, address) {
        (1, IpAddr::V4(a)) => Some(record(name, 1, &a.octets())),
        (28, IpAddr::V6(a)) => Some(record(name, 28, &a.octets())),
        _ => None,
    };
    match say {
        Say::Nothing => return None,
        Say::NoSuchName => code = 3,
        Say::Addresses(all) => {
            answers.extend(all.iter().filter_map(|a| address(&[0xc0, 12], a)));
        }
        Say::Alias(target, to) => {
            let mut wire = Vec::new();
            for label in target.split('.') {
                wire.push(u8::try_from(label.len()).unwrap());
                wire.extend(label.as_bytes());
            }
            wire.push(0);
            answers.push(record(&[0xc0, 12], 5, &wire));
            answers.extend(address(&wire, to));
        }
    }
    let mut message = asked[..2].to_vec();
    message.extend([0x81, 0x80 | code, 0, 1]);
    message.extend(u16::try_from(answers.len()).unwrap().to_be_bytes());
    message.extend([0, 0, 0, 0]);
    message.extend(&asked[12..]);
    message.extend(answers.concat());
    Some(message)
}

/// A listener on loopback that counts who connects and greets.
async fn listener() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = stream.write_all(b"hi").await;
        }
    });
    (address, count)
}

fn rule(host: &str, port: u16, dns: &Dns) -> DialRule {
    DialRule {
        nameservers: vec![dns.address],
        connect_timeout: Duration::from_secs(5),
        ..DialRule::new("Api", HostRule::parse(host, true).unwrap(), port)
    }
}

fn v4(text: &str) -> IpAddr {
    IpAddr::V4(text.parse::<Ipv4Addr>().unwrap())
}

fn v6(text: &str) -> IpAddr {
    IpAddr::V6(text.parse::<Ipv6Addr>().unwrap())
}

/// Through both ways: inside, and through a helper on a thread of its own.
async fn both(rule: DialRule, host: &str) -> [std::result::Result<Dialed, DialError>; 2] {
    [
        Route::inside(rule.clone()).dial(host).await,
        helped(rule).dial(host).await,
    ]
}

fn helped(rule: DialRule) -> Route {
    use crate::broker::Channel;

    let mut opening = Opening::default();
    let route = route(rule, &mut opening).unwrap();
    let [spec] = <[HelperSpec; 1]>::try_from(opening.helpers).ok().unwrap();
    let (near, far) = Channel::pair().unwrap();
    spec.line.connect(near, None);
    let policy = serde_json::from_value(spec.policy).unwrap();
    std::thread::spawn(move || serve(far, policy).unwrap());
    route
}

#[tokio::test]
async fn a_granted_name_is_reached_and_the_helper_hands_over_the_very_socket() {
    let (address, count) = listener().await;
    let dns = Dns::new([("api.test", vec![Say::Addresses(vec![address.ip()])])]).await;
    let rule = DialRule {
        allow_private: true,
        ..rule("api.test", address.port(), &dns)
    };
    for dialed in both(rule, "api.test").await {
        let mut dialed = dialed.unwrap();
        assert_eq!(dialed.peer, Peer::Tcp(address));
        let mut said = [0; 2];
        dialed.stream.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"hi");
    }
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn no_name_leads_to_a_special_address_and_one_bad_answer_refuses_all() {
    let (address, count) = listener().await;
    let public = v4("93.184.215.14");
    let answers: Vec<Vec<IpAddr>> = vec![
        vec![v4("127.0.0.1")],
        vec![v4("169.254.169.254")],
        vec![public, v4("127.0.0.1")],
        vec![public, v6("::1")],
        vec![v6("::ffff:127.0.0.1")],
        vec![public, v6("::ffff:93.184.215.14")],
        vec![v6("64:ff9b::7f00:1")],
        vec![v6("2002:7f00:1::")],
        vec![v4("0.0.0.0")],
        vec![v6("::")],
    ];
    for answer in answers {
        let dns = Dns::new([("api.test", vec![Say::Addresses(answer.clone())])]).await;
        for dialed in both(rule("api.test", address.port(), &dns), "api.test").await {
            let error = dialed.unwrap_err();
            assert!(
                matches!(error, DialError::Address { .. }),
                "{answer:?}: {error}"
            );
            assert_eq!(error.control(), Some("net/address"));
        }
    }
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_alias_to_a_private_address_is_judged_by_the_address() {
    let (address, count) = listener().await;
    let dns = Dns::new([("api.test", vec![Say::Alias("inside.test", address.ip())])]).await;
    for dialed in both(rule("api.test", address.port(), &dns), "api.test").await {
        assert!(matches!(dialed, Err(DialError::Address { .. })));
    }
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

/// The first answer passes a check, the second one is for the connection: the time-of-check
/// attack on everything that resolves twice. Here one dial asks once, so what is dialed is
/// what was judged; and the next dial judges anew.
#[tokio::test]
async fn an_answer_that_flips_between_two_questions_gains_nothing() {
    let (address, count) = listener().await;
    let flip = vec![
        Say::Addresses(vec![v4("240.0.0.1")]),
        Say::Addresses(vec![address.ip()]),
    ];
    let dns = Dns::new([("rebind.test", flip)]).await;
    let route = Route::inside(rule("rebind.test", address.port(), &dns));
    let first = route.dial("rebind.test").await.unwrap_err();
    assert_eq!(dns.asked(), 2, "one question for A and one for AAAA");
    let second = route.dial("rebind.test").await.unwrap_err();
    let refused = |error, wanted: IpAddr| matches!(error, DialError::Address { address, .. } if address == wanted);
    assert!(refused(first, v4("240.0.0.1")));
    assert!(refused(second, address.ip()), "a TTL of 0 is asked again");
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_name_without_an_answer_is_refused_in_time() {
    let dns = Dns::new([("gone.test", vec![]), ("mute.test", vec![Say::Nothing])]).await;
    let [inside, helped] = both(rule("gone.test", 1, &dns), "gone.test").await;
    for dialed in [inside, helped] {
        assert!(
            matches!(dialed, Err(DialError::Resolve { .. })),
            "{dialed:?}"
        );
    }
    let rule = DialRule {
        connect_timeout: Duration::from_millis(300),
        ..rule("mute.test", 1, &dns)
    };
    for dialed in both(rule, "mute.test").await {
        assert!(matches!(dialed, Err(DialError::Timeout)), "{dialed:?}");
    }
}

#[tokio::test]
async fn a_host_outside_of_the_rule_is_not_even_asked_for() {
    let dns = Dns::new([("", vec![Say::Addresses(vec![v4("127.0.0.1")])])]).await;
    for (granted, asked) in [
        ("api.test", "evil.test"),
        ("api.test", "127.0.0.1"),
        ("api.test", "api.test."),
        ("api.test", "API.test"),
        ("*.api.test", "api.test"),
        ("*.api.test", "a.b.api.test"),
        ("127.0.0.1", "api.test"),
        ("127.0.0.1", "127.1"),
    ] {
        for dialed in both(rule(granted, 1, &dns), asked).await {
            assert_eq!(
                dialed.unwrap_err(),
                DialError::NotGranted,
                "{granted} {asked}"
            );
        }
    }
    assert_eq!(dns.asked(), 0);
}

#[tokio::test]
async fn a_granted_address_is_dialed_without_a_question() {
    let (address, _) = listener().await;
    let dns = Dns::new([]).await;
    let rule = rule("127.0.0.1", address.port(), &dns);
    for dialed in both(rule.clone(), "127.0.0.1").await {
        assert!(matches!(dialed, Err(DialError::Address { .. })));
    }
    let private = DialRule {
        allow_private: true,
        ..rule
    };
    for dialed in both(private, "127.0.0.1").await {
        assert_eq!(dialed.unwrap().peer, Peer::Tcp(address));
    }
    assert_eq!(dns.asked(), 0);
}

#[tokio::test]
async fn the_next_judged_address_is_tried_when_one_does_not_answer() {
    let (address, _) = listener().await;
    // Nothing listens there on the same port.
    let answers = vec![v6("::1"), v4("127.0.0.2"), v4("127.0.0.1")];
    let dns = Dns::new([("api.test", vec![Say::Addresses(answers)])]).await;
    let rule = DialRule {
        allow_private: true,
        ..rule("api.test", address.port(), &dns)
    };
    for dialed in both(rule, "api.test").await {
        assert_eq!(dialed.unwrap().peer, Peer::Tcp(address));
    }
}

/// A name that answers with a thousand addresses is no way to scan a network.
#[tokio::test]
async fn no_more_than_eight_addresses_are_tried() {
    let (address, count) = listener().await;
    let mut answers: Vec<IpAddr> = (2..10)
        .map(|last| IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)))
        .collect();
    answers.push(address.ip());
    let dns = Dns::new([("api.test", vec![Say::Addresses(answers)])]).await;
    let rule = DialRule {
        allow_private: true,
        ..rule("api.test", address.port(), &dns)
    };
    for dialed in both(rule, "api.test").await {
        assert!(
            matches!(dialed, Err(DialError::Connect { .. })),
            "{dialed:?}"
        );
    }
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_socket_in_the_file_system_is_reached_and_a_link_to_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (path, link) = (dir.path().join("s"), dir.path().join("l"));
    let _listener = tokio::net::UnixListener::bind(&path).unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let at = |path: &std::path::Path| DialRule::new("Db", HostRule::Unix(path.to_owned()), 0);
    for dialed in both(at(&path), path.to_str().unwrap()).await {
        assert_eq!(dialed.unwrap().peer, Peer::Unix(path.clone()));
    }
    for dialed in both(at(&link), link.to_str().unwrap()).await {
        assert_eq!(dialed.unwrap_err(), DialError::Peer);
    }
}

/// A connection to a port that the kernel also picks for the near end meets itself.
#[tokio::test]
async fn a_connection_to_itself_is_refused() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let own = socket.local_addr().unwrap();
    let stream = socket.connect(own).await.unwrap();
    assert_eq!(stream.local_addr().unwrap(), stream.peer_addr().unwrap());
    assert_eq!(connect::verify(&stream, own), Err(DialError::Peer));
}
