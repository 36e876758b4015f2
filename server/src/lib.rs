//! Everything of a Bayeux server that no runtime is needed for.
#![forbid(unsafe_code)]

pub mod page;
