//! What responses look like: heads for messages, and refusals that are complete already.

use alloc::{borrow::Cow, boxed::Box, string::String, vec::Vec};

use crate::{CloseReason, DecodeError};

/// A header to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The name, in lower case.
    pub name: &'static str,
    /// The value: printable ASCII.
    pub value: Cow<'static, str>,
}

impl Header {
    pub(super) fn fixed(name: &'static str, value: &'static str) -> Self {
        Self {
            name,
            value: Cow::Borrowed(value),
        }
    }

    pub(super) fn owned(name: &'static str, value: impl Into<String>) -> Self {
        Self {
            name,
            value: Cow::Owned(value.into()),
        }
    }
}

const JSON: &str = "application/json;charset=UTF-8";
const SCRIPT: &str = "text/javascript;charset=UTF-8";
const TEXT: &str = "text/plain;charset=UTF-8";

const METHODS: &str = "GET, POST, OPTIONS";
const HEADERS: &str = "Accept, Authorization, Content-Type, Origin, Pragma, X-Requested-With";

/// What a response owes to the page of another origin: the headers of XO-2, if the request had an
/// `Origin` (which was found allowed), else nothing. [`route`](super::route) makes it; keep it
/// until the response is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    origin: Option<Box<str>>,
}

impl Cors {
    /// For an origin that was found allowed.
    pub(super) fn new(origin: Option<&str>) -> Self {
        Self {
            origin: origin.map(Into::into),
        }
    }

    fn write(&self, headers: &mut Vec<Header>) {
        let Some(origin) = &self.origin else { return };
        headers.push(Header::owned("access-control-allow-origin", origin.clone()));
        headers.push(Header::fixed("access-control-allow-credentials", "true"));
        headers.push(Header::fixed("vary", "Origin"));
    }
}

/// Status and headers of a response. `Content-Length`, `Date` and `Connection` are left to the
/// server.
///
/// ```
/// # use bayeux_core::http::{Cors, ResponseHead};
/// let head = ResponseHead::json(&Cors::default());
/// assert_eq!(head.status, 200);
/// assert!(head.headers.iter().any(|header| header.name == "content-type"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// The status code.
    pub status: u16,
    /// The headers, in no order that matters.
    pub headers: Vec<Header>,
}

impl ResponseHead {
    /// For an array of messages, as the answer to a POST (HT-5).
    pub fn json(cors: &Cors) -> Self {
        Self::with_body(200, JSON, cors)
    }

    /// For what [`Callback::wrap`](super::Callback::wrap) gives (CB-3, CB-8).
    pub fn script(cors: &Cors) -> Self {
        Self::with_body(200, SCRIPT, cors)
    }

    /// For the empty answer to OPTIONS (XO-3): `asked` are the headers that the page would like to
    /// send, allowed if they are well-formed.
    pub(super) fn preflight(cors: &Cors, asked: Option<Box<str>>) -> Self {
        let mut head = Self::empty(200, cors);
        let name = "access-control-allow-headers";
        head.headers
            .push(asked.map_or(Header::fixed(name, HEADERS), |asked| {
                Header::owned(name, asked)
            }));
        head.headers
            .push(Header::fixed("access-control-allow-methods", METHODS));
        head.headers
            .push(Header::fixed("access-control-max-age", "86400"));
        head
    }

    pub(super) fn empty(status: u16, cors: &Cors) -> Self {
        let mut headers = Vec::with_capacity(8);
        cors.write(&mut headers);
        Self { status, headers }
    }

    fn with_body(status: u16, content_type: &'static str, cors: &Cors) -> Self {
        let mut head = Self::empty(status, cors);
        head.headers
            .push(Header::fixed("content-type", content_type));
        head.headers
            .push(Header::fixed("x-content-type-options", "nosniff"));
        head.headers
            .push(Header::fixed("cache-control", "no-cache, no-store"));
        head
    }
}

/// A request turned down whole: status, headers and a line of plain text, or nothing (ER-6).
///
/// ```
/// # use bayeux_core::http::{Cors, Refusal};
/// let refusal = Refusal::new(413, "too large", &Cors::default());
/// assert_eq!((refusal.head.status, refusal.text), (413, "too large"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Status and headers.
    pub head: ResponseHead,
    /// The body.
    pub text: &'static str,
}

impl Refusal {
    /// Refuses with a status of 400 or more; below that it is 500. `cors` lets a page of another
    /// origin see the status (XO-2).
    pub fn new(status: u16, text: &'static str, cors: &Cors) -> Self {
        let status = if (400..=599).contains(&status) {
            status
        } else {
            500
        };
        Self {
            head: ResponseHead::with_body(status, TEXT, cors),
            text,
        }
    }

    /// 400: the request makes no sense.
    pub fn bad_request(text: &'static str, cors: &Cors) -> Self {
        Self::new(400, text, cors)
    }

    /// 403, for an origin or page that is not allowed, and so without CORS headers (XO-4).
    pub fn origin_not_allowed() -> Self {
        Self::new(403, "origin not allowed", &Cors::default())
    }

    /// 404, for a server that has nothing of its own outside of the mounts.
    pub fn not_found() -> Self {
        Self::new(404, "not found", &Cors::default())
    }

    /// 405 with the methods that would do (DE-19).
    pub fn method_not_allowed(allow: &'static str, cors: &Cors) -> Self {
        let mut refusal = Self::new(405, "method not allowed", cors);
        refusal.head.headers.push(Header::fixed("allow", allow));
        refusal
    }

    /// 413: the body is larger than the limit (FR-6, HT-8).
    pub fn too_large(cors: &Cors) -> Self {
        Self::new(413, "too large", cors)
    }

