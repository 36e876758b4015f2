//! HTTP/1.1 as a check wants to speak it: every header and every byte chosen.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use crate::check::{Checked, Stop};
use crate::wire::{Source, Wire};

/// A connection, kept alive over several requests.
#[derive(Debug)]
pub struct HttpConnection {
    wire: Wire,
    host: String,
}

/// A request, well-formed or not.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The first word.
    pub method: &'a str,
    /// The second.
    pub path: &'a str,
    /// Headers, in order.
    pub headers: &'a [(&'a str, &'a str)],
    /// What follows the head.
    pub body: &'a [u8],
}

/// An answer as it came.
#[derive(Clone, Debug)]
pub struct Response {
    /// The number in the status line.
    pub status: u16,
    /// All headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body, without chunk marks.
    pub body: Vec<u8>,
}

impl HttpConnection {
    /// Over a connection; `host` is what it says in `Host`.
    pub fn over(wire: Wire, host: impl Into<String>) -> Self {
        Self {
            wire,
            host: host.into(),
        }
    }

    /// Sends a request and waits for the answer.
    ///
    /// # Errors
    ///
    /// If none comes.
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Checked<Response> {
        self.send(method, path, headers, body);
        self.response(method)
    }

    /// Sends a request: `Host` and, where there is a body, `Content-Length` are added unless given.
    pub fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) {
        let request = Request {
            method,
            path,
            headers,
            body,
        };
        self.wire.send(&request.to_bytes(&self.host));
    }

    /// Sends bytes that need not be a request.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.wire.send(bytes);
    }

    /// Waits so long for an answer, from now on.
    pub fn set_patience(&mut self, patience: Duration) {
        self.wire.patience = patience;
    }

    /// Whether nothing comes for so long.
    pub fn is_quiet(&mut self, period: Duration) -> bool {
        self.wire.is_quiet(period)
    }

    /// The answer to a request with that method.
    ///
    /// # Errors
    ///
    /// If none comes, or it is not HTTP.
    pub fn response(&mut self, method: &str) -> Checked<Response> {
        let head = self.wire.until(b"\r\n\r\n")?;
        Response::read(&head, &mut self.wire, method)
    }

    /// Says that nothing more will be sent.
    pub fn finish(&mut self) {
        self.wire.finish();
    }

    /// Whether the server closes the connection now, without a byte.
    pub fn ends(&mut self) -> bool {
        self.wire.rest().is_ok_and(|rest| rest.is_empty())
    }

    /// What is below, after an upgrade.
    pub(crate) fn into_wire(self) -> Wire {
        self.wire
    }
}

impl Request<'_> {
    /// As it goes over the wire: `Host` and, where there is a body, `Content-Length` are added unless given.
    pub fn to_bytes(&self, host: &str) -> Vec<u8> {
        let Self {
            method,
            path,
            headers,
            body,
        } = self;
        let given = headers.iter().map(|(name, _)| name);
        let lacks = |added: &str| !given.clone().any(|given| given.eq_ignore_ascii_case(added));
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if lacks("Host") {
            write!(head, "Host: {host}\r\n").ok();
        }
        if lacks("Content-Length") && lacks("Transfer-Encoding") && *method == "POST" {
            write!(head, "Content-Length: {}\r\n", body.len()).ok();
        }
        for (name, value) in *headers {
            write!(head, "{name}: {value}\r\n").ok();
        }
        [head.as_bytes(), b"\r\n", body].concat()
    }
}

impl Response {
    /// What has that head, which ends in an empty line, and answers a request with that method.
    ///
    /// # Errors
    ///
    /// If it is not HTTP, or its body does not come.
    pub fn read(head: &[u8], source: &mut impl Source, method: &str) -> Checked<Self> {
        let head = String::from_utf8_lossy(head);
        let mut lines = head.trim_end().split("\r\n");
        let status_line = lines.next().unwrap_or_default();
        let status = status_line
            .strip_prefix("HTTP/1.")
            .and_then(|rest| rest.get(2..5)?.parse().ok())
            .ok_or_else(|| Stop::failed(format!("not a status line: {status_line:?}")))?;
        let mut headers = Vec::new();
        for line in lines {
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| Stop::failed(format!("not a header: {line:?}")))?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let mut response = Self {
            status,
            headers,
            body: Vec::new(),
        };
        if method != "HEAD" && !matches!(status, 101 | 204 | 304) {
            response.body = response.body_from(source)?;
        }
        Ok(response)
    }

    fn body_from(&self, source: &mut impl Source) -> Checked<Vec<u8>> {
        if let Some(length) = self.header("Content-Length") {
            let length = length
                .parse()
                .map_err(|_| Stop::failed(format!("a Content-Length of {length:?}")))?;
            return Ok(source.exactly(length)?);
        }
        let coding = self.header("Transfer-Encoding").unwrap_or_default();
        if coding.eq_ignore_ascii_case("chunked") {
            return chunks(source);
        }
        Ok(source.rest()?)
    }

    /// The value of the first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(given, _)| given.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The values of all headers of that name.
    pub fn header_values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(given, _)| given.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as text.
    ///
    /// # Errors
    ///
    /// If it is not UTF-8.
    pub fn text(&self) -> Checked<&str> {
        std::str::from_utf8(&self.body).map_err(|_| Stop::failed("the body is not UTF-8"))
    }

    /// The messages of a successful answer in JSON.
    ///
    /// # Errors
    ///
    /// If it has another status than 200, or its body is no array of messages.
    pub fn messages(&self) -> Checked<Vec<Value>> {
        if self.status != 200 {
            return Err(Stop::failed(format!("status {}, not 200", self.status)));
        }
        messages(self.text()?)
    }

    /// The messages of a successful answer to a request with that `jsonp`.
    ///
    /// # Errors
    ///
    /// As for [`messages`](Self::messages), or if there is no call of that function around the array.
    pub fn callback_messages(&self, function: &str) -> Checked<Vec<Value>> {
        if self.status != 200 {
            return Err(Stop::failed(format!("status {}, not 200", self.status)));
        }
        let text = self.text()?.trim();
        let text = text.strip_prefix("/**/").unwrap_or(text);
        let text = text.strip_suffix(';').unwrap_or(text);
        text.strip_prefix(function)
            .and_then(|call| call.strip_prefix('(')?.strip_suffix(')'))
            .ok_or_else(|| Stop::failed(format!("no call of {function} but {text:?}")))
            .and_then(messages)
    }

    /// The value of a cookie that is set.
    pub fn set_cookie(&self) -> Option<&str> {
        let cookie = self.header("Set-Cookie")?;
        cookie.split(';').next()
    }
}

/// A body in chunks, without their marks.
fn chunks(source: &mut impl Source) -> Checked<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = source.until(b"\r\n")?;
        let line = String::from_utf8_lossy(&line);
        let size = usize::from_str_radix(line.trim(), 16)
            .map_err(|_| Stop::failed(format!("not the size of a chunk: {line:?}")))?;
        let mut chunk = source.exactly(size.saturating_add(2))?;
        chunk.truncate(size);
        if chunk.is_empty() {
            return Ok(body);
        }
        body.append(&mut chunk);
    }
}

/// The messages of a frame.
///
/// # Errors
///
/// If it is no array of objects.
pub(crate) fn messages(text: &str) -> Checked<Vec<Value>> {
    match serde_json::from_str(text) {
        Ok(Value::Array(messages)) if messages.iter().all(Value::is_object) => Ok(messages),
        _ => Err(Stop::failed(format!("no array of messages but {text:?}"))),
    }
}
