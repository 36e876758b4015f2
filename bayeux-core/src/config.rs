//! What can be set: CometD's options under their own names, and the limits.
//!
//! Every duration and number here has CometD's default where CometD has the option;
//! `docs/protocol.md` lists them.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use crate::channel::{ChannelPattern, Grammar};
use crate::decision::{Decider, DeciderId};
use crate::io::Transport;
use crate::report::Reports;
use crate::store::Echo;

/// Everything that an engine can be told at its birth.
#[derive(Clone, Debug)]
pub struct Config {
    /// Longest hold of a connect (`timeout`).
    pub timeout: Duration,
    /// Wait that clients are told to keep between connects (`interval`).
    pub interval: Duration,
    /// Grace between a connect's reply and the next connect (`maxInterval`).
    pub max_interval: Duration,
    /// Longest time that a message of a session may be worked on; `None`: no bound
    /// (`maxProcessing`, TM-7).
    pub max_processing: Option<Duration>,
    /// Longest wait of a lazy event (`maxLazyTimeout`, QU-6).
    pub max_lazy_timeout: Duration,
    /// Events travel with connect replies only (`metaConnectDeliverOnly`, QU-4).
    pub meta_connect_deliver_only: bool,
    /// What differs on long-polling.
    pub long_polling: TransportOptions,
    /// What differs on callback-polling.
    pub callback_polling: TransportOptions,
    /// What differs on websocket.
    pub websocket: TransportOptions,
    /// The transports offered, the preferred one first (`allowedTransports`, HS-5).
    pub allowed_transports: Vec<Transport>,
    /// How many events share a websocket frame; 0: as many as fit 64 KiB (`messagesPerFrame`,
    /// DE-21).
    pub messages_per_frame: usize,
    /// A websocket carries only sessions that were handshaken on it
    /// (`ws.requireHandshakePerConnection`, WS-5).
    pub require_handshake_per_connection: bool,
    /// Holds of one browser over HTTP/1.1; negative: no limit (`maxSessionsPerBrowser`, BR-7).
    pub max_sessions_per_browser: i32,
    /// The same over HTTP/2 (`http2MaxSessionsPerBrowser`).
    pub http2_max_sessions_per_browser: i32,
    /// How slowly a browser's further sessions poll; zero: they are refused
    /// (`multiSessionInterval`, BR-8).
    pub multi_session_interval: Duration,
    /// How sessions are bound to browser cookies (`browserBinding`, DE-5).
    pub browser_binding: BrowserBinding,
    /// Clients that lost the server for longer than `maxInterval` may handshake at once
    /// (`handshakeReconnect`, HS-15).
    pub handshake_reconnect: bool,
    /// Events may travel with the handshake reply (`allowMessageDeliveryDuringHandshake`, HS-14).
    pub deliver_during_handshake: bool,
    /// Message identifiers and channels are checked (`validateMessageFields`, PL-2).
    pub validate_message_fields: bool,
    /// Whether publishers receive what they publish (`broadcastToPublisher`, PB-7).
    pub broadcast_to_publisher: Echo,
    /// Publishes without a session are taken (`allowConnectionlessPublish`, PB-2).
    pub allow_connectionless_publish: bool,
    /// An array subscription succeeds or fails as a whole (`subscribeAllOrNothing`, SU-3).
    pub subscribe_all_or_nothing: bool,
    /// What happens when a session's queue is full (`queuePolicy`, QU-5).
    pub queue_policy: QueuePolicy,
    /// Members of `ext` that no subscriber may see (`stripExt`, FI-6).
    pub strip_ext: Vec<Box<str>>,
    /// Every reply names the session (`echoClientId`, FI-3).
    pub echo_client_id: bool,
    /// What a channel name may look like (`wideChannelCharacters`, CH-2).
    pub grammar: Grammar,
    /// The acknowledgement extension is offered (AK-1).
    pub acknowledge: bool,
    /// The time synchronisation extension is offered (EX-1).
    pub timesync: bool,
    /// Outgoing messages carry a `timestamp` (EX-2).
    pub timestamp: bool,
    /// Sessions without activity are disconnected (EX-3).
    pub activity: Option<Activity>,
    /// Channels that are treated in a way of their own.
    pub channels: Vec<ChannelRule>,
    /// Those who want to be asked, in order of registration.
    pub deciders: Vec<Decider>,
    /// How long a decider may take.
    pub decision_timeout: Duration,
    /// How long the store may take: so long for each message, if several go to another engine together.
    pub store_timeout: Duration,
    /// Over how long clients are told to spread when all of them must come back at once (ER-7).
    pub spread: Duration,
    /// Period of CometD's sweeper; a channel vanishes after three of them (`sweepPeriod`, CH-13).
    pub sweep_period: Duration,
    /// How long a duplex may stay without a session after its session was disconnected (DE-8).
    pub disconnected_grace: Duration,
    /// The driver's epoch, as the time since 1970-01-01 00:00 UTC: for timestamps and timesync.
    pub wall_clock: Duration,
    /// Which of the engines of one process this is.
    pub shard: Shard,
    /// Which reports are wanted.
    pub reports: Reports,
    /// What bounds memory and work.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            timeout: Duration::from_millis(30_000),
            interval: Duration::ZERO,
            max_interval: Duration::from_millis(10_000),
            max_processing: None,
            max_lazy_timeout: Duration::from_millis(5_000),
            meta_connect_deliver_only: false,
            long_polling: TransportOptions::default(),
            callback_polling: TransportOptions::default(),
            websocket: TransportOptions::default(),
            allowed_transports: vec![
                Transport::WebSocket,
                Transport::LongPolling,
                Transport::CallbackPolling,
            ],
            messages_per_frame: 0,
            require_handshake_per_connection: false,
            max_sessions_per_browser: 1,
            http2_max_sessions_per_browser: -1,
            multi_session_interval: Duration::from_millis(2_000),
            browser_binding: BrowserBinding::Lenient,
            handshake_reconnect: false,
            deliver_during_handshake: false,
            validate_message_fields: true,
            broadcast_to_publisher: Echo::ToPublisher,
            allow_connectionless_publish: false,
            subscribe_all_or_nothing: false,
            queue_policy: QueuePolicy::End,
            strip_ext: vec!["authentication".into()],
            echo_client_id: false,
            grammar: Grammar::default(),
            acknowledge: true,
            timesync: true,
            timestamp: false,
            activity: None,
            channels: Vec::new(),
            deciders: Vec::new(),
            decision_timeout: Duration::from_secs(10),
            store_timeout: Duration::from_secs(5),
            spread: Duration::from_secs(5),
            sweep_period: Duration::from_millis(997),
            disconnected_grace: Duration::from_secs(5),
            wall_clock: Duration::ZERO,
            shard: Shard::default(),
            reports: Reports::default(),
            limits: Limits::default(),
        }
    }
}

