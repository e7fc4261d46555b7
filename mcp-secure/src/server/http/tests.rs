#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
//! Attacks over real sockets.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex},
};

use super::refusal::{PreAuthSink, Tally};

/// Remembers what was refused.
#[derive(Default)]
pub(crate) struct Refused(Mutex<Vec<&'static str>>);

impl Refused {
    pub(crate) fn all(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().clone()
    }
}

impl PreAuthSink for Refused {
    fn refused(&self, control: &'static str, _: Option<IpAddr>) {
        self.0.lock().unwrap().push(control);
    }
}

pub(crate) fn tally() -> (Tally, Arc<Refused>) {
    let sink = Arc::new(Refused::default());
    (Tally::new(sink.clone(), None), sink)
}
