//! Bodies: their types, characters and sizes, and what is no message.

use super::*;

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
