//! Builds the package the way its symbols can be read, and says which files came of it.
//!
//! In a target folder of its own, so that the author's is not thrown away: no optimization to merge
//! functions, one object for a program, and the mangling that names the crate of each function.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::Deserialize;

/// What to build.
#[derive(clap::Args, Debug, Default)]
pub(super) struct What {
    /// The manifest of the package or of its workspace
    #[arg(long, value_name = "PATH", default_value = "Cargo.toml")]
    pub(super) manifest_path: PathBuf,
    /// The package, if the manifest has several
    #[arg(long, value_name = "NAME")]
    pub(super) package: Option<String>,
    /// Features to turn on, as for `cargo build`
    #[arg(long, value_name = "LIST")]
    features: Vec<String>,
    /// All features of the package
    #[arg(long)]
    all_features: bool,
    /// None of its default features
    #[arg(long)]
    no_default_features: bool,
    /// Do not use the network
    #[arg(long)]
    offline: bool,
    /// Cargo.lock must not change
    #[arg(long)]
    locked: bool,
}

/// What came of it.
pub(super) struct Built {
    /// The package that was asked for.
    pub(super) package: String,
    /// Where its manifest is.
    pub(super) folder: PathBuf,
    pub(super) units: Vec<Unit>,
    /// Has the objects of the programs, until this is dropped.
    _scratch: Scratch,
}

/// A folder for this run alone. Under a name that was there before, cargo would take a program for
/// fresh that it built with other features, and the object would be of those.
struct Scratch(PathBuf);

impl Scratch {
    fn new(target: &Path) -> Result<Self, String> {
        let nanoseconds = std::time::UNIX_EPOCH
            .elapsed()
            .map_or(0, |since| since.as_nanos());
        let folder = target.join(format!("objects-{}-{nanoseconds}", std::process::id()));
        std::fs::create_dir_all(&folder)
            .map_err(|error| format!("`{}` cannot be made: {error}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left is in the target folder, and `cargo clean` takes it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A crate that was compiled.
pub(super) struct Unit {
    pub(super) name: String,
    pub(super) version: String,
    /// A member of the workspace or a dependency by path: its authors are the server's.
    pub(super) own: bool,
    /// As symbols name it.
    pub(super) krate: String,
    /// It runs while the server is built.
    pub(super) at_build: bool,
    /// The library or the object to read, if it is part of the server.
    pub(super) objects: Vec<PathBuf>,
    /// Its sources.
    pub(super) sources: Vec<PathBuf>,
}

pub(super) fn build(what: &What) -> Result<Built, String> {
    let metadata: Metadata = serde_json::from_str(&said(what.cargo("metadata").args([
        "--no-deps",
        "--format-version",
        "1",
    ]))?)
    .map_err(|error| format!("`cargo metadata` cannot be read: {error}"))?;
    let package = metadata.package(what)?;
    let host = said(Command::new(rustc()).arg("-vV"))?;
    let host = host
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .ok_or("`rustc -vV` does not say its host")?;
    let target = metadata.target_directory.join("mcp-secure-verify");
    let scratch = Scratch::new(&target)?;

    let mut units = BTreeMap::new();
    let mut built_any = false;
    for made in &package.targets {
        let is_bin = made.kind.iter().any(|kind| kind == "bin");
        let is_lib = made.kind.iter().any(|kind| kind == "lib" || kind == "rlib");
        // A program whose features are off is cargo's error: left out, it would pass unseen.
        if !(is_lib || is_bin) {
            continue;
        }
        built_any = true;
        let mut cargo = what.cargo("rustc");
        what.choose_features(&mut cargo);
        cargo
            .args([
                "--package",
                &format!("{}@{}", package.name, package.version),
            ])
            .args(["--message-format", "json-render-diagnostics"])
            .args(["--target", host])
            .arg("--target-dir")
            .arg(&target)
            .env("CARGO_ENCODED_RUSTFLAGS", flags())
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_PROFILE_DEV_LTO", "off")
            .env("CARGO_PROFILE_DEV_OPT_LEVEL", "0")
            .env("CARGO_PROFILE_DEV_DEBUG", "0");
        let object = scratch.0.join(format!("{}.o", made.name));
        if is_bin {
            cargo
                .args(["--bin", &made.name, "--"])
                .arg("-Ccodegen-units=1")
                .arg(format!("--emit=obj={}", object.display()));
        } else {
            cargo.arg("--lib");
        }
        let printed = said(&mut cargo)?;
        for line in printed.lines() {
            let Ok(Message::CompilerArtifact(artifact)) = serde_json::from_str(line) else {
                continue;
            };
            let from = Id::parse(&artifact.package_id)
                .ok_or_else(|| format!("`{}` names no package", artifact.package_id))?;
            let of_bin = (is_bin && artifact.executable.is_some()).then_some(object.as_path());
            let unit = unit(&from, &artifact, &target.join(host), of_bin)?;
            units.insert(
                (artifact.package_id, artifact.target.name, unit.at_build),
                unit,
            );
        }
    }
    if !built_any {
        return Err(format!(
            "`{}` has neither a library nor a program",
            package.name
        ));
    }
    Ok(Built {
        package: package.name.clone(),
        folder: parent(&package.manifest_path),
        units: units.into_values().collect(),
        _scratch: scratch,
    })
}

fn unit(
    package: &Id,
    artifact: &Artifact,
    ours: &Path,
    of_bin: Option<&Path>,
) -> Result<Unit, String> {
    // Cargo keeps what runs here apart from what is built for a named target.
    let at_build = !artifact.filenames.iter().any(|file| file.starts_with(ours));
    let mut objects = Vec::new();
    let mut sources = Vec::new();
    if let Some(object) = of_bin {
        if !object.exists() {
            return Err(format!(
                "`{}` was not written: is the program built by something else than rustc?",
                object.display()
            ));
        }
        objects.push(object.to_owned());
        sources.extend(rust_files(&parent(&artifact.target.src_path)));
    } else if !at_build {
        for file in &artifact.filenames {
            match file.extension().and_then(|e| e.to_str()) {
                Some("rlib") => objects.push(file.clone()),
                Some("rmeta") => {}
                _ => continue,
            }
            sources.extend(listed(file));
        }
        if objects.is_empty() {
            return Err(format!(
                "`{} {}` was not built as a library for Rust",
                package.name, package.version
            ));
        }
    }
    Ok(Unit {
        name: package.name.clone(),
        version: package.version.clone(),
        own: package.own,
        krate: artifact.target.name.replace('-', "_"),
        at_build,
        objects,
        sources,
    })
}

/// The sources that the compiler says it read for a library (`libNAME.rlib`, `NAME.d`).
fn listed(library: &Path) -> Vec<PathBuf> {
    let stem = library.file_stem().and_then(|s| s.to_str());
    let Some(stem) = stem.and_then(|stem| stem.strip_prefix("lib")) else {
        return Vec::new();
    };
    let text = std::fs::read_to_string(library.with_file_name(format!("{stem}.d")));
    text.unwrap_or_default()
        .lines()
        // One line each without a prerequisite: `src/lib.rs:`.
        .filter_map(|line| line.strip_suffix(".rs:"))
        .map(|path| PathBuf::from(format!("{}.rs", path.replace("\\ ", " "))))
        .collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(path),
                Ok(_) if path.extension().is_some_and(|e| e == "rs") => files.push(path),
                _ => {}
            }
        }
    }
    files
}

/// The flags of the environment, and ours. The mangling is what tells functions apart.
fn flags() -> String {
    const OURS: &str = "-Csymbol-mangling-version=v0";
    let theirs = std::env::var("CARGO_ENCODED_RUSTFLAGS").ok().or_else(|| {
        let plain = std::env::var("RUSTFLAGS").ok()?;
        Some(plain.split_whitespace().collect::<Vec<_>>().join("\x1f"))
    });
    match theirs {
        Some(theirs) if !theirs.is_empty() => format!("{theirs}\x1f{OURS}"),
        _ => OURS.to_owned(),
    }
}

impl What {
    fn cargo(&self, verb: &str) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .arg(verb)
            .arg("--manifest-path")
            .arg(&self.manifest_path);
        for (set, flag) in [(self.offline, "--offline"), (self.locked, "--locked")] {
            if set {
                command.arg(flag);
            }
        }
        command
    }

