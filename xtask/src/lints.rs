//! `cargo xtask lints`: the list that `mcp-secure init` writes, read from the documentation of the
//! standard library and of tokio.
//!
//! Everything in a module that hands out the system is listed, except what the table calls
//! harmless, so that what a new compiler brings is listed without anybody thinking of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workspace::{self, Result, Workspace, metadata, output, read};

/// Where the list is.
const LIST: &str = "mcp-secure-cli/src/init/ambient.toml";

/// A module, what to use instead of it, and what in it reaches nothing.
struct Area {
    module: &'static str,
    reason: &'static str,
    /// Only these, where a module is mostly something else.
    only: &'static [&'static str],
    harmless: &'static [&'static str],
}

const FILES: &str =
    "files are reached through a handle: `Fs<Root, ReadOnly>`, `Fs<Root, ReadWrite>`";
const SOCKETS: &str =
    "the network is reached through a handle: `Net<Endpoint, Get>`, `Tcp<Endpoint>`";
const NAMES: &str =
    "a name lookup carries data out; `Net` and `Tcp` handles resolve names themselves";
const PROGRAMS: &str = "programs are run through a handle: `Exec<Program>`";
const ENVIRONMENT: &str = "the environment holds secrets of others; take a parameter, or a grant";
const STDIO: &str = "standard input and output are the protocol; return a value, or use `Log`";

const fn area(module: &'static str, reason: &'static str) -> Area {
    Area {
        module,
        reason,
        only: &[],
        harmless: &[],
    }
}

const AREAS: &[Area] = &[
    Area {
        harmless: &[
            "FileTimes",
            "FileType",
            "Metadata",
            "Permissions",
            "TryLockError",
        ],
        ..area("std::fs", FILES)
    },
    Area {
        only: &["absolute"],
        ..area("std::path", FILES)
    },
    Area {
        harmless: &[
            "DirEntryExt",
            "DirEntryExt2",
            "FileTypeExt",
            "MetadataExt",
            "PermissionsExt",
        ],
        ..area("std::os::unix::fs", FILES)
    },
    Area {
        harmless: &["FileTimesExt", "FileTypeExt", "MetadataExt"],
        ..area("std::os::windows::fs", FILES)
    },
    Area {
        harmless: &[
            "AddrParseError",
            "IpAddr",
            "Ipv4Addr",
            "Ipv6Addr",
            "Ipv6MulticastScope",
            "Shutdown",
            "SocketAddr",
            "SocketAddrV4",
            "SocketAddrV6",
            "ToSocketAddrs",
        ],
        ..area("std::net", SOCKETS)
    },
    Area {
        only: &["ToSocketAddrs"],
        ..area("std::net", NAMES)
    },
    Area {
        harmless: &["AncillaryError", "SocketAddr", "SocketCred", "UCred"],
        ..area("std::os::unix::net", SOCKETS)
    },
    Area {
        harmless: &["SocketAddrExt"],
        ..area("std::os::linux::net", SOCKETS)
    },
    Area {
        harmless: &[
            "ExitCode",
            "ExitStatus",
            "ExitStatusError",
            "Output",
            "Termination",
            "abort",
            "exit",
            "id",
        ],
        ..area("std::process", PROGRAMS)
    },
    Area {
        only: &["abort", "exit"],
        ..area(
            "std::process",
            "a tool that ends the process ends every session and loses the audit record",
        )
    },
    Area {
        harmless: &["ExitStatusExt"],
        ..area("std::os::unix::process", PROGRAMS)
    },
    area("std::os::linux::process", PROGRAMS),
    Area {
        harmless: &[
            "JoinPathsError",
            "SplitPaths",
            "VarError",
            "join_paths",
            "split_paths",
        ],
        ..area("std::env", ENVIRONMENT)
    },
    Area {
        only: &[
            "Stdin",
            "StdinLock",
            "Stdout",
            "StdoutLock",
            "stdin",
            "stdout",
        ],
        ..area("std::io", STDIO)
    },
    area("tokio::fs", FILES),
    Area {
        harmless: &["ToSocketAddrs", "lookup_host"],
        ..area("tokio::net", SOCKETS)
    },
    Area {
        only: &["ToSocketAddrs", "lookup_host"],
        ..area("tokio::net", NAMES)
    },
    Area {
        harmless: &["SocketAddr", "UCred", "gid_t", "pid_t", "uid_t"],
        ..area("tokio::net::unix", SOCKETS)
    },
    area("tokio::net::unix::pipe", FILES),
    area("tokio::process", PROGRAMS),
    Area {
        only: &["Stdin", "Stdout", "stdin", "stdout"],
        ..area("tokio::io", STDIO)
    },
];