impl Config {
    /// What differs on `transport`.
    #[must_use]
    pub const fn transport(&self, transport: Transport) -> &TransportOptions {
        match transport {
            Transport::LongPolling => &self.long_polling,
            Transport::CallbackPolling => &self.callback_polling,
            Transport::WebSocket => &self.websocket,
        }
    }
}

/// Options that a transport may have of its own; `None`: as for all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TransportOptions {
    /// Longest hold of a connect.
    pub timeout: Option<Duration>,
    /// Wait that clients are told to keep between connects.
    pub interval: Option<Duration>,
    /// Grace between a connect's reply and the next connect.
    pub max_interval: Option<Duration>,
    /// Events travel with connect replies only. Always so on callback-polling (CB-6).
    pub meta_connect_deliver_only: Option<bool>,
}

/// How a session is bound to the browser cookie (BR-3, BR-4, DE-5).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum BrowserBinding {
    /// Found only with the right cookie.
    Strict,
    /// Found without a cookie until the cookie has come back once; never with a wrong one.
    #[default]
    Lenient,
    /// Found by `clientId` alone.
    Off,
}

/// What happens when a session's queue is full (QU-5). Counted and reported, whichever it is.
/// A session with acknowledgement always ends: it was promised everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum QueuePolicy {
    /// The session ends; its client is told to handshake.
    #[default]
    End,
    /// The oldest event is dropped.
    DropOldest,
    /// The new event is dropped.
    DropNewest,
}

/// When a session counts as inactive (EX-3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Activity {
    /// What counts as activity.
    pub mode: ActivityMode,
    /// How long a session may go without.
    pub max_inactivity: Duration,
}

