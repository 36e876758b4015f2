//! Websockets: one task each, written to from the engine's turn.

mod drive;
mod duplex;
mod scan;
mod stream;
mod upgrade;

pub(crate) use self::upgrade::{Handover, respond, take_over, take_over_opaque};