    fn choose_features(&self, command: &mut Command) {
        for list in &self.features {
            command.args(["--features", list]);
        }
        for (set, flag) in [
            (self.all_features, "--all-features"),
            (self.no_default_features, "--no-default-features"),
        ] {
            if set {
                command.arg(flag);
            }
        }
    }
}

fn rustc() -> std::ffi::OsString {
    std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())
}

/// What a program prints, if it succeeds. Its complaints go to ours.
fn said(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("`{name}` does not start: {error}"))?;
    if output.status.success() {
        String::from_utf8(output.stdout)
            .map_err(|error| format!("`{name}` prints no text: {error}"))
    } else {
        Err(format!("`{name}` ended with {}", output.status))
    }
}

fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new(".")).to_owned()
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    manifest_path: PathBuf,
    targets: Vec<Made>,
}

#[derive(Deserialize)]
struct Made {
    name: String,
    kind: Vec<String>,
    src_path: PathBuf,
}

impl Metadata {
    /// The one that was named, or the one of the manifest.
    fn package(&self, what: &What) -> Result<&Package, String> {
        let path = &what.manifest_path;
        let path = path
            .canonicalize()
            .map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?;
        let is_asked = |package: &&Package| match &what.package {
            Some(name) => package.name == *name,
            None => package
                .manifest_path
                .canonicalize()
                .is_ok_and(|known| known == path),
        };
        self.packages.iter().find(is_asked).ok_or_else(|| {
            let names: Vec<_> = self.packages.iter().map(|p| p.name.as_str()).collect();
            format!(
                "which package? give --package and one of {}",
                names.join(", ")
            )
        })
    }
}

/// What cargo's id of a package says (`registry+https://…#name@1.0.0`, `path+file:///a/name#1.0.0`).
struct Id {
    name: String,
    version: String,
    own: bool,
}

impl Id {
    fn parse(id: &str) -> Option<Self> {
        let (place, fragment) = id.rsplit_once('#')?;
        let (name, version) = match fragment.rsplit_once('@') {
            Some(both) => both,
            None => {
                let place = place.split('?').next()?;
                (place.rsplit('/').next()?, fragment)
            }
        };
        Some(Self {
            name: name.to_owned(),
            version: version.to_owned(),
            own: place.starts_with("path+"),
        })
    }
}

#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Message {
    CompilerArtifact(Artifact),
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Artifact {
    package_id: String,
    target: Made,
    filenames: Vec<PathBuf>,
    executable: Option<PathBuf>,
}
