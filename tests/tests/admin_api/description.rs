//! The server does what its description says, to the last error.

use bayeux_tests::live::{HttpConnection, Response, Server};
use serde_json::{Value, json};

use crate::backend::{Backend, JSON, KEY, bearer, listener, settings};
use crate::schema::{Description, Operation};

/// Nobody's.
const UNKNOWN: &str = r#"{"clientId":"0000000000000000000000000","channel":"/a","data":1}"#;

/// What comes with a server that has stopped or lost its store, which a healthy one cannot be made to say: a test of
/// the server's own has it.
const UNAVAILABLE: u16 = 503;

fn description(server: &Server) -> Description {
    let mut connection = HttpConnection::open(server.admin_address());
    let response = connection.request("GET", "/api/v1/openapi.json", &[], "");
    assert_eq!(response.status, 200);
    Description(serde_json::from_str(response.text()).expect("JSON"))
}

/// A request that is answered with that status.
struct Request {
    query: &'static str,
    headers: Vec<(&'static str, String)>,
    body: String,
}

/// A body that `operation` takes.
fn good_body(operation: &Operation<'_>, session: &str) -> Value {
    match operation.path.trim_start_matches("/api/v1/") {
        "publish" => json!({"channel": "/a", "data": {"n": 1}, "ext": {"e": 1}}),
        "publish/batch" => json!([{"channel": "/a", "data": 1}, {"channel": "/*", "data": 2}]),
        "deliver" => json!({"clientId": session, "channel": "/a", "data": null}),
        "disconnect" | "inspect" | "subscriptions" => json!({"clientId": session}),
        _ => Value::Null,
    }
}

fn request(operation: &Operation<'_>, status: u16, session: &str) -> Request {
    let is_get = operation.method == "GET";
    let mut request = Request {
        query: "",
        headers: Vec::new(),
        body: String::new(),
    };
    if operation.wants_key() && status != 401 {
        request.headers.push(bearer(KEY));
    }
    if !is_get {
        request.body = good_body(operation, session).to_string();
    }
    if operation.path.ends_with("/subscribers") {
        request.query = "?channel=/a";
    }
    if !is_get && status != 415 {
        request.headers.push((JSON.0, JSON.1.into()));
    }
    match status {
        200 | 401 | 415 => {}
        400 if is_get => request.query = "?limit=0",
        400 => request.body = "{".into(),
        403 => request.headers.push(("Origin", "http://a.example".into())),
        404 => {
            let members = ["clientId", "channel", "data"];
            let mut body: Value = serde_json::from_str(UNKNOWN).expect("JSON");
            let taken = good_body(operation, session);
            for name in members.iter().filter(|name| taken[**name].is_null()) {
                let body = body.as_object_mut().expect("an object");
                if !(operation.path.ends_with("deliver") && *name == "data") {
                    body.remove(*name);
                }
            }
            request.body = body.to_string();
        }
        408 => request.headers.push(("Content-Length", "100000".into())),
        413 => request.body = " ".repeat(200_001),
        _ => panic!("nobody knows how to be answered with {status}"),
    }
    request
}

fn ask(server: &Server, operation: &Operation<'_>, request: &Request) -> Response {
    let headers: Vec<_> = request
        .headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let path = format!("{}{}", operation.path, request.query);
    let mut connection = HttpConnection::open(server.admin_address());
    connection.request(&operation.method, &path, &headers, &request.body)
}

#[test]
fn every_answer_that_is_described_is_given_and_looks_as_described() {
    let settings = settings()
        .option("maxMessageSize", 200_000)
        .option("limits.bodyTimeout", 300);
    let server = Server::start(&settings);
    let description = description(&server);
    let mut answers = 0;

    for operation in description.operations() {
        for status in operation.statuses() {
            if status == UNAVAILABLE {
                continue;
            }
            let (_socket, session) = listener(&server, &["/a", "/b/*"]);
            let request = request(&operation, status, &session);
            let response = ask(&server, &operation, &request);

            let at = format!("{} {}", operation.method, operation.path);
            assert_eq!(response.status, status, "{at}: {}", response.text());
            let body = serde_json::from_str(response.text()).expect("JSON");
            let header = |name: &str| response.header(name).map(String::from);
            operation.check(status, header, &body);
            answers += 1;
        }
    }
    assert!(answers >= 60, "{answers} answers were looked at");
}

#[test]
fn the_lists_look_as_described_when_there_is_something_in_them() {
    let server = Server::start(&settings());
    let description = description(&server);
    let _crowd: Vec<_> = (0..5).map(|_| listener(&server, &["/a", "/b/*"])).collect();
    let mut backend = Backend::of(&server);

    for (path, items) in [
        ("/api/v1/sessions", "sessions"),
        ("/api/v1/channels", "channels"),
        ("/api/v1/subscribers", "sessions"),
    ] {
        let mut operations = description.operations();
        let operation = operations.find(|operation| operation.path == path);
        let operation = operation.expect("it is described");
        let query = if path.ends_with("subscribers") {
            "?channel=/a&limit=1"
        } else {
            "?limit=1"
        };
        let response = backend.ask("GET", &format!("{path}{query}"), "");
        let body: Value = serde_json::from_str(response.text()).expect("JSON");
        assert_eq!(body[items].as_array().map(Vec::len), Some(1), "{body}");
        assert!(body["next"].is_string(), "{body}");
        operation.check(200, |_| None, &body);
    }
}

#[test]
#[should_panic(expected = "a.b[1] breaks minimum 0: -1")]
fn a_value_that_is_not_as_described_is_found() {
    let schema = json!({"type": "object", "properties": {
        "b": {"type": "array", "items": {"type": "integer", "minimum": 0}}
    }});
    Description(json!({})).check(&schema, &json!({"b": [1, -1]}), "a");
}
