//! Which system calls are refused, and why.
//!
//! Landlock knows files and TCP ports. This closes what it does not mediate: other kinds of
//! sockets, TCP Fast Open and MPTCP (both were measured to pass Landlock's port rules),
//! `io_uring` (which makes calls that no filter sees), other processes, rights and times of
//! files by their path, and the parts of the kernel that a server never needs. It is a list of
//! what is refused, since a server's own dependencies may call anything that is harmless.

use libc::*;

use super::{
    Network, Profile,
    bpf::{Answer, Rule, Test, assemble},
};

/// Closes the calls for every thread of this process, for good.
pub(super) fn enter(profile: &Profile) -> Result<(), String> {
    let program = assemble(ARCH, &rules(profile, rustix::process::getpid()));
    seccompiler::apply_filter_all_threads(&program).map_err(|error| error.to_string())
}

fn rules(profile: &Profile, own: rustix::process::Pid) -> Vec<(i64, Rule)> {
    let own = own.as_raw_nonzero().get().cast_unsigned();
    let mut rules = Vec::with_capacity(128);
    // First what has conditions: these are called often, and older kernels walk the list.
    sockets(&profile.network, &mut rules);
    // Keys typed into the terminal of whoever started the server.
    let mut controls = vec![TIOCSTI as u32, TIOCLINUX];
    // Another memory layout, another tracer; and, below, to be dumpable again.
    let mut processes = vec![PR_SET_MM.cast_unsigned(), PR_SET_PTRACER.cast_unsigned()];
    // `kill` and `tgkill` of oneself are how a process aborts. What another process of the
    // sandbox may be sent is Landlock's to say, where it can.
    if !profile.starts_programs() {
        rules.extend([
            (SYS_kill, refuse_if([Test::NotIn(0, ALL, vec![own])])),
            (SYS_tgkill, refuse_if([Test::NotIn(0, ALL, vec![own])])),
            // A thread, and in no new namespace. A new process is somebody who could execute.
            (
                SYS_clone,
                refuse_if([Test::None(0, CLONE_THREAD as u32), Test::Any(0, NAMESPACES)]),
            ),
        ]);
        rules.extend(always(Answer::Refused, &[SYS_execve, SYS_execveat]));
        rules.extend(always(Answer::Refused, OTHER_PROCESSES));
        #[cfg(target_arch = "x86_64")]
        rules.extend(always(Answer::Refused, &[SYS_fork, SYS_vfork]));
        // A limit that is lowered stays so. Reading them is how a thread's stack is made.
        rules.push((SYS_prlimit64, refuse_if([Test::Set(2)])));
        rules.extend(always(Answer::Refused, &[SYS_setrlimit]));
        // By path, the kernel asks nobody but the owner's id: Landlock does not mediate these.
        rules.push((SYS_utimensat, refuse_if([Test::Set(1)])));
        rules.extend(always(Answer::Refused, BY_PATH));
        // Whom the kernel signals when a descriptor is ready.
        let owner = [F_SETOWN, F_SETOWN_EX].map(i32::cast_unsigned);
        rules.push((SYS_fcntl, refuse_if([Test::In(1, owner.into())])));
        controls.extend([FIOSETOWN, SIOCSPGRP]);
        processes.push(PR_SET_DUMPABLE.cast_unsigned());
    } else {
        rules.push((SYS_clone, refuse_if([Test::Any(0, NAMESPACES)])));
    }
    rules.extend([
        (SYS_prctl, refuse_if([Test::In(0, processes)])),
        (SYS_ioctl, refuse_if([Test::In(1, controls)])),
        // Its flags lie in memory, where no filter sees them; the C library falls back.
        (SYS_clone3, Rule::Always(Answer::Missing)),
    ]);
    rules.extend(always(Answer::Refused, KERNEL));
    #[cfg(target_arch = "x86_64")]
    rules.extend(always(Answer::Refused, KERNEL_X86));
    rules
}

