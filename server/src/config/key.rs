//! The keys of the file that have no flag: CometD's options under their own names, ours, and the limits.

use core::time::Duration;

use bayeux_core::http::{BrowserCookie, CallbackForm, CookieOptions, SameSite};
use bayeux_core::{ActivityMode, BrowserBinding, Characters, Echo, QueuePolicy, Transport};

use super::draft::Draft;
use super::slot::{Slot, Unit, count, in_milliseconds, in_number, milliseconds};

/// One key.
pub(crate) struct Key {
    pub(crate) table: Table,
    pub(crate) name: &'static str,
    pub(crate) slot: Slot,
    pub(crate) meaning: &'static str,
}

/// Where in the file a key stands. Of a key that stands at the top and in a table, the one in the table
/// counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Table {
    Top,
    WebSocket,
    LongPolling,
    CallbackPolling,
    Limits,
    Access,
}

impl Table {
    pub(crate) const ALL: [Self; 6] = [
        Self::Top,
        Self::WebSocket,
        Self::LongPolling,
        Self::CallbackPolling,
        Self::Limits,
        Self::Access,
    ];

    /// Its name in the file; none for the top.
    pub(crate) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Top => None,
            Self::WebSocket => Some("ws"),
            Self::LongPolling => Some("long-polling"),
            Self::CallbackPolling => Some("callback-polling"),
            Self::Limits => Some("limits"),
            Self::Access => Some("access"),
        }
    }

    /// `name` as one says it outside of its table.
    pub(crate) fn path(self, name: &str) -> String {
        match self.name() {
            Some(table) => format!("{table}.{name}"),
            None => name.into(),
        }
    }
}

impl Key {
    pub(crate) fn path(&self) -> String {
        self.table.path(self.name)
    }
}

/// A day, the longest of most times.
const DAY: i64 = 86_400_000;
const GIB: i64 = 1 << 30;
const MANY: i64 = 1_000_000_000;

const fn key(table: Table, name: &'static str, slot: Slot, meaning: &'static str) -> Key {
    Key {
        table,
        name,
        slot,
        meaning,
    }
}

macro_rules! boolean {
    ($($field:tt)+) => {
        Slot::Boolean {
            get: |draft| Some(draft.$($field)+),
            set: |draft, value| draft.$($field)+ = value,
        }
    };
}

macro_rules! time {
    ($least:expr, $most:expr, $($field:tt)+) => {
        Slot::Number {
            least: $least,
            most: $most,
            unit: Unit::Milliseconds,
            off: None,
            get: |draft| Some(in_milliseconds(draft.$($field)+)),
            set: |draft, value| draft.$($field)+ = milliseconds(value.unwrap_or(0)),
        }
    };
}

/// A time that may be unset; `off` says what -1 means, if it can be said.
macro_rules! time_or_none {
    ($least:expr, $most:expr, $off:expr, $($field:tt)+) => {
        Slot::Number {
            least: $least,
            most: $most,
            unit: Unit::Milliseconds,
            off: $off,
            get: |draft| draft.$($field)+.map(in_milliseconds),
            set: |draft, value| draft.$($field)+ = value.map(milliseconds),
        }
    };
}

macro_rules! size {
    ($least:expr, $most:expr, $unit:expr, $($field:tt)+) => {
        Slot::Number {
            least: $least,
            most: $most,
            unit: $unit,
            off: None,
            get: |draft| Some(in_number(draft.$($field)+)),
            set: |draft, value| draft.$($field)+ = count(value.unwrap_or(0)),
        }
    };
}

/// Number of holds: negative means no limit.
macro_rules! holds {
    ($($field:tt)+) => {
        Slot::Number {
            least: 0,
            most: 1_000_000,
            unit: Unit::Things,
            off: Some("no limit"),
            get: |draft| Some(draft.$($field)+.into()),
            set: |draft, value| {
                draft.$($field)+ = value.and_then(|value| value.try_into().ok()).unwrap_or(-1);
            },
        }
    };
}

