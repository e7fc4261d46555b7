//! A program that says what it got, and misbehaves on request. Its first word is the request.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::zombie_processes,
    reason = "a program of the tests"
)]

use std::{
    env, fs,
    io::{Read as _, Write as _},
    os::unix::process::CommandExt as _,
    process::{Command, Stdio, exit},
    thread,
    time::Duration,
};

use serde_json::json;

fn main() {
    let args: Vec<String> = env::args().collect();
    if ["tell", "fill", "allocate", "open"].contains(&args[1].as_str()) {
        limits_are_there();
    }
    match args[1].as_str() {
        "tell" => println!("{}", surroundings(&args)),
        "cat" => {
            let mut text = Vec::new();
            std::io::stdin().read_to_end(&mut text).unwrap();
            std::io::stdout().write_all(&text).unwrap();
        }
        "exit" => exit(args[2].parse().unwrap()),
        "abort" => std::process::abort(),
        "flood" => flood(std::io::stdout().lock()),
        "flood-errors" => flood(std::io::stderr().lock()),
        "spin" => loop {
            std::hint::spin_loop();
        },
        "sleep" => sleep(),
        "fill" => {
            let mut file = fs::File::create("filled").unwrap();
            loop {
                file.write_all(&[b'x'; 4096]).unwrap();
            }
        }
        "allocate" => {
            let mut all: Vec<Vec<u8>> = Vec::new();
            loop {
                let mut more = Vec::new();
                if more.try_reserve_exact(16 << 20).is_err() {
                    println!("refused after {} MiB", all.len() * 16);
                    return;
                }
                all.push(more);
            }
        }
        "open" => {
            let files: Vec<_> = (0..4096)
                .map_while(|_| fs::File::open("/dev/null").ok())
                .collect();
            println!("{}", files.len());
        }
        "read" => match fs::read_to_string(&args[args.len() - 1]) {
            Ok(text) => print!("{text}"),
            Err(error) => println!("{error}"),
        },
        "connect" => match std::net::TcpStream::connect(&args[args.len() - 1]) {
            Ok(_) => println!("connected"),
            Err(error) => println!("{error}"),
        },
        "shell" => match Command::new("/bin/sh")
            .args(["-c", "echo a shell"])
            .output()
        {
            Ok(output) => print!("{}", String::from_utf8_lossy(&output.stdout)),
            Err(error) => println!("{error}"),
        },
        "write" => fs::write("written", "by the program").unwrap(),
        // A tree: itself, a child, one in another group, and a daemon that lost its parents.
        "tree" => {
            tree(&args[2..]);
            sleep();
        }
        "tree-and-go" => {
            tree(&args[2..]);
            println!("gone");
        }
        "daemon" => {
            rustix::process::setsid().unwrap();
            again("sleep");
        }
        other => panic!("no request `{other}`"),
    }
}

fn surroundings(args: &[String]) -> serde_json::Value {
    let env: Vec<_> = env::vars()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut fds: Vec<u32> = fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .filter_map(|fd| {
            let fd = fd.unwrap();
            // The descriptor of this very listing is gone when it is looked at.
            let open = fs::read_link(fd.path()).is_ok_and(|to| !to.ends_with("fd"));
            open.then(|| fd.file_name().to_str()?.parse().ok())
                .flatten()
        })
        .collect();
    fds.sort_unstable();
    json!({
        "args": args,
        "env": env,
        "fds": fds,
        "cwd": env::current_dir().map_err(|error| error.to_string()).ok(),
        "cwd_entries": fs::read_dir(".").map(Iterator::count).ok(),
        "limits": fs::read_to_string("/proc/self/limits").unwrap_or_default(),
        "group": rustix::process::getpgrp().as_raw_nonzero(),
        "pid": std::process::id(),
    })
}

/// In a server without a sandbox the limits come a moment after the start; the last one is this.
fn limits_are_there() {
    while rustix::process::getrlimit(rustix::process::Resource::Cpu)
        .current
        .is_none()
    {
        thread::sleep(Duration::from_micros(200));
    }
}

fn flood(mut out: impl std::io::Write) {
    while out.write_all(&[b'x'; 4096]).is_ok() {}
}

/// Leaves its number where the test finds it, and stays.
fn sleep() -> ! {
    let name = format!("pid-{}", std::process::id());
    if fs::write(&name, "").is_err() {
        exit(2);
    }
    thread::sleep(Duration::from_secs(600));
    exit(0)
}

fn tree(kinds: &[String]) {
    for kind in kinds {
        match kind.as_str() {
            "child" => again("sleep"),
            "group" => {
                quiet("sleep").process_group(0).spawn().unwrap();
            }
            "daemon" => {
                // The one in the middle ends, so that the daemon has no parent.
                quiet("daemon").status().unwrap();
            }
            // Keeps the output open, as many daemons forget to close it.
            "talker" => {
                Command::new(env::current_exe().unwrap())
                    .arg("daemon")
                    .status()
                    .unwrap();
            }
            other => panic!("no kind `{other}`"),
        }
    }
    // Until all of them are there.
    while fs::read_dir(".").unwrap().count() < kinds.len() {
        thread::sleep(Duration::from_millis(2));
    }
}

fn again(request: &str) {
    Command::new(env::current_exe().unwrap())
        .arg(request)
        .spawn()
        .unwrap();
}

fn quiet(request: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .arg(request)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}
