//! A Unix-domain socket: the kernel says who is calling, so there is no secret to steal.

use std::path::PathBuf;

use super::{builder::strings, limits::HttpLimits};

/// Streamable HTTP on a Unix-domain socket, for the user who started the server.
///
/// The socket has mode 0600 in a folder of mode 0700. The kernel names the peer of every
/// connection (`SO_PEERCRED`), and a connection of another user, root included, is closed
/// unread. The `Host` must be `localhost`; a request with an `Origin` is refused.
///
/// ```
/// use mcp_secure::server::http::Unix;
/// let unix = Unix::at("/run/user/1000/notes/mcp.sock").scopes(["notes:read"]);
/// ```
pub struct Unix {
    path: PathBuf,
    scopes: Vec<String>,
    limits: HttpLimits,
    legacy_sessions: bool,
}

impl Unix {
    /// A socket at this path. The folder is made if missing; a socket that a dead server
    /// left behind is replaced.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            scopes: Vec::new(),
            limits: HttpLimits::default(),
            legacy_sessions: true,
        }
    }

    /// What callers may do. Without, only what is `public`.
    #[must_use]
    pub fn scopes<I: IntoIterator<Item = T>, T: Into<String>>(mut self, scopes: I) -> Self {
        self.scopes.extend(strings(scopes));
        self
    }

    /// Replaces the limits.
    #[must_use]
    pub fn limits(mut self, limits: HttpLimits) -> Self {
        self.limits = limits;
        self
    }

    /// As [`Http::legacy_sessions`](super::Http::legacy_sessions).
    #[must_use]
    pub fn legacy_sessions(mut self, on: bool) -> Self {
        self.legacy_sessions = on;
        self
    }

    /// Where the author wants the socket.
    pub(crate) fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// The operator's path instead of the author's.
    pub(crate) fn move_to(&mut self, path: PathBuf) {
        self.path = path;
    }

    pub(crate) fn limits_mut(&mut self) -> &mut HttpLimits {
        &mut self.limits
    }
}

#[cfg(not(unix))]
impl Unix {
    pub(crate) fn bind(self) -> crate::Result<super::Bound> {
        Err(
            crate::Error::new(format!("`{}` cannot be bound here", self.path.display()))
                .help("Unix-domain sockets need a Unix system; use stdio"),
        )
    }
}

#[cfg(unix)]
pub(crate) use socket::Socket;

#[cfg(unix)]
mod socket {
    use std::{
        fs::{DirBuilder, Permissions, set_permissions, symlink_metadata},
        io,
        os::unix::{
            fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
            net::{UnixListener, UnixStream},
        },
        path::{Path, PathBuf},
        sync::Arc,
    };

    use super::Unix;
    use crate::{
        Error, Result,
        auth::{Assurance, Principal},
        server::http::{
            authenticate::Auth,
            endpoint::Endpoint,
            front::Front,
            host::Hosts,
            listener::{Accept, Accepted, Bound, Listener},
            origin::Origins,
            refusal::FOREIGN_PEER,
            ring::Issued,
        },
    };

    /// A socket that is removed with its value.
    pub(crate) struct Socket {
        listener: UnixListener,
        scopes: Vec<String>,
        file: SocketFile,
    }

    /// The name in the file system, while it is ours.
    struct SocketFile {
        path: PathBuf,
        inode: (u64, u64),
    }

    /// A socket that accepts.
    pub(crate) struct Accepting {
        listener: tokio::net::UnixListener,
        scopes: Vec<String>,
        uid: u32,
        /// There is none: the file system is the door.
        front: Arc<Front>,
        _file: SocketFile,
    }

    impl Unix {
        /// Takes the path.
        ///
        /// # Errors
        ///
        /// When folder or file are not what they have to be, or another server is there.
        pub(crate) fn bind(self) -> Result<Bound> {
            let Self {
                path,
                scopes,
                limits,
                legacy_sessions,
            } = self;
            limits.check()?;
            let fail = |what: String| {
                Error::new(format!(
                    "cannot listen on the socket `{}`: {what}",
                    path.display()
                ))
            };
            own_folder(&path)?;
            remove_stale(&path)?;
            let listener = UnixListener::bind(&path).map_err(|e| fail(e.to_string()))?;
            // Nobody else reaches into the folder, so nobody came between these two lines.
            let prepared = set_permissions(&path, Permissions::from_mode(0o600))
                .and_then(|()| listener.set_nonblocking(true))
                .and_then(|()| symlink_metadata(&path));
            let meta = prepared.map_err(|e| fail(e.to_string()))?;
            let file = SocketFile {
                path,
                inode: (meta.dev(), meta.ino()),
            };
            Ok(Bound {
                listener: Listener::Unix(Socket {
                    listener,
                    scopes,
                    file,
                }),
                hosts: Hosts::localhost(),
                origins: Origins::none(),
                endpoint: Endpoint::new("/mcp")?,
                limits,
                legacy_sessions,
                issued: Issued::default(),
                pages: None,
            })
        }
    }

