//! Peers that mean harm, over real sockets: each beside healthy clients that notice nothing, and after each the server is as
//! large as before.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

mod descriptors;
mod flood;
mod http;
mod http2;
mod json;
mod pings;
mod shutdown;
mod websocket;
