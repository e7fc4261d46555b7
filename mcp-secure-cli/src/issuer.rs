//! `mcp-secure issuer`: an authorization server for trying things.

use std::{process::ExitCode, time::Duration};

use clap::Args;
use mcp_secure::{Error, Result, auth::DevIssuer};
use secrecy::ExposeSecret as _;

/// The long help.
pub(crate) const ABOUT: &str = "\
Run an authorization server on loopback, for trying a server that has `Http::resource_server(…)`.

Anybody who reaches it logs in as anybody: it refuses every address that others reach, and its key and
all it knows end with it. The server under test needs `.allow_private_issuer()`.

Clients find it, register and log in by themselves. For a first request without a client, `--token`
prints an access token alone on standard output.";

/// The arguments of `issuer`.
#[derive(Args)]
pub(crate) struct Issuer {
    /// The server that tokens are for, as its clients write its URL; may be given again
    #[arg(long = "resource", value_name = "URL", required = true)]
    resources: Vec<String>,
    /// Where to listen: an address of loopback and a port
    #[arg(long, default_value = "127.0.0.1:9000")]
    listen: String,
    /// Who logs in unless the person types another name
    #[arg(long, default_value = "alice")]
    person: String,
    /// Agree to everything without a page
    #[arg(long)]
    yes: bool,
    /// Seconds that an access token lives
    #[arg(long, default_value_t = 300)]
    lifetime: u64,
    /// Print an access token for the first resource with these scopes, separated by spaces
    #[arg(long, value_name = "SCOPES")]
    token: Option<String>,
}

impl Issuer {
    /// Runs until it is interrupted. Standard output is for the token.
    #[allow(clippy::print_stdout, reason = "the token is the answer")]
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let mut issuer = DevIssuer::new()
            .listen(&self.listen)
            .person(&self.person)
            .lifetime(Duration::from_secs(self.lifetime));
        for resource in &self.resources {
            issuer = issuer.resource(resource);
        }
        if self.yes {
            issuer = issuer.agrees();
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::new(format!("cannot start: {error}")))?;
        runtime.block_on(async {
            let running = issuer.start().await?;
            eprintln!(
                "development issuer at {}: anybody may log in as anybody",
                running.url()
            );
            eprintln!(
                "a program of its own: client `{}`, secret `{}`",
                running.machine(),
                running.machine_secret().expose_secret()
            );
            if let (Some(scopes), Some(resource)) = (&self.token, self.resources.first()) {
                let token = running.token(&self.person, scopes, resource)?;
                println!("{}", token.expose_secret());
            }
            running.forever().await;
            Ok(ExitCode::SUCCESS)
        })
    }
}
