//! The policies of a start: those of the code, then those of the operator's file.

use std::path::PathBuf;

use super::resolve::Resolved;
use crate::{
    Result,
    definition::Definition,
    policy::{Policies, PolicyEngine, Surface},
};

/// All engines, in the order in which they are asked.
pub(crate) struct Engines<'a> {
    code: &'a [Box<dyn PolicyEngine>],
    operator: Option<Box<dyn PolicyEngine>>,
}

impl<'a> Engines<'a> {
    /// Without an operator.
    #[cfg(feature = "testing")]
    pub(crate) fn of_code(code: &'a [Box<dyn PolicyEngine>]) -> Self {
        let operator = None;
        Self { code, operator }
    }

    pub(crate) fn of(code: &'a [Box<dyn PolicyEngine>], resolved: &Resolved) -> Self {
        let operator = of_operator(resolved);
        Self { code, operator }
    }

    /// Holds them against everything in the code, and says what is doubtful.
    ///
    /// # Errors
    ///
    /// When a policy cannot be read, or names what does not exist.
    pub(crate) fn prepare<S>(&self, definition: &Definition<S>) -> Result<Policies> {
        let engines = self.code.iter().chain(&self.operator);
        let (policies, told) =
            Policies::prepare(engines.map(AsRef::as_ref), || Surface::of(definition))?;
        for row in told.rows {
            tracing::info!("policies apply: {row}");
        }
        for doubt in told.doubts {
            tracing::warn!("a policy is doubtful: {doubt}");
        }
        Ok(policies)
    }

    /// The files that the tools may not write.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let engines = self.code.iter().chain(&self.operator);
        engines.flat_map(|engine| engine.files()).collect()
    }
}

#[cfg(feature = "cedar")]
fn of_operator(resolved: &Resolved) -> Option<Box<dyn PolicyEngine>> {
    let path = resolved.policies.as_ref()?;
    Some(Box::new(crate::policy::CedarPolicies::at(path)))
}

#[cfg(not(feature = "cedar"))]
fn of_operator(_: &Resolved) -> Option<Box<dyn PolicyEngine>> {
    None
}
