//! What those ask who keep a server running: whether it lives, whether it takes clients, what it has
//! counted.

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Method, Request, Response, StatusCode};

use crate::health::{LIVE, Readiness};
use crate::http::{Body, Caller, add_header};
use crate::metrics;

const JSON: &str = "application/json";

/// One of these questions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Probe {
    about: About,
    is_head: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum About {
    Life,
    Readiness,
    Metrics,
}

impl About {
    fn at(path: &str) -> Option<Self> {
        match path {
            "/live" => Some(Self::Life),
            "/ready" => Some(Self::Readiness),
            "/metrics" => Some(Self::Metrics),
            _ => None,
        }
    }
}

impl Probe {
    /// The question that `request` is, where everybody may ask.
    pub(crate) fn of<B>(request: &Request<B>) -> Option<Self> {
        Self::of_operator(request).filter(|probe| probe.about != About::Metrics)
    }

    /// The question that `request` is, where only operators and their programs come.
    pub(crate) fn of_operator<B>(request: &Request<B>) -> Option<Self> {
        let about = About::at(request.uri().path())?;
        let is_head = request.method() == Method::HEAD;
        (is_head || request.method() == Method::GET).then_some(Self { about, is_head })
    }

    /// Whether something can be asked here, by operators and with a `GET`.
    pub(crate) fn is_at(path: &str) -> bool {
        About::at(path).is_some()
    }

    /// Asks the shards, if need be; one that does not answer makes it take two seconds.
    pub(crate) async fn answer(self, caller: &Caller) -> Response<Body> {
        let (router, runtime) = (&caller.gateway.router, &caller.runtime);
        match self.about {
            About::Life => self.respond(StatusCode::OK, JSON, LIVE.into()),
            About::Readiness => {
                let readiness = Readiness::of(router, runtime).await;
                self.respond(readiness.status(), JSON, readiness.json())
            }
            About::Metrics => {
                let text = metrics::scrape(router, Some(runtime)).await;
                self.respond(StatusCode::OK, metrics::CONTENT_TYPE, text)
            }
        }
    }

    fn respond(self, status: StatusCode, kind: &str, text: String) -> Response<Body> {
        let length = HeaderValue::from(text.len());
        let body = if self.is_head {
            Body::default()
        } else {
            Body::from(Bytes::from(text))
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_LENGTH, length);
        add_header(&mut response, "content-type", kind);
        add_header(&mut response, "cache-control", "no-store");
        add_header(&mut response, "x-content-type-options", "nosniff");
        response
    }
}
