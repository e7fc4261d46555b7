//! What a process may become, and what it leaves behind.

use rustix::{
    process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit},
    thread::{
        CapabilitiesSecureBits, CapabilitySet, CapabilitySets, capabilities as current,
        clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
        set_capabilities_secure_bits, set_no_new_privs,
    },
};

use super::Row;
use crate::broker::HelperLimits;

/// No core dump and no debugger; limits that only go down.
pub(super) fn limits(limits: &HelperLimits) -> Vec<Row> {
    let fixed = |value| Rlimit {
        current: Some(value),
        maximum: Some(value),
    };
    let core = setrlimit(Resource::Core, fixed(0))
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable));
    // What it may open now is all it may ever.
    let files = getrlimit(Resource::Nofile);
    let wanted = [
        (
            Resource::Nofile,
            limits.open_files.or(files.current).map(|wanted| {
                let most = files.maximum.unwrap_or(u64::MAX);
                fixed(wanted.min(most))
            }),
        ),
        (Resource::Fsize, limits.file_size.map(fixed)),
        (Resource::As, limits.memory.map(fixed)),
        (Resource::Cpu, limits.cpu_seconds.map(fixed)),
        (Resource::Nproc, limits.processes.map(fixed)),
    ];
    let set = wanted
        .into_iter()
        .filter_map(|(resource, limit)| Some((resource, limit?)))
        .try_for_each(|(resource, limit)| setrlimit(resource, limit));
    vec![
        Row::done("memory", "no core dump, no debugger", core),
        Row::done("limits", "never raised", set),
    ]
}

/// What is executed after this has no rights that this process does not have: no set-user-ID
/// program helps. Both rings need it.
pub(super) fn no_new() -> Row {
    Row::done("new privileges", "none", set_no_new_privs(true))
}

/// Root without capabilities is a user who happens to own much.
pub(super) fn capabilities() -> Row {
    const NAME: &str = "capabilities";
    let now = match current(None) {
        Ok(now) => now,
        Err(error) => return Row::done(NAME, "none", Err(error)),
    };
    // Bounding set and bits need one of the rights that go; without it, nothing can come back
    // that is not there, and no program gives any.
    if now.effective.contains(CapabilitySet::SETPCAP) {
        for capability in CapabilitySet::all().iter() {
            let _ = remove_capability_from_bounding_set(capability);
        }
        let bits = CapabilitiesSecureBits::NO_ROOT
            | CapabilitiesSecureBits::NO_ROOT_LOCKED
            | CapabilitiesSecureBits::NO_SETUID_FIXUP
            | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
            | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
            | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED;
        let _ = set_capabilities_secure_bits(bits);
    }
    let _ = clear_ambient_capability_set();
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    Row::done(NAME, "none", set_capabilities(None, none))
}

/// The threads of this process.
pub(super) fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count)
}
