//! How bytes get to the collector: by the SDK's own egress, whatever the exporter has in mind.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use http::{HeaderMap, Request, Response, header};
use opentelemetry_http::{Bytes, HttpClient, HttpError};
use tokio::runtime::Handle;

use crate::capability::net::fetch::Client;

/// Posts to one path of the collector. The address, the headers and the time-outs that an exporter
/// has from the environment are not looked at.
#[derive(Clone)]
pub(super) struct Post {
    client: Arc<Client>,
    headers: HeaderMap,
    /// An exporter of numbers runs on a thread of its own.
    runtime: Handle,
    path: String,
    /// What the collector said it does not take, though it took the rest.
    rejected: Arc<AtomicU64>,
}

impl Post {
    pub(super) fn new(client: Arc<Client>, headers: HeaderMap, runtime: Handle) -> Self {
        Self {
            client,
            headers,
            runtime,
            path: String::new(),
            rejected: Arc::default(),
        }
    }

    /// The same for one of `traces`, `metrics` and `logs`.
    pub(super) fn to(&self, signal: &str) -> Self {
        let base = self.client.path().trim_end_matches('/');
        Self {
            path: format!("{base}/v1/{signal}"),
            ..self.clone()
        }
    }

    pub(super) fn rejected(&self) -> u64 {
        self.rejected.swap(0, Ordering::Relaxed)
    }
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post").field("path", &self.path).finish()
    }
}

impl HttpClient for Post {
    fn send_bytes<'me, 'it>(
        &'me self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'it>>
    where
        'me: 'it,
        Self: 'it,
    {
        let (parts, body) = request.into_parts();
        let mut headers = self.headers.clone();
        if let Some(kind) = parts.headers.get(header::CONTENT_TYPE) {
            headers.insert(header::CONTENT_TYPE, kind.clone());
        }
        let (client, path) = (Arc::clone(&self.client), self.path.clone());
        let rejected = Arc::clone(&self.rejected);
        let sent = self
            .runtime
            .spawn(async move { client.post(&path, headers, body).await });
        Box::pin(async move {
            let fetched = sent.await??;
            if fetched.status.is_success() {
                rejected.fetch_add(rejected_in(&fetched.body), Ordering::Relaxed);
            }
            let mut response = Response::new(fetched.body);
            *response.status_mut() = fetched.status;
            Ok(response)
        })
    }
}

/// `partial_success.rejected_…`: field 1 of field 1 of each of the three responses.
fn rejected_in(response: &[u8]) -> u64 {
    fn varint(bytes: &mut &[u8]) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (first, rest) = bytes.split_first()?;
            *bytes = rest;
            value |= u64::from(first & 0x7f) << shift;
            if first & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
    let read = |mut bytes: &[u8]| {
        if varint(&mut bytes)? != MESSAGE {
            return None;
        }
        let length = usize::try_from(varint(&mut bytes)?).ok()?;
        let mut inner = bytes.get(..length)?;
        (varint(&mut inner)? == NUMBER).then(|| varint(&mut inner))?
    };
    // It is the collector's word: no more than could have been sent.
    read(response).unwrap_or(0).min(1 << 20)
}

const MESSAGE: u64 = 0x0a;
const NUMBER: u64 = 0x08;

#[cfg(test)]
mod tests {
    use super::rejected_in;

    #[test]
    fn what_a_collector_rejects_is_read_and_rubbish_is_none() {
        assert_eq!(rejected_in(b""), 0);
        assert_eq!(rejected_in(b"\x0a\x00"), 0);
        assert_eq!(rejected_in(b"\x0a\x02\x08\x05"), 5);
        assert_eq!(rejected_in(b"\x0a\x06\x08\x80\x01\x12\x01x"), 128);
        assert_eq!(rejected_in(b"\x0a\x7f\x08"), 0);
        assert_eq!(rejected_in(&[0xff; 40]), 0);
        assert_eq!(rejected_in(b"{\"partialSuccess\":null}"), 0);
    }
}
