//! One tunnel: judged, dialed, and carried until one of many ends.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, sleep, sleep_until},
};

use super::{Answer, Guest, Head, say};
use crate::capability::{
    Step,
    dial::{DialError, Dialed},
    net::{NetLimits, Outlet},
};

/// Makes the tunnel and carries it to its end. Its step is in the trail from the start.
pub(super) async fn serve(
    guest: &Guest,
    outlet: &Outlet,
    action: &str,
    mut program: TcpStream,
    head: &Head,
    host: &str,
) {
    let entry = guest.trail.begin(Step {
        kind: "net",
        file: None,
        capability: outlet.name(),
        action: action.to_owned(),
        outcome: "failed",
        control: None,
        detail: Some("the run was abandoned".into()),
        bytes_in: 0,
        bytes_out: 0,
    });
    let limits = outlet.limits();
    let deadline = Instant::now() + limits.timeout;
    let opening = async {
        if !outlet.is_live() {
            return Err(End::Revoked);
        }
        let pass = outlet.pass(deadline).await.map_err(|_| End::Rate)?;
        let dialed = outlet.dial(host).await.map_err(End::Dial)?;
        Ok((pass, dialed))
    };
    let opened = tokio::select! {
        biased;
        () = guest.over.cancelled() => Err(End::Early),
        opened = opening => opened,
    };
    let carried = Carried::default();
    let end = match opened {
        Ok((_pass, dialed)) => {
            let carrying = carry(&mut program, dialed, &head.rest, limits, &carried);
            tokio::select! {
                biased;
                () = guest.over.cancelled() => End::Over,
                () = outlet.is_revoked() => End::Revoked,
                () = sleep_until(deadline) => End::Late("the tunnel"),
                end = carrying => end,
            }
        }
        Err(end) => {
            let answer = match &end {
                End::Rate | End::Dial(DialError::Busy) => Answer::TooMany,
                End::Dial(DialError::Timeout) => Answer::Late,
                End::Dial(DialError::Connect { .. } | DialError::Helper { .. }) => {
                    Answer::Unreachable
                }
                _ => Answer::Refused,
            };
            say(&mut program, answer).await;
            end
        }
    };
    let (outcome, control) = end.outcome();
    entry.change(|step| {
        step.outcome = outcome;
        step.control = control;
        step.detail = end.detail();
        step.bytes_in = carried.down.load(Ordering::Relaxed);
        step.bytes_out = carried.up.load(Ordering::Relaxed);
    });
}

/// Bytes in each direction: `up` is what the program sent.
#[derive(Default)]
struct Carried {
    up: AtomicU64,
    down: AtomicU64,
}

/// Why a tunnel ended, or was none.
enum End {
    /// Both sides said all, or the program wants no more.
    Done,
    /// The run is over.
    Over,
    /// The run was over before there was a tunnel.
    Early,
    Revoked,
    /// More bytes than the grant allows, in this direction.
    Size(&'static str),
    Late(&'static str),
    Rate,
    Dial(DialError),
    /// The connection to the endpoint broke.
    Broken(io::Error),
}

impl End {
    /// The program hung up, in whatever way: that is its own matter.
    fn left(_: io::Error) -> Self {
        Self::Done
    }

    fn outcome(&self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Done | Self::Over => ("ok", None),
            Self::Revoked => ("denied", Some("net/revoked")),
            Self::Size(_) => ("denied", Some("net/size")),
            Self::Late(_) => ("denied", Some("net/timeout")),
            Self::Rate => ("denied", Some("net/rate")),
            Self::Dial(error) => match error.control() {
                Some(control) => ("denied", Some(control)),
                None => ("failed", None),
            },
            Self::Early | Self::Broken(_) => ("failed", None),
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            // A program that ends closes its connections, and nobody knows what is seen first.
            Self::Done | Self::Over => None,
            Self::Early => Some("the run ended before it was open".to_owned()),
            Self::Revoked => Some("the call has ended".to_owned()),
            Self::Size(what) => Some(format!("too many bytes {what}")),
            Self::Late(what) => Some(format!("{what} took too long")),
            Self::Rate => Some("too many exchanges with this endpoint at a time".to_owned()),
            Self::Dial(error) => Some(error.to_string()),
            Self::Broken(error) => Some(error.kind().to_string()),
        }
    }
}

/// Says that the tunnel is there, and carries bytes until both sides have ended.
async fn carry(
    program: &mut TcpStream,
    dialed: Dialed,
    first: &[u8],
    limits: &NetLimits,
    carried: &Carried,
) -> End {
    let (mut from_far, mut to_far) = tokio::io::split(dialed.stream);
    let (mut from_program, mut to_program) = program.split();
    let up = async {
        count(&carried.up, first.len(), limits.max_request, "out")?;
        to_far.write_all(first).await.map_err(End::Broken)?;
        let limit = limits.max_request;
        pump(
            &mut from_program,
            End::left,
            &mut to_far,
            End::Broken,
            &carried.up,
            limit,
            "out",
        )
        .await
    };
    let down = async {
        to_program
            .write_all(Answer::Tunnel.bytes())
            .await
            .map_err(End::left)?;
        let limit = limits.max_response;
        pump(
            &mut from_far,
            End::Broken,
            &mut to_program,
            End::left,
            &carried.down,
            limit,
            "in",
        )
        .await
    };
    let quiet = async {
        loop {
            let total = || {
                let up = carried.up.load(Ordering::Relaxed);
                up.wrapping_add(carried.down.load(Ordering::Relaxed))
            };
            let before = total();
            sleep(limits.idle_timeout).await;
            if total() == before {
                return;
            }
        }
    };
    tokio::select! {
        both = async { tokio::try_join!(up, down) } => match both {
            Ok(_) => End::Done,
            Err(end) => end,
        },
        () = quiet => End::Late("the next byte"),
    }
}

/// One direction, to its end or to the limit.
async fn pump(
    from: &mut (impl AsyncRead + Unpin),
    unread: fn(io::Error) -> End,
    to: &mut (impl AsyncWrite + Unpin),
    unsaid: fn(io::Error) -> End,
    carried: &AtomicU64,
    limit: u64,
    what: &'static str,
) -> Result<(), End> {
    let mut part = vec![0; PART];
    loop {
        let got = from.read(&mut part).await.map_err(unread)?;
        if got == 0 {
            // The other direction may have more to say.
            let _ = to.shutdown().await;
            return Ok(());
        }
        count(carried, got, limit, what)?;
        let part = part.get(..got).unwrap_or_default();
        to.write_all(part).await.map_err(unsaid)?;
    }
}

/// Books bytes before they are passed on.
fn count(carried: &AtomicU64, more: usize, limit: u64, what: &'static str) -> Result<(), End> {
    let more = more as u64;
    let before = carried.load(Ordering::Relaxed);
    if before.saturating_add(more) > limit {
        return Err(End::Size(what));
    }
    carried.store(before + more, Ordering::Relaxed);
    Ok(())
}

const PART: usize = 16 * 1024;
