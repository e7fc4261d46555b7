//! The body of a request: so many bytes, in so much time, and never collected here.
//!
//! rmcp reads the body with its own cap and without a clock, and says 500 with the error's
//! text when reading fails. So the body is wrapped where it is: it counts and times itself,
//! and what went wrong is left where the answer can be replaced.

use std::{
    fmt,
    future::{Ready, ready},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    task::{Context, Poll, ready as task_ready},
    time::Duration,
};

use bytes::Bytes;
use futures::future::Either;
use http::{Request, Response, Version};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tower::{Layer, Service};

use super::{
    body::Body,
    refusal::{BODY_BROKEN, BODY_TOO_LARGE, BODY_TOO_SLOW, ODD_KEY, Refusal, Tally},
};
use crate::server::keys::Keys;

/// Limits the size of a request's body and the time it takes to arrive.
#[derive(Clone)]
pub(crate) struct BodyLimitLayer {
    bytes: u64,
    time: Duration,
    tally: Tally,
}

/// A service whose requests have a [`LimitedBody`].
#[derive(Clone)]
pub(crate) struct BodyLimit<S> {
    limits: BodyLimitLayer,
    inner: S,
}

pin_project! {
    /// A body that counts and times itself, and looks at the keys that pass by: rmcp reads
    /// the whole of it at once, so nobody else could.
    pub(crate) struct LimitedBody<B> {
        #[pin]
        inner: B,
        keys: Keys,
        remaining: u64,
        time: Duration,
        // Made when the body is first waited for: one that came with its head costs no timer.
        deadline: Option<Pin<Box<Sleep>>>,
        failure: Arc<AtomicU8>,
    }
}

pin_project! {
    /// The answer, or the refusal that replaces it because its request never arrived whole.
    pub(crate) struct Answer<F> {
        #[pin]
        future: F,
        failure: Arc<AtomicU8>,
        tally: Tally,
        version: Version,
    }
}

/// What rmcp is told when a body is cut short; its text goes nowhere.
#[derive(Debug)]
pub(crate) struct BodyRefused;

const TOO_LARGE: u8 = 1;
const TOO_SLOW: u8 = 2;
const BROKEN: u8 = 3;
const ODD: u8 = 4;

impl BodyLimitLayer {
    pub(crate) fn new(bytes: usize, time: Duration, tally: &Tally) -> Self {
        Self {
            bytes: bytes as u64,
            time,
            tally: tally.clone(),
        }
    }
}

impl<S> Layer<S> for BodyLimitLayer {
    type Service = BodyLimit<S>;

    fn layer(&self, inner: S) -> Self::Service {
        BodyLimit {
            limits: self.clone(),
            inner,
        }
    }
}

impl<S, B> Service<Request<B>> for BodyLimit<S>
where
    B: http_body::Body<Data = Bytes>,
    S: Service<Request<LimitedBody<B>>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<Ready<Result<Response<Body>, S::Error>>, Answer<S::Future>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let version = request.version();
        let BodyLimitLayer { bytes, time, tally } = &self.limits;
        if request.body().size_hint().lower() > *bytes {
            return Either::Left(ready(Ok(tally.refuse(&BODY_TOO_LARGE, version))));
        }
        let failure = Arc::new(AtomicU8::new(0));
        let request = request.map(|inner| LimitedBody {
            inner,
            keys: Keys::default(),
            remaining: *bytes,
            time: *time,
            deadline: None,
            failure: failure.clone(),
        });
        let future = self.inner.call(request);
        Either::Right(Answer {
            future,
            failure,
            tally: tally.clone(),
            version,
        })
    }
}

impl<F, E> Future for Answer<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = task_ready!(this.future.poll(cx))?;
        let refusal: &Refusal = match this.failure.load(Relaxed) {
            0 => return Poll::Ready(Ok(response)),
            TOO_LARGE => &BODY_TOO_LARGE,
            TOO_SLOW => &BODY_TOO_SLOW,
            ODD => &ODD_KEY,
            _ => &BODY_BROKEN,
        };
        Poll::Ready(Ok(this.tally.refuse(refusal, *this.version)))
    }
}

