//! State that leaves this process: sealed when a client carries it, capped when we do.

mod sealed;
mod store;

pub(crate) use sealed::Sealer;
pub use store::{MemoryStore, Store, StoreError};
