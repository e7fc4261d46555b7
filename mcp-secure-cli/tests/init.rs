//! `init` and the list it writes, with the real clippy on small packages.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

const LIST: &str = include_str!("../src/init/ambient.toml");

/// A package of its own, with what `init` asks for.
fn package(source: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "Cargo.toml",
        "[package]\nname = \"probe\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n\
         [lints.rust]\nunsafe_code = \"forbid\"\n[lints.clippy]\ndisallowed_macros = \"forbid\"\n\
         disallowed_methods = \"forbid\"\ndisallowed_types = \"forbid\"\n",
    );
    write(folder.path(), "src/lib.rs", source);
    folder
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn init(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_mcp-secure"))
        .arg("init")
        .args(arguments)
        .arg("--path")
        .arg(folder)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), said)
}

fn clippy(folder: &Path) -> Output {
    Command::new("cargo")
        .args(["clippy", "--offline", "--message-format=json"])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .env_remove("CLIPPY_CONF_DIR")
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .output()
        .unwrap()
}

/// The line of the source and the lint, for each complaint, with what it says.
fn complaints(output: &Output) -> Vec<(u64, String, String)> {
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["reason"] == "compiler-message")
        .map(|line| {
            let message = &line["message"];
            let at = message["spans"][0]["line_start"].as_u64().unwrap_or(0);
            let code = message["code"]["code"].as_str().unwrap_or_default();
            let text = message["rendered"].as_str().unwrap_or_default();
            (at, code.to_owned(), text.to_owned())
        })
        .collect()
}

#[test]
fn every_path_of_the_list_is_one_of_this_compiler() {
    // `allow-invalid` is for other systems and older compilers; here it would hide a slip.
    let list: String = LIST
        .lines()
        .map(|line| match line.contains("::windows::") {
            true => line.to_owned(),
            false => line.replace(", allow-invalid = true", ""),
        } + "\n")
        .collect();
    let folder = package("");
    write(folder.path(), "clippy.toml", &list);
    let wrong: Vec<_> = complaints(&clippy(folder.path()));
    assert!(wrong.is_empty(), "{wrong:#?}");

    // And a slip would be seen.
    let list = list.replace("\"std::fs::read\"", "\"std::fs::raed\"");
    write(folder.path(), "clippy.toml", &list);
    let wrong = complaints(&clippy(folder.path()));
    assert!(
        wrong
            .iter()
            .any(|(.., text)| text.contains("std::fs::raed")),
        "{wrong:#?}"
    );
}

