//! The part of libtest that nextest and `cargo test` speak: a list, a selection, a verdict.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    time::Instant,
};

/// One test.
pub struct Trial {
    pub name: String,
    pub run: Box<dyn FnOnce()>,
}

/// Reads libtest's arguments, and lists or runs.
pub fn run(mut trials: Vec<Trial>) -> ExitCode {
    let asked = Asked::read(std::env::args().skip(1));
    trials.retain(|trial| asked.wants(&trial.name));
    if asked.list {
        // No test is ignored, so the second question of nextest has an empty answer.
        for trial in trials.iter().filter(|_| !asked.ignored) {
            println!("{}: test", trial.name);
        }
        return ExitCode::SUCCESS;
    }
    println!("\nrunning {} tests", trials.len());
    let begun = Instant::now();
    let mut failed = Vec::new();
    let all = trials.len();
    for Trial { name, run } in trials {
        // One after the other: some measure memory and time.
        let verdict = catch_unwind(AssertUnwindSafe(run));
        println!(
            "test {name} ... {}",
            if verdict.is_ok() { "ok" } else { "FAILED" }
        );
        if verdict.is_err() {
            failed.push(name);
        }
    }
    let result = if failed.is_empty() { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {result}. {} passed; {} failed; 0 ignored; 0 measured; finished in {:.2}s\n",
        all - failed.len(),
        failed.len(),
        begun.elapsed().as_secs_f64()
    );
    for name in &failed {
        println!("failed: {name}");
    }
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(101)
    }
}

#[derive(Default)]
struct Asked {
    list: bool,
    ignored: bool,
    exact: bool,
    names: Vec<String>,
    skip: Vec<String>,
}

impl Asked {
    fn read(mut arguments: impl Iterator<Item = String>) -> Self {
        let mut asked = Self::default();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--list" => asked.list = true,
                "--ignored" => asked.ignored = true,
                "--exact" => asked.exact = true,
                "--skip" => asked.skip.extend(arguments.next()),
                "--format" | "--test-threads" | "--color" | "--logfile" | "-Z" => {
                    arguments.next();
                }
                other if other.starts_with('-') => {}
                name => asked.names.push(name.to_owned()),
            }
        }
        asked
    }

    fn wants(&self, name: &str) -> bool {
        let is = |asked: &String| {
            if self.exact {
                name == asked
            } else {
                name.contains(asked)
            }
        };
        (self.names.is_empty() || self.names.iter().any(is)) && !self.skip.iter().any(is)
    }
}
