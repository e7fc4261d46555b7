//! One credential in the form in which a request carries it.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Request, uri::PathAndQuery};
use zeroize::Zeroizing;

use super::{Placement, Redactor, credential::host_rule, format::Record, tripwire};
use crate::{
    Error, Result,
    capability::net::{NetError, Target},
};

/// A credential that an endpoint spends. It has no `Debug`, and nothing gives its value but
/// [`spend`](Self::spend), which puts it into a request that has passed every check.
pub(crate) struct Spent {
    name: String,
    version: u32,
    of_caller: bool,
    place: Place,
    redactor: Arc<Redactor>,
}

/// Where in a request it goes, as it is there.
enum Place {
    Header(HeaderName, HeaderValue),
    /// The name of the parameter, and the parameter.
    Query(String, Zeroizing<String>),
}

impl Spent {
    /// An access token of a caller's (RFC 6750), for as long as one request takes.
    #[cfg(feature = "upstream")]
    pub(crate) fn of_token(name: &str, version: u32, token: &str) -> Result<Self> {
        let text = joined(b"Bearer ", token.as_bytes());
        let mut value = HeaderValue::from_bytes(&text)
            .map_err(|_| Error::new(format!("the token for `{name}` fits no header")))?;
        value.set_sensitive(true);
        Ok(Self {
            name: name.to_owned(),
            version,
            of_caller: true,
            place: Place::Header(http::header::AUTHORIZATION, value),
            redactor: Arc::new(Redactor::new([token.as_bytes()])?),
        })
    }

    pub(super) fn of(
        record: &Record,
        secret: &[u8],
        target: &Target,
        of_caller: bool,
    ) -> Result<Self> {
        let name = &record.name;
        covers(name, &record.hosts, target)?;
        let placement: Placement = record.placement.parse()?;
        if let Placement::Query(parameter) = placement {
            if of_caller {
                return Err(Error::new(format!(
                    "the caller's credential `{name}` goes into a query, which none of a caller does"
                )));
            }
            let pair = Zeroizing::new(format!("{parameter}={}", *escaped(secret)));
            return Ok(Self {
                name: name.clone(),
                version: record.version,
                of_caller,
                place: Place::Query(parameter, pair),
                redactor: Arc::new(Redactor::new([secret])?),
            });
        }
        let header = placement.header()?;
        let (text, redactor) = match placement {
            Placement::Bearer => (joined(b"Bearer ", secret), Redactor::new([secret])?),
            Placement::Basic => {
                let pair = Zeroizing::new(STANDARD.encode(secret));
                let colon = secret.iter().position(|byte| *byte == b':');
                let password = colon
                    .and_then(|at| secret.get(at + 1..))
                    .unwrap_or_default();
                (
                    joined(b"Basic ", pair.as_bytes()),
                    Redactor::new([secret, password, pair.as_bytes()])?,
                )
            }
            _ => (joined(b"", secret), Redactor::new([secret])?),
        };
        let mut value = HeaderValue::from_bytes(&text)
            .map_err(|_| Error::new(format!("the credential `{name}` fits no header")))?;
        value.set_sensitive(true);
        Ok(Self {
            name: name.clone(),
            version: record.version,
            of_caller,
            place: Place::Header(header, value),
            redactor: Arc::new(redactor),
        })
    }

    /// Of what is kept.
    #[cfg(feature = "upstream")]
    pub(crate) fn version(&self) -> u32 {
        self.version
    }

    /// Whether a caller has set what this goes into: a header, or a parameter of a path with its
    /// query.
    pub(crate) fn is_in(&self, headers: &HeaderMap, path: &str) -> bool {
        match &self.place {
            Place::Header(name, _) => headers.contains_key(name),
            Place::Query(name, _) => path.split_once('?').is_some_and(|(_, query)| {
                let mut pairs = url::form_urlencoded::parse(query.as_bytes());
                pairs.any(|(key, _)| key == name.as_str())
            }),
        }
    }

    /// Puts it into a request.
    pub(crate) fn spend<B>(&self, request: &mut Request<B>) -> std::result::Result<(), NetError> {
        match &self.place {
            Place::Header(name, value) => {
                request.headers_mut().insert(name.clone(), value.clone());
            }
            Place::Query(_, pair) => {
                let path = request
                    .uri()
                    .path_and_query()
                    .map_or("/", PathAndQuery::as_str);
                let sign = if path.contains('?') { '&' } else { '?' };
                let path = Zeroizing::new(format!("{path}{sign}{}", **pair));
                let path = PathAndQuery::try_from(path.as_str());
                *request.uri_mut() = path.map_err(|_| NetError::Credential)?.into();
            }
        }
        Ok(())
    }

    /// For the audit: which it is, and never what.
    pub(crate) fn label(&self) -> String {
        let whose = if self.of_caller { "the caller's " } else { "" };
        format!("{whose}`{}` version {}", self.name, self.version)
    }

    /// Whether it is one of a caller's own.
    pub(crate) fn is_of_caller(&self) -> bool {
        self.of_caller
    }

    /// From now on it is looked for in all that leaves, whoever calls.
    pub(crate) fn remember(&self) {
        match self.of_caller {
            true => tripwire::know(&self.redactor),
            false => tripwire::know_provided(&self.name, &self.redactor),
        }
    }

    /// Finds it in what comes back.
    pub(crate) fn redactor(&self) -> Arc<Redactor> {
        Arc::clone(&self.redactor)
    }
}

/// Whether a credential may go there.
pub(super) fn covers(name: &str, hosts: &[String], target: &Target) -> Result<()> {
    let covers = |host: &String| host_rule(host).is_ok_and(|rule| target.is_inside(&rule));
    match hosts.iter().any(covers) {
        true => Ok(()),
        false => Err(Error::new(format!(
            "net/credential: the credential `{name}` is for {}, and would go to `{target}`",
            hosts.join(", ")
        ))
        .help("bind the grant to one of those, or store it again with `--host`")),
    }
}

/// A secret, and what of it is one by itself: the password of a pair, the lines of a key.
pub(super) fn parts(secret: &[u8]) -> Vec<&[u8]> {
    if secret.starts_with(b"-----BEGIN") {
        let lines = secret.split(|byte| b"\r\n".contains(byte));
        return lines
            .filter(|line| line.len() >= 16 && !line.starts_with(b"-----"))
            .collect();
    }
    let colon = secret.iter().position(|byte| *byte == b':');
    let password = colon.and_then(|at| secret.get(at + 1..));
    vec![secret, password.unwrap_or_default()]
}

/// For a query: all but the letters that nothing is done to (RFC 3986 section 2.3).
fn escaped(secret: &[u8]) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(secret.len() * 3));
    for &byte in secret {
        match byte {
            b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            _ => {
                out.push('%');
                for half in [byte >> 4, byte & 15] {
                    let digit = char::from_digit(half.into(), 16).unwrap_or('0');
                    out.push(digit.to_ascii_uppercase());
                }
            }
        }
    }
    out
}

fn joined(scheme: &[u8], secret: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(scheme.len() + secret.len()));
    text.extend_from_slice(scheme);
    text.extend_from_slice(secret);
    text
}
