//! What the tests of all crates share.

pub mod rules;
pub mod talk;
