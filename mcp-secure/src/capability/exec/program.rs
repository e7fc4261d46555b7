//! Which file may be run, and that it stays this file.

use std::{
    fs::{File, Metadata},
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    sync::Mutex,
};

use sha2::{Digest as _, Sha256};

use super::interpreters;
use crate::error::{Error, Result};

/// A program that was checked and is held open. It is run through the descriptor, so a file that
/// takes its name later is never run; and one that is written in place is noticed, because that
/// changes its times.
///
/// Comparing a path and a hash before each start would cost ten milliseconds for a program such
/// as git, and leave the moment between the comparison and the start.
pub(super) struct Pinned {
    pub(super) path: PathBuf,
    pub(super) sha256: String,
    /// Where the loader of a dynamic program is.
    #[cfg_attr(
        not(all(feature = "sandbox", target_os = "linux")),
        allow(dead_code, reason = "only the sandbox of a helper asks")
    )]
    pub(super) loader: Option<PathBuf>,
    file: Mutex<(File, Stamp)>,
    #[cfg(target_os = "linux")]
    number: std::os::fd::RawFd,
}

/// What changes when a file is written. The time of change is the kernel's own; nobody sets it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Pinned {
    /// Checks a program and opens it.
    pub(super) fn open(given: &Path, interpreter: bool) -> Result<Self> {
        let shown = given.display();
        let refuse = |why: &str, help: &str| {
            Err(Error::new(format!("`{shown}` cannot be granted: {why}")).help(help))
        };
        if !given.is_absolute() {
            return refuse(
                "it is no absolute path",
                "a program is never looked for in `PATH`; write where it is",
            );
        }
        let path = given.canonicalize().map_err(|e| {
            Error::new(format!("`{shown}` cannot be granted: {}", e.kind()))
                .help("install the program, or name another one")
        })?;
        if !interpreter {
            for name in [given, &path]
                .into_iter()
                .filter_map(|path| path.file_name())
            {
                if let Some(known) = interpreters::by_name(&name.to_string_lossy()) {
                    return refuse(
                        &format!("`{known}` runs other programs or code that is given to it"),
                        INTERPRETER,
                    );
                }
            }
        }
        let mut file = File::open(&path).map_err(|e| {
            Error::new(format!("`{shown}` cannot be granted: {}", e.kind()))
                .help("the server's user must be able to read and run it")
        })?;
        let metadata = look(&file, &shown)?;
        if !metadata.is_file() {
            return refuse("it is no regular file", "name the program itself");
        }
        #[cfg(unix)]
        permissions(&shown, &path, &file, &metadata)?;
        let (sha256, head) = hash(&mut file).map_err(|e| {
            Error::new(format!("`{shown}` cannot be granted: {}", e.kind()))
                .help("the server's user must be able to read it")
        })?;
        if head.starts_with(b"#!") {
            return refuse(
                "it is a script, which its interpreter would open again by its name",
                "grant a compiled program",
            );
        }
        #[cfg(target_os = "linux")]
        if !head.starts_with(b"\x7fELF") {
            return refuse(
                "it is no program of this system (ELF)",
                "grant a compiled program",
            );
        }
        if !interpreter && let Some(known) = interpreters::by_content(&metadata, &sha256) {
            return refuse(
                &format!(
                    "it is `{}` under another name, which runs other programs or code that is \
                     given to it",
                    known.display()
                ),
                INTERPRETER,
            );
        }
        // Looked at again: what was hashed is what is stamped.
        let stamp = Stamp::of(&look(&file, &shown)?);
        Ok(Self {
            loader: loader(&head),
            path,
            sha256,
            #[cfg(target_os = "linux")]
            number: std::os::fd::AsRawFd::as_raw_fd(&file),
            file: Mutex::new((file, stamp)),
        })
    }

    /// Whether the file is still the one that was checked. A new time alone is no change: one
    /// look at the whole content settles it.
    pub(super) fn is_unchanged(&self) -> bool {
        let mut pinned = self
            .file
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let (file, stamp) = &mut *pinned;
        let Ok(now) = file.metadata().map(|metadata| Stamp::of(&metadata)) else {
            return false;
        };
        if now == *stamp {
            return true;
        }
        // A package manager that replaces the file changes its count of names, and so its times.
        let same = now.size == stamp.size
            && hash(file).is_ok_and(|(sha256, _)| sha256 == self.sha256)
            && file
                .metadata()
                .is_ok_and(|metadata| Stamp::of(&metadata) == now);
        if same {
            *stamp = now;
        }
        same
    }

    /// The open file, as a path that a new process understands.
    #[cfg(target_os = "linux")]
    pub(super) fn by_descriptor(&self) -> String {
        format!("/proc/self/fd/{}", self.number)
    }
}

