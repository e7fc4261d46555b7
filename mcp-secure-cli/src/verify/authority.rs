//! Which names are authority: the table.
//!
//! Paths are those of the compiler, which are not always those of the documentation:
//! `std::net::TcpStream` is `std::net::tcp::TcpStream` in a symbol.

use std::{collections::BTreeSet, fmt, sync::LazyLock};

use serde::{Deserialize, Serialize};

use super::names::{self, Plain};

/// What a crate can reach that nobody handed to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Authority {
    /// Machine instructions written by hand, which can be system calls.
    Asm,
    /// Runs while the server is built: a build script, a macro, or what these are made of.
    Build,
    /// Name lookups, which also carry data out.
    Dns,
    /// Environment variables, arguments, working directory.
    Env,
    /// Functions that are not Rust's.
    Ffi,
    /// Files.
    Fs,
    /// Sockets.
    Net,
    /// Other programs, and the end of this one.
    Process,
    /// Standard input and output, which are the protocol.
    Stdio,
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Asm => "asm",
            Self::Build => "build",
            Self::Dns => "dns",
            Self::Env => "env",
            Self::Ffi => "ffi",
            Self::Fs => "fs",
            Self::Net => "net",
            Self::Process => "process",
            Self::Stdio => "stdio",
        })
    }
}

use Authority::{Dns, Env, Ffi, Fs, Net, Process, Stdio};

/// The longest prefix decides; `None` takes something out of a wider row.
const RUST: &[(&str, Option<Authority>)] = &[
    ("std::fs::", Some(Fs)),
    ("std::fs::FileTimes::", None),
    ("std::fs::FileType::", None),
    ("std::fs::Metadata::", None),
    ("std::fs::Permissions::", None),
    ("std::sys::fs::", Some(Fs)),
    ("std::sys::fs::unix::debug_assert_fd_is_open", None),
    ("std::os::unix::fs::", Some(Fs)),
    ("std::os::linux::fs::", Some(Fs)),
    ("std::os::windows::fs::", Some(Fs)),
    ("std::path::absolute", Some(Fs)),
    ("std::path::Path::canonicalize", Some(Fs)),
    ("std::path::Path::exists", Some(Fs)),
    ("std::path::Path::is_dir", Some(Fs)),
    ("std::path::Path::is_file", Some(Fs)),
    ("std::path::Path::is_symlink", Some(Fs)),
    ("std::path::Path::metadata", Some(Fs)),
    ("std::path::Path::read_dir", Some(Fs)),
    ("std::path::Path::read_link", Some(Fs)),
    ("std::path::Path::symlink_metadata", Some(Fs)),
    ("std::path::Path::try_exists", Some(Fs)),
    ("std::net::tcp::", Some(Net)),
    ("std::net::udp::", Some(Net)),
    ("std::net::TcpStream::", Some(Net)),
    ("std::net::TcpListener::", Some(Net)),
    ("std::net::UdpSocket::", Some(Net)),
    ("std::net::socket_addr::ToSocketAddrs::", Some(Dns)),
    ("std::net::ToSocketAddrs::", Some(Dns)),
    ("std::net::hostname::", Some(Env)),
    ("std::sys::net::", Some(Net)),
    ("std::sys::net::connection::socket::LookupHost", Some(Dns)),
    ("std::sys::net::connection::socket::lookup_host", Some(Dns)),
    ("std::os::unix::net::", Some(Net)),
    ("std::os::linux::net::", Some(Net)),
    ("std::process::", Some(Process)),
    ("std::process::ExitCode::", None),
    ("std::process::ExitStatus::", None),
    ("std::process::Termination::", None),
    ("std::process::abort", None),
    ("std::process::id", None),
    ("std::sys::process::", Some(Process)),
    ("std::os::unix::process::", Some(Process)),
    ("std::os::unix::process::ExitStatusExt::", None),
    ("std::os::linux::process::", Some(Process)),
    ("std::env::", Some(Env)),
    ("std::env::JoinPathsError::", None),
    ("std::env::SplitPaths::", None),
    ("std::env::VarError::", None),
    ("std::env::join_paths", None),
    ("std::env::split_paths", None),
    ("std::sys::args::", Some(Env)),
    ("std::sys::env::", Some(Env)),
    ("std::io::stdio::", Some(Stdio)),
    ("std::io::stdio::IsTerminal::", None),
    ("std::io::stdio::OUTPUT_CAPTURE", None),
    ("std::io::stdio::Stderr", None),
    ("std::io::stdio::_eprint", None),
    ("std::io::stdio::set_output_capture", None),
    ("std::io::stdio::stderr", None),
    // What hands the authority of the system on under a name of its own.
    ("async_fs::", Some(Fs)),
    ("async_net::", Some(Net)),
    ("async_process::", Some(Process)),
    ("async_std::fs::", Some(Fs)),
    ("async_std::net::", Some(Net)),
    ("async_std::os::unix::net::", Some(Net)),
    ("async_std::process::", Some(Process)),
    ("cap_std::ambient_authority", Some(Fs)),
    ("nix::fcntl::", Some(Fs)),
    ("nix::sys::socket::", Some(Net)),
    ("nix::unistd::", Some(Process)),
    ("reqwest::", Some(Net)),
    ("rustix::fs::", Some(Fs)),
    ("rustix::net::", Some(Net)),
    ("rustix::process::", Some(Process)),
    ("socket2::", Some(Net)),
    ("tokio::fs::", Some(Fs)),
    ("tokio::io::stdin", Some(Stdio)),
    ("tokio::io::stdout", Some(Stdio)),
    ("tokio::net::", Some(Net)),
    ("tokio::net::addr::", Some(Dns)),
    ("tokio::net::lookup_host", Some(Dns)),
    ("tokio::process::", Some(Process)),
    ("ureq::", Some(Net)),
];

