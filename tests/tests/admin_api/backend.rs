//! A backend, which keeps its connection.

use bayeux_tests::live::{HttpConnection, Poller, Response, Server, Settings, WebSocket};
use serde_json::{Value, json};

/// The key of all servers here.
pub(crate) const KEY: &str = "a-key-that-nobody-has-guessed";

pub(crate) const JSON: (&str, &str) = ("Content-Type", "application/json");

pub(crate) struct Backend {
    connection: HttpConnection,
}

/// The settings of a server with an API that is open to [`KEY`].
pub(crate) fn settings() -> Settings {
    Settings::default().shards(2).admin().admin_key(KEY)
}

/// The header that shows `key`.
pub(crate) fn bearer(key: &str) -> (&'static str, String) {
    ("Authorization", format!("Bearer {key}"))
}

impl Backend {
    pub(crate) fn of(server: &Server) -> Self {
        let connection = HttpConnection::open(server.admin_address());
        Self { connection }
    }

    /// Asks with the key.
    #[track_caller]
    pub(crate) fn ask(&mut self, method: &str, path: &str, body: &str) -> Response {
        let (name, value) = bearer(KEY);
        let headers = [(name, value.as_str()), JSON];
        let headers = if method == "POST" {
            &headers[..]
        } else {
            &headers[..1]
        };
        self.connection.request(method, path, headers, body)
    }

    /// The answer to a POST, which is not refused.
    #[track_caller]
    pub(crate) fn post(&mut self, path: &str, body: &Value) -> Value {
        self.post_text(path, &body.to_string())
    }

    #[track_caller]
    pub(crate) fn post_text(&mut self, path: &str, body: &str) -> Value {
        done(&self.ask("POST", &format!("/api/v1/{path}"), body))
    }

    /// The answer to a GET, which is not refused.
    #[track_caller]
    pub(crate) fn get(&mut self, path: &str) -> Value {
        done(&self.ask("GET", &format!("/api/v1/{path}"), ""))
    }

    /// Status and code of the refusal of a POST.
    #[track_caller]
    pub(crate) fn refused(&mut self, path: &str, body: &Value) -> (u16, String) {
        refusal(&self.ask("POST", &format!("/api/v1/{path}"), &body.to_string()))
    }

    /// Every item of a list, page by page.
    #[track_caller]
    pub(crate) fn pages(&mut self, path: &str, items: &str, limit: usize) -> Vec<Vec<Value>> {
        let mut pages = Vec::new();
        let mut next = String::new();
        loop {
            let mark = if path.contains('?') { '&' } else { '?' };
            let page = self.get(&format!("{path}{mark}limit={limit}{next}"));
            pages.push(page[items].as_array().expect("a list").clone());
            match page["next"].as_str() {
                Some(place) => next = format!("&next={place}"),
                None => return pages,
            }
        }
    }
}

#[track_caller]
fn done(response: &Response) -> Value {
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.header("Content-Type"), Some("application/json"));
    assert_eq!(response.header("Cache-Control"), Some("no-store"));
    serde_json::from_str(response.text()).expect("JSON")
}

/// The status of a refusal and its code.
#[track_caller]
pub(crate) fn refusal(response: &Response) -> (u16, String) {
    let body: Value = serde_json::from_str(response.text()).expect("JSON");
    let text = body["error"]["text"].as_str().unwrap_or_default();
    assert!(!text.is_empty(), "it says why: {body}");
    let code = body["error"]["code"].as_str().unwrap_or_default();
    (response.status, code.into())
}

/// A client on a websocket, subscribed, and its `clientId`.
#[track_caller]
pub(crate) fn listener(server: &Server, channels: &[&str]) -> (WebSocket, String) {
    let mut socket = WebSocket::open(server.address(), Server::PATH, &[]);
    socket.send(&json!([{
        "channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["websocket"]
    }]));
    let session = socket.messages()[0]["clientId"]
        .as_str()
        .expect("a clientId")
        .to_owned();
    let subscribe = json!([{
        "channel": "/meta/subscribe", "clientId": session, "subscription": channels
    }]);
    socket.send(&subscribe);
    assert_eq!(socket.messages()[0]["successful"], true);
    let connect = json!([{
        "channel": "/meta/connect", "clientId": session, "connectionType": "websocket",
        "advice": {"timeout": 0}
    }]);
    socket.send(&connect);
    assert_eq!(socket.messages()[0]["successful"], true);
    (socket, session)
}

/// A client that polls, subscribed.
#[track_caller]
pub(crate) fn poller(server: &Server, channel: &str) -> Poller {
    let mut poller = Poller::connected(server.address());
    let subscribe = poller.subscribe(channel);
    assert_eq!(poller.post(json!([subscribe]))[0]["successful"], true);
    poller
}

/// The next `count` events, in frames or alone.
#[track_caller]
pub(crate) fn events(socket: &mut WebSocket, count: usize) -> Vec<Value> {
    let mut events = Vec::new();
    while events.len() < count {
        events.extend(socket.messages());
    }
    events
}
