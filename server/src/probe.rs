//! What those ask who keep a server running: whether it lives, whether it takes clients.

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Method, Request, Response};

use crate::http::{Body, add_header};

const ALIVE: &str = "alive\n";
const READY: &str = "ready\n";

/// The answer to a probe; `None` if `request` is none.
pub(crate) fn respond<B>(request: &Request<B>) -> Option<Response<Body>> {
    let text = match request.uri().path() {
        "/live" => ALIVE,
        "/ready" => READY,
        _ => return None,
    };
    let is_head = request.method() == Method::HEAD;
    if !is_head && request.method() != Method::GET {
        return None;
    }
    let body = if is_head {
        Body::default()
    } else {
        Body::from(Bytes::from_static(text.as_bytes()))
    };
    let mut response = Response::new(body);
    let length = HeaderValue::from(text.len());
    response.headers_mut().insert(CONTENT_LENGTH, length);
    add_header(&mut response, "content-type", "text/plain;charset=UTF-8");
    add_header(&mut response, "cache-control", "no-store");
    Some(response)
}