fn sockets(network: &Network, rules: &mut Vec<(i64, Rule)>) {
    // A pair is how a runtime talks to itself. A pair of datagram sockets could send to any
    // socket with a path (`sendmsg` names its target in memory), and the kernel makes one of
    // `SOCK_RAW`, too.
    rules.push((
        SYS_socketpair,
        refuse_if([
            Test::NotIn(0, ALL, vec![AF_UNIX.cast_unsigned()]),
            Test::NotIn(
                1,
                KIND,
                vec![SOCK_STREAM.cast_unsigned(), SOCK_SEQPACKET.cast_unsigned()],
            ),
        ]),
    ));
    let fast_open = MSG_FASTOPEN.cast_unsigned();
    rules.push((SYS_sendmsg, refuse_if([Test::Any(2, fast_open)])));
    rules.push((SYS_sendmmsg, refuse_if([Test::Any(3, fast_open)])));
    let mut send = vec![Test::Any(3, fast_open)];
    match network {
        Network::None => {
            send.push(Test::Set(4));
            rules.extend(always(
                Answer::Refused,
                &[SYS_socket, SYS_connect, SYS_bind, SYS_listen],
            ));
        }
        Network::Connect {
            ports, udp, unix, ..
        } => {
            let mut families = Vec::new();
            if !ports.is_empty() || *udp {
                families.extend([AF_INET.cast_unsigned(), AF_INET6.cast_unsigned()]);
            }
            if *unix {
                families.push(AF_UNIX.cast_unsigned());
            }
            let mut kinds = vec![SOCK_STREAM.cast_unsigned()];
            if *udp {
                kinds.push(SOCK_DGRAM.cast_unsigned());
            }
            rules.push((SYS_socket, refuse_if(socket_tests(families, kinds))));
            rules.extend(always(Answer::Refused, &[SYS_listen]));
            if !*udp {
                send.push(Test::Set(4));
                rules.extend(always(Answer::Refused, &[SYS_bind]));
            }
        }
        Network::Ambient => {
            let families = [AF_INET, AF_INET6, AF_UNIX].map(i32::cast_unsigned);
            let kinds = [SOCK_STREAM, SOCK_DGRAM].map(i32::cast_unsigned);
            rules.push((SYS_socket, refuse_if(socket_tests(families, kinds))));
        }
    }
    rules.push((SYS_sendto, refuse_if(send)));
}

/// Plain TCP and UDP only: no MPTCP (its connects were measured to pass Landlock's ports), no
/// SCTP, no raw, netlink, packet, vsock or crypto sockets.
fn socket_tests(families: impl Into<Vec<u32>>, kinds: impl Into<Vec<u32>>) -> [Test; 3] {
    let protocols = [0, IPPROTO_TCP, IPPROTO_UDP].map(i32::cast_unsigned);
    [
        Test::NotIn(0, ALL, families.into()),
        Test::NotIn(1, KIND, kinds.into()),
        Test::NotIn(2, ALL, protocols.into()),
    ]
}

fn refuse_if(tests: impl Into<Vec<Test>>) -> Rule {
    Rule::RefuseIf(tests.into())
}

fn always(answer: Answer, calls: &[c_long]) -> impl Iterator<Item = (i64, Rule)> {
    calls.iter().map(move |call| (*call, Rule::Always(answer)))
}

/// Into other processes, and messages to them beside sockets.
const OTHER_PROCESSES: &[c_long] = &[
    SYS_tkill,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    SYS_pidfd_send_signal,
    SYS_shmget,
    SYS_shmat,
    SYS_msgget,
    SYS_semget,
    SYS_mq_open,
    SYS_mq_unlink,
    SYS_migrate_pages,
    SYS_move_pages,
    // What happens in a folder that is not granted.
    SYS_inotify_add_watch,
];

/// Owner, rights, times and labels of what a path names.
const BY_PATH: &[c_long] = &[
    #[cfg(target_arch = "x86_64")]
    SYS_chmod,
    SYS_fchmodat,
    FCHMODAT2,
    #[cfg(target_arch = "x86_64")]
    SYS_chown,
    #[cfg(target_arch = "x86_64")]
    SYS_lchown,
    SYS_fchownat,
    #[cfg(target_arch = "x86_64")]
    SYS_utime,
    #[cfg(target_arch = "x86_64")]
    SYS_utimes,
    #[cfg(target_arch = "x86_64")]
    SYS_futimesat,
    SYS_setxattr,
    SYS_lsetxattr,
    SYS_removexattr,
    SYS_lremovexattr,
    SETXATTRAT,
    REMOVEXATTRAT,
    FILE_SETATTR,
];

