//! `[approvals]`: who is asked, as the operator wants it.

use super::Config;
use crate::{
    Result,
    approval::{Approvals, Hook, Wish},
    server::{config_file::Placed, suggest},
};

/// What the section says.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct Wished {
    /// Of all tools.
    pub(in crate::server) all: Option<Placed<Wish>>,
    /// Of one, under `[approvals.NAME]`.
    pub(in crate::server) tools: Vec<(String, Placed<Wish>)>,
    pub(in crate::server) hook: Option<Placed<Hook>>,
    pub(in crate::server) sign_in: Option<Placed<String>>,
}

impl Config {
    /// Who is asked, as the code says or more strongly.
    ///
    /// # Errors
    ///
    /// When it would be weaker, or when there is no such tool.
    pub(in crate::server) fn strengthen(
        &self,
        mut approvals: Approvals,
        known: &[&str],
    ) -> Result<Approvals> {
        let Wished {
            all,
            tools,
            hook,
            sign_in: _,
        } = &self.approvals;
        let at = |place: String, section: &str| format!("{place}: `{section}`: ");
        let hook = match hook {
            Some(placed) => Some(placed.value.open().map_err(|error| {
                error.before(&at(placed.place(&self.file), "approvals.webhook"))
            })?),
            None => None,
        };
        if let Some(placed) = all {
            approvals
                .strengthen_all(&placed.value, hook.as_ref())
                .map_err(|error| error.before(&at(placed.place(&self.file), "approvals")))?;
        }
        for (tool, placed) in tools {
            let section = format!("approvals.{tool}");
            if !known.contains(&tool.as_str()) {
                return Err(self
                    .error(placed, format!("`{section}` is of what is no tool"))
                    .help(suggest::help(tool, "tools", known.iter().copied())));
            }
            approvals
                .strengthen(tool, &placed.value, hook.as_ref())
                .map_err(|error| error.before(&at(placed.place(&self.file), &section)))?;
        }
        Ok(approvals)
    }

    /// By which client persons sign in, as the operator says it. `known` is what the code says.
    ///
    /// # Errors
    ///
    /// When the two say different things.
    pub(in crate::server) fn sign_in(&self, known: Option<&str>) -> Result<Option<&str>> {
        let Some(placed) = &self.approvals.sign_in else {
            return Ok(None);
        };
        match known {
            Some(known) if known != placed.value => Err(self
                .error(
                    placed,
                    format!("`approvals.sign_in`: persons sign in by `{known}`, as the code says"),
                )
                .help("leave `sign_in` away")),
            _ => Ok(Some(&placed.value)),
        }
    }

    /// Whether the file says anything of it.
    pub(in crate::server) fn has_approvals(&self) -> bool {
        let Wished {
            all,
            tools,
            hook,
            sign_in,
        } = &self.approvals;
        all.is_some() || !tools.is_empty() || hook.is_some() || sign_in.is_some()
    }
}
