//! One room for each control, from the outside in.

mod approve;
mod audit;
mod authorize;
mod cancel;
mod catch_panic;
mod commit;
mod drift;
mod flow;
mod genuine;
mod guard;
mod handles;
mod http;
mod identity;
mod layers;
mod masking;
mod overload;
mod paging;
mod start;
mod stdio;
mod text;
mod timeout;
mod unix;
mod validate;
