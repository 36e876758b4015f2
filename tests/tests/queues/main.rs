//! What waits for a session and how it leaves, what the application may ask, what is counted and
//! what is bounded: one engine under scripted time.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing test has to fail"
)]

mod appends;
mod batch;
mod bounds;
mod calls;
mod channels;
mod frames;
mod lazy;
mod monitors;
mod own_sessions;
mod queue;
mod response;
mod views;
