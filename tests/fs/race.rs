//! The race that path checkers lose: a folder and a file are swapped for links, as fast as
//! the kernel can, while they are read and written.

use std::{
    env, fs,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use mcp_secure::capability::fs::RelPath;

use crate::tree::{Backend, SECRET, Tree, rel};

/// Set `MCP_SECURE_RACE_SECONDS` for a longer or shorter race.
const SECONDS: u64 = 10;

#[derive(Default)]
struct Score {
    tries: AtomicU64,
    inside: AtomicU64,
    escapes: AtomicU64,
}

impl Score {
    fn count(&self, read: Option<&[u8]>) {
        self.tries.fetch_add(1, Relaxed);
        match read {
            Some(bytes) if bytes == SECRET.as_bytes() => self.escapes.fetch_add(1, Relaxed),
            Some(_) => self.inside.fetch_add(1, Relaxed),
            None => 0,
        };
    }

    fn show(&self, who: &str) -> String {
        let n = |counter: &AtomicU64| counter.load(Relaxed);
        let (tries, inside, escapes) = (n(&self.tries), n(&self.inside), n(&self.escapes));
        format!("{who}: {tries} tries, {inside} read inside, {escapes} escapes")
    }
}

#[test]
fn a_link_swapped_in_at_any_moment_leads_nowhere_while_a_path_check_leaks() {
    let seconds = env::var("MCP_SECURE_RACE_SECONDS")
        .ok()
        .and_then(|s| s.parse().ok());
    let seconds = Duration::from_secs(seconds.unwrap_or(SECONDS));
    // One arena a contestant, so that each has an attacker of its own pace.
    let trees = [Backend::Kernel, Backend::Portable, Backend::Kernel].map(arena);
    let [kernel, portable, control] = &trees;
    let scores: [Score; 3] = Default::default();
    let (stop, flips) = (AtomicBool::new(false), AtomicU64::new(0));
    let start = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Relaxed) {
                for tree in &trees {
                    flip(&tree.root);
                }
                flips.fetch_add(2 * trees.len() as u64, Relaxed);
            }
        });
        for (tree, score) in [kernel, portable].into_iter().zip(&scores) {
            let stop = &stop;
            scope.spawn(move || read(tree, score, stop));
            scope.spawn(move || write(tree, stop));
        }
        scope.spawn(|| check_then_read(&control.root, &scores[2], &stop));
        thread::sleep(seconds);
        stop.store(true, Relaxed);
    });
    println!("{:?}, {} swaps", start.elapsed(), flips.load(Relaxed));
    for (score, who) in scores
        .iter()
        .zip(["openat2", "name by name", "canonicalise and check"])
    {
        println!("{}", score.show(who));
    }
    for (tree, score) in [kernel, portable].into_iter().zip(&scores) {
        assert_eq!(score.escapes.load(Relaxed), 0);
        assert!(score.inside.load(Relaxed) > 0, "nothing was read at all");
        // Neither content nor a single name was written outside.
        tree.is_unharmed();
    }
    assert!(
        scores[2].escapes.load(Relaxed) > 0,
        "the control must lose, or there was no race"
    );
}

fn arena(backend: Backend) -> Tree {
    let tree = Tree::new(backend);
    fs::create_dir(tree.root.join("d")).unwrap();
    for inside in ["d/secret.txt", "f"] {
        fs::write(tree.root.join(inside), "inside").unwrap();
    }
    tree.link("../outside", "d-link");
    tree.link("../outside/secret.txt", "f-link");
    tree
}

const TARGETS: [&str; 2] = ["d/secret.txt", "f"];

/// Swaps the folder with a link to the outside, and the file likewise.
fn flip(root: &Path) {
    for name in ["d", "f"] {
        let (name, link) = (root.join(name), root.join(format!("{name}-link")));
        exchange(&name, &link);
    }
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn exchange(a: &Path, b: &Path) {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    // A write in the folder may hold it for a moment; the next round comes soon.
    let _ = renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE);
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn exchange(a: &Path, b: &Path) {
    let aside = a.with_extension("aside");
    let _ = fs::rename(a, &aside);
    let _ = fs::rename(b, a);
    let _ = fs::rename(&aside, b);
}

fn read(tree: &Tree, score: &Score, stop: &AtomicBool) {
    let targets = TARGETS.map(rel);
    while !stop.load(Relaxed) {
        for target in &targets {
            score.count(tree.fs.__read_sync(target).ok().as_deref());
        }
    }
}

fn write(tree: &Tree, stop: &AtomicBool) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let [new, dir, secret] = ["d/new.txt", "d/new", "d/secret.txt"].map(rel);
    runtime.block_on(async {
        let fs = &tree.fs;
        while !stop.load(Relaxed) {
            let _ = fs.create_dir(&dir).await;
            let _ = fs.remove_dir(&dir).await;
            let _ = fs.write(&new, "inside").await;
            let _ = fs.remove_file(&new).await;
            let _ = fs.append(&secret, "").await;
            let _: Result<_, _> = fs
                .rename(&RelPath::parse("inside.txt").unwrap(), &new)
                .await;
            let _ = fs.rename(&new, &rel("inside.txt")).await;
        }
        // A folder or file that was left behind inside is no matter here.
    });
}

/// What most servers do.
fn check_then_read(root: &Path, score: &Score, stop: &AtomicBool) {
    while !stop.load(Relaxed) {
        for target in TARGETS {
            let path = root.join(target);
            let read = path
                .canonicalize()
                .ok()
                .filter(|real| real.starts_with(root))
                .and_then(|_| fs::read(&path).ok());
            score.count(read.as_deref());
        }
    }
}
