//! HTTP/1.1 as a test wants to speak it: every header and every byte chosen, and the answer unread by any library.

use std::net::SocketAddr;
use std::ops::Deref;

use bayeux_conformance::{Request, Stop};
use serde_json::Value;

use super::Wire;

/// A connection kept alive over several requests.
#[derive(Debug)]
pub struct HttpConnection {
    wire: Wire,
    host: String,
}

/// An answer as it came.
#[derive(Clone, Debug)]
pub struct Response(bayeux_conformance::Response);

impl HttpConnection {
    /// Connects.
    pub fn open(address: SocketAddr) -> Self {
        Self {
            wire: Wire::open(address),
            host: address.to_string(),
        }
    }

    /// Over a connection that is there already.
    pub fn over(wire: Wire, host: impl Into<String>) -> Self {
        Self {
            wire,
            host: host.into(),
        }
    }

    /// Sends a request and waits for the answer.
    #[track_caller]
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        self.send(method, path, headers, body);
        self.response(method)
    }

    /// Sends messages as a page does that loads the answer as a script (callback-polling), and gives those of the
    /// answer.
    #[track_caller]
    pub fn call(&mut self, path: &str, headers: &[(&str, &str)], messages: &Value) -> Vec<Value> {
        let message = percent(&messages.to_string());
        let path = format!("{path}?jsonp=f&message={message}");
        let response = self.request("GET", &path, headers, "");
        assert_eq!(response.status, 200, "{response:?}");
        let called = response.text().strip_prefix("/**/f(");
        let argument = called.and_then(|call| call.trim_end_matches(';').strip_suffix(')'));
        serde_json::from_str(argument.expect("a call")).expect("JSON")
    }

    /// Sends a request: `Host` and, where there is a body, `Content-Length` are added unless given.
    pub fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) {
        let request = Request {
            method,
            path,
            headers,
            body: body.as_bytes(),
        };
        self.send_raw(&request.to_bytes(&self.host));
    }

    /// Sends bytes that need not be a request; false if the server does not take them.
    pub fn send_raw(&mut self, bytes: &[u8]) -> bool {
        self.wire.send(bytes)
    }

    /// Says that nothing more will be sent.
    pub fn finish(&mut self) {
        self.wire.finish();
    }

    /// Waits until the server has read all that was sent.
    #[track_caller]
    pub fn until_taken(&self) {
        self.wire.until_taken();
    }

    /// The answer to a request with that method.
    #[track_caller]
    pub fn response(&mut self, method: &str) -> Response {
        match self.response_or_end(method) {
            Some(response) => response,
            None => panic!("the server closed the connection instead of answering"),
        }
    }

    /// The same; `None` if the server closes the connection without an answer.
    #[track_caller]
    pub fn response_or_end(&mut self, method: &str) -> Option<Response> {
        let head = self.wire.until(b"\r\n\r\n")?;
        let read = bayeux_conformance::Response::read(&head, &mut self.wire, method);
        Some(Response(sound(read)))
    }

    /// Waits until the server closes the connection; whatever it sent before is a failure.
    #[track_caller]
    pub fn expect_end(&mut self) {
        let rest = self.wire.rest();
        assert_eq!(String::from_utf8_lossy(&rest), "", "bytes before the end");
    }

    /// What is below, after an upgrade.
    pub(super) fn into_wire(self) -> Wire {
        self.wire
    }
}

impl Deref for Response {
    type Target = bayeux_conformance::Response;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Response {
    /// All headers, in order.
    pub fn headers(&self) -> &[(String, String)] {
        &self.0.headers
    }

    /// The value of that header, if it is there exactly once.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.header_values(name);
        let value = values.next();
        let twice = values.next().is_some();
        assert!(!twice, "{name} stands twice: {self:?}");
        value
    }

    /// The body as text.
    #[track_caller]
    pub fn text(&self) -> &str {
        sound(self.0.text())
    }

    /// The array of messages in a successful answer.
    #[track_caller]
    pub fn messages(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{self:?}");
        serde_json::from_str(self.text()).expect("a JSON array")
    }
}

/// What the server sent, which is as it has to be.
#[track_caller]
pub(super) fn sound<T>(received: Result<T, Stop>) -> T {
    match received {
        Ok(received) => received,
        Err(Stop::Failed(why) | Stop::NotChecked(why)) => panic!("{why}"),
    }
}

/// The text as it may stand in a query or a form.
#[must_use]
pub fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
