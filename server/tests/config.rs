//! What flags, variables and files set, and how they are refused.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed"
)]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bayeux_core::http::{CallbackForm, Origins, SameSite};
use bayeux_core::{ActivityMode, BrowserBinding, Characters, Echo, QueuePolicy, Transport};
use bayeux_server::StartError;
use bayeux_server::command_line::{Stop, greeting, parse_with};
use bayeux_server::config::{Conformance, LogFormat, Settings, Store, reference};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");

// --- What can be said.

/// A start of the server: flags, variables, and a file.
#[derive(Default)]
struct Start {
    flags: Vec<OsString>,
    variables: BTreeMap<&'static str, OsString>,
}

impl Start {
    fn flags(mut self, flags: &[&str]) -> Self {
        self.flags.extend(flags.iter().map(OsString::from));
        self
    }

    fn variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.insert(name, value.into());
        self
    }

    fn file(self, text: &str) -> Self {
        let path = file(text.as_bytes());
        self.flags(&["--config", path.to_str().unwrap()])
    }

    fn run(self) -> Result<Settings, Stop> {
        let args = [OsString::from("server")].into_iter().chain(self.flags);
        parse_with("server", "Serves.", args, |name| {
            self.variables.get(name).cloned()
        })
    }

    fn settings(self) -> Settings {
        self.run().unwrap_or_else(|stop| panic!("{stop}"))
    }

    /// The one line of a mistake, the file being called `F`.
    fn mistake(self) -> String {
        let stop = self.run().expect_err("a mistake");
        assert_eq!(stop.code, 2, "{stop}");
        assert!(
            !stop.text.is_empty() && !stop.text.contains('\n'),
            "one line: {stop}"
        );
        hide_file(&stop.text)
    }
}

fn file(text: &[u8]) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("{}-{number}.toml", std::process::id());
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).unwrap();
    path
}

/// `text` with `F` for the file's name.
fn hide_file(text: &str) -> String {
    let Some(start) = text.find(env!("CARGO_TARGET_TMPDIR")) else {
        return text.into();
    };
    let end = start + text[start..].find(".toml").unwrap() + ".toml".len();
    format!("{}F{}", &text[..start], &text[end..])
}

fn flags(flags: &[&str]) -> Start {
    Start::default().flags(flags)
}

fn toml(text: &str) -> Start {
    Start::default().file(text)
}

const fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

// --- Each key of the file.

type Seen = fn(&Settings) -> bool;

macro_rules! secret_file {
    () => {
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/secret.txt")
    };
}

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

/// A file that sets one key.
fn with(table: &str, key: &str, value: &str) -> String {
    match table {
        "" => format!("{key} = {value}\n"),
        table => format!("[{table}]\n{key} = {value}\n"),
    }
}

/// A row of the reference: table, key, what it takes, default.
struct Row {
    table: String,
    key: String,
    takes: String,
    default: String,
}

