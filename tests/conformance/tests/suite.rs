//! The official conformance suite, in both versions that matter, against the fixture.
//!
//! What fails must be in the baseline beside it, where each line says why it is refused; a
//! line that does not fail any more is an error, too. Both are the suite's own rules: it
//! exits with 0 only then.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod support;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::Value;
use support::{Proxy, Server, node, node_modules, output_of};

#[test]
fn the_stable_suite_passes_for_2025_11_25() {
    let all = ["--suite", "all", "--spec-version", "2025-11-25"];
    judged("conformance-2025", &all, "2025-11-25-stable", 40);
}

#[test]
fn the_requirements_of_2025_11_25_are_met() {
    let required = ["--requirements", "2025-11-25"];
    judged("conformance-2026", &required, "2025-11-25", 60);
}

#[test]
fn the_requirements_of_2026_07_28_are_met() {
    let required = ["--requirements", "2026-07-28"];
    judged("conformance-2026", &required, "2026-07-28", 150);
}

/// These two are not in the frozen set, but they are the only ones that try header mismatches.
#[test]
fn headers_that_contradict_the_body_are_refused() {
    let standard = [
        "--scenario",
        "http-header-validation",
        "--spec-version",
        "2026-07-28",
    ];
    judged("conformance-2026", &standard, "headers", 10);
}

#[test]
fn arguments_in_headers_that_contradict_the_body_are_refused() {
    let custom = [
        "--scenario",
        "http-custom-header-server-validation",
        "--spec-version",
        "2026-07-28",
    ];
    judged("conformance-2026", &custom, "headers", 5);
}

/// Runs one version of the suite and holds it against a baseline. `at_least`: as many checks
/// must really have been made.
fn judged(version: &str, what: &[&str], baseline: &str, at_least: usize) {
    let proxy = Proxy::bind();
    let address = proxy.address();
    let server = Server::fixture(Some(address));
    proxy.lead_to(server.address(), &server.token());

    let results = tempfile::tempdir().unwrap();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = output_of(
        Command::new(node())
            .arg(node_modules().join(version).join("dist/index.js"))
            .args(["server", "--url", &format!("http://{address}/mcp")])
            .args(what)
            .arg("--expected-failures")
            .arg(here.join(format!("baseline-{baseline}.yml")))
            .arg("-o")
            .arg(results.path()),
        LIMIT,
    );
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    let checks = count(results.path());
    println!("{version} {}: {checks:?}", what.join(" "));
    if std::env::var_os("CONFORMANCE_VERBOSE").is_some() {
        println!("{said}");
    }
    assert!(
        output.status.success(),
        "{}\n{said}\n{complained}",
        output.status
    );
    let made: usize = ["SUCCESS", "FAILURE", "WARNING"]
        .iter()
        .filter_map(|status| checks.get(*status))
        .sum();
    assert!(
        made >= at_least,
        "only {made} checks were made, not {at_least}:\n{said}"
    );
}

/// How many checks ended how, from the `checks.json` of each scenario.
fn count(folder: &Path) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name == "checks.json") {
                let checks: Vec<Value> = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
                for check in &checks {
                    let status = check["status"].as_str().unwrap().to_owned();
                    if matches!(status.as_str(), "FAILURE" | "WARNING") {
                        println!("{status} {}: {}", check["id"], check["errorMessage"]);
                    }
                    *counts.entry(status).or_default() += 1;
                }
            }
        }
    }
    counts
}

const LIMIT: Duration = Duration::from_secs(300);
