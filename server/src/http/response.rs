//! Responses, and what is known of their way to the peer.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bayeux_core::http::{Refusal, ResponseHead};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body::{Frame, SizeHint};

use super::exchange::Exchange;
use crate::line::Asking;
use crate::router::Engagement;

/// How much HTTP/2 is handed at a time: it takes a piece when its window has room.
const PIECE: usize = 16 << 10;

/// The body of a response: one buffer, and somebody who wants to know when it has left.
///
/// Dropped before it was taken whole, it was not written.
#[derive(Default)]
pub struct Body {
    rest: Bytes,
    delivery: Option<Delivery>,
    /// The request that it answers.
    asking: Option<Asking>,
}

/// An answer of the engine on its way.
pub(super) struct Delivery {
    pub(super) engagement: Engagement,
    pub(super) exchange: Arc<Exchange>,
}

impl Body {
    pub(super) fn new(content: Bytes, delivery: Option<Delivery>) -> Self {
        Self {
            rest: content,
            delivery,
            asking: None,
        }
    }

    /// The same; `asking` is answered when this is dropped.
    pub(super) fn to(mut self, asking: Option<Asking>) -> Self {
        self.asking = asking;
        if let Some(asking) = &mut self.asking {
            asking.handing_over();
        }
        self
    }
}

impl From<Bytes> for Body {
    fn from(content: Bytes) -> Self {
        Self::new(content, None)
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Body({} bytes)", self.rest.len())
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(PIECE);
        // The last piece is a good deal larger rather than the one before it tiny.
        let length = if self.rest.len() < 2 * PIECE {
            self.rest.len()
        } else {
            length
        };
        let piece = self.rest.split_to(length);
        if let Some(asking) = &self.asking {
            asking.took();
        }
        if self.rest.is_empty()
            && let Some(delivery) = self.delivery.take()
        {
            delivery.exchange.taken(delivery.engagement);
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.rest.len()).unwrap_or(u64::MAX))
    }
}

/// A response with this head.
pub(super) fn response(head: ResponseHead, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(head.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for header in head.headers {
        add_header(&mut response, header.name, &header.value);
    }
    response
}

/// Adds a header, if it is one.
pub(crate) fn add_header(response: &mut Response<Body>, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response
            .headers_mut()
            .append(HeaderName::from_static(name), value);
    }
}

/// A complete refusal.
pub(super) fn refusal(refusal: Refusal) -> Response<Body> {
    response(
        refusal.head,
        Body::from(Bytes::from_static(refusal.text.as_bytes())),
    )
}
