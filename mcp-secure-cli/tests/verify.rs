//! `verify` on small packages that are really built, without a registry.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

/// A workspace with a package `server`, others of its authors, and crates of a registry.
struct Site(TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        site.write(
            "Cargo.toml",
            "[workspace]\nresolver = \"3\"\nmembers = [\"own/*\"]\n",
        );
        // A folder of vendored crates stands for the registry: nothing is fetched.
        site.write(
            ".cargo/config.toml",
            "[source.crates-io]\nreplace-with = \"vendored\"\n\
             [source.vendored]\ndirectory = \"vendor\"\n",
        );
        std::fs::create_dir_all(site.path("vendor")).unwrap();
        site
    }

    /// A member of the workspace.
    fn own(self, name: &str, needs: &[&str], source: &str) -> Self {
        let needs: String = needs
            .iter()
            .map(|need| match self.path(&format!("own/{need}")).exists() {
                true => format!("{need} = {{ path = \"../{need}\" }}\n"),
                false => format!("{need} = \"*\"\n"),
            })
            .collect();
        self.write(
            &format!("own/{name}/Cargo.toml"),
            &format!("{}[dependencies]\n{needs}", package(name, "0.1.0")),
        );
        let file = if source.contains("fn main") {
            "main"
        } else {
            "lib"
        };
        self.write(&format!("own/{name}/src/{file}.rs"), source);
        self
    }

    /// A crate of the registry, in place of any other version of it.
    fn dependency(self, name: &str, version: &str, source: &str) -> Self {
        let folder = format!("vendor/{name}");
        let _ = std::fs::remove_dir_all(self.path(&folder));
        self.write(&format!("{folder}/Cargo.toml"), &package(name, version));
        self.write(&format!("{folder}/src/lib.rs"), source);
        let sum = format!("{:0>64}", version.replace('.', ""));
        self.write(
            &format!("{folder}/.cargo-checksum.json"),
            &format!("{{\"files\":{{}},\"package\":\"{sum}\"}}"),
        );
        let _ = std::fs::remove_file(self.path("Cargo.lock"));
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn lock(&self) -> String {
        std::fs::read_to_string(self.path("own/server/capabilities.lock")).unwrap()
    }

    fn verify(&self, arguments: &[&str]) -> Verified {
        let output = Command::new(env!("CARGO_BIN_EXE_mcp-secure"))
            .args(["verify", "--package", "server", "--offline"])
            .args(arguments)
            .current_dir(self.0.path())
            .env("CARGO_TARGET_DIR", self.path("target"))
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .output()
            .unwrap();
        Verified(output)
    }

    /// What `--json` says that a crate can.
    fn can(&self, name: &str) -> Vec<String> {
        let Verified(output) = self.verify(&["--json"]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.stdout.is_empty(), "{told}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let crates = report["crates"].as_array().unwrap();
        let found = crates.iter().find(|found| found["name"] == name).unwrap();
        found["can"].as_object().unwrap().keys().cloned().collect()
    }
}

fn package(name: &str, version: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2024\"\n")
}

struct Verified(Output);

impl Verified {
    #[track_caller]
    fn ends(self, code: i32) -> String {
        let said = String::from_utf8_lossy(&self.0.stdout).into_owned();
        let told = String::from_utf8_lossy(&self.0.stderr);
        assert_eq!(self.0.status.code(), Some(code), "{said}\n{told}");
        said + &told
    }
}

const MAIN: &str = "fn main() {}";

#[test]
fn a_crate_that_only_computes_reaches_nothing() {
    let site = Site::new().own(
        "server",
        &[],
        "use std::{collections::HashMap, net::IpAddr, path::Path, sync::Mutex, time::Instant};\n\
         pub struct Tool { seen: Mutex<HashMap<String, Instant>> }\n\
         impl Tool {\n\
             pub fn name<'a>(&self, path: &'a Path) -> Option<&'a str> { path.file_name()?.to_str() }\n\
             pub fn address(&self, text: &str) -> Result<IpAddr, String> {\n\
                 text.parse().map_err(|error| format!(\"{error}\"))\n\
             }\n\
             pub fn see(&self, what: &str) -> bool {\n\
                 self.seen.lock().unwrap().insert(what.to_owned(), Instant::now()).is_some()\n\
             }\n\
             pub fn later(&self) { std::thread::spawn(|| eprintln!(\"done\")).join().unwrap() }\n\
         }\n",
    );
    let said = site.verify(&[]).ends(0);
    assert!(
        said.contains("nothing") && said.contains("0 errors"),
        "{said}"
    );
}

