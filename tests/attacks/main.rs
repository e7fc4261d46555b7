//! Public attacks, replayed: each against a naive server that has the hole, where it must
//! succeed, and against a server built with `mcp-secure`, where it must not.
//!
//! The attacks are the rows of `data/cve-dev.json`. Both servers are child processes behind a
//! real transport, and both get the same bytes. Nothing leaves the loopback interface; the
//! attacks on what a server fetches have a network namespace of their own (`internet`).
//!
//! One file, one class. A file begins with its twin, the smallest server that is really
//! exploited, and ends with the attacks. `cargo test -p mcp-secure-tests-attacks -- --list`
//! shows them; with `MCP_SECURE_ATTACKS=FILE` each appends its result to the file, one JSON
//! line an attack.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    unreachable_pub,
    reason = "a test may fail loudly, and prints what libtest prints"
)]

mod corpus;
mod guarded;
mod harness;
mod internet;
mod issuer;
mod ours;
mod report;
mod scene;
mod twin;
mod wire;

mod argv;
mod authz;
mod dos;
mod link;
mod noauth;
mod oauth;
mod parser;
mod path;
mod poison;
mod query;
mod rebind;
mod secret;
mod sess;
mod shell;
mod ssrf;
mod supply;
mod tools;
mod urlauth;

use std::process::ExitCode;

fn main() -> ExitCode {
    // As a child this process is the server that is attacked.
    match std::env::var(wire::ROLE).as_deref() {
        Ok("ours") => return ended(ours::serve_one_user()),
        Ok("ours, several users") => return ended(ours::serve_several_users()),
        Ok("ours tools") => return ended(tools::serve()),
        Ok("ours tools, with a shell") => return ended(tools::serve_with_a_shell()),
        Ok("ours web") => return ended(internet::ours::serve()),
        Ok("ours poison") => return ended(poison::ours::serve()),
        Ok("ours poison, meddled") => return ended(poison::ours::serve_meddled()),
        Ok("ours poison, described") => {
            return ended(poison::ours::serve_described_at_run_time());
        }
        Ok("ours guarded") => return ended(guarded::serve_one_user()),
        Ok("ours guarded, everywhere") => return ended(guarded::serve_everywhere()),
        Ok("ours guarded, keys") => return ended(guarded::serve_keys()),
        Ok("ours guarded, issuer") => return ended(guarded::serve_issuer()),
        Ok("ours secret") => return ended(secret::serve()),
        Ok("ours secret, careless") => return ended(secret::serve_careless()),
        Ok("ours secret, default") => return ended(secret::serve_default()),
        Ok("ours query") => return ended(query::serve()),
        Ok("twin path") => path::twin(),
        Ok("twin link") => link::twin(),
        Ok("twin query") => query::twin(),
        Ok("twin secret") => secret::twin(),
        Ok("twin secret http") => secret::twin_http(),
        Ok("twin rebind") => rebind::twin(),
        Ok("twin dos stdio") => dos::twin_stdio(),
        Ok("twin dos http") => dos::twin_http(),
        Ok("twin sess") => sess::twin(),
        Ok("twin parser") => parser::twin(),
        Ok("twin shell") => shell::twin(),
        Ok("twin argv") => argv::twin(),
        Ok("twin ssrf") => ssrf::twin(),
        Ok("twin ssrf http") => ssrf::twin_http(),
        Ok("twin urlauth") => urlauth::twin(),
        Ok("twin noauth") => noauth::twin(),
        Ok("twin authz") => authz::twin(),
        Ok("twin oauth") => oauth::twin(),
        Ok("twin supply") => supply::twin(),
        Ok("twin poison") => poison::twin::over_stdio(),
        Ok("twin poison http") => poison::twin::over_http(),
        Ok(role) => panic!("no role `{role}`"),
        Err(_) => {
            let classes = [
                path::attacks(),
                link::attacks(),
                rebind::attacks(),
                dos::attacks(),
                sess::attacks(),
                parser::attacks(),
                poison::attacks(),
                shell::attacks(),
                argv::attacks(),
                query::attacks(),
                ssrf::attacks(),
                urlauth::attacks(),
                supply::attacks(),
                noauth::attacks(),
                authz::attacks(),
                oauth::attacks(),
                secret::attacks(),
            ];
            let attacks: Vec<_> = classes.into_iter().flatten().collect();
            let mut trials = corpus::trials(&attacks);
            let attacks = attacks.into_iter().map(report::Attack::into_trial);
            trials.extend(attacks.map(internet::inside));
            return harness::run(trials);
        }
    }
    ExitCode::SUCCESS
}

fn ended(result: mcp_secure::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