/// A use of each function of the standard library that the list has on a stable compiler.
const USES: &[(&str, &str)] = &[
    ("std::env::args", "std::env::args()"),
    ("std::env::args_os", "std::env::args_os()"),
    ("std::env::current_dir", "std::env::current_dir()"),
    ("std::env::current_exe", "std::env::current_exe()"),
    ("std::env::home_dir", "std::env::home_dir()"),
    (
        "std::env::remove_var",
        "{ let f: unsafe fn(&'static str) = std::env::remove_var; f }",
    ),
    (
        "std::env::set_current_dir",
        "std::env::set_current_dir(\"x\")",
    ),
    (
        "std::env::set_var",
        "{ let f: unsafe fn(&'static str, &'static str) = std::env::set_var; f }",
    ),
    ("std::env::temp_dir", "std::env::temp_dir()"),
    ("std::env::var", "std::env::var(\"x\")"),
    ("std::env::var_os", "std::env::var_os(\"x\")"),
    ("std::env::vars", "std::env::vars()"),
    ("std::env::vars_os", "std::env::vars_os()"),
    ("std::fs::DirBuilder::new", "std::fs::DirBuilder::new()"),
    ("std::fs::File::create", "std::fs::File::create(\"x\")"),
    (
        "std::fs::File::create_new",
        "std::fs::File::create_new(\"x\")",
    ),
    ("std::fs::File::open", "std::fs::File::open(\"x\")"),
    ("std::fs::File::options", "std::fs::File::options()"),
    ("std::fs::OpenOptions::new", "std::fs::OpenOptions::new()"),
    ("std::fs::canonicalize", "std::fs::canonicalize(\"x\")"),
    ("std::fs::copy", "std::fs::copy(\"x\", \"y\")"),
    ("std::fs::create_dir", "std::fs::create_dir(\"x\")"),
    ("std::fs::create_dir_all", "std::fs::create_dir_all(\"x\")"),
    ("std::fs::exists", "std::fs::exists(\"x\")"),
    ("std::fs::hard_link", "std::fs::hard_link(\"x\", \"y\")"),
    ("std::fs::metadata", "std::fs::metadata(\"x\")"),
    ("std::fs::read", "std::fs::read(\"x\")"),
    ("std::fs::read_dir", "std::fs::read_dir(\"x\")"),
    ("std::fs::read_link", "std::fs::read_link(\"x\")"),
    ("std::fs::read_to_string", "std::fs::read_to_string(\"x\")"),
    ("std::fs::remove_dir", "std::fs::remove_dir(\"x\")"),
    ("std::fs::remove_dir_all", "std::fs::remove_dir_all(\"x\")"),
    ("std::fs::remove_file", "std::fs::remove_file(\"x\")"),
    ("std::fs::rename", "std::fs::rename(\"x\", \"y\")"),
    (
        "std::fs::set_permissions",
        "std::fs::metadata(\"x\").map(|m| std::fs::set_permissions(\"x\", m.permissions()))",
    ),
    ("std::fs::soft_link", "std::fs::soft_link(\"x\", \"y\")"),
    (
        "std::fs::symlink_metadata",
        "std::fs::symlink_metadata(\"x\")",
    ),
    ("std::fs::write", "std::fs::write(\"x\", \"y\")"),
    ("std::io::stdin", "std::io::stdin()"),
    ("std::io::stdout", "std::io::stdout()"),
    (
        "std::net::TcpListener::bind",
        "std::net::TcpListener::bind(\"x:1\")",
    ),
    (
        "std::net::TcpStream::connect",
        "std::net::TcpStream::connect(\"x:1\")",
    ),
    (
        "std::net::TcpStream::connect_timeout",
        "std::net::TcpStream::connect_timeout(&([1, 1, 1, 1], 1).into(), std::time::Duration::ZERO)",
    ),
    (
        "std::net::ToSocketAddrs::to_socket_addrs",
        "std::net::ToSocketAddrs::to_socket_addrs(\"x:1\")",
    ),
    (
        "std::net::UdpSocket::bind",
        "std::net::UdpSocket::bind(\"x:1\")",
    ),
    (
        "std::os::unix::fs::chown",
        "std::os::unix::fs::chown(\"x\", None, None)",
    ),
    (
        "std::os::unix::fs::chroot",
        "std::os::unix::fs::chroot(\"x\")",
    ),
    (
        "std::os::unix::fs::fchown",
        "{ let f: fn(std::os::fd::OwnedFd, Option<u32>, Option<u32>) -> std::io::Result<()> = std::os::unix::fs::fchown; f }",
    ),
    (
        "std::os::unix::fs::lchown",
        "std::os::unix::fs::lchown(\"x\", None, None)",
    ),
    (
        "std::os::unix::fs::symlink",
        "std::os::unix::fs::symlink(\"x\", \"y\")",
    ),
    (
        "std::os::unix::net::UnixDatagram::bind",
        "std::os::unix::net::UnixDatagram::bind(\"x\")",
    ),
    (
        "std::os::unix::net::UnixDatagram::bind_addr",
        "std::os::unix::net::SocketAddr::from_pathname(\"x\").map(|a| std::os::unix::net::UnixDatagram::bind_addr(&a))",
    ),
    (
        "std::os::unix::net::UnixDatagram::pair",
        "std::os::unix::net::UnixDatagram::pair()",
    ),
    (
        "std::os::unix::net::UnixDatagram::unbound",
        "std::os::unix::net::UnixDatagram::unbound()",
    ),
    (
        "std::os::unix::net::UnixListener::bind",
        "std::os::unix::net::UnixListener::bind(\"x\")",
    ),
    (
        "std::os::unix::net::UnixListener::bind_addr",
        "std::os::unix::net::SocketAddr::from_pathname(\"x\").map(|a| std::os::unix::net::UnixListener::bind_addr(&a))",
    ),
    (
        "std::os::unix::net::UnixStream::connect",
        "std::os::unix::net::UnixStream::connect(\"x\")",
    ),
    (
        "std::os::unix::net::UnixStream::connect_addr",
        "std::os::unix::net::SocketAddr::from_pathname(\"x\").map(|a| std::os::unix::net::UnixStream::connect_addr(&a))",
    ),
    (
        "std::os::unix::net::UnixStream::pair",
        "std::os::unix::net::UnixStream::pair()",
    ),
    (
        "std::os::unix::process::parent_id",
        "std::os::unix::process::parent_id()",
    ),
    (
        "std::path::Path::canonicalize",
        "std::path::Path::new(\"x\").canonicalize()",
    ),
    (
        "std::path::Path::exists",
        "std::path::Path::new(\"x\").exists()",
    ),
    (
        "std::path::Path::is_dir",
        "std::path::Path::new(\"x\").is_dir()",
    ),
    (
        "std::path::Path::is_file",
        "std::path::Path::new(\"x\").is_file()",
    ),
    (
        "std::path::Path::is_symlink",
        "std::path::Path::new(\"x\").is_symlink()",
    ),
    (
        "std::path::Path::metadata",
        "std::path::Path::new(\"x\").metadata()",
    ),
    (
        "std::path::Path::read_dir",
        "std::path::Path::new(\"x\").read_dir()",
    ),
    (
        "std::path::Path::read_link",
        "std::path::Path::new(\"x\").read_link()",
    ),
    (
        "std::path::Path::symlink_metadata",
        "std::path::Path::new(\"x\").symlink_metadata()",
    ),
    (
        "std::path::Path::try_exists",
        "std::path::Path::new(\"x\").try_exists()",
    ),
    ("std::path::absolute", "std::path::absolute(\"x\")"),
    (
        "std::process::Command::new",
        "std::process::Command::new(\"x\")",
    ),
    (
        "std::process::Stdio::inherit",
        "std::process::Stdio::inherit()",
    ),
    ("std::process::Stdio::null", "std::process::Stdio::null()"),
    ("std::process::Stdio::piped", "std::process::Stdio::piped()"),
    (
        "std::process::abort",
        "{ let f: fn() -> ! = std::process::abort; f }",
    ),
    (
        "std::process::exit",
        "{ let f: fn(i32) -> ! = std::process::exit; f }",
    ),
];

