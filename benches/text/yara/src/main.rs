//! The texts of the benchmark beside, under yara-x with rules given by path.
//!
//! usage: cargo run --release -- FOLDER-WITH-YARA-RULES

use std::{
    env,
    error::Error,
    fs,
    hint::black_box,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use mcp_secure_bench_text::{clean, descriptions, hostile};
use yara_x::{Compiler, Rules, Scanner};

/// At least so long, and at least three times: the fastest round counts.
const SPAN: Duration = Duration::from_millis(500);
const ROUNDS: u32 = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args_os()
        .nth(1)
        .ok_or("the folder with the rules is missing")?;
    let rules = compile(Path::new(&folder))?;
    let mut scanner = Scanner::new(&rules);
    println!("{} rules; MB/s: byte sum, yara-x", rules.iter().len());
    for sample in clean().into_iter().chain(hostile()) {
        line(sample.name, &[sample.text], &mut scanner)?;
    }
    line("100 descriptions", &descriptions(), &mut scanner)
}

fn compile(folder: &Path) -> Result<Rules, Box<dyn Error>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    paths.retain(|path| {
        path.extension()
            .is_some_and(|end| end == "yar" || end == "yara")
    });
    paths.sort();
    let mut compiler = Compiler::new();
    for path in paths {
        // Rules of two files may have one name.
        compiler.new_namespace(&path.display().to_string());
        compiler.add_source(fs::read_to_string(&path)?.as_str())?;
    }
    Ok(compiler.build())
}

fn line(name: &str, texts: &[String], scanner: &mut Scanner<'_>) -> Result<(), Box<dyn Error>> {
    let size: usize = texts.iter().map(String::len).sum();
    let sum = speed(size, || {
        for text in texts {
            black_box(
                text.bytes()
                    .fold(0u64, |sum, byte| sum.wrapping_add(byte.into())),
            );
        }
        Ok(())
    })?;
    let yara = speed(size, || {
        for text in texts {
            black_box(scanner.scan(text.as_bytes())?.matching_rules().len());
        }
        Ok(())
    })?;
    println!("{name:32} {sum:>9.0} {yara:>9.2}");
    Ok(())
}

fn speed(
    size: usize,
    mut work: impl FnMut() -> Result<(), Box<dyn Error>>,
) -> Result<f64, Box<dyn Error>> {
    let (begun, mut rounds, mut best) = (Instant::now(), 0, Duration::MAX);
    while rounds < ROUNDS || begun.elapsed() < SPAN {
        let start = Instant::now();
        work()?;
        best = best.min(start.elapsed());
        rounds += 1;
    }
    Ok(size as f64 / best.as_secs_f64() / 1e6)
}
