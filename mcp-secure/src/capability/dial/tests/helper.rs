//! A helper that lies to its server, and a server that was taken over and asks its helper.

use super::*;

/// A helper that was taken over hands over what it likes. The server believes none of it.
#[tokio::test]
async fn a_helper_that_lies_hands_over_nothing() {
    use crate::broker::Channel;
    use std::os::fd::AsFd;

    let (address, _) = listener().await;
    let (other, _) = listener().await;
    let connected = std::net::TcpStream::connect(address).unwrap();
    let (unix, _end) = std::os::unix::net::UnixStream::pair().unwrap();
    let (packets, _end) = std::os::unix::net::UnixDatagram::pair().unwrap();
    let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    datagrams.connect(address).unwrap();
    let file = std::fs::File::open("/dev/null").unwrap();
    let socket = DialRule::new("Db", HostRule::Unix("/run/db".into()), 0);
    let claim = |address| Peer::Tcp(address);
    type Lie<'a> = (DialRule, Peer, Vec<std::os::fd::BorrowedFd<'a>>);
    let rule = |host: &str, port: u16, allow_private| DialRule {
        allow_private,
        ..DialRule::new("Api", HostRule::parse(host, false).unwrap(), port)
    };
    let lies: Vec<Lie<'_>> = vec![
        // A private address under a rule without them.
        (
            rule("api.test", address.port(), false),
            claim(address),
            vec![connected.as_fd()],
        ),
        // Another address, or port, than it says.
        (
            rule("api.test", other.port(), true),
            claim(other),
            vec![connected.as_fd()],
        ),
        (
            rule("api.test", other.port(), true),
            claim(address),
            vec![connected.as_fd()],
        ),
        // Another literal than was granted.
        (
            rule("10.0.0.1", address.port(), true),
            claim(address),
            vec![connected.as_fd()],
        ),
        // Not a socket, not the kind of socket, no descriptor, too many.
        (
            rule("api.test", address.port(), true),
            claim(address),
            vec![file.as_fd()],
        ),
        (
            rule("api.test", address.port(), true),
            claim(address),
            vec![unix.as_fd()],
        ),
        (
            rule("api.test", address.port(), true),
            Peer::Unix("/run/s".into()),
            vec![unix.as_fd()],
        ),
        (
            rule("api.test", address.port(), true),
            claim(address),
            vec![datagrams.as_fd()],
        ),
        // Another path than was granted, and a kind that is no stream.
        (
            socket.clone(),
            Peer::Unix("/run/s".into()),
            vec![unix.as_fd()],
        ),
        (
            socket.clone(),
            Peer::Unix("/run/db".into()),
            vec![packets.as_fd()],
        ),
        (
            socket,
            Peer::Unix("/run/db".into()),
            vec![connected.as_fd()],
        ),
        (
            rule("api.test", address.port(), true),
            claim(address),
            vec![],
        ),
        (
            rule("api.test", address.port(), true),
            claim(address),
            vec![connected.as_fd(), connected.as_fd()],
        ),
    ];
    for (n, (rule, peer, fds)) in lies.into_iter().enumerate() {
        let (near, far) = Channel::pair().unwrap();
        let route = Route::inside(rule);
        route.line.connect(near, None);
        let fds: Vec<_> = fds
            .iter()
            .map(|fd| fd.try_clone_to_owned().unwrap())
            .collect();
        let helper = std::thread::spawn(move || {
            let (_, conversation, _) = far.answer::<serde_json::Value>().unwrap().unwrap();
            let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
            let said: std::result::Result<Peer, DialError> = Ok(peer);
            conversation.send(&said, &fds).unwrap();
        });
        let host = route.rule().host.single().unwrap();
        assert!(route.dial(&host).await.is_err(), "lie {n}");
        helper.join().unwrap();
    }
}

