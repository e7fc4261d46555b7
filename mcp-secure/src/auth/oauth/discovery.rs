//! Where an issuer keeps what is needed of it: RFC 8414, then OpenID Connect Discovery.

use http::StatusCode;
use serde_json::{Map, Value};
use url::Url;

use super::json;
use crate::{
    capability::net::{NetError, fetch::Client},
    error::{Error, Result},
};

/// What of an issuer's metadata is used.
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "upstream"),
    allow(dead_code, reason = "nobody connects an account")
)]
pub(super) struct Metadata {
    pub(super) jwks_uri: Option<String>,
    pub(super) introspection_endpoint: Option<String>,
    pub(super) authorization_endpoint: Option<String>,
    pub(super) token_endpoint: Option<String>,
    pub(super) revocation_endpoint: Option<String>,
    pub(super) device_authorization_endpoint: Option<String>,
    /// It says who it is with each code (RFC 9207).
    pub(super) says_who_it_is: bool,
}

/// Fetches the metadata, from the places and in the order that the MCP specification names
/// (authorization, "Authorization Server Metadata Discovery").
///
/// # Errors
///
/// When there are none, or they are another issuer's: whoever can answer for one path of an
/// origin could otherwise speak for all of them (RFC 8414 section 3.3).
pub(super) async fn discover(client: &Client, issuer: &str) -> Result<Metadata> {
    let mut troubles = Vec::new();
    for path in places(issuer) {
        match fetch(client, &path).await {
            Ok(Some(metadata)) => return read(&metadata, issuer, &path),
            Ok(None) => troubles.push(format!("`{path}`: no metadata")),
            Err(error) => troubles.push(format!("`{path}`: {}", said(&error))),
        }
    }
    Err(Error::new(format!(
        "the issuer `{issuer}` does not say where its keys are ({})",
        troubles.join("; ")
    ))
    .help(
        "compare the issuer with the `iss` of its tokens, make sure that it can be reached, \
         or name its keys with `.jwks(\"https://…\")`",
    ))
}

/// An error of the network, for the operator.
pub(super) fn said(error: &NetError) -> String {
    match error.detail() {
        Some(detail) if detail != error.to_string() => format!("{error} ({detail})"),
        _ => error.to_string(),
    }
}

async fn fetch(
    client: &Client,
    path: &str,
) -> std::result::Result<Option<Map<String, Value>>, NetError> {
    let fetched = client.get(path).await?;
    if fetched.status != StatusCode::OK {
        return Ok(None);
    }
    Ok(json::object(&fetched.body))
}

fn read(metadata: &Map<String, Value>, issuer: &str, path: &str) -> Result<Metadata> {
    let text = |name: &str| metadata.get(name).and_then(Value::as_str);
    match text("issuer") {
        Some(theirs) if theirs == issuer => Ok(Metadata {
            jwks_uri: text("jwks_uri").map(str::to_owned),
            introspection_endpoint: text("introspection_endpoint").map(str::to_owned),
            authorization_endpoint: text("authorization_endpoint").map(str::to_owned),
            token_endpoint: text("token_endpoint").map(str::to_owned),
            revocation_endpoint: text("revocation_endpoint").map(str::to_owned),
            device_authorization_endpoint: text("device_authorization_endpoint").map(str::to_owned),
            says_who_it_is: metadata
                .get("authorization_response_iss_parameter_supported")
                .and_then(Value::as_bool)
                .unwrap_or_default(),
        }),
        theirs => {
            let theirs: String = theirs
                .unwrap_or_default()
                .chars()
                .take(200)
                .flat_map(char::escape_default)
                .collect();
            Err(Error::new(format!(
                "the metadata at `{path}` are those of the issuer `{theirs}`, not of `{issuer}`"
            ))
            .help("write the issuer as it calls itself, to the last `/`"))
        }
    }
}

/// RFC 8414 section 3.1 puts the well-known part before the issuer's path; OpenID Connect
/// Discovery section 4 puts it behind.
fn places(issuer: &str) -> Vec<String> {
    let path = Url::parse(issuer).map(|url| url.path().to_owned());
    let path = path.as_deref().unwrap_or_default().trim_end_matches('/');
    let mut places = vec![
        format!("/.well-known/oauth-authorization-server{path}"),
        format!("/.well-known/openid-configuration{path}"),
        format!("{path}/.well-known/openid-configuration"),
    ];
    places.dedup();
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_well_known_part_comes_before_the_path_and_then_behind_it() {
        assert_eq!(
            places("https://auth.example/tenant/v2.0/"),
            [
                "/.well-known/oauth-authorization-server/tenant/v2.0",
                "/.well-known/openid-configuration/tenant/v2.0",
                "/tenant/v2.0/.well-known/openid-configuration",
            ]
        );
        assert_eq!(
            places("https://auth.example"),
            [
                "/.well-known/oauth-authorization-server",
                "/.well-known/openid-configuration",
            ]
        );
    }
}
