//! What the verbs do, up to the point where a server runs.

use std::{ffi::OsString, io::Write, path::Path, time::SystemTime};

use super::{
    cli::{
        self, ClientConfigOptions, Invocation, ManifestForm, ManifestOptions, ServeOptions, Stop,
    },
    client_config,
    config::AuditTarget,
    lock,
    resolve::{Declared, Resolved},
};
use crate::{
    Error, Result,
    manifest::{Direction, Manifest},
};

/// What remains to do.
#[derive(Debug)]
pub(crate) enum Next {
    /// Serve.
    Serve(Box<Resolved>),
    /// Close the sandbox, and say what the kernel keeps.
    #[cfg(feature = "sandbox")]
    Doctor { resolved: Box<Resolved>, json: bool },
    /// Do this to the vault of the server.
    #[cfg(feature = "vault")]
    Vault(crate::vault::Verb),
    /// Leave with this code; everything is said.
    Exit(u8),
}

/// Where a verb runs: the parts of a process that it may touch.
pub(crate) struct Surroundings<'a> {
    pub(crate) exe: &'a Path,
    pub(crate) cwd: &'a Path,
    /// What day it is: exceptions end.
    pub(crate) now: SystemTime,
    pub(crate) out: &'a mut dyn Write,
    pub(crate) err: &'a mut dyn Write,
}

/// Does what the command line says, up to serving. `probe` tries what only the builder can,
/// for `check`: build the table of what is served, open the grants.
pub(crate) fn dispatch(
    args: impl IntoIterator<Item = OsString>,
    (server, version): (&'static str, &'static str),
    declared: &Declared<'_>,
    probe: impl FnOnce(&Resolved) -> Result<()>,
    around: &mut Surroundings<'_>,
) -> Next {
    let invocation = match cli::parse(server, version, args) {
        Ok(invocation) => invocation,
        Err(Stop { text, code }) => {
            let to: &mut dyn Write = if code == 0 { around.out } else { around.err };
            let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
            return Next::Exit(code);
        }
    };
    let done = match invocation {
        Invocation::Serve(options) => match serve(&options, declared, around) {
            Ok(resolved) => return Next::Serve(Box::new(resolved)),
            Err(error) => Err(error),
        },
        #[cfg(feature = "sandbox")]
        Invocation::Doctor(options) => match declared.resolve(&options.serve, around.cwd) {
            Ok(resolved) => {
                return Next::Doctor {
                    resolved: Box::new(resolved),
                    json: options.json,
                };
            }
            Err(error) => Err(error),
        },
        #[cfg(feature = "vault")]
        Invocation::Vault(verb) => return Next::Vault(verb),
        Invocation::Check(options) => check(&options, declared, probe, around),
        Invocation::Manifest(options) => manifest(&options, declared, around),
        Invocation::ClientConfig(options) => client_config(&options, declared, around),
    };
    match done {
        Ok(()) => Next::Exit(0),
        Err(error) => {
            report(&error, around.err);
            Next::Exit(START_FAILED)
        }
    }
}

/// `error: …` and its help, for whoever started the server.
pub(crate) fn report(error: &Error, to: &mut dyn Write) {
    let _ = writeln!(to, "error: {error}").and_then(|()| to.flush());
}

fn serve(
    options: &ServeOptions,
    declared: &Declared<'_>,
    around: &Surroundings<'_>,
) -> Result<Resolved> {
    declared.manifest.validate()?;
    declared.texts.refuse()?;
    if let Some(path) = &options.lock {
        lock::compare(path, &declared.manifest)?;
    }
    let resolved = declared.resolve(options, around.cwd)?;
    // A day that passes must not take a server down that ran the day before.
    for expired in declared.manifest.expired(around.now) {
        tracing::warn!("an exception is over: {expired}");
    }
    for warning in declared.texts.warnings() {
        tracing::warn!("a text is doubtful: {warning}");
    }
    Ok(resolved)
}

