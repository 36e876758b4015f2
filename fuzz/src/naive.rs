//! The grammars of the protocol, read a second time and without a thought for speed: what the targets compare with.

pub mod channel;
pub mod form;
pub mod json;