/// Methods of types that are otherwise only data.
const METHODS: &[(&str, &[&str], &str)] = &[
    (
        "std::path::Path",
        &[
            "canonicalize",
            "exists",
            "is_dir",
            "is_file",
            "is_symlink",
            "metadata",
            "read_dir",
            "read_link",
            "symlink_metadata",
            "try_exists",
        ],
        FILES,
    ),
    ("std::net::ToSocketAddrs", &["to_socket_addrs"], NAMES),
];

/// Macros that print, or that read files or the environment where the server is built.
const MACROS: &[(&str, &str)] = &[
    ("std::print", STDIO),
    ("std::println", STDIO),
    (
        "std::env",
        "it puts the environment of the build into the server",
    ),
    (
        "std::option_env",
        "it puts the environment of the build into the server",
    ),
    (
        "std::include",
        "it puts a file of the build machine into the server",
    ),
    (
        "std::include_bytes",
        "it puts a file of the build machine into the server",
    ),
    (
        "std::include_str",
        "it puts a file of the build machine into the server",
    ),
];

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let text = generate(workspace)?;
    let path = workspace.root.join(LIST);
    if read(&path).is_ok_and(|old| old == text) {
        eprintln!("{LIST} is as it should be");
        return Ok(());
    }
    std::fs::write(&path, text)?;
    eprintln!("{LIST} is written");
    Ok(())
}

fn generate(workspace: &Workspace) -> Result<String> {
    let msrv = msrv(workspace)?;
    let std = std_pages()?;
    let tokio = tokio_pages(workspace)?;
    let mut methods = BTreeMap::new();
    let mut types = BTreeMap::new();
    for area in AREAS {
        let pages = if area.module.starts_with("std") {
            &std
        } else {
            &tokio
        };
        let folder = pages.join(area.module.replace("::", "/"));
        // What is of one system only does not resolve on another.
        let is_of_one_system = area.module.contains("::os::") || area.module.contains("::unix");
        let row = |since| Row {
            reason: area.reason,
            may_be_missing: is_of_one_system
                || !area.module.starts_with("std")
                || newer(since, msrv),
        };
        for (kind, name) in items(&folder)? {
            let is_listed = match area.only {
                [] => !area.harmless.contains(&name.as_str()),
                only => only.contains(&name.as_str()),
            };
            if !is_listed {
                continue;
            }
            let page = read(&folder.join(format!("{kind}.{name}.html")))?;
            let path = format!("{}::{name}", area.module);
            match kind.as_str() {
                "fn" => drop(methods.insert(path, row(since(&page)))),
                "struct" | "enum" | "trait" | "type" => {
                    for (method, since) in constructors(&page) {
                        methods.insert(format!("{path}::{method}"), row(since));
                    }
                    types.insert(path, row(since(&page)));
                }
                _ => {}
            }
        }
    }
    for (of, names, reason) in METHODS {
        for name in *names {
            let row = Row {
                reason,
                may_be_missing: false,
            };
            methods.insert(format!("{of}::{name}"), row);
        }
    }
    let macros = MACROS.iter().map(|(path, reason)| {
        let row = Row {
            reason,
            may_be_missing: false,
        };
        ((*path).to_owned(), row)
    });
    let mut text = String::new();
    list(&mut text, "disallowed-methods", methods);
    list(&mut text, "disallowed-types", types);
    list(&mut text, "disallowed-macros", macros.collect());
    Ok(text)
}

struct Row {
    reason: &'static str,
    may_be_missing: bool,
}

fn list(text: &mut String, key: &str, rows: BTreeMap<String, Row>) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{key} = [");
    for (path, row) in rows {
        let missing = if row.may_be_missing {
            ", allow-invalid = true"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "    {{ path = \"{path}\", reason = \"{}\"{missing} }},",
            row.reason
        );
    }
    text.push_str("]\n");
}

/// The items of a module, from what the search field of its page is filled with.
fn items(folder: &Path) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let mut parts = name.split('.');
        if let (Some(kind), Some(item), Some("html"), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        {
            found.push((kind.to_owned(), item.to_owned()));
        }
    }
    found.sort();
    Ok(found)
}

/// Since when something is stable, as `(major, minor)`; `None` if it is not.
type Since = Option<(u32, u32)>;

fn since(html: &str) -> Since {
    let after = html.split_once("Stable since Rust version ")?.1;
    version(after)
}

