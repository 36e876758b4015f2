//! What an application in the same process does with the server.

mod decider;
mod handle;
mod local;

pub use self::decider::Decide;
pub(crate) use self::decider::Listener;
pub(crate) use self::decider::{Asked, DynDecide};
pub use self::handle::{CallError, Handle};
pub(crate) use self::local::LocalEnd;
pub use self::local::Subscription;
