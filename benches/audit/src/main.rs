//! What the audit log costs, beside a plain JSONL writer in the same run: a record that need not be
//! durable, one that must be (64 at once), a verification beside the hash alone, and a whole call
//! over stdio beside the same call that leaves no record.
//!
//! The durable records are measured twice: as the disk is, and with two milliseconds on top of each sync
//! for both contestants. A virtual disk may say "done" in microseconds; one that keeps its word
//! takes some milliseconds.
//!
//! The machine is noisy: each round times all contestants one after the other, and the printed
//! ratio is the median of the rounds' own ratios. A folder on a real disk may be named.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing
)]

mod call;

use std::{
    fs::File,
    io::{Read as _, Write as _},
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use mcp_secure::{
    audit::{AuditSink, Verify, bench},
    serde_json,
};
use sha2::{Digest as _, Sha256};

/// As a server writes it of a call that only reads, over HTTP.
const RECORD: &str = r#"{"v":2,"event":"outcome","ts":"2026-11-28T07:00:00.000000000Z","id":"5b0cf7a2f3c64a7f","transport":"http","protocol":"2026-07-28","op":"tools/call","target":"read_note","principal":{"issuer":"https://issuer.example","subject":"alice@example.com","client":"notes-client","assurance":"access_token"},"arguments":"name=string(12) text=string(120)","arguments_digest":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","key":"77b1f0e2c6a84d13","bytes_in":171,"decision":"allow","outcome":"ok","bytes_out":512,"steps":[{"kind":"fs","capability":"notes","action":"read","file":"1f0c9a77e2b34d56","outcome":"ok","bytes_in":512,"bytes_out":0}],"duration_us":131,"phases":{"queue_us":60,"tool_us":60},"manifest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}"#;

/// Parsed once: what is measured writes it anew each time, as a server does.
fn record() -> &'static serde_json::Value {
    static PARSED: std::sync::LazyLock<serde_json::Value> =
        std::sync::LazyLock::new(|| serde_json::from_str(RECORD).unwrap());
    &PARSED
}

fn main() {
    // A server starts its program anew with few variables: only the command line says what it is.
    if std::env::args().nth(1).as_deref() == Some(call::SERVER) {
        return call::serve();
    }
    let root = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let folder = tempfile::Builder::new()
        .prefix("audit-bench-")
        .tempdir_in(root)
        .unwrap();
    println!("record of {} bytes", line().len());
    let rounds = std::env::args()
        .nth(2)
        .map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let mut ratios: [Vec<f64>; 10] = Default::default();
    for round in 0..rounds {
        let path = folder.path().join(format!("r{round}"));
        let ours = cpu(|| chained(&path.with_extension("chain")));
        let plain = cpu(|| plain(&path.with_extension("plain")));
        ratios[0].push(ours / plain);
        let group = group_commit(&path.with_extension("group"));
        let each = sync_each(&path.with_extension("each"), Duration::ZERO);
        ratios[1].push(group / each);
        bench::slow_syncs(SLOW);
        let slow_group = group_commit(&path.with_extension("slow-group"));
        let slow_each = sync_each(&path.with_extension("slow-each"), SLOW);
        bench::slow_syncs(Duration::ZERO);
        ratios[3].push(slow_group / slow_each);
        let [audited, plain_line, without] = call::cpu(folder.path(), round, call::What::Echo);
        ratios[4].push(audited / without);
        ratios[5].push(plain_line / without);
        ratios[6].push(audited / plain_line);
        let [file, file_line, file_without] = call::cpu(folder.path(), round, call::What::File);
        ratios[7].push(file / file_without);
        ratios[8].push(file_line / file_without);
        ratios[9].push(file / file_line);
        let (verify, hash) = verification(&path.with_extension("chain"));
        ratios[2].push(hash / verify);
        println!(
            "round {round}: a record, processor time: chained {:.2} us, plain JSONL {:.2} us; \
             durable, 64 at once: {group:.0}/s, one sync each {each:.0}/s; verified {verify:.0} \
             us/MiB, hash alone {hash:.0} us/MiB; slow disk {slow_group:.0}/s, {slow_each:.0}/s; a \
             call {audited:.1} us, with a plain line {plain_line:.1} us, without a record \
             {without:.1} us; one that reads 4 KiB {file:.1} us, {file_line:.1} us, \
             {file_without:.1} us",
            ours * 1e6 / RECORDS as f64,
            plain * 1e6 / RECORDS as f64,
        );
    }
    let names = [
        "chained ÷ plain JSONL (processor time)",
        "group commit ÷ one sync each (rate)",
        "verification ÷ hash alone (rate)",
        "group commit ÷ one sync each (rate), each sync 2 ms longer",
        "audited call ÷ the same without a record (processor time)",
        "call with a plain JSONL line ÷ the same without a record (processor time)",
        "audited call ÷ call with a plain JSONL line (processor time)",
        "a call that reads 4 KiB, audited ÷ without a record (processor time)",
        "the same with a plain JSONL line ÷ without a record (processor time)",
        "the same, audited ÷ with a plain JSONL line (processor time)",
    ];
    for (name, ratios) in names.iter().zip(&mut ratios) {
        ratios.sort_by(f64::total_cmp);
        println!("{name}: {:.2}", ratios[ratios.len() / 2]);
    }
}