/// A server that was taken over asks its helper for anything.
#[tokio::test]
async fn a_helper_connects_to_nothing_that_it_was_not_told() {
    let (address, count) = listener().await;
    let dns = Dns::new([("", vec![Say::Addresses(vec![address.ip()])])]).await;
    let route = helped(rule("api.test", address.port(), &dns));
    let ask = async |question: serde_json::Value| {
        let conversation = route.line.get().unwrap().ask(&question, &[]).unwrap();
        conversation
            .recv::<std::result::Result<Peer, DialError>>()
            .await
            .unwrap()
            .map(|(reply, fds)| (reply, fds.len()))
    };
    let refused = |what| Some((Err(what), 0));
    assert_eq!(
        ask(serde_json::json!({"rule": "Other", "host": "api.test"})).await,
        refused(DialError::NotGranted)
    );
    assert_eq!(
        ask(serde_json::json!({"rule": "Api", "host": "127.0.0.1"})).await,
        refused(DialError::NotGranted)
    );
    // Though it has an answer.
    assert_eq!(
        ask(serde_json::json!({"rule": "Api", "host": "evil.test"})).await,
        refused(DialError::NotGranted)
    );
    // What is no question is not answered, and the helper lives on.
    assert_eq!(ask(serde_json::json!({"connect": "127.0.0.1"})).await, None);
    let last = ask(serde_json::json!({"rule": "Api", "host": "api.test"})).await;
    assert!(matches!(last, Some((Err(DialError::Address { .. }), 0))));
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

/// A server that was taken over asks again and again. What hangs up makes room at once; what
/// waits is told so in time.
#[tokio::test]
async fn a_helper_dials_so_many_at_once_and_none_for_who_has_gone() {
    type Answer = std::result::Result<Peer, DialError>;

    let dns = Dns::new([("mute.test", vec![Say::Nothing])]).await;
    let slow = DialRule {
        connect_timeout: Duration::from_secs(3600),
        ..rule("mute.test", 1, &dns)
    };
    let short = DialRule {
        name: "Short".to_owned(),
        connect_timeout: Duration::from_millis(300),
        ..slow.clone()
    };
    let mut opening = Opening::default();
    let line = route(slow, &mut opening).unwrap().line;
    route(short, &mut opening).unwrap();
    let policy = serde_json::from_value(opening.helpers.remove(0).policy).unwrap();
    let (near, far) = crate::broker::Channel::pair().unwrap();
    line.connect(near, None);
    std::thread::spawn(move || serve(far, policy).unwrap());
    let ask = |rule: &str| {
        let question = serde_json::json!({"rule": rule, "host": "mute.test"});
        line.get().unwrap().ask(&question, &[]).unwrap()
    };
    let patience = Duration::from_secs(20);
    let answer = async |rule: &str| {
        let asked = ask(rule);
        let answer = tokio::time::timeout(patience, asked.recv::<Answer>()).await;
        answer.expect("it hangs").unwrap().unwrap().0
    };
    // The helper keeps the time itself.
    assert_eq!(answer("Short").await, Err(DialError::Timeout));
    let mut waiting: Vec<_> = (0..64).map(|_| ask("Api")).collect();
    assert_eq!(answer("Short").await, Err(DialError::Busy));
    waiting.clear();
    // Well before the name server is given up, which makes room as well.
    let begun = std::time::Instant::now();
    while answer("Short").await == Err(DialError::Busy) {
        assert!(begun.elapsed().as_secs() < 4, "who has gone takes room");
    }
}

#[test]
fn the_helper_needs_what_its_rules_need() {
    let mut policy = DialPolicy::default();
    let host = |text| HostRule::parse(text, true).unwrap();
    policy
        .rules
        .push(DialRule::new("A", host("10.0.0.1"), 5432));
    policy
        .rules
        .push(DialRule::new("B", HostRule::Unix("/run/db".into()), 0));
    let needs = helper_needs(&policy);
    assert!(needs.read.is_empty() && needs.udp_ports.is_empty());
    assert_eq!(needs.tcp_ports, [5432].into());
    assert_eq!(needs.sockets, [std::path::PathBuf::from("/run/db")]);
    policy.rules.push(DialRule::new("C", host("api.test"), 443));
    let needs = helper_needs(&policy);
    assert_eq!(
        (needs.udp_ports, needs.tcp_ports),
        ([53].into(), [53, 443, 5432].into())
    );
    assert_eq!(needs.read.len(), 2);
}

#[test]
fn two_rules_of_one_name_are_refused_and_one_helper_serves_all() {
    let mut opening = Opening::default();
    let host = |text| HostRule::parse(text, true).unwrap();
    route(DialRule::new("A", host("a.test"), 1), &mut opening).unwrap();
    route(DialRule::new("B", host("b.test"), 1), &mut opening).unwrap();
    assert!(route(DialRule::new("A", host("c.test"), 1), &mut opening).is_err());
    assert_eq!(opening.helpers.len(), 1);
    let policy: DialPolicy = serde_json::from_value(opening.helpers[0].policy.clone()).unwrap();
    assert_eq!(policy.rules.len(), 2);
}
