//! No credential in a URL.
//!
//! RFC 6750 section 2.3 once allowed `?access_token=…`; OAuth 2.1 and MCP forbid it (spec
//! AUTHZ-12), because URLs end up in the logs of everything on the way. It would never be read
//! here. It is refused, because a client that sends one has leaked it already, and should hear
//! of that while somebody is looking.

use http::Request;

use super::{
    gate::Gate,
    refusal::{QUERY_TOKEN, Refusal},
};

/// See the file.
pub(crate) struct NoQueryTokens;

impl Gate for NoQueryTokens {
    fn check<B>(&self, request: &Request<B>) -> Result<(), &'static Refusal> {
        let Some(query) = request.uri().query() else {
            return Ok(());
        };
        let carries = url::form_urlencoded::parse(query.as_bytes())
            .any(|(name, _)| NAMES.iter().any(|known| name.eq_ignore_ascii_case(known)));
        if carries { Err(&QUERY_TOKEN) } else { Ok(()) }
    }
}

const NAMES: &[&str] = &["access_token", "id_token", "refresh_token", "dpop"];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_query_may_say_anything_but_a_token() {
        let check = |uri: &str| {
            let request = Request::builder().uri(uri).body(()).unwrap();
            NoQueryTokens.check(&request).is_ok()
        };
        for good in ["/mcp", "/mcp?", "/mcp?a=access_token", "/mcp?token_type=x"] {
            assert!(check(good), "{good}");
        }
        for bad in [
            "/mcp?access_token=x",
            "/mcp?access_token",
            "/mcp?a=b&Access_Token=x",
            "/mcp?access%5Ftoken=x",
            "/mcp?a=b&id_token=x",
        ] {
            assert!(!check(bad), "{bad}");
        }
    }
}