/// What counts as activity (EX-3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ActivityMode {
    /// Messages from the client other than connects.
    Client,
    /// These, and events to the client.
    ClientServer,
}

/// Channels that are treated in a way of their own. The first rule that says something counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChannelRule {
    /// Which channels (QU-8: `/a/*` reaches `/a/b`, `/a` does not).
    pub pattern: ChannelPattern,
    /// Events are lazy, with this timeout; zero: `max_lazy_timeout` (QU-6).
    pub lazy: Option<Duration>,
    /// Whether publishers receive what they publish (PB-7).
    pub broadcast_to_publisher: Option<Echo>,
    /// The channel does not vanish (CH-13).
    pub persistent: bool,
}

/// Which of the engines of one process this is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shard {
    /// Its number, from 0.
    pub index: u32,
    /// How many there are.
    pub count: u32,
}

impl Default for Shard {
    fn default() -> Self {
        Self { index: 0, count: 1 }
    }
}

/// What bounds memory and work. Each has an error that says so and a counter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of a body or of a websocket message (`maxMessageSize`); 413 and 1009 beyond.
    pub max_message_size: usize,
    /// Nesting of JSON, from the outermost array (FR-6).
    pub max_depth: usize,
    /// Messages of one frame (DE-16).
    pub max_batch: usize,
    /// Subscriptions of one session; `403:too_many_subscriptions:subscribe_denied` beyond.
    pub max_subscriptions: usize,
    /// Channels of one engine; `403:too_many_channels:create_denied` beyond.
    pub max_channels: usize,
    /// Sessions of one engine; `503::unavailable` with advice to come back beyond.
    pub max_sessions: usize,
    /// Sessions of one address.
    pub max_sessions_per_address: usize,
    /// Handshakes of one address in a second.
    pub max_handshakes_per_second: usize,
    /// Events in one session's queue (`maxQueue`).
    pub max_queued_events: usize,
    /// Bytes in one session's queue.
    pub max_queued_bytes: usize,
    /// Bytes of one frame or response that are filled with events; what does not fit waits for the
    /// next.
    pub max_frame_bytes: usize,
    /// Appends of one session that the store has not answered; its reading pauses beyond.
    pub max_open_appends: usize,
    /// Duplexes that a browser or client may leave without a session are counted by the driver;
    /// this bounds all connections of one engine.
    pub max_connections: usize,
    /// The longest `timeout` that a client may ask for; `None`: the larger of the server's own
    /// and 300 s (DE-4).
    pub max_timeout: Option<Duration>,
    /// The longest `interval` that a client may ask for; `None`: the larger of the server's own
    /// and 60 s (DE-4).
    pub max_client_interval: Option<Duration>,
    /// How long a connect waits for the log to reach the number that it acknowledges (DE-3).
    pub max_log_wait: Duration,
    /// Entries that the log may grow by while a session with acknowledgement lasts: its next connect
    /// beyond is told to begin anew, and takes along what is not acknowledged (AK-4).
    pub max_log_span: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message_size: 1 << 20,
            max_depth: 128,
            max_batch: 1_000,
            max_subscriptions: 1_024,
            max_channels: 1_000_000,
            max_sessions: 1_000_000,
            max_sessions_per_address: 10_000,
            max_handshakes_per_second: 100,
            max_queued_events: 10_000,
            max_queued_bytes: 4 << 20,
            max_frame_bytes: 64 << 10,
            max_open_appends: 64,
            max_connections: 1_000_000,
            max_timeout: None,
            max_client_interval: None,
            max_log_wait: Duration::from_secs(2),
            // What a hold and an absence add keeps the numbers below 2^31 - 1.
            max_log_span: (1 << 31) - (1 << 27),
        }
    }
}

/// What may change while an engine runs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Change {
    /// Somebody wants to be asked from now on.
    AddDecider(Decider),
    /// Somebody no longer wants to be asked. A question that is open still waits for its verdict.
    RemoveDecider(DeciderId),
    /// Other limits.
    Limits(Box<Limits>),
    /// The wall clock was set: the driver's epoch as the time since 1970. Sessions that were admitted until
    /// some time of day end at that time by the new clock (HS-18).
    WallClock(Duration),
}
