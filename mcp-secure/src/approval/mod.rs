//! A person agrees to a call: who is asked, what they are shown, and what they said.
//!
//! ```text
//! policy    which tool asks whom           desk     what is asked and answered, once
//! show      what a person is shown         page     the page in a browser
//! outside   approvers of your own          terminal one of them, for the server's account
//! webhook   another one, for a service of yours
//! operator  what the operator asks for
//! remembered  what holds for a while
//! matter    what records say of a question places  how many may wait, and until when
//! ```
//!
//! Nothing here lets a call run. The approve layer asks, waits, and holds what was said against
//! the call; this room only knows questions and persons.

#[cfg(feature = "__bench")]
#[doc(hidden)]
#[allow(missing_docs)]
pub mod bench;
mod desk;
mod matter;
mod operator;
mod outside;
#[cfg(feature = "http")]
pub(crate) mod page;
mod places;
mod policy;
mod remembered;
pub(crate) mod show;
#[cfg(unix)]
mod terminal;
#[cfg(test)]
mod tests;
#[cfg(all(feature = "http", feature = "net"))]
mod webhook;

pub(crate) use desk::{Bounds, Decision, Desk, DeskError, How, Pending, Person, Standing};
pub(crate) use matter::Matter;
pub(crate) use operator::{Hook, Wish, WishedWay};
#[cfg(feature = "http")]
pub use outside::Delivery;
pub use outside::{Approver, Heard, Question, Unheard, Unreached};
pub use policy::{Approvals, By};
pub(crate) use policy::{Asked, Reach};
#[cfg(feature = "http")]
pub(crate) use remembered::Whose;
pub use remembered::{Decisions, Remembered};
pub(crate) use remembered::{Memory, Offer, Wanted, shape};
pub(crate) use show::effects;
#[cfg(unix)]
pub use terminal::Terminal;
#[cfg(all(feature = "http", feature = "net"))]
pub use webhook::Webhook;
