//! The document that says which authorization servers a client may ask: RFC 9728, at the root
//! and with the endpoint's path inserted.
//!
//! It is made once, from what was declared: never from the `Host` or anything else of a
//! request. It is public, so it needs no credential and any page may read it.

use std::{
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::future::Either;
use http::{HeaderValue, Method, Request, Response, header};
use serde::Serialize;
use tower::{Layer, Service};
use url::Url;

use super::{
    body::Body,
    refusal::{METHOD, Tally},
};
use crate::{Error, Result};

/// The document, ready to be sent.
pub(crate) struct Metadata {
    /// With the path of the resource inserted (RFC 9728, section 3.1).
    path: String,
    url: String,
    body: Bytes,
}

/// What the document says.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Declared<'a> {
    pub(crate) resource: &'a str,
    pub(crate) authorization_servers: Vec<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) scopes_supported: &'a [String],
    pub(crate) bearer_methods_supported: [&'static str; 1],
    pub(crate) resource_name: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) dpop_signing_alg_values_supported: &'a [&'a str],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) dpop_bound_access_tokens_required: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) tls_client_certificate_bound_access_tokens: bool,
}

/// Answers for the document, and lets everything else pass.
#[derive(Clone)]
pub(crate) struct MetadataLayer {
    metadata: Option<Arc<Metadata>>,
    tally: Tally,
}

/// A service beside which the document is.
#[derive(Clone)]
pub(crate) struct WithMetadata<S> {
    layer: MetadataLayer,
    inner: S,
}

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

impl Metadata {
    /// # Errors
    ///
    /// When the resource is not a URL that a document can be found for.
    pub(crate) fn new(declared: &Declared<'_>) -> Result<Self> {
        let resource = declared.resource;
        let broken = |what: &str| Error::new(format!("`{resource}` cannot be found: {what}"));
        let mut url = Url::parse(resource).map_err(|error| broken(&error.to_string()))?;
        let path = format!("{WELL_KNOWN}{}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        let body = serde_json::to_vec(declared).map_err(|error| broken(&error.to_string()))?;
        Ok(Self {
            path,
            url: url.into(),
            body: body.into(),
        })
    }

    /// Where a challenge says that it is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    fn response(&self, method: &Method) -> Response<Body> {
        let body = match *method {
            Method::HEAD => Bytes::new(),
            _ => self.body.clone(),
        };
        let mut response = Response::new(Body::constant(body));
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_ORIGIN,
            HeaderValue::from_static("*"),
        );
        response
    }
}

impl MetadataLayer {
    pub(crate) fn new(metadata: &Option<Arc<Metadata>>, tally: &Tally) -> Self {
        Self {
            metadata: metadata.clone(),
            tally: tally.clone(),
        }
    }
}

impl<S> Layer<S> for MetadataLayer {
    type Service = WithMetadata<S>;

    fn layer(&self, inner: S) -> WithMetadata<S> {
        WithMetadata {
            layer: self.clone(),
            inner,
        }
    }
}

impl<S, B> Service<Request<B>> for WithMetadata<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<Ready<Result<Response<Body>, S::Error>>, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let path = request.uri().path();
        let Some(metadata) = self
            .layer
            .metadata
            .as_ref()
            .filter(|metadata| path == WELL_KNOWN || path == metadata.path)
        else {
            return Either::Right(self.inner.call(request));
        };
        let response = match *request.method() {
            Method::GET | Method::HEAD => metadata.response(request.method()),
            _ => self.layer.tally.refuse(&METHOD, request.version()),
        };
        Either::Left(ready(Ok(response)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::convert::Infallible;

    use http_body_util::BodyExt as _;
    use serde_json::{Value, json};
    use tower::ServiceExt as _;

    use super::*;
    use crate::server::http::tests::tally;

    fn declared(resource: &str) -> Declared<'_> {
        Declared {
            resource,
            authorization_servers: vec!["https://auth.example"],
            scopes_supported: &[],
            bearer_methods_supported: ["header"],
            resource_name: "notes",
            dpop_signing_alg_values_supported: &[],
            dpop_bound_access_tokens_required: false,
            tls_client_certificate_bound_access_tokens: false,
        }
    }

    #[test]
    fn the_document_is_where_rfc_9728_looks_for_it() {
        for (resource, expected) in [
            (
                "https://mcp.example/mcp",
                "https://mcp.example/.well-known/oauth-protected-resource/mcp",
            ),
            (
                "https://mcp.example",
                "https://mcp.example/.well-known/oauth-protected-resource",
            ),
            (
                "https://mcp.example:8443/a/b",
                "https://mcp.example:8443/.well-known/oauth-protected-resource/a/b",
            ),
        ] {
            assert_eq!(Metadata::new(&declared(resource)).unwrap().url(), expected);
        }
    }

    #[tokio::test]
    async fn both_places_answer_alike_and_nothing_of_the_request_is_in_it() {
        let metadata = Metadata::new(&declared("https://mcp.example/mcp")).unwrap();
        let (tally, _) = tally();
        let inner = tower::service_fn(|_: Request<()>| async {
            Ok::<_, Infallible>(Response::new(Body::constant("inner".into())))
        });
        let service = MetadataLayer::new(&Some(Arc::new(metadata)), &tally).layer(inner);
        let ask = |method: &str, path: &str| {
            let request = Request::builder().method(method).uri(path);
            let request = request.header("host", "evil.example").body(()).unwrap();
            service.clone().oneshot(request)
        };
        for path in [WELL_KNOWN, "/.well-known/oauth-protected-resource/mcp"] {
            let response = ask("GET", path).await.unwrap();
            assert_eq!(response.headers()["access-control-allow-origin"], "*");
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let document: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(
                document,
                json!({
                    "resource": "https://mcp.example/mcp",
                    "authorization_servers": ["https://auth.example"],
                    "bearer_methods_supported": ["header"],
                    "resource_name": "notes",
                })
            );
        }
        assert_eq!(ask("POST", WELL_KNOWN).await.unwrap().status(), 405);
        let other = ask("GET", "/.well-known/oauth-protected-resource/other");
        let body = other.await.unwrap().into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), "inner");
    }
}
