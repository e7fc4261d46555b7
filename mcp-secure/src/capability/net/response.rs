//! What came back, within its limits.

use std::{fmt, sync::Arc};

use bytes::{Bytes, BytesMut};
use futures::Stream;
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use serde::de::DeserializeOwned;
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{
    NetError,
    client::{CallSide, Held, OpenNet, conclude},
    conn::{Conn, broken},
    unpack::Unpacker,
};
use crate::capability::{Lease, trail::Entry};
#[cfg(feature = "vault")]
use crate::vault::Reflection;

/// A response whose body has not been read.
///
/// Dropping it closes the connection, unless the body was read to its end. When the call ends,
/// so does the body: it then answers [`NetError::Revoked`].
pub struct Response {
    status: StatusCode,
    headers: HeaderMap,
    unpacker: Unpacker,
    /// Of an endpoint that spends a credential.
    #[cfg(feature = "vault")]
    reflection: Option<Reflection>,
    /// `None` once it is read, or given up.
    rest: Option<Rest>,
    client: Arc<OpenNet>,
    lease: Lease,
    entry: Entry,
    deadline: Instant,
}

struct Rest {
    body: Incoming,
    conn: Conn,
    host: String,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Response {
    #[allow(
        clippy::too_many_arguments,
        reason = "it is what `send` has in its hands"
    )]
    pub(super) fn new(
        client: Arc<OpenNet>,
        host: String,
        conn: Conn,
        response: http::Response<Incoming>,
        call: &CallSide,
        entry: Entry,
        held: Held,
        deadline: Instant,
    ) -> Result<Self, NetError> {
        #[cfg_attr(not(feature = "vault"), allow(unused_mut))]
        let (mut parts, body) = response.into_parts();
        let checked = check(&parts, !body.is_end_stream(), &client);
        let unpacker = checked.inspect_err(|error| conclude(&entry, error))?;
        #[cfg(feature = "vault")]
        let reflection = held.spent.as_ref().map(|spent| {
            let redactor = spent.redactor();
            if redactor.clean(&mut parts.headers) {
                came_back(&entry);
            }
            Reflection::new(redactor)
        });
        Ok(Self {
            status: parts.status,
            headers: parts.headers,
            unpacker,
            #[cfg(feature = "vault")]
            reflection,
            rest: Some(Rest {
                body,
                conn,
                host,
                _permit: held.permit,
            }),
            client,
            lease: call.lease.clone(),
            entry,
            deadline,
        })
    }

    /// The status. One that says "no" is no error of this method; see
    /// [`StatusCode::is_success`].
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers, as they came. A `Location` was not followed, unless the grant says so.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The next piece of the body, unpacked; `None` at its end.
    ///
    /// # Errors
    ///
    /// [`NetError::Size`], [`NetError::Ratio`], [`NetError::Timeout`], [`NetError::Revoked`],
    /// and [`NetError::Connection`] if the body breaks off. After an error there is no more.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, NetError> {
        let piece = self.next().await;
        if let Err(error) = &piece {
            self.rest = None;
            conclude(&self.entry, error);
        }
        piece
    }

    /// The whole body.
    ///
    /// # Errors
    ///
    /// As [`chunk`](Self::chunk).
    pub async fn bytes(mut self) -> Result<Bytes, NetError> {
        let Some(first) = self.chunk().await? else {
            return Ok(Bytes::new());
        };
        let Some(second) = self.chunk().await? else {
            return Ok(first);
        };
        let mut whole = BytesMut::from(first);
        whole.extend_from_slice(&second);
        while let Some(piece) = self.chunk().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// The whole body, as UTF-8 text.
    ///
    /// # Errors
    ///
    /// As [`chunk`](Self::chunk), and [`NetError::Decode`].
    pub async fn text(self) -> Result<String, NetError> {
        let bytes = self.bytes().await?;
        String::from_utf8(bytes.into()).map_err(|error| NetError::Decode {
            detail: error.to_string(),
        })
    }

    /// The whole body, as JSON.
    ///
    /// # Errors
    ///
    /// As [`chunk`](Self::chunk), and [`NetError::Decode`].
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, NetError> {
        let bytes = self.bytes().await?;
        serde_json::from_slice(&bytes).map_err(|error| NetError::Decode {
            detail: error.to_string(),
        })
    }

    /// The body as a stream of pieces, unpacked. It ends after the first error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, NetError>> + Send {
        futures::stream::unfold(self, |mut response| async move {
            let piece = response.chunk().await.transpose()?;
            Some((piece, response))
        })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, NetError> {
        loop {
            let Some(rest) = &mut self.rest else {
                return Ok(None);
            };
            if !self.lease.is_live() {
                return Err(NetError::Revoked);
            }
            let until = self
                .deadline
                .min(Instant::now() + self.client.limits.idle_timeout);
            let frame = tokio::time::timeout_at(until, rest.body.frame())
                .await
                .map_err(|_| NetError::Timeout {
                    what: "the response",
                })?;
            let piece = match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.unpacker.take(data)?,
                    // Trailers say nothing that a tool should act on.
                    Err(_) => continue,
                },
                Some(Err(_)) if !self.lease.is_live() => return Err(NetError::Revoked),
                Some(Err(_)) if Instant::now() >= self.deadline => {
                    return Err(NetError::Timeout {
                        what: "the response",
                    });
                }
                Some(Err(error)) => return Err(broken(&error)),
                None => {
                    let last = self.unpacker.finish()?;
                    if let Some(Rest { conn, host, .. }) = self.rest.take() {
                        conn.idle();
                        self.client.pool.put(&host, conn);
                    }
                    last
                }
            };
            let taken = self.unpacker.taken();
            self.entry.change(|step| step.bytes_in = taken);
            #[cfg(feature = "vault")]
            let piece = self.without_secret(piece);
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
    }
}

#[cfg(feature = "vault")]
impl Response {
    /// The piece, without what was spent for it.
    fn without_secret(&mut self, piece: Bytes) -> Bytes {
        let Some(reflection) = &mut self.reflection else {
            return piece;
        };
        let had = reflection.hit();
        let mut piece = reflection.take(piece);
        if self.rest.is_none() {
            let last = reflection.finish();
            if piece.is_empty() {
                piece = last;
            } else if !last.is_empty() {
                piece = [piece, last].concat().into();
            }
        }
        if reflection.hit() && !had {
            came_back(&self.entry);
        }
        piece
    }
}

/// Says in the trail that a server answers with the secret it was sent.
#[cfg(feature = "vault")]
fn came_back(entry: &Entry) {
    entry.change(|step| {
        step.control = Some("net/reflection");
        if let Some(detail) = &mut step.detail
            && !detail.ends_with(REMOVED)
        {
            detail.push_str(REMOVED);
        }
    });
}

#[cfg(feature = "vault")]
const REMOVED: &str = ", and removed it from the response";

/// What the headers alone say against a response.
fn check(
    head: &http::response::Parts,
    has_body: bool,
    client: &OpenNet,
) -> Result<Unpacker, NetError> {
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(NetError::Connection {
            detail: "the server switches to another protocol".to_owned(),
        });
    }
    let unpacker = Unpacker::new(&head.headers, &client.limits)?;
    let stated = head
        .headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let limit = client.limits.max_response;
    if has_body && stated.is_some_and(|stated| stated > limit) {
        return Err(NetError::Size {
            what: "response",
            limit,
        });
    }
    Ok(unpacker)
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({})", self.status)
    }
}
