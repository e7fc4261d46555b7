//! What callers give this server for calls in their name, on its own pages: an account at another
//! server, or a key.
//!
//! ```text
//! access    what can be given          desk      who is giving it just now
//! page      what a browser does        html      what it is shown
//! device    a code that is typed elsewhere   key    a credential that is entered
//! list      what a person has given
//! ```
//!
//! The attack that this room is built against is the confused deputy: one `client_id` for all
//! callers, and a person who finishes what another one began. So a link gives no right, the
//! browser that finishes has to be the one that began, and where callers have access tokens the
//! person in it has to be the caller (MCP specification, elicitation, "Phishing").
//!
//! It must never import a layer or a tool.

mod access;
mod desk;
mod device;
mod html;
mod key;
mod list;
mod page;

pub(crate) use self::{
    access::{Access, all},
    desk::{Desk, DeskError, Standing},
    key::Key,
};
