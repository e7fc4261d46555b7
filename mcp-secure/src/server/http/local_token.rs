//! The embedded default: a random bearer token in a file that only its owner can read.
//!
//! Whoever can read the file is the user, so whoever shows the token is the user. It keeps
//! out other users of the machine, and every page in the user's own browser, which can reach
//! a loopback port but not a file.

use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;
#[cfg(not(unix))]
use secrecy::SecretString;
use subtle::ConstantTimeEq;

use super::authenticate::Denied;
use crate::{
    Error, Result,
    auth::{Assurance, Principal},
    sha256,
};

/// Admits whoever shows the token of the file. The token itself is not kept: what arrives
/// is compared by digest, in constant time.
pub(crate) struct LocalToken {
    digest: [u8; 32],
    principal: Principal,
}

impl LocalToken {
    /// Takes the token from the file; makes both if there is no file yet.
    ///
    /// A file that is there is used again, so that clients keep working over a restart; to
    /// change the token, delete the file. One that others could have read or written, or
    /// that is a link, stops the start.
    pub(crate) fn open(path: &Path, scopes: impl IntoIterator<Item = String>) -> Result<Self> {
        let token = read_or_create(path)?;
        let subject = format!("uid:{}", crate::auth::current_uid());
        Ok(Self {
            digest: sha256::hash(token.expose_secret().as_bytes()),
            principal: Principal::minted("local", &subject, Assurance::LocalToken).scopes(scopes),
        })
    }

    pub(crate) fn verify(&self, presented: &[u8]) -> std::result::Result<Principal, Denied> {
        let digest = sha256::hash(presented);
        if bool::from(digest.ct_eq(&self.digest)) {
            Ok(self.principal.clone())
        } else {
            Err(Denied::invalid())
        }
    }
}

/// Where the token of a server lies unless the author says otherwise:
/// `$XDG_RUNTIME_DIR/mcp-secure/<server>.token`, or `~/.local/state/mcp-secure/<server>.token`.
pub(crate) fn default_token_path(server: &str) -> Result<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    path_in(runtime, std::env::home_dir(), server)
}

fn path_in(runtime: Option<PathBuf>, home: Option<PathBuf>, server: &str) -> Result<PathBuf> {
    let folder = match (runtime, home) {
        (Some(runtime), _) if runtime.is_absolute() => runtime,
        (_, Some(home)) if home.is_absolute() => home.join(".local/state"),
        _ => {
            return Err(Error::new("there is no place for the token file")
                .help("set XDG_RUNTIME_DIR, or name a file with `.local_token_at(path)`"));
        }
    };
    let name: String = server
        .chars()
        .take(64)
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' || c == '_' {
                c
            } else {
                '-'
            }
        })
        .collect();
    let name = if name.is_empty() {
        "server".to_owned()
    } else {
        name
    };
    Ok(folder.join("mcp-secure").join(format!("{name}.token")))
}

/// The token in the file, which is made if it is not there.
#[cfg(unix)]
pub(crate) use unix::read_or_create;

#[cfg(not(unix))]
pub(crate) fn read_or_create(path: &Path) -> Result<SecretString> {
    Err(Error::new(format!(
        "`{}` cannot be protected on this system",
        path.display()
    ))
    .help("the local token needs Unix file permissions in this version; use stdio"))
}

#[cfg(unix)]
mod unix {
    use std::{
        fs::{DirBuilder, File},
        io::{Read as _, Write as _},
        os::{fd::OwnedFd, unix::fs::DirBuilderExt as _},
        path::Path,
    };

    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use rustix::{
        fs::{AtFlags, FileType, Mode, OFlags, Stat},
        io::Errno,
    };
    use secrecy::{ExposeSecret, SecretString};
    use zeroize::Zeroizing;

    use crate::{Error, Result};

    /// What our tokens begin with, for secret scanners to find.
    const PREFIX: &str = "mcps_";
    /// 256 bits in base64url.
    const MIN_LEN: usize = 43;
    const MAX_LEN: usize = 512;

