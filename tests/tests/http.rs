//! HTTP as the protocol needs it: routes, methods, bodies, connections, held requests.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

use bayeux_tests::live::{HttpConnection, Poller, Server, Settings, percent};
use serde_json::{Value, json};

const JSON: (&str, &str) = ("Content-Type", "application/json;charset=UTF-8");
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

fn one_shard() -> Server {
    Server::start(&Settings::default().shards(1))
}

fn handshake() -> Value {
    json!({
        "channel": "/meta/handshake", "id": "1", "version": "1.0",
        "supportedConnectionTypes": ["long-polling"]
    })
}

fn ok(channel: &str, id: &str) -> Value {
    json!({"channel": channel, "id": id, "successful": true})
}

// Proves: HT-1, LP-1
#[test]
fn every_path_below_the_base_dispatches_by_content() {
    let server = Server::with_defaults();
    let mut connection = HttpConnection::open(server.address());

    for path in [
        "",
        "/",
        "/handshake",
        "/connect",
        "/disconnect",
        "/subscribe",
        "/a/b.c?d=e",
    ] {
        let path = format!("{}{path}", Server::PATH);
        let response =
            connection.request("POST", &path, &[JSON], &json!([handshake()]).to_string());
        assert_eq!(response.messages()[0]["successful"], true, "{path}");
    }
    let response = connection.request(
        "POST",
        "/elsewhere",
        &[JSON],
        &json!([handshake()]).to_string(),
    );
    assert_eq!(response.status, 404);
}

// Proves: HT-2, DE-19
#[test]
fn other_methods_are_refused() {
    let server = Server::with_defaults();
    let mut connection = HttpConnection::open(server.address());

    for method in ["HEAD", "PUT", "DELETE", "TRACE"] {
        let response = connection.request(method, Server::PATH, &[("Content-Length", "0")], "");
        assert_eq!(response.status, 405, "{method}");
        let allow = response.header("Allow").unwrap_or_default();
        assert!(
            allow.contains("POST") && allow.contains("GET"),
            "{method}: {allow:?}"
        );
    }
    let response = connection.request("GET", "/bayeux", &[], "");
    assert_eq!(response.status, 400);
}

// Proves: HT-3, LP-3
#[test]
fn a_body_is_read_whatever_its_type_says() {
    let server = Server::with_defaults();
    let mut poller = Poller::connected(server.address());
    poller.post(json!([poller.subscribe("/t")]));
    let mut connection = HttpConnection::open(server.address());
    let one = poller.publish("/t", 1);
    let array = json!([poller.publish("/t", "ä+&=%")]);
    let encoded = |message: &Value| format!("message={}", percent(&message.to_string()));
    let text = ("Content-Type", "text/plain");
    let other = ("Content-Type", "text/json");
    let bodies = [
        ("JSON", Some(JSON), array.to_string()),
        ("JSON, one object", Some(JSON), one.to_string()),
        (
            "JSON, with space before",
            Some(JSON),
            format!(" \r\n\t{array}"),
        ),
        ("JSON as text", Some(text), array.to_string()),
        ("JSON as text/json", Some(other), array.to_string()),
        ("JSON without a type", None, array.to_string()),
        ("a form", Some(FORM), encoded(&array)),
        ("a form as text", Some(text), encoded(&one)),
        (
            "a form with two",
            Some(FORM),
            format!("{}&x=y&{}", encoded(&one), encoded(&array)),
        ),
    ];

    for (name, content_type, body) in bodies {
        let headers = content_type.as_slice();
        let replies = connection
            .request("POST", "/bayeux", headers, &body)
            .messages();
        let granted = replies.iter().filter(|reply| **reply == ok("/t", "p"));
        let published = if name == "a form with two" { 2 } else { 1 };
        assert_eq!(granted.count(), published, "{name}: {replies:?}");
        let events = replies.iter().filter(|reply| reply.get("data").is_some());
        assert_eq!(events.count(), published, "{name}: {replies:?}");
    }
}

// Proves: FR-3, FR-4, FR-6, ER-6
#[test]
fn what_is_no_array_of_messages_is_a_bad_request() {
    let server = Server::with_defaults();
    let mut connection = HttpConnection::open(server.address());
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));

    for body in [
        "",
        "[]",
        "42",
        "[1]",
        "[null]",
        "[{}",
        "{\"channel\":1}}",
        "nonsense",
        "\"text\"",
        &deep,
    ] {
        let response = connection.request("POST", Server::PATH, &[JSON], body);
        assert_eq!(response.status, 400, "{body:.40}");
    }
}

