//! What the coverage-guided fuzzer runs: a function for each target, which takes any bytes and panics where the engine
//! breaks a promise.
//!
//! They live here, not beside their `fuzz_target!`, so that `cargo test` runs them over the kept corpus on any toolchain.

mod channels;
mod decode;
mod facts;
mod histories;
mod http;
mod replies;

pub use self::{
    channels::channels, decode::decode, facts::facts, histories::histories, http::http,
    replies::replies,
};

/// Takes any bytes, and panics where a promise is broken.
pub type Target = fn(&[u8]);

/// The targets by name: that of the binary, and of the folder of the corpus.
pub const TARGETS: [(&str, Target); 6] = [
    ("channels", channels),
    ("decode", decode),
    ("facts", facts),
    ("histories", histories),
    ("http", http),
    ("replies", replies),
];
