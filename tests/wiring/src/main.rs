//! The server that the wiring tests attack: tools that misbehave in every way a control is
//! there for. What it is and how narrow its limits are is chosen by the environment, since
//! the command line belongs to the SDK.
//!
//! `WIRING_TRACES` is a file in which user code leaves a line when it runs: what a control
//! refused must not be in it.

mod flow;
mod kept;
mod layers;
mod leaky;
mod limited;
mod others;
mod policed;
mod secured;
mod target;
mod traces;

use std::{path::PathBuf, time::Duration};

use mcp_secure::{
    Hidden, Secret, Spotlight, TextPolicy, dangerous,
    prelude::*,
    sandbox::Sandbox,
    server::http::{HttpLimits, PeerRate},
};

use crate::{
    flow::{Anywhere, Elsewhere, Fixed, Flow},
    kept::Kept,
    layers::{Count, Meddle, Meddler, Watch},
    leaky::Leaky,
    limited::Limited,
    others::{Late, Quadratic},
    policed::Policed,
    target::{Files, Spare, Target},
    traces::Traces,
};

fn main() -> mcp_secure::Result<()> {
    // Not in a helper of the server, which is this program too, with a channel as its input.
    let helper = std::env::var_os("MCP_SECURE_HELPER").is_some();
    if !helper && std::env::args().any(|argument| argument == "--http" || argument == "--unix") {
        end_with_the_test();
    }
    if setting("SUBSCRIBER").is_some() {
        subscriber_of_the_authors_own();
    }
    match setting("SERVER").as_deref() {
        Some("init") => {
            let server = SecureServer::<Late>::from_init();
            finish(server.grant(Files::from_operator()))
        }
        Some("leaky") => leaky(),
        Some("flow") => flow(),
        Some("policed") => policed(),
        Some("limited") => limited(),
        Some("kept") => kept(),
        Some("secured") => secured::serve(),
        Some("quadratic") => finish(SecureServer::new(Quadratic)),
        Some("hidden") => finish(SecureServer::new(others::Hidden)),
        _ => target(),
    }
}

/// Everything that there is, as an author would have it who looks for a fault.
fn subscriber_of_the_authors_own() {
    use mcp_secure::log::Redact;
    use tracing_subscriber::{Layer, filter::LevelFilter, prelude::*};
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(std::io::stderr);
    let lines = Redact::new(lines).with_filter(LevelFilter::TRACE);
    tracing_subscriber::registry().with(lines).init();
}

/// A server on a socket does not hear that its test is gone, but for its standard input.
fn end_with_the_test() {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::thread::sleep(Duration::from_secs(3));
        std::process::exit(0);
    });
}

fn target() -> mcp_secure::Result<()> {
    let traces = Traces::from_env();
    let mut server = SecureServer::new(Target::new(traces.clone())).grant(Files::from_operator());
    if setting("UNUSED_GRANT").is_some() {
        server = server.grant(Spare::from_operator());
    }
    server = match setting("LAYER").as_deref() {
        None => server,
        Some("count") => server.layer(Count(traces)),
        Some(what) => server.layer(Meddle(Meddler::named(what))),
    };
    finish(server)
}

fn leaky() -> mcp_secure::Result<()> {
    let traces = Traces::from_env();
    let mut policy = TextPolicy::default();
    for word in setting("TEXT").unwrap_or_default().split_whitespace() {
        policy = match word {
            "escape" => policy.hidden(Hidden::Escape),
            "without_notes" => policy.without_notes(),
            "unredacted" => dangerous::unredacted(policy, Secret::Credential),
            other => return Err(Error::new(format!("`{other}` is no policy of these tests"))),
        };
    }
    let server = SecureServer::new(Leaky::new(traces.clone())).text(policy);
    finish(match setting("LAYER").as_deref() {
        None => server,
        Some("watch") => server.layer(Watch(traces)),
        Some(what) => server.layer(Meddle(Meddler::named(what))),
    })
}

fn kept() -> mcp_secure::Result<()> {
    let mut policy = TextPolicy::default();
    match setting("SPOTLIGHT").as_deref() {
        Some("label") => policy = policy.spotlight(Spotlight::LabelOnly),
        Some("marked") => policy = policy.spotlight(Spotlight::Marked),
        _ => {}
    }
    let mut server = SecureServer::new(Kept)
        .limits(limits()?.0)
        .grant(Files::from_operator())
        .grant(Elsewhere::from_operator())
        .text(policy);
    if setting("LAYER").is_some() {
        server = server.layer(Count(Traces::from_env()));
    }
    if setting("USERS").is_some() {
        return for_users(server);
    }
    finish(server)
}

fn flow() -> mcp_secure::Result<()> {
    let server = SecureServer::new(Flow::new(Traces::from_env()))
        .grant(Files::from_operator())
        .grant(Anywhere::declared())
        .grant(Elsewhere::from_operator())
        .grant(Fixed::declared());
    if setting("USERS").is_none() {
        return finish(server);
    }
    for_users(server)
}

/// Two people, on HTTP.
fn for_users<S: mcp_secure::__private::SecureService, T>(
    server: SecureServer<S, T>,
) -> mcp_secure::Result<()> {
    let users = [("alice-token", "alice"), ("bob-token", "bob")];
    let users = users.map(|(token, subject)| (token, subject, &["files:read"][..]));
    server
        .sandbox(with_settings())
        .approvals(in_client())
        .http(Http::on("127.0.0.1:0").test_users(users))
        .run()
}

