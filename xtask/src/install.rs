//! What the tests need and cargo does not bring: Debian packages, Node, npm packages, Python
//! packages. Every step looks first and does nothing when the thing is there; a step whose
//! input file does not exist is skipped and says so.
//!
//! Node and the Python environment live below `target/xtask`, the npm packages beside the
//! scripts that import them, because that is the only place where ES modules look.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workspace::{Result, Workspace, output, read, run, succeeds};

/// Where the test clients and the lists of their packages are.
const CLIENTS: &str = "tests/clients";

/// What reads the files of the Unicode Character Database.
const TEXT_TESTS: &str = "tests/text/Cargo.toml";

/// What starts a PostgreSQL server.
const SQL_TESTS: &str = "tests/sql/Cargo.toml";

/// What starts a Redis server.
const REDIS_TESTS: &str = "tests/oauth/tests/redis.rs";

/// What asks a Secret Service and a keyring of the kernel.
const KEYRING_TESTS: &str = "tests/vault/keyring.rs";
/// What a person sees in a browser.
const PAGE_TESTS: &str = "tests/approval/tests/chromium.rs";

/// The attacks that are in a network namespace.
const NET_ATTACKS: &str = "tests/attacks/internet";

/// The Node to install where the system's is older than [`NODE_MAJOR`].
const NODE_VERSION: &str = "22.23.3";

/// The oldest Node that the MCP conformance suite runs on.
const NODE_MAJOR: u32 = 22;

/// Programs of the system, all in one place. Installed only when the probe fails and only when
/// a step needs them.
const DEBIAN: &[Debian] = &[
    Debian {
        package: "npm",
        probe: &["npm", "--version"],
        purpose: "installs Node and the npm packages of the test clients",
    },
    Debian {
        package: "python3",
        probe: &["python3", "--version"],
        purpose: "runs the Python test client",
    },
    Debian {
        package: "python3-venv",
        probe: &["python3", "-c", "import ensurepip, venv"],
        purpose: "keeps the packages of the Python test client apart from the system's",
    },
    Debian {
        package: "unicode-data",
        probe: &["test", "-f", "/usr/share/unicode/emoji/emoji-test.txt"],
        purpose: "has the files that the text rules are tested against",
    },
    Debian {
        package: "bzip2",
        probe: &["bzip2", "--help"],
        purpose: "unpacks one of those files",
    },
    Debian {
        package: "postgresql",
        probe: &["sh", "-c", "test -x /usr/lib/postgresql/*/bin/initdb"],
        purpose: "is the server that the database handles are tested on",
    },
    Debian {
        package: "redis-server",
        probe: &["redis-server", "--version"],
        purpose: "is the store that replicas are tested on",
    },
    Debian {
        package: "gnome-keyring",
        probe: &["gnome-keyring-daemon", "--version"],
        purpose: "is the Secret Service that the key of a vault is kept in",
    },
    Debian {
        package: "dbus-daemon",
        probe: &["dbus-run-session", "--version"],
        purpose: "is the bus on which a Secret Service is asked",
    },
    Debian {
        package: "keyutils",
        probe: &["keyctl", "--version"],
        purpose: "starts a program in a session keyring of its own",
    },
    Debian {
        package: "chromium",
        probe: &["chromium", "--version"],
        purpose: "is the browser that the pages are tested in",
    },
    Debian {
        package: "iproute2",
        probe: &["ip", "-Version"],
        purpose: "brings up the network namespaces that some attacks are in",
    },
];

struct Debian {
    package: &'static str,
    probe: &'static [&'static str],
    purpose: &'static str,
}

/// What was installed, for the tests to use. `None`: this checkout does not ask for it.
#[derive(Default)]
pub(crate) struct Tools {
    pub(crate) node: Option<PathBuf>,
    pub(crate) node_modules: Option<PathBuf>,
    pub(crate) python: Option<PathBuf>,
}

