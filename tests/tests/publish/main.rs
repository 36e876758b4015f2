//! Subscribing, publishing, calling the server, saying goodbye: one engine under scripted time.

#![expect(clippy::unwrap_used, reason = "a failing test has to fail")]

mod disconnect;
mod order;
mod publish;
mod service;
mod stored;
mod subscribe;
