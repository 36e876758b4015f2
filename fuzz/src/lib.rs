//! What a Bayeux server can be tried with.
#![forbid(unsafe_code)]
pub mod naive;
pub mod targets;