    /// 503: the store is away; the peer may come again (ER-7).
    pub fn unavailable(cors: &Cors) -> Self {
        Self::new(503, "unavailable", cors)
    }

    /// The end of a connect that a newer one replaced: the status that
    /// `duplicateMetaConnectHttpResponseCode` says and no body (CN-9, DE-6). Never 408, which makes
    /// browsers repeat the request: that, and what is no error, is 500.
    pub fn duplicate_connect(status: u16, cors: &Cors) -> Self {
        let status = if status == 408 { 500 } else { status };
        Self::new(status, "", cors)
    }

    /// 400 or 413: what the request brought is no list of messages (FR-3, FR-6).
    pub fn undecodable(error: DecodeError, cors: &Cors) -> Self {
        match error.http_status() {
            413 => Self::too_large(cors),
            status => Self::new(status, "not a list of messages", cors),
        }
    }

    /// The response to an exchange that the engine has closed; `duplicate` is
    /// `duplicateMetaConnectHttpResponseCode`.
    pub fn closed(reason: CloseReason, duplicate: u16, cors: &Cors) -> Self {
        match (reason, reason.http_status(duplicate)) {
            (CloseReason::Duplicate | CloseReason::Superseded, status) => {
                Self::duplicate_connect(status, cors)
            }
            (_, 503) => Self::unavailable(cors),
            (_, status) => Self::new(status, "closed", cors),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Cors {
        Cors::new(Some("https://shop.example"))
    }

    #[test]
    fn messages_are_json_or_script_and_never_cached_ht_5_cb_3_cb_8() {
        let table = [
            (
                ResponseHead::json(&Cors::default()),
                "application/json;charset=UTF-8",
            ),
            (
                ResponseHead::script(&Cors::default()),
                "text/javascript;charset=UTF-8",
            ),
        ];
        for (head, content_type) in table {
            let expected = [
                Header::fixed("content-type", content_type),
                Header::fixed("x-content-type-options", "nosniff"),
                Header::fixed("cache-control", "no-cache, no-store"),
            ];

            assert_eq!((head.status, head.headers), (200, expected.to_vec()));
        }
    }

    #[test]
    fn an_allowed_origin_is_told_so_on_success_and_on_errors_xo_2() {
        let heads = [
            ResponseHead::json(&shop()),
            ResponseHead::script(&shop()),
            ResponseHead::preflight(&shop(), None),
            Refusal::bad_request("x", &shop()).head,
            Refusal::method_not_allowed("POST", &shop()).head,
            Refusal::too_large(&shop()).head,
            Refusal::unavailable(&shop()).head,
            Refusal::duplicate_connect(500, &shop()).head,
        ];
        for head in heads {
            let cors = [
                Header::fixed("access-control-allow-origin", "https://shop.example"),
                Header::fixed("access-control-allow-credentials", "true"),
                Header::fixed("vary", "Origin"),
            ];

            assert!(
                cors.iter().all(|header| head.headers.contains(header)),
                "{head:?}"
            );
        }
    }

    #[test]
    fn what_the_engine_closed_is_refused_for_its_reason_cn_9_er_7() {
        let table = [
            (CloseReason::Duplicate, 408, 500, ""),
            (CloseReason::Superseded, 409, 409, ""),
            (CloseReason::SessionOver, 500, 503, "unavailable"),
            (CloseReason::Idle, 500, 400, "closed"),
        ];
        for (reason, duplicate, status, text) in table {
            let refusal = Refusal::closed(reason, duplicate, &shop());

            assert_eq!(refusal, Refusal::new(status, text, &shop()), "{reason:?}");
        }
    }

    #[test]
    fn what_is_no_list_of_messages_is_refused_fr_3_fr_6() {
        let table = [
            (DecodeError::NotJson, 400, "not a list of messages"),
            (DecodeError::TooMany, 413, "too large"),
        ];
        for (error, status, text) in table {
            let refusal = Refusal::undecodable(error, &shop());

            assert_eq!(refusal, Refusal::new(status, text, &shop()), "{error:?}");
        }
    }

    #[test]
    fn a_refusal_is_plain_text_er_6() {
        let table = [
            (
                Refusal::bad_request("no message", &shop()),
                400,
                "no message",
            ),
            (Refusal::origin_not_allowed(), 403, "origin not allowed"),
            (Refusal::not_found(), 404, "not found"),
            (
                Refusal::method_not_allowed("POST", &shop()),
                405,
                "method not allowed",
            ),
            (Refusal::too_large(&shop()), 413, "too large"),
            (Refusal::unavailable(&shop()), 503, "unavailable"),
            (Refusal::new(200, "x", &shop()), 500, "x"),
        ];
        for (refusal, status, text) in table {
            assert_eq!((refusal.head.status, refusal.text), (status, text));
            assert!(
                refusal
                    .head
                    .headers
                    .contains(&Header::fixed("content-type", "text/plain;charset=UTF-8"))
            );
        }
    }

    #[test]
    fn an_origin_that_is_not_allowed_gets_no_cors_headers_xo_4() {
        let Refusal { head, .. } = Refusal::origin_not_allowed();

        assert!(
            !head
                .headers
                .iter()
                .any(|header| header.name.starts_with("access-control") || header.name == "vary")
        );
    }

    #[test]
    fn a_duplicate_connect_ends_with_an_empty_body_and_never_with_408_de_6() {
        for (code, status) in [
            (500, 500),
            (503, 503),
            (408, 500),
            (200, 500),
            (0, 500),
            (u16::MAX, 500),
        ] {
            let refusal = Refusal::duplicate_connect(code, &shop());

            assert_eq!((refusal.head.status, refusal.text), (status, ""), "{code}");
        }
    }
}
