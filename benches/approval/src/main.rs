//! Seal and open beside the bare cipher over the same bytes; and questions that wait for a person,
//! a thousand and a hundred thousand of them: what the next one costs, and what all of them weigh.
//!
//! The machine is noisy, so each round times both one after the other, in turning order, and the
//! printed ratio is the median of the rounds' own ratios.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    missing_docs
)]

use std::{hint::black_box, time::Instant};

use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use mcp_secure::approval::bench::{BenchDesk, BenchSeal};

const ROUNDS: usize = 21;
const TIMES: usize = 20_000;

fn main() {
    for size in [64, 1024, 8 * 1024] {
        seals(size);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    for most in [1_000, 100_000] {
        runtime.block_on(questions(most));
    }
}

fn seals(size: usize) {
    let ours = BenchSeal::new().unwrap();
    let cipher = XChaCha20Poly1305::new(&[7; 32].into());
    let text = "x".repeat(size);
    let aad = [1_u8; 96];
    let bare = || {
        let mut nonce = [0; 24];
        getrandom::fill(&mut nonce).unwrap();
        let nonce = XNonce::from(nonce);
        let payload = |msg| Payload { msg, aad: &aad };
        let sealed = cipher.encrypt(&nonce, payload(text.as_bytes())).unwrap();
        cipher.decrypt(&nonce, payload(&sealed)).unwrap()
    };
    let times = TIMES * 64 / size.max(64);
    let timed = |run: &dyn Fn()| {
        let begun = Instant::now();
        for _ in 0..times {
            run();
        }
        begun.elapsed().as_secs_f64() / times as f64
    };
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        let own = || {
            black_box(ours.seal_and_open(black_box(&text)).unwrap());
        };
        let theirs = || {
            black_box(bare());
        };
        let (own, theirs) = match round % 2 {
            0 => (timed(&own), timed(&theirs)),
            _ => {
                let theirs = timed(&theirs);
                (timed(&own), theirs)
            }
        };
        rounds.push((own / theirs, own, theirs));
    }
    rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ratio, own, theirs) = rounds[ROUNDS / 2];
    println!(
        "seal and open {size} bytes: {:.2} µs, the bare cipher {:.2} µs, {ratio:.2} times",
        own * 1e6,
        theirs * 1e6
    );
}

async fn questions(most: usize) {
    let desk = BenchDesk::new(most).unwrap();
    let before = resident();
    let mut ids = Vec::with_capacity(most);
    for number in 0..most {
        ids.push(
            desk.ask(number, "a hundred bytes of arguments")
                .await
                .unwrap(),
        );
    }
    let weight = resident().saturating_sub(before);
    assert!(desk.ask(0, "one too many").await.is_none());
    // Full: each answer makes a place, and each question takes it.
    let times = most.min(5000);
    let begun = Instant::now();
    for (number, id) in ids.iter().take(times).enumerate() {
        assert!(desk.agree(id).await);
        desk.ask(number, "again").await.unwrap();
    }
    let each = begun.elapsed().as_secs_f64() / times as f64;
    println!(
        "{most} questions: {} KiB, {} bytes each; an answer and the next question {:.1} µs",
        weight / 1024,
        weight / most as u64,
        each * 1e6
    );
}

/// Bytes of memory of this process.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
