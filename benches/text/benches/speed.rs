//! The text rules beside a byte sum and a word search, on the same texts in one run.
//!
//! `cargo bench -p mcp-secure-bench-text`; a word after `--` selects, as in `-- Russian`. The sum of
//! machine words is what reading the text costs; the byte sum, what a plain loop over its bytes does;
//! the word search (an automaton with the words of which a text has one if any rule matches, in any
//! case, in no reading but the text itself), what the cheapest rules over
//! words would.
#![allow(clippy::expect_used)] // A benchmark may fail loudly.

use std::{hint::black_box, time::Duration};

use aho_corasick::AhoCorasick;
use criterion::{Criterion, Throughput};
use mcp_secure_bench_text::{Sample, clean, descriptions, hostile};
use mcp_secure_text::{Field, Policy, fuzzing, inspect, sanitize, secret};

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .sample_size(20)
        .configure_from_args();
    let words = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(fuzzing::anchors())
        .expect("the anchors are few");
    for Sample { name, text } in clean() {
        compare(
            &mut criterion,
            &format!("clean: {name}"),
            &[text],
            Field::ToolOutput,
            &words,
        );
    }
    compare(
        &mut criterion,
        "clean: 100 descriptions",
        &descriptions(),
        Field::Description,
        &words,
    );
    for Sample { name, text } in hostile() {
        compare(
            &mut criterion,
            &format!("hostile: {name}"),
            &[text],
            Field::ToolOutput,
            &words,
        );
    }
    criterion.final_summary();
}

fn compare(
    criterion: &mut Criterion,
    name: &str,
    texts: &[String],
    field: Field,
    words: &AhoCorasick,
) {
    let size: usize = texts.iter().map(String::len).sum();
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Bytes(size as u64));
    let mut contestant = |name: &str, work: &dyn Fn(&str)| {
        group.bench_function(name, |bencher| {
            bencher.iter(|| texts.iter().for_each(|text| work(black_box(text))));
        });
    };
    contestant("u64 sum", &|text| {
        let words = text.as_bytes().chunks_exact(8);
        let word = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_ne_bytes);
        black_box(words.fold(0u64, |sum, bytes| sum.wrapping_add(word(bytes))));
    });
    contestant("byte sum", &|text| {
        black_box(
            text.bytes()
                .fold(0u64, |sum, byte| sum.wrapping_add(byte.into())),
        );
    });
    contestant("inspect", &|text| {
        drop(black_box(inspect(text, field)));
    });
    contestant("sanitize", &|text| {
        drop(black_box(sanitize(text, Policy::Strip)));
    });
    contestant("secrets", &|text| {
        black_box(secret::find(text, secret::Kinds::default()).count());
    });
    contestant("word search", &|text| {
        black_box(words.find_iter(text).count());
    });
    group.finish();
}
