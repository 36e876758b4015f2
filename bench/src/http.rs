//! As much of HTTP/1.1 as long-polling needs: one request at a time on a connection that stays.

use crate::Failure;

/// The request with Bayeux messages.
pub(crate) fn post(host: &str, path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

/// The head of a message, if it is whole, with the blank line.
pub(crate) fn head(bytes: &[u8]) -> Option<&str> {
    let end = memchr::memmem::find(bytes, b"\r\n\r\n")? + 4;
    std::str::from_utf8(bytes.get(..end)?).ok()
}

/// The body of a response, if it is whole, and how many bytes there are with the head.
pub(crate) fn response(bytes: &[u8]) -> Result<Option<(&[u8], usize)>, Failure> {
    let Some(head) = head(bytes) else {
        return Ok(None);
    };
    if !head.starts_with("HTTP/1.1 200") {
        return Err(format!("refused: {head}").into());
    }
    let length = header(head, "content-length")
        .ok_or_else(|| format!("a response without a length: {head}"))?
        .parse::<usize>()?;
    if header(head, "connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
        return Err("the server closes after a response".into());
    }
    let size = head.len() + length;
    Ok(bytes.get(head.len()..size).map(|body| (body, size)))
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
    fn a_response_is_taken_whole() {
        let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]";

        assert_eq!(response(&bytes[..39]).unwrap(), None);
        assert_eq!(response(bytes).unwrap(), Some((&b"[]"[..], 40)));
    }
}
