//! German.

use super::*;

pub(super) const WORDS: &[Words] = &[];
