//! What the tests of all crates share.

pub mod crowd;
pub mod drivers;
pub mod live;
pub mod mutants;
pub mod rules;
pub mod sim;
pub mod store_contract;
pub mod talk;
