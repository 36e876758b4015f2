//! A value for each key of the file, and where it is seen.

use super::reference::rows;
use super::*;

type Seen = fn(&Settings) -> bool;

/// A value of `[access]`, with a key that tokens can be checked with.
macro_rules! with_key {
    ($value:literal) => {
        concat!(
            $value,
            "\n[[keys]]\nalgorithm = 'HS256'\nfile = '",
            secret_file!(),
            "'"
        )
    };
}

/// For each key a value that is not its default, and where it must be seen.
const EACH_KEY: &[(&str, &str, &str, Seen)] = &[
    ("", "timeout", "20000", |s| s.engine.timeout == ms(20_000)),
    ("", "interval", "7", |s| s.engine.interval == ms(7)),
    ("", "maxInterval", "7", |s| s.engine.max_interval == ms(7)),
    ("", "maxProcessing", "7", |s| {
        s.engine.max_processing == Some(ms(7))
    }),
    ("", "maxLazyTimeout", "7", |s| {
        s.engine.max_lazy_timeout == ms(7)
    }),
    ("", "metaConnectDeliverOnly", "true", |s| {
        s.engine.meta_connect_deliver_only
    }),
    ("", "maxQueue", "7", |s| {
        s.engine.limits.max_queued_events == 7
    }),
    ("", "queuePolicy", "'dropOldest'", |s| {
        s.engine.queue_policy == QueuePolicy::DropOldest
    }),
    ("", "maxMessageSize", "7000", |s| {
        s.engine.limits.max_message_size == 7000
    }),
    ("", "sweepPeriod", "70", |s| s.engine.sweep_period == ms(70)),
    ("", "handshakeReconnect", "true", |s| {
        s.engine.handshake_reconnect
    }),
    ("", "allowMessageDeliveryDuringHandshake", "true", |s| {
        s.engine.deliver_during_handshake
    }),
    ("", "validateMessageFields", "false", |s| {
        !s.engine.validate_message_fields
    }),
    ("", "broadcastToPublisher", "false", |s| {
        s.engine.broadcast_to_publisher == Echo::ToOthers
    }),
    ("", "allowConnectionlessPublish", "true", |s| {
        s.engine.allow_connectionless_publish
    }),
    ("", "subscribeAllOrNothing", "true", |s| {
        s.engine.subscribe_all_or_nothing
    }),
    ("", "wideChannelCharacters", "true", |s| {
        s.engine.grammar.characters == Characters::Wide
    }),
    ("", "stripExt", "['a', 'b']", |s| {
        s.engine.strip_ext == ["a", "b"].map(Box::<str>::from)
    }),
    ("", "echoClientId", "true", |s| s.engine.echo_client_id),
    ("", "extensions", "['timestamp', 'activity']", |s| {
        s.engine.timestamp
            && !s.engine.acknowledge
            && !s.engine.timesync
            && s.engine.activity.is_some()
    }),
    (
        "",
        "activityMode",
        "'clientServer'\nextensions = ['activity']",
        |s| s.engine.activity.unwrap().mode == ActivityMode::ClientServer,
    ),
    ("", "maxInactivity", "7\nextensions = ['activity']", |s| {
        s.engine.activity.unwrap().max_inactivity == ms(7)
    }),
    (
        "",
        "allowedTransports",
        "['long-polling', 'websocket']",
        |s| {
            s.engine.allowed_transports == [Transport::LongPolling, Transport::WebSocket]
                && s.http.websocket
                && !s.http.callback_polling
        },
    ),
    ("", "maxSessionsPerBrowser", "7", |s| {
        s.engine.max_sessions_per_browser == 7
    }),
    ("", "http2MaxSessionsPerBrowser", "7", |s| {
        s.engine.http2_max_sessions_per_browser == 7
    }),
    ("", "multiSessionInterval", "7", |s| {
        s.engine.multi_session_interval == ms(7)
    }),
    ("", "browserBinding", "'strict'", |s| {
        s.engine.browser_binding == BrowserBinding::Strict
    }),
    ("", "trustClientSession", "true", |s| {
        s.engine.browser_binding == BrowserBinding::Off
    }),
    ("", "duplicateMetaConnectHttpResponseCode", "409", |s| {
        s.duplicate_connect_status == 409
    }),
    ("", "browserCookieName", "'B'", |s| &*s.cookie.name == "B"),
    ("", "browserCookieDomain", "'a.example'", |s| {
        s.cookie.domain.as_deref() == Some("a.example")
    }),
    ("", "browserCookiePath", "'/b'", |s| &*s.cookie.path == "/b"),
    ("", "browserCookieMaxAge", "7", |s| {
        s.cookie.max_age == Some(Duration::from_secs(7))
    }),
    ("", "browserCookieSecure", "true", |s| s.cookie.secure),
    ("", "browserCookieHttpOnly", "false", |s| {
        !s.cookie.http_only
    }),
    ("", "browserCookieSameSite", "'Lax'", |s| {
        s.cookie.same_site == Some(SameSite::Lax)
    }),
    (
        "",
        "browserCookiePartitioned",
        "true\nbrowserCookieSecure = true",
        |s| s.cookie.partitioned,
    ),
    ("", "callbackParameter", "'cb'", |s| {
        &*s.http.callback_parameter == "cb"
    }),
    ("", "callbackParameterMaxLength", "7", |s| {
        s.http.callback_parameter_max_length == 7
    }),
    ("", "jsonpPrefix", "false", |s| {
        s.http.callback_form == CallbackForm::Bare
    }),
    ("", "shutdownWindow", "7", |s| s.shutdown_window == ms(7)),
    ("ws", "timeout", "7", |s| {
        s.engine.websocket.timeout == Some(ms(7))
    }),
    ("ws", "interval", "7", |s| {
        s.engine.websocket.interval == Some(ms(7))
    }),
    ("ws", "maxInterval", "7", |s| {
        s.engine.websocket.max_interval == Some(ms(7))
    }),
    ("ws", "metaConnectDeliverOnly", "true", |s| {
        s.engine.websocket.meta_connect_deliver_only == Some(true)
    }),
    ("ws", "messagesPerFrame", "7", |s| {
        s.engine.messages_per_frame == 7
    }),
    ("ws", "requireHandshakePerConnection", "true", |s| {
        s.engine.require_handshake_per_connection
    }),
    ("ws", "idleTimeout", "70000", |s| {
        s.deadlines.websocket_idle == Some(ms(70_000))
    }),
    ("ws", "protocol", "'bayeux'", |s| {
        s.http.websocket_protocol.as_deref() == Some("bayeux")
    }),
    ("long-polling", "timeout", "7", |s| {
        s.engine.long_polling.timeout == Some(ms(7))
    }),
    ("long-polling", "interval", "7", |s| {
        s.engine.long_polling.interval == Some(ms(7))
    }),
    ("long-polling", "maxInterval", "7", |s| {
        s.engine.long_polling.max_interval == Some(ms(7))
    }),
    ("long-polling", "metaConnectDeliverOnly", "true", |s| {
        s.engine.long_polling.meta_connect_deliver_only == Some(true)
    }),
    ("callback-polling", "timeout", "7", |s| {
        s.engine.callback_polling.timeout == Some(ms(7))
    }),
    ("callback-polling", "interval", "7", |s| {
        s.engine.callback_polling.interval == Some(ms(7))
    }),
    ("callback-polling", "maxInterval", "7", |s| {
        s.engine.callback_polling.max_interval == Some(ms(7))
    }),
    ("callback-polling", "callbackParameter", "'cb'", |s| {
        &*s.http.callback_parameter == "cb"
    }),
    ("callback-polling", "callbackParameterMaxLength", "7", |s| {
        s.http.callback_parameter_max_length == 7
    }),
    ("limits", "maxMessageSize", "7000", |s| {
        s.engine.limits.max_message_size == 7000
    }),
    ("limits", "maxDepth", "7", |s| {
        s.engine.limits.max_depth == 7
    }),
    ("limits", "maxBatch", "7", |s| {
        s.engine.limits.max_batch == 7
    }),
    ("limits", "maxChannelLength", "70", |s| {
        s.engine.grammar.max_length == 70
    }),
    ("limits", "maxChannelDepth", "7", |s| {
        s.engine.grammar.max_depth == 7
    }),
    ("limits", "maxSubscriptions", "7", |s| {
        s.engine.limits.max_subscriptions == 7
    }),
    ("limits", "maxChannels", "7", |s| {
        s.engine.limits.max_channels == 7
    }),
    ("limits", "maxSessions", "7", |s| {
        s.engine.limits.max_sessions == 7
    }),
    ("limits", "maxSessionsPerAddress", "7", |s| {
        s.engine.limits.max_sessions_per_address == 7
    }),
    ("limits", "maxHandshakesPerSecond", "7", |s| {
        s.engine.limits.max_handshakes_per_second == 7
    }),
    ("limits", "maxQueuedEvents", "7", |s| {
        s.engine.limits.max_queued_events == 7
    }),
    ("limits", "maxQueuedBytes", "7000", |s| {
        s.engine.limits.max_queued_bytes == 7000
    }),
    ("limits", "maxFrameBytes", "7000", |s| {
        s.engine.limits.max_frame_bytes == 7000
    }),
    ("limits", "maxOpenAppends", "7", |s| {
        s.engine.limits.max_open_appends == 7
    }),
    ("limits", "maxLogSpan", "7", |s| {
        s.engine.limits.max_log_span == 7
    }),
    ("limits", "maxConnections", "7", |s| {
        s.engine.limits.max_connections == 7
    }),
    ("limits", "maxTimeout", "7", |s| {
        s.engine.limits.max_timeout == Some(ms(7))
    }),
    ("limits", "maxClientInterval", "7", |s| {
        s.engine.limits.max_client_interval == Some(ms(7))
    }),
    ("limits", "maxLogWait", "7", |s| {
        s.engine.limits.max_log_wait == ms(7)
    }),
    ("limits", "maxSockets", "7", |s| s.sockets.total == 7),
    ("limits", "maxSocketsPerAddress", "7", |s| {
        s.sockets.per_address == 7
    }),
    ("limits", "tlsHandshakeTimeout", "7", |s| {
        s.deadlines.tls == ms(7)
    }),
    ("limits", "headerTimeout", "7", |s| {
        s.deadlines.header == ms(7)
    }),
    ("limits", "keepAliveTimeout", "7", |s| {
        s.deadlines.keep_alive == ms(7)
    }),
    ("limits", "bodyTimeout", "7", |s| s.deadlines.body == ms(7)),
    ("limits", "messageTimeout", "7", |s| {
        s.deadlines.message == ms(7)
    }),
    ("limits", "writeTimeout", "7", |s| {
        s.deadlines.write == ms(7)
    }),
    ("limits", "decisionTimeout", "7", |s| {
        s.engine.decision_timeout == ms(7)
    }),
    ("limits", "storeTimeout", "7", |s| {
        s.engine.store_timeout == ms(7)
    }),
    ("limits", "maxLogEntries", "7", |s| {
        s.memory.max_entries == 7
    }),
    ("limits", "maxLogBytes", "7000", |s| {
        s.memory.max_bytes == 7000
    }),
    ("limits", "logRetention", "7", |s| {
        s.memory.retention == ms(7)
    }),
    ("access", "requireToken", with_key!("true"), |s| {
        said_of_access(s, "tokens_required: true")
    }),
    ("access", "issuers", with_key!("['me', 'you']"), |s| {
        said_of_access(s, r#"issuers: ["me", "you"]"#)
    }),
    ("access", "audiences", with_key!("['chat']"), |s| {
        said_of_access(s, r#"audiences: ["chat"]"#)
    }),
    ("access", "leeway", with_key!("7"), |s| {
        said_of_access(s, "leeway: 7ms")
    }),
    ("access", "cookie", "'session'", |s| {
        said_of_access(s, r#"cookie: Some("session")"#)
    }),
    ("access", "secretMember", "'password'", |s| {
        said_of_access(s, r#"secret_member: "password""#)
    }),
];

/// What `[access]` sets is only to be seen in a trace.
fn said_of_access(settings: &Settings, text: &str) -> bool {
    format!("{:?}", settings.access).contains(text)
}

#[test]
fn each_key_is_seen_where_it_belongs_and_nowhere_by_default() {
    let untold = Settings::default();
    for (table, key, value, seen) in EACH_KEY {
        // The keys of the activity extension are not to be seen without it.
        if !["activityMode", "maxInactivity"].contains(key) {
            assert!(!seen(&untold), "{table} {key} is its default");
        }
        assert!(
            seen(&toml(&with(table, key, value)).settings()),
            "{table} {key} = {value}"
        );
    }
}

#[test]
fn every_key_of_the_reference_is_tested_once() {
    let mut tested: Vec<_> = EACH_KEY
        .iter()
        .map(|(table, key, ..)| (*table, *key))
        .collect();
    let rows = rows();
    let mut known: Vec<_> = rows.iter().map(|row| (&*row.table, &*row.key)).collect();
    tested.sort_unstable();
    known.sort_unstable();

    assert_eq!(tested, known);
}
