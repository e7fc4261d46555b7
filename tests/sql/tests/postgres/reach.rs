//! Addresses, passwords and certificates: how a database is reached.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn secret(cluster: &Cluster, mode: u32) -> String {
    let path = cluster.path("password");
    std::fs::write(&path, "correct horse\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn over_tcp_there_is_a_password_from_a_file_and_tls_with_the_granted_name() {
    let cluster = cluster!();
    let secret = secret(&cluster, 0o600);
    let ca = |name: &str| cluster.path(name).to_str().unwrap().to_owned();
    let connect = async |options: String| {
        let server = server(&cluster.tcp("reader", &options), SqlLimits::default());
        let db: Reading = server.lend().unwrap();
        let rows = db
            .query(
                "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
                (),
            )
            .await?;
        rows.one::<bool>()
    };
    let good = format!("passfile={secret}&sslrootcert={}", ca("ca.pem"));
    assert_eq!(connect(good).await, Ok(true));
    let clear = format!("passfile={secret}&sslmode=disable");
    assert_eq!(connect(clear).await, Ok(false));
    // Another authority; the public ones; no password.
    for bad in [
        format!("passfile={secret}&sslrootcert={}", ca("other-ca.pem")),
        format!("passfile={secret}"),
        format!("sslrootcert={}", ca("ca.pem")),
    ] {
        assert!(
            matches!(connect(bad.clone()).await, Err(SqlError::Connection(_))),
            "{bad}"
        );
    }
}

fn refused(address: &str) -> String {
    let granted = TestServer::new().granted(Books::from_operator(), address);
    granted.err().expect("it was granted").to_string()
}

#[test]
fn an_address_that_gives_a_secret_away_is_not_granted() {
    let cluster = cluster!();
    let said = refused("postgres://reader:hunter2@db.example.com/app");
    assert!(
        said.contains("passfile") && !said.contains("hunter2"),
        "{said}"
    );
    let open = secret(&cluster, 0o644);
    let said = refused(&cluster.tcp("reader", &format!("passfile={open}")));
    assert!(said.contains("chmod 600"), "{said}");
    let said = refused("postgres://reader@db.example.com/app?sslmode=disable");
    assert!(said.contains("in the clear"), "{said}");
    let tcp = cluster.tcp("reader", "sslmode=disable");
    let public = TestServer::new().granted(Public::from_operator(), &tcp);
    assert!(public.err().unwrap().to_string().contains("in the clear"));
    let open = tempfile::tempdir().unwrap();
    std::fs::set_permissions(open.path(), std::fs::Permissions::from_mode(0o1777)).unwrap();
    let said = refused(&format!("postgres://r@/x?host={}", open.path().display()));
    assert!(said.contains("a socket of theirs"), "{said}");
}

#[tokio::test]
async fn a_loopback_server_is_not_reached_without_leave() {
    let cluster = cluster!();
    // With all that it takes, but for the leave.
    let secret = secret(&cluster, 0o600);
    let ca = cluster.path("ca.pem");
    let options = format!("passfile={secret}&sslrootcert={}", ca.display());
    let address = cluster.tcp("reader", &options);
    let server = TestServer::new()
        .granted(Public::from_operator(), &address)
        .unwrap();
    let db: Sql<Public, ReadOnly> = server.lend().unwrap();
    let done = error(db.query("SELECT 1", ()).await);
    assert!(matches!(done, SqlError::Connection(_)), "{done:?}");
    assert!(!cluster.log().contains("reader"), "it was connected to");
}

/// Somebody on the way says that the server knows no TLS.
#[tokio::test]
async fn to_who_has_no_tls_nothing_is_said() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (mut asked, mut heard) = ([0; 8], Vec::new());
        stream.read_exact(&mut asked).await.unwrap();
        stream.write_all(b"N").await.unwrap();
        let _ = stream.read_to_end(&mut heard).await;
        heard
    });
    let address = format!("postgres://reader@127.0.0.1:{port}/app");
    let server = server(&address, SqlLimits::default());
    let db: Reading = server.lend().unwrap();
    let done = error(db.query("SELECT 1", ()).await);
    assert!(matches!(done, SqlError::Connection(_)), "{done:?}");
    assert_eq!(heard.await.unwrap(), b"");
}
