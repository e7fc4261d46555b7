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
            Self::Credential => "credential",
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
        #[cfg(feature = "vault")]
        Role::Credential => credential(policy),
        #[cfg(not(feature = "vault"))]
        Role::Credential => Err(without(role, policy)),
        #[cfg(feature = "testing")]
        Role::Probe => Ok(Prepared {
            needs: HelperNeeds::default(),
            hand: None,
            serve: Box::new(|channel| probe(&channel)),
        }),
    }
}

#[cfg(not(all(feature = "tcp", feature = "exec", feature = "vault")))]
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

/// Runs of the program that knows a credential.
#[cfg(feature = "vault")]
fn credential(policy: serde_json::Value) -> Result<Prepared> {
    let helper = crate::vault::Helper::prepare(policy)?;
    Ok(Prepared {
        needs: helper.needs(),
        hand: None,
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

#[cfg(all(test, feature = "tcp"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::capability::dial::{DialPolicy, DialRule, HostRule};

    /// The needs of a helper that dials for these hosts.
    fn needs(hosts: &[HostRule]) -> HelperNeeds {
        let rules = hosts.iter().zip(["a", "b"]);
        let policy = DialPolicy {
            rules: rules
                .map(|(host, name)| DialRule::new(name, host.clone(), 5432))
                .collect(),
        };
        let policy = serde_json::to_value(policy).unwrap();
        prepare(Role::Dial, policy).unwrap().needs
    }

    #[test]
    fn a_helper_that_dials_reaches_what_its_rules_are_for() {
        let address = HostRule::Literal("10.0.0.1".parse().unwrap());
        let only_connects = HelperNeeds {
            connect_ports: vec![5432],
            ..HelperNeeds::default()
        };
        assert_eq!(needs(std::slice::from_ref(&address)), only_connects);
        let name = HostRule::Exact("db.example.com".to_owned());
        let asks = needs(&[address, name]);
        assert_eq!(asks.connect_ports, [53, 5432]);
        assert!(asks.udp && !asks.unix_connect && asks.exec_paths.is_empty());
        for file in &asks.files {
            let path = file.path.to_str().unwrap();
            assert!(["/etc/resolv.conf", "/etc/hosts"].contains(&path), "{path}");
            assert_eq!(file.access, crate::capability::FileAccess::Read);
        }
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s");
        std::fs::write(&socket, "").unwrap();
        let unix = needs(&[HostRule::Unix(socket.clone())]);
        assert!(unix.unix_connect && !unix.udp && unix.connect_ports.is_empty());
        let [file] = &unix.files[..] else {
            unreachable!("{:?}", unix.files);
        };
        assert_eq!(file.path, socket);
    }
}
