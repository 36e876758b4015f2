//! Whatever the server refuses, and whomever it cuts off, is counted under its reason, and under no other.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

use std::any::Any;
use std::collections::BTreeMap;

use bayeux_tests::live::{
    Authority, Deadline, Hello, HttpConnection, Poller, Server, Settings, WebSocket, Wire,
};
use serde_json::json;

/// What a peer does, and what that is counted as.
struct Case {
    /// The metric, and the reason among its labels.
    counted: (&'static str, &'static str),
    /// With limits at which it is soon enough.
    settings: fn(Settings) -> Settings,
    /// What the peer does; it gives what must stay until it is counted.
    provoke: fn(&mut Server) -> Box<dyn Any>,
}

const REFUSED: &str = "bayeux_refused_total";
const CUT_OFF: &str = "bayeux_cut_off_total";

/// What no peer can bring about from here: the server reads no frame before it is asked for, and loopback
/// is exempt from limits per address.
const NOT_FROM_HERE: [(&str, &str); 2] =
    [(REFUSED, "frame_unasked"), (REFUSED, "sockets_per_address")];

/// So short that it passes at once.
const SHORT: u64 = 300;

/// So long that the test itself shakes hands in time.
const PATIENT: u64 = 3_000;

/// How HTTP/2 begins: its preface, and settings.
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

