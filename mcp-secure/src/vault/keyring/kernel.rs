//! A key in a session keyring of the kernel (session-keyring(7)).
//!
//! Only in one that was joined: a process that joined none shares the keyring of its user with
//! everything else of that user, cron jobs and tools of other servers among it. `keyctl session`
//! starts a program in one, and so does systemd (`KeyringMode=private`).

use linux_keyutils::{
    Key, KeyError, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, Permission,
};
use zeroize::Zeroizing;

use crate::{Error, Result};

pub(super) fn read(name: &str) -> Result<Zeroizing<String>> {
    let ring = session()?;
    let key = ring
        .search(&description(name))
        .map_err(|error| said(name, error))?;
    let metadata = key.metadata().map_err(|error| said(name, error))?;
    // What others of this user may read without possessing it is not kept by the session.
    if metadata.get_perms().bits() & OTHERS_READ != 0 {
        return Err(Error::new(format!(
            "the key `{name}` in the session keyring can be read by who does not possess it"
        ))
        .help("run `keyctl setperm KEY 0x3f000000`"));
    }
    let mut buffer = Zeroizing::new([0_u8; MAX]);
    let len = key.read(&mut *buffer).map_err(|error| said(name, error))?;
    let bytes = buffer
        .get(..len)
        .ok_or_else(|| Error::new(format!("the key `{name}` is longer than {MAX} bytes")))?;
    super::text(bytes)
}

/// `false`: there is one already.
pub(super) fn make(name: &str, text: &Zeroizing<String>) -> Result<bool> {
    let ring = session()?;
    match ring.search(&description(name)) {
        Ok(_) => return Ok(false),
        Err(KeyError::KeyDoesNotExist) => {}
        Err(error) => return Err(said(name, error)),
    }
    let key: Key = ring
        .add_key(&description(name), text.as_bytes())
        .map_err(|error| said(name, error))?;
    let alone = KeyPermissionsBuilder::builder()
        .posessor(Permission::ALL)
        .build();
    if let Err(error) = key.set_perms(alone) {
        // A key that others can read is worse than none.
        let _ = ring.unlink_key(key);
        return Err(said(name, error));
    }
    Ok(true)
}

/// The keyring that this process was started in.
fn session() -> Result<KeyRing> {
    let absent = || {
        Error::new("this process was started in no session keyring of its own").help(
            "start it with `keyctl session NAME PROGRAM`, or as a service of systemd; a keyring \
             of the user is open to everything that the user runs",
        )
    };
    let ring = KeyRing::from_special_id(KeyRingIdentifier::Session, false);
    let ring = ring.map_err(|error| match error {
        KeyError::OperationNotSupported => Error::new("this kernel has no keyrings"),
        _ => absent(),
    })?;
    let metadata = ring.metadata().map_err(|_| absent())?;
    // What a process that joined none has.
    if metadata.get_description().starts_with("_uid") {
        return Err(absent());
    }
    Ok(ring)
}

fn said(name: &str, error: KeyError) -> Error {
    let what = match error {
        KeyError::KeyDoesNotExist => {
            return Error::new(format!("there is no key `{name}` in the session keyring")).help(
                "it is gone when its session ends: put it in again before the server starts, with \
                 `keyctl padd user mcp-secure:NAME @s`",
            );
        }
        KeyError::KeyExpired => "has expired",
        KeyError::KeyRevoked => "was revoked",
        KeyError::AccessDenied | KeyError::PermissionDenied => "may not be read by this process",
        KeyError::QuotaExceeded => "does not fit: the user has as many keys as one may have",
        _ => return Error::new(format!("the key `{name}` in the session keyring: {error}")),
    };
    Error::new(format!("the key `{name}` in the session keyring {what}"))
        .help("no other source is tried")
}

fn description(name: &str) -> String {
    format!("mcp-secure:{name}")
}

/// For the user, the group and all others.
const OTHERS_READ: u32 = 0x0002_0202;
const MAX: usize = 4096;