fn line() -> Vec<u8> {
    serde_json::to_vec(record()).unwrap()
}

/// Processor time of the whole process, in seconds.
fn cpu(act: impl FnOnce()) -> f64 {
    // In hundredths of a second; threads that have ended count as well.
    let now = || {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
        (ticks(11) + ticks(12)) / 100.0
    };
    let before = now();
    act();
    now() - before
}

/// Four producers, as a runtime has threads. The log stays open until the time is taken.
fn chained(path: &Path) {
    let sink = AuditSink::file(path).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..RECORDS / 4 {
                    // As a busy server: it does not outrun the disk for long.
                    while bench::write(&sink, record()).is_err() {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                }
            });
        }
    });
    bench::close(&sink);
}

/// What everybody else does: a lock, a buffer, a line.
fn plain(path: &Path) {
    let out = Mutex::new(
        File::options()
            .append(true)
            .create(true)
            .open(path)
            .unwrap(),
    );
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..RECORDS / 4 {
                    let mut line = line();
                    line.push(b'\n');
                    out.lock().unwrap().write_all(&line).unwrap();
                }
            });
        }
    });
}

/// Durable records a second, 64 callers.
fn group_commit(path: &Path) -> f64 {
    let sink = Arc::new(AuditSink::file(path).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let begun = Instant::now();
    let count = runtime.block_on(async {
        let callers: Vec<_> = (0..64)
            .map(|_| {
                let sink = Arc::clone(&sink);
                tokio::spawn(async move {
                    for _ in 0..DURABLE / 64 {
                        bench::write_durably(&sink, record()).await.unwrap();
                    }
                    DURABLE / 64
                })
            })
            .collect();
        let mut count = 0;
        for caller in callers {
            count += caller.await.unwrap();
        }
        count
    });
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    bench::close(&sink);
    rate
}

fn sync_each(path: &Path, slower: Duration) -> f64 {
    let mut out = File::options()
        .append(true)
        .create(true)
        .open(path)
        .unwrap();
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < Duration::from_secs(1) {
        let mut line = line();
        line.push(b'\n');
        out.write_all(&line).unwrap();
        out.sync_data().unwrap();
        if !slower.is_zero() {
            std::thread::sleep(slower);
        }
        count += 1;
    }
    f64::from(count) / begun.elapsed().as_secs_f64()
}

/// Microseconds for each MiB: all keys checked, and SHA-256 over the same bytes.
fn verification(path: &Path) -> (f64, f64) {
    let begun = Instant::now();
    let mut size = 0.0;
    for segment in mcp_secure::audit::segments(path).unwrap() {
        let mut bytes = Vec::new();
        File::open(segment)
            .unwrap()
            .read_to_end(&mut bytes)
            .unwrap();
        std::hint::black_box(Sha256::digest(&bytes));
        size += bytes.len() as f64 / f64::from(1 << 20);
    }
    let hash = begun.elapsed();
    let begun = Instant::now();
    let seen = Verify::of(path).run().unwrap();
    let verify = begun.elapsed();
    assert!(seen.findings.is_empty() && seen.keyed);
    (
        verify.as_secs_f64() * 1e6 / size,
        hash.as_secs_f64() * 1e6 / size,
    )
}

const SLOW: Duration = Duration::from_millis(2);
const ROUNDS: usize = 5;
const RECORDS: usize = 200_000;
const DURABLE: usize = 19_200;
