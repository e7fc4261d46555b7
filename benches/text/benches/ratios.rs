//! One table: each text under the rules, and how that compares to reading it and to a word search.
//!
//! `cargo bench -p mcp-secure-bench-text --bench ratios`. The best of many rounds counts, each
//! contestant in turn, so that a machine that is busy for a while slows all of them.
#![allow(clippy::expect_used, clippy::print_stdout)] // A benchmark may fail loudly.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use aho_corasick::AhoCorasick;
use mcp_secure_bench_text::{Sample, clean, descriptions, hostile};
use mcp_secure_text::{Field, fuzzing, inspect};

/// Each text is looked at for so long.
const SPAN: Duration = Duration::from_millis(400);

fn main() {
    let started = Instant::now();
    drop(inspect("ignore", Field::Description));
    println!("first call: {:.1?}\n", started.elapsed());
    let words = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(fuzzing::anchors())
        .expect("the anchors are few");
    println!("MB/s; the last two columns are inspect by word search and by byte sum");
    println!(
        "{:32} {:>9} {:>9} {:>9} {:>8} {:>8}",
        "text", "byte sum", "words", "inspect", "/words", "/sum"
    );
    let one = |sample: Sample| (sample.name, vec![sample.text], Field::ToolOutput);
    let mut texts: Vec<_> = clean().into_iter().map(one).collect();
    texts.push(("100 descriptions", descriptions(), Field::Description));
    texts.extend(hostile().into_iter().map(one));
    for (name, texts, field) in texts {
        let sum = |text: &str| {
            black_box(text.bytes().fold(0u64, |sum, b| sum.wrapping_add(b.into())));
        };
        let search = |text: &str| {
            black_box(words.find_iter(text).count());
        };
        let rules = |text: &str| drop(black_box(inspect(text, field)));
        let [sum, search, rules] = compare(&texts, [&sum, &search, &rules]);
        println!(
            "{name:32} {sum:>9.0} {search:>9.0} {rules:>9.1} {:>8.2} {:>8.4}",
            rules / search,
            rules / sum
        );
    }
}

/// How many megabytes each contestant does in a second.
fn compare(texts: &[String], work: [&dyn Fn(&str); 3]) -> [f64; 3] {
    let size: usize = texts.iter().map(String::len).sum();
    let mut best = [Duration::MAX; 3];
    let begun = Instant::now();
    while begun.elapsed() < SPAN {
        for (work, best) in work.iter().zip(&mut best) {
            let start = Instant::now();
            for text in texts {
                work(black_box(text));
            }
            *best = start.elapsed().min(*best);
        }
    }
    best.map(|best| size as f64 / best.as_secs_f64() / 1e6)
}
