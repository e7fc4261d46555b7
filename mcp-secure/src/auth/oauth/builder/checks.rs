//! What cannot be meant, and stops the start.

use std::time::Duration;

use url::{Host, Url};

use super::ResourceServer;
use crate::{
    auth::oauth::{
        claims::Policy,
        dpop::Dpop,
        resource::Resource,
        scopes::{Scopes, is_scope},
    },
    error::{Error, Result},
};

impl ResourceServer {
    /// All that can be wrong with what was said.
    pub(super) fn policy(&self) -> Result<(Policy, Resource)> {
        self.check_issuer()?;
        let resource = Resource::parse(&self.resource)?;
        self.check_bounds()?;
        let audiences = if self.audiences.is_empty() {
            resource.spellings()
        } else {
            self.audiences.clone()
        };
        if audiences
            .iter()
            .chain(&self.beside)
            .any(|one| one.trim().is_empty())
        {
            return Err(Error::new("the audience is empty")
                .help("name what the issuer writes into `aud` for this server"));
        }
        if let Some(both) = self.beside.iter().find(|one| audiences.contains(one)) {
            return Err(Error::new(format!(
                "`{both}` is the audience of this server and one beside it"
            ))
            .help("remove `.beside_audience(…)`"));
        }
        if self.algorithms.is_empty() {
            return Err(Error::new("no algorithm is accepted")
                .help("leave `.algorithms(…)` out, or name at least one"));
        }
        let types = self.types()?;
        let scopes = Scopes {
            claim: self.scope_claim.clone(),
            roles_at: self.roles_at.clone(),
            roles: self.roles.clone(),
            ..Scopes::default()
        };
        self.check_scopes()?;
        let policy = Policy {
            issuer: self.issuer.clone(),
            audiences,
            beside: self.beside.clone(),
            types,
            untyped: self.untyped,
            algorithms: self.algorithms.clone(),
            client_claims: match &self.client_claim {
                Some(claim) => vec![claim.clone()],
                None => vec!["client_id".to_owned(), "azp".to_owned()],
            },
            required: self.required.clone(),
            scopes: scopes.with_hierarchy(&self.implied)?,
            leeway: self.leeway.as_secs(),
            max_lifetime: self.max_lifetime.map(|most| most.as_secs()),
            certificate_bound: self.certificate_bound,
            dpop: self.dpop.is_some(),
            dpop_required: self.dpop == Some(Dpop::Required),
        };
        Ok((policy, resource))
    }

    fn check_issuer(&self) -> Result<()> {
        let issuer = &self.issuer;
        let wrong = |what: &str, help: &str| {
            Err(Error::new(format!("the issuer `{issuer}` {what}")).help(help.to_owned()))
        };
        let Ok(url) = Url::parse(issuer) else {
            return wrong("is not a URL", "write one such as `https://auth.example`");
        };
        if url.query().is_some() || url.fragment().is_some() {
            return wrong(
                "has a query or a fragment",
                "write the issuer as its tokens have it in `iss` (RFC 8414 section 2)",
            );
        }
        if !matches!(
            url.host(),
            Some(Host::Domain(_) | Host::Ipv4(_) | Host::Ipv6(_))
        ) {
            return wrong("has no host", "write one such as `https://auth.example`");
        }
        match url.scheme() {
            "https" => Ok(()),
            "http" if self.allow_private => Ok(()),
            "http" => wrong(
                "is plain HTTP: who is on the way chooses the keys",
                "write `https://`; for an issuer on this machine add `.allow_private_issuer()`",
            ),
            _ => wrong(
                "is not `https://`",
                "write one such as `https://auth.example`",
            ),
        }
    }

    fn check_bounds(&self) -> Result<()> {
        let out_of = |what: &str, least: u64, most: u64| {
            Err(Error::new(format!("`{what}` is out of its bounds"))
                .help(format!("write {least} to {most}")))
        };
        if self.leeway > Duration::from_secs(60) {
            return out_of(".leeway(…)", 0, 60);
        }
        if !(1..=4096).contains(&self.max_keys) {
            return out_of(".max_keys(…)", 1, 4096);
        }
        if self.stale_keys > Duration::from_secs(86_400) {
            return out_of(".stale_keys(…)", 0, 86_400);
        }
        if self.remembered > 1 << 20 {
            return out_of(".remember_tokens(…)", 0, 1 << 20);
        }
        Ok(())
    }

    fn types(&self) -> Result<Vec<String>> {
        let mut types = Vec::new();
        for written in &self.types {
            let lower = written.to_ascii_lowercase();
            let typ = lower.strip_prefix("application/").unwrap_or(&lower);
            if NO_ACCESS_TOKENS.contains(&typ) || typ.is_empty() {
                return Err(
                    Error::new(format!("`{written}` is no type of access tokens"))
                        .help("write the `typ` in the header of the issuer's access tokens"),
                );
            }
            types.push(typ.to_owned());
        }
        if self.untyped && self.required.is_empty() && self.client_claim.is_none() {
            return Err(Error::new(
                "tokens without a type are taken, and nothing tells an access token from an ID token",
            )
            .help(
                "add `.require_claim(…)` or `.client_claim(…)` for what only access tokens have, \
                 such as `token_use` or `cid`",
            ));
        }
        Ok(types)
    }

    fn check_scopes(&self) -> Result<()> {
        let named = self.roles.values().chain(self.implied.values()).flatten();
        if let Some(odd) = named.chain(self.implied.keys()).find(|one| !is_scope(one)) {
            return Err(Error::new(format!("`{odd}` is no scope"))
                .help("a scope is visible ASCII without spaces, quotes and backslashes"));
        }
        if self.roles.is_empty() != self.roles_at.is_empty() {
            return Err(
                Error::new("`.role(…)` and `.roles_claim(…)` need each other")
                    .help("say where the roles are and what each is worth, or neither"),
            );
        }
        if self.scope_claim.is_empty() || self.roles_at.iter().any(String::is_empty) {
            return Err(Error::new("the name of a claim is empty").help("write its name"));
        }
        Ok(())
    }
}

/// Signed by the same keys, and each good for something else (RFC 8725 section 3.11).
const NO_ACCESS_TOKENS: [&str; 7] = [
    "dpop+jwt",
    "oauth-id-jag+jwt",
    "logout+jwt",
    "secevent+jwt",
    "token-introspection+jwt",
    "client-authentication+jwt",
    "oauth-authz-req+jwt",
];
