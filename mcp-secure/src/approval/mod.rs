//! A person agrees to a call: who is asked, what they are shown, and what they said.
//!
//! ```text
//! policy    which tool asks whom           desk     what is asked and answered, once
//! show      what a person is shown         page     the page in a browser
//! outside   approvers of your own          terminal one of them, for the server's account
//! ```
//!
//! Nothing here lets a call run. The approve layer asks, waits, and holds what was said against
//! the call; this room only knows questions and persons.

mod desk;
mod outside;
#[cfg(feature = "http")]
pub(crate) mod page;
mod policy;
pub(crate) mod show;
#[cfg(unix)]
mod terminal;
#[cfg(test)]
mod tests;

pub(crate) use desk::{Bounds, Decision, Desk, DeskError, How, Pending, Person, Standing};
pub use outside::{Approver, Heard, Question, Unreached};
pub use policy::{Approvals, By};
pub(crate) use policy::{Asked, Reach};
pub(crate) use show::effects;
#[cfg(unix)]
pub use terminal::Terminal;
