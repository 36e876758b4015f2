//! Drivers side by side: the same bytes of clients through each of them, and what came of it.
//!
//! A [`Conversation`] is what clients send, byte for byte, and what they wait for in between. A [`Driver`] plays it and
//! says which facts its engine was told and which answers the clients got. What must differ from one run to the next is
//! hidden by [`Told`]: the names of connections, tickets, sessions and browsers. What may differ too:
//!
//! - the order of facts about different connections, so each connection is looked at alone;
//! - when a driver hears that a frame is on the wire, as the peer may answer that frame before: `Written` comes last;
//! - at which facts the log's entries arrive, so they are joined;
//! - `Elapsed`, which says what a clock says;
//! - whether an engine hears of a websocket before its first message, so those that bring none are left out.

pub mod conversation;
mod in_page;
mod line;
mod names;
mod program;
mod told;

pub use conversation::{Conversation, Step};
pub use in_page::InPage;
pub use names::Names;
pub use program::Program;
pub use told::{Played, Told, answer};

/// Something that owns sockets, or pretends to, and drives an engine with a configuration of
/// [`Config::default`](bayeux_core::Config), one shard, and pages of [`PAGE`] allowed.
pub trait Driver: Send + Sync {
    /// What it is called where it differs from others.
    fn name(&self) -> &str;

    /// Plays a conversation from its beginning, with an engine that has heard nothing before.
    ///
    /// What clients send goes through [`Names::fill`], and answers by which somebody learns a session through
    /// [`Names::learn`]. A driver without sockets has done a step as soon as its engine has.
    fn play(&self, conversation: &Conversation) -> Played;
}

/// The origin whose pages may use every driver.
pub const PAGE: &str = "https://page.example";
