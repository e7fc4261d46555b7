//! What a token must say, whoever vouched for it: its signature, or the issuer when asked.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    Algorithm,
    error::{Checked, invalid},
    jws::decode_digest,
    scopes::Scopes,
};
use crate::auth::{Actor, Assurance, Confirmation, Facts, Over, Principal};

/// What is demanded of a token's claims.
#[derive(Debug)]
pub(super) struct Policy {
    pub(super) issuer: String,
    /// One of these must be in `aud`.
    pub(super) audiences: Vec<String>,
    /// These may be beside it, and no others.
    pub(super) beside: Vec<String>,
    /// Media types, in lower case, without `application/`.
    pub(super) types: Vec<String>,
    pub(super) untyped: bool,
    pub(super) algorithms: Vec<Algorithm>,
    /// Where the client's id is; the first that is there counts, and all must agree.
    pub(super) client_claims: Vec<String>,
    pub(super) required: Vec<(String, Value)>,
    pub(super) scopes: Scopes,
    /// Seconds.
    pub(super) leeway: u64,
    pub(super) max_lifetime: Option<u64>,
    pub(super) certificate_bound: bool,
    /// DPoP is spoken here.
    pub(super) dpop: bool,
    pub(super) dpop_required: bool,
}

/// Who vouched for the claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vouched {
    /// A signature over them. Nothing is known but what they say.
    Signature,
    /// The issuer, over a connection to it. RFC 7662 section 2.2 lets it leave out itself, and
    /// a subject where there is none but the client.
    Issuer,
}

/// What a subject, a client and an audience may be long: RFC 7519 has no limit, OpenID Connect
/// has 255 for a subject.
const MAX_NAME: usize = 255;
const MAX_AUDIENCE: usize = 1024;
/// An exchange for an exchange, and so on.
const MAX_ACTORS: usize = 8;
/// The year 9999: seconds beyond are milliseconds, or a mistake.
const MAX_TIME: f64 = 253_402_300_799.0;

impl Policy {
    /// The principal that the claims name, if they are for this server and now.
    pub(super) fn judge(
        &self,
        claims: &Map<String, Value>,
        vouched: Vouched,
        now: u64,
    ) -> Checked<Principal> {
        match claims.get("iss") {
            // An array would let one token have two issuers (RFC 7519 section 4.1.1: one).
            Some(Value::String(issuer)) if *issuer == self.issuer => {}
            None if vouched == Vouched::Issuer => {}
            _ => return Err(invalid("oauth/issuer", "the token is of another issuer")),
        }
        self.check_audience(claims.get("aud"))?;
        let expires = self.check_times(claims, now)?;
        for (name, value) in &self.required {
            if claims.get(name) != Some(value) {
                return Err(invalid("oauth/claims", "a claim is not as it must be"));
            }
        }
        let client = self.client(claims)?;
        let subject = match claims.get("sub") {
            None if vouched == Vouched::Issuer => client.clone(),
            subject => name(subject).ok_or(invalid("oauth/claims", "the token has no subject"))?,
        };
        let scopes = self.scopes.read(claims);
        let scopes = scopes.map_err(|what| invalid("oauth/scope", what))?;
        let actors = actors(claims)?;
        let confirmation = self.confirmation(claims.get("cnf"))?;
        Ok(Principal::of(Facts {
            issuer: self.issuer.clone(),
            subject,
            client: Some(client),
            scopes,
            actors,
            confirmation,
            expires: Some(expires),
            key_id: None,
            over: Over::default(),
            assurance: match confirmation {
                Some(_) => Assurance::SenderConstrained,
                None => Assurance::AccessToken,
            },
        }))
    }

    /// The audience must be this server (RFC 8707, RFC 9068 section 4). A token that is for
    /// others as well could be shown here by any of them, so all of them must be known.
    fn check_audience(&self, aud: Option<&Value>) -> Checked<()> {
        let foreign = || invalid("oauth/audience", "the token is not for this server");
        let ours = |one: &str| self.audiences.iter().any(|audience| audience == one);
        let beside = |one: &str| self.beside.iter().any(|audience| audience == one);
        match aud {
            Some(Value::String(one)) if ours(one) => Ok(()),
            Some(Value::Array(all)) => {
                let mut found = false;
                for one in all {
                    match one.as_str().filter(|one| one.len() <= MAX_AUDIENCE) {
                        Some(one) if ours(one) => found = true,
                        Some(one) if beside(one) => {}
                        _ => return Err(foreign()),
                    }
                }
                if found { Ok(()) } else { Err(foreign()) }
            }
            _ => Err(foreign()),
        }
    }

