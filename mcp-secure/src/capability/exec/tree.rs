//! The processes of one run, wherever they went.
//!
//! A process group is left with `setsid`, and a parent by dying first. So the spawner is the
//! *subreaper*: whoever loses its parent becomes its child, and is found there. Which run an
//! orphan belongs to is read from a limit that the kernel stopped enforcing in 2.4.25,
//! `RLIMIT_LOCKS`: every run starts with another value of it, and children inherit it.

use std::{
    collections::BTreeMap,
    fs::File,
    os::unix::fs::FileExt as _,
    process::Child,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions, getrlimit, kill_process,
    kill_process_group, prlimit, setrlimit, waitid,
};

use super::ExecLimits;

/// Whose children a spawner kills.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    #[cfg_attr(
        not(feature = "sandbox"),
        allow(dead_code, reason = "without a sandbox there are no helpers")
    )]
    /// All of them: the process is a spawner and nothing else.
    Helper,
    /// Those of its runs only: the server may have others.
    Server,
}

/// The children of this process, by run.
pub(super) struct Forest {
    owner: Owner,
    /// `children` in `/proc` of the threads that get any; opened before a sandbox closes. Empty
    /// where the kernel was built without it.
    children: Vec<File>,
    load: Option<File>,
    next: AtomicU64,
    /// The first process of each run, by its mark.
    live: Mutex<BTreeMap<u64, Pid>>,
}

/// A run's value of `RLIMIT_LOCKS`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark(u64);

impl Forest {
    /// For the thread that starts the programs.
    pub(super) fn new(owner: Owner) -> std::io::Result<Self> {
        let own = rustix::process::getpid();
        rustix::process::set_child_subreaper(Some(own))?;
        // Orphans go to the first thread, programs to the one that starts them.
        let first = format!("self/task/{}", own.as_raw_nonzero());
        let mut paths = vec![format!("/proc/{first}/children")];
        let this = std::fs::read_link("/proc/thread-self")?;
        if !this.ends_with(format!("task/{}", own.as_raw_nonzero())) {
            paths.push("/proc/thread-self/children".to_owned());
        }
        Ok(Self {
            owner,
            children: paths.iter().flat_map(File::open).collect(),
            load: File::open("/proc/loadavg").ok(),
            next: AtomicU64::new(FIRST_MARK),
            live: Mutex::default(),
        })
    }

    /// Starts the program of a run. This process wears the mark of the run meanwhile, so that the
    /// program has it from its first moment. It gets its exact limits here, right after: in a
    /// helper it begins with the helper's own, which are wider, in a server with none.
    pub(super) fn plant(
        &self,
        limits: &ExecLimits,
        start: impl FnOnce() -> std::io::Result<Child>,
    ) -> std::io::Result<(Child, Pid, Mark)> {
        // Held all the while: an orphan is judged by the runs that are known.
        let mut live = self.live();
        let mark = self.next.fetch_add(1, Ordering::Relaxed);
        let own = getrlimit(Resource::Locks);
        setrlimit(Resource::Locks, locks(mark))?;
        let started = start();
        setrlimit(Resource::Locks, own)?;
        let child = started?;
        let pid = Pid::from_child(&child);
        for (resource, value) in [
            (Resource::Core, 0),
            (Resource::Fsize, limits.file_size),
            (Resource::As, limits.memory),
            (Resource::Nofile, limits.open_files),
            (Resource::Nproc, self.processes(limits)),
        ] {
            set(Some(pid), resource, value, value);
        }
        let seconds = limits.cpu.as_secs().max(1);
        // At the soft limit a signal that names it, at the hard one the end.
        set(Some(pid), Resource::Cpu, seconds, seconds + 1);
        live.insert(mark, pid);
        Ok((child, pid, Mark(mark)))
    }

