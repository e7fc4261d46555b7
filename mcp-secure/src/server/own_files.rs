//! What belongs to the server itself, and may not lie where its tools write: a tool that can
//! write its own policy has none.

use std::path::{Path, PathBuf};

use super::config::AuditTarget;
use crate::{
    Error, Result,
    capability::{FileAccess, Needs},
};

/// The files of a server, and what each is.
pub(super) struct OwnFiles {
    all: Vec<(&'static str, PathBuf)>,
    /// Those that no tool may read, either.
    secret: Vec<(&'static str, PathBuf)>,
}

impl OwnFiles {
    pub(super) fn of(audit: &AuditTarget, config: Option<&str>) -> Self {
        let mut own = Self::none();
        own.add("this program", std::env::current_exe().ok().as_deref());
        own.add("the config file", config.map(Path::new));
        if let AuditTarget::File(path) = audit {
            own.add("the audit log", Some(path));
            for (what, name) in [
                ("the state of the audit log", "state"),
                ("the key that verifies the audit log", "key"),
                ("the audit log's segments", "segments"),
            ] {
                let path = crate::audit::beside(path, name);
                own.add(what, Some(&path));
                if name != "segments" {
                    own.keep_secret(what, &path);
                }
            }
        }
        own
    }

    pub(super) fn add(&mut self, what: &'static str, path: Option<&Path>) {
        self.all.extend(path.map(|path| (what, path.to_owned())));
    }

    /// One that a tool that reads must not reach: the key of a certificate.
    pub(super) fn keep_secret(&mut self, what: &'static str, path: &Path) {
        self.secret.push((what, path.to_owned()));
    }

    fn none() -> Self {
        Self {
            all: Vec::new(),
            secret: Vec::new(),
        }
    }

    /// # Errors
    ///
    /// When one of them lies in a folder that a grant can write, or a secret one in a folder
    /// that a grant can read.
    pub(super) fn outside_of(&self, needs: &Needs) -> Result<()> {
        let all = self.all.iter().map(|own| (own, false));
        let secret = self.secret.iter().map(|own| (own, true));
        for ((what, path), is_secret) in all.chain(secret) {
            // As the kernel sees it. A file that is not there yet is where its folder is.
            let real = path.canonicalize().or_else(|_| {
                let folder = path.parent().unwrap_or(Path::new("")).canonicalize()?;
                Ok::<_, std::io::Error>(folder.join(path.file_name().unwrap_or_default()))
            });
            let Ok(real) = real else { continue };
            let reaches = |access| match access {
                FileAccess::Write => true,
                FileAccess::Read => is_secret,
                FileAccess::Remove => false,
            };
            let inside = needs
                .files
                .iter()
                .find(|need| reaches(need.access) && real.starts_with(&need.path));
            if let Some(need) = inside {
                return Err(Error::new(format!(
                    "{what} `{}` lies in `{}`, which `{}` can {}",
                    path.display(),
                    need.path.display(),
                    need.because,
                    if is_secret { "read" } else { "write" },
                ))
                .help(match is_secret {
                    true => "a tool could give it away: put one of the two elsewhere",
                    false => "a tool could change what holds it: put one of the two elsewhere",
                }));
            }
        }
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::capability::FileNeed;

    #[test]
    fn what_is_the_servers_own_may_not_be_where_a_tool_writes() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let needs = |access| Needs {
            files: vec![FileNeed {
                path: root.join("notes"),
                access,
                because: "notes".to_owned(),
            }],
        };
        std::fs::create_dir(root.join("notes")).unwrap();
        let at = |path: &str| {
            let mut own = OwnFiles::none();
            own.add("the audit log", Some(&root.join(path)));
            own
        };
        let inside = at("notes/audit.jsonl");
        let error = inside.outside_of(&needs(FileAccess::Write)).unwrap_err();
        let error = error.to_string();
        assert!(
            error.starts_with("the audit log") && error.contains("help:"),
            "{error}"
        );
        assert!(inside.outside_of(&needs(FileAccess::Read)).is_ok());
        for outside in ["audit.jsonl", "notes2/audit.jsonl", "missing/audit.jsonl"] {
            assert!(
                at(outside).outside_of(&needs(FileAccess::Write)).is_ok(),
                "{outside}"
            );
        }
        let mut key = OwnFiles::none();
        key.keep_secret("the private key file", &root.join("notes/key.pem"));
        for access in [FileAccess::Read, FileAccess::Write] {
            assert!(key.outside_of(&needs(access)).is_err(), "{access:?}");
        }
        // The keys of a log, where a tool only reads.
        let log = AuditTarget::File(root.join("notes/audit.jsonl"));
        let error = OwnFiles::of(&log, None).outside_of(&needs(FileAccess::Read));
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("audit.jsonl.state`")
        );
        // Another name for the folder is the same folder.
        std::os::unix::fs::symlink(root.join("notes"), root.join("other")).unwrap();
        assert!(
            at("other/audit.jsonl")
                .outside_of(&needs(FileAccess::Write))
                .is_err()
        );
    }
}
