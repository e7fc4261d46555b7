//! The witness that a person agreed to exactly this call.

use std::ops::Deref;

use super::{Facts, Handle, sealed::Sealed};
use crate::{
    call::Call,
    error::{ToolError, ToolResult},
};

/// A handle behind a person's agreement.
///
/// Only the approval layer mints it: for this principal, this tool as compiled, and the
/// whole canonical argument object, once. What the person saw is what runs. A tool cannot
/// be called without it, because the parameter cannot be filled.
pub struct Approved<H>(H);

impl<H> Deref for Approved<H> {
    type Target = H;

    fn deref(&self) -> &H {
        &self.0
    }
}

impl<H: Handle> Sealed for Approved<H> {}

impl<H: Handle> Handle for Approved<H> {
    const FACTS: &'static [Facts] = approve::<H>::ROOM.0.split_at(approve::<H>::ROOM.1).0;

    fn lend(call: &mut Call) -> ToolResult<Self> {
        if !call.is_approved() {
            return Err(ToolError::refused(
                "approve/witness",
                "this tool needs a person's agreement",
                "no approval witness reached the call",
            ));
        }
        H::lend(call).map(Self)
    }
}

#[allow(non_camel_case_types)]
struct approve<H>(std::marker::PhantomData<H>);

#[allow(
    clippy::indexing_slicing,
    reason = "const evaluation: out of bounds is a compile error"
)]
impl<H: Handle> approve<H> {
    const ROOM: ([Facts; 16], usize) = {
        let mut all = [Facts::inert(""); 16];
        let mut at = 0;
        let mut rest = H::FACTS;
        while let [first, tail @ ..] = rest {
            assert!(at < 16, "a witness covers more than 16 rights");
            all[at] = *first;
            all[at].approved = true;
            at += 1;
            rest = tail;
        }
        (all, at)
    };
}
