//! Programs, and other processes.

use std::{ffi::CString, io::Write as _, os::unix::process::CommandExt as _, process::Command};

use nix::sys::{ptrace, uio};
use rustix::{
    fs::MemfdFlags,
    io::Errno,
    process::{
        DumpableBehavior, Pid, PidfdFlags, PidfdGetfdFlags, Resource, Rlimit, Signal, getrlimit,
    },
};

use crate::{Around, Rows, unless};

pub(crate) const ATTEMPTS: Rows = &[
    ("spawn a shell", |_| {
        let status = Command::new("/bin/sh").args(["-c", "exit 0"]).status()?;
        Ok(status.to_string())
    }),
    ("execute a path", |_| {
        // It would not come back.
        unless::<()>(Err(Command::new("/nonexistent").exec()), &[Errno::NOENT])
    }),
    ("execute a descriptor", |_| {
        // Empty: the kernel looks into it, and finds no program.
        let memory = rustix::fs::memfd_create("x", MemfdFlags::CLOEXEC)?;
        let name = CString::default();
        let done = nix::unistd::fexecve(&memory, &[&name], &[&name]);
        unless(done, &[Errno::NOEXEC, Errno::ACCESS])
    }),
    ("run a script from memory", |_| {
        let memory = rustix::fs::memfd_create("x", MemfdFlags::empty())?;
        let number = rustix::fd::AsRawFd::as_raw_fd(&memory);
        let mut file = std::fs::File::from(memory);
        file.write_all(b"#!/bin/sh\nexit 0\n")?;
        let status = Command::new(format!("/proc/self/fd/{number}")).status()?;
        Ok(status.to_string())
    }),
    ("signal another process", |around| {
        rustix::process::kill_process(victim(around)?, Signal::CONT)?;
        Ok("sent".to_owned())
    }),
    ("ptrace another process", |around| {
        let pid = nix::unistd::Pid::from_raw(around.victim);
        ptrace::attach(pid)?;
        let _ = nix::sys::wait::waitpid(pid, None);
        ptrace::detach(pid, None)?;
        Ok("attached".to_owned())
    }),
    ("read another process's memory", |around| {
        let mut byte = [0; 1];
        let mut here = [std::io::IoSliceMut::new(&mut byte)];
        let there = [uio::RemoteIoVec { base: 8, len: 1 }];
        let pid = nix::unistd::Pid::from_raw(around.victim);
        // Nothing is mapped there.
        unless(
            uio::process_vm_readv(pid, &mut here, &there),
            &[Errno::FAULT],
        )
    }),
    ("take another process's descriptor", |around| {
        let pid = rustix::process::pidfd_open(victim(around)?, PidfdFlags::empty())?;
        rustix::process::pidfd_getfd(&pid, 0, PidfdGetfdFlags::empty())?;
        Ok("taken".to_owned())
    }),
    ("change another process's limits", |around| {
        let pid = Some(victim(around)?);
        let files = getrlimit(Resource::Nofile);
        rustix::process::prlimit(pid, Resource::Nofile, files)?;
        Ok("done".to_owned())
    }),
    ("raise a limit", |_| {
        let core = getrlimit(Resource::Core);
        let raised = Rlimit {
            current: Some(core.maximum.unwrap_or(1).max(1)),
            maximum: core.maximum,
        };
        rustix::process::setrlimit(Resource::Core, raised)?;
        Ok("done".to_owned())
    }),
    (
        "be dumped, or looked into by a debugger",
        |_| match rustix::process::dumpable_behavior()? {
            DumpableBehavior::NotDumpable => Err(Errno::PERM.into()),
            other => Ok(format!("{other:?}")),
        },
    ),
    ("be dumpable again", |_| {
        rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable)?;
        Ok("done".to_owned())
    }),
    ("read a variable that the client passed on", |_| {
        std::env::var("API_TOKEN").map_err(std::io::Error::other)
    }),
];

fn victim(around: &Around) -> std::io::Result<Pid> {
    Pid::from_raw(around.victim).ok_or_else(|| std::io::Error::other("no process"))
}
