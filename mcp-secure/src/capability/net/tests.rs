#![allow(clippy::panic)]
