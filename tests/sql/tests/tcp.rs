//! A service behind a socket, through a handle.

use std::{io, time::Duration};

use mcp_secure::{
    capability::tcp::{Tcp, TcpError, TcpLimits},
    prelude::*,
    testing::TestServer,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, UnixListener},
};

/// A cache.
#[capability(tcp, allow_private)]
struct Cache;

/// The same without private addresses.
#[capability(tcp, name = "cache")]
struct Public;

/// One whose place is a matter of the code.
#[capability(tcp = "redis.internal:6379")]
struct Fixed;

/// Says back what it hears; `!` makes it talk without end, and `.` makes it silent.
async fn speak(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut byte = [0];
    loop {
        stream.read_exact(&mut byte).await?;
        match byte[0] {
            b'!' => loop {
                stream.write_all(&[b'x'; 1000]).await?;
            },
            b'.' => std::future::pending::<()>().await,
            _ => stream.write_all(&byte).await?,
        }
    }
}

/// A service, and how many connections it has had.
async fn service() -> (String, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let count = std::sync::Arc::<std::sync::atomic::AtomicUsize>::default();
    let counted = std::sync::Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            tokio::spawn(speak(stream));
        }
    });
    (address, count)
}

fn server(address: &str, limits: TcpLimits) -> TestServer {
    let grant = Cache::from_operator().limits(limits);
    TestServer::new().granted(grant, address).unwrap()
}

/// What a stream ended of.
fn ended(error: &io::Error) -> TcpError {
    error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<TcpError>())
        .unwrap_or_else(|| panic!("{error}"))
        .clone()
}

#[tokio::test]
async fn bytes_go_there_and_back_and_a_kept_connection_is_used_again() {
    let (address, count) = service().await;
    let server = server(&address, TcpLimits::default());
    let cache: Tcp<Cache> = server.lend().unwrap();
    let mut answer = [0; 5];
    let mut conn = cache.connect().await.unwrap();
    conn.write_all(b"hello").await.unwrap();
    conn.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"hello");
    conn.keep();
    let mut conn = cache.checkout().await.unwrap();
    conn.write_all(b"again").await.unwrap();
    conn.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"again");
    assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), 1);
}

/// Nobody knows what a connection is in the middle of that outlives its call.
#[tokio::test]
async fn a_connection_is_not_kept_after_its_call() {
    let (address, count) = service().await;
    let server = server(&address, TcpLimits::default());
    let cache: Tcp<Cache> = server.lend().unwrap();
    let mut conn = cache.connect().await.unwrap();
    conn.write_all(b"left behind").await.unwrap();
    server.end_calls();
    conn.keep();
    let cache: Tcp<Cache> = server.lend().unwrap();
    let mut conn = cache.checkout().await.unwrap();
    conn.write_all(b"x").await.unwrap();
    assert_eq!(conn.read_u8().await.unwrap(), b'x');
    assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_connection_dies_with_its_call_though_it_waits() {
    let (address, _) = service().await;
    let server = server(&address, TcpLimits::default());
    let cache: Tcp<Cache> = server.lend().unwrap();
    let mut conn = cache.connect().await.unwrap();
    conn.write_all(b".").await.unwrap();
    let waiting = tokio::spawn(async move {
        let error = conn.read_u8().await.unwrap_err();
        (
            ended(&error),
            ended(&conn.write_all(b"x").await.unwrap_err()),
        )
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(server);
    let (read, write) = waiting.await.unwrap();
    assert_eq!((read, write), (TcpError::Revoked, TcpError::Revoked));
    assert_eq!(cache.connect().await.unwrap_err(), TcpError::Revoked);
}

#[tokio::test]
async fn bytes_are_capped_both_ways() {
    let (address, _) = service().await;
    let server = server(&address, TcpLimits::default().bytes(10_000, 100));
    let cache: Tcp<Cache> = server.lend().unwrap();
    let mut conn = cache.connect().await.unwrap();
    conn.write_all(b"!").await.unwrap();
    let mut all = Vec::new();
    let error = conn.read_to_end(&mut all).await.unwrap_err();
    assert_eq!(ended(&error), TcpError::Bytes { limit: 10_000 });
    assert!(all.len() <= 10_000);
    let mut conn = cache.connect().await.unwrap();
    let error = conn.write_all(&[b'.'; 101]).await.unwrap_err();
    assert_eq!(ended(&error), TcpError::Bytes { limit: 100 });
}

#[tokio::test]
async fn silence_and_length_end_a_connection() {
    let (address, _) = service().await;
    let ms = Duration::from_millis;
    let long = Duration::from_secs(3600);
    // Each alone, so that the other is not what ends it.
    for (idle, whole) in [(ms(200), long), (long, ms(200))] {
        let limits = TcpLimits::default().idle_timeout(idle).timeout(whole);
        let server = server(&address, limits);
        let cache: Tcp<Cache> = server.lend().unwrap();
        let mut conn = cache.connect().await.unwrap();
        conn.write_all(b".").await.unwrap();
        let read = tokio::time::timeout(Duration::from_secs(20), conn.read_u8());
        let error = read.await.expect("it is waited for").unwrap_err();
        assert_eq!(ended(&error), TcpError::Timeout);
    }
}

#[tokio::test]
async fn connections_are_counted() {
    let (address, _) = service().await;
    let limits = TcpLimits::default()
        .connections(1)
        .idle_timeout(Duration::from_millis(200));
    let server = server(&address, limits);
    let cache: Tcp<Cache> = server.lend().unwrap();
    let first = cache.connect().await.unwrap();
    assert_eq!(cache.connect().await.unwrap_err(), TcpError::Busy);
    drop(first);
    assert!(cache.connect().await.is_ok());
}

#[tokio::test]
async fn a_loopback_service_is_not_reached_without_leave() {
    let (address, count) = service().await;
    let server = TestServer::new()
        .granted(Public::from_operator(), &address)
        .unwrap();
    let cache: Tcp<Public> = server.lend().unwrap();
    let error = cache.connect().await.unwrap_err();
    assert!(matches!(error, TcpError::Connect(_)));
    let said = ToolError::from(error);
    let said = said.public_message().unwrap();
    assert!(!said.contains("127."), "{said}");
    assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_socket_is_reached_by_its_path_unless_others_may_replace_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.sock");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(speak(stream));
        }
    });
    let server = server(path.to_str().unwrap(), TcpLimits::default());
    let cache: Tcp<Cache> = server.lend().unwrap();
    let mut conn = cache.connect().await.unwrap();
    conn.write_all(b"a").await.unwrap();
    assert_eq!(conn.read_u8().await.unwrap(), b'a');
    let open = std::fs::Permissions::from_mode(0o1777);
    std::fs::set_permissions(folder.path(), open).unwrap();
    let refused = TestServer::new().granted(Cache::from_operator(), &path);
    let said = refused.err().unwrap().to_string();
    assert!(said.contains("a socket of theirs"), "{said}");
}

#[test]
fn a_service_that_the_code_fixes_is_no_other_one() {
    let granted = |place: &str| TestServer::new().granted(Fixed::declared(), place);
    assert!(granted("redis.internal:6379").is_ok());
    for other in [
        "redis.internal:6380",
        "redis.external:6379",
        "10.0.0.1:6379",
        "/run/redis.sock",
    ] {
        let said = granted(other).err().unwrap().to_string();
        assert!(said.contains("is another service"), "{said}");
    }
}
