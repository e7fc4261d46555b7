//! `mcp-secure`: what an auditor does with a server, away from the server.
//!
//! A server has its own verbs (`serve`, `check`, `manifest`, `client-config`); this command
//! reads what they print. `scan` reads what any server shows, whoever wrote it.

#[cfg(unix)]
mod approve;
mod audit;
mod init;
#[cfg(feature = "dev-issuer")]
mod issuer;
mod keys;
mod scan;
mod vault;
mod verify;

use std::{path::PathBuf, process::ExitCode, time::SystemTime};

use clap::{Parser, Subcommand};
use mcp_secure::{
    Error, Result,
    manifest::{Direction, Manifest},
};

#[derive(Parser)]
#[command(
    name = "mcp-secure",
    version,
    about = "Reads the manifests of hardened MCP servers, and scans what any MCP server shows."
)]
struct CommandLine {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Show a manifest as a page
    Show {
        /// What `manifest --json` of a server printed
        file: PathBuf,
    },
    /// Hold a manifest against the rules; fails if a text is refused or an exception is over
    Check {
        /// What `manifest --json` of a server printed
        file: PathBuf,
    },
    /// Print the digest of a manifest, as audit records name it
    Digest {
        /// What `manifest --json` of a server printed
        file: PathBuf,
    },
    /// Compare two manifests; fails if the second can do more than the first
    Diff {
        /// The reviewed one
        old: PathBuf,
        /// The one to review
        new: PathBuf,
    },
    /// Look for what no model should read: hidden text, orders, requests for secrets
    #[command(long_about = scan::ABOUT)]
    Scan(scan::Scan),
    /// Read what waits for a person at a server, and say yes or no
    #[cfg(unix)]
    #[command(long_about = approve::ABOUT)]
    Approve(approve::Approve),
    /// Have clippy refuse ambient authority in a server's own code
    #[command(long_about = init::ABOUT)]
    Init(init::Init),
    /// Run an authorization server on loopback, for trying things
    #[cfg(feature = "dev-issuer")]
    #[command(long_about = issuer::ABOUT)]
    Issuer(issuer::Issuer),
    /// Make, list, replace and take back the API keys of a server
    #[command(long_about = keys::ABOUT)]
    Keys(keys::Keys),
    /// Read an audit log, and find out whether it is as it was written
    #[command(long_about = audit::ABOUT)]
    Audit(audit::Audit),
    /// Keep the credentials that servers spend: encrypted, and each for its hosts
    #[command(long_about = vault::ABOUT)]
    Vault(Box<vault::Vault>),
    /// Look for what the crates of a server can reach beyond what they are handed
    #[command(long_about = verify::ABOUT)]
    Verify(verify::Verify),
}

fn main() -> ExitCode {
    match run(&CommandLine::parse().verb) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[allow(
    clippy::print_stdout,
    reason = "this is a command, and its output is the answer"
)]
fn run(verb: &Verb) -> Result<ExitCode> {
    match verb {
        Verb::Show { file } => {
            let manifest = read(file)?;
            print!("{}", manifest.to_page());
            manifest.check_expiry(SystemTime::now())?;
        }
        Verb::Check { file } => {
            let manifest = read(file)?;
            manifest.validate()?;
            let texts = manifest.texts();
            for warning in texts.warnings() {
                println!("warning   {warning}");
            }
            texts.refuse()?;
            manifest.check_expiry(SystemTime::now())?;
        }
        Verb::Digest { file } => println!("{}", read(file)?.digest()),
        Verb::Diff { old, new } => {
            let new = read(new)?;
            let changes = new.diff(&read(old)?);
            for change in &changes {
                println!("{change}");
            }
            if changes
                .iter()
                .any(|change| change.direction == Direction::Wider)
            {
                return Ok(ExitCode::FAILURE);
            }
            new.check_expiry(SystemTime::now())?;
        }
        Verb::Scan(scan) => return Ok(scan.run()),
        #[cfg(unix)]
        Verb::Approve(approve) => return approve.run(),
        Verb::Init(init) => return Ok(init.run()),
        #[cfg(feature = "dev-issuer")]
        Verb::Issuer(issuer) => return issuer.run(),
        Verb::Audit(audit) => return audit.run(),
        Verb::Keys(keys) => return keys.run(),
        Verb::Vault(vault) => return vault.run(),
        Verb::Verify(verify) => return Ok(verify.run()),
    }
    Ok(ExitCode::SUCCESS)
}

fn read(file: &PathBuf) -> Result<Manifest> {
    let text = std::fs::read_to_string(file)
        .map_err(|e| Error::new(format!("`{}` cannot be read: {e}", file.display())))?;
    Manifest::from_json(&text)
}
