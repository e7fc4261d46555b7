//! Handles on the client that made the call: progress, questions to its person, log lines.
//!
//! None of them reaches another request, another session or another principal, and all die
//! with the call.

mod ask;
#[cfg(feature = "deprecated-protocol")]
mod deprecated;
mod elicit;
mod log;
mod progress;

#[cfg(feature = "deprecated-protocol")]
pub use deprecated::{Roots, Sample};
pub use elicit::{Answer, Elicit};
pub use log::Log;
pub use progress::Progress;

use super::{Facts, Handle, sealed::Sealed};
use crate::{auth::Principal, call::Call, error::ToolResult};

impl Sealed for Principal {}

impl Handle for Principal {
    const FACTS: &'static [Facts] = &[Facts::inert("principal")];

    fn lend(call: &mut Call) -> ToolResult<Self> {
        Ok(call.principal.clone())
    }
}
