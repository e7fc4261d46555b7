//! Which folders are never lent: too wide, the system's own, or full of secrets.

use std::path::{Component, Path};

use super::{
    Access, FsPolicy,
    policy::Compiled,
    sys::{Kind, Stat},
};
use crate::error::{Error, Result};

/// Checks where a grant leads, before it is opened.
pub(super) fn path(given: &Path, path: &Path) -> Result<()> {
    let named = match given == path {
        true => format!("`{}`", path.display()),
        false => format!("`{}` (which is `{}`)", given.display(), path.display()),
    };
    let refuse = |why: &str, help: &str| {
        Err(Error::new(format!("{named} cannot be granted: {why}")).help(help))
    };
    // Everything below a whole drive or the root of the file system.
    if path.parent().is_none() {
        return refuse("it is everything on this machine", NARROWER);
    }
    for tree in TREES {
        if path.starts_with(tree) {
            return refuse(
                "it belongs to the system",
                "grant a folder with the user's own files",
            );
        }
    }
    // Above a home folder, a home folder, or one of another user.
    let home = std::env::home_dir().and_then(|home| home.canonicalize().ok());
    if home.is_some_and(|home| home.starts_with(path)) || is_some_home(path) {
        return refuse(
            "it is, or holds, a whole home folder, with its keys and settings",
            NARROWER,
        );
    }
    if WIDE.iter().any(|wide| path == Path::new(wide)) {
        return refuse("it is shared by the whole machine", NARROWER);
    }
    // Only rules about what holds secrets or a repository: to be below a dot folder such
    // as `~/.local/share` is nothing bad.
    let policy = Compiled::new(FsPolicy::default().allow_dotfiles());
    for component in path.components() {
        let Component::Normal(name) = component else {
            continue;
        };
        let Some(name) = name.to_str() else { continue };
        // What one program keeps there is its own matter; the whole is not.
        if name == ".config" && path.file_name().is_some_and(|last| last != name) {
            continue;
        }
        if let Err(rule) = policy.check_name(name, Access::Read) {
            let why = format!(
                "`{name}` is closed by the rule `{}`: {}",
                rule.pattern(),
                rule.reason()
            );
            return refuse(&why, "grant a folder that is not inside it");
        }
    }
    Ok(())
}

/// Checks what was opened.
pub(super) fn folder(path: &Path, stat: &Stat) -> Result<()> {
    let shown = path.display();
    if stat.kind != Kind::Dir {
        return Err(
            Error::new(format!("`{shown}` cannot be granted: it is not a folder"))
                .help("grant the folder that holds the file; tools name files in it"),
        );
    }
    // A sticky one too: who cannot replace a file there can still put one of that name there first.
    if stat.mode.is_some_and(|mode| mode & 0o002 != 0) {
        return Err(Error::new(format!(
            "`{shown}` cannot be granted: every user of this machine may write in it"
        ))
        .help(format!(
            "take that away with `chmod o-w {shown}`, or grant another folder"
        )));
    }
    Ok(())
}

/// `/home/x`, `/Users/x`, `C:\Users\x`.
fn is_some_home(path: &Path) -> bool {
    path.parent().is_some_and(|parent| {
        HOMES.iter().any(|homes| parent == Path::new(homes))
            || parent
                .parent()
                .is_some_and(|drive| drive.parent().is_none())
                && parent.file_name().is_some_and(|name| name == "Users")
    })
}

const NARROWER: &str = "grant one folder in it, made for this server, such as `~/notes`";

/// Nothing in these is lent.
const TREES: &[&str] = &[
    "/proc",
    "/sys",
    "/dev",
    "/etc",
    "/boot",
    "/run",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/usr/local/lib",
    "/usr/local/etc",
    "/var/run",
    "/var/spool/cron",
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/lib/kubelet",
    "/lost+found",
    // macOS, whose `/etc` is `/private/etc`
    "/System",
    "/private/etc",
    "/private/var/db",
    "/private/var/root",
    "/cores",
    // Windows
    r"C:\Windows",
    r"\\?\C:\Windows",
    r"C:\Program Files",
    r"\\?\C:\Program Files",
    r"C:\ProgramData",
    r"\\?\C:\ProgramData",
];

/// These are not lent themselves; folders in them may be.
const WIDE: &[&str] = &[
    "/usr",
    "/usr/local",
    "/usr/share",
    "/usr/local/share",
    "/var",
    "/var/lib",
    "/var/log",
    "/var/tmp",
    "/var/cache",
    "/var/spool",
    "/var/mail",
    "/var/www",
    "/tmp",
    "/home",
    "/root",
    "/opt",
    "/srv",
    "/mnt",
    "/media",
    "/Users",
    "/Library",
    "/Applications",
    "/Volumes",
    "/private",
    "/private/var",
    "/private/tmp",
    "/private/var/folders",
    "/opt/homebrew",
    "/nix",
    "/nix/store",
    "/snap",
];

const HOMES: &[&str] = &["/home", "/Users", "/var/home", "/export/home"];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn refused(at: &str) -> bool {
        path(Path::new(at), Path::new(at)).is_err()
    }

    #[test]
    fn what_is_too_wide_or_the_systems_is_refused() {
        for at in [
            "/",
            "/proc",
            "/proc/self",
            "/proc/1/root",
            "/sys/kernel",
            "/dev",
            "/dev/shm",
            "/etc",
            "/etc/ssl",
            "/usr",
            "/usr/bin",
            "/var",
            "/tmp",
            "/var/tmp",
            "/root",
            "/home",
            "/home/alice",
            "/Users/alice",
            "/run/user/1000",
            "/srv/.ssh",
            "/srv/x/.git",
            "/srv/x/.GIT/hooks",
            "/home/a/.aws",
            "/srv/.env.d",
            "/home/a/.config",
        ] {
            assert!(refused(at), "{at}");
        }
        let home = std::env::home_dir().unwrap();
        assert!(refused(home.to_str().unwrap()));
    }

    #[test]
    fn what_is_made_for_it_is_not() {
        for at in [
            "/home/alice/notes",
            "/srv/notes",
            "/tmp/x",
            "/var/lib/notes",
            "/home/a/.local/share/notes",
            "/home/a/.config/notes",
            "/etcetera",
            "/processes/x",
            "/home/alice/.cache/.tmpA1",
        ] {
            assert!(!refused(at), "{at}");
        }
    }

    #[test]
    fn the_message_says_where_a_link_leads_and_what_to_do() {
        let error = path(Path::new("/srv/data"), Path::new("/etc"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("`/srv/data` (which is `/etc`)"), "{error}");
        assert!(error.contains("help: "), "{error}");
    }
}