impl<B: http_body::Body<Data = Bytes>> http_body::Body for LimitedBody<B> {
    type Data = Bytes;
    type Error = BodyRefused;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyRefused>>> {
        let this = self.project();
        let fail = |why| {
            this.failure.store(why, Relaxed);
            Poll::Ready(Some(Err(BodyRefused)))
        };
        match this.inner.poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                // Trailers are dropped: nothing reads them, so nothing should carry them.
                let Ok(data) = frame.into_data() else {
                    return Poll::Ready(None);
                };
                match this.remaining.checked_sub(data.len() as u64) {
                    Some(rest) => *this.remaining = rest,
                    None => return fail(TOO_LARGE),
                }
                if this.keys.feed(&data).is_err() {
                    return fail(ODD);
                }
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Poll::Ready(Some(Err(_))) => fail(BROKEN),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                let time = *this.time;
                let deadline = this.deadline.get_or_insert_with(|| Box::pin(sleep(time)));
                match deadline.as_mut().poll(cx) {
                    Poll::Ready(()) => fail(TOO_SLOW),
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl fmt::Display for BodyRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body was refused")
    }
}

impl std::error::Error for BodyRefused {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::convert::Infallible;

    use http_body_util::{BodyExt, Full, StreamBody};
    use tower::ServiceExt;

    use super::*;
    use crate::server::http::tests::tally;

    /// Reads the body as rmcp does and says 500 with the error's text when that fails.
    async fn read<B>(request: Request<LimitedBody<B>>) -> Result<Response<Body>, Infallible>
    where
        B: http_body::Body<Data = Bytes>,
    {
        let text = match request.into_body().collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => error.to_string().into(),
        };
        Ok(Response::new(Body::constant(text)))
    }

    async fn send<B>(body: B) -> (u16, Bytes)
    where
        B: http_body::Body<Data = Bytes>,
    {
        let (tally, _) = tally();
        let layer = BodyLimitLayer::new(8, Duration::from_secs(30), &tally);
        let service = layer.layer(tower::service_fn(read::<B>));
        let response = service.oneshot(Request::new(body)).await.unwrap();
        let status = response.status().as_u16();
        (
            status,
            response.into_body().collect().await.unwrap().to_bytes(),
        )
    }

    #[tokio::test]
    async fn a_body_of_the_allowed_size_passes_whole() {
        assert_eq!(
            send(Full::from("12345678")).await,
            (200, Bytes::from("12345678"))
        );
        assert_eq!(send(Full::from("")).await.0, 200);
    }

    #[tokio::test]
    async fn a_declared_and_an_undeclared_oversize_are_both_refused() {
        assert_eq!(send(Full::from("123456789")).await.0, 413);
        let chunks = ["12345", "6789"].map(|c| Ok::<_, Infallible>(Frame::data(Bytes::from(c))));
        assert_eq!(
            send(StreamBody::new(futures::stream::iter(chunks))).await.0,
            413
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_drop_every_second_does_not_buy_more_than_the_whole_time() {
        let drops = futures::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(6)).await;
            Some((
                Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x"))),
                (),
            ))
        });
        let begun = tokio::time::Instant::now();
        assert_eq!(send(StreamBody::new(Box::pin(drops))).await.0, 408);
        assert_eq!(begun.elapsed().as_secs(), 30);
    }

    #[tokio::test]
    async fn a_connection_that_breaks_is_a_parse_error_without_its_text() {
        let broken = futures::stream::iter([Err::<Frame<Bytes>, _>(std::io::Error::other("x"))]);
        let (status, body) = send(StreamBody::new(broken)).await;
        assert_eq!(status, 400);
        assert!(std::str::from_utf8(&body).unwrap().contains("-32700"));
    }
}
