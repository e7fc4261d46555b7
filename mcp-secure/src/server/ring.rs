//! The OS ring, as `run` puts it on: a clean start first, then helpers, then the doors.

use std::ffi::OsString;

use super::{
    cli::{self, Invocation},
    config::Config,
    resolve::Resolved,
};
use crate::{
    Result,
    capability::Opening,
    sandbox::{Row, Sandbox, SandboxReport},
};

/// Leaves behind what was inherited, if this command line is one that serves; may start the
/// program again. It comes before the manifest, which would be made twice: that is most of a
/// start. What is wrong with the options is said later, by who reads them in earnest.
pub(super) fn start_clean(
    sandbox: &Sandbox,
    (server, version): (&'static str, &'static str),
    arguments: &[OsString],
) -> Vec<Row> {
    let options = match cli::parse(server, version, arguments.iter().cloned()) {
        Ok(Invocation::Serve(options)) => options,
        Ok(Invocation::Doctor(options)) => options.serve,
        _ => return Vec::new(),
    };
    let config = Config::find(options.config.as_deref(), server);
    let env = config.ok().flatten().map(|config| config.env());
    sandbox
        .clone()
        .with_operator(None, &env.unwrap_or_default())
        .start_clean()
}

/// A ring that is not closed yet.
pub(super) struct Ring {
    sandbox: Sandbox,
    rows: Vec<Row>,
}

impl Ring {
    /// With what the operator asks for, and what came of the clean start.
    pub(super) fn begin(sandbox: Sandbox, resolved: &Resolved, rows: Vec<Row>) -> Self {
        let sandbox = sandbox.with_operator(resolved.require, &resolved.env);
        Self { sandbox, rows }
    }

    /// Starts the helpers and closes the process.
    ///
    /// # Errors
    ///
    /// When a helper does not start, or a path that is needed is not there.
    pub(super) fn close(&mut self, opening: Opening) -> Result<SandboxReport> {
        let helpers = self.helpers(opening.helpers)?;
        let rows = std::mem::take(&mut self.rows);
        self.sandbox.close(opening.needs, rows, helpers)
    }

    /// Says what is not whole, and refuses when more was asked for.
    ///
    /// # Errors
    ///
    /// When the level is below the required one.
    pub(super) fn judge(&self, report: &SandboxReport) -> Result<()> {
        self.suffices(report)?;
        for weak in report.weak() {
            tracing::warn!("the sandbox has a gap: {weak}");
        }
        Ok(())
    }

    /// # Errors
    ///
    /// When the level is below the required one.
    pub(super) fn suffices(&self, report: &SandboxReport) -> Result<()> {
        self.sandbox.suffices(report)
    }

    #[cfg(target_os = "linux")]
    fn helpers(
        &self,
        specs: Vec<crate::broker::HelperSpec>,
    ) -> Result<Vec<crate::sandbox::HelperReport>> {
        // Without a sandbox nothing is forbidden here that a helper would do.
        if !self.sandbox.is_on() {
            return Ok(Vec::new());
        }
        #[cfg(feature = "testing")]
        let specs = {
            let mut specs = specs;
            if self.sandbox.probe {
                specs.push(crate::broker::HelperSpec {
                    role: crate::broker::Role::Probe,
                    name: "probe".to_owned(),
                    policy: serde_json::Value::Null,
                    line: crate::broker::Line::default(),
                });
            }
            specs
        };
        crate::broker::start(specs, &self.sandbox)
    }

    #[cfg(not(target_os = "linux"))]
    fn helpers(
        &self,
        _: Vec<crate::broker::HelperSpec>,
    ) -> Result<Vec<crate::sandbox::HelperReport>> {
        Ok(Vec::new())
    }
}