    /// When it runs out, in whole seconds.
    fn check_times(&self, claims: &Map<String, Value>, now: u64) -> Checked<u64> {
        let time = |name: &str| match claims.get(name) {
            None => Ok(None),
            Some(value) => value
                .as_f64()
                .filter(|time| (0.0..=MAX_TIME).contains(time))
                .map(Some)
                .ok_or(invalid("oauth/time", "a time is not one")),
        };
        let expires = time("exp")?.ok_or(invalid("oauth/time", "the token has no end"))?;
        // In range, so neither conversion loses anything but a fraction: of the end the one
        // that makes it earlier, of the beginning the one that makes it later.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let expires = expires.floor() as u64;
        if expires.saturating_add(self.leeway) <= now {
            return Err(invalid("oauth/time", "the token has run out"));
        }
        for begin in ["nbf", "iat"] {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let begins = time(begin)?.map(|time| time.ceil() as u64);
            if begins.is_some_and(|begins| begins > now.saturating_add(self.leeway)) {
                return Err(invalid("oauth/time", "the token does not hold yet"));
            }
            if begin == "iat"
                && let Some(most) = self.max_lifetime
                && begins.is_none_or(|issued| expires.saturating_sub(issued) > most)
            {
                return Err(invalid("oauth/time", "the token lives too long"));
            }
        }
        Ok(expires)
    }

    fn client(&self, claims: &Map<String, Value>) -> Checked<String> {
        let wrong = || invalid("oauth/claims", "the token does not name one client");
        let mut found: Option<String> = None;
        for claim in &self.client_claims {
            let Some(value) = claims.get(claim) else {
                continue;
            };
            let client = name(Some(value)).ok_or_else(wrong)?;
            if found.as_ref().is_some_and(|found| *found != client) {
                return Err(wrong());
            }
            found = Some(client);
        }
        found.ok_or_else(wrong)
    }

    /// What the token is bound to. A binding that cannot be checked here is not ignored: to
    /// whoever stole the token it would be one without (RFC 7800 section 3.1).
    fn confirmation(&self, cnf: Option<&Value>) -> Checked<Option<Confirmation>> {
        let wrong = |what| invalid("oauth/binding", what);
        let unknown = "the token is bound to something that cannot be proven here";
        let confirmation = match cnf {
            None => None,
            Some(Value::Object(cnf)) => {
                let digest = |name: &str| match cnf.get(name) {
                    None => Ok(None),
                    Some(value) => value
                        .as_str()
                        .and_then(decode_digest)
                        .map(Some)
                        .ok_or(wrong(unknown)),
                };
                let known = |name: &String| name == "jkt" || name == "x5t#S256";
                if cnf.is_empty() || !cnf.keys().all(known) {
                    return Err(wrong(unknown));
                }
                Some(Confirmation {
                    key: digest("jkt")?,
                    certificate: digest("x5t#S256")?,
                })
            }
            Some(_) => return Err(wrong(unknown)),
        };
        let bound_to = |which: fn(&Confirmation) -> bool| confirmation.as_ref().is_some_and(which);
        if bound_to(|c| c.key.is_some()) && !self.dpop {
            return Err(wrong(unknown));
        }
        if self.dpop_required && !bound_to(|c| c.key.is_some()) {
            return Err(wrong("the token is not bound to a key"));
        }
        if self.certificate_bound && !bound_to(|c| c.certificate.is_some()) {
            return Err(wrong("the token is not bound to a certificate"));
        }
        Ok(confirmation)
    }

    /// How long something with these claims may be remembered.
    pub(super) fn left(principal: &Principal, now: u64) -> Duration {
        let expires = principal.0.expires.unwrap_or_default();
        Duration::from_secs(expires.saturating_sub(now))
    }
}

/// A name of someone: not empty, not long, nothing that a log or a key would trip over.
fn name(value: Option<&Value>) -> Option<String> {
    let name = value?.as_str()?;
    let plain = !name.chars().any(char::is_control);
    (!name.is_empty() && name.len() <= MAX_NAME && plain).then(|| name.to_owned())
}

/// Who acts, the current one first (RFC 8693 section 4.1).
fn actors(claims: &Map<String, Value>) -> Checked<Vec<Actor>> {
    let wrong = || {
        invalid(
            "oauth/claims",
            "the token names who acts in a way that is not read",
        )
    };
    let mut actors = Vec::new();
    let mut here = claims.get("act");
    while let Some(act) = here {
        let act = act.as_object().ok_or_else(wrong)?;
        if actors.len() == MAX_ACTORS {
            return Err(wrong());
        }
        let issuer = match act.get("iss") {
            None => None,
            issuer => Some(name(issuer).ok_or_else(wrong)?),
        };
        // Some issuers name the client that acts, and no subject.
        let subject = act.get("sub").or_else(|| act.get("client_id"));
        actors.push(Actor {
            issuer,
            subject: name(subject).ok_or_else(wrong)?,
        });
        here = act.get("act");
    }
    Ok(actors)
}
