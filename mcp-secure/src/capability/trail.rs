//! What handles did during one call, for its audit record.

#![cfg_attr(
    not(all(feature = "net", feature = "exec")),
    allow(
        dead_code,
        unused_imports,
        reason = "each kind of handle uses its part"
    )
)]

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

/// Filled by the handles of a call, read once by the audit layer. Bounded: what is beyond
/// [`MOST`] is counted.
#[derive(Clone, Default)]
pub(crate) struct Trail(Arc<Mutex<Steps>>);

/// One attempt to reach something, allowed or not. Never a value: no query, no body, no host
/// path.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Step {
    /// As in [`Facts::kind`](super::Facts::kind).
    pub(crate) kind: &'static str,
    pub(crate) capability: &'static str,
    /// What was tried: `GET https://api.example.com/users/{}`, `connect`, `git log`.
    pub(crate) action: String,
    /// A digest of the path below the granted folder, for files: a path is often what a caller
    /// wrote, and values are not in records. Before it is written, the path itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
    /// `ok`, `denied` or `failed`; `begun` if the call ended before it did.
    pub(crate) outcome: &'static str,
    /// The id of the control that refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) control: Option<&'static str>,
    /// What the operator should know: an address, a status, an exit code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
}

/// All steps of a call.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Steps {
    pub(crate) steps: Vec<Step>,
    /// How many are not listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) more: u64,
}

impl Trail {
    /// Adds a step.
    pub(crate) fn add(&self, step: Step) {
        drop(self.begin(step));
    }

    /// Adds a step that is not over. It is in the record at once, as it is: a tool that never
    /// lets it end cannot keep it out.
    pub(crate) fn begin(&self, step: Step) -> Entry {
        let mut steps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (steps.steps.len() < MOST).then_some(steps.steps.len());
        if place.is_some() {
            steps.steps.push(step);
        } else {
            steps.more += 1;
        }
        Entry {
            trail: self.clone(),
            place,
        }
    }

    /// What was done so far, if anything, with a digest in place of each path.
    pub(crate) fn steps(&self, digest: impl Fn(&str) -> String) -> Option<Steps> {
        let steps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if steps.steps.is_empty() {
            return None;
        }
        let mut steps = steps.clone();
        for step in &mut steps.steps {
            step.file = step.file.take().map(|path| digest(&path));
        }
        Some(steps)
    }
}

/// A step that is in a trail.
pub(crate) struct Entry {
    trail: Trail,
    place: Option<usize>,
}

impl Entry {
    /// Says what became of it.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Step)) {
        let mut steps = self.trail.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(step) = self.place.and_then(|place| steps.steps.get_mut(place)) {
            change(step);
        }
    }
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is serde's"
)]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Steps that are listed of one call.
const MOST: usize = 64;
