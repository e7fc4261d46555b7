//! What a program writes about itself, without what must not be in it.
//!
//! Logs travel further than anything else a server holds: into terminals, tickets and other
//! people's systems. `rmcp` writes whole requests and results at DEBUG, session ids at INFO; an
//! HTTP library what it reads from the socket at TRACE; a line that quotes a client ends where
//! the client says it does. [`Redact`] stands in front of any layer of a `tracing` subscriber and
//! lets none of that through; [`Lines`] does for finished text what is left to do there.
//!
//! A server has both around its own subscriber. Who installs one of their own puts them there:
//!
//! ```
//! use mcp_secure::log::{Lines, Redact};
//! use tracing_subscriber::{filter::LevelFilter, layer::SubscriberExt, Layer};
//!
//! let lines = tracing_subscriber::fmt::layer()
//!     .with_ansi(false)
//!     .with_writer(|| Lines::new(std::io::stderr()));
//! // The filter goes around `Redact`, not into it.
//! let layer = Redact::new(lines).with_filter(LevelFilter::DEBUG);
//! let subscriber = tracing_subscriber::registry().with(layer);
//! # let _ = subscriber;
//! ```
//!
//! # What is withheld
//!
//! | of | is left |
//! |---|---|
//! | text of a crate that carries messages (`rmcp`, `hyper`, `h2`, `rustls`, …) | level, target, place in its source, numbers and switches |
//! | a field whose name says that it is a secret or what a caller sent (`authorization`, `arguments`, …) | its name |
//! | any other text | itself, with secrets redacted, and what a terminal obeys or an eye cannot see escaped |
//! | an event or span with a name that is not plain printable ASCII | nothing |
//!
//! It cannot know that your own line quotes an argument under another name: do not write them.

mod lines;
mod redact;
mod values;

pub use lines::Lines;
pub use redact::Redact;
