//! What the attacked servers start, in place of `kubectl`, `aws`, `dbt` and so on: it writes down
//! the words that it was given, and has the options that the advisories are about.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program of the tests"
)]

use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
};

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let calls = fs::File::options().append(true).create(true).open("calls");
    writeln!(calls.unwrap(), "{args:?}").unwrap();
    // Options end at `--`, and take their value in the same word or the next.
    let options = args.split(|word| word == "--").next().unwrap_or_default();
    let option = |name: &str| {
        let mut words = options.iter();
        while let Some(word) = words.next() {
            let Some(rest) = word.strip_prefix(name) else {
                continue;
            };
            return match rest.strip_prefix('=') {
                Some(value) => Some(value.to_owned()),
                None => words.next().cloned(),
            };
        }
        None
    };
    // kubectl: the credentials go to whatever server is named.
    if let Some(server) = option("--server") {
        let token = env::var("API_TOKEN").unwrap_or_default();
        if let Ok(mut server) = TcpStream::connect(server.trim_start_matches("http://")) {
            write!(server, "Authorization: Bearer {token}").unwrap();
        }
    }
    if let Some(address) = option("--address") {
        println!("listening on {address}");
    }
    if let Some(namespace) = option("-n") {
        println!("in the namespace {namespace}");
    }
    // dbt: a profile is loaded from there.
    if let Some(folder) = option("--profiles-dir") {
        print!(
            "{}",
            fs::read_to_string(Path::new(&folder).join("passwd")).unwrap_or_default()
        );
    }
    // docker: a folder of the host is mounted.
    if let Some(volume) = option("-v") {
        let host = volume.split(':').next().unwrap_or_default();
        print!(
            "{}",
            fs::read_to_string(Path::new(host).join("passwd")).unwrap_or_default()
        );
    }
    // aws: any value may stand in a file.
    for name in ["--cli-input-json", "--filter"] {
        if let Some(file) = option(name)
            .as_deref()
            .and_then(|value| value.strip_prefix("file://"))
        {
            print!("{}", fs::read_to_string(file).unwrap_or_default());
        }
    }
    if args.first().is_some_and(|word| word == "console") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).unwrap();
        println!("{text}");
    }
    println!("done");
}