// Proves: HT-5, FI-1, RC-8
#[test]
fn an_answer_is_json_that_nobody_stores() {
    let server = Server::with_defaults();
    let mut connection = HttpConnection::open(server.address());

    let response = connection.request("POST", Server::PATH, &[JSON], r#"[{"id":"7"}]"#);

    assert_eq!(response.status, 200);
    assert_eq!(
        response.header("Content-Type"),
        Some("application/json;charset=UTF-8")
    );
    assert_eq!(response.header("Cache-Control"), Some("no-cache, no-store"));
    assert_eq!(response.header("X-Content-Type-Options"), Some("nosniff"));
    assert_eq!(response.header("Access-Control-Allow-Origin"), None);
    assert!(
        response.text().ends_with("}]"),
        "nothing after the array: {:?}",
        response.text()
    );
    assert_eq!(
        Value::from(response.messages()),
        json!([{"id": "7", "successful": false, "error": "400::channel_missing"}])
    );
}

// Proves: HT-4
#[test]
fn the_charset_of_a_request_is_honoured() {
    let server = Server::with_defaults();
    let mut poller = Poller::connected(server.address());
    poller.post(json!([poller.subscribe("/t")]));
    let mut connection = HttpConnection::open(server.address());
    let (before, after) = (r#"[{"channel":"/t","clientId":""#, r#"","data":""#);
    // Alpha, beta, gamma.
    let body = [
        before.as_bytes(),
        poller.session.as_bytes(),
        after.as_bytes(),
        &[0xE1, 0xE2, 0xE3],
        b"\"}]",
    ]
    .concat();
    let head = format!(
        "POST /bayeux HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json; charset=ISO-8859-7\r\n\
         Content-Length: {}\r\n\r\n",
        server.address(),
        body.len()
    );

    connection.send_raw(&[head.as_bytes(), &body].concat());

    let replies = connection.response("POST").messages();
    assert_eq!(
        replies[0],
        json!({"channel": "/t", "data": "αβγ"}),
        "{replies:?}"
    );
}

// Proves: HT-6
#[test]
fn connections_live_as_long_as_the_client_wants() {
    let server = Server::with_defaults();
    let body = json!([handshake()]).to_string();

    let mut kept = HttpConnection::open(server.address());
    for _ in 0..3 {
        kept.request("POST", Server::PATH, &[JSON], &body)
            .messages();
    }

    let mut closed = HttpConnection::open(server.address());
    let close = [JSON, ("Connection", "close")];
    closed
        .request("POST", Server::PATH, &close, &body)
        .messages();
    closed.expect_end();

    let mut old = HttpConnection::open(server.address());
    let length = body.len();
    old.send_raw(
        format!("POST /bayeux HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes(),
    );
    old.response("POST").messages();
    old.expect_end();
}

// Proves: HT-6, LP-1
#[test]
fn a_chunked_request_is_read_as_one() {
    let server = Server::with_defaults();
    let mut connection = HttpConnection::open(server.address());
    let body = json!([handshake()]).to_string();
    let (first, second) = body.split_at(7);

    connection.send(
        "POST",
        Server::PATH,
        &[JSON, ("Transfer-Encoding", "chunked")],
        "",
    );
    for part in [first, second, ""] {
        connection.send_raw(format!("{:x}\r\n{part}\r\n", part.len()).as_bytes());
    }

    assert_eq!(
        connection.response("POST").messages()[0]["successful"],
        true
    );
}

// Proves: FR-6, DE-16
#[test]
fn more_messages_than_the_limit_are_refused() {
    let settings = Settings::default().option("limits.maxBatch", 3);
    let server = Server::start(&settings);

    let mut connection = HttpConnection::open(server.address());
    let response = connection.request("POST", Server::PATH, &[JSON], "[{},{},{},{}]");
    assert_eq!(response.status, 413);
    let two = "message=[{},{}]";
    let body = format!("{two}&{two}");
    let mut connection = HttpConnection::open(server.address());
    assert_eq!(
        connection
            .request("POST", Server::PATH, &[FORM], &body)
            .status,
        413
    );
}

// Proves: FR-6, HT-8
#[test]
fn a_body_beyond_the_limit_is_refused_before_it_is_sent() {
    let server = Server::start(&Settings::default().option("maxMessageSize", 1_024));
    let spaces = " ".repeat(2_000);

    let mut announced = HttpConnection::open(server.address());
    announced.send(
        "POST",
        Server::PATH,
        &[JSON, ("Content-Length", "1025")],
        "",
    );
    assert_eq!(announced.response("POST").status, 413);

    let mut unannounced = HttpConnection::open(server.address());
    unannounced.send(
        "POST",
        Server::PATH,
        &[JSON, ("Transfer-Encoding", "chunked")],
        "",
    );
    unannounced.send_raw(format!("7d0\r\n{spaces}\r\n").as_bytes());
    assert_eq!(unannounced.response("POST").status, 413);

    let mut within = HttpConnection::open(server.address());
    let message = json!([handshake()]).to_string();
    let body = format!("{}{message}", &spaces[message.len()..1_024]);
    assert_eq!(body.len(), 1_024);
    within
        .request("POST", Server::PATH, &[JSON], &body)
        .messages();
}

// Proves: HT-9, PL-3, ER-5
#[test]
fn the_first_message_decides_whose_request_it_is() {
    let server = Server::with_defaults();
    let mut mine = Poller::connected(server.address());
    let other = Poller::connected(server.address());

    let replies = mine.post(json!([mine.publish("/t", 1), other.publish("/t", 2)]));

    let unknown = json!({
        "channel": "/t", "id": "p", "successful": false, "error": "402::session_unknown"
    });
    assert_eq!(replies, [ok("/t", "p"), unknown]);
}

// Proves: HS-7
#[test]
fn a_handshake_comes_first_and_alone() {
    let server = Server::with_defaults();
    let mut poller = Poller::connected(server.address());

    let replies = poller.post(json!([handshake(), poller.publish("/t", 1)]));
    assert_eq!(replies[0]["successful"], true);
    assert_eq!(replies[1]["error"], "402::session_unknown");

    let replies = poller.post(json!([poller.publish("/t", 1), handshake()]));
    assert_eq!(replies[0], ok("/t", "p"));
    assert_eq!(replies[1]["error"], "400::handshake_must_be_first");
    assert_eq!(replies[1].get("clientId"), None);
}

// Proves: AD-2, CN-2, CN-4, CN-7, CN-8, CN-17, DE-10
#[test]
fn the_first_connect_is_answered_at_once_and_the_next_is_held() {
    let server = Server::start(&Settings::default().option("timeout", 400));
    let mut poller = Poller::handshake(server.address(), &[]);
    let advice = json!({"reconnect": "retry", "interval": 0, "timeout": 400});

    let mut first = ok("/meta/connect", "c");
    first["advice"] = advice.clone();
    assert_eq!(poller.post(json!([poller.connect()])), [first.clone()]);
    // It comes without advice: this one ran into the timeout.
    assert_eq!(
        poller.post(json!([poller.connect()])),
        [ok("/meta/connect", "c")]
    );
    assert_eq!(poller.post(json!([poller.connect_now()])), [first]);
}

// Proves: CN-10, ER-4, ER-6
#[test]
fn an_unknown_session_is_told_to_handshake() {
    let server = Server::with_defaults();
    let mut poller = Poller::connected(server.address());
    poller.session = "gone".into();

    let replies = poller.post(json!([poller.connect()]));
    assert_eq!(replies[0]["error"], "402::session_unknown");
    assert_eq!(replies[0]["advice"]["reconnect"], "handshake");
    assert_eq!(replies[0]["advice"]["interval"], 0);
    let replies = poller.post(json!([poller.publish("/t", 1)]));
    assert_eq!(replies[0]["error"], "402::session_unknown");
    assert_eq!(replies[0].get("advice"), None);
}

// Proves: CN-6, RC-1, RC-2, PB-11, FI-5
#[test]
fn an_event_ends_a_hold_and_stands_before_the_reply() {
    let server = Server::with_defaults();
    let mut poller = Poller::connected(server.address());
    let mut publisher = Poller::connected(server.address());
    poller.post(json!([poller.subscribe("/news/*")]));
    let held = poller.hold();

    publisher.post(json!([publisher.publish("/news/a", "hi")]));

    let event = json!({"channel": "/news/a", "data": "hi"});
    assert_eq!(held.answer().messages(), [event, ok("/meta/connect", "c")]);
}

// Proves: QU-2, RC-3, SU-11
#[test]
fn ones_own_events_ride_on_the_answer_and_leave_the_hold_alone() {
    let server = Server::with_defaults();
    let mut poller = Poller::connected(server.address());
    let mut publisher = Poller::connected(server.address());
    let held = poller.hold();

    let replies = poller.post(json!([
        poller.subscribe("/room"),
        poller.publish("/room", 1)
    ]));
    publisher.post(json!([publisher.publish("/room", 2)]));

    let mut subscribed = ok("/meta/subscribe", "s");
    subscribed["subscription"] = "/room".into();
    let event = |data: u8| json!({"channel": "/room", "data": data});
    assert_eq!(replies, [event(1), subscribed, ok("/room", "p")]);
    assert_eq!(
        held.answer().messages(),
        [event(2), ok("/meta/connect", "c")]
    );
}

// Proves: CN-1, CN-9
#[test]
fn a_newer_connect_ends_the_older_one_with_an_error() {
    let server = one_shard();
    let mut poller = Poller::connected(server.address());
    let mut publisher = Poller::connected(server.address());
    poller.post(json!([poller.subscribe("/t")]));

    let older = poller.hold();
    let newer = poller.hold();
    let failed = older.answer();
    publisher.post(json!([publisher.publish("/t", 1)]));

    assert_eq!((failed.status, failed.text()), (500, ""));
    let event = json!({"channel": "/t", "data": 1});
    assert_eq!(newer.answer().messages(), [event, ok("/meta/connect", "c")]);
}

// Proves: CN-9
#[test]
fn the_status_of_an_overtaken_connect_is_an_option() {
    let settings = Settings::default().shards(1);
    let server = Server::start(&settings.option("duplicateMetaConnectHttpResponseCode", 409));
    let poller = Poller::connected(server.address());

    let older = poller.hold();
    let _newer = poller.hold();

    assert_eq!(older.answer().status, 409);
}

// Proves: CN-12, DC-1, DC-2
#[test]
fn a_disconnect_releases_the_hold() {
    let server = one_shard();
    let mut poller = Poller::connected(server.address());
    let held = poller.hold();

    assert_eq!(
        poller.post(json!([poller.disconnect()])),
        [ok("/meta/disconnect", "d")]
    );

    let mut released = ok("/meta/connect", "c");
    released["advice"] = json!({"reconnect": "none"});
    assert_eq!(held.answer().messages(), [released]);
    let replies = poller.post(json!([poller.disconnect()]));
    assert_eq!(replies[0]["error"], "402::session_unknown");
}

// Proves: CN-14, HT-11, QU-9
#[test]
fn an_aborted_hold_loses_nothing() {
    let server = one_shard();
    let mut poller = Poller::connected(server.address());
    let mut publisher = Poller::connected(server.address());
    poller.post(json!([poller.subscribe("/t")]));

    poller.hold().abort();
    publisher.post(json!([publisher.publish("/t", 1)]));

    let event = json!({"channel": "/t", "data": 1});
    assert_eq!(
        poller.post(json!([poller.connect()])),
        [event, ok("/meta/connect", "c")]
    );
}

// Proves: TM-11, DE-7
#[test]
fn at_shutdown_held_connects_are_told_when_to_come_back() {
    let server = one_shard();
    let mut poller = Poller::connected(server.address());
    poller.post(json!([poller.subscribe("/t")]));
    let held = poller.hold();
    // Answered after the connect was read, on the one shard there is.
    poller.post(json!([poller.publish("/other", 1)]));

    server.stop();

    let response = held.answer();
    let reply = &response.messages()[0];
    assert_eq!(
        (&reply["successful"], &reply["advice"]["reconnect"]),
        (&json!(true), &json!("retry"))
    );
    assert!(
        reply["advice"]["interval"].is_u64() && reply["advice"]["timeout"].is_u64(),
        "{reply}"
    );
    assert_eq!(response.header("Connection"), Some("close"));
}

// Proves: HT-12
#[test]
fn http_2_is_spoken_with_prior_knowledge() {
    const SETTINGS: u8 = 4;
    let server = Server::with_defaults();
    let mut wire = bayeux_tests::live::Wire::open(server.address());

    wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    wire.send(&[0, 0, 0, SETTINGS, 0, 0, 0, 0, 0]);

    let frame = wire.exactly(9).expect("a frame");
    assert_eq!(frame[3], SETTINGS, "{frame:?}");
}

// Proves: HT-7
#[test]
fn nothing_is_redirected_or_challenged() {
    let server = Server::with_defaults();
    let paths = ["/", "/bayeux", "/bayeux/", "//bayeux", "/bayeux/../x", "/x"];
    let body = json!([{"channel": "/a", "id": "1", "data": 1}]).to_string();

    for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"] {
        for path in paths {
            let mut connection = HttpConnection::open(server.address());
            let wrong = ("Authorization", "Basic bm9ib2R5Og==");
            let response = connection.request(method, path, &[JSON, wrong], &body);
            let status = response.status;

            assert!(!(300..400).contains(&status), "{method} {path}: {status}");
            assert_ne!(status, 401, "{method} {path}");
            assert_eq!(response.header("Location"), None, "{method} {path}");
            assert_eq!(response.header("WWW-Authenticate"), None, "{method} {path}");
        }
    }
}

// Proves: HT-10, CN-7
#[test]
fn a_hold_outlives_the_deadlines_of_its_connection() {
    let deadlines = ["headerTimeout", "bodyTimeout", "writeTimeout"];
    let settings = deadlines.iter().fold(
        Settings::default().shards(1).option("timeout", 2_500),
        |settings, name| settings.option(&format!("limits.{name}"), 1_000),
    );
    let server = Server::start(&settings);
    let poller = Poller::connected(server.address());

    let answer = poller.hold().answer();

    let reply = &answer.messages()[0];
    assert_eq!(reply["channel"], "/meta/connect");
    assert_eq!(reply["successful"], true, "{answer:?}");
    assert!(reply["advice"].is_null(), "it simply timed out: {reply}");
}

// Proves: LP-5, HT-5
#[test]
fn a_response_is_one_piece_whose_length_is_known() {
    let server = one_shard();
    let mut poller = Poller::connected(server.address());
    poller.post(poller.subscribe("/news"));
    let burst = (0..50).map(|at| poller.publish("/news", format!("event {at}, Zoë")));
    let burst = Value::from_iter(burst);

    let answer = poller.answer(burst);

    assert_eq!(answer.messages().len(), 100, "each event and each reply");
    let length = answer.header("Content-Length").map(str::parse);
    assert_eq!(length, Some(Ok(answer.text().len())));
    assert_eq!(answer.header("Transfer-Encoding"), None);
}

// Proves: XO-4
#[test]
fn a_request_names_one_host() {
    let server = one_shard();
    let body = json!([handshake()]).to_string();
    let table = [
        ("HTTP/1.1", "", 400),
        ("HTTP/1.1", "Host: a\r\n", 200),
        ("HTTP/1.1", "Host: a\r\nHost: a\r\n", 400),
        (
            "HTTP/1.1",
            "Host: a\r\nHost: b\r\nOrigin: http://b\r\n",
            400,
        ),
        ("HTTP/1.0", "", 200),
        ("HTTP/1.0", "Host: a\r\nHost: a\r\n", 400),
    ];

    for (version, headers, status) in table {
        let length = body.len();
        let head = format!(
            "POST /bayeux {version}\r\n{headers}Content-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        let mut connection = HttpConnection::open(server.address());
        connection.send_raw((head + &body).as_bytes());
        let response = connection.response("POST");

        assert_eq!(response.status, status, "{version} {headers:?}");
    }
    let page = HttpConnection::open(server.address()).request(
        "GET",
        "/",
        &[("Host", "a"), ("Host", "b")],
        "",
    );
    assert_eq!(page.status, 400, "for the page too");
}

// Proves: DE-19, HT-6, HT-8, HT-10
#[test]
fn a_head_that_has_begun_is_cut_soon_and_a_connection_at_rest_is_not() {
    let settings = Settings::default().option("limits.headerTimeout", 300);
    let server = Server::start(&settings.shards(1));
    let mut resting = HttpConnection::open(server.address());
    let request = |connection: &mut HttpConnection| {
        connection.request(
            "POST",
            Server::PATH,
            &[JSON],
            &json!([handshake()]).to_string(),
        )
    };
    request(&mut resting);

    // Cut after it, so its time is over too.
    let mut silent = HttpConnection::open(server.address());
    silent.expect_end();
    let mut slow = HttpConnection::open(server.address());
    slow.send_raw(b"POST /bayeux HTTP/1.1\r\nHo");
    slow.expect_end();

    assert_eq!(request(&mut resting).status, 200);
    resting.send_raw(b"PO");
    resting.expect_end();
}

// Proves: HT-6
#[test]
fn a_connection_that_rests_for_ever_is_closed() {
    let settings = Settings::default()
        .shards(1)
        .option("timeout", 100)
        .option("limits.keepAliveTimeout", 100);
    let server = Server::start(&settings);
    let mut connection = HttpConnection::open(server.address());

    let body = json!([handshake()]).to_string();
    connection.request("POST", Server::PATH, &[JSON], &body);

    connection.expect_end();
}
