//! `audit verify`

use std::{fmt::Write as _, path::PathBuf, process::ExitCode};

use clap::Args;
use mcp_secure::{Error, Result, audit};

use super::read::print;

#[derive(Args)]
pub(crate) struct Verify {
    /// The log
    path: PathBuf,
    /// The key that verifies it, from where it was moved to
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The public key of its signatures, from elsewhere
    #[arg(long = "pub", value_name = "FILE")]
    public: Option<PathBuf>,
    /// A checkpoint, or the anchor file, from elsewhere
    #[arg(long, value_name = "FILE")]
    head: Option<PathBuf>,
    /// The public key of a witness that must have cosigned the checkpoints of `--head`
    #[arg(long, value_name = "FILE", requires = "head")]
    witness: Option<PathBuf>,
    /// For programs
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let mut verify = audit::Verify::of(&self.path);
        if let Some(key) = &self.key {
            verify = verify.key(key);
        }
        if let Some(public) = &self.public {
            verify = verify.public(public);
        }
        if let Some(head) = &self.head {
            verify = verify.head(head);
        }
        if let Some(witness) = &self.witness {
            verify = verify.witness(witness);
        }
        let seen = verify.run()?;
        let text = match self.json {
            true => {
                serde_json::to_string(&seen).map_err(|e| Error::new(format!("no JSON: {e}")))?
                    + "\n"
            }
            false => page(&seen),
        };
        print(text.as_bytes())?;
        Ok(match seen.findings.is_empty() {
            true => ExitCode::SUCCESS,
            false => ExitCode::from(FOUND),
        })
    }
}

fn page(seen: &audit::Verification) -> String {
    let mut page = format!(
        "log {}: {} records in {} segments, {} signatures, the first {} records signed, keyed \
         hashes {}, {} external heads, {} of them cosigned\n",
        audit::shown(&seen.log),
        seen.records,
        seen.segments,
        seen.checkpoints,
        seen.signed,
        if seen.keyed { "checked" } else { "not checked" },
        seen.heads,
        seen.witnessed,
    );
    for one in &seen.findings {
        let _ = writeln!(
            page,
            "found  {}:{}{}: {}",
            audit::shown(&one.file),
            one.line,
            one.seq
                .map(|seq| format!(" record {seq}"))
                .unwrap_or_default(),
            audit::shown(&one.reason)
        );
    }
    for note in &seen.notes {
        let _ = writeln!(page, "note   {}", audit::shown(note));
    }
    page.push_str(match seen.findings.is_empty() {
        true => "nothing was found\n",
        false => "the log is not as it was written\n",
    });
    page
}

/// Exit code: the log is not as it was written.
const FOUND: u8 = 3;
