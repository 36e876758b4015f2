//! Whole histories: what clients, the network, the application, the store and time do.
//!
//! A [`Step`] names clients by small numbers and says what is done, whether or not it makes sense at the
//! time: a connect before any handshake is sent with a name that nobody has. So any list of steps is a
//! history, and any part of a history is one too. [`Cast`](cast::Cast) makes of a step the facts that a
//! server meets; [`script`] writes a history as text, a line a step.

mod bytes;
pub mod cast;
mod draw;
pub mod script;

pub use self::bytes::of_bytes;
pub use self::draw::{history, setting, step};

/// How many clients there are at the most.
pub const CLIENTS: u8 = 4;

/// How many sockets a client has at the most.
pub const SOCKETS: u8 = 2;

/// A configuration, and what happens under it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct History {
    /// How the server is set up.
    pub setting: Setting,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// How the server is set up; each differs from the usual in one thing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Setting {
    /// The defaults.
    #[default]
    Usual,
    /// `metaConnectDeliverOnly` on every transport.
    DeliverOnly,
    /// `broadcastToPublisher` is false.
    NoEcho,
    /// `subscribeAllOrNothing`.
    AllOrNothing,
    /// `maxQueue` 3, `queuePolicy` end.
    ShortQueueEnds,
    /// `maxQueue` 3, `queuePolicy` drop the oldest.
    ShortQueueDropsOldest,
    /// `maxQueue` 3, `queuePolicy` drop the newest.
    ShortQueueDropsNewest,
    /// Two subscriptions a session.
    FewSubscriptions,
    /// `echoClientId`.
    EchoClientId,
    /// Without the ack extension.
    NoAck,
    /// The store answers late, and what it may answer in another order, in another order.
    LateStore,
}

impl Setting {
    /// All there are.
    pub const ALL: [Self; 11] = [
        Self::Usual,
        Self::DeliverOnly,
        Self::NoEcho,
        Self::AllOrNothing,
        Self::ShortQueueEnds,
        Self::ShortQueueDropsOldest,
        Self::ShortQueueDropsNewest,
        Self::FewSubscriptions,
        Self::EchoClientId,
        Self::NoAck,
        Self::LateStore,
    ];
}

/// Something that happens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// A client sends a frame.
    Send {
        /// Which client.
        who: u8,
        /// By what.
        way: Way,
        /// What it says.
        messages: Vec<Said>,
    },
    /// A connection of a client breaks: one of those that are open, counted from the newest.
    Cut {
        /// Whose.
        who: u8,
        /// Which of them.
        which: u8,
    },
    /// From now on, what is written to a client breaks its connection, or does not any more.
    Wire {
        /// To whom.
        who: u8,
        /// Whether writing works.
        works: bool,
    },
    /// The application publishes.
    Publish {
        /// To which of [`CHANNELS`].
        channel: u8,
        /// Whether it may wait.
        lazy: bool,
    },
    /// The application delivers to the session of a client.
    Deliver {
        /// Whose.
        who: u8,
        /// On which of [`CHANNELS`].
        channel: u8,
        /// Whether it may wait.
        lazy: bool,
    },
    /// The application disconnects the session of a client.
    Disconnect {
        /// Whose.
        who: u8,
    },
    /// Time passes.
    Pass {
        /// How many milliseconds.
        millis: u32,
    },
    /// From now on the store fails at whatever it is asked, or does it again.
    Store {
        /// Whether it does it.
        works: bool,
    },
}

/// By what a client sends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Way {
    /// An exchange of its own, by long-polling.
    Poll,
    /// An exchange of its own, by callback-polling.
    Callback,
    /// A websocket of the client, opened if it is not open.
    Socket(u8),
}

/// A message: what, in whose name, and with which id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Said {
    /// What it says.
    pub what: What,
    /// Whose `clientId` it bears.
    pub whose: Whose,
    /// What kind of `id` it bears.
    pub id: IdKind,
}

/// What a message says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// `/meta/handshake`.
    Handshake {
        /// With `ext.ack`.
        ack: bool,
        /// Naming which transports.
        types: Types,
    },
    /// `/meta/connect`.
    Connect {
        /// Its `advice`.
        advice: Asked,
        /// The number in its `ext.ack`.
        ack: Ack,
    },
    /// `/meta/subscribe` to these of [`CHANNELS`]; one alone is sent as a string.
    Subscribe(Vec<u8>),
    /// `/meta/unsubscribe`, the same.
    Unsubscribe(Vec<u8>),
    /// A publish to one of [`CHANNELS`].
    Publish(u8),
    /// `/meta/disconnect`.
    Disconnect,
    /// Something malformed.
    Odd(Odd),
}

/// What a handshake says of the client's transports.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Types {
    /// Those of the server.
    Usual,
    /// With `cross-origin-long-polling`.
    CrossOrigin,
    /// None that the server has.
    Foreign,
    /// Nothing.
    Missing,
    /// It is denied by the policy.
    Denied,
}

/// The `advice` of a connect.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Asked {
    /// None.
    Nothing,
    /// `timeout` in milliseconds.
    Timeout(u32),
    /// `interval` in milliseconds.
    Interval(u32),
    /// It is no object.
    Wrong,
}

/// The number in the `ext.ack` of a connect.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Ack {
    /// The last that the client got; none if its session has no acknowledgement.
    Honest,
    /// None.
    Missing,
    /// One below the last.
    Less,
    /// 0.
    Zero,
    /// -1.
    Negative,
}

/// Messages that are malformed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Odd {
    /// No `channel`.
    NoChannel,
    /// A meta channel that there is not.
    UnknownMeta,
    /// A subscribe without `subscription`.
    NoSubscription,
    /// A subscribe whose `subscription` is a number.
    NumberSubscription,
    /// A subscribe to a list with something in it that is no name.
    MixedSubscription,
    /// An unsubscribe without `subscription`.
    NoUnsubscription,
}

/// Whose `clientId` a message bears.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Whose {
    /// That of the client's newest session, as far as it was told.
    Own,
    /// That of the session before.
    Former,
    /// That of another client's newest session.
    Of(u8),
    /// One that nobody has.
    Nobody,
    /// None.
    Missing,
}

/// What kind of `id` a message bears.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum IdKind {
    /// A string.
    Text,
    /// A number.
    Number,
    /// None.
    Missing,
    /// `null`.
    Null,
    /// Of a type that no id has.
    Wrong,
}

/// The channels and patterns that steps speak of, good and bad.
pub const CHANNELS: [&str; 24] = [
    "/a",
    "/a/b",
    "/a/*",
    "/a/**",
    "/**",
    "/*",
    "/a/b/c",
    "/lazy/x",
    "/service/x",
    "/service/echo",
    "/denied/x",
    "/guarded/open",
    "/guarded/closed",
    "/guarded/silent",
    "/vetoed",
    "/a/",
    " /a\t",
    "/a//b",
    "/a/*/b",
    "/a*",
    "/meta/connect/",
    "/meta/**",
    "/meta",
    "/ü",
];

/// The channel of this number, whatever number it is.
#[must_use]
pub fn channel(number: u8) -> &'static str {
    let at = usize::from(number) % CHANNELS.len();
    CHANNELS.get(at).copied().unwrap_or("/a")
}