    /// The folder is ours, and nobody else gets into it.
    fn own_folder(path: &Path) -> Result<()> {
        let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) else {
            return Err(Error::new(format!("`{}` names no folder", path.display()))
                .help("give the socket a folder of its own"));
        };
        let fail = |what: String| {
            Error::new(format!(
                "the folder `{}` of the socket {what}",
                folder.display()
            ))
            .help(format!(
                "give the socket a folder of its own, `chmod 700 '{}'`",
                folder.display()
            ))
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|e| fail(format!("cannot be made: {e}")))?;
        let meta =
            symlink_metadata(folder).map_err(|e| fail(format!("cannot be examined: {e}")))?;
        if !meta.is_dir() {
            return Err(fail("is not a folder".into()));
        }
        if meta.uid() != rustix::process::geteuid().as_raw() {
            return Err(fail("belongs to another user".into()));
        }
        if meta.mode() & 0o077 != 0 {
            return Err(fail("is open to other users".into()));
        }
        Ok(())
    }

    /// Removes what a dead server left; anything else at the path stays and stops the start.
    fn remove_stale(path: &Path) -> Result<()> {
        let fail = |what: &str| {
            Error::new(format!("`{}` {what}", path.display()))
                .help("choose another path, or remove what is there")
        };
        let meta = match symlink_metadata(path) {
            Ok(meta) => meta,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(fail(&format!("cannot be examined: {e}"))),
        };
        if !meta.file_type().is_socket() {
            return Err(fail("exists and is not a socket"));
        }
        match UnixStream::connect(path) {
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {
                std::fs::remove_file(path).map_err(|e| fail(&format!("cannot be removed: {e}")))
            }
            _ => Err(fail("is in use by another server")),
        }
    }

    impl Socket {
        /// Where its name is.
        pub(crate) fn folder(&self) -> Option<&Path> {
            self.file.path.parent()
        }

        pub(crate) fn into_tokio(self) -> Result<Accepting> {
            let Self {
                listener,
                scopes,
                file,
            } = self;
            let listener = tokio::net::UnixListener::from_std(listener)
                .map_err(|e| Error::new(format!("the socket cannot be used: {e}")))?;
            let uid = rustix::process::geteuid().as_raw();
            Ok(Accepting {
                listener,
                scopes,
                uid,
                front: Arc::default(),
                _file: file,
            })
        }
    }

    impl Accept for Accepting {
        type Io = tokio::net::UnixStream;

        async fn accept(&self) -> io::Result<Accepted<Self::Io>> {
            let (io, _) = self.listener.accept().await?;
            let uid = io.peer_cred()?.uid();
            if uid != self.uid {
                return Ok(Accepted::Refused {
                    control: FOREIGN_PEER,
                    peer: None,
                });
            }
            let principal =
                Principal::minted("local", &format!("uid:{uid}"), Assurance::PeerCredentials)
                    .scopes(self.scopes.iter().cloned());
            Ok(Accepted::Connection {
                io,
                peer: None,
                auth: Arc::new(Auth::Peer(principal)),
            })
        }

        fn front(&self) -> Arc<Front> {
            self.front.clone()
        }
    }

    impl Drop for SocketFile {
        fn drop(&mut self) {
            // Only if it is still ours: a later server may have taken the name.
            if symlink_metadata(&self.path).is_ok_and(|m| (m.dev(), m.ino()) == self.inode) {
                let _ = std::fs::remove_file(&self.path);
            }
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    fn mode(path: &std::path::Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_socket_is_private_and_leaves_with_the_server() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/mcp.sock");
        let bound = Unix::at(&path).bind().unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        assert!(
            Unix::at(&path)
                .bind()
                .err()
                .unwrap()
                .to_string()
                .contains("in use")
        );
        drop(bound);
        assert!(!path.exists());
    }

    #[test]
    fn a_dead_socket_is_replaced_and_anything_else_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let path = dir.path().join("mcp.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "left behind");
        drop(Unix::at(&path).bind().unwrap());

        fs::write(&path, "precious").unwrap();
        assert!(Unix::at(&path).bind().is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        fs::remove_file(&path).unwrap();

        std::os::unix::fs::symlink(dir.path().join("elsewhere"), &path).unwrap();
        assert!(Unix::at(&path).bind().is_err());
        fs::remove_file(&path).unwrap();

        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(
            Unix::at(&path)
                .bind()
                .err()
                .unwrap()
                .to_string()
                .contains("chmod 700")
        );
    }
}