/// What no server asks of a kernel, and every escape does.
const KERNEL: &[c_long] = &[
    // Calls that no filter sees.
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    // Other processes' memory and descriptors.
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_process_madvise,
    SYS_process_mrelease,
    SYS_pidfd_getfd,
    SYS_kcmp,
    // Namespaces and mounts.
    SYS_unshare,
    SYS_setns,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
    SYS_move_mount,
    SYS_open_tree,
    OPEN_TREE_ATTR,
    SYS_mount_setattr,
    STATMOUNT,
    LISTMOUNT,
    // Files without a path, devices.
    SYS_open_by_handle_at,
    SYS_name_to_handle_at,
    SYS_mknodat,
    SYS_fanotify_init,
    SYS_fanotify_mark,
    SYS_quotactl,
    SYS_quotactl_fd,
    SYS_swapon,
    SYS_swapoff,
    SYS_acct,
    // Programs in the kernel, keys, and the means of exploits.
    SYS_bpf,
    SYS_perf_event_open,
    SYS_add_key,
    SYS_keyctl,
    SYS_request_key,
    SYS_userfaultfd,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_kexec_file_load,
    SYS_personality,
    SYS_syslog,
    SYS_lookup_dcookie,
    // The machine.
    SYS_reboot,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_clock_adjtime,
    SYS_adjtimex,
    SYS_vhangup,
];

#[cfg(target_arch = "x86_64")]
const KERNEL_X86: &[c_long] = &[
    SYS_mknod,
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
    SYS_uselib,
    SYS_ustat,
];

/// Every namespace that `clone` makes. `CLONE_NEWTIME` has no place in its flags.
const NAMESPACES: u32 = (CLONE_NEWNS
    | CLONE_NEWCGROUP
    | CLONE_NEWUTS
    | CLONE_NEWIPC
    | CLONE_NEWUSER
    | CLONE_NEWPID
    | CLONE_NEWNET)
    .cast_unsigned();

/// The kind of a socket, without `SOCK_NONBLOCK` and `SOCK_CLOEXEC`.
const KIND: u32 = 0xf;
const ALL: u32 = u32::MAX;

const TIOCLINUX: u32 = 0x541c;
const FIOSETOWN: u32 = 0x8901;
const SIOCSPGRP: u32 = 0x8902;
const F_SETOWN_EX: i32 = 15;

// The numbers of new calls are the same on all architectures.
const FCHMODAT2: c_long = 452;
const STATMOUNT: c_long = 457;
const LISTMOUNT: c_long = 458;
const SETXATTRAT: c_long = 463;
const REMOVEXATTRAT: c_long = 466;
const OPEN_TREE_ATTR: c_long = 467;
const FILE_SETATTR: c_long = 469;

// `linux/audit.h`
#[cfg(target_arch = "x86_64")]
const ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCH: u32 = 0xc000_00b7;

#[cfg(test)]
mod tests {
    use super::{super::bpf::tests::run, *};
    use crate::broker::HelperNeeds;

    fn answer(profile: &Profile, call: c_long, first: [u64; 5]) -> u32 {
        let program = assemble(ARCH, &rules(profile, rustix::process::getpid()));
        let [a, b, c, d, e] = first;
        let number = u32::try_from(call).unwrap();
        run(&program, ARCH, number, [a, b, c, d, e, 0])
    }

