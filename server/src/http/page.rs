//! What there is besides Bayeux: a page at `/`, and Faye's client.

use bayeux_core::http::Refusal;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH};
use http::{Method, Request, Response, StatusCode};

use super::response::{Body, add_header, refusal};
use crate::page::{self, CONTENT_SECURITY_POLICY};
use crate::site::Site;

/// The page, or that there is none.
pub(super) fn respond<B>(site: &Site, request: &Request<B>) -> Response<Body> {
    let is_asked_for = request.uri().path() == "/" && is_read(request);
    let Some(page) = site.page.as_ref().filter(|_| is_asked_for) else {
        return refusal(Refusal::not_found());
    };
    let mut response = file(request, page::CONTENT_TYPE, page.clone());
    add_header(
        &mut response,
        "content-security-policy",
        CONTENT_SECURITY_POLICY,
    );
    response
}

/// Faye's client, if that is what the request is for.
pub(super) fn client_file<B>(site: &Site, request: &Request<B>) -> Option<Response<Body>> {
    let uri = request.uri();
    if !is_read(request) || !site.client_file.is_at(uri.path(), uri.query()) {
        return None;
    }
    let script = match site.client_file.script() {
        Ok(script) => script,
        Err(text) => {
            let mut response = file(request, "text/plain;charset=UTF-8", text.into());
            *response.status_mut() = StatusCode::NOT_FOUND;
            return Some(response);
        }
    };
    let mut response = if request.headers().get(IF_NONE_MATCH) == Some(&script.tag) {
        let mut response = Response::new(Body::default());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        file(
            request,
            "text/javascript;charset=UTF-8",
            script.text.clone(),
        )
    };
    response.headers_mut().insert(ETAG, script.tag.clone());
    Some(response)
}

fn is_read<B>(request: &Request<B>) -> bool {
    [Method::GET, Method::HEAD].contains(request.method())
}

fn file<B>(request: &Request<B>, content_type: &'static str, content: Bytes) -> Response<Body> {
    let length = HeaderValue::from(content.len());
    let body = if request.method() == Method::HEAD {
        Body::default()
    } else {
        Body::from(content)
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, length);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    add_header(&mut response, "x-content-type-options", "nosniff");
    add_header(&mut response, "cache-control", "no-cache");
    response
}
