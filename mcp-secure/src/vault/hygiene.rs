//! What the system is asked before a key is read: no core file, and nothing of this process on a
//! swap device.
//!
//! Memory is locked where the hard limit is none, and not otherwise: a limit that is reached later
//! ends a server in the middle of its work. A service of systemd says `LimitMEMLOCK=infinity`.
//! That no debugger attaches is the sandbox's part.

use rustix::{
    io::Errno,
    mm::{MlockAllFlags, mlockall},
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

/// `None`: all was done. Else what was not, for the operator.
pub(super) fn tidy() -> Option<String> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if let Err(error) = setrlimit(Resource::Core, none) {
        return Some(format!("core files may have credentials in them: {error}"));
    }
    #[cfg(not(feature = "sandbox"))]
    if let Err(error) =
        rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
    {
        return Some(format!("debuggers may attach to this process: {error}"));
    }
    let limit = getrlimit(Resource::Memlock);
    // A soft limit is a default that nobody chose; the hard one is what the operator says.
    if limit.current.is_some() && limit.maximum.is_none() {
        let none = Rlimit {
            current: None,
            maximum: None,
        };
        let _ = setrlimit(Resource::Memlock, none);
    }
    let locked = match getrlimit(Resource::Memlock).current {
        // What is touched later, too, and not what is only mapped.
        None => mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT),
        Some(_) => Err(Errno::PERM),
    };
    locked.err().map(|error| match error {
        Errno::PERM => "credentials may be written to a swap device: memory is not locked, since \
                        it may not be without a limit (`ulimit -l unlimited`, or \
                        `LimitMEMLOCK=infinity` in the unit)"
            .to_owned(),
        error => format!("credentials may be written to a swap device: {error}"),
    })
}