/// Each as a crate of its own, so that one cannot be found in the place of another.
const USES: &[(&str, &str, &[&str])] = &[
    ("read", "pub fn f() { _ = std::fs::read(\"x\"); }", &["fs"]),
    (
        "renamed",
        "use std::fs::read_to_string as innocent; pub fn f() { _ = innocent(\"x\"); }",
        &["fs"],
    ),
    (
        "pointer",
        "pub fn f() -> fn(&'static str) -> std::io::Result<Vec<u8>> { std::fs::read::<&'static str> }",
        &["fs"],
    ),
    (
        "expanded",
        "macro_rules! m { ($e:expr) => { std::fs::File::open($e) } } pub fn f() { _ = m!(\"x\"); }",
        &["fs"],
    ),
    (
        "folder",
        "pub fn f() { _ = std::fs::read_dir(\".\"); }",
        &["fs"],
    ),
    (
        "looks",
        "pub fn f() -> bool { std::path::Path::new(\"x\").exists() }",
        &["fs"],
    ),
    (
        "connects",
        "pub fn f(a: std::net::SocketAddr) { _ = std::net::TcpStream::connect(a); }",
        &["net"],
    ),
    (
        "looks_up",
        "use std::net::ToSocketAddrs; pub fn f() { _ = \"secret.example:1\".to_socket_addrs(); }",
        &["dns"],
    ),
    (
        "runs",
        "pub fn f() { _ = std::process::Command::new(\"sh\").output(); }",
        &["process"],
    ),
    (
        "variable",
        "pub fn f() { _ = std::env::var(\"TOKEN\"); }",
        &["env"],
    ),
    ("prints", "pub fn f() { println!(\"x\"); }", &["stdio"]),
    // Beyond the eleven: other ways to the same.
    (
        "foreign",
        "unsafe extern \"C\" { fn open(path: *const i8, flags: i32) -> i32; fn kept(n: i32) -> i32; }\n\
         pub fn f() -> i32 { unsafe { open(std::ptr::null(), 0) + kept(1) } }",
        &["ffi", "fs"],
    ),
    (
        "instructs",
        "pub fn f() { unsafe { core::arch::asm!(\"nop\") } }",
        &["asm"],
    ),
    (
        "unix",
        "pub fn f() { _ = std::os::unix::net::UnixStream::connect(\"/run/x\"); }",
        &["net"],
    ),
    (
        "handed_on",
        "pub fn f(x: Option<&'static str>) { _ = x.map(std::fs::read::<&'static str>); }",
        &["fs"],
    ),
    (
        "behind_dyn",
        "pub fn f() -> Box<dyn Fn(&'static str) -> std::io::Result<Vec<u8>>> {\n\
             Box::new(std::fs::read::<&'static str>)\n\
         }",
        &["fs"],
    ),
    (
        "kept",
        "pub static F: fn(i32) -> ! = std::process::exit;",
        &["process"],
    ),
    (
        "takes",
        "pub fn f() { _ = std::io::stdin().lines().next(); }",
        &["stdio"],
    ),
];

