//! The bytes, attacked.
