//! State that leaves this process: sealed when a client carries it, capped when we do.

mod kept;
#[cfg(feature = "redis")]
mod redis;
mod sealed;
mod sealing_key;
mod store;

pub use crate::capability::{Carried, Sealed, Seals, Session};
#[cfg(feature = "redis")]
pub use crate::limit::OnLoss;
pub(crate) use kept::{Shelf, Shelves};
#[cfg(feature = "redis")]
pub use redis::{RedisLimits, RedisStore};
#[cfg(test)]
pub(crate) use sealed::clock;
pub(crate) use sealed::{Sealed as SealedText, Sealer};
pub use sealing_key::SealingKey;
pub use secrecy::SecretString;
pub use store::{MemoryStore, Starting, Store, StoreError};
