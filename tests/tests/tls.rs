//! TLS, as clients meet it and as an operator runs it.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

use std::fs;
use std::net::SocketAddr;

use bayeux_tests::live::{
    Authority, Client, Extras, Hello, Http2, HttpConnection, Identity, Opcode, Response, Server,
    Settings, Software, Transport, WebSocket, Wire,
};
use rustls::version::{TLS12, TLS13};
use serde_json::{Value, json};

/// A server that speaks TLS, and whom its clients trust.
struct Secured {
    server: Server,
    authority: Authority,
    identity: Identity,
}

impl Secured {
    fn start(settings: Settings) -> Self {
        let authority = Authority::new();
        let identity = authority.issue("server");
        let server = Server::start(&settings.shards(1).tls(&identity));
        Self {
            server,
            authority,
            identity,
        }
    }

    fn address(&self) -> SocketAddr {
        self.server.address()
    }

    fn wire(&self) -> Wire {
        self.authority.connect(self.address(), Hello::default())
    }

    fn http(&self) -> HttpConnection {
        HttpConnection::over(self.wire(), self.address().to_string())
    }

    fn http_2(&self) -> Http2 {
        let hello = Hello {
            protocols: &["h2"],
            ..Hello::default()
        };
        Http2::begin(self.authority.connect(self.address(), hello))
    }

    fn websocket(&self) -> WebSocket {
        WebSocket::over(self.http(), Server::PATH, &[]).0
    }

    fn post(&self, messages: &Value) -> Response {
        post(&mut self.http(), messages)
    }

    /// A session of its own over long-polling, whose first connect was answered.
    fn poller(&self) -> (HttpConnection, String) {
        let mut connection = self.http();
        let session = session(&post(&mut connection, &handshake()).messages());
        let replies = post(&mut connection, &json!([connect(&session)])).messages();
        assert_eq!(replies[0]["successful"], true, "{replies:?}");
        (connection, session)
    }

    fn publish(&self, channel: &str, data: &str) {
        Publisher::new(self).publish(channel, data);
    }
}

/// A session that publishes, over long-polling.
struct Publisher {
    connection: HttpConnection,
    session: String,
}

impl Publisher {
    fn new(secured: &Secured) -> Self {
        let mut connection = secured.http();
        let session = session(&post(&mut connection, &handshake()).messages());
        Self {
            connection,
            session,
        }
    }

    #[track_caller]
    fn publish(&mut self, channel: &str, data: &str) {
        let publish = json!([{"channel": channel, "clientId": self.session, "data": data}]);
        let replies = post(&mut self.connection, &publish).messages();
        assert_eq!(replies[0]["successful"], true, "{replies:?}");
    }
}

fn post(connection: &mut HttpConnection, messages: &Value) -> Response {
    connection.request("POST", Server::PATH, &[], &messages.to_string())
}

fn handshake() -> Value {
    json!([{
        "channel": "/meta/handshake", "version": "1.0",
        "supportedConnectionTypes": ["long-polling", "websocket"]
    }])
}

fn session(replies: &[Value]) -> String {
    let session = replies[0]["clientId"].as_str();
    session.expect("a session").to_owned()
}

fn connect(session: &str) -> Value {
    json!({
        "channel": "/meta/connect", "clientId": session, "connectionType": "long-polling",
        "id": "connect"
    })
}

fn subscribe(session: &str, channel: &str) -> Value {
    json!({"channel": "/meta/subscribe", "clientId": session, "subscription": channel})
}

/// A websocket whose session is subscribed.
fn subscribed(mut socket: WebSocket, channel: &str) -> WebSocket {
    socket.send(&handshake());
    let session = session(&socket.messages());
    socket.send(&json!([subscribe(&session, channel)]));
    assert_eq!(socket.messages()[0]["successful"], true);
    let connect = json!([{
        "channel": "/meta/connect", "clientId": session, "connectionType": "websocket"
    }]);
    socket.send(&connect);
    assert_eq!(socket.messages()[0]["successful"], true);
    socket.send(&connect);
    socket
}

