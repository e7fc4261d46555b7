//! What an issuer says by way of the browser.

use http::request::Parts;

/// A parameter that comes twice says two things, and so nothing.
#[derive(Default)]
pub(crate) struct Said {
    code: Option<String>,
    state: Option<String>,
    issuer: Option<String>,
    is_bad: bool,
}

impl Said {
    pub(crate) fn of(head: &Parts) -> Self {
        let mut said = Self::default();
        let query = head.uri.query().unwrap_or_default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let place = match &*name {
                "code" => &mut said.code,
                "state" => &mut said.state,
                "iss" => &mut said.issuer,
                "error" => {
                    said.is_bad = true;
                    continue;
                }
                _ => continue,
            };
            if place.replace(value.into_owned()).is_some() {
                said.is_bad = true;
            }
        }
        said
    }

    /// Whether it answers what this browser began: somebody else's code would make it somebody
    /// else (RFC 6749 section 10.12).
    pub(crate) fn answers(&self, state: &str) -> bool {
        use subtle::ConstantTimeEq as _;
        let said = self.state.as_deref().unwrap_or_default();
        !self.is_bad && !state.is_empty() && said.as_bytes().ct_eq(state.as_bytes()).into()
    }

    /// What a browser began, by its own word.
    #[cfg(feature = "upstream")]
    pub(crate) fn state(&self) -> &str {
        self.state.as_deref().unwrap_or_default()
    }

    pub(crate) fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    pub(crate) fn code(&self) -> Option<String> {
        self.code.clone().filter(|_| !self.is_bad)
    }
}
