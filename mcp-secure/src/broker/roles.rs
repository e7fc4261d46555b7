//! The table of what helpers do: for each role what it opens first, what its sandbox leaves
//! open, and how it serves.

use std::os::fd::OwnedFd;

use super::{Channel, HelperNeeds, Role};
use crate::{Error, Result};

/// A helper that has opened what its sandbox will not let it open.
pub(super) struct Prepared {
    /// What its sandbox leaves open.
    pub(super) needs: HelperNeeds,
    /// What it made for the server, which gets it when the sandbox has closed.
    pub(super) hand: Option<OwnedFd>,
    /// Serves until the server is gone.
    pub(super) serve: Box<dyn FnOnce(Channel) -> std::io::Result<()>>,
}

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

/// Before its sandbox closes.
///
/// # Errors
///
/// When the policy is not one of this role, or the program is built without it.
pub(super) fn prepare(role: Role, policy: serde_json::Value) -> Result<Prepared> {
    match role {
        #[cfg(feature = "tcp")]
        Role::Dial => dial(policy),
        #[cfg(not(feature = "tcp"))]
        Role::Dial => Err(without(role, policy)),
        #[cfg(feature = "exec")]
        Role::Spawn => spawn(policy),
        #[cfg(not(feature = "exec"))]
        Role::Spawn => Err(without(role, policy)),
        #[cfg(feature = "testing")]
        Role::Probe => Ok(Prepared {
            needs: HelperNeeds::default(),
            hand: None,
            serve: Box::new(|channel| probe(&channel)),
        }),
    }
}

#[cfg(not(all(feature = "tcp", feature = "exec")))]
fn without(role: Role, _: serde_json::Value) -> Error {
    Error::new(format!(
        "this program is built without the role `{}`",
        role.name()
    ))
}

/// Sockets to granted endpoints.
#[cfg(feature = "tcp")]
fn dial(policy: serde_json::Value) -> Result<Prepared> {
    use crate::capability::{FileAccess, FileNeed, dial};

    let policy: dial::DialPolicy = serde_json::from_value(policy)
        .map_err(|e| Error::new(format!("the policy of the dialer is malformed: {e}")))?;
    let needs = dial::helper_needs(&policy);
    let files = needs
        .read
        .into_iter()
        .chain(needs.sockets.iter().cloned())
        // A system without a hosts file, or a service that is not up yet.
        .filter(|path| path.exists())
        .map(|path| FileNeed {
            path,
            access: FileAccess::Read,
            because: "dial".to_owned(),
        })
        .collect();
    Ok(Prepared {
        needs: HelperNeeds {
            files,
            connect_ports: needs.tcp_ports.into_iter().collect(),
            udp: !needs.udp_ports.is_empty(),
            unix_connect: !needs.sockets.is_empty(),
            ..HelperNeeds::default()
        },
        hand: None,
        serve: Box::new(|channel| dial::serve(channel, policy)),
    })
}

/// Runs of one granted program.
#[cfg(feature = "exec")]
fn spawn(policy: serde_json::Value) -> Result<Prepared> {
    let mut helper = crate::capability::exec::Helper::prepare(policy)?;
    Ok(Prepared {
        needs: helper.needs(),
        hand: helper.hand(),
        serve: Box::new(move |channel| helper.serve(&channel)),
    })
}

/// Answers each question with what it cannot do.
#[cfg(feature = "testing")]
fn probe(channel: &Channel) -> std::io::Result<()> {
    while let Some((_, conversation, _)) = channel.answer::<String>()? {
        conversation.send(&crate::sandbox::probe(), &[])?;
    }
    Ok(())
}
