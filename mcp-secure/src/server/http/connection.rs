//! One connection: HTTP/1.1 or HTTP/2, its limits, its clock and its end.

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use futures::TryFutureExt;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, MissedTickBehavior, interval_at},
};
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

use super::{
    activity::Activity,
    body::Body,
    limits::HttpLimits,
    linger::Linger,
    refusal::{BAD_HEAD, SLOW_HEAD, Tally},
};

/// Serves one connection until it ends, is idle, or the server shuts down.
pub(crate) async fn drive<Io, R>(
    io: Io,
    ring: R,
    limits: HttpLimits,
    tally: Tally,
    shutdown: CancellationToken,
) where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    R: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
{
    let activity = Arc::new(Activity::default());
    let service = hyper::service::service_fn({
        let (activity, shutdown) = (activity.clone(), shutdown.clone());
        move |request: Request<Incoming>| {
            let in_flight = activity.begin();
            // A GET stream has no end of its own.
            let until = (request.method() == Method::GET).then(|| shutdown.clone());
            ring.clone().oneshot(request).map_ok(move |mut response| {
                let body = response.body_mut();
                body.hold(in_flight);
                if let Some(until) = until {
                    body.end_with(until.cancelled_owned());
                }
                response
            })
        }
    });

    let builder = builder(&limits);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(Linger::new(io)), service));
    let half = limits.header_time / 2;
    let mut tick = interval_at(Instant::now() + limits.header_time, half);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut seen, mut quiet, mut ending) = (0, 1, false);
    loop {
        tokio::select! {
            result = connection.as_mut() => {
                if result.is_err_and(|error| is_bad_head(&*error)) {
                    tally.count(BAD_HEAD);
                }
                return;
            }
            _ = tick.tick() => {
                // Quiet for two looks in a row: no head has arrived in the whole time.
                quiet = if activity.quiet_since(seen) { quiet + 1 } else { 0 };
                seen = activity.started();
                if quiet >= 2 {
                    if seen == 0 {
                        tally.count(SLOW_HEAD);
                    }
                    return;
                }
            }
            () = shutdown.cancelled(), if !ending => {
                ending = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

fn builder(limits: &HttpLimits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    let mut http1 = builder.http1();
    // No timer, so hyper starts none for each head: the connection's own clock covers it.
    http1.max_buf_size(limits.header_bytes);
    if limits.header_count != HYPER_HEADERS {
        http1.max_headers(limits.header_count);
    }
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .initial_stream_window_size(64 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .max_send_buf_size(64 * 1024)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

/// A request head that was too large (hyper has answered 431) or was not HTTP.
fn is_bad_head(error: &(dyn std::error::Error + 'static)) -> bool {
    error
        .downcast_ref::<hyper::Error>()
        .is_some_and(hyper::Error::is_parse)
}

/// hyper's own limit, which costs no allocation.
const HYPER_HEADERS: usize = 100;