fn limited() -> mcp_secure::Result<()> {
    let server = SecureServer::new(Limited::new(Traces::from_env())).grant(Files::from_operator());
    if setting("USERS").is_none() {
        return finish(server);
    }
    let (limits, http) = limits()?;
    let users = [
        ("alice-token", "alice", &["files:write"][..]),
        ("bob-token", "bob", &["files:write"]),
    ];
    let names = [
        "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory",
    ];
    let more = names.map(|name| (name, name, &[][..]));
    server
        .sandbox(with_settings())
        .approvals(in_client())
        .limits(limits)
        .http(
            behind_proxies(Http::on("127.0.0.1:0").limits(http))
                .test_users(users.into_iter().chain(more)),
        )
        .run()
}

fn behind_proxies(http: Http) -> Http {
    match setting("PROXIES") {
        Some(address) => http.behind_proxy([address]).allow_host("127.0.0.1"),
        None => http,
    }
}

fn policed() -> mcp_secure::Result<()> {
    let mut server =
        SecureServer::new(Policed::new(Traces::from_env())).grant(Files::from_operator());
    if let Some(text) = setting("POLICIES") {
        server = server.policies(CedarPolicies::from_str(text));
    }
    if let Some(folder) = setting("POLICY_DIR") {
        server = server.policies(CedarPolicies::from_dir(folder));
    }
    if setting("USERS").is_none() {
        return finish(server);
    }
    for_users(server)
}

/// The same transports, principal and limits for every server here.
fn finish<S, T>(server: SecureServer<S, T>) -> mcp_secure::Result<()>
where
    S: mcp_secure::__private::SecureService,
{
    let scopes: Vec<String> = setting("SCOPES")
        .map(|all| all.split_whitespace().map(str::to_owned).collect())
        .unwrap_or_default();
    let (limits, http) = limits()?;
    let token = PathBuf::from(setting("TOKEN").unwrap_or_default());
    let socket = PathBuf::from(setting("SOCKET").unwrap_or_default());
    server
        .sandbox(with_settings())
        .approvals(in_client())
        .limits(limits)
        .stdio(Principal::local_user().scopes(scopes.clone()))
        .http(
            Http::on("127.0.0.1:0")
                .local_token_at(token, scopes.clone())
                .limits(http.clone()),
        )
        .unix(Unix::at(socket).scopes(scopes).limits(http))
        .run()
}

/// What the test narrows.
fn limits() -> mcp_secure::Result<(Limits, HttpLimits)> {
    let mut http = HttpLimits::default();
    // How often one may ask is for the tests of that alone: the others poll.
    let mut limits = Limits {
        principal_per_minute: 1_000_000,
        principal_burst: 100_000,
        repeats_per_minute: 1_000_000,
        ..Limits::default()
    };
    for (name, value) in numbers("LIMITS") {
        let millis = Duration::from_millis(value as u64);
        match name.as_str() {
            "concurrency" => limits.concurrency = value,
            "queue" => limits.queue = value,
            "queue_wait" => limits.queue_wait = millis,
            "address_per_minute" => limits.address_per_minute = Some(value),
            "tool_concurrency" => limits.tool_concurrency = value,
            "principal_concurrency" => limits.principal_concurrency = value,
            "principal_per_minute" => limits.principal_per_minute = value,
            "principal_burst" => limits.principal_burst = value,
            "repeats_per_minute" => limits.repeats_per_minute = value,
            "limit_keys" => limits.limit_keys = value,
            "pending_approvals" => limits.pending_approvals = value,
            "approval_timeout" => limits.approval_timeout = millis,
            "timeout" => limits.timeout = millis,
            "max_output" => limits.max_output = value,
            "max_message" => limits.max_message = value,
            "max_depth" => limits.max_depth = value,
            "page_size" => limits.page_size = value,
            "http.body_bytes" => http.body_bytes = value,
            "http.body_time" => http.body_time = millis,
            "http.header_time" => http.header_time = millis,
            "http.sessions" => http.sessions = value,
            "http.sessions_per_principal" => http.sessions_per_principal = value,
            "http.drain" => http.drain = millis,
            "http.handshakes" => http.handshakes = value,
            "http.handshake_time" => http.handshake_time = millis,
            "rate.per_second" => rate(&mut http).per_second = value as u32,
            "rate.burst" => rate(&mut http).burst = value as u32,
            "rate.failure" => rate(&mut http).failure = value as u32,
            other => return Err(Error::new(format!("`{other}` is no limit of these tests"))),
        }
    }
    Ok((limits, http))
}

fn rate(http: &mut HttpLimits) -> &mut PeerRate {
    http.rate.get_or_insert_with(PeerRate::default)
}

/// Pages have tests of their own; here clients are scripts, and are believed.
fn in_client() -> Approvals {
    Approvals::by(By::in_client())
}

/// What chooses the server must outlive the clean start.
fn with_settings() -> Sandbox {
    let settings = std::env::vars().filter(|(name, _)| name.starts_with("WIRING_"));
    settings.fold(Sandbox::new(), |sandbox, (name, _)| sandbox.keep_env(name))
}

fn setting(name: &str) -> Option<String> {
    std::env::var(format!("WIRING_{name}"))
        .ok()
        .filter(|value| !value.is_empty())
}

/// `a=1 b=2`.
fn numbers(name: &str) -> Vec<(String, usize)> {
    setting(name)
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='))
        .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .collect()
}
