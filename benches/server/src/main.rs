//! The same two tools that every server of the side-by-side benchmark has, with every
//! control of the SDK on: token, scopes, schema validation, guard, audit log in a file.
//!
//! Speaks the benchmark's command line:
//! `--transport stdio|http --port P --mode stateless|session --root DIR --tools N`
//! and its own `--audit FILE` and `--token-file FILE`, or `--issuer URL`: access tokens of an issuer on
//! loopback for `http://127.0.0.1/mcp`, verified once each, or with `--remember 0` each time.
//! `--sandbox off` is for tools that count instructions from outside, `--max-keys N` for an issuer
//! with many keys.

mod many;

use mcp_secure::{
    auth::ResourceServer, dangerous, prelude::*, sandbox::Sandbox, server::http::HttpLimits,
};

/// The folder that is served.
#[capability(fs)]
pub struct Root;

struct Bench;

#[secure_server(name = "bench")]
impl Bench {
    /// Returns its input text
    #[tool(scope = "bench:call")]
    async fn echo(
        &self,
        /// Text to return unchanged
        #[arg(max_len = 2_000_000)]
        text: String,
    ) -> String {
        text
    }

    /// Reads a text file below the served root
    #[tool(scope = "bench:call")]
    async fn read_file(
        &self,
        /// Path relative to the served root
        path: RelPath,
        root: Fs<Root, ReadOnly>,
    ) -> ToolResult<String> {
        Ok(root.read_to_string(&path).await?)
    }
}

fn main() -> mcp_secure::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let get = |name: &str, default: &str| {
        let at = args
            .iter()
            .position(|arg| arg.strip_prefix("--") == Some(name));
        at.and_then(|at| args.get(at + 1))
            .map_or(default.to_owned(), Clone::clone)
    };
    let mut options = vec!["bench".to_owned(), "serve".to_owned()];
    let address = format!("127.0.0.1:{}", get("port", "0"));
    if get("transport", "stdio") == "http" {
        options.extend(["--http".into(), address.clone()]);
        if get("issuer", "").is_empty() {
            options.extend(["--token-file".into(), get("token-file", "tmp/bench.token")]);
        }
    } else {
        options.push("--stdio".into());
    }
    options.extend(["--grant".into(), format!("root={}", get("root", "."))]);
    options.extend(["--audit".into(), get("audit", "tmp/bench.audit.jsonl")]);

    let limits = Limits {
        max_message: 16 << 20,
        max_output: 16 << 20,
        page_size: 2000,
        // One caller that asks as fast as it can is what is measured.
        principal_per_minute: 1 << 30,
        principal_burst: 1 << 30,
        principal_concurrency: 1 << 16,
        client_per_minute: 1 << 30,
        client_burst: 1 << 30,
        repeats_per_minute: 1 << 30,
        ..Limits::default()
    };
    let me = Principal::local_user().scopes(["bench:call"]);
    let http_limits = HttpLimits {
        body_bytes: 16 << 20,
        ..HttpLimits::default()
    };
    let http = Http::on(&address).limits(http_limits);
    let issuer = get("issuer", "");
    let http = if issuer.is_empty() {
        http.local_token(["bench:call"])
    } else {
        let remembered = get("remember", "10000").parse().unwrap_or(10_000);
        http.resource_server(
            ResourceServer::new(issuer, format!("http://{address}/mcp"))
                .allow_private_issuer()
                .audience("http://127.0.0.1/mcp")
                .token_type("JWT")
                .implies("tools:call", ["bench:call"])
                .remember_tokens(remembered)
                .max_keys(get("max-keys", "64").parse().unwrap_or(64)),
        )
    };
    let sandbox = match get("sandbox", "on").as_str() {
        "off" => dangerous::without_sandbox(Sandbox::new(), "instructions are counted"),
        _ => Sandbox::new(),
    };
    if get("tools", "2") == "100" {
        let server = SecureServer::new(many::Many)
            .grant(Root::from_operator())
            .sandbox(sandbox)
            .limits(limits);
        server.stdio(me).http(http).run_from(options)
    } else {
        let server = SecureServer::new(Bench)
            .grant(Root::from_operator())
            .sandbox(sandbox)
            .limits(limits);
        server.stdio(me).http(http).run_from(options)
    }
}