/// On the list, and not to be called with a stable compiler.
const UNSTABLE: &[&str] = &[
    "std::os::unix::fs::mkfifo",
    "std::os::unix::net::SocketAncillary::new",
];

#[test]
#[cfg(target_os = "linux")]
fn every_function_of_the_list_is_refused_where_it_is_used() {
    // The list knows functions that the table above must know, too.
    let (methods, _) = LIST.split_once("disallowed-types").unwrap();
    let listed: BTreeSet<&str> = methods
        .lines()
        .filter(|line| line.contains("::unix::") || !line.contains("allow-invalid"))
        .filter_map(|line| line.split('"').nth(1))
        .filter(|path| path.starts_with("std::") && !UNSTABLE.contains(path))
        .collect();
    let used: BTreeSet<&str> = USES.iter().map(|(path, _)| *path).collect();
    let apart: Vec<_> = listed.symmetric_difference(&used).collect();
    assert!(apart.is_empty(), "listed or used, not both: {apart:?}");

    let mut source = String::new();
    for (at, (_, expression)) in USES.iter().enumerate() {
        writeln!(source, "pub fn f{at}() {{ _ = {expression}; }}").unwrap();
    }
    let folder = package(&source);
    assert_eq!(init(folder.path(), &[]).0, Some(0));
    let found = complaints(&clippy(folder.path()));
    for (line, (path, expression)) in (1..).zip(USES) {
        let refused = found.iter().any(|(at, code, text)| {
            *at == line
                && code == "clippy::disallowed_methods"
                && text.contains(&format!("`{path}`"))
        });
        assert!(refused, "{expression}: {found:#?}");
    }
}

