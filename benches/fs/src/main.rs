//! The filesystem handle beside `std::fs`, `tokio::fs` and a path check.
//!
//! The machine is noisy, so each round times all contestants one after the other, in
//! turning order, and the printed ratio is the median of the rounds' own ratios.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing
)]

use std::{
    fs,
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use mcp_secure::capability::{
    Capability,
    fs::{__lease, Fs, FsLimits, FsPolicy, FsRoot, OpenRoot, ReadOnly, RelPath},
};

struct Notes;

impl FsRoot for Notes {}
impl Capability for Notes {
    const NAME: &'static str = "notes";
    const DOC: &'static str = "";
    const PRIVATE: bool = false;
}

type Handle = Fs<Notes, ReadOnly>;

const ROUNDS: usize = 201;
const READS: u32 = 200;

fn main() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().canonicalize().unwrap();
    let paths = ["note.md", "a/b/c/d/note.md"].map(|path| RelPath::parse(path).unwrap());
    fs::create_dir_all(root.join("a/b/c/d")).unwrap();
    for path in &paths {
        fs::write(root.join(path.as_str()), [b'x'; 1024]).unwrap();
    }
    let open = |portable: bool| {
        let (policy, limits) = (FsPolicy::default(), FsLimits::default());
        let opened = if portable {
            OpenRoot::__open_portable(&root, policy, limits)
        } else {
            OpenRoot::open(&root, policy, limits)
        };
        Handle::__for_tests(&opened.unwrap(), __lease::new())
    };
    let (handle, portable) = (open(false), open(true));
    for (path, depth) in paths.iter().zip([1, 5]) {
        core(&root, &handle, &portable, path, depth);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    for (path, depth) in paths.iter().zip([1, 5]) {
        // Calls run on the workers, as a server's do; `block_on` would add a third thread.
        let (handle, path, full) = (handle.clone(), path.clone(), root.join(path.as_str()));
        runtime
            .block_on(runtime.spawn(wrapped(handle, path, full, depth)))
            .unwrap();
    }
}

fn core(root: &Path, handle: &Handle, portable: &Handle, path: &RelPath, depth: u32) {
    let full = root.join(path.as_str());
    let mut contestants: [(&str, &dyn Fn() -> Vec<u8>); 4] = [
        ("std::fs::read", &|| fs::read(&full).unwrap()),
        ("canonicalize, starts_with, read", &|| {
            let real = full.canonicalize().unwrap();
            assert!(real.starts_with(root));
            fs::read(real).unwrap()
        }),
        ("Fs, openat2", &|| handle.__read_sync(path).unwrap()),
        ("Fs, name by name", &|| portable.__read_sync(path).unwrap()),
    ];
    let mut times = [const { Vec::new() }; 4];
    let mut order = [0, 1, 2, 3];
    for _ in 0..ROUNDS {
        for at in order {
            let start = Instant::now();
            for _ in 0..READS {
                black_box((contestants[at].1)());
            }
            times[at].push(start.elapsed() / READS);
        }
        order.rotate_left(1);
    }
    println!("read 1 KiB, depth {depth}, synchronous");
    for (at, (name, _)) in contestants.iter_mut().enumerate() {
        println!(
            "  {name:32} {:>8.2?}   {:.2}x std   {:.2}x canonicalize",
            median(&times[at]),
            ratio(&times[at], &times[0]),
            ratio(&times[at], &times[1]),
        );
    }
}

async fn wrapped(handle: Handle, path: RelPath, full: std::path::PathBuf, depth: u32) {
    let (mut tokio_times, mut ours) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        for turn in 0..2 {
            let start = Instant::now();
            if (round + turn) % 2 == 0 {
                for _ in 0..READS {
                    black_box(tokio::fs::read(&full).await.unwrap());
                }
                tokio_times.push(start.elapsed() / READS);
            } else {
                for _ in 0..READS {
                    black_box(handle.read(&path).await.unwrap());
                }
                ours.push(start.elapsed() / READS);
            }
        }
    }
    println!("read 1 KiB, depth {depth}, asynchronous");
    println!("  {:32} {:>8.2?}", "tokio::fs::read", median(&tokio_times));
    println!(
        "  {:32} {:>8.2?}   {:.2}x tokio",
        "Fs::read",
        median(&ours),
        ratio(&ours, &tokio_times)
    );
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

/// The median of the ratios within each round.
fn ratio(ours: &[Duration], theirs: &[Duration]) -> f64 {
    let mut ratios: Vec<f64> = ours
        .iter()
        .zip(theirs)
        .map(|(a, b)| a.as_secs_f64() / b.as_secs_f64())
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}
