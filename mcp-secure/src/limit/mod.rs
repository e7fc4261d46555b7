//! How often, how much a day, and how often the same again. The arithmetic and the memory, and
//! nothing of requests, transports or tools.
//!
//! ```text
//! rate      10 a minute, 5 at once          table     buckets in memory of a fixed size
//! charge    what is to be taken from where  local     takes it, all or nothing
//! network   where a caller can roam
//! ```

mod charge;
mod local;
mod network;
mod rate;
mod table;

#[cfg_attr(not(feature = "redis"), allow(unreachable_pub, dead_code))]
pub use charge::OnLoss;
pub(crate) use charge::{Charge, Denied, Measure, SharedBuckets, Whose};
#[cfg(feature = "__bench")]
pub use local::bench::BenchTable;
pub(crate) use local::{Local, Sizes};
pub(crate) use network::network;
pub use rate::Rate;