    /// What may run at once. The kernel counts all processes of the user, so that a fixed number
    /// would be too small on a desktop and too large on a server: it is so many beyond what runs
    /// on the machine now.
    fn processes(&self, limits: &ExecLimits) -> u64 {
        let mut text = [0; 64];
        let read = self
            .load
            .as_ref()
            .and_then(|file| file.read_at(&mut text, 0).ok());
        let text = std::str::from_utf8(text.get(..read.unwrap_or(0)).unwrap_or_default());
        let running = text.ok().and_then(|text| {
            text.split_whitespace()
                .nth(3)?
                .split_once('/')?
                .1
                .parse()
                .ok()
        });
        running.unwrap_or(UNKNOWN).saturating_add(limits.processes)
    }

    /// The run is over: kills its group, and then every orphan with its mark, until none is left.
    /// The first process is a child that nobody has waited for, so its number is still its own.
    pub(super) fn fell(&self, mark: Mark, first: Pid, reap: impl FnOnce()) {
        let _ = kill_process_group(first, Signal::KILL);
        reap();
        let begun = Instant::now();
        // One at a time: two that look at the same orphan would each change its mark.
        let mut live = self.live();
        live.remove(&mark.0);
        loop {
            let mut found = false;
            for child in self.listed() {
                if !live.values().any(|first| *first == child) && self.is_felled(child, mark, &live)
                {
                    found = true;
                    let _ = kill_process(child, Signal::KILL);
                    wait(child);
                }
            }
            // What one leaves behind when it is killed is found in the next round.
            if !found || begun.elapsed() > ENOUGH {
                return;
            }
        }
    }

    /// Whether an orphan belongs to the run that ended, or to none.
    fn is_felled(&self, child: Pid, mark: Mark, live: &BTreeMap<u64, Pid>) -> bool {
        // The only way to read another's limit without `/proc` is to set it.
        match prlimit(Some(child), Resource::Locks, locks(mark.0)) {
            Ok(old) => match old.current {
                Some(other) if other != mark.0 && live.contains_key(&other) => {
                    let _ = prlimit(Some(child), Resource::Locks, locks(other));
                    false
                }
                Some(other) if other == mark.0 => true,
                other if self.owner == Owner::Server => {
                    let old = Rlimit {
                        current: other,
                        ..locks(mark.0)
                    };
                    let _ = prlimit(Some(child), Resource::Locks, old);
                    false
                }
                _ => true,
            },
            // It took its own limit away, which no honest program does.
            Err(_) => self.owner == Owner::Helper,
        }
    }

    fn listed(&self) -> Vec<Pid> {
        let mut listed = Vec::new();
        for file in &self.children {
            let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
            while let Ok(read @ 1..) = file.read_at(&mut buffer, text.len() as u64) {
                text.extend_from_slice(buffer.get(..read).unwrap_or_default());
            }
            let text = String::from_utf8_lossy(&text).into_owned();
            listed.extend(
                text.split_whitespace()
                    .filter_map(|pid| Pid::from_raw(pid.parse().ok()?)),
            );
        }
        listed
    }

    fn live(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Pid>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Never above what this process has itself.
fn set(pid: Option<Pid>, resource: Resource, soft: u64, hard: u64) {
    let most = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let new = Rlimit {
        current: Some(soft.min(most)),
        maximum: Some(hard.min(most)),
    };
    // It fails for a process that has ended already.
    let _ = prlimit(pid, resource, new);
}

fn locks(mark: u64) -> Rlimit {
    Rlimit {
        current: Some(mark),
        maximum: getrlimit(Resource::Locks).maximum,
    }
}

/// Waits for a killed child; not for ever, as one may hang in the kernel.
fn wait(child: Pid) {
    let begun = Instant::now();
    while begun.elapsed() < ENOUGH {
        match waitid(
            WaitId::Pid(child),
            WaitIdOptions::EXITED | WaitIdOptions::NOHANG,
        ) {
            Ok(None) => std::thread::sleep(Duration::from_micros(200)),
            Err(rustix::io::Errno::INTR) => {}
            _ => return,
        }
    }
}

/// Marks are odd values that nobody sets by hand.
const FIRST_MARK: u64 = 0x6d63_7000_0000;
const ENOUGH: Duration = Duration::from_secs(1);
/// Threads of the machine, if nobody says.
const UNKNOWN: u64 = 4096;
