//! What the tests of all crates share.

pub mod store_contract;