/// The crates of the table.
static ROOTS: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
    RUST.iter()
        .filter_map(|(prefix, _)| Some(prefix.split_once("::")?.0))
        .collect()
});

/// Traits that only use what was handed over, compare it, print it or let it go.
const HARMLESS_TRAITS: [&str; 4] = ["alloc::", "core::", "std::error::", "std::os::fd::"];

/// Functions of C whose names say what they reach. Any other is `ffi` alone.
const C: &[(Authority, &str)] = &[
    (
        Fs,
        "\
         access chdir chmod chown chroot creat faccessat fchmodat fchownat fopen freopen \
         fstatat ftw inotify_add_watch lchown link linkat lstat mkdir mkdirat mkfifo mknod \
         mkstemp mount nftw open openat openat2 opendir readlink readlinkat realpath remove \
         rename renameat renameat2 rmdir scandir stat statfs statvfs statx symlink symlinkat \
         tmpfile truncate unlink unlinkat utimensat utimes",
    ),
    (
        Net,
        "\
         accept accept4 bind connect getifaddrs getpeername getsockname listen recv recvfrom \
         recvmmsg recvmsg send sendmmsg sendmsg sendto socket socketpair",
    ),
    (
        Dns,
        "\
         freeaddrinfo getaddrinfo gethostbyaddr gethostbyname gethostbyname_r getnameinfo \
         res_init res_query res_search",
    ),
    (
        Process,
        "\
         _exit clone clone3 execl execle execlp execv execve execveat execvp execvpe exit \
         fexecve fork kill killpg pidfd_open popen posix_spawn posix_spawnp prctl ptrace \
         setgid setgroups setrlimit setuid system vfork wait4 waitid waitpid",
    ),
    (
        Env,
        "\
         clearenv environ getcwd getenv gethostname putenv secure_getenv setenv uname unsetenv",
    ),
    (
        Stdio,
        "\
         getchar printf putchar puts scanf stdin stdout vprintf",
    ),
];

/// What the compiler itself calls, in code that names nothing: memory, arithmetic, unwinding.
const RUNTIME: &str = "\
    __errno_location __rust_no_alloc_shim_is_unstable __rust_probestack __stack_chk_fail \
    __tls_get_addr _GLOBAL_OFFSET_TABLE_ bcmp main memchr memcmp memcpy memmove memrchr memset \
    rust_eh_personality strlen";

/// Prefixes of the same.
const RUNTIME_FAMILIES: &[&str] = &[
    "_Unwind_",
    "__aarch64_",
    "__atomic_",
    "__rust_",
    "__rustc",
    "__rdl_",
    "__rg_",
    "__sync_",
];

/// What a person is told, and what it is.
pub(super) struct Hit {
    pub(super) authority: Authority,
    pub(super) symbol: String,
}

/// What a mention of a Rust function gives: by its own name, and by the functions that it is
/// handed as type arguments (`map(std::fs::read)` is a name of `map`).
pub(super) fn of_rust(path: &str) -> Vec<Hit> {
    let mut hits = Vec::new();
    // Most symbols have none of the crates in them, and there are hundreds of thousands.
    if !ROOTS.iter().any(|root| path.contains(root)) {
        return hits;
    }
    let Plain { by_type, by_trait } = names::plain(path);
    // Of a trait's function the trait says what it does, whatever it is done to.
    let name = by_trait.unwrap_or(by_type);
    if !HARMLESS_TRAITS.iter().any(|of| name.starts_with(of))
        && let Some(authority) = row(&name)
    {
        hits.push(Hit {
            authority,
            symbol: name,
        });
    }
    for item in items(path) {
        if let Some(authority) = row(&item)
            && !hits.iter().any(|hit| hit.symbol == item)
        {
            hits.push(Hit {
                authority,
                symbol: item,
            });
        }
    }
    hits
}

fn row(name: &str) -> Option<Authority> {
    // There, system calls are functions, and types are sets of flags.
    let is_flags = |segment: &str| segment.starts_with(char::is_uppercase);
    if name.starts_with("rustix::") && name.split("::").any(is_flags) {
        return None;
    }
    RUST.iter()
        .filter(|(prefix, _)| name.starts_with(prefix))
        .max_by_key(|(prefix, _)| prefix.len())
        .and_then(|(_, authority)| *authority)
}

