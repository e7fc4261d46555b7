//! State that leaves this process: sealed when a client carries it, capped when we do.

#[cfg(feature = "redis")]
mod redis;
mod sealed;
mod sealing_key;
mod store;

#[cfg(feature = "redis")]
pub use crate::limit::OnLoss;
#[cfg(feature = "redis")]
pub use redis::{RedisLimits, RedisStore};
pub(crate) use sealed::{Sealed, Sealer};
pub use sealing_key::SealingKey;
pub use secrecy::SecretString;
pub use store::{MemoryStore, Starting, Store, StoreError};
