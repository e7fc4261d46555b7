//! The table of what helpers do: for each role what it needs, and how it serves.

use super::{Channel, HelperNeeds, Role};
use crate::{Error, Result};

impl Role {
    /// For the command line of a helper, the log and the report.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Dial => "dial",
            Self::Spawn => "spawn",
            #[cfg(feature = "testing")]
            Self::Probe => "probe",
        }
    }
}

/// What a helper's own sandbox leaves open.
///
/// # Errors
///
/// When the policy is not one of this role.
pub(super) fn needs(role: Role, policy: &serde_json::Value) -> Result<HelperNeeds> {
    let _ = policy;
    match role {
        Role::Dial | Role::Spawn => Err(unknown(role)),
        #[cfg(feature = "testing")]
        Role::Probe => Ok(HelperNeeds::default()),
    }
}

/// Serves until the server is gone.
pub(super) fn serve(role: Role, policy: serde_json::Value, channel: Channel) -> Result<()> {
    let _ = policy;
    match role {
        Role::Dial | Role::Spawn => {
            drop(channel);
            Err(unknown(role))
        }
        #[cfg(feature = "testing")]
        Role::Probe => probe(&channel),
    }
}

fn unknown(role: Role) -> Error {
    Error::new(format!(
        "this program is built without the role `{}`",
        role.name()
    ))
}

/// Answers each question with what it cannot do.
#[cfg(feature = "testing")]
fn probe(channel: &Channel) -> Result<()> {
    let broken = |error| Error::new(format!("the server cannot be heard: {error}"));
    while let Some((_, conversation, _)) = channel.answer::<String>().map_err(broken)? {
        let _ = conversation.send(&crate::sandbox::probe(), &[]);
    }
    Ok(())
}
