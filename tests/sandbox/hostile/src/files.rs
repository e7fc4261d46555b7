//! Files, by every call that takes a path.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt as _,
};

use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, Timestamps, XattrFlags, inotify},
    io::Errno,
};

use crate::{Rows, cut, unless};

pub(crate) const ATTEMPTS: Rows = &[
    ("read /etc/passwd", |_| Ok(cut(fs::read("/etc/passwd")?))),
    ("read /proc/self/environ", |_| {
        Ok(cut(fs::read("/proc/self/environ")?))
    }),
    ("read another process's environ", |around| {
        Ok(cut(fs::read(format!("/proc/{}/environ", around.victim))?))
    }),
    ("read the vault file", |around| {
        Ok(cut(fs::read(&around.secret)?))
    }),
    ("list /", |_| {
        Ok(format!("{} entries", fs::read_dir("/")?.count()))
    }),
    ("write beside the vault", |around| {
        let path = around.secret.with_file_name("dropped");
        fs::write(&path, "x")?;
        fs::remove_file(path)?;
        Ok("done".to_owned())
    }),
    ("write to /tmp", |_| {
        let path = std::env::temp_dir().join(format!("hostile-{}", std::process::id()));
        fs::write(&path, "x")?;
        fs::remove_file(path)?;
        Ok("done".to_owned())
    }),
    ("empty the vault file", |around| {
        // As long as it is, so that nothing is lost.
        let length = fs::metadata(&around.secret)?.len();
        File::options()
            .write(true)
            .open(&around.secret)?
            .set_len(length)?;
        Ok("done".to_owned())
    }),
    ("link the vault file into the granted folder", |around| {
        let link = around.granted.join("hard");
        fs::hard_link(&around.secret, &link)?;
        fs::remove_file(link)?;
        Ok("done".to_owned())
    }),
    ("move the vault file into the granted folder", |around| {
        let moved = around.granted.join("moved");
        fs::rename(&around.secret, &moved)?;
        fs::rename(moved, &around.secret)?;
        Ok("done".to_owned())
    }),
    ("make a symbolic link in the granted folder", |around| {
        let link = around.granted.join("soft");
        std::os::unix::fs::symlink(&around.secret, &link)?;
        fs::remove_file(link)?;
        Ok("done".to_owned())
    }),
    ("make a pipe in the granted folder", |around| {
        let pipe = around.granted.join("pipe");
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, mode, 0)?;
        fs::remove_file(pipe)?;
        Ok("done".to_owned())
    }),
    ("change the rights of the vault file", |around| {
        let mode = fs::metadata(&around.secret)?.permissions().mode();
        fs::set_permissions(&around.secret, Permissions::from_mode(mode))?;
        Ok("done".to_owned())
    }),
    ("change the owner of the vault file", |around| {
        std::os::unix::fs::lchown(&around.secret, None, None)?;
        Ok("done".to_owned())
    }),
    ("change the times of the vault file", |around| {
        let now = rustix::fs::Timespec {
            tv_sec: 0,
            tv_nsec: rustix::fs::UTIME_NOW,
        };
        let times = Timestamps {
            last_access: now,
            last_modification: now,
        };
        rustix::fs::utimensat(CWD, &around.secret, &times, AtFlags::empty())?;
        Ok("done".to_owned())
    }),
    ("label the vault file", |around| {
        let label = rustix::fs::setxattr(&around.secret, "user.x", b"x", XattrFlags::empty());
        unless(label, &[Errno::OPNOTSUPP])
    }),
    ("watch the vault's folder", |around| {
        let watch = inotify::init(inotify::CreateFlags::CLOEXEC)?;
        let folder = around.secret.parent().unwrap_or(&around.secret);
        inotify::add_watch(&watch, folder, inotify::WatchFlags::ACCESS)?;
        Ok("done".to_owned())
    }),
    (STAT, |around| {
        Ok(format!("{} bytes", fs::metadata(&around.secret)?.len()))
    }),
    (CHDIR, |around| {
        let before = std::env::current_dir()?;
        let folder = around.secret.parent().unwrap_or(&around.secret);
        std::env::set_current_dir(folder)?;
        std::env::set_current_dir(before)?;
        Ok("done".to_owned())
    }),
];

/// What Landlock does not mediate, and a filter cannot take away: `std` itself needs the call.
pub(crate) const STAT: &str = "see that a path exists, and its size";
/// As [`STAT`].
pub(crate) const CHDIR: &str = "change the current folder";
