//! What an issuer gives, or why it gives nothing.

use std::time::Duration;

use oauth2::{
    RequestTokenError, TokenResponse as _,
    basic::{BasicErrorResponse, BasicErrorResponseType, BasicTokenResponse},
};
use zeroize::Zeroizing;

use crate::{auth::oauth::exchange::run::is_token, error::Error};

/// Tokens, as they were given.
#[cfg_attr(
    not(feature = "upstream"),
    allow(dead_code, reason = "of who signs in, one is looked at")
)]
pub(crate) struct Given {
    pub(crate) access: Zeroizing<String>,
    pub(crate) refresh: Option<Zeroizing<String>>,
    pub(crate) lasts: Option<Duration>,
    pub(crate) scopes: Option<Vec<String>>,
}

/// Why there are none.
#[cfg_attr(
    not(feature = "upstream"),
    allow(dead_code, reason = "who does not sign in is told no more")
)]
pub(crate) enum NotGiven {
    /// `invalid_grant`: what was shown is used up, taken back or somebody else's.
    Over,
    /// Anything else, which may be otherwise the next time.
    Failed(String),
}

#[cfg(feature = "upstream")]
impl NotGiven {
    pub(crate) fn words(self) -> String {
        match self {
            Self::Over => "the issuer says invalid_grant".to_owned(),
            Self::Failed(words) => words,
        }
    }
}

pub(super) type Answered =
    std::result::Result<BasicTokenResponse, RequestTokenError<Error, BasicErrorResponse>>;

pub(super) fn given(answered: Answered) -> std::result::Result<Given, NotGiven> {
    let answer = match answered {
        Ok(answer) => answer,
        Err(RequestTokenError::ServerResponse(said))
            if *said.error() == BasicErrorResponseType::InvalidGrant =>
        {
            return Err(NotGiven::Over);
        }
        Err(error) => return Err(NotGiven::Failed(words(error))),
    };
    read(answer)
}

/// The tokens of an answer, if they are such.
pub(super) fn read(answer: BasicTokenResponse) -> std::result::Result<Given, NotGiven> {
    let failed = |words: &str| Err(NotGiven::Failed(words.to_owned()));
    if !answer.token_type().as_ref().eq_ignore_ascii_case("bearer") {
        return failed("the issuer gave a token of another type than `Bearer`");
    }
    let access = Zeroizing::new(answer.access_token().secret().clone());
    if !is_token(&access) {
        return failed("the issuer gave something that is no token");
    }
    let refresh = answer
        .refresh_token()
        .map(|t| Zeroizing::new(t.secret().clone()));
    if refresh
        .as_ref()
        .is_some_and(|t| t.is_empty() || t.len() > MOST_REFRESH)
    {
        return failed("the issuer gave something that is no refresh token");
    }
    Ok(Given {
        access,
        refresh,
        lasts: answer.expires_in(),
        scopes: answer
            .scopes()
            .map(|scopes| scopes.iter().map(|scope| scope.to_string()).collect()),
    })
}

/// What went wrong, without anything that was sent: the words of an issuer may repeat it.
pub(super) fn words<T: oauth2::ErrorResponse + Said>(error: RequestTokenError<Error, T>) -> String {
    match error {
        RequestTokenError::ServerResponse(said) => {
            let code: String = said.code().chars().take(64).collect();
            format!("the issuer says {}", code.escape_default())
        }
        RequestTokenError::Request(error) => error.to_string(),
        RequestTokenError::Parse(..) => "the issuer's answer is not what it has to be".to_owned(),
        RequestTokenError::Other(_) => "the issuer's answer is none".to_owned(),
    }
}

/// The code of an error response (RFC 6749 section 5.2).
pub(super) trait Said {
    fn code(&self) -> String;
}

impl<T: oauth2::ErrorResponseType + std::fmt::Display> Said for oauth2::StandardErrorResponse<T> {
    fn code(&self) -> String {
        self.error().to_string()
    }
}

pub(super) fn failed(error: Error) -> NotGiven {
    NotGiven::Failed(error.to_string())
}

/// Bytes of a refresh token.
const MOST_REFRESH: usize = 4096;
