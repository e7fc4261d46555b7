//! Programs that run other programs, or code that is given to them. With one of these on the
//! list a server has a shell, whatever it does with arguments (CVE-2026-55581: `/bin/bash` among
//! the allowed programs).

use std::{
    fs::Metadata,
    path::{Path, PathBuf},
};

use super::program::hash_of;

/// The entry for a file name, whatever version or ending it carries: `python3.12`, `gawk-5`.
pub(super) fn by_name(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    // `cmd.exe` parses its arguments again, and so does everything that is started through it
    // (BatBadBut, CVE-2024-24576, CVE-2025-64340).
    for ending in [".bat", ".cmd", ".ps1", ".sh"] {
        if name.ends_with(ending) {
            return Some("a script");
        }
    }
    if name.starts_with("ld-linux") || name.starts_with("ld-musl") || name.starts_with("ld.so") {
        return Some("the loader");
    }
    let name = name.strip_suffix(".exe").unwrap_or(&name);
    let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || ".-_".contains(c));
    [name, bare]
        .into_iter()
        .find_map(|name| INTERPRETERS.iter().find(|known| **known == name))
        .copied()
}

/// The interpreter of this machine that the file is, by another name: a hard link or a copy.
pub(super) fn by_content(metadata: &Metadata, sha256: &str) -> Option<PathBuf> {
    for folder in FOLDERS {
        for name in INTERPRETERS {
            let path = Path::new(folder).join(name);
            let Ok(known) = path.metadata() else { continue };
            if is_same(metadata, &known)
                || known.len() == metadata.len() && hash_of(&path).as_deref() == Some(sha256)
            {
                return Some(path);
            }
        }
    }
    None
}

#[cfg(unix)]
fn is_same(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn is_same(_: &Metadata, _: &Metadata) -> bool {
    false
}

const FOLDERS: &[&str] = &["/usr/bin", "/bin", "/usr/local/bin", "/usr/sbin"];

/// By name and sorted: shells, languages, launchers, editors and pagers, builders, package
/// managers, containers, and clients that take a command to run.
const INTERPRETERS: &[&str] = &[
    "ansible",
    "ant",
    "apk",
    "apt",
    "apt-get",
    "ar",
    "ash",
    "at",
    "awk",
    "bash",
    "batch",
    "bazel",
    "bc",
    "brew",
    "bsdtar",
    "buildah",
    "bun",
    "bundle",
    "busybox",
    "bwrap",
    "c++",
    "cabal",
    "capsh",
    "cargo",
    "cc",
    "chroot",
    "chrt",
    "clang",
    "clisp",
    "clj",
    "cmake",
    "cmd",
    "composer",
    "conda",
    "corepack",
    "cpan",
    "cpio",
    "cron",
    "crontab",
    "crun",
    "csh",
    "ctr",
    "dash",
    "dbus-run-session",
    "dc",
    "deno",
    "dmsetup",
    "dnf",
    "doas",
    "docker",
    "dotnet",
    "dpkg",
    "ed",
    "eix",
    "elixir",
    "elvish",
    "emacs",
    "emacsclient",
    "env",
    "erl",
    "escript",
    "ex",
    "expect",
    "fakeroot",
    "fd",
    "fdfind",
    "find",
    "firejail",
    "fish",
    "flatpak",
    "flock",
    "ftp",
    "g++",
    "gawk",
    "gcc",
    "gdb",
    "gem",
    "ghc",
    "ghci",
    "gmake",
    "gnuplot",
    "go",
    "gradle",
    "groovy",
    "guile",
    "helix",
    "iex",
    "ionice",
    "irb",
    "java",
    "jjs",
    "joe",
    "jruby",
    "jshell",
    "julia",
    "kotlin",
    "ksh",
    "less",
    "lftp",
    "linux32",
    "linux64",
    "lldb",
    "logsave",
    "ltrace",
    "lua",
    "luajit",
    "luarocks",
    "lxc",
    "lynx",
    "m4",
    "machinectl",
    "mail",
    "mailx",
    "make",
    "mamba",
    "man",
    "mawk",
    "meson",
    "mksh",
    "mono",
    "more",
    "most",
    "mvn",
    "mysql",
    "nano",
    "nawk",
    "nc",
    "ncat",
    "netcat",
    "nice",
    "ninja",
    "nix",
    "nix-shell",
    "node",
    "nodejs",
    "nohup",
    "npm",
    "npx",
    "nsenter",
    "nu",
    "nvim",
    "ocaml",
    "octave",
    "original-awk",
    "osascript",
    "parallel",
    "pdm",
    "perf",
    "perl",
    "pg",
    "php",
    "pico",
    "pip",
    "pipx",
    "pkexec",
    "pnpm",
    "podman",
    "poetry",
    "powershell",
    "prlimit",
    "proot",
    "psql",
    "pwsh",
    "pypy",
    "python",
    "python2-config",
    "qemu",
    "r",
    "racket",
    "rake",
    "raku",
    "rbash",
    "red",
    "rlwrap",
    "rpm",
    "rscript",
    "rsh",
    "rsync",
    "ruby",
    "run-parts",
    "runc",
    "runcon",
    "runghc",
    "runuser",
    "rvim",
    "sbcl",
    "scala",
    "scheme",
    "scons",
    "scp",
    "screen",
    "script",
    "sed",
    "setarch",
    "setpriv",
    "setsid",
    "sftp",
    "sg",
    "sh",
    "slsh",
    "snap",
    "socat",
    "sqlite",
    "ssh",
    "start-stop-daemon",
    "stdbuf",
    "strace",
    "su",
    "sudo",
    "swipl",
    "systemd-run",
    "tar",
    "taskset",
    "tclsh",
    "tcsh",
    "telnet",
    "time",
    "timeout",
    "tmux",
    "toybox",
    "ts-node",
    "tsx",
    "unshare",
    "uv",
    "uvx",
    "valgrind",
    "vi",
    "view",
    "vim",
    "vim.basic",
    "vim.tiny",
    "vimdiff",
    "w3m",
    "watch",
    "wine",
    "wish",
    "xargs",
    "xdg-open",
    "xonsh",
    "xvfb-run",
    "yarn",
    "yash",
    "yum",
    "zip",
    "zsh",
    "zypper",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_every_entry_is_found() {
        assert!(INTERPRETERS.is_sorted());
        for name in INTERPRETERS {
            assert!(by_name(name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_version_an_ending_or_capitals_hide_nothing() {
        for name in [
            "python3",
            "python3.12",
            "PYTHON3.EXE",
            "perl5.36.0",
            "lua5.4",
            "gcc-12",
            "ruby2.7",
            "vim.basic",
            "x.cmd",
            "X.BAT",
            "run.sh",
            "ld-linux-x86-64.so.2",
            "ld-musl-x86_64.so.1",
            "sqlite3",
            "qemu-",
            "bash-5.2",
            "node18",
            "nc.",
            "php8.2",
        ] {
            assert!(by_name(name).is_some(), "{name}");
        }
        for name in [
            "git", "kubectl", "aws", "jq", "rg", "ffmpeg", "pandoc", "dbt", "lsof", "s3",
        ] {
            assert_eq!(by_name(name), None, "{name}");
        }
    }
}
