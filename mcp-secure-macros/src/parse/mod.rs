//! From tokens to the model. This room reads syntax and reports what it cannot read; whether
//! what it read makes sense is asked in `check`.

pub(crate) mod capability;
mod docs;
mod exceptions;
pub(crate) mod function;
pub(crate) mod literal;
mod literals;
pub(crate) mod options;
mod param;
mod rates;
pub(crate) mod server;

pub(crate) use docs::docs;
pub(crate) use exceptions::exceptions;
pub(crate) use param::{last_name, only_generic, type_in_words, words};
