//! The memory of a server that spends a credential, read by another process.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::fs::FileExt as _,
    process::{Child, Command, Stdio},
};

use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use hkdf::Hkdf;
use mcp_secure::vault::Placement;
use serde_json::json;
use sha2::Sha256;

use crate::{
    scene::{CANARY, Scene},
    site::Site,
};

/// In the vault, and spent by no endpoint.
const UNSPENT: &str = "never-spent-5f1c9a7e-by-anything";

/// A server that has spent its credential this often, and runs.
fn running(server: &str, scene: &Scene, site: &Site, calls: usize, limit: &str) -> Child {
    let script = format!("{{ ulimit -l {limit}; }} 2>/dev/null; exec \"$0\" \"$@\"");
    let mut child = Command::new("sh")
        .args(["-c", &script, server, "--stdio"])
        .args(["--grant", &format!("api={}", site.url())])
        .args(["--grant", &format!("other={}", site.url())])
        .args(["--grant", &format!("files={}", scene.at("files").display())])
        .arg("--audit")
        .arg(scene.at("log/a.jsonl"))
        .env("VAULT", scene.at("vault/v"))
        .env("VAULT_KEY", scene.at("keys/0"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let input = child.stdin.as_mut().unwrap();
    let mut ask = |message: serde_json::Value| {
        writeln!(input, "{message}").unwrap();
        match message.get("id") {
            Some(_) => lines.next().unwrap().unwrap(),
            None => String::new(),
        }
    };
    ask(
        json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"}}}),
    );
    ask(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    for id in 1..=calls {
        // Another page each time: the same call again and again is a loop.
        let page = format!("page-{id}");
        let answer = ask(
            json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {
            "name": "read", "arguments": {"page": page}}}),
        );
        assert!(answer.contains("not here"), "{answer}");
    }
    child
}

/// How often each text is in the memory of a process that can be written.
fn copies(pid: u32, texts: &[&[u8]]) -> io::Result<Vec<usize>> {
    let memory = File::open(format!("/proc/{pid}/mem"))?;
    let mut counts = vec![0; texts.len()];
    for line in fs::read_to_string(format!("/proc/{pid}/maps"))?.lines() {
        let mut words = line.split(' ');
        let (range, rights) = (words.next().unwrap(), words.next().unwrap());
        if !rights.starts_with("rw") || line.contains("[v") {
            continue;
        }
        let (from, to) = range.split_once('-').unwrap();
        let number = |text| u64::from_str_radix(text, 16).unwrap();
        let (from, to) = (number(from), number(to));
        let mut page = vec![0; usize::try_from(to - from).unwrap()];
        if memory.read_exact_at(&mut page, from).is_err() {
            continue;
        }
        for (text, count) in texts.iter().zip(&mut counts) {
            *count += page.windows(text.len()).filter(|w| w == text).count();
        }
    }
    Ok(counts)
}

/// What the key file is wrapped under, and the master key, from the bytes of a vault.
fn keys(scene: &Scene) -> [Vec<u8>; 3] {
    let bytes = fs::read(scene.at("vault/v")).unwrap();
    let text = fs::read_to_string(scene.at("keys/0")).unwrap();
    let id = &bytes[8..24];
    let expand = |from: &[u8], purpose: &[u8]| {
        let mut key = vec![0; 32];
        Hkdf::<Sha256>::new(Some(id), from)
            .expand(purpose, &mut key)
            .unwrap();
        key
    };
    let kek = expand(text.trim_end().as_bytes(), b"mcp-secure vault kek v1");
    // The first slot: its id, that its key was random, a nonce, and the master key.
    let slot = &bytes[33..];
    let about = [b"mcp-secure vault slot v1\0", id, &slot[..9]].concat();
    let nonce: [u8; 24] = slot[9..33].try_into().unwrap();
    let key: [u8; 32] = kek.clone().try_into().unwrap();
    let master = XChaCha20Poly1305::new(&key.into())
        .decrypt(
            &XNonce::from(nonce),
            Payload {
                msg: &slot[33..81],
                aad: &about,
            },
        )
        .unwrap();
    let records = expand(&master, b"mcp-secure vault records v1");
    [kek, master, records]
}

#[test]
fn no_key_of_the_vault_and_nothing_that_is_not_spent_stays_in_memory() {
    let (scene, site) = (Scene::new(), Site::new(None));
    scene.filled(&site.url());
    let host = site.url();
    scene.store(
        &scene.anchored(),
        "unspent",
        Placement::Bearer,
        &host,
        UNSPENT,
    );
    let file = fs::read_to_string(scene.at("keys/0")).unwrap();
    let [kek, master, records] = keys(&scene);
    let texts: [&[u8]; 6] = [
        file.trim_end().as_bytes(),
        &kek,
        &master,
        &records,
        UNSPENT.as_bytes(),
        CANARY.as_bytes(),
    ];
    // A server, and one whose allocator wipes what is freed.
    for (server, most) in [(TARGET, MOST_COPIES), (WIPING, MOST_COPIES_WIPED)] {
        let mut child = running(server, &scene, &site, 20, "64");
        let counted = copies(child.id(), &texts);
        child.kill().unwrap();
        child.wait().unwrap();
        match counted {
            Ok(counts) => {
                println!("key file, kek, master, records, unspent, spent: {counts:?}");
                assert_eq!(
                    counts[..5],
                    [0; 5],
                    "key file, kek, master, records, unspent"
                );
                // What is spent is there: the book says how often, and why.
                assert!((1..=most).contains(&counts[5]), "{}", counts[5]);
            }
            // Only root reads the memory of a process that is not dumpable.
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}"),
        }
    }
}

#[test]
fn memory_is_locked_where_that_has_no_limit_and_no_core_is_written() {
    let (scene, site) = (Scene::new(), Site::new(None));
    scene.filled(&site.url());
    // The last: a soft limit only, which is taken away.
    for limit in ["unlimited", "64", "unlimited; ulimit -S -l 64"] {
        let mut child = running(TARGET, &scene, &site, 1, limit);
        let about = |what: &str| {
            let page = fs::read_to_string(format!("/proc/{}/{what}", child.id()));
            page.unwrap_or_default()
        };
        let status = about("status");
        let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:"));
        let locked = locked.unwrap().trim().trim_end_matches(" kB");
        let locked: u64 = locked.parse().unwrap();
        let limits = about("limits");
        child.kill().unwrap();
        child.wait().unwrap();
        // To have no limit takes a right that not every root has: then the limit is the one that
        // was, and memory is not locked.
        let limited = limits.lines().find(|line| line.starts_with("Max locked"));
        let limited = limited.unwrap().split_whitespace().nth(3) != Some("unlimited");
        assert!(limited || limit != "64");
        assert_eq!(locked > 1000, !limited, "{limit}: {locked} kB");
        let core = limits.lines().find(|line| line.starts_with("Max core"));
        let core = core.unwrap().split_whitespace().nth(4).unwrap();
        assert_eq!(core, "0");
    }
}

/// Of what is spent; counted: see the book.
const MOST_COPIES: usize = 8;
/// The same: what is there is in use, and nothing of it was left behind.
const MOST_COPIES_WIPED: usize = 8;

const TARGET: &str = env!("CARGO_BIN_EXE_vault-target");
const WIPING: &str = env!("CARGO_BIN_EXE_vault-wiping");
