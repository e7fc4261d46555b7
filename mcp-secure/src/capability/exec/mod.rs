//! One granted program, started with typed arguments and without a shell.

use super::Capability;

/// A program that a server needs, declared with `#[capability(exec = "/usr/bin/git")]`.
pub trait Program: Capability {
    /// The absolute path in code. `None`: the operator names it.
    const PATH: Option<&'static str>;
}
