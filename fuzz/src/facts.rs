//! Any history of facts, sensible or hostile, as a driver, a store and an application could tell them that do not keep to
//! what they promised.
//!
//! Where [`history`](crate::history) speaks of clients, this speaks of facts: each [`Step`] is one, or makes some. A
//! [`World`] tells them to an engine, and looks after each at what always has to hold: an exchange has one end, a
//! connection one unwritten batch, what is due is done, each order has its own ticket, and each message that leaves is
//! one that may.

#![expect(clippy::indexing_slicing, reason = "a broken promise has to fail")]

mod around;
mod bytes;
mod sound;
mod world;

use proptest::prelude::*;
use serde_json::{Value, json};

pub use self::around::config;
pub use self::bytes::of_bytes;
pub use self::world::World;

/// How an engine is set up, who around it does at once what is asked of them, and what happens.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Each bit chooses a setting; see [`config`].
    pub kind: u8,
    /// Who is not to wait for a step.
    pub eager: Eager,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// Something that happens. Small numbers name what there is, modulo how much of it there is; what makes no sense
/// at the time happens all the same.
#[derive(Clone, Debug)]
pub enum Step {
    /// A connection opens.
    Open(u8),
    /// A frame comes, on a connection of its own, or on one that there is.
    Frame(Option<u8>, u8, Vec<Sent>),
    /// A batch is on the wire.
    Written(u8),
    /// A connection is gone.
    Closed(u8),
    /// The store answers an open request as it should, or in some other way.
    Stored(u8, Option<u8>),
    /// The store says something unasked.
    Notified(u8),
    /// A question is answered, somehow.
    Decided(u8, u8),
    /// The application wants something of a session.
    Called(u8, u8),
    /// Something of the configuration changes.
    Configured(u8, u8),
    /// The process is about to stop, within so many milliseconds.
    Draining(u16),
    /// Time passes: until the next alarm, or some milliseconds.
    Passes(Option<u16>),
    /// The clock runs back.
    RunsBack,
    /// Facts about what there is not.
    Nonsense(u8),
}

/// A message of a frame: what it is, whose, where to.
#[derive(Clone, Debug)]
pub struct Sent(pub u8, pub u8, pub u8);

/// Good ones and bad ones.
const CHANNELS: [&str; 12] = [
    "/a",
    "/a/b",
    "/a/b/c",
    "/service/x",
    "/*",
    "/a/**",
    "/**",
    "/meta/x",
    "/a//b",
    "/meta/connect/",
    "/lazy/x",
    "/conformance",
];

impl Sent {
    pub(crate) fn to_json(&self, sessions: &[String]) -> Value {
        let Self(kind, whose, at) = self;
        let session = sessions.get(usize::from(*whose) % (sessions.len() + 1));
        let session = session.map_or("0123456789abcdefghijklmno", String::as_str);
        let channel = CHANNELS[usize::from(*at) % CHANNELS.len()];
        let ack = json!({"ack": i64::from(*at % 8) - 1});
        match kind % 14 {
            0 => json!({"id": "h", "channel": "/meta/handshake", "version": "1.0"}),
            1 => json!({"channel": "/meta/handshake", "ext": {"ack": true}}),
            2 => json!({"channel": "/meta/handshake", "supportedConnectionTypes": ["iframe"]}),
            3 => json!({"id": 3, "channel": "/meta/connect", "clientId": session, "ext": ack}),
            4 => json!({"id": "c", "channel": "/meta/connect", "clientId": session}),
            5 => json!({
                "channel": "/meta/connect", "clientId": session, "advice": {"timeout": 0, "interval": at},
                "ext": {"timesync": {"tc": 1, "l": 0, "o": 0}},
            }),
            6 => {
                json!({"channel": "/meta/subscribe", "clientId": session, "subscription": channel})
            }
            7 => json!({
                "id": "s", "channel": "/meta/subscribe", "clientId": session,
                "subscription": [channel, "/a", "/b/*"],
            }),
            8 => {
                json!({"channel": "/meta/unsubscribe", "clientId": session, "subscription": channel})
            }
            9 | 10 => json!({"id": "p", "channel": channel, "clientId": session, "data": at}),
            11 => json!({"channel": channel, "data": {"n": at}, "ext": {"x": 1}}),
            12 => json!({"id": "d", "channel": "/meta/disconnect", "clientId": session}),
            _ => json!({"id": [], "clientId": 7, "subscription": 1, "ext": 1}),
        }
    }
}

/// Who does at once what is asked of them; the others do it when a step says so.
#[derive(Clone, Copy, Debug)]
pub struct Eager {
    /// The store answers.
    pub store: bool,
    /// What is sent is written.
    pub network: bool,
    /// Questions are answered.
    pub deciders: bool,
}

impl Eager {
    /// Everybody.
    pub const ALL: Self = Self {
        store: true,
        network: true,
        deciders: true,
    };

    /// Those whose two bits are not both 0.
    #[must_use]
    pub const fn of(kind: u8) -> Self {
        Self {
            store: kind & 3 != 0,
            network: kind & 12 != 0,
            deciders: kind & 48 != 0,
        }
    }
}

/// Any step; more of what is said in earnest than of the rest.
pub fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![
        2 => 0..14_u8,
        3 => 3..6_u8,
        3 => Just(9),
        1 => Just(6),
    ];
    let channel = prop_oneof![1 => any::<u8>(), 2 => 0..3_u8];
    let sent = (kind, 0..4_u8, channel).prop_map(|(a, b, c)| Sent(a, b, c));
    let frame = prop::collection::vec(sent, 1..4);
    let byte = any::<u8>;
    prop_oneof![
        1 => byte().prop_map(Step::Open),
        10 => (prop::option::weighted(0.3, byte()), byte(), frame)
            .prop_map(|(connection, transport, sent)| Step::Frame(connection, transport, sent)),
        6 => byte().prop_map(Step::Written),
        2 => byte().prop_map(Step::Closed),
        10 => (byte(), prop::option::weighted(0.15, byte())).prop_map(|(at, how)| Step::Stored(at, how)),
        5 => byte().prop_map(Step::Notified),
        6 => (byte(), byte()).prop_map(|(at, how)| Step::Decided(at, how)),
        3 => (byte(), byte()).prop_map(|(what, at)| Step::Called(what, at)),
        1 => (byte(), byte()).prop_map(|(what, at)| Step::Configured(what, at)),
        1 => prop_oneof![9 => Just(Step::Passes(Some(1))), 1 => any::<u16>().prop_map(Step::Draining)],
        3 => prop::option::of(0..6_000_u16).prop_map(Step::Passes),
        1 => Just(Step::RunsBack),
        1 => byte().prop_map(Step::Nonsense),
    ]
}