/// The functions that stand among the type arguments of a path. A type is no function: what one
/// is given is not what one can reach.
fn items(path: &str) -> Vec<String> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let mut items = Vec::new();
    let mut rest = path;
    // The name of the function itself is no argument of it; `<T as Trait>::f` has one in `T`.
    let mut first = !path.starts_with('<');
    while let Some(start) = rest.find(|c: char| c.is_alphabetic() || c == '_') {
        let tail = rest.get(start..).unwrap_or_default();
        let end = tail.find(|c| !is_name(c)).unwrap_or(tail.len());
        let mut name = tail.get(..end).unwrap_or_default().to_owned();
        let mut next = tail.get(end..).unwrap_or_default();
        // `<std::fs::File>::open`: the method stands behind the bracket.
        if let Some(method) = next.strip_prefix(">::") {
            let end = method.find(|c| !is_name(c)).unwrap_or(method.len());
            let (method, after) = method.split_at(end);
            if method.starts_with(|c: char| c.is_lowercase() || c == '_') {
                name = format!("{name}::{method}");
                next = after;
            }
        }
        let name = name.trim_matches(':');
        let last = name.rsplit("::").next().unwrap_or_default();
        if !first && last.starts_with(|c: char| c.is_lowercase() || c == '_') {
            items.push(name.to_owned());
        }
        first = false;
        rest = next;
    }
    items
}

/// What a mention of a function gives that Rust did not name.
pub(super) fn of_foreign(name: &str) -> Vec<Authority> {
    // Versions (`fopen@GLIBC_2.2.5`) and the names for large files and for checked buffers.
    let plain = name.split('@').next().unwrap_or(name);
    let plain = plain.strip_prefix("__").map_or(plain, |inner| {
        inner.trim_start_matches("isoc99_").trim_end_matches("_chk")
    });
    let plain = plain.strip_suffix("64").unwrap_or(plain);
    let known = C
        .iter()
        .filter(|(_, names)| is_among(plain, names))
        .map(|(authority, _)| *authority);
    let mut found: Vec<Authority> = known.collect();
    if found.is_empty()
        && (is_among(name, RUNTIME)
            || RUNTIME_FAMILIES
                .iter()
                .any(|family| name.starts_with(family))
            || is_arithmetic(name))
    {
        return found;
    }
    found.push(Ffi);
    found
}

/// What a processor lacks and the compiler's library computes (`__udivti3`, `fmod`).
fn is_arithmetic(name: &str) -> bool {
    let modes = [
        "si", "di", "ti", "hf", "sf", "df", "tf", "xf", "sc", "dc", "tc",
    ];
    if let Some(inner) = name.strip_prefix("__") {
        return modes.iter().any(|mode| {
            inner
                .trim_end_matches(|c: char| c.is_ascii_digit())
                .ends_with(mode)
        });
    }
    let plain = name.strip_suffix(['f', 'l']).unwrap_or(name);
    is_among(plain, MATHEMATICS) || is_among(name, MATHEMATICS)
}

fn is_among(name: &str, names: &str) -> bool {
    names.split_ascii_whitespace().any(|known| known == name)
}

const MATHEMATICS: &str = "\
    acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp2 expm1 \
    fabs fdim floor fma fmax fmin fmod frexp hypot ldexp lgamma_r log log10 log1p log2 \
    nearbyint pow remainder rint round roundeven scalbn sin sinh sqrt tan tanh tgamma trunc";

#[cfg(test)]
mod tests {
    use super::*;

    fn rust(path: &str) -> Vec<Authority> {
        of_rust(path).iter().map(|hit| hit.authority).collect()
    }

    #[test]
    fn what_is_only_handed_over_is_no_authority() {
        for path in [
            "<std::fs::File as std::io::Read>::read",
            "<std::fs::File as core::fmt::Debug>::fmt",
            "core::ptr::drop_in_place::<std::fs::File>",
            "<std::fs::Metadata>::len",
            "<std::process::ExitCode as std::process::Termination>::report",
            "core::option::Option::<std::env::VarError>::map::<u8, app::f::{closure#0}>",
            "std::io::stdio::_eprint",
        ] {
            assert!(rust(path).is_empty(), "{path}");
        }
    }

    #[test]
    fn a_function_that_is_handed_on_as_a_value_is_found_in_the_name_of_its_user() {
        assert_eq!(
            rust("core::option::Option::<&str>::map::<u8, std::fs::read::<&str>>"),
            [Fs]
        );
        assert_eq!(
            rust("app::apply::<<std::fs::File>::open::<&str>, u8>"),
            [Fs]
        );
        assert_eq!(rust("app::apply::<std::process::exit>"), [Process]);
    }

    #[test]
    fn a_name_of_c_is_ffi_and_what_it_reaches() {
        assert_eq!(of_foreign("open64"), [Fs, Ffi]);
        assert_eq!(of_foreign("getaddrinfo"), [Dns, Ffi]);
        assert_eq!(of_foreign("sqlite3_open"), [Ffi]);
        for name in [
            "memcpy",
            "_Unwind_Resume",
            "__udivti3",
            "fmodf",
            "__rust_alloc",
        ] {
            assert!(of_foreign(name).is_empty(), "{name}");
        }
    }
}
