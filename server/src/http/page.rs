//! What there is outside of the mounts: a page at `/`, the probes, and nothing else.

use bayeux_core::http::Refusal;
use http::header::{CONTENT_LENGTH, HeaderValue};
use http::{Method, Request, Response};

use super::response::{Body, add_header, refusal};
use crate::page::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use crate::probe;
use crate::site::Site;

/// The page, or that there is none.
pub(super) fn respond<B>(site: &Site, request: &Request<B>) -> Response<Body> {
    if let Some(response) = probe::respond(request) {
        return response;
    }
    let is_head = request.method() == Method::HEAD;
    let is_asked_for = request.uri().path() == "/" && (is_head || request.method() == Method::GET);
    let Some(page) = site.page.as_ref().filter(|_| is_asked_for) else {
        return refusal(Refusal::not_found());
    };
    let length = HeaderValue::from(page.len());
    let body = if is_head {
        Body::default()
    } else {
        Body::from(page.clone())
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_LENGTH, length);
    add_header(&mut response, "content-type", CONTENT_TYPE);
    add_header(
        &mut response,
        "content-security-policy",
        CONTENT_SECURITY_POLICY,
    );
    add_header(&mut response, "x-content-type-options", "nosniff");
    add_header(&mut response, "cache-control", "no-cache");
    response
}