#[test]
fn every_run_time_use_is_caught_under_its_own_name() {
    let names: Vec<&str> = USES.iter().map(|(name, ..)| *name).collect();
    let mut site = Site::new();
    for (name, source, _) in USES {
        site = site.own(name, &[], source);
    }
    // Only as libraries: `foreign` could not be linked.
    let site = site.own("server", &names, "pub fn nothing() {}");
    let Verified(output) = site.verify(&["--json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (name, _, expected) in USES {
        let crates = report["crates"].as_array().unwrap();
        let found = crates.iter().find(|found| found["name"] == *name).unwrap();
        let can: Vec<_> = found["can"].as_object().unwrap().keys().collect();
        assert_eq!(can, *expected, "{name}: {found}");
    }
}

#[test]
fn an_update_of_a_dependency_that_reaches_further_fails_and_names_crate_and_symbol() {
    let site = Site::new()
        .dependency(
            "left-pad",
            "1.2.2",
            "pub fn pad(s: &str) -> String { format!(\" {s}\") }",
        )
        .own(
            "server",
            &["left-pad"],
            "fn main() { _ = left_pad::pad(\"x\"); }",
        );
    site.verify(&["--update"]).ends(0);
    assert!(!site.lock().contains("left-pad"), "{}", site.lock());

    let site = site.dependency(
        "left-pad",
        "1.2.3",
        "pub fn pad(s: &str) -> String {\n\
             _ = std::process::Command::new(\"sh\").spawn();\n\
             format!(\" {s}\")\n\
         }",
    );
    let said = site.verify(&[]).ends(1);
    let expected = "left-pad 1.2.3 uses `std::process::Command::new` in `left_pad::pad` (process), \
                    which capabilities.lock does not have";
    assert!(said.contains(expected), "{said}");

    // Accepted once, then nothing is left to say; and nothing about an update that reaches as far.
    site.verify(&["--update"]).ends(0);
    assert!(
        site.lock()
            .contains("\"left-pad 1.2.3\" = { can = [\"process\"] }")
    );
    site.verify(&[]).ends(0);
    let site = site.dependency(
        "left-pad",
        "1.2.4",
        "pub fn pad(s: &str) -> String { _ = std::process::Command::new(\"true\"); s.to_owned() }",
    );
    let said = site.verify(&[]).ends(0);
    assert!(
        said.contains("note: capabilities.lock has left-pad in another version"),
        "{said}"
    );
}

#[test]
fn a_crate_of_the_authors_own_needs_a_reason_and_an_update_keeps_it() {
    let site = Site::new().own("server", &[], "fn main() { _ = std::env::var(\"TOKEN\"); }");
    site.verify(&[]).ends(1);
    let said = site.verify(&["--update"]).ends(1);
    assert!(said.contains("gives no reason"), "{said}");

    let row = "\"server 0.1.0\" = { can = [\"env\"] }";
    let explained =
        "\"server 0.1.0\" = { can = [\"env\"], reason = \"reads the \\\"one\\\" variable\" }";
    assert!(site.lock().contains(row), "{}", site.lock());
    site.write(
        "own/server/capabilities.lock",
        &site.lock().replace(row, explained),
    );
    site.verify(&[]).ends(0);
    site.verify(&["--update"]).ends(0);
    assert!(site.lock().contains(explained), "{}", site.lock());

    // What is no longer used is told, and goes with the next update.
    let site = site.own("server", &[], MAIN);
    let said = site.verify(&[]).ends(0);
    assert!(
        said.contains("note: capabilities.lock gives server 0.1.0 env"),
        "{said}"
    );
    site.verify(&["--update"]).ends(0);
    assert!(!site.lock().contains("server 0.1.0"), "{}", site.lock());
}

#[test]
fn a_generic_function_is_its_authors_and_what_it_is_handed_is_the_callers() {
    let site = Site::new()
        .dependency(
            "generic",
            "1.0.0",
            "pub fn read<P: AsRef<std::path::Path>>(path: P) -> usize {\n\
                 std::fs::read(path).map_or(0, |bytes| bytes.len())\n\
             }",
        )
        .dependency(
            "applies",
            "1.0.0",
            "pub fn apply<R>(f: impl Fn(i32) -> R) -> R { f(1) }",
        )
        .own(
            "server",
            &["generic", "applies"],
            "fn main() { generic::read(\"x\"); }",
        );
    assert_eq!(site.can("generic"), ["fs"]);
    assert!(site.can("server").is_empty());

    let site = site.own(
        "server",
        &["generic", "applies"],
        "fn main() { applies::apply(std::process::exit); }",
    );
    assert_eq!(site.can("server"), ["process"]);
}

#[test]
fn what_runs_while_the_server_is_built_is_listed() {
    let site = Site::new()
        .dependency("scripted", "1.0.0", "pub fn f() {}")
        .dependency("derives", "1.0.0", "");
    site.write("vendor/scripted/build.rs", "fn main() {}");
    let manifest = package("derives", "1.0.0") + "[lib]\nproc-macro = true\n";
    site.write("vendor/derives/Cargo.toml", &manifest);
    let site = site.own(
        "server",
        &["scripted", "derives"],
        "fn main() { scripted::f() }",
    );
    assert_eq!(site.can("scripted"), ["build"]);
    assert_eq!(site.can("derives"), ["build"]);
    let said = site.verify(&[]).ends(1);
    assert!(
        said.contains("scripted 1.0.0 runs while the server is built (build)"),
        "{said}"
    );
}

#[test]
fn another_choice_of_features_is_read_anew_each_time() {
    let source = "fn main() { #[cfg(feature = \"more\")] println!(\"x\"); }";
    let site = Site::new().own("server", &[], source);
    let manifest = package("server", "0.1.0") + "[features]\nmore = []\n";
    site.write("own/server/Cargo.toml", &manifest);
    for _ in 0..2 {
        site.verify(&["--features", "more"]).ends(1);
        site.verify(&[]).ends(0);
    }
}

#[test]
fn what_cannot_be_verified_is_an_error_and_not_a_pass() {
    let site = Site::new().own("server", &[], "fn main() { not_rust }");
    site.verify(&[]).ends(2);
    let site = site.own("server", &[], MAIN);
    site.write(
        "own/server/capabilities.lock",
        "version = 1\n[crates]\nserver = 1\n",
    );
    let before = site.lock();
    site.verify(&["--update"]).ends(2);
    assert_eq!(
        site.lock(),
        before,
        "a file that is not understood is not overwritten"
    );
    let manifest = package("server", "0.1.0")
        + "[features]\nmore = []\n[[bin]]\nname = \"server\"\npath = \"src/main.rs\"\nrequired-features = [\"more\"]\n";
    site.write("own/server/Cargo.toml", &manifest);
    let _ = std::fs::remove_file(site.path("own/server/capabilities.lock"));
    let said = site.verify(&[]).ends(2);
    assert!(said.contains("more"), "a program is not left out: {said}");
    site.verify(&["--features", "more"]).ends(0);
    let nowhere = Command::new(env!("CARGO_BIN_EXE_mcp-secure"))
        .args(["verify", "--manifest-path"])
        .arg(Path::new("nowhere").join("Cargo.toml"))
        .output()
        .unwrap();
    Verified(nowhere).ends(2);
    let several = Command::new(env!("CARGO_BIN_EXE_mcp-secure"))
        .args(["verify", "--offline"])
        .current_dir(site.0.path())
        .output()
        .unwrap();
    let said = Verified(several).ends(2);
    assert!(
        said.contains("--package") && said.contains("server"),
        "{said}"
    );
}
