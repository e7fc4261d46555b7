//! Why a request has no identity. Never the token, its claims, or what an issuer said.

use std::time::Duration;

/// Why a request has no identity: the check that said no, and what the answer is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenError {
    /// The id of the check, for the tally.
    pub(crate) control: &'static str,
    pub(crate) kind: TokenErrorKind,
}

/// What the answer is made of. Descriptions are constants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenErrorKind {
    /// There is no credential of a scheme that is accepted: 401, and a challenge without an
    /// error (RFC 6750 section 3.1).
    Missing,
    /// 401 `invalid_token`.
    Invalid { description: &'static str },
    /// 401 `invalid_dpop_proof` (RFC 9449 section 7.1).
    InvalidDpop { description: &'static str },
    /// 401 `use_dpop_nonce`, and the nonce in `DPoP-Nonce` (RFC 9449 section 9).
    UseDpopNonce { nonce: String },
    /// 400 `invalid_request`: two credentials, or one in the wrong place.
    InvalidRequest { description: &'static str },
    /// 503: who would have to be asked does not answer. The token may be good.
    Unavailable { retry_after: Duration },
}

pub(super) type Checked<T> = std::result::Result<T, TokenError>;

pub(super) fn missing() -> TokenError {
    TokenError {
        control: "oauth/scheme",
        kind: TokenErrorKind::Missing,
    }
}

pub(super) fn invalid(control: &'static str, description: &'static str) -> TokenError {
    TokenError {
        control,
        kind: TokenErrorKind::Invalid { description },
    }
}

pub(super) fn invalid_proof(control: &'static str, description: &'static str) -> TokenError {
    TokenError {
        control,
        kind: TokenErrorKind::InvalidDpop { description },
    }
}

pub(super) fn invalid_request(control: &'static str, description: &'static str) -> TokenError {
    TokenError {
        control,
        kind: TokenErrorKind::InvalidRequest { description },
    }
}

pub(super) fn unavailable(control: &'static str, retry_after: Duration) -> TokenError {
    TokenError {
        control,
        kind: TokenErrorKind::Unavailable { retry_after },
    }
}
