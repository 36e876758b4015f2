//! Backends that are slow, or ask for what is not there, and those beside them.

use bayeux_tests::live::{HttpConnection, Server};
use serde_json::json;

use crate::backend::{Backend, JSON, KEY, bearer, refusal, settings};

/// In milliseconds.
const SHORT: u64 = 300;

#[test]
fn a_slow_backend_is_cut_off_and_one_beside_it_is_served() {
    let settings = settings()
        .option("limits.bodyTimeout", SHORT)
        .option("limits.headerTimeout", SHORT);
    let server = Server::start(&settings);
    let (name, value) = bearer(KEY);
    let mut head = HttpConnection::open(server.admin_address());
    head.send_raw(b"POST /api/v1/publish HTTP/1.1\r\nHost: a\r\nX-Slow: ");
    let mut body = HttpConnection::open(server.admin_address());
    let headers = [(name, value.as_str()), JSON, ("Content-Length", "9")];
    body.send("POST", "/api/v1/publish", &headers, "{");

    let mut backend = Backend::of(&server);
    for n in 1..20 {
        let done = backend.post("publish", &json!({"channel": "/a", "data": n}));
        assert_eq!(done, json!({"position": n}));
    }

    head.expect_end();
    assert_eq!(refusal(&body.response("POST")), (408, "body_late".into()));
    body.expect_end();
    let counters = Backend::of(&server).get("counters");
    assert_eq!(counters["server"]["bodies_late"], 1);
    assert_eq!(counters["server"]["heads_late"], 1);
}

#[test]
fn a_body_may_have_the_largest_size_and_not_a_byte_more() {
    let server = Server::start(&settings().option("maxMessageSize", 1_024));
    let mut backend = Backend::of(&server);
    let sized = |size: usize| {
        let empty = r#"{"channel":"/a","data":""}"#.len();
        format!(
            r#"{{"channel":"/a","data":"{}"}}"#,
            "x".repeat(size - empty)
        )
    };

    assert_eq!(
        backend.post_text("publish", &sized(1_024)),
        json!({"position": 1})
    );
    let response = backend.ask("POST", "/api/v1/publish", &sized(1_025));
    assert_eq!(refusal(&response), (413, "body_too_large".into()));
}

#[test]
fn a_mistake_is_named_with_its_place() {
    let server = Server::start(&settings());
    let mut backend = Backend::of(&server);
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let deep = format!(r#"{{"channel":"/a","data":{deep}}}"#);

    for (body, text) in [
        ("", "EOF while parsing a value at line 1 column 0"),
        ("{", "line 1 column 1"),
        ("[]", "expected an object with channel and data"),
        (r#"{"channel":"/a"}"#, "missing field `data` at line 1"),
        (r#"{"data":1}"#, "missing field `channel`"),
        (r#"{"chanel":"/a","data":1}"#, "unknown field `chanel`"),
        (
            "{\"channel\":\"/a\",\n\"data\":1,\n\"data\":2}",
            "duplicate field `data` at line 3",
        ),
        (
            r#"{"channel":7,"data":1}"#,
            "integer `7`, expected a string",
        ),
        (r#"{"channel":"/a","data":1} x"#, "trailing characters"),
        (
            r#"{"channel":"/a","data":1,"ext":[]}"#,
            "ext: not an object",
        ),
        (r#"{"channel":"/a","data":"\ud800"}"#, "data: not JSON"),
        (&deep, "data: nested too deep"),
    ] {
        let response = backend.ask("POST", "/api/v1/publish", body);
        assert_eq!(refusal(&response), (400, "body_invalid".into()), "{body}");
        assert!(
            response.text().contains(&text.replace('"', "\\\"")),
            "{}",
            response.text()
        );
    }
}

#[test]
fn a_method_that_is_not_there_is_answered_with_those_that_are() {
    let server = Server::start(&settings());
    let mut backend = Backend::of(&server);

    for (method, path, allowed) in [
        ("GET", "/api/v1/publish", "POST"),
        ("DELETE", "/api/v1/publish", "POST"),
        ("PUT", "/api/v1/sessions", "GET, HEAD"),
        ("OPTIONS", "/api/v1/sessions", "GET, HEAD"),
        ("POST", "/metrics", "GET, HEAD"),
        ("DELETE", "/ready", "GET, HEAD"),
    ] {
        let response = backend.ask(method, path, "");
        assert_eq!(refusal(&response), (405, "method_not_allowed".into()));
        assert_eq!(response.header("Allow"), Some(allowed), "{method} {path}");
    }
    let head = backend.ask("HEAD", "/api/v1/counters", "");
    assert_eq!(head.status, 200);
    let length = head.header("Content-Length").map(str::parse::<usize>);
    assert!(matches!(length, Some(Ok(length)) if length > 2), "{head:?}");
}
