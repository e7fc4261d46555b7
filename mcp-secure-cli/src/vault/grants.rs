//! `mcp-secure vault people connect` and `disconnect`: what issuers gave a server for its callers.

use std::path::PathBuf;

use clap::Args;
use mcp_secure::{
    Result,
    auth::{ClientAuth, UpstreamOAuth},
    vault::{Owner, People},
};

use super::people::Whose;

/// How an issuer is reached, and who the server is there.
#[derive(Args)]
pub(super) struct Reached {
    /// The issuer is on this machine or in the private network
    #[arg(long)]
    private_issuer: bool,
    /// Trust the certificate authorities in this file too
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// The file with the secret of the server at its issuer, if it has one
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
}

#[derive(Args)]
pub(super) struct Connect {
    /// The endpoint, as the server declares it
    endpoint: String,
    /// Where it is: scheme, host, perhaps port and path
    #[arg(long, value_name = "URL")]
    host: String,
    /// The issuer of the account
    #[arg(long, value_name = "URL")]
    account_issuer: String,
    /// Who the server is there
    #[arg(long)]
    client_id: String,
    /// What the token is to be good for; once for each
    #[arg(long = "scope")]
    scopes: Vec<String>,
    /// Whom the token is for, by its URL
    #[arg(long, value_name = "URL")]
    resource: Option<String>,
    #[command(flatten)]
    reached: Reached,
    #[command(flatten)]
    whose: Whose,
}

#[derive(Args)]
pub(super) struct Disconnect {
    /// The endpoint, as the server declares it
    endpoint: String,
    #[command(flatten)]
    reached: Reached,
    #[command(flatten)]
    whose: Whose,
}

impl Reached {
    fn upstream(&self, issuer: &str, client_id: &str) -> UpstreamOAuth {
        let mut upstream = match &self.client_secret_file {
            Some(file) => {
                UpstreamOAuth::with_client(issuer, ClientAuth::with_secret(client_id, file))
            }
            None => UpstreamOAuth::new(issuer, client_id),
        };
        if self.private_issuer {
            upstream = upstream.allow_private_issuer();
        }
        if let Some(file) = &self.ca_file {
            upstream = upstream.ca_file(file);
        }
        upstream
    }

    /// Takes all back that a caller connected. What an issuer does not take back is said, and
    /// removed here in any case.
    pub(super) fn take_back(&self, people: &People, owner: &Owner) -> Result<()> {
        for endpoint in people.connected(owner)? {
            let who = |issuer: &str, client: &str| self.upstream(issuer, client);
            match people.disconnect(owner, &endpoint, who) {
                Ok(_) => eprintln!("`{endpoint}` is disconnected, and taken back at its issuer"),
                Err(error) => eprintln!("`{endpoint}`: {error}"),
            }
        }
        Ok(())
    }
}

impl Connect {
    pub(super) fn run(&self) -> Result<()> {
        let (people, owner) = self.whose.open()?;
        let mut upstream = self
            .reached
            .upstream(&self.account_issuer, &self.client_id)
            .scopes(&self.scopes)
            .device();
        if let Some(resource) = &self.resource {
            upstream = upstream.resource(resource);
        }
        let show = |page: &str, code: &str| {
            eprintln!("open {page} on any device, make sure that it shows {code}, and agree");
        };
        people.connect_by_device(&owner, &self.endpoint, &self.host, &upstream, show)?;
        eprintln!("`{}` is connected", self.endpoint);
        Ok(())
    }
}

impl Disconnect {
    pub(super) fn run(&self) -> Result<()> {
        let (people, owner) = self.whose.open()?;
        let who = |issuer: &str, client: &str| self.reached.upstream(issuer, client);
        match people.disconnect(&owner, &self.endpoint, who)? {
            true => eprintln!("`{}` is disconnected, and taken back", self.endpoint),
            false => eprintln!("nothing is connected to `{}`", self.endpoint),
        }
        Ok(())
    }
}