/// The keys that the reference knows, those of `[server]` apart.
fn rows() -> Vec<Row> {
    let reference = reference();
    let (_, keys) = reference.split_once("### At the top").unwrap();
    let (keys, _) = keys.split_once("### Options of CometD").unwrap();
    let mut table = String::new();
    let mut rows = Vec::new();
    for line in keys.lines() {
        if let Some(title) = line.strip_prefix("### `[") {
            table = title.trim_end_matches("]`").into();
        } else if line.starts_with("| `") {
            let cells: Vec<_> = line
                .split(" | ")
                .map(|cell| cell.trim_matches(['|', ' ', '`']))
                .collect();
            let [key, takes, default, _] = cells[..] else {
                panic!("{line}")
            };
            let [key, takes, default] = [key, takes, default].map(String::from);
            rows.push(Row {
                table: table.clone(),
                key,
                takes,
                default,
            });
        }
    }
    rows
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

#[test]
fn every_default_of_the_reference_is_what_a_key_takes_and_changes_nothing() {
    let untold = format!("{:?}", Settings::default());
    for Row {
        table,
        key,
        default,
        ..
    } in rows()
    {
        if default == "–" {
            continue;
        }
        let told = toml(&with(&table, &key, &default)).settings();

        assert_eq!(format!("{told:?}"), untold, "{table} {key} = {default}");
    }
}

#[test]
fn every_number_is_taken_to_its_edges_and_not_beyond() {
    let mut numbers = 0;
    for Row {
        table, key, takes, ..
    } in rows()
    {
        let Some((unit, range)) = takes.split_once(", ") else {
            continue;
        };
        if !["number", "bytes", "milliseconds", "seconds"].contains(&unit) {
            continue;
        }
        numbers += 1;
        let (range, off) = match range.split_once("; ") {
            Some((range, _)) => (range, true),
            None => (range, false),
        };
        let (least, most) = range.split_once(" to ").unwrap();
        let (least, most): (i64, i64) = (least.parse().unwrap(), most.parse().unwrap());
        // Times that have to fit each other are not the point here.
        let start = |value: i64| match (&*table, &*key) {
            ("ws", "idleTimeout") => toml(&format!("timeout = 0\n[ws]\nidleTimeout = {value}\n")),
            ("ws", key) => toml(&format!("[ws]\n{key} = {value}\nidleTimeout = -1\n")),
            (table, key) => toml(&format!(
                "ws.idleTimeout = -1\n{}",
                with(table, key, &value.to_string())
            )),
        };
        for value in [least, most] {
            assert!(start(value).run().is_ok(), "{table} {key} = {value}");
        }
        if off {
            assert!(start(-1).run().is_ok(), "{table} {key} = -1");
        }
        let below = if off && least == 0 { -2 } else { least - 1 };
        for value in [below, most + 1] {
            let line = match (&*table, &*key) {
                ("", _) | ("ws", _) if key != "idleTimeout" => 2,
                _ => 3,
            };
            let path = if table.is_empty() {
                key.clone()
            } else {
                format!("{table}.{key}")
            };
            let or = if off { "-1 or " } else { "" };
            let unit = if unit == "number" {
                String::new()
            } else {
                format!(" ({unit})")
            };
            assert_eq!(
                start(value).mistake(),
                format!(
                    "F:{line}: {path}: must be {or}between {least} and {most}{unit}, got {value}"
                )
            );
        }
    }
    assert!(numbers > 40, "the reference was understood: {numbers}");
}

#[test]
fn a_word_is_one_of_those_that_the_reference_names() {
    for Row {
        table, key, takes, ..
    } in rows()
    {
        if !takes.starts_with('"') {
            continue;
        }
        for word in takes.split('"').skip(1).step_by(2) {
            let told = with(
                &table,
                &key,
                &format!("{word:?}\nbrowserCookieSecure = true"),
            );
            assert!(toml(&told).run().is_ok(), "{key} = {word}");
        }
        assert_eq!(
            toml(&with(&table, &key, "'x'")).mistake(),
            format!("F:1: {key}: must be {takes}, got \"x\"")
        );
    }
}

#[test]
fn a_value_of_another_kind_is_refused_with_its_line_and_key() {
    for Row { table, key, .. } in rows() {
        let at = if table.is_empty() { 1 } else { 2 };
        let path = if table.is_empty() {
            key.clone()
        } else {
            format!("{table}.{key}")
        };
        for (value, shown) in [
            ("1979-05-27", "a date"),
            ("1.5", "1.5"),
            ("{ a = 1 }", "a table"),
        ] {
            let mistake = toml(&with(&table, &key, value)).mistake();
            assert!(
                mistake.starts_with(&format!("F:{at}: {path}: must be "))
                    && mistake.ends_with(&format!(", got {shown}")),
                "{mistake}"
            );
        }
    }
}

#[test]
fn a_key_in_a_table_counts_more_than_the_same_at_the_top() {
    let settings = toml(
        "maxQueue = 5\nmaxMessageSize = 5000\ncallbackParameter = 'top'\n\
         [limits]\nmaxQueuedEvents = 7\nmaxMessageSize = 7000\n\
         [callback-polling]\ncallbackParameter = 'own'\n",
    )
    .settings();

    assert_eq!(settings.engine.limits.max_queued_events, 7);
    assert_eq!(settings.engine.limits.max_message_size, 7000);
    assert_eq!(&*settings.http.callback_parameter, "own");
}

#[test]
fn keys_may_be_written_in_every_way_of_toml() {
    for text in [
        "[ws]\ntimeout = 7",
        "ws.timeout = 7",
        "ws = { timeout = 7 }",
        "ws.'timeout' = 0x7",
    ] {
        assert_eq!(
            toml(text).settings().engine.websocket.timeout,
            Some(ms(7)),
            "{text}"
        );
    }
    assert_eq!(
        toml("\n\nws.tmeout = 7").mistake(),
        "F:3: ws.tmeout: unknown key; did you mean timeout?"
    );
}

// --- Mistakes in the file.

// Proves: WS-14
#[test]
fn a_mistake_in_the_file_is_told_with_file_line_and_key() {
    let table = [
        (
            "\ntimeout = -5",
            "F:2: timeout: must be between 0 and 86400000 (milliseconds), got -5",
        ),
        (
            "timeout = '30s'",
            "F:1: timeout: must be between 0 and 86400000 (milliseconds), got \"30s\"",
        ),
        (
            "timeout = 9223372036854775807",
            "F:1: timeout: must be between 0 and 86400000 (milliseconds), got 9223372036854775807",
        ),
        (
            "# one\n# two\ntiemout = 1",
            "F:3: tiemout: unknown key; did you mean timeout?",
        ),
        (
            "Timeout = 1",
            "F:1: Timeout: unknown key; did you mean timeout?",
        ),
        (
            "max_interval = 1",
            "F:1: max_interval: unknown key; did you mean maxInterval?",
        ),
        ("frobnicate = 1", "F:1: frobnicate: unknown key"),
        (
            "messagesPerFrame = 1",
            "F:1: messagesPerFrame: unknown key; it belongs in [ws]",
        ),
        (
            "listen = '[::1]:1'",
            "F:1: listen: unknown key; it belongs in [server]",
        ),
        (
            "[server]\nbrowserBinding = 'off'",
            "F:2: server.browserBinding: unknown key; \
             it belongs at the top of the file, before the first [table]",
        ),
        ("[server]\nconfig = 'x'", "F:2: server.config: unknown key"),
        (
            "[server]\nconformance = 'true'",
            "F:2: server.conformance: must be true or false, got \"true\"",
        ),
        (
            "[server]\nconformance = [true]",
            "F:2: server.conformance: must be true or false, got a list",
        ),
        (
            "[server]\nstore = true",
            "F:2: server.store: must be a text, got true",
        ),
        (
            "[sw]\ntimeout = 1",
            "F:1: sw: unknown table; did you mean [ws]?",
        ),
        (
            "[long_polling]\ntimeout = 1",
            "F:1: long_polling: unknown table; did you mean [long-polling]?",
        ),
        ("[metrics]\nport = 1", "F:1: metrics: unknown table"),
        ("ws = 1", "F:1: ws: must be a table, got 1"),
        (
            "[[ws]]\ntimeout = 1",
            "F:1: ws: must be a table, got a list",
        ),
        ("server = 'x'", "F:1: server: must be a table, got \"x\""),
        (
            "sweepThreads = 2",
            "F:1: sweepThreads: not an option of this server: \
             no thread sweeps: each session has a deadline of its own",
        ),
        (
            "[ws]\nbufferSize = 4096",
            "F:2: ws.bufferSize: not an option of this server: buffers grow as they are needed",
        ),
        (
            "[ws]\nenableExtension.permessage-deflate = true",
            "F:2: ws.enableExtension: not an option of this server: no websocket extension is negotiated",
        ),
        (
            "extensions = ['ack', 'binary']",
            "F:1: extensions: may have \"ack\", \"timesync\", \"timestamp\" and \"activity\", got \"binary\"",
        ),
        (
            "extensions = ['ack', 'ack']",
            "F:1: extensions: has \"ack\" twice",
        ),
        (
            "allowedTransports = []",
            "F:1: allowedTransports: must have one or more of \
             \"websocket\", \"long-polling\" and \"callback-polling\"",
        ),
        (
            "stripExt = ['a', 1]",
            "F:1: stripExt: must be a list of texts, got a list",
        ),
        (
            "duplicateMetaConnectHttpResponseCode = 408",
            "F:1: duplicateMetaConnectHttpResponseCode: must not be 408, \
             which makes browsers repeat the request",
        ),
        (
            "browserCookieSameSite = 'None'",
            "F:1: browserCookieSameSite: browsers drop such a cookie unless browserCookieSecure is true",
        ),
        (
            "browserCookiePartitioned = true",
            "F:1: browserCookiePartitioned: browsers drop such a cookie unless browserCookieSecure is true",
        ),
        (
            "browserBinding = 'strict'\ntrustClientSession = true",
            "F:2: trustClientSession: contradicts browserBinding, which is to be \"off\" or left out",
        ),
        (
            "timeout = 300000",
            "F:1: timeout: ws.idleTimeout (300000) must be longer than a websocket's timeout (300000) \
             and interval (0) together",
        ),
        (
            "\n[ws]\nidleTimeout = 1000",
            "F:3: ws.idleTimeout: ws.idleTimeout (1000) must be longer than a websocket's timeout (30000) \
             and interval (0) together",
        ),
        (
            "[server]\nshards = 0",
            "F:2: server.shards: must be between 1 and 1024, got \"0\"",
        ),
        (
            "[server]\nshards = [1]",
            "F:2: server.shards: must be a text, got a list",
        ),
        (
            "[server]\nlisten = [\n  '[::1]:1',\n  true,\n]",
            "F:4: server.listen: must be a text or a list of texts, got true",
        ),
        (
            "[server]\npath = [\n  '/a',\n  'b',\n]",
            "F:4: server.path: a mount begins with /, got \"b\"",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(toml(text).mistake(), expected, "{text}");
    }
}

#[test]
fn of_several_mistakes_the_first_in_the_file_is_told() {
    let mistake = toml("timeout = 1\nzzz = 1\ninterval = -1\naaa = 1\n").mistake();

    assert_eq!(mistake, "F:2: zzz: unknown key");
}

#[test]
fn what_is_no_toml_is_told_with_file_and_line() {
    for (text, start) in [
        ("timeout = 1\ntimeout = 2", "F:2: timeout: duplicate key"),
        ("a = 1\nb", "F:2: key with no value, "),
        ("[ws", "F:1: unclosed table, "),
        ("timeout = 10\n\ninterval = ", "F:3: interval: "),
        ("[ws]\n[limits]\n[ws]", "F:3: duplicate key"),
        ("stripExt = [\n'a'\n'b'\n]", "F:3: "),
    ] {
        let mistake = toml(text).mistake();
        assert!(mistake.starts_with(start), "{text:?}: {mistake}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    assert_eq!(
        flags(&["--config", "/no/such/file.toml"]).mistake(),
        "cannot read /no/such/file.toml: No such file or directory (os error 2)"
    );
    assert!(
        flags(&["--config", "/"])
            .mistake()
            .starts_with("cannot read /: ")
    );

    let path = file(b"timeout = 1\nbrowserCookieName = '\xff'\n");
    let mistake = flags(&["--config", path.to_str().unwrap()]).mistake();
    assert_eq!(mistake, "F:2: is not UTF-8");
}

proptest! {
    #[test]
    fn any_file_is_taken_or_refused_in_one_line(
        text in r#"(\[?[a-zA-Z\-.]{0,9}\]?( = |=|)('[^']{0,5}'|-?[0-9]{0,22}|true|\[\]|\{\}|.{0,5})\n){0,4}"#
    ) {
        if let Err(stop) = toml(&text).run() {
            prop_assert_eq!(stop.code, 2);
            prop_assert!(!stop.text.contains('\n'));
        }
    }

    #[test]
    fn any_value_of_any_key_is_taken_or_refused_in_one_line(
        row in select(rows().into_iter().map(|row| (row.table, row.key)).collect::<Vec<_>>()),
        value in r#"'[^'\n]{0,9}'|-?[1-9][0-9]{0,25}|\[('.?',)*\]|"\\u00[0-9a-f]{2}""#
    ) {
        if let Err(stop) = toml(&with(&row.0, &row.1, &value)).run() {
            prop_assert_eq!(stop.code, 2);
            prop_assert!(!stop.text.contains(char::is_control), "{}", stop);
        }
    }

    #[test]
    fn any_arguments_are_taken_or_refused_in_one_line(
        args in vec("(--(listen|path|store|shards|allow-origin|trusted-proxy|log)=)?.{0,9}", 0..4)
    ) {
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        if let Err(stop) = flags(&args).run() && stop.code != 0 {
            prop_assert_eq!(stop.code, 2);
            prop_assert!(!stop.text.is_empty() && !stop.text.contains(char::is_control), "{}", stop);
        }
    }
}

// --- Flags and variables.

#[test]
fn untold_a_server_listens_on_loopback_under_the_three_paths() {
    let settings = flags(&[]).settings();

    assert_eq!(settings.listen, ["127.0.0.1:8080".parse().unwrap()]);
    assert_eq!(
        settings.paths,
        ["/bayeux", "/faye", "/cometd"].map(Box::<str>::from)
    );
    assert_eq!(settings.page_path(), "/bayeux");
    assert_eq!(settings.http.mounts.len(), 3);
    assert_eq!(settings.store, Store::Memory);
    assert_eq!(settings.http.origins, Origins::Own);
    assert_eq!(&*settings.log, "info");
    assert_eq!(
        format!("{settings:?}"),
        format!("{:?}", Settings::default())
    );
}

type Shown = fn(&Settings) -> String;

/// For each flag its variable, a value for each place that it can be given in, and how the settings show which of them counts.
const EACH_FLAG: &[(&str, &str, [&str; 3], Shown)] = &[
    (
        "listen",
        "BAYEUX_LISTEN",
        ["[::1]:1", "[::1]:2", "[::1]:3"],
        |s| s.listen[0].to_string(),
    ),
    ("path", "BAYEUX_PATH", ["/a", "/b", "/c"], |s| {
        assert!(s.http.mounts[0].contains(&s.paths[0]));
        s.paths[0].to_string()
    }),
    (
        "store",
        "BAYEUX_STORE",
        ["memory", "redis://b", "rediss+sentinel://c/main"],
        |s| match &s.store {
            Store::Memory => "memory".into(),
            Store::Redis(target) => target.to_string(),
            other => panic!("{other:?}"),
        },
    ),
    (
        "redis-prefix",
        "BAYEUX_REDIS_PREFIX",
        ["a", "b.c", "d-e:f_1"],
        |s| s.redis_prefix.to_string(),
    ),
    ("node-name", "BAYEUX_NODE_NAME", ["a", "b", "c"], |s| {
        s.node_name.to_string()
    }),
    ("shards", "BAYEUX_SHARDS", ["1001", "1002", "1003"], |s| {
        s.shards.to_string()
    }),
    (
        "allow-origin",
        "BAYEUX_ALLOW_ORIGIN",
        [
            "https://a.example",
            "https://b.example",
            "https://c.example",
        ],
        |s| {
            [
                "https://a.example",
                "https://b.example",
                "https://c.example",
            ]
            .into_iter()
            .filter(|origin| s.http.origins.allows(origin, None))
            .collect()
        },
    ),
    (
        "trusted-proxy",
        "BAYEUX_TRUSTED_PROXY",
        ["10.0.0.1", "10.0.0.2", "10.0.0.3"],
        |s| {
            ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
                .into_iter()
                .filter(|address| s.trusted_proxies.contains(address.parse().unwrap()))
                .collect()
        },
    ),
    ("log", "BAYEUX_LOG", ["warn", "debug", "off"], |s| {
        s.log.to_string()
    }),
    (
        "log-format",
        "BAYEUX_LOG_FORMAT",
        ["json", "text", "json"],
        |s| match s.log_format {
            LogFormat::Text => "text".into(),
            LogFormat::Json => "json".into(),
        },
    ),
    (
        "conformance",
        "BAYEUX_CONFORMANCE",
        ["true", "false", "true"],
        |s| match s.conformance {
            Conformance::On => "true".into(),
            Conformance::Off => "false".into(),
        },
    ),
];

/// The flags that have no value on the command line.
const SWITCHES: [&str; 1] = ["conformance"];

#[test]
fn a_flag_counts_more_than_its_variable_and_a_variable_more_than_the_file() {
    for (name, variable, [in_file, in_variable, as_flag], shown) in EACH_FLAG {
        let flag = format!("--{name}");
        let is_switch = SWITCHES.contains(name);
        let quote = if is_switch { "" } else { "'" };
        let file = || toml(&format!("[server]\n{name} = {quote}{in_file}{quote}"));

        assert_eq!(shown(&file().settings()), *in_file, "{flag}");
        assert_eq!(
            shown(&file().variable(variable, in_variable).settings()),
            *in_variable,
            "{flag}"
        );
        let on_line: &[&str] = if is_switch {
            &[&flag]
        } else {
            &[&flag, as_flag]
        };
        let all = file().variable(variable, in_variable).flags(on_line);
        assert_eq!(shown(&all.settings()), *as_flag, "{flag}");
    }
}

/// The two files, with a space in between.
fn tls(settings: &Settings) -> String {
    let files = settings.tls.as_ref().unwrap();
    format!("{} {}", files.certificate.display(), files.key.display())
}

#[test]
fn a_certificate_and_its_key_are_named_from_anywhere() {
    let file = || toml("[server]\ntls-cert = 'a.pem'\ntls-key = 'a.key'");

    assert_eq!(tls(&file().settings()), "a.pem a.key");
    let file = || file().variable("BAYEUX_TLS_CERT", "b.pem");
    assert_eq!(tls(&file().settings()), "b.pem a.key");
    let file = || file().variable("BAYEUX_TLS_KEY", "b.key");
    let all = file().flags(&["--tls-cert", "c.pem", "--tls-key", "c.key"]);
    assert_eq!(tls(&all.settings()), "c.pem c.key");
}

#[test]
fn a_certificate_without_a_key_is_a_mistake_and_a_key_without_one_too() {
    for (start, expected) in [
        (
            flags(&["--tls-cert", "a.pem"]),
            "--tls-cert: needs tls-key too",
        ),
        (
            flags(&["--tls-key", "a.key"]),
            "--tls-key: needs tls-cert too",
        ),
        (
            toml("[server]\ntls-cert = 'a.pem'"),
            "F:2: server.tls-cert: needs tls-key too",
        ),
        (
            flags(&[]).variable("BAYEUX_TLS_KEY", "a.key"),
            "BAYEUX_TLS_KEY: needs tls-cert too",
        ),
    ] {
        assert_eq!(start.mistake(), expected);
    }
}

#[test]
fn the_file_may_be_named_by_variable_too() {
    let [by_variable, by_flag] = ["timeout = 1", "timeout = 2"].map(|text| file(text.as_bytes()));
    let start = || Start::default().variable("BAYEUX_CONFIG", by_variable.to_str().unwrap());

    assert_eq!(start().settings().engine.timeout, ms(1));
    let both = start().flags(&["--config", by_flag.to_str().unwrap()]);
    assert_eq!(both.settings().engine.timeout, ms(2));
    let empty = Start::default().variable("BAYEUX_CONFIG", "");
    assert_eq!(empty.settings().engine.timeout, ms(30_000));
}

#[test]
fn what_may_be_repeated_is_by_flag_by_list_and_by_commas() {
    let by_flag = flags(&["--path", "/a", "--path=/b/"]);
    let by_variable = Start::default().variable("BAYEUX_PATH", "/a, /b/,");
    let by_file = toml("[server]\npath = ['/a', '/b/']");

    for settings in [
        by_flag.settings(),
        by_variable.settings(),
        by_file.settings(),
    ] {
        assert_eq!(settings.paths, ["/a", "/b"].map(Box::<str>::from));
        assert_eq!(settings.http.mounts.len(), 2);
    }
}

#[test]
fn a_variable_that_is_empty_is_as_if_unset() {
    for (_, variable, ..) in EACH_FLAG {
        let settings = Start::default().variable(variable, "").settings();
        assert_eq!(
            format!("{settings:?}"),
            format!("{:?}", Settings::default()),
            "{variable}"
        );
    }
}

#[test]
fn what_is_overruled_need_not_be_right_unless_it_is_in_the_file() {
    let settings = flags(&["--shards", "3"])
        .variable("BAYEUX_SHARDS", "many")
        .settings();
    assert_eq!(settings.shards.get(), 3);

    let settings =
        toml("[server]\nlisten = 'no-such-host.invalid:1'").flags(&["--listen", "[::1]:1"]);
    assert_eq!(settings.settings().listen, ["[::1]:1".parse().unwrap()]);

    let mistake = toml("[server]\nshards = -3")
        .flags(&["--shards", "3"])
        .mistake();
    assert_eq!(
        mistake,
        "F:2: server.shards: must be between 1 and 1024, got \"-3\""
    );
}

#[test]
fn a_mistake_on_the_command_line_is_one_line() {
    let table: &[(&[&str], &str)] = &[
        (
            &["--lisen", "x"],
            "unexpected argument '--lisen' found; a similar argument exists: '--listen'",
        ),
        (
            &["--frobnicate"],
            "unexpected argument '--frobnicate' found",
        ),
        (&["serve"], "unexpected argument 'serve' found"),
        (
            &["--shards"],
            "a value is required for '--shards <N>' but none was supplied",
        ),
        (
            &["--log", ""],
            "a value is required for '--log <FILTER>' but none was supplied",
        ),
        (
            &["--shards", "1", "--shards", "2"],
            "the argument '--shards <N>' cannot be used multiple times",
        ),
        (
            &["--shards", "0"],
            "--shards: must be between 1 and 1024, got \"0\"",
        ),
        (
            &["--shards", "-1"],
            "--shards: must be between 1 and 1024, got \"-1\"",
        ),
        (
            &["--shards", "1025"],
            "--shards: must be between 1 and 1024, got \"1025\"",
        ),
        (
            &["--shards", "two"],
            "--shards: must be between 1 and 1024, got \"two\"",
        ),
        (
            &["--store", "redis"],
            "--store: must be memory, or where Redis is: expected redis://[user:password@]host[:port][/database], rediss:// for TLS, or redis+sentinel://[user:password@]host[:port],…/name[/database]",
        ),
        (
            &["--store", "redis://:secret@h/x"],
            "--store: must be memory, or where Redis is: expected redis://[user:password@]host[:port][/database], rediss:// for TLS, or redis+sentinel://[user:password@]host[:port],…/name[/database]",
        ),
        (
            &["--redis-prefix", "a{b}"],
            "--redis-prefix: must be 1 to 64 letters, digits, - . : or _, got \"a{b}\"",
        ),
        (
            &["--node-name", "a b"],
            "--node-name: must be 1 to 64 letters, digits, - . : or _, got \"a b\"",
        ),
        (
            &["--listen", "8080"],
            "--listen: must be an address and a port, such as 127.0.0.1:8080 or [::1]:8080, got \"8080\"",
        ),
        (
            &["--listen", ":8080"],
            "--listen: must be an address and a port, such as 127.0.0.1:8080 or [::1]:8080, got \":8080\"",
        ),
        (
            &["--listen", "::1:8080:x"],
            "--listen: must be an address and a port, such as 127.0.0.1:8080 or [::1]:8080, \
             got \"::1:8080:x\"",
        ),
        (
            &["--listen", "localhost:65536"],
            "--listen: must be an address and a port, such as 127.0.0.1:8080 or [::1]:8080, \
             got \"localhost:65536\"",
        ),
        (
            &["--listen", "[::1]:1", "--listen", "[::1]:1"],
            "--listen: [::1]:1 is given twice",
        ),
        (
            &["--path", "bayeux"],
            "--path: a mount begins with /, got \"bayeux\"",
        ),
        (
            &["--path", "/a?b"],
            "--path: a mount is a path as it is sent: printable ASCII without ?, # and *, got \"/a?b\"",
        ),
        (
            &["--path", "/a", "--path", "/a/"],
            "--path: /a is given twice",
        ),
        (
            &["--allow-origin", "https://*.example"],
            "--allow-origin: an origin needs a host, of letters, digits, '-', '.', '_' or an address, \
             got \"https://*.example\"",
        ),
        (
            &["--allow-origin", "a.example"],
            "--allow-origin: an origin begins with a scheme, as in https://host, got \"a.example\"",
        ),
        (
            &["--allow-origin", "https://a.example/x"],
            "--allow-origin: an origin ends with its host and port, got \"https://a.example/x\"",
        ),
        (
            &["--allow-origin", "*", "--allow-origin", "https://a.example"],
            "--allow-origin: * allows any origin and must stand alone",
        ),
        (
            &["--trusted-proxy", "10.0.0.0/33"],
            "--trusted-proxy: the prefix of a network is a number up to 32, or 128 for IPv6, \
             got \"10.0.0.0/33\"",
        ),
        (
            &["--trusted-proxy", "proxy"],
            "--trusted-proxy: a network begins with an IPv4 or IPv6 address, got \"proxy\"",
        ),
        (
            &["--log", "loud"],
            "--log: must be off, error, warn, info, debug or trace, or target=level, \
             separated by commas, got \"loud\"",
        ),
        (
            &["--log", "info,hyper="],
            "--log: must be off, error, warn, info, debug or trace, or target=level, \
             separated by commas, got \"info,hyper=\"",
        ),
        (
            &["--conformance=true"],
            "unexpected value 'true' for '--conformance' found; no more were expected",
        ),
        (
            &["--conformance", "true"],
            "unexpected argument 'true' found",
        ),
        (
            &["--conformance", "--conformance"],
            "the argument '--conformance' cannot be used multiple times",
        ),
        (
            &["--path", "/a\nb"],
            "--path: a mount is a path as it is sent: printable ASCII without ?, # and *, got \"/a\\nb\"",
        ),
        (&["--a\nb"], "unexpected argument '--a; b' found"),
    ];
    for (given, expected) in table {
        assert_eq!(flags(given).mistake(), *expected, "{given:?}");
    }
}

#[test]
fn a_mistake_in_a_variable_names_the_variable() {
    for (variable, value, expected) in [
        (
            "BAYEUX_SHARDS",
            "x",
            "BAYEUX_SHARDS: must be between 1 and 1024, got \"x\"",
        ),
        (
            "BAYEUX_PATH",
            "/a,b",
            "BAYEUX_PATH: a mount begins with /, got \"b\"",
        ),
        (
            "BAYEUX_CONFORMANCE",
            "1",
            "BAYEUX_CONFORMANCE: must be true or false, got \"1\"",
        ),
        (
            "BAYEUX_CONFIG",
            "/none",
            "cannot read /none: No such file or directory (os error 2)",
        ),
    ] {
        assert_eq!(
            Start::default().variable(variable, value).mistake(),
            expected
        );
    }
}

#[cfg(unix)]
#[test]
fn what_is_not_utf_8_is_told() {
    use std::os::unix::ffi::OsStringExt;

    let garbage = || OsString::from_vec(vec![b'/', 0xff]);
    let mut start = Start::default();
    start.variables.insert("BAYEUX_PATH", garbage());
    assert_eq!(start.mistake(), "BAYEUX_PATH: is not UTF-8");

    let mut start = flags(&["--path"]);
    start.flags.push(garbage());
    assert_eq!(
        start.mistake(),
        "invalid UTF-8 was detected in one or more arguments"
    );
}

#[test]
fn a_name_stands_for_its_ipv4_address() {
    let settings = flags(&["--listen", "localhost:8081", "--listen", "localhost:0"]).settings();

    assert_eq!(
        settings.listen,
        [
            "127.0.0.1:8081".parse().unwrap(),
            "127.0.0.1:0".parse().unwrap()
        ]
    );
    assert!(
        flags(&["--listen", "no-such-host.invalid:1"])
            .mistake()
            .starts_with("--listen: cannot find the address of \"no-such-host.invalid\": ")
    );
}

#[test]
fn the_operating_system_may_choose_the_port_more_than_once() {
    let settings = flags(&["--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0"]).settings();

    assert_eq!(settings.listen.len(), 2);
}

#[test]
fn any_origin_is_allowed_by_a_star() {
    assert_eq!(
        flags(&["--allow-origin", "*"]).settings().http.origins,
        Origins::Any
    );
}

// --- What is printed.

#[test]
fn help_and_version_end_well() {
    for flag in ["--help", "-h"] {
        let stop = flags(&[flag]).run().expect_err("help");
        assert_eq!(stop.code, 0);
        assert!(stop.text.starts_with("Serves."), "{stop}");
        for (flag, variable, ..) in EACH_FLAG {
            let value = if SWITCHES.contains(flag) { "\n" } else { " <" };
            let lines = stop.text.replace("  ", "\n");
            assert!(lines.contains(&format!("--{flag}{value}")), "{flag}");
            assert!(
                stop.text.contains(&format!("[env: {variable}]")),
                "{variable}"
            );
        }
        assert!(stop.text.contains("[env: BAYEUX_CONFIG]"));
        assert_eq!(stop.text.contains("maxInterval = 10000"), flag == "--help");
    }
    let stop = flags(&["--version"]).run().expect_err("version");
    assert_eq!(
        (stop.code, stop.text),
        (0, format!("server {}", env!("CARGO_PKG_VERSION")))
    );
}

#[test]
fn the_greeting_has_every_url_and_says_who_is_let_in() {
    let bound = ["127.0.0.1:8080", "[::]:81"].map(|address| address.parse().unwrap());

    assert_eq!(
        greeting(
            &flags(&["--path", "/bayeux", "--path", "/faye"]).settings(),
            &bound,
            &[],
        ),
        "listening on http://127.0.0.1:8080/bayeux\nlistening on http://127.0.0.1:8080/faye\n\
         listening on http://localhost:81/bayeux\nlistening on http://localhost:81/faye\n\
         try it in a browser: http://127.0.0.1:8080/\n\
         pages of other origins are refused; --allow-origin lets them in\n\
         warning: there are no [[rules]], so whoever reaches this server may subscribe and publish to \
         every channel"
    );
    let ruled = toml("[[rules]]\npattern = '/**'\nallow = 'anyone'\n").settings();
    assert!(!greeting(&ruled, &bound, &[]).contains("warning"));
    let mapped = ["[::ffff:127.0.0.1]:8080".parse().unwrap()];
    assert!(!greeting(&flags(&[]).settings(), &mapped, &[]).contains("warning"));
    let nearby = greeting(&flags(&[]).settings(), &bound[..1], &[]);
    assert!(!nearby.contains("warning"), "{nearby}");
    let without_page = flags(&["--path", "/bayeux", "--path", "/"]).settings();
    assert!(!greeting(&without_page, &bound, &[]).contains("browser"));
    let open = flags(&["--allow-origin", "https://a.example"]).settings();
    assert!(!greeting(&open, &bound, &[]).contains("refused"));
    let safe = flags(&["--tls-cert", "a.pem", "--tls-key", "a.key"]).settings();
    let greeting_of_safe = greeting(&safe, &bound, &[]);
    assert!(greeting_of_safe.starts_with("listening on https://127.0.0.1:8080/bayeux\n"));
    assert!(!greeting_of_safe.contains("http://"));
    let helping = flags(&["--conformance"]).settings();
    assert!(greeting(&helping, &bound, &[]).contains("\nconformance helpers are on: "));
}

// --- The HTTP API for backends.

const KEY: &str = "a-key-that-nobody-has-guessed";

fn admin(start: Start) -> (Vec<String>, String) {
    let admin = start.settings().admin;
    let listen = admin.listen.iter().map(ToString::to_string).collect();
    (listen, format!("{:?}", admin.keys))
}

#[test]
fn there_is_an_api_once_a_key_is_set_or_it_is_asked_for() {
    let listen = |addresses: &[&str]| addresses.iter().map(ToString::to_string).collect();
    let no_keys = "AdminKeys(0)".to_string();
    let keys = |count| format!("AdminKeys({count})");
    let usual = || listen(&["127.0.0.1:8081"]);

    assert_eq!(admin(flags(&[])), (Vec::new(), no_keys.clone()));
    assert_eq!(
        admin(flags(&[
            "--admin-listen",
            "[::1]:9000",
            "--admin-listen",
            "127.0.0.1:9000"
        ])),
        (listen(&["[::1]:9000", "127.0.0.1:9000"]), no_keys)
    );
    let variable = |value: &str| Start::default().variable("BAYEUX_ADMIN_KEY", value);
    assert_eq!(admin(variable(KEY)), (usual(), keys(1)));
    assert_eq!(
        admin(variable(&format!("{KEY}, {KEY}2"))),
        (usual(), keys(2))
    );
    let list = format!("[server]\nadmin-key = [\"{KEY}1\", \"{KEY}2\"]");
    assert_eq!(admin(toml(&list)), (usual(), keys(2)));
    // A variable counts more than the file.
    let both = toml(&list).variable("BAYEUX_ADMIN_KEY", KEY);
    assert_eq!(admin(both), (usual(), keys(1)));

    let path = file(format!("# of the website\n{KEY}\n\n  {KEY}2  \n").as_bytes());
    let key_file = || flags(&["--admin-key-file", path.to_str().unwrap()]);
    assert_eq!(admin(key_file()), (usual(), keys(2)));
    let both = key_file().variable("BAYEUX_ADMIN_KEY", KEY);
    assert_eq!(admin(both), (usual(), keys(3)));
    let elsewhere = key_file().flags(&["--admin-listen", "127.0.0.1:9000"]);
    assert_eq!(admin(elsewhere), (listen(&["127.0.0.1:9000"]), keys(2)));
}

#[test]
fn a_mistake_about_the_api_is_told_without_its_key() {
    let with_file = |text: &str| {
        let path = file(text.as_bytes());
        flags(&["--admin-key-file", path.to_str().unwrap()]).mistake()
    };
    let variable = |value: &str| Start::default().variable("BAYEUX_ADMIN_KEY", value);

    assert_eq!(
        variable("short").mistake(),
        "BAYEUX_ADMIN_KEY: a key must have 16 characters or more"
    );
    assert_eq!(
        with_file(&format!("{KEY}\n\na key with spaces in it")),
        "--admin-key-file: F:3: a key must be of the letters A to Z, digits and -._~+/="
    );
    assert_eq!(
        with_file("# none\n"),
        "--admin-key-file: there is no key in \"F\""
    );
    let missing = flags(&["--admin-key-file", "/nowhere/key"]).mistake();
    assert!(
        missing.starts_with("--admin-key-file: cannot read \"/nowhere/key\": "),
        "{missing}"
    );
    let unspoken = flags(&["--admin-key", KEY]).mistake();
    assert!(
        unspoken.contains("unexpected argument") && !unspoken.contains(KEY),
        "{unspoken}"
    );
    assert_eq!(
        toml("[server]\nadmin-key = 1234567890123456.5").mistake(),
        "F:2: server.admin-key: must be a text or a list of texts"
    );
    assert_eq!(
        flags(&[
            "--admin-listen",
            "127.0.0.1:8080",
            "--listen",
            "127.0.0.1:8080"
        ])
        .mistake(),
        "--admin-listen: 127.0.0.1:8080 is given twice"
    );
}

#[test]
fn the_greeting_says_where_backends_come_in_and_whether_they_can() {
    let address = ["127.0.0.1:8081".parse().unwrap()];

    let closed = greeting(&flags(&[]).settings(), &[], &address);
    assert!(
        closed.contains("backends: http://127.0.0.1:8081/api/v1 (closed: no key is set)"),
        "{closed}"
    );
    let open = Start::default()
        .variable("BAYEUX_ADMIN_KEY", KEY)
        .settings();
    let open = greeting(&open, &[], &address);
    assert!(open.contains("/api/v1 (with a key)"), "{open}");
}

#[test]
fn a_port_in_use_ends_with_exit_code_1_and_the_address() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = std::net::TcpListener::bind(address).unwrap_err();

    let stop = Stop::from(StartError::Listen(address, error));

    assert_eq!((stop.code, stop.text), (1, format!("{address} is in use")));
}

#[test]
fn the_document_is_what_the_tables_say() {
    let document = fs::read_to_string(DOCUMENT).unwrap_or_default();

    assert!(
        document == reference(),
        "docs/configuration.md is out of date: \
         cargo test -p bayeux-server --test config -- --ignored writes it anew"
    );
}

#[test]
#[ignore = "writes docs/configuration.md"]
fn write_the_document() {
    fs::write(DOCUMENT, reference()).unwrap();
}

// --- Who may do what.

#[test]
fn lists_of_access_are_refused_with_line_and_place() {
    let key = concat!(
        "[[keys]]\nalgorithm = 'HS256'\nfile = '",
        secret_file!(),
        "'\n"
    );
    let rule = "[[rules]]\npattern = '/**'\nallow = 'anyone'\n";
    let publisher = concat!("[[publishers]]\nfile = '", secret_file!(), "'\n");
    let claims_must = "claims: must be a table of texts, whole numbers, true or false, lists of these, \
                       and such tables";
    let operations_must =
        "operations: must be a list of one or more of \"create\", \"subscribe\" and \"publish\"";
    let table = [
        ("rules = 1", "F:1: rules: must be a list of tables, [[rules]], got 1".into()),
        ("keys = [1]", "F:1: keys: must be a list of tables, [[keys]], got a list".into()),
        ("[[rules]]\n", "F:1: rule 1: has no pattern".into()),
        ("[[rules]]\npattern = 7", "F:2: rule 1: pattern: must be a text, got 7".into()),
        (
            "[[rules]]\npattern = '/a/*/b'\nallow = 'anyone'",
            "F:2: rule 1: pattern: the channel name has a wildcard where none may be, got \"/a/*/b\"".into(),
        ),
        (
            "[[rules]]\npattern = '/meta/**'\nallow = 'anyone'",
            "F:2: rule 1: pattern: rules are not for meta channels, got \"/meta/**\"".into(),
        ),
        (
            "[[rules]]\npattern = '/u-{sub}'\nallow = 'anyone'",
            "F:2: rule 1: pattern: a claim stands for a whole segment, as in /users/{sub}/**, got \
             \"/u-{sub}\""
                .into(),
        ),
        (
            "[[rules]]\npattern = '/{sub}'\nallow = 'anyone'",
            "F:2: rule 1: pattern: nobody is known to be anything where anyone is allowed: leave out \
             allow"
                .into(),
        ),
        (
            "[[rules]]\npattern = '/a'\n",
            "F:2: rule 1: pattern: nobody can be authenticated without [[keys]] to check tokens with"
                .into(),
        ),
        (
            "[[rules]]\npattern = '/a'\nallow = 'all'",
            "F:3: rule 1: allow: must be \"anyone\" or \"authenticated\", got \"all\"".into(),
        ),
        (
            "[[rules]]\npattern = '/a'\nallow = 'anyone'\nclaims = { role = 'admin' }",
            "F:3: rule 1: allow: \"anyone\" and claims contradict each other".into(),
        ),
        (
            "[[rules]]\npattern = '/a'\nclaims = { role = 1.5 }",
            format!("F:3: rule 1: {claims_must}"),
        ),
        (
            "[[rules]]\npattern = '/a'\nclaims = { role = [] }",
            format!("F:3: rule 1: {claims_must}"),
        ),
        ("[[rules]]\npattern = '/a'\nclaims = 'a'", format!("F:3: rule 1: {claims_must}")),
        (
            "[[rules]]\npattern = '/a'\noperations = ['subscribe', 'read']",
            format!("F:3: rule 1: {operations_must}, got \"read\""),
        ),
        (
            "[[rules]]\npattern = '/a'\noperations = []",
            format!("F:3: rule 1: {operations_must}, got a list"),
        ),
        (
            "[[rules]]\npattern = '/a'\n[[rules]]\npatern = '/b'",
            "F:4: rule 2: patern: unknown key; did you mean pattern?".into(),
        ),
        ("[[keys]]\nalgorithm = 'HS256'", "F:1: key 1: has no file".into()),
        (
            "[[keys]]\nfile = '/nowhere'\nalgorithm = 'none'",
            "F:3: key 1: algorithm: must be one of \"HS256\", \"RS256\", \"ES256\", \"EdDSA\", got \
             \"none\""
                .into(),
        ),
        (
            "[[keys]]\nfile = '/nowhere'\nalgorithm = 'HS256'",
            "F:2: key 1: file: cannot read /nowhere: No such file or directory (os error 2)".into(),
        ),
        (
            concat!("[[keys]]\nalgorithm = 'RS256'\nfile = '", secret_file!(), "'"),
            "F:3: key 1: file: the file has no public RSA key in PEM".into(),
        ),
        (
            concat!("[[keys]]\nfile = '", secret_file!(), "'"),
            "F:2: key 1: file: the file has no JSON Web Key Set; for a single key, say its algorithm"
                .into(),
        ),
        (publisher, "F:2: publisher 1: file: without [[rules]] everybody may publish".into()),
        ("access.requireToken = true", "F:1: access.requireToken: needs [[keys]] to check tokens with".into()),
        (
            "access.cookie = 'a'\nserver.allow-origin = '*'",
            "F:1: access.cookie: with allow-origin * every page could act for whoever visits it; name \
             the origins"
                .into(),
        ),
    ];

    for (text, expected) in table {
        assert_eq!(toml(text).mistake(), expected, "{text}");
    }
    let claimed = format!("{rule}{publisher}pattern = '/{{sub}}'\n");
    assert!(
        toml(&claimed)
            .mistake()
            .ends_with("a publisher has no claims")
    );
    let all = format!(
        "{key}{rule}{publisher}[[rules]]\npattern = '/users/{{sub}}/**'\n\
         claims = {{ role = ['a', 7, true], realm = {{ roles = 'x' }} }}\n"
    );
    let settings = toml(&all).settings();
    assert!(
        !format!("{settings:?}").contains("thirty-two"),
        "no secret in a trace"
    );
}