#[cfg(unix)]
impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self {
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

#[cfg(not(unix))]
impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            size: metadata.len(),
            modified: (0, 0),
            changed: (0, 0),
        }
    }
}

fn look(file: &File, shown: &std::path::Display<'_>) -> Result<Metadata> {
    file.metadata()
        .map_err(|e| Error::new(format!("`{shown}` cannot be looked at: {}", e.kind())))
}

/// Who may replace it, and what it may do that its caller may not.
#[cfg(unix)]
fn permissions(
    shown: &std::path::Display<'_>,
    path: &Path,
    file: &File,
    metadata: &Metadata,
) -> Result<()> {
    use std::os::unix::fs::MetadataExt as _;

    let refuse = |why: &str, help: &str| {
        Err(Error::new(format!("`{shown}` cannot be granted: {why}")).help(help))
    };
    let us = rustix::process::geteuid().as_raw();
    let foreign = |metadata: &Metadata| ![0, us].contains(&metadata.uid());
    if metadata.mode() & 0o6000 != 0 {
        return refuse(
            "it runs with the rights of its owner (setuid or setgid)",
            "grant a program without rights of its own",
        );
    }
    #[cfg(target_os = "linux")]
    if rustix::fs::fgetxattr(file, "security.capability", &mut [0_u8; 64][..]).is_ok() {
        return refuse(
            "it has capabilities of its own",
            "grant a program without rights of its own",
        );
    }
    #[cfg(not(target_os = "linux"))]
    let _ = file;
    if metadata.mode() & 0o111 == 0 {
        return refuse("it is not executable", "name the program itself");
    }
    if foreign(metadata) || metadata.mode() & 0o022 != 0 {
        return refuse(
            "others than root and the server's user may write it",
            "give it to root, and take the right to write from everybody else (`chmod go-w`)",
        );
    }
    for folder in path.ancestors().skip(1) {
        let Ok(metadata) = folder.metadata() else {
            return refuse("a folder on the way to it cannot be looked at", REPLACE);
        };
        // With the sticky bit, as `/tmp`, nobody takes away what is not their own.
        let shared = metadata.mode() & 0o022 != 0 && metadata.mode() & 0o1000 == 0;
        if shared || foreign(&metadata) {
            return refuse(
                &format!(
                    "others than root and the server's user may replace it: `{}`",
                    folder.display()
                ),
                REPLACE,
            );
        }
    }
    Ok(())
}

/// SHA-256 of the whole file, and its beginning.
fn hash(file: &mut File) -> io::Result<(String, Vec<u8>)> {
    file.seek(SeekFrom::Start(0))?;
    let (mut hash, mut head) = (Sha256::new(), Vec::new());
    let mut buffer = vec![0_u8; 64 * 1024];
    loop {
        let read = file.read(&mut buffer)?;
        let Some(part @ [_, ..]) = buffer.get(..read) else {
            break;
        };
        if head.is_empty() {
            head.extend_from_slice(part);
        }
        hash.update(part);
    }
    Ok((crate::hex::hex(&hash.finalize()), head))
}

/// Of a file that is only compared.
pub(super) fn hash_of(path: &Path) -> Option<String> {
    hash(&mut File::open(path).ok()?)
        .ok()
        .map(|(sha256, _)| sha256)
}

/// `PT_INTERP` of a 64-bit little-endian ELF file: the program that the kernel really starts.
fn loader(head: &[u8]) -> Option<PathBuf> {
    const PT_INTERP: u64 = 3;
    let number = |at: usize, bytes: usize| -> Option<u64> {
        let mut all = [0; 8];
        all.get_mut(..bytes)?
            .copy_from_slice(head.get(at..at.checked_add(bytes)?)?);
        Some(u64::from_le_bytes(all))
    };
    if head.get(4..6) != Some(&[2, 1]) {
        return None;
    }
    let table = usize::try_from(number(32, 8)?).ok()?;
    let (size, count) = (number(54, 2)?, number(56, 2)?);
    (0..count.min(64)).find_map(|row| {
        let at = table.checked_add(usize::try_from(row * size).ok()?)?;
        if number(at, 4)? != PT_INTERP {
            return None;
        }
        let from = usize::try_from(number(at.checked_add(8)?, 8)?).ok()?;
        let len = usize::try_from(number(at.checked_add(32)?, 8)?).ok()?;
        let text = head.get(from..from.checked_add(len)?)?;
        let text = std::str::from_utf8(text).ok()?.trim_end_matches('\0');
        Path::new(text).canonicalize().ok()
    })
}

const INTERPRETER: &str = "grant the program that does the work; \
                           `dangerous::interpreter` says why it must be this one";
const REPLACE: &str = "take the right to write from everybody else (`chmod go-w`)";