// Proves: BR-2
#[test]
fn a_cookie_that_is_to_be_secure_is_secure_over_tls() {
    let secured = Secured::start(Settings::default().option("browserCookieSecure", true));

    let response = secured.post(&handshake());

    assert_eq!(response.messages()[0]["successful"], true);
    let cookie = response.header("Set-Cookie").unwrap_or_default();
    assert!(cookie.contains("; Secure"), "{cookie}");
    assert!(secured.server.url().starts_with("https://"));
}

// Proves: WS-3, XO-4
#[test]
fn pages_of_the_servers_own_origin_are_served_and_others_are_not() {
    let secured = Secured::start(Settings::default());
    let upgrade = |host: &str| {
        let origin = format!("https://{host}");
        let headers = [
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Origin", &origin),
        ];
        let response = secured.http().request("GET", Server::PATH, &headers, "");
        response.status
    };

    assert_eq!(upgrade(&secured.address().to_string()), 101);
    assert_eq!(upgrade("evil.example"), 403);
    // The same host at the port that is https's own.
    assert_eq!(upgrade("127.0.0.1"), 403);
}

#[test]
fn both_versions_of_tls_are_spoken() {
    let secured = Secured::start(Settings::default());
    for version in [&TLS12, &TLS13] {
        let hello = Hello {
            versions: &[version],
            ..Hello::default()
        };
        let wire = secured.authority.connect(secured.address(), hello);
        let mut connection = HttpConnection::over(wire, secured.address().to_string());

        assert_eq!(post(&mut connection, &handshake()).status, 200);
    }
}

#[test]
fn http_2_is_agreed_upon_where_a_client_knows_it() {
    let secured = Secured::start(Settings::default());
    let protocol = |protocols: &[&str]| {
        let hello = Hello {
            protocols,
            ..Hello::default()
        };
        let wire = secured.authority.connect(secured.address(), hello);
        wire.protocol().map(str::to_owned)
    };

    assert_eq!(protocol(&["http/1.1", "h2"]).as_deref(), Some("h2"));
    assert_eq!(protocol(&["http/1.1"]).as_deref(), Some("http/1.1"));
    assert_eq!(protocol(&[]), None);
}

#[test]
fn a_websocket_over_http_1_gets_events() {
    let secured = Secured::start(Settings::default());
    let mut socket = subscribed(secured.websocket(), "/news");

    secured.publish("/news", "hi");

    socket.expect(&json!([{"channel": "/news", "data": "hi"}]));
}

#[test]
fn what_is_longer_than_a_record_arrives_whole() {
    let secured = Secured::start(Settings::default());
    let mut socket = subscribed(secured.websocket(), "/news");
    let data: String = (0..100_000).map(|number| format!("{number},")).collect();

    secured.publish("/news", &data);

    socket.expect(&json!([{"channel": "/news", "data": data}]));
}

#[test]
fn a_held_connect_is_answered_by_the_event_that_arrives() {
    let secured = Secured::start(Settings::default());
    let (mut connection, session) = secured.poller();
    let replies = post(&mut connection, &json!([subscribe(&session, "/news")])).messages();
    assert_eq!(replies[0]["successful"], true, "{replies:?}");
    let connect = json!([connect(&session)]).to_string();
    connection.send("POST", Server::PATH, &[], &connect);

    secured.publish("/news", "hi");

    let messages = connection.response("POST").messages();
    let event = json!({"channel": "/news", "data": "hi"});
    assert!(messages.contains(&event), "{messages:?}");
}

#[test]
fn requests_are_served_over_http_2() {
    let secured = Secured::start(Settings::default());
    let mut connection = secured.http_2();
    let authority = secured.address().to_string();

    connection.request(
        0,
        1,
        &[
            (":method", "POST"),
            (":scheme", "https"),
            (":path", Server::PATH),
            (":authority", &authority),
        ],
    );
    connection.send(Http2::DATA, 1, 1, handshake().to_string().as_bytes());

    assert_eq!(connection.next(Http2::HEADERS)[0], Http2::OK);
    let replies: Vec<Value> =
        serde_json::from_slice(&connection.next(Http2::DATA)).expect("replies");
    assert_eq!(replies[0]["successful"], true, "{replies:?}");
}

