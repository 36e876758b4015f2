//! The HTTP API for backends, on the binary, with clients that see what comes of it.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

mod access;
mod backend;
mod description;
mod events;
mod http2;
mod lists;
mod peers;
mod schema;
mod sessions;