const CASES: &[Case] = &[
    refused("body_broken", as_is, |server| {
        // A chunk has its size before it.
        let head = "POST /bayeux HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        raw(server, &format!("{head}no size\r\n"))
    }),
    refused(
        "channels",
        |settings| settings.option("limits.maxChannels", 2),
        |server| {
            let mut poller = Poller::connected(server.address());
            for channel in ["/a", "/b", "/c"] {
                poller.post(json!([poller.subscribe(channel)]));
            }
            Box::new(())
        },
    ),
    refused(
        "connections",
        |settings| settings.option("limits.maxConnections", 1),
        |server| {
            let poller = Poller::connected(server.address());
            // Two are held at a time, by sessions of their own.
            let other = Poller::connected(server.address());
            let _held = poller.hold();
            let mut second = HttpConnection::open(server.address());
            let connect = json!([other.connect()]).to_string();
            second.send("POST", Server::PATH, &[], &connect);
            second.response("POST");
            Box::new(())
        },
    ),
    refused("frame", as_is, |server| {
        let mut socket = WebSocket::open(server.address(), Server::PATH, &[]);
        // Of an opcode that there is not.
        socket.send_raw(&[0x83, 0x80, 0, 0, 0, 0]);
        Box::new(socket)
    }),
    refused("frame", as_is, |server| {
        let mut socket = WebSocket::open(server.address(), Server::PATH, &[]);
        // A text that is not UTF-8.
        socket.send_raw(&[0x81, 0x81, 0, 0, 0, 0, 0xFF]);
        Box::new(socket)
    }),
    refused("frame", as_is, |server| {
        let mut socket = WebSocket::open(server.address(), Server::PATH, &[]);
        // Bytes.
        socket.send_raw(&[0x82, 0x81, 0, 0, 0, 0, b' ']);
        Box::new(socket)
    }),
    refused(
        "handshakes",
        |settings| settings.option("limits.maxSessions", 1),
        |server| {
            Poller::connected(server.address());
            Poller::greet(server.address(), &[]);
            Box::new(())
        },
    ),
    refused("head_too_large", as_is, |server| {
        let header = "x".repeat(1_000_000);
        raw(
            server,
            &format!("GET / HTTP/1.1\r\nHost: a\r\nA: {header}\r\n\r\n"),
        )
    }),
    refused("host", as_is, |server| {
        raw(server, "GET / HTTP/1.1\r\n\r\n")
    }),
    refused("http2", as_is, |server| {
        let mut wire = Wire::open(server.address());
        // A header that continues none.
        wire.send(&[HTTP2, b"\0\0\0\x09\x04\0\0\0\x01"].concat());
        Box::new(wire)
    }),
    refused("key", as_is, |server| {
        let mut backend = HttpConnection::open(server.admin_address());
        let headers = [("Authorization", "Bearer not-the-key")];
        backend.request("GET", "/api/v1/counters", &headers, "");
        Box::new(())
    }),
    refused(
        "not_accepted",
        |settings| settings.descriptors(64),
        |server| {
            let peers: Vec<_> = (0..200).map(|_| Wire::open(server.address())).collect();
            server.says("no connections are taken for a while");
            // Or nobody could ask for the counts.
            drop(peers);
            Box::new(())
        },
    ),
    refused("not_http", as_is, |server| raw(server, "HELO a\r\n\r\n")),
    // A handshake of TLS.
    refused("not_http", as_is, |server| {
        raw(server, "\x16\x03\x01\x02\0\x01\0")
    }),
    refused("not_messages", as_is, |server| post(server, "no JSON")),
    refused("origin", as_is, |server| {
        let mut page = HttpConnection::open(server.address());
        page.request("POST", Server::PATH, &[("Origin", "http://b")], "[]");
        Box::new(())
    }),
    refused("request", as_is, |server| {
        HttpConnection::open(server.address()).request("PATCH", Server::PATH, &[], "");
        Box::new(())
    }),
    refused(
        "sockets",
        |settings| settings.option("limits.maxSockets", 1),
        |server| {
            let mut first = HttpConnection::open(server.address());
            first.request("GET", "/", &[], "");
            HttpConnection::open(server.address()).expect_end();
            Box::new(first)
        },
    ),
    refused(
        "subscriptions",
        |settings| settings.option("limits.maxSubscriptions", 1),
        |server| {
            let mut poller = Poller::connected(server.address());
            for channel in ["/a", "/b"] {
                poller.post(json!([poller.subscribe(channel)]));
            }
            Box::new(())
        },
    ),
    refused("tls_handshake", over_tls, |server| {
        let mut wire = Wire::open(server.address());
        wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        Box::new(wire)
    }),
    refused(
        "too_deep",
        |settings| settings.option("limits.maxDepth", 4),
        |server| post(server, "[{\"data\":[[[[[[]]]]]]}]"),
    ),
    refused(
        "too_large",
        |settings| settings.option("limits.maxMessageSize", 1024),
        |server| post(server, &" ".repeat(2000)),
    ),
    refused(
        "too_large",
        |settings| settings.option("limits.maxMessageSize", 1024),
        |server| {
            let mut socket = WebSocket::open(server.address(), Server::PATH, &[]);
            socket.send_text(&" ".repeat(2000));
            Box::new(socket)
        },
    ),
    refused(
        "too_many_messages",
        |settings| settings.option("limits.maxBatch", 1),
        |server| post(server, "[{},{}]"),
    ),
    cut_off(
        "body",
        |settings| settings.option("limits.bodyTimeout", SHORT),
        |server| {
            raw(
                server,
                "POST /bayeux HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n",
            )
        },
    ),
    cut_off(
        "head",
        |settings| settings.option("limits.headerTimeout", SHORT),
        |server| raw(server, "GET / HTTP/1.1\r\n"),
    ),
    cut_off(
        "idle_connection",
        |settings| {
            settings
                .option("limits.keepAliveTimeout", SHORT)
                .option("timeout", 1)
        },
        |server| {
            let mut connection = HttpConnection::open(server.address());
            connection.request("GET", "/", &[], "");
            Box::new(connection)
        },
    ),
    cut_off(
        "idle_websocket",
        |settings| {
            settings
                .option("ws.idleTimeout", SHORT)
                .option("timeout", 1)
        },
        |server| Box::new(WebSocket::open(server.address(), Server::PATH, &[])),
    ),
    cut_off(
        "message",
        |settings| settings.option("limits.messageTimeout", SHORT),
        |server| {
            let mut socket = WebSocket::open(server.address(), Server::PATH, &[]);
            socket.send_raw(&[0x81, 0x80 | 100]);
            Box::new(socket)
        },
    ),
    cut_off(
        "tls_handshake",
        |settings| over_tls(settings).option("limits.tlsHandshakeTimeout", PATIENT),
        |server| Box::new(Wire::open(server.address())),
    ),
    cut_off(
        "write",
        |settings| {
            settings
                .option("limits.writeTimeout", SHORT)
                .option("limits.maxQueuedBytes", 1 << 30)
        },
        |server| {
            let mut silent = WebSocket::open(server.address(), Server::PATH, &[]);
            silent.send(&json!([{"channel": "/meta/handshake", "version": "1.0"}]));
            let session = silent.messages()[0]["clientId"].clone();
            silent.send(&json!([
                {"channel": "/meta/subscribe", "clientId": session, "subscription": "/flood"},
            ]));
            silent.messages();
            let mut publisher = Poller::connected(server.address());
            // More than the operating system keeps for it.
            let large = "x".repeat(1_000_000);
            for _ in 0..16 {
                publisher.post(json!([publisher.publish("/flood", large.as_str())]));
            }
            Box::new(silent)
        },
    ),
];