    pub(crate) fn read_or_create(path: &Path) -> Result<SecretString> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Error::new(format!(
                "`{}` is not a file name",
                path.display()
            )));
        };
        let folder = open_folder(folder)?;
        // Three rounds: the file may come and go between a look and an attempt.
        for _ in 0..3 {
            if let Some(token) = read(&folder, name, path)? {
                return Ok(token);
            }
            if let Some(token) = create(&folder, name, path)? {
                return Ok(token);
            }
        }
        Err(Error::new(format!(
            "the token file `{}` keeps changing",
            path.display()
        )))
    }

    /// The folder, which must be ours and writable by nobody else: who can write the folder
    /// can replace the file.
    fn open_folder(path: &Path) -> Result<OwnedFd> {
        let fail = |what: &str| {
            Error::new(format!(
                "the folder `{}` for the token file {what}",
                path.display()
            ))
            .help(format!(
                "try `chmod 700 '{0}'`, or name another file",
                path.display()
            ))
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|e| fail(&format!("cannot be made: {e}")))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|e| fail(&format!("cannot be opened: {e}")))?;
        let stat = stat(&folder).map_err(|e| fail(&format!("cannot be examined: {e}")))?;
        if !ours(&stat) {
            return Err(fail("belongs to another user"));
        }
        if stat.st_mode & 0o022 != 0 {
            return Err(fail("can be written by other users"));
        }
        Ok(folder)
    }

    /// The token, or `None` if there is no file.
    fn read(folder: &OwnedFd, name: &std::ffi::OsStr, path: &Path) -> Result<Option<SecretString>> {
        let fail = |what: String| {
            Error::new(format!("the token file `{}` {what}", path.display()))
                .help("delete it, and the server makes a new one")
        };
        // Without NONBLOCK a FIFO with this name would hold up the start.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(folder, name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(fail("is a symbolic link".into())),
            Err(e) => return Err(fail(format!("cannot be opened: {e}"))),
        };
        let stat = stat(&file).map_err(|e| fail(format!("cannot be examined: {e}")))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(fail("is not a regular file".into()));
        }
        if !ours(&stat) {
            return Err(fail("belongs to another user".into()));
        }
        if stat.st_mode & 0o177 != 0 {
            return Err(fail(
                "can be read by other users, so it is no secret any more".into(),
            ));
        }
        let mut text = Zeroizing::new(String::with_capacity(MAX_LEN + 2));
        File::from(file)
            .take(MAX_LEN as u64 + 2)
            .read_to_string(&mut text)
            .map_err(|e| fail(format!("cannot be read: {e}")))?;
        let token = text.trim_ascii();
        let random = token.strip_prefix(PREFIX).unwrap_or(token);
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if random.len() < MIN_LEN || token.len() > MAX_LEN || !random.bytes().all(plain) {
            return Err(fail("does not hold a token of 256 bits".into()));
        }
        Ok(Some(SecretString::from(token)))
    }

    /// Makes file and token, or `None` if somebody else just did.
    ///
    /// The file appears under its name with its content, by a link that fails if the name
    /// is taken: nobody ever reads half a token.
    fn create(
        folder: &OwnedFd,
        name: &std::ffi::OsStr,
        path: &Path,
    ) -> Result<Option<SecretString>> {
        let fail = |e: &dyn std::fmt::Display| {
            Error::new(format!(
                "the token file `{}` cannot be made: {e}",
                path.display()
            ))
        };
        let token = SecretString::from(format!("{PREFIX}{}", random::<32>()?.as_str()));
        let draft = format!(".{}.new", random::<12>()?.as_str());
        let mode = Mode::RUSR | Mode::WUSR;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(folder, &draft, flags, mode).map_err(|e| fail(&e))?;
        let mut file = File::from(file);
        let written = file
            .write_all(token.expose_secret().as_bytes())
            .and_then(|()| file.write_all(b"\n"))
            .and_then(|()| file.sync_all());
        let linked = match written {
            Ok(()) => match rustix::fs::linkat(folder, &draft, folder, name, AtFlags::empty()) {
                Ok(()) => Ok(Some(token)),
                Err(Errno::EXIST) => Ok(None),
                Err(e) => Err(fail(&e)),
            },
            Err(e) => Err(fail(&e)),
        };
        rustix::fs::unlinkat(folder, &draft, AtFlags::empty()).map_err(|e| fail(&e))?;
        linked
    }

    fn stat(fd: &OwnedFd) -> std::result::Result<Stat, Errno> {
        rustix::fs::fstat(fd)
    }

    fn ours(stat: &Stat) -> bool {
        stat.st_uid == rustix::process::geteuid().as_raw()
    }

    fn random<const N: usize>() -> Result<Zeroizing<String>> {
        let mut bytes = Zeroizing::new([0_u8; N]);
        getrandom::fill(bytes.as_mut())
            .map_err(|e| Error::new(format!("the system has no randomness: {e}")))?;
        Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes)))
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use std::{
        fs,
        os::unix::fs::{PermissionsExt, symlink},
    };

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_token_is_new_private_and_kept_over_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/server.token");
        let first = read_or_create(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        assert!(first.expose_secret().len() >= 48, "256 bits and the prefix");
        let second = read_or_create(&path).unwrap();
        assert_eq!(first.expose_secret(), second.expose_secret());
        let other = read_or_create(&dir.path().join("a/b/other.token")).unwrap();
        assert_ne!(first.expose_secret(), other.expose_secret());
        let left: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(left.len(), 2, "no draft stays behind");
    }

    #[test]
    fn only_the_whole_token_opens() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t/server.token");
        let token = LocalToken::open(&path, ["notes:read".to_owned()]).unwrap();
        let secret = read_or_create(&path).unwrap();
        let secret = secret.expose_secret().as_bytes();
        let principal = token.verify(secret).unwrap();
        assert!(principal.has_scope("notes:read"));
        assert_eq!(principal.assurance(), Assurance::LocalToken);
        assert!(token.verify(&secret[..secret.len() - 1]).is_err());
        assert!(token.verify(b"").is_err());
        assert!(token.verify(&[secret, b"x"].concat()).is_err());
    }

    #[test]
    fn a_file_that_others_could_read_or_make_stops_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.token");
        set_mode(dir.path(), 0o700);
        read_or_create(&path).unwrap();
        for bad in [0o644, 0o640, 0o604, 0o660, 0o700] {
            set_mode(&path, bad);
            let error = read_or_create(&path).unwrap_err().to_string();
            assert!(error.contains("help:"), "{bad:o}: {error}");
        }
        fs::remove_file(&path).unwrap();

        let real = dir.path().join("real");
        read_or_create(&real).unwrap();
        symlink(&real, &path).unwrap();
        assert!(
            read_or_create(&path)
                .unwrap_err()
                .to_string()
                .contains("symbolic link")
        );
        fs::remove_file(&path).unwrap();
        symlink(dir.path().join("nowhere"), &path).unwrap();
        assert!(
            read_or_create(&path).is_err(),
            "a dangling link is not a place to write"
        );
        fs::remove_file(&path).unwrap();

        for weak in ["", "test", "password password password password password"] {
            fs::write(&path, weak).unwrap();
            set_mode(&path, 0o600);
            assert!(
                read_or_create(&path)
                    .unwrap_err()
                    .to_string()
                    .contains("256"),
                "{weak}"
            );
        }
        fs::remove_file(&path).unwrap();

        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
        assert!(
            read_or_create(&path)
                .unwrap_err()
                .to_string()
                .contains("regular")
        );
        fs::remove_file(&path).unwrap();

        set_mode(dir.path(), 0o777);
        assert!(
            read_or_create(&path)
                .unwrap_err()
                .to_string()
                .contains("other users")
        );
        set_mode(dir.path(), 0o700);

        let link = dir.path().join("link");
        fs::create_dir(dir.path().join("folder")).unwrap();
        symlink(dir.path().join("folder"), &link).unwrap();
        assert!(read_or_create(&link.join("x")).is_err());
    }

    #[test]
    fn of_many_starts_at_once_all_get_the_same_token() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r/server.token");
        let tokens: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16)
                .map(|_| scope.spawn(|| read_or_create(&path).unwrap()))
                .collect();
            threads
                .into_iter()
                .map(|t| t.join().unwrap().expose_secret().to_owned())
                .collect()
        });
        assert!(tokens.iter().all(|t| *t == tokens[0]));
    }

    #[test]
    fn the_servers_name_cannot_lead_out_of_the_folder() {
        let run = || Some(PathBuf::from("/run/user/1"));
        let home = || Some(PathBuf::from("/home/u"));
        let path = |r, h, n| {
            path_in(r, h, n)
                .map(|p| p.display().to_string())
                .unwrap_or_default()
        };
        assert_eq!(
            path(run(), home(), "notes"),
            "/run/user/1/mcp-secure/notes.token"
        );
        assert_eq!(
            path(None, home(), "n"),
            "/home/u/.local/state/mcp-secure/n.token"
        );
        assert_eq!(
            path(run(), home(), "../../x/y"),
            "/run/user/1/mcp-secure/------x-y.token"
        );
        assert_eq!(
            path(run(), home(), ""),
            "/run/user/1/mcp-secure/server.token"
        );
        assert_eq!(
            path(Some("relative".into()), home(), "n"),
            "/home/u/.local/state/mcp-secure/n.token"
        );
        assert!(path_in(None, None, "n").is_err());
    }
}