fn version(text: &str) -> Since {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn newer(since: Since, msrv: (u32, u32)) -> bool {
    since.is_none_or(|since| since > msrv)
}

/// The functions of a type that make something without having one.
fn constructors(page: &str) -> Vec<(String, Since)> {
    let own = page
        .split_once("id=\"trait-implementations")
        .map_or(page, |(own, _)| own);
    let mut found = Vec::new();
    for part in own.split("<section id=\"method.").skip(1) {
        let (Some((name, _)), Some((head, _))) = (part.split_once('"'), part.split_once("</h4>"))
        else {
            continue;
        };
        if !head.contains("class=\"method\"") {
            continue;
        }
        let signature = without_tags(head.split_once("code-header\">").map_or("", |(_, s)| s));
        let arguments = signature.split_once(name).map_or("", |(_, rest)| rest);
        let first = arguments_of(arguments);
        let takes_self = ["self", "mut self", "&self", "&mut self", "&'", "self:"]
            .iter()
            .any(|receiver| first.starts_with(receiver));
        if signature.contains("fn ") && !takes_self {
            found.push((name.to_owned(), since(head)));
        }
    }
    found
}

/// What stands behind the first parenthesis that is not within type parameters.
fn arguments_of(signature: &str) -> &str {
    let mut depth = 0_i32;
    let mut before = ' ';
    for (at, c) in signature.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if before != '-' => depth -= 1,
            '(' if depth == 0 => return signature.get(at + 1..).unwrap_or_default().trim_start(),
            _ => {}
        }
        before = c;
    }
    ""
}

fn without_tags(html: &str) -> String {
    let mut text = String::new();
    let mut in_tag = false;
    for c in html.chars() {
        match c {
            '<' => in_tag = true,
            '>' => in_tag = false,
            _ if !in_tag => text.push(c),
            _ => {}
        }
    }
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

fn msrv(workspace: &Workspace) -> Result<(u32, u32)> {
    let manifest = read(&workspace.root.join("Cargo.toml"))?;
    let line = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = \""))
        .ok_or("Cargo.toml has no rust-version")?;
    version(line).ok_or_else(|| "the rust-version is no version".into())
}

/// The folder that has the folder `std`.
fn std_pages() -> Result<PathBuf> {
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let pages = Path::new(sysroot.trim()).join("share/doc/rust/html");
    if pages.join("std/fs").is_dir() {
        Ok(pages)
    } else {
        Err(
            "the documentation of the standard library is missing: rustup component add rust-docs"
                .into(),
        )
    }
}

/// The same for tokio with all it has, in the version that is locked here.
fn tokio_pages(workspace: &Workspace) -> Result<PathBuf> {
    let locked = metadata(&["--locked"])?;
    let packages = locked.get("packages").and_then(|p| p.as_array());
    let version = packages
        .into_iter()
        .flatten()
        .find(|package| package.get("name").and_then(|n| n.as_str()) == Some("tokio"))
        .and_then(|package| package.get("version")?.as_str())
        .ok_or("tokio is not locked")?;
    let scratch = workspace.cache("lints");
    std::fs::create_dir_all(scratch.join("src"))?;
    std::fs::write(scratch.join("src/lib.rs"), "")?;
    std::fs::write(
        scratch.join("Cargo.toml"),
        format!(
            "[package]\nname = \"pages\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n\
             [dependencies]\ntokio = {{ version = \"={version}\", features = [\"full\"] }}\n"
        ),
    )?;
    std::fs::copy(
        workspace.root.join("Cargo.lock"),
        scratch.join("Cargo.lock"),
    )?;
    let target = scratch.join("target");
    workspace::run(
        workspace
            .cargo()
            .args(["doc", "--package=tokio", "--no-deps", "--manifest-path"])
            .arg(scratch.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&target),
    )?;
    Ok(target.join("doc"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constructor_is_told_from_a_method_and_a_version_is_read() {
        let method = |name: &str, rest: &str| {
            format!(
                "<section id=\"method.{name}\" class=\"method\"><span title=\"Stable since Rust version \
                 1.63.0\"></span><h4 class=\"code-header\">pub fn <a>{name}</a>{rest}</h4></section>"
            )
        };
        let page = method(
            "open",
            "&lt;P: <a>AsRef</a>&lt;F(u8)&gt;&gt;(path: P) -&gt; X",
        ) + &method("sync_all", "(&amp;self)")
            + &method("into", "(self)")
            + "<h2 id=\"trait-implementations\">"
            + &method("read", "(path: P)");
        assert_eq!(constructors(&page), [("open".to_owned(), Some((1, 63)))]);
        assert!(newer(None, (1, 90)) && newer(Some((1, 91)), (1, 90)));
        assert!(!newer(Some((1, 90)), (1, 90)));
    }
}
