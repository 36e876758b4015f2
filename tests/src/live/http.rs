//! HTTP/1.1 as a test wants to speak it: every header and every byte chosen, and the answer unread by any library.

use std::fmt::Write as _;
use std::net::SocketAddr;

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
pub struct Response {
    /// The number in the status line.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// The body, without chunk marks.
    pub body: Vec<u8>,
}

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
        let given = |name: &str| {
            headers
                .iter()
                .any(|(given, _)| given.eq_ignore_ascii_case(name))
        };
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !given("Host") {
            write!(head, "Host: {}\r\n", self.host).ok();
        }
        if !given("Content-Length") && !given("Transfer-Encoding") && method == "POST" {
            write!(head, "Content-Length: {}\r\n", body.len()).ok();
        }
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").ok();
        }
        self.send_raw(&[head.as_bytes(), b"\r\n", body.as_bytes()].concat());
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
        let head = String::from_utf8(head).expect("a head in ASCII");
        let mut lines = head.trim_end().split("\r\n");
        let status_line = lines.next().unwrap_or_default();
        let status = status_line
            .strip_prefix("HTTP/1.")
            .and_then(|rest| rest.get(2..5)?.parse().ok())
            .unwrap_or_else(|| panic!("not a status line: {status_line:?}"));
        let headers = lines
            .map(|line| match line.split_once(':') {
                Some((name, value)) => (name.to_owned(), value.trim().to_owned()),
                None => panic!("not a header: {line:?}"),
            })
            .collect();
        let mut response = Response {
            status,
            headers,
            body: Vec::new(),
        };
        let empty = method == "HEAD" || matches!(status, 101 | 204 | 304);
        if !empty {
            response.body = self.body(&response);
        }
        Some(response)
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

    fn body(&mut self, response: &Response) -> Vec<u8> {
        if let Some(length) = response.header("Content-Length") {
            let length = length.parse().expect("a Content-Length in digits");
            return self
                .wire
                .exactly(length)
                .expect("a body as long as its Content-Length");
        }
        if response
            .header("Transfer-Encoding")
            .is_some_and(|coding| coding == "chunked")
        {
            return self.chunks();
        }
        self.wire.rest()
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = self.wire.until(b"\r\n").expect("the size of a chunk");
            let size = String::from_utf8_lossy(&line);
            let size = usize::from_str_radix(size.trim(), 16).expect("a size in hexadecimal");
            let mut chunk = self.wire.exactly(size + 2).expect("a whole chunk");
            chunk.truncate(size);
            if chunk.is_empty() {
                return body;
            }
            body.append(&mut chunk);
        }
    }
}

impl Response {
    /// All headers, in order.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The value of that header, if it is there exactly once.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.header_values(name);
        let value = values.next();
        assert!(
            values.next().is_none(),
            "{name} stands twice: {:?}",
            self.headers
        );
        value
    }

    /// The values of all headers of that name.
    pub fn header_values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(given, _)| given.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body in UTF-8")
    }

    /// The array of messages in a successful answer.
    #[track_caller]
    pub fn messages(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{self:?}");
        serde_json::from_str(self.text()).expect("a JSON array")
    }
}

/// The text as it may stand in a query or a form.
#[must_use]
pub fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