#[test]
fn each_refusal_and_each_end_for_want_of_time_is_counted_under_its_reason_alone() {
    for case in CASES {
        let settings = Settings::default().shards(1).admin();
        let settings = settings.admin_key("a-key-that-nobody-has-guessed");
        let mut server = Server::start(&(case.settings)(settings));
        let before = counts(&server);
        assert_eq!(before.values().sum::<u64>(), 0, "{before:?}");

        let peers = (case.provoke)(&mut server);

        let deadline = Deadline::usual();
        let risen = loop {
            let mut counts = counts(&server);
            counts.retain(|_, count| *count > 0);
            if !counts.is_empty() {
                break counts;
            }
            assert!(
                deadline.left().is_some(),
                "{:?} is not counted",
                case.counted
            );
        };
        drop(peers);
        let (metric, reason) = case.counted;
        let names: Vec<_> = risen.keys().collect();
        assert_eq!(names, [&(metric.to_owned(), reason.to_owned())]);
    }
}

#[test]
fn there_is_no_reason_that_nothing_here_provokes() {
    let server = Server::start(&Settings::default().shards(1).admin());
    let cases = CASES.iter().map(|case| case.counted);
    let known: BTreeMap<_, _> = cases
        .chain(NOT_FROM_HERE)
        .map(|(metric, reason)| ((metric.to_owned(), reason.to_owned()), 0))
        .collect();

    assert_eq!(counts(&server), known);
}

const fn refused(
    reason: &'static str,
    settings: fn(Settings) -> Settings,
    provoke: fn(&mut Server) -> Box<dyn Any>,
) -> Case {
    Case {
        counted: (REFUSED, reason),
        settings,
        provoke,
    }
}

const fn cut_off(
    reason: &'static str,
    settings: fn(Settings) -> Settings,
    provoke: fn(&mut Server) -> Box<dyn Any>,
) -> Case {
    Case {
        counted: (CUT_OFF, reason),
        settings,
        provoke,
    }
}

fn as_is(settings: Settings) -> Settings {
    settings
}

thread_local! {
    /// Gone with its folder when the thread of the test ends.
    static AUTHORITY: Authority = Authority::new();
}

fn over_tls(settings: Settings) -> Settings {
    settings.tls(&AUTHORITY.with(|authority| authority.issue("server")))
}

/// Sends that, and stays.
fn raw(server: &Server, text: &str) -> Box<dyn Any> {
    let mut wire = Wire::open(server.address());
    wire.send(text.as_bytes());
    Box::new(wire)
}

/// Has that refused as the body of a request.
fn post(server: &Server, body: &str) -> Box<dyn Any> {
    let mut connection = HttpConnection::open(server.address());
    let response = connection.request("POST", Server::PATH, &[], body);
    assert!(response.status >= 400, "{response:?}");
    Box::new(connection)
}

/// What the server has counted, by metric and reason.
fn counts(server: &Server) -> BTreeMap<(String, String), u64> {
    let address = server.admin_address();
    let mut operator = if server.url().starts_with("https") {
        let wire = AUTHORITY.with(|authority| authority.connect(address, Hello::default()));
        HttpConnection::over(wire, address.to_string())
    } else {
        HttpConnection::open(address)
    };
    let text = operator
        .request("GET", "/metrics", &[], "")
        .text()
        .to_owned();
    let counts = text.lines().filter_map(|line| {
        let (metric, rest) = line.split_once("{reason=\"")?;
        let (reason, number) = rest.split_once("\"} ")?;
        let is_asked = [REFUSED, CUT_OFF].contains(&metric);
        let number = number.parse().ok()?;
        is_asked.then(|| ((metric.to_owned(), reason.to_owned()), number))
    });
    counts.collect()
}
