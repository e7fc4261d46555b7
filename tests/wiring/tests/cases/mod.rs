//! One room for each control, from the outside in.

mod approve;
mod audit;
mod authorize;
mod cancel;
mod catch_panic;
mod commit;
mod drift;
mod flow;
mod front;
mod genuine;
mod guard;
mod handles;
mod http;
mod identity;
mod layers;
mod masking;
mod overload;
mod paging;
mod rate;
mod start;
mod stdio;
mod text;
mod timeout;
mod tls;
mod unix;
mod validate;
