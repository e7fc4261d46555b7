//! The SDK's own requests: keys of an issuer, metadata, introspection. They go the way that a
//! tool's requests go, under a rule of their own.

#![cfg_attr(
    not(all(feature = "oauth", feature = "otel")),
    allow(dead_code, reason = "each of its users needs a part of it")
)]

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
#[cfg(test)]
use serde::de::DeserializeOwned;
use url::Url;

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

/// How the SDK fetches from one origin.
#[derive(Clone, Default)]
pub(crate) struct FetchSettings {
    /// The capability that it is for, where there is one for each.
    pub(crate) of: Option<&'static str>,
    /// The operator runs the server in a network of their own.
    pub(crate) allow_private: bool,
    /// Trusted besides the usual authorities.
    pub(crate) ca_files: Vec<PathBuf>,
    /// Instead of who the system asks.
    pub(crate) nameservers: Vec<SocketAddr>,
    /// Sent with each request, as it is: `Basic …`.
    pub(crate) authorization: Option<HeaderValue>,
    /// Bytes of one request; 64 KiB if nothing is said.
    pub(crate) max_request: Option<u64>,
    /// Bytes of one response; a mebibyte if nothing is said.
    pub(crate) max_response: Option<u64>,
    /// Requests in a second; twenty if nothing is said, a fifth of them at a time.
    pub(crate) max_per_second: Option<u32>,
}

/// Fetches from one origin that the operator wrote.
pub(crate) struct Client {
    open: Arc<OpenNet>,
    call: CallSide,
    host: String,
    /// Of the URL that it was opened with.
    path: String,
}

/// What came back, whatever its status.
pub(crate) struct Fetched {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Client {
    /// Opens the origin of a URL. The name is for the audit and unique in a server, such as
    /// `sdk/jwks`.
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
        let mut target = Target::parse(url, false)?;
        if target.scheme == Scheme::Http && !settings.allow_private {
            return Err(Error::new(format!("`{url}` is plain HTTP")).help("write `https://`"));
        }
        let host = target
            .host
            .single()
            .ok_or_else(|| Error::new(format!("`{url}` names no single host")))?;
        let path = match std::mem::take(&mut target.prefix) {
            path if path.is_empty() => "/".to_owned(),
            path => path,
        };
        let per_second = settings.max_per_second.unwrap_or(20);
        let settings = Settings {
            rule: settings.of.map(|of| format!("{name}/{of}")),
            allow_private: settings.allow_private,
            ca_files: settings.ca_files,
            nameservers: settings.nameservers,
            bearer: settings.authorization,
            redirects: Redirects::Off,
            limits: NetLimits {
                max_request: settings.max_request.unwrap_or(64 * 1024),
                max_response: settings.max_response.unwrap_or(1024 * 1024),
                timeout: Duration::from_secs(10),
                connect_timeout: Duration::from_secs(5),
                max_concurrent: per_second.div_ceil(5) as usize,
                max_per_second: per_second,
                ..NetLimits::default()
            },
            ..Settings::default()
        };
        Ok(Self {
            open: Arc::new(OpenNet::open(name, target, settings, opening)?),
            call: CallSide {
                lease: Lease::new(),
                trail: Trail::default(),
                #[cfg(feature = "vault")]
                caller: None,
                checked: Arc::default(),
                #[cfg(feature = "oauth")]
                inbound: None,
            },
            host,
            path,
        })
    }

    /// Path and query of a URL, if it is on this origin: what a document names elsewhere is not
    /// fetched.
    pub(crate) fn own(&self, url: &str) -> Option<String> {
        let url = Url::parse(url).ok()?;
        if url.fragment().is_some() {
            return None;
        }
        self.open.target.admit(&url).ok().map(|(_, path)| path)
    }

    /// Path and query of the URL that it was opened with.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// A document of the origin.
    ///
    /// # Errors
    ///
    /// As for a tool.
    pub(crate) async fn get(&self, path: &str) -> std::result::Result<Fetched, NetError> {
        self.exchange(Method::GET, path, HeaderMap::new(), Payload::None)
            .await
    }

    /// The same with headers.
    ///
    /// # Errors
    ///
    /// As for a tool.
    #[cfg(feature = "vault")]
    pub(crate) async fn get_with(
        &self,
        path: &str,
        headers: HeaderMap,
    ) -> std::result::Result<Fetched, NetError> {
        self.exchange(Method::GET, path, headers, Payload::None)
            .await
    }

    /// Sends a form.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub(crate) async fn post_form(
        &self,
        path: &str,
        pairs: &[(&str, &str)],
    ) -> std::result::Result<Fetched, NetError> {
        let mut body = String::new();
        for (key, value) in pairs {
            path::pair(&mut body, key, value);
        }
        let mut headers = HeaderMap::new();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, form);
        self.exchange(Method::POST, path, headers, Payload::Bytes(body.into()))
            .await
    }

    /// Sends bytes, with headers that say what they are.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub(crate) async fn post(
        &self,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> std::result::Result<Fetched, NetError> {
        self.exchange(Method::POST, path, headers, Payload::Bytes(body))
            .await
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        mut headers: HeaderMap,
        body: Payload,
    ) -> std::result::Result<Fetched, NetError> {
        headers
            .entry(header::ACCEPT)
            .or_insert(HeaderValue::from_static("application/json"));
        let hop = Hop {
            method,
            host: self.host.clone(),
            path: path.to_owned(),
            template: "",
            headers,
            body,
            said: Said::Nothing,
            is_elsewhere: false,
        };
        let response = self.open.send(hop, &self.call).await?;
        Ok(Fetched {
            status: response.status(),
            headers: response.headers().clone(),
            body: response.bytes().await?,
        })
    }
}

#[cfg(test)]
impl Fetched {
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Option<T> {
        (self.status == StatusCode::OK)
            .then(|| serde_json::from_slice(&self.body).ok())
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, clippy::unwrap_used, clippy::indexing_slicing)]
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
            let error = client.get(client.path()).await.err();
            assert!(
                matches!(error, Some(NetError::Address { .. })),
                "{special}: {error:?}"
            );
        }
    }

    #[test]
    fn a_document_cannot_send_the_sdk_to_another_origin() {
        let settings = FetchSettings::default();
        let client = Client::open(
            "sdk/issuer",
            "https://auth.example/tenant",
            settings,
            &mut Opening::default(),
        );
        let Ok(client) = client else {
            panic!("it is an origin");
        };
        for (url, path) in [
            ("https://auth.example/keys", Some("/keys")),
            ("https://AUTH.example:443/keys?p=x", Some("/keys?p=x")),
            ("http://auth.example/keys", None),
            ("https://auth.example:8443/keys", None),
            ("https://evil.example/keys", None),
            ("https://auth.example.evil.example/keys", None),
            ("https://auth.example@evil.example/keys", None),
            ("https://user@auth.example/keys", None),
            ("https://auth.example/keys#x", None),
            ("/keys", None),
            ("data:application/json,{}", None),
        ] {
            assert_eq!(client.own(url).as_deref(), path, "{url}");
        }
        assert_eq!(client.path(), "/tenant");
    }
}
