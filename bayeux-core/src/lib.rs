//! The Bayeux publish/subscribe protocol as a pure state machine.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod http;
