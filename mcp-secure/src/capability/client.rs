//! Handles on the client that made the call: progress, questions, log lines.

use std::sync::Arc;

use super::{Facts, Handle, sealed::Sealed};
use crate::{auth::Principal, call::Call, error::ToolResult};

/// Progress for this call.
pub struct Progress(());
/// Questions to the person at the client.
pub struct Elicit(());
/// Log lines for the client.
pub struct Log(());

macro_rules! inert { ($($t:ident $k:literal;)*) => {$(
    impl Sealed for $t {}
    impl Handle for $t {
        const FACTS: &'static [Facts] = &[Facts::inert($k)];
        fn lend(_: &mut Call) -> ToolResult<Self> { Ok(Self(())) }
    }
)*}; }
inert! { Progress "progress"; Elicit "elicit"; Log "log"; }

impl Sealed for Principal {}

impl Handle for Principal {
    const FACTS: &'static [Facts] = &[Facts::inert("principal")];

    fn lend(call: &mut Call) -> ToolResult<Self> {
        Ok(Arc::unwrap_or_clone(Arc::clone(&call.principal)))
    }
}
