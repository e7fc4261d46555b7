//! What a caller is told who must come back with another token: the `WWW-Authenticate` of
//! RFC 6750 section 3, RFC 9728 section 5.1 and RFC 9449 section 7.1, in one place.
//!
//! All parts are constants or come from the author: nothing of a request is ever in one, so
//! there is nothing to escape and nothing to inject.

use std::fmt::Write as _;

use http::HeaderValue;

use crate::{Error, Result};

/// The challenges of one server.
pub(crate) struct Challenges {
    /// `resource_metadata="…"`.
    metadata: String,
    /// `scope="…"` of the scopes that a client should ask for first, or nothing.
    baseline: String,
    /// What a proof of possession may be signed with, where one is taken.
    dpop: Option<Proofs>,
}

struct Proofs {
    algorithms: String,
    /// A token alone is never enough.
    required: bool,
}

/// Why a caller must come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why<'a> {
    /// No credential was shown: RFC 6750 says to name no error then.
    Nothing,
    /// The token is not good here.
    InvalidToken(&'static str),
    /// The proof is not good.
    InvalidProof(&'static str),
    /// The proof must hold the nonce that comes with this answer.
    UseNonce,
    /// More than one credential, or one in a wrong place.
    InvalidRequest(&'static str),
    /// The token is good and lacks a scope; these are all that are needed.
    InsufficientScope(&'a [&'a str]),
}

impl Challenges {
    /// For the document at `metadata`.
    ///
    /// # Errors
    ///
    /// When a part could not stand in a quoted string.
    pub(crate) fn new(metadata: &str, baseline: &[String]) -> Result<Self> {
        let mut challenges = Self {
            metadata: String::new(),
            baseline: String::new(),
            dpop: None,
        };
        quotable(metadata)?;
        let _ = write!(challenges.metadata, "resource_metadata=\"{metadata}\"");
        for scope in baseline {
            quotable(scope)?;
        }
        if !baseline.is_empty() {
            let _ = write!(challenges.baseline, ", scope=\"{}\"", baseline.join(" "));
        }
        Ok(challenges)
    }

    /// Proofs of possession are taken, or even required.
    #[cfg_attr(not(feature = "oauth"), allow(dead_code))]
    pub(crate) fn with_proofs(mut self, algorithms: &[&str], required: bool) -> Self {
        self.dpop = Some(Proofs {
            algorithms: algorithms.join(" "),
            required,
        });
        self
    }

    /// The values of `WWW-Authenticate`, one for each scheme.
    pub(crate) fn values(&self, why: Why<'_>) -> Vec<HeaderValue> {
        let about_proof = matches!(why, Why::InvalidProof(_) | Why::UseNonce);
        let mut values = Vec::with_capacity(2);
        let bearer = self.dpop.as_ref().is_none_or(|proofs| !proofs.required);
        if bearer && !about_proof {
            values.extend(self.value("Bearer ", why));
        }
        if let Some(proofs) = &self.dpop {
            let scheme = format!("DPoP algs=\"{}\", ", proofs.algorithms);
            values.extend(self.value(&scheme, why));
        }
        values
    }

    fn value(&self, scheme: &str, why: Why<'_>) -> Option<HeaderValue> {
        let mut text = scheme.to_owned();
        let (error, description) = match why {
            Why::Nothing => ("", ""),
            Why::InvalidToken(description) => ("invalid_token", description),
            Why::InvalidProof(description) => ("invalid_dpop_proof", description),
            Why::UseNonce => ("use_dpop_nonce", "use the nonce of this answer"),
            Why::InvalidRequest(description) => ("invalid_request", description),
            Why::InsufficientScope(_) => ("insufficient_scope", "the token lacks a scope"),
        };
        if !error.is_empty() {
            let _ = write!(
                text,
                "error=\"{error}\", error_description=\"{description}\", "
            );
        }
        text.push_str(&self.metadata);
        match why {
            Why::InsufficientScope(scopes) => {
                let _ = write!(text, ", scope=\"{}\"", scopes.join(" "));
            }
            _ => text.push_str(&self.baseline),
        }
        HeaderValue::try_from(text).ok()
    }
}

/// Whether a text can stand in a `quoted-string` without escapes.
fn quotable(text: &str) -> Result<()> {
    if text
        .bytes()
        .all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
    {
        return Ok(());
    }
    Err(Error::new(format!(
        "`{}` cannot be named in a challenge",
        text.escape_debug()
    ))
    .help("use visible ASCII without `\"` and `\\`"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const METADATA: &str = "https://mcp.example/.well-known/oauth-protected-resource/mcp";

    fn shown(challenges: &Challenges, why: Why<'_>) -> Vec<String> {
        let values = challenges.values(why);
        let text = values.iter().map(|v| v.to_str().unwrap().to_owned());
        text.collect()
    }

    #[test]
    fn the_header_is_exactly_what_the_rfcs_say() {
        let challenges = Challenges::new(METADATA, &["notes:read".into()]).unwrap();
        let metadata = format!("resource_metadata=\"{METADATA}\"");
        assert_eq!(
            shown(&challenges, Why::Nothing),
            [format!("Bearer {metadata}, scope=\"notes:read\"")]
        );
        assert_eq!(
            shown(&challenges, Why::InvalidToken("the token has expired")),
            [format!(
                "Bearer error=\"invalid_token\", error_description=\"the token has expired\", \
                 {metadata}, scope=\"notes:read\""
            )]
        );
        assert_eq!(
            shown(&challenges, Why::InsufficientScope(&["a", "b"])),
            [format!(
                "Bearer error=\"insufficient_scope\", error_description=\"the token lacks a \
                 scope\", {metadata}, scope=\"a b\""
            )]
        );
    }

    #[test]
    fn a_proof_is_asked_for_in_a_challenge_of_its_own() {
        let challenges = || Challenges::new(METADATA, &[]).unwrap();
        let accepted = challenges().with_proofs(&["ES256", "EdDSA"], false);
        let both = shown(&accepted, Why::Nothing);
        assert_eq!(both.len(), 2);
        assert!(both[0].starts_with("Bearer resource_metadata="));
        assert!(both[1].starts_with("DPoP algs=\"ES256 EdDSA\", resource_metadata="));
        let nonce = shown(&accepted, Why::UseNonce);
        assert_eq!(nonce.len(), 1, "{nonce:?}");
        assert!(nonce[0].contains("error=\"use_dpop_nonce\""));

        let required = challenges().with_proofs(&["ES256"], true);
        let only = shown(&required, Why::InvalidToken("x"));
        assert_eq!(only.len(), 1);
        assert!(
            only[0].starts_with("DPoP "),
            "no downgrade is offered: {only:?}"
        );
    }

    #[test]
    fn nothing_that_would_end_a_quoted_string_is_taken() {
        for bad in ["a\"b", "a\\b", "a b", "a\r\nb", "ä", "\u{0}"] {
            assert!(Challenges::new(METADATA, &[bad.into()]).is_err(), "{bad:?}");
        }
    }
}
