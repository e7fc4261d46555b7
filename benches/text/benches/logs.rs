//! What a clean line of a log costs on its way out (`sanitize`, then the search for secrets, as
//! `mcp_secure::log` does), beside a word search alone over the anchors of the text rules.
//!
//! `cargo bench -p mcp-secure-bench-text --bench logs`. The best of many rounds counts, each
//! contestant in turn.
#![allow(clippy::expect_used, clippy::print_stdout)] // A benchmark may fail loudly.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use aho_corasick::AhoCorasick;
use mcp_secure_text::{
    Policy, fuzzing, sanitize,
    secret::{Kinds, redact},
};

/// Each contestant gets half of it.
const SPAN: Duration = Duration::from_secs(3);

fn main() {
    let words = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(fuzzing::anchors())
        .expect("the anchors are few");
    let lines: Vec<String> = (0..1000)
        .map(|n| {
            format!(
                "2026-05-04T09:12:07.{n:06}Z  INFO notes::store: wrote 240 bytes of draft {n} in {} us, \
                 3 versions are kept and the oldest is of the 4th of March",
                n * 7
            )
        })
        .collect();
    let size: usize = lines.iter().map(String::len).sum();
    let clean = |line: &str| {
        let shown = sanitize(black_box(line), Policy::Strip);
        black_box(
            redact(
                shown.as_str(),
                Kinds::CREDENTIALS | Kinds::CARDS | Kinds::IBAN,
            )
            .counts()
            .total(),
        );
    };
    let search = |line: &str| {
        black_box(words.find_iter(black_box(line)).count());
    };
    let contestants: [&dyn Fn(&str); 2] = [&search, &clean];
    let mut best = [Duration::MAX; 2];
    let begun = Instant::now();
    while begun.elapsed() < SPAN {
        for (work, best) in contestants.iter().zip(&mut best) {
            let start = Instant::now();
            lines.iter().for_each(|line| work(line));
            *best = start.elapsed().min(*best);
        }
    }
    let [search, clean] = best.map(|best| size as f64 / best.as_secs_f64() / 1e6);
    println!("clean lines, MB/s: word search {search:.0}, as a log line {clean:.0}");
    println!("a log line is {:.2} of the word search", clean / search);
}
