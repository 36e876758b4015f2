//! Answers: JSON, whether it went well or not.

use std::borrow::Cow;

use bayeux_core::ChannelNameError;
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Method, Response, StatusCode};
use http_body::Body as _;
use serde::Serialize;

use crate::application::CallError;
use crate::config::quoted;
use crate::http::{Body, add_header};

/// What was asked for.
pub(super) struct Answer(Bytes);

impl Answer {
    /// `value` as JSON.
    pub(super) fn of(value: &impl Serialize) -> Self {
        Self(json(value))
    }

    /// JSON as it stands.
    pub(super) const fn document(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }
}

impl From<Answer> for Response<Body> {
    fn from(answer: Answer) -> Self {
        response(StatusCode::OK, answer.0)
    }
}

/// Why it was not done.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    error: Error,
    header: Option<(&'static str, Cow<'static, str>)>,
}

/// The same for programs and for people.
#[derive(Debug, Serialize)]
pub(super) struct Error {
    code: &'static str,
    text: Cow<'static, str>,
}

/// An error as the body of a response.
#[derive(Serialize)]
struct Failed<'a> {
    error: &'a Error,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        let text = text.into();
        Self {
            status,
            error: Error { code, text },
            header: None,
        }
    }

    fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.header = Some((name, value.into()));
        self
    }

    pub(super) fn no_key_set() -> Self {
        let text = "the API is closed, because no key is set: start the server with \
                    --admin-key-file FILE, the variable BAYEUX_ADMIN_KEY, or admin-key in its configuration";
        Self::new(StatusCode::FORBIDDEN, "no_key_set", text)
    }

    pub(super) fn origin_refused() -> Self {
        let text = "the API is not for pages in a browser: their requests carry an Origin";
        Self::new(StatusCode::FORBIDDEN, "origin_refused", text)
    }

    pub(super) fn key_missing() -> Self {
        let text = "a key is missing: send the header Authorization: Bearer KEY";
        Self::new(StatusCode::UNAUTHORIZED, "key_missing", text).with("www-authenticate", "Bearer")
    }

    pub(super) fn key_wrong() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "key_wrong", "this is not a key")
            .with("www-authenticate", "Bearer error=\"invalid_token\"")
    }

    pub(super) fn route_unknown(path: &str) -> Self {
        let text = format!(
            "there is no {}; see /api/v1/openapi.json for what there is",
            quoted(path)
        );
        Self::new(StatusCode::NOT_FOUND, "route_unknown", text)
    }

    pub(super) fn method_not_allowed(methods: &[&Method]) -> Self {
        let names = methods.iter().map(|method| method.as_str());
        let names: Vec<_> = names
            .flat_map(|name| [name].into_iter().chain((name == "GET").then_some("HEAD")))
            .collect();
        let names = names.join(", ");
        let text = format!("this takes {names} only");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", text).with("allow", names)
    }
}

impl Refusal {
    pub(super) fn body_invalid(why: impl ToString) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "body_invalid", why.to_string())
    }

    pub(super) fn parameter_invalid(name: &str, why: &str) -> Self {
        let text = format!("the parameter {} {why}", quoted(name));
        Self::new(StatusCode::BAD_REQUEST, "parameter_invalid", text)
    }

    pub(super) fn channel_invalid(channel: &str, why: ChannelNameError) -> Self {
        let text = format!("{} cannot be used here: {why}", quoted(channel));
        Self::new(StatusCode::BAD_REQUEST, "channel_invalid", text)
    }

    pub(super) fn channel_refused(channel: &str) -> Self {
        let text = format!(
            "nobody can be sent events on {} in this way",
            quoted(channel)
        );
        Self::new(StatusCode::BAD_REQUEST, "channel_refused", text)
    }

    pub(super) fn session_unknown() -> Self {
        let text = CallError::Unknown.to_string();
        Self::new(StatusCode::NOT_FOUND, "session_unknown", text)
    }

    pub(super) fn body_late() -> Self {
        let text = "the body did not come in time";
        Self::new(StatusCode::REQUEST_TIMEOUT, "body_late", text)
    }

    pub(super) fn body_too_large(most: usize) -> Self {
        let text = format!("a body may have {most} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", text)
    }

    pub(super) fn batch_too_large(most: usize) -> Self {
        let text = format!("a batch may have {most} messages");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "batch_too_large", text)
    }

    pub(super) fn media_type_unsupported() -> Self {
        let text =
            "the body must be JSON and say so: send the header Content-Type: application/json";
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "media_type_unsupported",
            text,
        )
    }
}

impl From<CallError> for Refusal {
    fn from(error: CallError) -> Self {
        let code = match error {
            CallError::Unknown => return Self::session_unknown(),
            CallError::Limited | CallError::Unavailable => "store_unavailable",
            CallError::Stopped => "server_stopped",
        };
        let text = error.to_string();
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, text).with("retry-after", "1")
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        refusal.error
    }
}

impl From<Refusal> for Response<Body> {
    fn from(refusal: Refusal) -> Self {
        let error = &refusal.error;
        let mut response = response(refusal.status, json(&Failed { error }));
        if let Some((name, value)) = refusal.header {
            add_header(&mut response, name, &value);
        }
        response
    }
}

/// What a HEAD is answered with in place of `response`.
pub(super) fn without_body(response: Response<Body>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    let length = body.size_hint().lower();
    head.headers
        .insert(CONTENT_LENGTH, HeaderValue::from(length));
    Response::from_parts(head, Body::default())
}

fn json(value: &impl Serialize) -> Bytes {
    // What there is to tell has text keys and no maps of anything else.
    serde_json::to_vec(value).unwrap_or_default().into()
}

fn response(status: StatusCode, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    add_header(&mut response, "content-type", "application/json");
    add_header(&mut response, "cache-control", "no-store");
    add_header(&mut response, "x-content-type-options", "nosniff");
    response
}