fn check(
    options: &ServeOptions,
    declared: &Declared<'_>,
    probe: impl FnOnce(&Resolved) -> Result<()>,
    around: &mut Surroundings<'_>,
) -> Result<()> {
    declared.manifest.validate()?;
    declared.texts.refuse()?;
    declared.manifest.check_expiry(around.now)?;
    let changes = match &options.lock {
        Some(path) => Some((path, lock::compare(path, &declared.manifest)?)),
        None => None,
    };
    let resolved = declared.resolve(options, around.cwd)?;
    probe(&resolved)?;

    let mut lines = vec![format!(
        "{} {} would serve {}",
        declared.manifest.server.name,
        declared.manifest.server.version,
        where_to(&resolved, declared)
    )];
    lines.push(format!(
        "  config    {}",
        resolved.config.as_deref().unwrap_or("none")
    ));
    for grant in &resolved.grants {
        lines.push(format!(
            "  grant     {} = {} (by {})",
            grant.name,
            grant.value_display(),
            grant.bound_by
        ));
    }
    lines.push(format!(
        "  audit     {}",
        match &resolved.audit {
            Some(AuditTarget::File(path)) => path.display().to_string(),
            Some(AuditTarget::Stderr) => "stderr".to_owned(),
            #[cfg(feature = "__bench")]
            Some(AuditTarget::Nowhere) => "nowhere".to_owned(),
            None => "the server's own place".to_owned(),
        }
    ));
    if !resolved.denied_tools.is_empty() {
        lines.push(format!("  denied    {}", resolved.denied_tools.join(", ")));
    }
    lines.push(format!(
        "  offers    {} tools, {} prompts, {} resources",
        resolved.manifest.tools.len(),
        resolved.manifest.prompts.len(),
        resolved.manifest.resources.len()
    ));
    lines.push(format!("  compiled  {}", declared.manifest.digest()));
    lines.push(format!("  effective {}", resolved.manifest.digest()));
    if let Some((path, changes)) = changes {
        let path = path.display();
        if changes.is_empty() {
            lines.push(format!("  lock      {path}: the same"));
        } else {
            lines.push(format!(
                "  lock      {path}: nothing is wider; write it again"
            ));
            lines.extend(changes.iter().map(|change| format!("    {change}")));
        }
        debug_assert!(
            changes
                .iter()
                .all(|change| change.direction != Direction::Wider)
        );
    }
    let warnings = declared.texts.warnings();
    lines.extend(warnings.map(|warning| format!("  warning   {warning}")));
    lines.push(String::new());
    say(around.out, &lines.join("\n"))
}

fn where_to(resolved: &Resolved, declared: &Declared<'_>) -> String {
    use super::resolve::Transport;
    match &resolved.transport {
        Transport::Stdio => "over stdio".to_owned(),
        Transport::Http(Some(address)) => format!("http on {address}"),
        Transport::Http(None) => match &declared.http {
            Some(http) => format!("http on {}", http.addr),
            None => "http".to_owned(),
        },
        Transport::Unix(Some(path)) => format!("http on the socket {}", path.display()),
        Transport::Unix(None) => "http on its own socket".to_owned(),
    }
}

fn manifest(
    options: &ManifestOptions,
    declared: &Declared<'_>,
    around: &mut Surroundings<'_>,
) -> Result<()> {
    let show = |manifest: &Manifest| match options.form {
        ManifestForm::Json => manifest.to_json(),
        ManifestForm::Page => manifest.to_page(),
        ManifestForm::Digest => format!("{}\n", manifest.digest()),
    };
    let text = match &options.effective {
        None => show(&declared.manifest),
        Some(bound) => show(&declared.resolve(bound, around.cwd)?.manifest),
    };
    // The page shows what is over; the exit code stops a build.
    say(around.out, &text)?;
    declared.manifest.check_expiry(around.now)
}

fn client_config(
    options: &ClientConfigOptions,
    declared: &Declared<'_>,
    around: &mut Surroundings<'_>,
) -> Result<()> {
    let resolved = declared.resolve(&options.serve, around.cwd)?;
    let rendered = client_config::render(
        options.client,
        declared,
        &options.serve,
        &resolved,
        around.exe,
        around.cwd,
    )?;
    say(around.out, &rendered.json)?;
    // The JSON can be piped on; what is for the person is not in it.
    let _ = writeln!(around.err, "{}", rendered.hint);
    Ok(())
}

pub(super) fn say(out: &mut dyn Write, text: &str) -> Result<()> {
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|e| Error::new(format!("standard output cannot be written: {e}")))
}

/// The exit code when a server does not start.
pub(crate) const START_FAILED: u8 = 1;

#[cfg(test)]
mod tests;
