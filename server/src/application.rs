//! What an application in the same process does with the server.

mod decider;
mod handle;
mod local;

pub(crate) use self::decider::{Asked, DynDecide};
pub use self::decider::{Decide, Listener};
pub use self::handle::{CallError, Handle};
pub(crate) use self::local::LocalEnd;
pub use self::local::Subscription;