/// A variant by its name.
macro_rules! word {
    ([$($word:literal => $variant:path),+ $(,)?], $($field:tt)+) => {
        Slot::Word {
            words: &[$($word),+],
            get: |draft| match draft.$($field)+ {
                $($variant => Some($word),)+
            },
            set: |draft, word| {
                for (name, variant) in [$(($word, $variant)),+] {
                    if name == word {
                        draft.$($field)+ = variant;
                    }
                }
            },
        }
    };
}

/// A boolean that stands for one of two variants.
macro_rules! either {
    ($yes:path, $no:path, $($field:tt)+) => {
        Slot::Boolean {
            get: |draft| Some(draft.$($field)+ == $yes),
            set: |draft, value| draft.$($field)+ = if value { $yes } else { $no },
        }
    };
}

/// All keys, in the order of the reference.
pub(crate) static KEYS: &[Key] = &[
    key(
        Table::Top,
        "timeout",
        time!(0, DAY, settings.engine.timeout),
        "Longest hold of a connect.",
    ),
    key(
        Table::Top,
        "interval",
        time!(0, DAY, settings.engine.interval),
        "Wait that clients are told to keep between connects.",
    ),
    key(
        Table::Top,
        "maxInterval",
        time!(1, DAY, settings.engine.max_interval),
        "How long a session lives on between the reply to a connect and the next connect, beyond `interval`.",
    ),
    key(
        Table::Top,
        "maxProcessing",
        time_or_none!(1, DAY, Some("off"), settings.engine.max_processing),
        "Longest time that a message may be worked on before its session is removed.",
    ),
    key(
        Table::Top,
        "maxLazyTimeout",
        time!(0, DAY, settings.engine.max_lazy_timeout),
        "Longest wait of a lazy message.",
    ),
    key(
        Table::Top,
        "metaConnectDeliverOnly",
        boolean!(settings.engine.meta_connect_deliver_only),
        "Messages travel with the replies to connects only. On callback-polling they always do.",
    ),
    key(
        Table::Top,
        "maxQueue",
        Slot::Number {
            least: 1,
            most: MANY,
            unit: Unit::Things,
            off: Some("as `limits.maxQueuedEvents`"),
            get: |_| None,
            set: |draft, value| {
                if let Some(value) = value {
                    draft.settings.engine.limits.max_queued_events = count(value);
                }
            },
        },
        "Most messages that wait for one session; `queuePolicy` says what happens beyond.",
    ),
    key(
        Table::Top,
        "queuePolicy",
        word!(
            [
                "end" => QueuePolicy::End,
                "dropOldest" => QueuePolicy::DropOldest,
                "dropNewest" => QueuePolicy::DropNewest,
            ],
            settings.engine.queue_policy
        ),
        "What happens when a session's queue is full: the session ends, or a message is dropped. A session \
         with acknowledgement always ends.",
    ),
    key(
        Table::Top,
        "maxMessageSize",
        size!(
            1_024,
            GIB,
            Unit::Bytes,
            settings.engine.limits.max_message_size
        ),
        "Largest HTTP body or websocket message; the same as `limits.maxMessageSize`.",
    ),
    key(
        Table::Top,
        "sweepPeriod",
        time!(10, DAY, settings.engine.sweep_period),
        "A channel without subscribers vanishes after three of these.",
    ),
    key(
        Table::Top,
        "handshakeReconnect",
        boolean!(settings.engine.handshake_reconnect),
        "Advice carries `maxInterval`, so that clients which were away for longer handshake at once.",
    ),
    key(
        Table::Top,
        "allowMessageDeliveryDuringHandshake",
        boolean!(settings.engine.deliver_during_handshake),
        "Messages may travel with the reply to the handshake.",
    ),
    key(
        Table::Top,
        "validateMessageFields",
        boolean!(settings.engine.validate_message_fields),
        "Message ids and channel names are checked.",
    ),
    key(
        Table::Top,
        "broadcastToPublisher",
        either!(
            Echo::ToPublisher,
            Echo::ToOthers,
            settings.engine.broadcast_to_publisher
        ),
        "Publishers receive what they publish, if they are subscribed.",
    ),
    key(
        Table::Top,
        "allowConnectionlessPublish",
        boolean!(settings.engine.allow_connectionless_publish),
        "Messages are taken from publishers that have no session.",
    ),
    key(
        Table::Top,
        "subscribeAllOrNothing",
        boolean!(settings.engine.subscribe_all_or_nothing),
        "A subscription to a list of channels succeeds or fails as a whole.",
    ),
    key(
        Table::Top,
        "wideChannelCharacters",
        either!(
            Characters::Wide,
            Characters::CometD,
            settings.engine.grammar.characters
        ),
        "Channel names may have any printable character, in any script.",
    ),
    key(
        Table::Top,
        "stripExt",
        Slot::Texts {
            get: |draft| {
                draft
                    .settings
                    .engine
                    .strip_ext
                    .iter()
                    .map(|name| name.to_string())
                    .collect()
            },
            set: |draft, names| {
                draft.settings.engine.strip_ext =
                    names.iter().map(|name| Box::from(*name)).collect();
                Ok(())
            },
        },
        "Members of a published message's `ext` that subscribers do not see.",
    ),
    key(
        Table::Top,
        "echoClientId",
        boolean!(settings.engine.echo_client_id),
        "Every reply names the session.",
    ),
    key(
        Table::Top,
        "extensions",
        Slot::Words {
            words: &["ack", "timesync", "timestamp", "activity"],
            least: 0,
            get: extensions,
            set: set_extensions,
        },
        "Extensions on offer: acknowledged delivery, time synchronisation, a `timestamp` on outgoing messages, \
         and the end of inactive sessions. Binary data needs none here: it passes as it is.",
    ),
    key(
        Table::Top,
        "activityMode",
        word!(
            ["client" => ActivityMode::Client, "clientServer" => ActivityMode::ClientServer],
            activity.mode
        ),
        "What counts as activity: what the client sends besides connects, or also what it receives. Needs \
         `activity` among `extensions`.",
    ),
    key(
        Table::Top,
        "maxInactivity",
        time!(1, 365 * DAY, activity.max_inactivity),
        "How long a session may be inactive. Needs `activity` among `extensions`.",
    ),
    key(
        Table::Top,
        "allowedTransports",
        Slot::Words {
            words: &["websocket", "long-polling", "callback-polling"],
            least: 1,
            get: |draft| {
                let transports = &draft.settings.engine.allowed_transports;
                transports
                    .iter()
                    .map(|transport| transport.name())
                    .collect()
            },
            set: set_transports,
        },
        "Transports on offer, the preferred one first.",
    ),
    key(
        Table::Top,
        "maxSessionsPerBrowser",
        holds!(settings.engine.max_sessions_per_browser),
        "Sessions of one browser whose connects are held over HTTP/1.1; those beyond poll.",
    ),
    key(
        Table::Top,
        "http2MaxSessionsPerBrowser",
        holds!(settings.engine.http2_max_sessions_per_browser),
        "The same over HTTP/2.",
    ),
    key(
        Table::Top,
        "multiSessionInterval",
        time!(0, DAY, settings.engine.multi_session_interval),
        "How slowly the sessions beyond poll; 0: they are refused.",
    ),
    key(
        Table::Top,
        "browserBinding",
        word!(
            [
                "strict" => BrowserBinding::Strict,
                "lenient" => BrowserBinding::Lenient,
                "off" => BrowserBinding::Off,
            ],
            settings.engine.browser_binding
        ),
        "Who finds a session over HTTP: requests with its browser's cookie only; also those without a cookie, \
         until it has come back once; or all.",
    ),
    key(
        Table::Top,
        "trustClientSession",
        boolean!(trust_client_session),
        "CometD's name for `browserBinding = \"off\"`.",
    ),
    key(
        Table::Top,
        "duplicateMetaConnectHttpResponseCode",
        Slot::Number {
            least: 400,
            most: 599,
            unit: Unit::Things,
            off: None,
            get: |draft| Some(draft.settings.duplicate_connect_status.into()),
            set: |draft, value| {
                if let Some(Ok(status)) = value.map(u16::try_from) {
                    draft.settings.duplicate_connect_status = status;
                }
            },
        },
        "Status of a connect that a newer one of its session replaces; not 408, which makes browsers repeat it.",
    ),
    key(
        Table::Top,
        "browserCookieName",
        Slot::Text {
            get: |draft| Some(draft.settings.cookie.name.to_string()),
            set: |draft, text| cookie(draft, |cookie| cookie.name = text.into()),
        },
        "Name of the browser cookie.",
    ),
    key(
        Table::Top,
        "browserCookieDomain",
        Slot::Text {
            get: |draft| draft.settings.cookie.domain.as_deref().map(String::from),
            set: |draft, text| cookie(draft, |cookie| cookie.domain = Some(text.into())),
        },
        "Its `Domain`; unset, it stays with the host that gave it.",
    ),
    key(
        Table::Top,
        "browserCookiePath",
        Slot::Text {
            get: |draft| Some(draft.settings.cookie.path.to_string()),
            set: |draft, text| cookie(draft, |cookie| cookie.path = text.into()),
        },
        "Its `Path`.",
    ),
    key(
        Table::Top,
        "browserCookieMaxAge",
        Slot::Number {
            least: 0,
            most: 2_147_483_647,
            unit: Unit::Seconds,
            off: Some("until the browser is closed"),
            get: |draft| {
                let age = draft.settings.cookie.max_age?;
                Some(i64::try_from(age.as_secs()).unwrap_or(i64::MAX))
            },
            set: |draft, value| {
                draft.settings.cookie.max_age =
                    value.map(|value| Duration::from_secs(u64::try_from(value).unwrap_or(0)));
            },
        },
        "Its `Max-Age`.",
    ),
    key(
        Table::Top,
        "browserCookieSecure",
        boolean!(settings.cookie.secure),
        "It is `Secure`, where the request came over TLS.",
    ),
    key(
        Table::Top,
        "browserCookieHttpOnly",
        boolean!(settings.cookie.http_only),
        "It is `HttpOnly`.",
    ),
    key(
        Table::Top,
        "browserCookieSameSite",
        Slot::Word {
            words: &["Strict", "Lax", "None"],
            get: |draft| {
                draft
                    .settings
                    .cookie
                    .same_site
                    .map(|same_site| match same_site {
                        SameSite::Strict => "Strict",
                        SameSite::Lax => "Lax",
                        SameSite::None => "None",
                    })
            },
            set: |draft, word| {
                draft.settings.cookie.same_site = match word {
                    "Strict" => Some(SameSite::Strict),
                    "Lax" => Some(SameSite::Lax),
                    _ => Some(SameSite::None),
                };
            },
        },
        "Its `SameSite`. Pages of other sites need `\"None\"`, with `browserCookieSecure`.",
    ),
    key(
        Table::Top,
        "browserCookiePartitioned",
        boolean!(settings.cookie.partitioned),
        "It is `Partitioned`; needs `browserCookieSecure`.",
    ),
    key(
        Table::Top,
        "callbackParameter",
        CALLBACK_PARAMETER,
        "Query parameter that names the callback; the same as `callback-polling.callbackParameter`.",
    ),
    key(
        Table::Top,
        "callbackParameterMaxLength",
        CALLBACK_PARAMETER_MAX_LENGTH,
        "Longest callback name; the same as `callback-polling.callbackParameterMaxLength`.",
    ),
    key(
        Table::Top,
        "jsonpPrefix",
        either!(
            CallbackForm::Guarded,
            CallbackForm::Bare,
            settings.http.callback_form
        ),
        "Callback-polling responses begin with `/**/`, which guards against content sniffing; CometD's do not.",
    ),
    key(
        Table::Top,
        "shutdownWindow",
        time!(0, 600_000, settings.shutdown_window),
        "Over how long clients are let go when the server stops.",
    ),
    key(
        Table::WebSocket,
        "timeout",
        time_or_none!(0, DAY, None, settings.engine.websocket.timeout),
        "`timeout` on websocket.",
    ),
    key(
        Table::WebSocket,
        "interval",
        time_or_none!(0, DAY, None, settings.engine.websocket.interval),
        "`interval` on websocket.",
    ),
    key(
        Table::WebSocket,
        "maxInterval",
        time_or_none!(1, DAY, None, settings.engine.websocket.max_interval),
        "`maxInterval` on websocket.",
    ),
    key(
        Table::WebSocket,
        "metaConnectDeliverOnly",
        Slot::Boolean {
            get: |draft| draft.settings.engine.websocket.meta_connect_deliver_only,
            set: |draft, value| {
                draft.settings.engine.websocket.meta_connect_deliver_only = Some(value);
            },
        },
        "`metaConnectDeliverOnly` on websocket.",
    ),
    key(
        Table::WebSocket,
        "messagesPerFrame",
        size!(
            0,
            1_000_000,
            Unit::Things,
            settings.engine.messages_per_frame
        ),
        "Most messages that share a frame; 0: as many as fit `limits.maxFrameBytes`.",
    ),
    key(
        Table::WebSocket,
        "requireHandshakePerConnection",
        boolean!(settings.engine.require_handshake_per_connection),
        "A websocket carries only sessions that were handshaken on it.",
    ),
    key(
        Table::WebSocket,
        "idleTimeout",
        time_or_none!(1, DAY, Some("none"), settings.deadlines.websocket_idle),
        "A websocket on which nothing has moved for so long is closed; longer than `timeout` and `interval` \
         together.",
    ),
    key(
        Table::WebSocket,
        "protocol",
        Slot::Text {
            get: |draft| {
                draft
                    .settings
                    .http
                    .websocket_protocol
                    .as_deref()
                    .map(String::from)
            },
            set: |draft, text| {
                draft.settings.http.websocket_protocol = Some(token(text)?);
                Ok(())
            },
        },
        "Subprotocol that clients must offer; unset, the first that they offer is taken.",
    ),
    key(
        Table::LongPolling,
        "timeout",
        time_or_none!(0, DAY, None, settings.engine.long_polling.timeout),
        "`timeout` on long-polling.",
    ),
    key(
        Table::LongPolling,
        "interval",
        time_or_none!(0, DAY, None, settings.engine.long_polling.interval),
        "`interval` on long-polling.",
    ),
    key(
        Table::LongPolling,
        "maxInterval",
        time_or_none!(1, DAY, None, settings.engine.long_polling.max_interval),
        "`maxInterval` on long-polling.",
    ),
    key(
        Table::LongPolling,
        "metaConnectDeliverOnly",
        Slot::Boolean {
            get: |draft| draft.settings.engine.long_polling.meta_connect_deliver_only,
            set: |draft, value| {
                draft.settings.engine.long_polling.meta_connect_deliver_only = Some(value);
            },
        },
        "`metaConnectDeliverOnly` on long-polling.",
    ),
    key(
        Table::CallbackPolling,
        "timeout",
        time_or_none!(0, DAY, None, settings.engine.callback_polling.timeout),
        "`timeout` on callback-polling.",
    ),
    key(
        Table::CallbackPolling,
        "interval",
        time_or_none!(0, DAY, None, settings.engine.callback_polling.interval),
        "`interval` on callback-polling.",
    ),
    key(
        Table::CallbackPolling,
        "maxInterval",
        time_or_none!(1, DAY, None, settings.engine.callback_polling.max_interval),
        "`maxInterval` on callback-polling.",
    ),
    key(
        Table::CallbackPolling,
        "callbackParameter",
        CALLBACK_PARAMETER,
        "Query parameter that names the callback.",
    ),
    key(
        Table::CallbackPolling,
        "callbackParameterMaxLength",
        CALLBACK_PARAMETER_MAX_LENGTH,
        "Longest callback name.",
    ),
    key(
        Table::Limits,
        "maxMessageSize",
        size!(
            1_024,
            GIB,
            Unit::Bytes,
            settings.engine.limits.max_message_size
        ),
        "Largest HTTP body or websocket message; 413 and 1009 beyond.",
    ),
    key(
        Table::Limits,
        "maxDepth",
        size!(4, 1_000, Unit::Things, settings.engine.limits.max_depth),
        "Deepest nesting of JSON.",
    ),
    key(
        Table::Limits,
        "maxBatch",
        size!(1, 1_000_000, Unit::Things, settings.engine.limits.max_batch),
        "Most messages of one body or frame from a client.",
    ),
    key(
        Table::Limits,
        "maxChannelLength",
        size!(16, 65_536, Unit::Bytes, settings.engine.grammar.max_length),
        "Longest channel name.",
    ),
    key(
        Table::Limits,
        "maxChannelDepth",
        size!(2, 1_000, Unit::Things, settings.engine.grammar.max_depth),
        "Most segments of a channel name.",
    ),
    key(
        Table::Limits,
        "maxSubscriptions",
        size!(
            1,
            MANY,
            Unit::Things,
            settings.engine.limits.max_subscriptions
        ),
        "Most subscriptions of one session.",
    ),
    key(
        Table::Limits,
        "maxChannels",
        size!(1, MANY, Unit::Things, settings.engine.limits.max_channels),
        "Most channels of one shard.",
    ),
    key(
        Table::Limits,
        "maxSessions",
        size!(1, MANY, Unit::Things, settings.engine.limits.max_sessions),
        "Most sessions of one shard.",
    ),
    key(
        Table::Limits,
        "maxSessionsPerAddress",
        size!(
            1,
            MANY,
            Unit::Things,
            settings.engine.limits.max_sessions_per_address
        ),
        "Most sessions of one client address and shard. Loopback and trusted proxies are exempt.",
    ),
    key(
        Table::Limits,
        "maxHandshakesPerSecond",
        size!(
            1,
            MANY,
            Unit::Things,
            settings.engine.limits.max_handshakes_per_second
        ),
        "Most handshakes of one client address and shard in a second. Loopback and trusted proxies are exempt.",
    ),
    key(
        Table::Limits,
        "maxQueuedEvents",
        size!(
            1,
            MANY,
            Unit::Things,
            settings.engine.limits.max_queued_events
        ),
        "Most messages that wait for one session.",
    ),
    key(
        Table::Limits,
        "maxQueuedBytes",
        size!(
            1_024,
            GIB,
            Unit::Bytes,
            settings.engine.limits.max_queued_bytes
        ),
        "Most bytes that wait for one session.",
    ),
    key(
        Table::Limits,
        "maxFrameBytes",
        size!(
            1_024,
            GIB,
            Unit::Bytes,
            settings.engine.limits.max_frame_bytes
        ),
        "Bytes of a frame or response to be filled with messages; the others wait for the next.",
    ),
    key(
        Table::Limits,
        "maxOpenAppends",
        size!(
            1,
            1_000_000,
            Unit::Things,
            settings.engine.limits.max_open_appends
        ),
        "Messages of one session that the store may be working on before no more are read.",
    ),
    key(
        Table::Limits,
        "maxLogSpan",
        Slot::Number {
            least: 1,
            most: (1 << 31) - 2,
            unit: Unit::Things,
            off: None,
            get: |draft| i64::try_from(draft.settings.engine.limits.max_log_span).ok(),
            set: |draft, value| {
                let span = value.and_then(|value| value.try_into().ok());
                draft.settings.engine.limits.max_log_span = span.unwrap_or(0);
            },
        },
        "Messages that may be published while a session with acknowledgement lasts: it begins anew beyond.",
    ),
    key(
        Table::Limits,
        "maxConnections",
        size!(
            1,
            MANY,
            Unit::Things,
            settings.engine.limits.max_connections
        ),
        "Most requests and websockets that one shard serves at a time.",
    ),
    key(
        Table::Limits,
        "maxTimeout",
        time_or_none!(
            0,
            DAY,
            Some("the larger of `timeout` and 300000"),
            settings.engine.limits.max_timeout
        ),
        "Longest `timeout` that a client may ask for.",
    ),
    key(
        Table::Limits,
        "maxClientInterval",
        time_or_none!(
            0,
            DAY,
            Some("the larger of `interval` and 60000"),
            settings.engine.limits.max_client_interval
        ),
        "Longest `interval` that a client may ask for.",
    ),
    key(
        Table::Limits,
        "maxLogWait",
        time!(0, 60_000, settings.engine.limits.max_log_wait),
        "How long a connect waits for the log to reach the number that it acknowledges.",
    ),
    key(
        Table::Limits,
        "maxSockets",
        size!(1, MANY, Unit::Things, settings.sockets.total),
        "Most sockets that the process accepts; those beyond are closed.",
    ),
    key(
        Table::Limits,
        "maxSocketsPerAddress",
        size!(1, MANY, Unit::Things, settings.sockets.per_address),
        "Most sockets from one address. Loopback and trusted proxies are exempt.",
    ),
    key(
        Table::Limits,
        "tlsHandshakeTimeout",
        time!(1, DAY, settings.deadlines.tls),
        "How long a TLS handshake may take, from the beginning of its connection.",
    ),
    key(
        Table::Limits,
        "headerTimeout",
        time!(1, DAY, settings.deadlines.header),
        "How long the head of a request may take, from its first byte.",
    ),
    key(
        Table::Limits,
        "keepAliveTimeout",
        time!(1, DAY, settings.deadlines.keep_alive),
        "How long a connection may rest between two requests, beyond `timeout` and `interval`.",
    ),
    key(
        Table::Limits,
        "bodyTimeout",
        time!(1, DAY, settings.deadlines.body),
        "How long the body of a request may take.",
    ),
    key(
        Table::Limits,
        "messageTimeout",
        time!(1, DAY, settings.deadlines.message),
        "How long a websocket message may take, from its first frame.",
    ),
    key(
        Table::Limits,
        "writeTimeout",
        time!(1, DAY, settings.deadlines.write),
        "How long a peer may take nothing of what is being written to it.",
    ),
    key(
        Table::Limits,
        "decisionTimeout",
        time!(1, DAY, settings.engine.decision_timeout),
        "How long a decider of the application may take.",
    ),
    key(
        Table::Limits,
        "storeTimeout",
        time!(1, DAY, settings.engine.store_timeout),
        "How long the store may take: so long for each message, if several go to another server together.",
    ),
    key(
        Table::Limits,
        "maxLogEntries",
        size!(1, MANY, Unit::Things, settings.memory.max_entries),
        "Most messages that the store keeps for sessions that come back; the oldest go first.",
    ),
    key(
        Table::Limits,
        "maxLogBytes",
        size!(1_024, 1_024 * GIB, Unit::Bytes, settings.memory.max_bytes),
        "About how many bytes these may take in this process. In Redis they are bounded by their number.",
    ),
    key(
        Table::Limits,
        "logRetention",
        time!(0, DAY, settings.memory.retention),
        "How long they are kept.",
    ),
    key(
        Table::Access,
        "requireToken",
        boolean!(access.require_token),
        "A handshake needs a token that is good.",
    ),
    key(
        Table::Access,
        "issuers",
        Slot::Texts {
            get: |draft| texts(&draft.access.issuers),
            set: |draft, names| set_texts(&mut draft.access.issuers, names),
        },
        "Who may have issued a token: its `iss`. None: anybody who has the key.",
    ),
    key(
        Table::Access,
        "audiences",
        Slot::Texts {
            get: |draft| texts(&draft.access.audiences),
            set: |draft, names| set_texts(&mut draft.access.audiences, names),
        },
        "Whom a token may be for: its `aud`. None: anybody.",
    ),
    key(
        Table::Access,
        "leeway",
        time!(0, 3_600_000, access.leeway),
        "How far the clock of an issuer may be from the server's.",
    ),
    key(
        Table::Access,
        "cookie",
        Slot::Text {
            get: |draft| draft.access.sources.cookie.as_deref().map(String::from),
            set: |draft, name| {
                draft.access.sources.cookie = Some(token(name)?);
                Ok(())
            },
        },
        "The cookie that has a token, if neither `ext` nor a header has one.",
    ),
    key(
        Table::Access,
        "secretMember",
        Slot::Text {
            get: |draft| Some(draft.access.sources.secret_member.to_string()),
            set: |draft, name| {
                draft.access.sources.secret_member = name.into();
                Ok(())
            },
        },
        "The member of `ext` that has the secret of a publisher.",
    ),
];

