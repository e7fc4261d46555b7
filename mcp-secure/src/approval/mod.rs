//! A person agrees to a call: who is asked, what they are shown, and what they said.
//!
//! ```text
//! policy    which tool asks whom           desk     what is asked and answered, once
//! show      what a person is shown         page     the page in a browser
//! ```
//!
//! Nothing here lets a call run. The approve layer asks, waits, and holds what was said against
//! the call; this room only knows questions and persons.

mod desk;
#[cfg(feature = "http")]
pub(crate) mod page;
mod policy;
mod show;

pub(crate) use desk::{Bounds, Decision, Desk, DeskError, How, Pending, Person, Standing};
pub use policy::{Approvals, By};
pub(crate) use policy::{Asked, Reach};
pub(crate) use show::effects;
