//! Runs a program as many containers do: their seccomp filter refuses new namespaces, and that
//! of old ones does not know Landlock either.

use std::{collections::BTreeMap, os::unix::process::CommandExt as _, process::Command};

use seccompiler::{SeccompAction, SeccompFilter, TargetArch, apply_filter};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let refused = arguments.next().ok_or("nothing is refused")?;
    let program = arguments.next().ok_or("no program")?;
    let mut calls = vec![UNSHARE];
    if refused == "unshare+landlock" {
        calls.extend(CREATE_RULESET..=CREATE_RULESET + 2);
    }
    let filter = SeccompFilter::new(
        calls
            .into_iter()
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

#[cfg(target_arch = "x86_64")]
const UNSHARE: i64 = 272;
#[cfg(not(target_arch = "x86_64"))]
const UNSHARE: i64 = 97;
/// `landlock_create_ruleset`; the other two follow.
const CREATE_RULESET: i64 = 444;
