//! Files and TCP ports.

use ::landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, LandlockStatus, NetPort, PathBeneath, PathFd,
    Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus, Scope, make_bitflags,
};

use super::{Network, Profile};
use crate::{
    Error, Result,
    capability::{FileAccess, FileNeed},
};

/// Closes everything but what the profile names; the version of Landlock that did, 0 if none.
///
/// Every right that the newest version knows is handled; the kernel's own version decides which
/// of them it can take away.
pub(super) fn enter(profile: &Profile) -> Result<u32> {
    let broken =
        |error: &dyn std::fmt::Display| Error::new(format!("Landlock does not close: {error}"));
    let mut ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(NEWEST)))
        .map_err(|e| broken(&e))?;
    match &profile.network {
        Network::None => {
            ruleset = ruleset
                .handle_access(AccessNet::from_all(NEWEST))
                .map_err(|e| broken(&e))?;
        }
        Network::Connect { udp, .. } => {
            // Who asks name servers binds a port of the kernel's choice and sends anywhere.
            let tcp = make_bitflags!(AccessNet::{BindTcp | ConnectTcp});
            let access = if *udp {
                tcp
            } else {
                AccessNet::from_all(NEWEST)
            };
            ruleset = ruleset.handle_access(access).map_err(|e| broken(&e))?;
        }
        Network::Ambient => {}
    }
    let mut created = ruleset.create().map_err(|e| broken(&e))?;
    for need in &profile.files {
        let mut access = rights(need.access);
        if matches!(profile.network, Network::Connect { unix: true, .. }) {
            access |= AccessFs::ResolveUnix;
        }
        created = created
            .add_rule(beneath(need, access)?)
            .map_err(|e| broken(&e))?;
    }
    for path in &profile.programs {
        let need = FileNeed {
            path: path.clone(),
            access: FileAccess::Read,
            because: "a program".to_owned(),
        };
        let access = make_bitflags!(AccessFs::{Execute | ReadFile | ReadDir});
        created = created
            .add_rule(beneath(&need, access)?)
            .map_err(|e| broken(&e))?;
    }
    if let Network::Connect { ports, .. } = &profile.network {
        for port in ports {
            created = created
                .add_rule(NetPort::new(*port, AccessNet::ConnectTcp))
                .map_err(|e| broken(&e))?;
        }
    }
    let status = created.restrict_self().map_err(|e| broken(&e))?;
    Ok(match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => 0,
        (_, LandlockStatus::Available { effective_abi, .. }) => effective_abi as u32,
        _ => 0,
    })
}

fn beneath(need: &FileNeed, mut access: BitFlags<AccessFs>) -> Result<PathBeneath<PathFd>> {
    let unreachable = |error: &dyn std::fmt::Display| {
        Error::new(format!(
            "`{}`, which `{}` needs, cannot be kept within reach: {error}",
            need.path.display(),
            need.because
        ))
    };
    let meta = std::fs::metadata(&need.path).map_err(|e| unreachable(&e))?;
    if !meta.is_dir() {
        access &= AccessFs::from_file(NEWEST);
    }
    let path = PathFd::new(&need.path).map_err(|e| unreachable(&e))?;
    Ok(PathBeneath::new(path, access))
}

/// Never to execute, and never to make a device, a pipe, a socket or a link: no handle does.
fn rights(access: FileAccess) -> BitFlags<AccessFs> {
    match access {
        FileAccess::Read => make_bitflags!(AccessFs::{ReadFile | ReadDir}),
        FileAccess::Write => make_bitflags!(AccessFs::{
            ReadFile | ReadDir | WriteFile | Truncate | Refer
                | MakeReg | MakeDir | RemoveFile | RemoveDir
        }),
        FileAccess::Remove => BitFlags::from(AccessFs::RemoveFile),
    }
}

const NEWEST: ABI = ABI::V10;
