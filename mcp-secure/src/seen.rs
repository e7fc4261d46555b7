//! Whether a file is still the one that was read: what a reload looks at, without reading.

use std::path::Path;

/// Which file was seen: another one, or another content, is another value. One that is not there
/// is a value, too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen([u64; 7]);

#[cfg(unix)]
impl Seen {
    /// The file that the name leads to.
    #[cfg(feature = "tls")]
    pub(crate) fn of(path: &Path) -> Self {
        rustix::fs::stat(path)
            .map(|stat| Self::from_stat(&stat))
            .unwrap_or_default()
    }

    /// The file of this name itself, be it a link.
    pub(crate) fn of_name(path: &Path) -> Self {
        rustix::fs::lstat(path)
            .map(|stat| Self::from_stat(&stat))
            .unwrap_or_default()
    }

    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_sign_loss,
        reason = "the fields' types differ between systems, and are compared only"
    )]
    fn from_stat(stat: &rustix::fs::Stat) -> Self {
        Self([
            stat.st_dev as u64,
            stat.st_ino as u64,
            stat.st_size as u64,
            stat.st_mtime as u64,
            stat.st_mtime_nsec as u64,
            stat.st_ctime as u64,
            stat.st_ctime_nsec as u64,
        ])
    }
}

#[cfg(not(unix))]
impl Seen {
    #[cfg(feature = "tls")]
    pub(crate) fn of(_: &Path) -> Self {
        Self::default()
    }

    pub(crate) fn of_name(_: &Path) -> Self {
        Self::default()
    }
}
