//! The SDK's own requests: keys of an issuer, metadata, introspection. They go the way that a
//! tool's requests go, under a rule of their own.

#![cfg_attr(
    not(test),
    allow(dead_code, reason = "what fetches with it comes with OAuth")
)]

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Method, header};
use serde::de::DeserializeOwned;

use super::{
    NetError, NetLimits, OpenNet, Redirects,
    client::{CallSide, Hop, Payload, Said, Settings},
    path,
    target::{Scheme, Target},
};
use crate::{
    capability::{Lease, Opening, Trail},
    error::{Error, Result},
};

/// How the SDK fetches from one URL.
#[derive(Clone, Default)]
pub(crate) struct FetchSettings {
    /// The operator runs the server in a network of their own.
    pub(crate) allow_private: bool,
    /// Trusted besides the usual authorities.
    pub(crate) ca_files: Vec<PathBuf>,
    /// Instead of who the system asks.
    pub(crate) nameservers: Vec<SocketAddr>,
    /// Sent with each request, as it is: `Basic …`.
    pub(crate) authorization: Option<HeaderValue>,
}

/// Fetches from one URL that the operator wrote.
pub(crate) struct Client {
    open: Arc<OpenNet>,
    call: CallSide,
}

impl Client {
    /// Opens it. The name is for the audit and unique in a server, such as `sdk/jwks`.
    ///
    /// # Errors
    ///
    /// When the URL is none that could be granted: plain HTTP is for private addresses only.
    pub(crate) fn open(
        name: &'static str,
        url: &str,
        settings: FetchSettings,
        opening: &mut Opening,
    ) -> Result<Self> {
        let target = Target::parse(url, false)?;
        if target.scheme == Scheme::Http && !settings.allow_private {
            return Err(Error::new(format!("`{url}` is plain HTTP")).help("write `https://`"));
        }
        let settings = Settings {
            allow_private: settings.allow_private,
            ca_files: settings.ca_files,
            nameservers: settings.nameservers,
            bearer: settings.authorization,
            redirects: Redirects::Off,
            limits: NetLimits {
                max_request: 64 * 1024,
                max_response: 1024 * 1024,
                timeout: Duration::from_secs(10),
                connect_timeout: Duration::from_secs(5),
                max_concurrent: 4,
                max_per_second: 20,
                ..NetLimits::default()
            },
            ..Settings::default()
        };
        Ok(Self {
            open: Arc::new(OpenNet::open(name, target, settings, opening)?),
            call: CallSide {
                lease: Lease::new(),
                trail: Trail::default(),
                checked: Arc::default(),
            },
        })
    }

    /// The URL's own document.
    ///
    /// # Errors
    ///
    /// As for a tool, and [`NetError::Decode`] for any status but 200.
    pub(crate) async fn get_json<T: DeserializeOwned>(&self) -> std::result::Result<T, NetError> {
        self.exchange(Method::GET, HeaderMap::new(), Payload::None)
            .await
    }

    /// Sends a form to the URL.
    ///
    /// # Errors
    ///
    /// As [`get_json`](Self::get_json).
    pub(crate) async fn post_form<T: DeserializeOwned>(
        &self,
        pairs: &[(&str, &str)],
    ) -> std::result::Result<T, NetError> {
        let mut body = String::new();
        for (key, value) in pairs {
            path::pair(&mut body, key, value);
        }
        let mut headers = HeaderMap::new();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, form);
        self.exchange(Method::POST, headers, Payload::Bytes(body.into()))
            .await
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        method: Method,
        mut headers: HeaderMap,
        body: Payload,
    ) -> std::result::Result<T, NetError> {
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let target = &self.open.target;
        let path = if target.prefix.is_empty() {
            "/".to_owned()
        } else {
            target.prefix.clone()
        };
        let hop = Hop {
            method,
            host: target.host.single().ok_or(NetError::Host)?,
            path,
            template: "",
            headers,
            body,
            said: Said::Nothing,
            is_elsewhere: false,
        };
        let response = self.open.send(hop, &self.call).await?;
        if response.status() != http::StatusCode::OK {
            return Err(NetError::Decode {
                detail: format!("status {}", response.status()),
            });
        }
        response.json().await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use serde_json::Value;

    use super::*;

    /// GHSA-c9xm-49cp-xcr9: a server answers 401 with a `resource_metadata` of its own choice,
    /// and who wants to log in fetches it.
    #[tokio::test]
    async fn metadata_that_a_challenge_names_is_not_fetched_from_a_special_address() {
        let open = |url: &str| {
            let settings = FetchSettings::default();
            Client::open("sdk/metadata", url, settings, &mut Opening::default())
        };
        for no_url in [
            "http://169.254.169.254/",
            "http://auth.example/.well-known/oauth-protected-resource",
            "https://auth.example@169.254.169.254/",
            "https://2852039166/",
            "https://0xa9fea9fe/",
            "https://169.254.43518/",
            "https://[::ffff:a9fe:a9fe]/",
            "https://*.example.com/",
            "file:///etc/passwd",
            "https://auth.example/x?y=https://169.254.169.254/",
        ] {
            assert!(open(no_url).is_err(), "{no_url}");
        }
        for special in [
            "https://169.254.169.254/.well-known/oauth-protected-resource",
            "https://[fd00:ec2::254]/",
            "https://100.100.100.200/",
            "https://168.63.129.16/",
            "https://127.0.0.1:8443/",
            "https://10.0.0.5/",
        ] {
            let Ok(client) = open(special) else {
                panic!("{special} is written as it should be");
            };
            let error = client.get_json::<Value>().await.unwrap_err();
            assert!(
                matches!(error, NetError::Address { .. }),
                "{special}: {error:?}"
            );
        }
    }
}
