//! Requests and their responses.
//!
//! One request is one exchange of the engine. Its head and body are dropped before it waits for its
//! answer, and the answer counts as written once its bytes have left through the socket.

mod body;
mod desk;
mod exchange;
mod page;
mod request;
mod response;

pub(crate) use self::body::{BodyFailure, read as read_body};
pub(crate) use self::desk::Clerk;
pub(crate) use self::exchange::Exchange;
pub(crate) use self::request::{Caller, respond};
pub use self::response::Body;
pub(crate) use self::response::add_header;