#[test]
fn another_name_a_pointer_a_macro_or_an_allow_does_not_hide_a_use() {
    let source = r#"use std::fs::read as innocent;
pub fn renamed() { _ = innocent("x"); }
pub fn pointer() -> fn(&'static str) -> std::io::Result<Vec<u8>> { std::fs::read }
macro_rules! m { ($e:expr) => { std::fs::read_to_string($e) } }
pub fn expanded() { _ = m!("x"); }
pub fn handed_on(x: Option<&'static str>) { _ = x.map(std::fs::read); }
type Innocent = std::fs::File;
pub fn kind() { _ = Innocent::open("x"); }
pub fn prints() { println!("x"); }
pub fn built() -> Option<&'static str> { option_env!("HOME") }
pub fn built_in() -> &'static str { include_str!("/etc/hostname") }
use std::net::ToSocketAddrs as _;
pub fn looks_up() { _ = "secret.example:1".to_socket_addrs(); }
unsafe extern "C" { fn getpid() -> i32; } pub fn foreign() -> i32 { unsafe { getpid() } }
pub fn instructs() { unsafe { core::arch::asm!("nop") } }
"#;
    let folder = package(source);
    assert_eq!(init(folder.path(), &[]).0, Some(0));
    let found = complaints(&clippy(folder.path()));
    for (line, code) in [
        (2, "clippy::disallowed_methods"),
        (3, "clippy::disallowed_methods"),
        (4, "clippy::disallowed_methods"),
        (6, "clippy::disallowed_methods"),
        (7, "clippy::disallowed_types"),
        (8, "clippy::disallowed_methods"),
        (9, "clippy::disallowed_macros"),
        (10, "clippy::disallowed_macros"),
        (11, "clippy::disallowed_macros"),
        (12, "clippy::disallowed_types"),
        (13, "clippy::disallowed_methods"),
        (14, "unsafe_code"),
        (15, "unsafe_code"),
    ] {
        assert!(
            found.iter().any(|(at, c, _)| *at == line && c == code),
            "{line}: {found:#?}"
        );
    }
    let says = found
        .iter()
        .any(|(.., text)| text.contains("`Fs<Root, ReadOnly>`"));
    assert!(says, "what to use instead: {found:#?}");

    let allowed =
        "#[allow(clippy::disallowed_methods)]\npub fn f() { _ = std::fs::read(\"x\"); }\n";
    write(folder.path(), "src/lib.rs", allowed);
    let found = complaints(&clippy(folder.path()));
    assert!(
        found.iter().any(|(_, code, _)| code == "E0453"),
        "{found:#?}"
    );
}

#[test]
fn code_that_only_computes_is_not_disturbed() {
    let source = "use std::{collections::HashMap, net::{IpAddr, SocketAddr}, path::{Path, PathBuf}};\n\
        pub fn f(path: &Path, at: IpAddr) -> Option<(PathBuf, SocketAddr, HashMap<u8, u8>)> {\n\
            eprintln!(\"looking\");\n\
            Some((path.parent()?.join(\"x\"), SocketAddr::new(at, 1), HashMap::new()))\n\
        }\n\
        pub fn g() -> std::process::ExitCode { std::process::ExitCode::SUCCESS }\n";
    let folder = package(source);
    assert_eq!(init(folder.path(), &[]).0, Some(0));
    let output = clippy(folder.path());
    assert!(output.status.success());
    assert_eq!(complaints(&output), []);
}

#[test]
fn lines_of_others_are_kept_and_a_file_of_others_is_not_touched() {
    let folder = package("");
    assert_eq!(init(folder.path(), &["--check"]).0, Some(1));
    assert!(!folder.path().join("clippy.toml").exists());
    assert_eq!(init(folder.path(), &[]).0, Some(0));
    assert_eq!(init(folder.path(), &["--check"]).0, Some(0));

    let ours = read(folder.path(), "clippy.toml");
    let old = ours.replacen("std::fs::read\"", "std::fs::gone\"", 1);
    write(
        folder.path(),
        "clippy.toml",
        &format!("# mine\nmsrv = \"1.90\"\n{old}# mine, too\n"),
    );
    let (code, said) = init(folder.path(), &["--check"]);
    assert!(code == Some(1) && said.contains("old list"), "{said}");
    assert_eq!(init(folder.path(), &[]).0, Some(0));
    let merged = format!("# mine\nmsrv = \"1.90\"\n{ours}# mine, too\n");
    assert_eq!(read(folder.path(), "clippy.toml"), merged);

    write(folder.path(), "clippy.toml", "msrv = \"1.90\"\n");
    let (code, said) = init(folder.path(), &[]);
    assert_eq!(code, Some(1));
    assert!(said.contains(&ours), "what to add is printed: {said}");
    assert_eq!(read(folder.path(), "clippy.toml"), "msrv = \"1.90\"\n");
}

#[test]
fn lines_that_the_manifest_lacks_are_named() {
    let folder = package("");
    let manifest = read(folder.path(), "Cargo.toml");
    let weaker = manifest.replace(
        "disallowed_types = \"forbid\"",
        "disallowed_types = \"deny\"",
    );
    write(folder.path(), "Cargo.toml", &weaker);
    let (code, said) = init(folder.path(), &[]);
    assert_eq!(code, Some(1), "`deny` is taken back by any `#[allow]`");
    assert!(
        said.contains("[lints.clippy]\ndisallowed_types = \"forbid\"\n"),
        "{said}"
    );
    assert!(!said.contains("unsafe_code"), "{said}");

    // Those of a workspace count for its members.
    let member = "[package]\nname = \"m\"\nversion = \"0.0.0\"\n[lints]\nworkspace = true\n";
    write(folder.path(), "m/Cargo.toml", member);
    let above = manifest.replace("[lints.", "[workspace.lints.");
    write(folder.path(), "Cargo.toml", &above);
    assert_eq!(init(&folder.path().join("m"), &[]).0, Some(0));
    write(folder.path(), "Cargo.toml", "[workspace]\n");
    let (code, said) = init(&folder.path().join("m"), &[]);
    assert_eq!(code, Some(1));
    assert!(said.contains("[workspace.lints.clippy]"), "{said}");

    let (code, said) = init(&folder.path().join("nowhere"), &[]);
    assert_eq!(code, Some(2), "{said}");
}