const CALLBACK_PARAMETER: Slot = Slot::Text {
    get: |draft| Some(draft.settings.http.callback_parameter.to_string()),
    set: |draft, text| {
        draft.settings.http.callback_parameter = token(text)?;
        Ok(())
    },
};

const CALLBACK_PARAMETER_MAX_LENGTH: Slot = size!(
    1,
    1_024,
    Unit::Things,
    settings.http.callback_parameter_max_length
);

/// `text`, if it is a token as HTTP has them.
fn token(text: &str) -> Result<Box<str>, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if text.is_empty() || !text.bytes().all(fits) {
        return Err(format!(
            "must be one or more of the letters A to Z, digits and !#$%&'*+-.^_`|~, got {}",
            super::slot::quoted(text)
        ));
    }
    Ok(text.into())
}

/// Changes the cookie, if its header is then still well-formed.
fn cookie(draft: &mut Draft, change: impl FnOnce(&mut CookieOptions)) -> Result<(), String> {
    let mut changed = draft.settings.cookie.clone();
    change(&mut changed);
    BrowserCookie::new(&changed).map_err(|error| error.to_string())?;
    draft.settings.cookie = changed;
    Ok(())
}

fn extensions(draft: &Draft) -> Vec<&'static str> {
    let engine = &draft.settings.engine;
    let on = [
        (engine.acknowledge, "ack"),
        (engine.timesync, "timesync"),
        (engine.timestamp, "timestamp"),
        (draft.activity_on, "activity"),
    ];
    on.into_iter()
        .filter_map(|(on, name)| on.then_some(name))
        .collect()
}

fn set_extensions(draft: &mut Draft, names: &[&'static str]) {
    let engine = &mut draft.settings.engine;
    engine.acknowledge = names.contains(&"ack");
    engine.timesync = names.contains(&"timesync");
    engine.timestamp = names.contains(&"timestamp");
    draft.activity_on = names.contains(&"activity");
}

fn set_transports(draft: &mut Draft, names: &[&'static str]) {
    const ALL: [Transport; 3] = [
        Transport::WebSocket,
        Transport::LongPolling,
        Transport::CallbackPolling,
    ];
    let transports = names
        .iter()
        .filter_map(|name| ALL.into_iter().find(|one| one.name() == *name));
    draft.settings.engine.allowed_transports = transports.collect();
    draft.settings.http.websocket = names.contains(&Transport::WebSocket.name());
    draft.settings.http.callback_polling = names.contains(&Transport::CallbackPolling.name());
}

fn texts(names: &[Box<str>]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn set_texts(names: &mut Vec<Box<str>>, given: &[&str]) -> Result<(), String> {
    if given.iter().any(|name| name.is_empty()) {
        return Err("must have no empty text".into());
    }
    *names = given.iter().map(|name| Box::from(*name)).collect();
    Ok(())
}