    /// Most of these have no safe wrapper to be tried with.
    #[test]
    fn calls_that_make_a_process_or_reach_another_are_refused_with_their_arguments() {
        let own = u64::from(std::process::id());
        let (thread, user) = (CLONE_THREAD as u64, CLONE_NEWUSER as u64);
        let fast_open = MSG_FASTOPEN as u64;
        let closed = Profile::from(HelperNeeds::default());
        let allowed = answer(&closed, SYS_read, [0; 5]);
        for (call, first) in [
            (SYS_clone, [SIGCHLD as u64, 0, 0, 0, 0]),
            (SYS_clone, [(CLONE_VM | CLONE_VFORK) as u64, 0, 0, 0, 0]),
            (SYS_clone, [thread | user, 0, 0, 0, 0]),
            (SYS_clone3, [0; 5]),
            #[cfg(target_arch = "x86_64")]
            (SYS_fork, [0; 5]),
            #[cfg(target_arch = "x86_64")]
            (SYS_vfork, [0; 5]),
            (SYS_execve, [0; 5]),
            (SYS_execveat, [0; 5]),
            (SYS_kill, [own + 1, 9, 0, 0, 0]),
            (SYS_kill, [0, 9, 0, 0, 0]),
            (SYS_kill, [u64::MAX, 9, 0, 0, 0]),
            (SYS_tgkill, [own + 1, own + 1, 9, 0, 0]),
            (SYS_tkill, [own, 9, 0, 0, 0]),
            (SYS_pidfd_send_signal, [0; 5]),
            (SYS_prlimit64, [0, 0, 1, 0, 0]),
            (SYS_setrlimit, [0; 5]),
            (SYS_prctl, [PR_SET_DUMPABLE as u64, 1, 0, 0, 0]),
            (SYS_prctl, [PR_SET_PTRACER as u64, own, 0, 0, 0]),
            (SYS_prctl, [PR_SET_MM as u64, 0, 0, 0, 0]),
            (SYS_ioctl, [0, TIOCSTI, 0, 0, 0]),
            (SYS_ioctl, [0, u64::from(FIOSETOWN), 0, 0, 0]),
            (SYS_fcntl, [0, F_SETOWN as u64, own, 0, 0]),
            (SYS_fcntl, [0, F_SETOWN_EX as u64, own, 0, 0]),
            (SYS_sendmsg, [3, 0, fast_open, 0, 0]),
            (SYS_sendmmsg, [3, 0, 1, fast_open, 0]),
            (SYS_sendto, [3, 0, 0, fast_open, 0]),
            (SYS_sendto, [3, 0, 0, 0, 1]),
            (SYS_socketpair, [AF_UNIX as u64, SOCK_DGRAM as u64, 0, 0, 0]),
            (SYS_bpf, [0; 5]),
            (SYS_userfaultfd, [0; 5]),
            (SYS_io_uring_enter, [0; 5]),
        ] {
            assert_ne!(answer(&closed, call, first), allowed, "{call} {first:?}");
        }
        for (call, first) in [
            (SYS_clone, [thread, 0, 0, 0, 0]),
            (SYS_kill, [own, 6, 0, 0, 0]),
            (SYS_tgkill, [own, own, 6, 0, 0]),
            (SYS_prlimit64, [0; 5]),
            (SYS_prctl, [PR_SET_NAME as u64, 0, 0, 0, 0]),
            (SYS_sendmsg, [3, 0, MSG_NOSIGNAL as u64, 0, 0]),
            (SYS_sendto, [3, 0, 0, 0, 0]),
            (
                SYS_socketpair,
                [AF_UNIX as u64, SOCK_STREAM as u64, 0, 0, 0],
            ),
        ] {
            assert_eq!(answer(&closed, call, first), allowed, "{call} {first:?}");
        }
        // A spawner starts programs, and no namespaces.
        let spawns = Profile::from(HelperNeeds {
            exec_paths: vec!["/bin/true".into()],
            ..HelperNeeds::default()
        });
        let clone = |flags| answer(&spawns, SYS_clone, [flags, 0, 0, 0, 0]);
        assert_eq!(clone(SIGCHLD as u64), allowed);
        assert_ne!(clone(SIGCHLD as u64 | user), allowed);
        assert_ne!(answer(&spawns, SYS_clone3, [0; 5]), allowed);
        assert_ne!(answer(&spawns, SYS_ptrace, [0; 5]), allowed);
    }
}