impl Tools {
    /// The environment variables by which a test finds its tools.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        [
            ("MCP_SECURE_NODE", &self.node),
            ("MCP_SECURE_NODE_MODULES", &self.node_modules),
            ("MCP_SECURE_PYTHON", &self.python),
        ]
        .into_iter()
        .filter_map(|(name, path)| Some((name, path.as_deref()?)))
    }
}

/// Installs everything, and writes the locations to `target/xtask/env` (one `NAME=path` a line)
/// so that a test started by hand finds them too.
pub(crate) fn tools(workspace: &Workspace) -> Result<Tools> {
    let clients = workspace.root.join(CLIENTS);
    let mut tools = Tools::default();
    if clients.join("package.json").exists() {
        debian(&["npm"])?;
        let node = node(workspace)?;
        tools.node_modules = Some(node_modules(&clients, &node)?);
        tools.node = Some(node);
    } else {
        eprintln!("node: skipped, {CLIENTS} has no package.json");
    }
    let requirements = clients.join("requirements.txt");
    if requirements.exists() {
        debian(&["python3", "python3-venv"])?;
        tools.python = Some(python(workspace, "venv", &requirements)?);
    } else {
        eprintln!("python: skipped, {CLIENTS} has no requirements.txt");
    }
    if workspace.root.join(TEXT_TESTS).exists() {
        debian(&["unicode-data", "bzip2"])?;
    } else {
        eprintln!("unicode-data: skipped, there is no {TEXT_TESTS}");
    }
    if workspace.root.join(SQL_TESTS).exists() {
        debian(&["postgresql"])?;
    } else {
        eprintln!("postgresql: skipped, there is no {SQL_TESTS}");
    }
    if workspace.root.join(REDIS_TESTS).exists() {
        debian(&["redis-server"])?;
    } else {
        eprintln!("redis-server: skipped, there is no {REDIS_TESTS}");
    }
    if workspace.root.join(KEYRING_TESTS).exists() {
        debian(&["gnome-keyring", "dbus-daemon", "keyutils"])?;
    } else {
        eprintln!("gnome-keyring: skipped, there is no {KEYRING_TESTS}");
    }
    if workspace.root.join(PAGE_TESTS).exists() {
        debian(&["chromium"])?;
    } else {
        eprintln!("chromium: skipped, there is no {PAGE_TESTS}");
    }
    if workspace.root.join(NET_ATTACKS).exists() {
        debian(&["iproute2"])?;
    } else {
        eprintln!("iproute2: skipped, there is no {NET_ATTACKS}");
    }

    let lines: String = tools
        .variables()
        .map(|(name, path)| format!("{name}={}\n", path.display()))
        .collect();
    std::fs::create_dir_all(workspace.cache(""))?;
    std::fs::write(workspace.cache("env"), lines)?;
    Ok(tools)
}

/// A Node of at least [`NODE_MAJOR`]: the system's, or our own copy.
///
/// The copy comes from the npm package that carries the binary for this platform. The package
/// `node` would fetch the same one, but from an install script, and install scripts are off.
pub(crate) fn node(workspace: &Workspace) -> Result<PathBuf> {
    let (os, arch) = (
        node_name(std::env::consts::OS),
        node_name(std::env::consts::ARCH),
    );
    let package = format!("node-{os}-{arch}");
    let home = workspace.cache("node");
    let ours = home
        .join("node_modules")
        .join(&package)
        .join("bin")
        .join("node");

    if node_version(&ours).as_deref() == Some(NODE_VERSION) {
        return Ok(ours);
    }
    if let Some(system) = on_path("node")
        && let Some(version) = node_version(&system)
        && version
            .split('.')
            .next()
            .and_then(|major| major.parse().ok())
            >= Some(NODE_MAJOR)
    {
        eprintln!("node: {version} of the system");
        return Ok(system);
    }

    std::fs::create_dir_all(&home)?;
    run(Command::new("npm")
        .current_dir(&home)
        .args(["install", "--prefix", "."])
        .args(NPM)
        .args([
            "--no-save",
            "--no-package-lock",
            &format!("{package}@{NODE_VERSION}"),
        ]))?;
    match node_version(&ours) {
        Some(version) if version == NODE_VERSION => {
            eprintln!("node: {version} from {package}");
            Ok(ours)
        }
        found => Err(format!("{} answers {found:?}, not {NODE_VERSION}", ours.display()).into()),
    }
}

