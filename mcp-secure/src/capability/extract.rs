//! Extractors of the user's own, made of handles and nothing else.

use super::{Facts, Handle, sealed::Sealed};
use crate::{call::Call, error::ToolResult};

/// A type of yours that is built from handles, for parameters marked `#[handle]`.
///
/// Its rights are exactly those of `From`, and the compiler checks them there: an extractor
/// cannot claim less than it is made of.
///
/// ```
/// use mcp_secure::prelude::*;
///
/// /// The folder with the user's notes.
/// #[capability(fs, private)]
/// pub struct Notes;
///
/// /// The notes, seen as an archive.
/// pub struct Archive(Fs<Notes, ReadOnly>);
///
/// impl Extractor for Archive {
///     type From = Fs<Notes, ReadOnly>;
///     fn extract(notes: Self::From) -> ToolResult<Self> {
///         Ok(Archive(notes))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is marked `#[handle]` but is no extractor",
    label = "not an extractor",
    note = "implement `Extractor` for it: it says which handles the type is made of"
)]
pub trait Extractor: Sized + Send {
    /// The handle, or tuple of handles, that this is made of.
    type From: Handle;

    /// Builds the value for one call.
    ///
    /// # Errors
    ///
    /// Whatever the tool should answer instead of running.
    fn extract(from: Self::From) -> ToolResult<Self>;
}

/// What `#[secure_server]` keeps of a `#[handle]` parameter.
#[doc(hidden)]
pub struct Extracted<T> {
    /// The rights of what it is made of.
    pub facts: &'static [Facts],
    /// Lends it to one call.
    pub lend: fn(&mut Call) -> ToolResult<T>,
}

/// The one place where the code of `#[secure_server]` asks for the trait, so that a type
/// without it is one error. Nothing here is the extractor's to override.
#[doc(hidden)]
pub const fn extracted<T: Extractor>() -> Extracted<T> {
    Extracted {
        facts: <T::From as Handle>::FACTS,
        lend: |call| T::extract(T::From::lend(call)?),
    }
}

/// Two sets of rights, one after the other. Const evaluation cannot build a slice of a
/// length that depends on a parameter, so a pair is copied into a fixed room.
struct Joined<A, B>(std::marker::PhantomData<(A, B)>);

const ROOM: usize = 16;

#[allow(
    clippy::indexing_slicing,
    reason = "const evaluation: out of bounds is a compile error"
)]
impl<A: Handle, B: Handle> Joined<A, B> {
    const ALL: ([Facts; ROOM], usize) = {
        let mut all = [Facts::inert(""); ROOM];
        let mut at = 0;
        let mut rest = A::FACTS;
        while let [first, tail @ ..] = rest {
            assert!(at < ROOM, "an extractor carries more than 16 rights");
            all[at] = *first;
            at += 1;
            rest = tail;
        }
        let mut rest = B::FACTS;
        while let [first, tail @ ..] = rest {
            assert!(at < ROOM, "an extractor carries more than 16 rights");
            all[at] = *first;
            at += 1;
            rest = tail;
        }
        (all, at)
    };
    const SLICE: &'static [Facts] = Self::ALL.0.split_at(Self::ALL.1).0;
}

impl<A: Handle, B: Handle> Sealed for (A, B) {}

impl<A: Handle, B: Handle> Handle for (A, B) {
    const FACTS: &'static [Facts] = Joined::<A, B>::SLICE;

    fn lend(call: &mut Call) -> ToolResult<Self> {
        Ok((A::lend(call)?, B::lend(call)?))
    }
}

impl<A: Handle, B: Handle, C: Handle> Sealed for (A, B, C) {}

impl<A: Handle, B: Handle, C: Handle> Handle for (A, B, C) {
    const FACTS: &'static [Facts] = Joined::<(A, B), C>::SLICE;

    fn lend(call: &mut Call) -> ToolResult<Self> {
        Ok((A::lend(call)?, B::lend(call)?, C::lend(call)?))
    }
}
