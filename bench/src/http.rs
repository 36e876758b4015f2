//! As much of HTTP/1.1 as long-polling needs: one request at a time on a connection that stays.

use std::borrow::Cow;

use crate::Failure;

/// The request with Bayeux messages.
pub(crate) fn post(host: &str, path: &str, cookie: Option<&str>, body: &str) -> String {
    let length = body.len();
    let cookie = cookie_line(cookie);
    format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\n{cookie}Content-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

/// The line of a request that gives back the cookie, if there is one.
pub(crate) fn cookie_line(cookie: Option<&str>) -> String {
    cookie.map_or_else(String::new, |cookie| format!("Cookie: {cookie}\r\n"))
}

/// The head of a message, if it is whole, with the blank line.
pub(crate) fn head(bytes: &[u8]) -> Option<&str> {
    let end = memchr::memmem::find(bytes, b"\r\n\r\n")? + 4;
    std::str::from_utf8(bytes.get(..end)?).ok()
}

/// A whole response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response<'a> {
    pub(crate) body: Cow<'a, [u8]>,
    /// What it wants to be given back: `name=value`.
    pub(crate) cookie: Option<&'a str>,
    /// How many bytes it takes.
    pub(crate) size: usize,
}

/// The first response of a buffer, if it is whole.
pub(crate) fn response(bytes: &[u8]) -> Result<Option<Response<'_>>, Failure> {
    let Some(head) = head(bytes) else {
        return Ok(None);
    };
    if !head.starts_with("HTTP/1.1 200") {
        return Err(format!("refused: {head}").into());
    }
    if header(head, "connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
        return Err("the server closes after a response".into());
    }
    let rest = bytes.get(head.len()..).unwrap_or_default();
    let found = match header(head, "content-length") {
        Some(length) => rest
            .get(..length.parse()?)
            .map(|body| (body.into(), body.len())),
        None if header(head, "transfer-encoding") == Some("chunked") => {
            chunked(rest)?.map(|(body, size)| (body.into(), size))
        }
        None => return Err(format!("a response without a length: {head}").into()),
    };
    Ok(found.map(|(body, size)| Response {
        body,
        cookie: header(head, "set-cookie").and_then(|cookie| cookie.split(';').next()),
        size: head.len() + size,
    }))
}

/// A body in chunks, if it is whole, and how many bytes it takes. Trailers are not known here.
fn chunked(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, Failure> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(line) = memchr::memmem::find(rest, b"\r\n") else {
            return Ok(None);
        };
        let length = std::str::from_utf8(rest.get(..line).unwrap_or_default())?;
        let length = usize::from_str_radix(length.trim(), 16)?;
        let start = line + 2;
        let Some(chunk) = rest.get(start..start + length + 2) else {
            return Ok(None);
        };
        at += start + length + 2;
        if length == 0 {
            return Ok(Some((body, at)));
        }
        body.extend_from_slice(chunk.get(..length).unwrap_or_default());
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_taken_whole_with_its_cookie() {
        let bytes = b"HTTP/1.1 200 OK\r\nset-cookie: a=b; Path=/\r\ncontent-length: 2\r\n\r\n[]";

        assert_eq!(response(&bytes[..bytes.len() - 1]).unwrap(), None);
        let found = response(bytes).unwrap().unwrap();
        assert_eq!((&*found.body, found.size), (&b"[]"[..], bytes.len()));
        assert_eq!(found.cookie, Some("a=b"));
    }

    #[test]
    fn a_response_in_chunks_is_put_together() {
        let bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\nA\r\n123456789]\r\n0\r\n\r\nHTTP";

        for cut in 0..bytes.len() - 4 {
            assert_eq!(response(&bytes[..cut]).unwrap(), None, "{cut}");
        }
        let found = response(bytes).unwrap().unwrap();
        assert_eq!(&*found.body, b"[123456789]");
        assert_eq!(found.size, bytes.len() - 4);
    }
}