/// The npm packages of the test clients, exactly as locked.
fn node_modules(clients: &Path, node: &Path) -> Result<PathBuf> {
    let lock = clients.join("package-lock.json");
    if !lock.exists() {
        return Err(format!("{CLIENTS}/package.json has no package-lock.json beside it").into());
    }
    let modules = clients.join("node_modules");
    let wanted = read(&clients.join("package.json"))? + &read(&lock)?;
    let stamp = modules.join(".xtask");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(modules);
    }
    // npm itself must run on the Node that the packages ask for.
    let mut path = OsString::from(node.parent().unwrap_or(Path::new("")));
    if let Some(rest) = std::env::var_os("PATH") {
        path.push(":");
        path.push(rest);
    }
    run(Command::new("npm")
        .current_dir(clients)
        .env("PATH", path)
        .arg("ci")
        .args(NPM))?;
    std::fs::write(stamp, wanted)?;
    Ok(modules)
}

/// The Python of a virtual environment of this name that holds the required packages.
pub(crate) fn python(workspace: &Workspace, name: &str, requirements: &Path) -> Result<PathBuf> {
    let home = workspace.cache(name);
    let python = home.join("bin").join("python");
    let wanted = read(requirements)?;
    let stamp = home.join(".xtask");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted)
        && succeeds(Command::new(&python).arg("--version"))
    {
        return Ok(python);
    }
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&home))?;
    run(Command::new(&python)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-input",
            "--disable-pip-version-check",
        ])
        .arg("--requirement")
        .arg(requirements))?;
    std::fs::write(stamp, wanted)?;
    Ok(python)
}

/// Makes sure of rows of [`DEBIAN`]. Without apt or without the right to use it the error says
/// what to install by hand.
pub(crate) fn debian(packages: &[&str]) -> Result<()> {
    let missing: Vec<&Debian> = DEBIAN
        .iter()
        .filter(|row| packages.contains(&row.package))
        .filter(|row| !row.probe.split_first().is_some_and(probe))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    for row in &missing {
        eprintln!("{} is missing: {}", row.package, row.purpose);
    }
    let names = missing.iter().map(|row| row.package);
    let root = output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if on_path("apt-get").is_none()
        || !(root || succeeds(Command::new("sudo").args(["-n", "true"])))
    {
        let names: Vec<&str> = names.collect();
        return Err(format!("install {} and run this again", names.join(", ")).into());
    }
    let apt = || {
        let mut command = Command::new(if root { "env" } else { "sudo" });
        command.args(if root { &[][..] } else { &["-n", "env"] });
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        command
    };
    run(apt().arg("update"))?;
    run(apt()
        .args(["install", "--yes", "--no-install-recommends"])
        .args(names))
}

fn probe((program, arguments): (&&str, &[&str])) -> bool {
    succeeds(Command::new(program).args(arguments))
}

/// Node is asked, not the file system: an unfinished download has a file, too.
fn node_version(node: &Path) -> Option<String> {
    if !node.exists() {
        return None;
    }
    let version = output(Command::new(node).arg("--version")).ok()?;
    Some(version.trim().trim_start_matches('v').to_owned())
}

/// Rust's names of systems and processors in Node's spelling.
fn node_name(name: &str) -> &str {
    match name {
        "macos" => "darwin",
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

/// No package may run code while it is installed.
const NPM: &[&str] = &["--ignore-scripts", "--no-audit", "--no-fund"];