#[test]
fn a_websocket_is_opened_within_an_http_2_connection() {
    let secured = Secured::start(Settings::default());
    let mut connection = secured.http_2();
    let authority = secured.address().to_string();
    let origin = format!("https://{authority}");

    connection.request(
        0,
        1,
        &[
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "https"),
            (":path", Server::PATH),
            (":authority", &authority),
            ("origin", &origin),
            ("sec-websocket-version", "13"),
        ],
    );
    assert_eq!(connection.next(Http2::HEADERS)[0], Http2::OK);
    let text = handshake().to_string();
    let length = u8::try_from(text.len()).expect("a short text");
    // Text in one frame, masked with 0.
    let mut frame = vec![0x81, 0x80 | 126, 0, length, 0, 0, 0, 0];
    frame.extend(text.bytes());
    connection.send(Http2::DATA, 0, 1, &frame);

    let answer = connection.next(Http2::DATA);
    assert_eq!(answer[0], 0x81, "a text");
    let text = String::from_utf8_lossy(&answer);
    assert!(text.contains(r#""successful":true"#), "{text}");
}

#[test]
fn the_listener_for_backends_speaks_it_too_and_nothing_else() {
    const KEY: &str = "a-key-that-nobody-has-guessed";
    let secured = Secured::start(Settings::default().admin().admin_key(KEY));
    let address = secured.server.admin_address();
    let bearer = format!("Bearer {KEY}");
    let headers = [
        ("Authorization", &*bearer),
        ("Content-Type", "application/json"),
    ];
    let mut socket = subscribed(secured.websocket(), "/news");

    let wire = secured.authority.connect(address, Hello::default());
    let mut backend = HttpConnection::over(wire, address.to_string());
    let body = json!({"channel": "/news", "data": 1}).to_string();
    let response = backend.request("POST", "/api/v1/publish", &headers, &body);

    assert_eq!(response.status, 200, "{response:?}");
    socket.expect(&json!([{"channel": "/news", "data": 1}]));
    let mut plain = Wire::open(address);
    plain.send(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let answer = plain.rest();
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[test]
fn a_stalled_handshake_is_cut_off_and_nobody_else_notices() {
    let settings = Settings::default().option("limits.tlsHandshakeTimeout", 300);
    let secured = Secured::start(settings);
    let mut healthy = subscribed(secured.websocket(), "/news");
    // Says nothing; begins and does not go on.
    let mut silent = Wire::open(secured.address());
    let mut halfway = Wire::open(secured.address());
    halfway.send(&[22, 3, 1, 2, 0, 1, 0]);

    assert_eq!((silent.rest().len(), halfway.rest().len()), (0, 0));

    secured.publish("/news", "served");
    healthy.expect(&json!([{"channel": "/news", "data": "served"}]));
}

#[test]
fn who_speaks_no_tls_gets_no_answer_in_clear() {
    let secured = Secured::start(Settings::default());
    let mut healthy = subscribed(secured.websocket(), "/news");
    let mut plain = Wire::open(secured.address());

    plain.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");

    let answer = plain.rest();
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    secured.publish("/news", "served");
    healthy.expect(&json!([{"channel": "/news", "data": "served"}]));
}

// Proves: WS-19
#[test]
fn a_peer_that_reads_nothing_is_cut_off_though_its_last_batch_left_the_engine() {
    // More than the buffers of two sockets.
    const EVENTS: usize = 600;
    let settings = Settings::default()
        .option("limits.writeTimeout", 500)
        .option("limits.maxFrameBytes", 16_384)
        .option("limits.maxQueuedEvents", 1_000_000)
        .option("limits.maxQueuedBytes", 1_000_000_000)
        .option("server.log", "bayeux_server=debug");
    let mut secured = Secured::start(settings);
    let mut silent = subscribed(secured.websocket(), "/news");
    let mut healthy = subscribed(secured.websocket(), "/news");

    let mut publisher = Publisher::new(&secured);
    for _ in 0..EVENTS {
        publisher.publish("/news", &"x".repeat(30_000));
        assert_eq!(healthy.messages().len(), 1, "one event at a time");
    }
    secured
        .server
        .says("a peer took too long: cut off late=Write");

    let mut got = 0;
    while let Some(frame) = silent.frame() {
        got += usize::from(frame.opcode == Opcode::Text);
    }
    assert!(got < EVENTS, "it was sent all of {got}");
}

#[test]
fn at_sighup_new_connections_see_the_new_certificate_and_open_ones_live_on() {
    let mut secured = Secured::start(Settings::default());
    let mut socket = subscribed(secured.websocket(), "/news");
    let (mut poller, session) = secured.poller();
    let replies = post(&mut poller, &json!([subscribe(&session, "/news")])).messages();
    assert_eq!(replies[0]["successful"], true, "{replies:?}");
    let connect = json!([connect(&session)]).to_string();
    poller.send("POST", Server::PATH, &[], &connect);
    let old = secured.identity.clone();
    assert!(old.is_shown_on(&secured.wire()));

    let new = secured.authority.issue("server");
    assert!(
        old.is_shown_on(&secured.wire()),
        "nobody has asked to reload"
    );
    secured.server.signal("HUP");
    // What else it was told came by a pipe, and holds.
    secured
        .server
        .says("the configuration stays as it is: cannot read /dev/stdin again");
    secured
        .server
        .says("reloaded the certificate, and nothing else");

    assert!(new.is_shown_on(&secured.wire()));
    secured.publish("/news", "after");
    let event = json!({"channel": "/news", "data": "after"});
    socket.expect(&json!([event]));
    let messages = poller.response("POST").messages();
    assert!(messages.contains(&event), "{messages:?}");
}

#[test]
fn at_sighup_files_that_are_wrong_are_told_and_the_old_certificate_stays() {
    let mut secured = Secured::start(Settings::default());
    let path = secured.identity.certificate.display().to_string();
    let other = secured.authority.issue("other");
    let whole = fs::read_to_string(&secured.identity.certificate).expect("a certificate");
    let cases: [(&str, Option<String>); 4] = [
        ("holds no certificate in PEM", Some("nonsense".into())),
        ("is not PEM", Some(whole.chars().take(200).collect())),
        (
            "is not the one of the first certificate in",
            fs::read_to_string(&other.certificate).ok(),
        ),
        ("cannot read", None),
    ];
    for (complaint, content) in cases {
        match content {
            Some(content) => fs::write(&secured.identity.certificate, content),
            None => fs::remove_file(&secured.identity.certificate),
        }
        .expect("a file to be changed");

        secured.server.signal("HUP");

        let line = secured.server.says("the certificate stays as it is");
        assert!(line.contains(complaint) && line.contains(&path), "{line}");
        assert!(secured.identity.is_shown_on(&secured.wire()), "{complaint}");
    }
}

#[test]
fn at_sighup_the_file_is_read_again_and_what_cannot_change_is_named() {
    let authority = Authority::new();
    let (first, second) = (authority.issue("first"), authority.issue("second"));
    let file = authority.path("bayeux.toml");
    let write = |identity: &Identity, rest: &str| {
        let Identity {
            certificate, key, ..
        } = identity;
        let text = format!(
            "timeout = 20000\n{rest}\n[server]\ntls-cert = {certificate:?}\ntls-key = {key:?}\n"
        );
        fs::write(&file, text).expect("a file to be written");
    };
    write(&first, "[limits]\nmaxBatch = 10");
    let mut server = Server::start(&Settings::default().config(&file));
    assert!(first.is_shown_on(&authority.connect(server.address(), Hello::default())));

    write(&second, "interval = 5\n[limits]\nmaxBatch = 20");
    server.signal("HUP");
    let line = server.says("not before the next start");
    assert!(line.ends_with("interval, limits.maxBatch"), "{line}");
    server.says("reloaded");
    assert!(second.is_shown_on(&authority.connect(server.address(), Hello::default())));

    // A mistake elsewhere in it leaves everything as it is; the certificate is read again.
    write(&first, "nonsense = 1");
    let third = authority.issue("second");
    server.signal("HUP");
    let line = server.says("the configuration stays as it is");
    assert!(line.contains("bayeux.toml:2: nonsense"), "{line}");
    server.says("reloaded the certificate, and nothing else");
    assert!(third.is_shown_on(&authority.connect(server.address(), Hello::default())));
}

#[test]
fn files_that_are_wrong_end_it_at_its_start_with_their_names() {
    let authority = Authority::new();
    let (one, other) = (authority.issue("one"), authority.issue("other"));
    let broken = authority.path("broken.pem");
    fs::write(&broken, "nonsense").expect("a file to be written");
    let missing = authority.path("missing.pem");
    let cases = [
        (&missing, &one.key, "cannot read {}: No such file"),
        (&one.certificate, &missing, "cannot read {}: No such file"),
        (&broken, &one.key, "{}: holds no certificate in PEM"),
        (&one.certificate, &broken, "{}: holds no private key in PEM"),
        (&one.certificate, &other.key, "the first certificate in"),
    ];
    for (certificate, key, complaint) in cases {
        let [certificate, key] = [certificate, key].map(|path| path.display().to_string());
        let wrong = if *certificate == *one.certificate.display().to_string() {
            &key
        } else {
            &certificate
        };

        let listen = ["--listen", "127.0.0.1:0"];
        let tls = ["--tls-cert", &certificate, "--tls-key", &key];
        let (code, lines) = Server::run(&[&listen[..], &tls].concat(), "").end();

        let line = lines.concat();
        assert_eq!((code, lines.len()), (Some(1), 1), "{line}");
        let complaint = complaint.replace("{}", wrong);
        assert!(line.contains(&complaint), "{complaint}: {line}");
    }
}

/// Handshake, subscribe, publish, receive, disconnect.
fn converses(software: Software, transport: Transport) {
    let secured = Secured::start(Settings::default().option("timeout", 2_000));
    let (url, trusted) = (secured.server.url(), secured.authority.file());
    let client = || {
        let trusting = Extras {
            trusted: Some(trusted.to_path_buf()),
            ..Extras::default()
        };
        let mut client = Client::start_with(software, transport, &url, &trusting);
        client.handshake();
        client.connects_over(transport);
        client
    };
    let (mut alice, mut bob) = (client(), client());

    alice.subscribe("/news/*");
    for number in 1..=100 {
        bob.publish("/news/a", json!(number));
    }
    for number in 1..=100 {
        alice.expect_event("/news/a", number);
    }
    bob.publish("/news/a", json!("x".repeat(6_000)));
    alice.expect_event("/news/a", "x".repeat(6_000));
    alice.disconnect();
}

#[test]
fn cometd_converses_over_websocket() {
    converses(Software::CometD, Transport::WebSocket);
}

#[test]
fn cometd_converses_over_long_polling() {
    converses(Software::CometD, Transport::LongPolling);
}

#[test]
fn faye_converses_over_websocket() {
    converses(Software::Faye, Transport::WebSocket);
}

#[test]
fn faye_converses_over_long_polling() {
    converses(Software::Faye, Transport::LongPolling);
}

#[test]
fn cometd_on_java_converses_over_websocket() {
    converses(Software::CometDOnJava, Transport::WebSocket);
}

#[test]
fn cometd_on_java_converses_over_http_1() {
    converses(Software::CometDOnJava, Transport::LongPolling);
}

#[test]
fn cometd_on_java_converses_over_http_2_that_it_agrees_upon() {
    converses(Software::CometDOnJavaOverHttp2, Transport::LongPolling);
}
