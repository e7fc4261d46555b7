//! Starting a program through the handle beside `Command` and a shell: in a process of its own, and
//! in a server under its sandbox, where the handle asks a helper.
//!
//! The machine is noisy, so each round times all contestants one after the other, in turning
//! order, and the printed ratio is the median of the rounds' own ratios.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a benchmark may fail loudly, and prints"
)]

mod server;

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use mcp_secure::capability::{
    Capability,
    exec::{Exec, ExecGrant, Program, Text},
    fs::__lease,
};

pub(crate) struct Echo;

impl Capability for Echo {
    const NAME: &'static str = "echo";
    const DOC: &'static str = "";
    const PRIVATE: bool = false;
}

impl Program for Echo {
    const PATH: Option<&'static str> = None;
}

pub(crate) const PROGRAM: &str = "/usr/bin/echo";
const ROUNDS: usize = 151;
const RUNS: u32 = 10;
const NAMES: [&str; 4] = [
    "std::process::Command",
    "sh -c",
    "Exec, spawner in the process",
    "Exec, helper under the sandbox",
];

fn main() -> mcp_secure::Result<()> {
    // The benchmark starts itself as the server.
    if std::env::args().nth(1).as_deref() == Some("serve") {
        return server::serve();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async { tokio::spawn(compare()).await.unwrap() });
    Ok(())
}

async fn compare() {
    let grant = ExecGrant::<Echo>::from_operator();
    let exec = Exec::__for_tests(grant, Some(Path::new(PROGRAM)), &[], __lease::new()).unwrap();
    let text = Text::parse("hello").unwrap();
    let mut times = [const { Vec::new() }; NAMES.len()];
    let mut order = [0, 1, 2, 3];
    let mut server = server::Child::start();
    for _ in 0..ROUNDS {
        for at in order {
            if at == 3 {
                times[at].push(server.run(RUNS) / RUNS);
                continue;
            }
            let start = Instant::now();
            for _ in 0..RUNS {
                let written = match at {
                    0 => plain(),
                    1 => shell(),
                    _ => {
                        let run = exec.command([]).arg(&text).run().await;
                        run.unwrap().stdout
                    }
                };
                assert!(written.ends_with(b"hello\n"));
            }
            times[at].push(start.elapsed() / RUNS);
        }
        order.rotate_left(1);
    }
    println!("one run of {PROGRAM}, with its output");
    for (at, name) in NAMES.iter().enumerate() {
        println!(
            "  {name:30} {:>8.2?}   {:.2}x Command   {:.2}x sh -c",
            median(&times[at]),
            ratio(&times[at], &times[0]),
            ratio(&times[at], &times[1]),
        );
    }
}

/// As careful code does it: no environment, and nothing on standard input.
fn plain() -> Vec<u8> {
    let mut command = std::process::Command::new(PROGRAM);
    command
        .args(["--", "hello"])
        .env_clear()
        .stdin(Stdio::null());
    command.output().unwrap().stdout
}

fn shell() -> Vec<u8> {
    let mut command = std::process::Command::new("/bin/sh");
    command
        .args(["-c", "/usr/bin/echo hello"])
        .env_clear()
        .stdin(Stdio::null());
    command.output().unwrap().stdout
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
