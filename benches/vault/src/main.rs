//! A credential of the vault beside a plain header, through the same handle; the file of the
//! vault beside plain files.
//!
//! The machine is noisy, so each round times all contestants one after the other, in turning
//! order, and the printed ratio is the median of the rounds' own ratios.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    unreachable_pub
)]

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    path::Path,
    time::{Duration, Instant},
};

use mcp_secure::{
    capability::net::{__bench::lend_with, Get, Net, NetLimits},
    prelude::*,
    vault::{NewCredential, Placement, Vault, VaultFile, VaultKey},
};
use secrecy::SecretString;

/// The server on loopback.
#[capability(net, allow_private)]
struct Api;

const SECRET: &str = "ghp_0123456789abcdefghijklmnopqrstuvwxyz";

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(spend());
    open();
    set();
}

/// A request on a kept connection: no token, a plain bearer, one of the vault.
async fn spend() {
    const REQUESTS: u32 = 200;
    let folder = tempfile::tempdir().unwrap();
    let url = serve();
    let (file, key) = made(folder.path());
    store(&file, &key, "token", &url);
    let limits = NetLimits {
        max_per_second: 1_000_000,
        ..NetLimits::default()
    };
    let grant = || Api::from_operator().limits(limits.clone());
    let vault = Vault::file(
        folder.path().join("v"),
        VaultKey::file(folder.path().join("k")),
    );
    let none: Net<Api, Get> = lend_with(grant(), &url, None).unwrap();
    let plain: Net<Api, Get> = lend_with(grant().bearer(SECRET), &url, None).unwrap();
    let spent: Net<Api, Get> = lend_with(grant().credential("token"), &url, Some(&vault)).unwrap();
    let all = [none, plain, spent];
    let mut times = [const { Vec::new() }; 3];
    for round in 0..63 {
        for turn in 0..3 {
            let who = (round + turn) % 3;
            let begun = Instant::now();
            for _ in 0..REQUESTS {
                let sent = all[who].path("/").send().await.unwrap();
                assert_eq!(sent.bytes().await.unwrap().len(), 1024);
            }
            // The first rounds warm up.
            if round >= 3 {
                times[who].push(begun.elapsed() / REQUESTS);
            }
        }
    }
    println!("GET of 1 KiB on a kept connection, HTTP on loopback");
    report(
        &["no token", "plain bearer", "credential of the vault"],
        1,
        &times,
    );
}

/// Opening a vault of this many, beside one of one.
fn open() {
    // As many as there may be: one is the vault's own.
    const MANY: usize = 9_999;
    let folder = tempfile::tempdir().unwrap();
    let (one, many) = (folder.path().join("one"), folder.path().join("many"));
    for path in [&one, &many] {
        fs::create_dir(path).unwrap();
    }
    let (one_file, one_key) = made(&one);
    store(&one_file, &one_key, "token-0", "https://api.example");
    let many_key = VaultKey::file(many.join("k"));
    many_key.make().unwrap();
    let many_file = VaultFile::at(many.join("v"));
    many_file.__filled(&many_key, MANY).unwrap();
    let size = fs::metadata(many.join("v")).unwrap().len();
    let mut times = [const { Vec::new() }; 3];
    for round in 0..33 {
        for turn in 0..3 {
            let who = (round + turn) % 3;
            let begun = Instant::now();
            match who {
                0 => assert_eq!(one_file.list(&one_key).unwrap().len(), 1),
                1 => assert_eq!(many_file.list(&many_key).unwrap().len(), MANY),
                _ => assert_eq!(fs::read(many.join("v")).unwrap().len() as u64, size),
            }
            if round >= 3 {
                times[who].push(begun.elapsed());
            }
        }
    }
    println!("opening a vault with a key file, all of it authenticated; {size} bytes");
    report(&["1 credential", "9,999", "reading that file"], 2, &times);
}

/// Storing one in a vault of ten, beside what any program does that writes safely.
fn set() {
    let folder = tempfile::tempdir_in(".").unwrap();
    let (file, key) = made(folder.path());
    for n in 0..10 {
        store(&file, &key, &format!("token-{n}"), "https://api.example");
    }
    let size = usize::try_from(fs::metadata(folder.path().join("v")).unwrap().len()).unwrap();
    let bytes = vec![7; size];
    let plain = folder.path().join("plain");
    fs::create_dir(&plain).unwrap();
    let mut times = [const { Vec::new() }; 3];
    for round in 0..103 {
        for turn in 0..3 {
            let who = (round + turn) % 3;
            let begun = Instant::now();
            match who {
                0 => replace(&plain, &bytes),
                1 => {
                    replace(&plain, &bytes);
                    replace(&plain, &bytes);
                }
                _ => store(&file, &key, "token-3", "https://api.example"),
            }
            if round >= 3 {
                times[who].push(begun.elapsed());
            }
        }
    }
    println!("storing in a vault of 10, {size} bytes, synced with its folder");
    report(
        &[
            "write, sync, rename, sync",
            "the same twice",
            "vault set (with .prev)",
        ],
        1,
        &times,
    );
}

fn replace(folder: &Path, bytes: &[u8]) {
    let draft = folder.join("draft");
    let mut file = File::create(&draft).unwrap();
    file.write_all(bytes).unwrap();
    file.sync_all().unwrap();
    fs::rename(&draft, folder.join("file")).unwrap();
    File::open(folder).unwrap().sync_all().unwrap();
}

fn made(folder: &Path) -> (VaultFile, VaultKey) {
    let key = VaultKey::file(folder.join("k"));
    key.make().unwrap();
    let file = VaultFile::at(folder.join("v"));
    file.init(&key).unwrap();
    (file, key)
}

fn store(file: &VaultFile, key: &VaultKey, name: &str, host: &str) {
    let credential = NewCredential::new(name, Placement::Bearer, [host]).unwrap();
    file.set(key, &credential, &SecretString::from(SECRET))
        .unwrap();
}

/// Answers every request with 1 KiB.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                stream.set_nodelay(true).unwrap();
                let mut writer = stream.try_clone().unwrap();
                let mut lines = BufReader::new(stream);
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: 1024\r\n\r\n{}",
                    "x".repeat(1024)
                );
                let mut line = String::new();
                while lines.read_line(&mut line).is_ok_and(|read| read > 0) {
                    if line == "\r\n" && writer.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                    line.clear();
                }
            });
        }
    });
    url
}

/// The median of each, and of the ratios to one of them, with the quartiles.
fn report(names: &[&str; 3], to: usize, times: &[Vec<Duration>; 3]) {
    let quartiles = |mut all: Vec<f64>| {
        all.sort_by(f64::total_cmp);
        [all.len() / 4, all.len() / 2, all.len() * 3 / 4].map(|at| all[at])
    };
    for (who, name) in names.iter().enumerate() {
        let micros = times[who].iter().map(|time| time.as_secs_f64() * 1e6);
        let [_, median, _] = quartiles(micros.collect());
        let pairs = times[who].iter().zip(&times[to]);
        let [low, middle, high] = quartiles(
            pairs
                .map(|(a, b)| a.as_secs_f64() / b.as_secs_f64())
                .collect(),
        );
        println!("  {name:<28} {median:>10.1} us   {middle:.3} ({low:.3}-{high:.3})");
    }
}
