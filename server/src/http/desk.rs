//! Where a request lies while the engine has not answered it, apart from the connection that it came by.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::header::{CONNECTION, TRANSFER_ENCODING};
use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::service::Service;

use super::request::{Caller, Responding, respond};
use super::response::Body;
use crate::guarded::Guarded;

/// Answers the requests of one HTTP/1 connection.
#[derive(Clone)]
pub(crate) struct Clerk(Arc<Desk>);

struct Desk {
    caller: Arc<Caller>,
    /// The request that waits.
    waiting: Guarded<Option<Responding>>,
}

impl Clerk {
    pub(crate) fn new(caller: Caller) -> Self {
        Self(Arc::new(Desk {
            caller: Arc::new(caller),
            waiting: Guarded::default(),
        }))
    }

    pub(crate) fn caller(&self) -> &Caller {
        &self.0.caller
    }

    /// Whether a request waits in such a way that the connection may do without hyper meanwhile.
    pub(crate) fn has_waiting(&self) -> bool {
        self.0.waiting.lock().is_some()
    }

    /// Ready when the request that waits is answered: with a head for hyper to read in place of its own.
    pub(crate) fn poll_answered(&self, cx: &mut Context<'_>) -> Poll<&'static [u8]> {
        let mut waiting = self.0.waiting.lock();
        let Some(waiting) = waiting.as_mut() else {
            return Poll::Pending;
        };
        ready!(waiting.poll_answered(cx));
        Poll::Ready(waiting.alike().unwrap_or_default())
    }
}

impl Service<Request<Incoming>> for Clerk {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Attended;

    /// Begins to answer a request. If there is one that was answered, what came is a head in its place.
    fn call(&self, request: Request<Incoming>) -> Attended {
        let answered = self.0.waiting.lock().take();
        Attended {
            responding: Some(
                answered.unwrap_or_else(|| respond(Arc::clone(&self.0.caller), request)),
            ),
            clerk: self.clone(),
        }
    }
}

/// A response on its way. While it is the engine that it waits for, it is on the desk.
pub(crate) struct Attended {
    responding: Option<Responding>,
    clerk: Clerk,
}

impl Future for Attended {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut desk = this.clerk.0.waiting.lock();
        let Some(mut responding) = this.responding.take().or_else(|| desk.take()) else {
            return Poll::Pending;
        };
        let response = Pin::new(&mut responding).poll(cx);
        if response.is_pending() {
            let place = if responding.alike().is_some() {
                &mut *desk
            } else {
                &mut this.responding
            };
            *place = Some(responding);
        }
        response.map(Ok)
    }
}

/// A head that is answered over the connection as that of `request` is: in the same version of HTTP/1, and
/// as its last or not. `None` if it takes more to tell where the request ends.
pub(super) fn head_alike<B>(request: &Request<B>) -> Option<&'static [u8]> {
    let headers = request.headers();
    if headers.contains_key(TRANSFER_ENCODING) {
        return None;
    }
    let says = |wanted: &str| {
        let mut words = headers
            .get_all(CONNECTION)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        words.any(|word| word.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes()))
    };
    match request.version() {
        Version::HTTP_11 if says("close") => Some(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"),
        Version::HTTP_11 => Some(b"GET / HTTP/1.1\r\n\r\n"),
        Version::HTTP_10 if says("keep-alive") && !says("close") => {
            Some(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        }
        Version::HTTP_10 => Some(b"GET / HTTP/1.0\r\n\r\n"),
        _ => None,
    }
}
