//! Runs a program as some containers do: their seccomp filter does not know Landlock, and
//! answers `EPERM` (Docker before 23, podman with an old profile).

use std::{collections::BTreeMap, os::unix::process::CommandExt as _, process::Command};

use seccompiler::{SeccompAction, SeccompFilter, TargetArch, apply_filter};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let program = arguments.next().ok_or("no program")?;
    let calls = CREATE_RULESET..=CREATE_RULESET + 2;
    let filter = SeccompFilter::new(
        calls
            .map(|call| (call, Vec::new()))
            .collect::<BTreeMap<_, _>>(),
        SeccompAction::Allow,
        SeccompAction::Errno(1),
        TargetArch::try_from(std::env::consts::ARCH)?,
    )?;
    let filter: seccompiler::BpfProgram = filter.try_into()?;
    apply_filter(&filter)?;
    Err(Command::new(program).args(arguments).exec().into())
}

/// `landlock_create_ruleset`; the other two follow.
const CREATE_RULESET: i64 = 444;
