//! What a request wants, and who gives it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bayeux_core::http::{
    Callback, Cors, Options, Refusal, RequestHead, ResponseHead, Route, Scheme, body_texts, route,
    upgrade,
};
use bayeux_core::{
    Batch, BrowserId, CloseReason, DecodeError, DecodeLimits, HttpVersion, Messages, Peer,
    PeerDetails, Transport,
};
use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue};
use http::{Method, Request, Response, Version, request};
use hyper::upgrade::Upgraded;

use super::body::{self, BodyFailure};
use super::exchange::{Exchange, Outcome};
use super::page;
use super::response::{Body, Delivery, add_header, refusal, response};
use crate::carrier::Carrier;
use crate::inbox::Opening;
use crate::line::{Asking, Line};
use crate::router::{Gateway, Place};
use crate::runtime::{Runtime, Task};
use crate::websocket::{self, Handover};

/// The other end of an HTTP connection.
pub(crate) struct Caller {
    pub(crate) gateway: Gateway,
    pub(crate) runtime: Runtime,
    /// The socket below; none if another application owns it.
    pub(crate) line: Option<Arc<Line>>,
    /// Where it comes from; `None` if that is not known.
    pub(crate) address: Option<SocketAddr>,
    /// Whether that is a TLS connection.
    pub(crate) scheme: Scheme,
    /// What runs a websocket once the upgrade is through.
    pub(crate) take_over: fn(Upgraded, Handover) -> Task,
}

impl Caller {
    /// Who mounts the server chooses the path.
    fn options(&self) -> &Options {
        let site = &self.gateway.router.site;
        match self.gateway.place {
            Place::Shard(_) => &site.http,
            Place::Mounted(_) => &site.mounted,
        }
    }
}

/// Answers a request. Of that, no more than the body outlives this call.
pub(crate) fn respond<B>(
    caller: Arc<Caller>,
    request: Request<B>,
) -> impl Future<Output = Response<Body>>
where
    B: http_body::Body + Unpin,
{
    let asking = caller.line.as_ref().map(Line::ask);
    let plan = Plan::new(&caller, request, asking);
    async move {
        let (response, asking) = match plan {
            Plan::Upgraded(response) => return response,
            Plan::Answered(response, asking) => (response, asking),
            Plan::Texts(asked, texts, shape, asking) => {
                (exchange(caller, asked, texts, shape).await, asking)
            }
            Plan::Body(asked, content_type, body, shape, asking) => {
                let response = match texts_of(&caller, content_type, body).await {
                    Ok(texts) => exchange(caller, asked, texts, shape).await,
                    Err(failure) => refusal(failure.refusal(&shape.cors)),
                };
                (response, asking)
            }
        };
        response.map(|body| body.to(asking))
    }
}

/// What is to be done about a request.
enum Plan<B> {
    /// It becomes a websocket with this response.
    Upgraded(Response<Body>),
    /// Nothing but to send this.
    Answered(Response<Body>, Option<Asking>),
    /// To have these messages answered.
    Texts(Asked, Vec<Bytes>, Shape, Option<Asking>),
    /// To have the messages in its body answered.
    Body(Asked, Option<HeaderValue>, B, Shape, Option<Asking>),
}

impl<B: http_body::Body> Plan<B> {
    fn new(caller: &Caller, request: Request<B>, asking: Option<Asking>) -> Self {
        let (asked, route) = {
            let head = head_of(&request);
            let asked = Asked::new(caller, &request, &head);
            let options = caller.options();
            let route = if is_connect(&request) {
                upgrade(&head, options)
            } else {
                route(&head, options)
            };
            (asked, route)
        };
        match route {
            Route::NotOurs => {
                Self::Answered(page::respond(&caller.gateway.router.site, &request), asking)
            }
            Route::Preflight(head) => Self::Answered(response(head, Body::default()), asking),
            Route::Refuse(refused) => Self::Answered(refusal(refused), asking),
            Route::WebSocket { protocol } => {
                let protocol = protocol.as_deref();
                let response = websocket::respond(caller, request, asked.peer, protocol, asking);
                Self::Upgraded(response)
            }
            Route::Poll { cors } => {
                let (request::Parts { mut headers, .. }, body) = request.into_parts();
                let content_type = headers.remove(http::header::CONTENT_TYPE);
                let callback = None;
                Self::Body(asked, content_type, body, Shape { callback, cors }, asking)
            }
            Route::Callback {
                callback,
                texts,
                cors,
            } => {
                let callback = Some(Box::new(callback));
                Self::Texts(asked, texts, Shape { callback, cors }, asking)
            }
        }
    }
}

/// What is kept of a request.
struct Asked {
    peer: Peer,
    scheme: Scheme,
}

/// What its response will look like.
struct Shape {
    callback: Option<Box<Callback>>,
    cors: Cors,
}

impl Asked {
    fn new<B>(caller: &Caller, request: &Request<B>, head: &RequestHead<'_>) -> Self {
        let router = &caller.gateway.router;
        let site = &router.site;
        let direct = caller.address.map(|address| address.ip());
        let client = direct.map(|address| site.proxies.client(address, head));
        let scheme = client
            .and_then(|client| client.scheme)
            .unwrap_or(caller.scheme);
        let counted = |address: &IpAddr| !address.is_loopback() && !site.proxies.contains(*address);
        let peer = Peer {
            address: client.map(|client| client.address).filter(counted),
            browser: site.cookie.find(head).and_then(BrowserId::parse),
            secure: scheme == Scheme::Https,
            http: if request.version() == Version::HTTP_2 {
                HttpVersion::Two
            } else {
                HttpVersion::One
            },
            details: router
                .has_deciders()
                .then(|| Arc::new(details(caller, request, head))),
        };
        Self { peer, scheme }
    }
}

fn details<B>(caller: &Caller, request: &Request<B>, head: &RequestHead<'_>) -> PeerDetails {
    let wanted = &caller.gateway.router.site.headers;
    let headers = request.headers().iter().filter_map(|(name, value)| {
        let name = wanted.iter().find(|wanted| ***wanted == *name.as_str())?;
        Some((name.clone(), value.to_str().ok()?.into()))
    });
    PeerDetails {
        origin: head.origin().map(Into::into),
        path: head.path().into(),
        headers: headers.collect(),
    }
}

fn head_of<B>(request: &Request<B>) -> RequestHead<'_> {
    let headers = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()));
    let target = request
        .uri()
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let head = RequestHead::new(request.method().as_str(), target, headers);
    match request.uri().authority() {
        Some(authority) => head.with_authority(authority.as_str()),
        None => head,
    }
}

/// Whether this is HTTP/2's way to ask for a websocket (RFC 8441).
fn is_connect<B>(request: &Request<B>) -> bool {
    let protocol = request.extensions().get::<hyper::ext::Protocol>();
    request.method() == Method::CONNECT
        && protocol.is_some_and(|protocol| protocol.as_str() == "websocket")
}

/// Why a request has no messages.
enum Failure {
    Body(BodyFailure),
    Form(bayeux_core::http::BodyError),
    Frame(DecodeError),
}

impl Failure {
    fn refusal(&self, cors: &Cors) -> Refusal {
        match self {
            Self::Body(BodyFailure::TooLarge) => Refusal::too_large(cors),
            Self::Body(BodyFailure::TooSlow) => Refusal::new(408, "too slow", cors),
            Self::Body(BodyFailure::Broken) => Refusal::bad_request("no body", cors),
            Self::Form(error) => Refusal::bad_request(error.as_str(), cors),
            Self::Frame(error) => match error.http_status() {
                413 => Refusal::too_large(cors),
                status => Refusal::new(status, "not a list of messages", cors),
            },
        }
    }
}

/// The texts in the body.
async fn texts_of<B>(
    caller: &Caller,
    content_type: Option<HeaderValue>,
    body: B,
) -> Result<Vec<Bytes>, Failure>
where
    B: http_body::Body + Unpin,
{
    let site = &caller.gateway.router.site;
    let body = body::read(body, site, &caller.runtime)
        .await
        .map_err(Failure::Body)?;
    let content_type = content_type.as_ref().and_then(|value| value.to_str().ok());
    body_texts(content_type, &body).map_err(Failure::Form)
}

/// The messages of all texts, in order (DE-20).
fn decode(texts: Vec<Bytes>, limits: &DecodeLimits) -> Result<Messages, DecodeError> {
    let mut all = Messages::default();
    for text in texts {
        let messages = Messages::decode(text, limits)?;
        if all.len() + messages.len() > limits.max_messages {
            return Err(DecodeError::TooMany);
        }
        all.append(messages);
    }
    Ok(all)
}

/// Has the engine answer the messages.
async fn exchange(
    caller: Arc<Caller>,
    asked: Asked,
    texts: Vec<Bytes>,
    shape: Shape,
) -> Response<Body> {
    let Asked { peer, scheme } = asked;
    let transport = match shape.callback {
        Some(_) => Transport::CallbackPolling,
        None => Transport::LongPolling,
    };
    let messages = match decode(texts, &caller.gateway.router.site.decode) {
        Ok(messages) => messages,
        Err(error) => return refusal(Failure::Frame(error).refusal(&shape.cors)),
    };
    let version = peer.http;
    let gateway = &caller.gateway;
    let home = gateway.home(&messages, &peer);
    let connection = gateway.router.name(gateway.place.shard());
    let exchange = Exchange::new(caller.line.clone());
    let carrier = Carrier::Exchange(Arc::clone(&exchange));
    let engagement = gateway.open(
        home,
        Opening {
            connection,
            transport,
            peer,
            carrier,
            messages,
        },
    );

    let outcome = exchange.outcome().await;

    let (mut response, is_last) = match outcome {
        Outcome::Answered(batch) => {
            let delivery = Delivery {
                engagement,
                line: caller.line.clone(),
            };
            (
                answer(&caller, &batch, delivery, &shape, scheme),
                batch.is_last(),
            )
        }
        Outcome::Closed(reason) => {
            engagement.release();
            (
                refuse(&caller, reason, &shape.cors),
                reason == CloseReason::Shutdown,
            )
        }
    };
    if is_last && version == HttpVersion::One {
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The response that carries `batch`.
fn answer(
    caller: &Caller,
    batch: &Batch,
    delivery: Delivery,
    shape: &Shape,
    scheme: Scheme,
) -> Response<Body> {
    let array = batch
        .frames()
        .next()
        .cloned()
        .unwrap_or_else(|| Bytes::from_static(b"[]"));
    let (head, content) = match &shape.callback {
        Some(callback) => (ResponseHead::script(&shape.cors), callback.wrap(&array)),
        None => (ResponseHead::json(&shape.cors), array),
    };
    let mut response = response(head, Body::new(content, Some(delivery)));
    if let Some(browser) = batch.cookie() {
        let cookie = caller
            .gateway
            .router
            .site
            .cookie
            .set(&browser.text(), scheme);
        add_header(&mut response, cookie.name, &cookie.value);
    }
    response
}

/// The response that says why there is none.
fn refuse(caller: &Caller, reason: CloseReason, cors: &Cors) -> Response<Body> {
    let duplicate = caller.gateway.router.site.duplicate_status;
    refusal(match (reason, reason.http_status(duplicate)) {
        (CloseReason::Duplicate | CloseReason::Superseded, status) => {
            Refusal::duplicate_connect(status, cors)
        }
        (_, 503) => Refusal::unavailable(cors),
        (_, status) => Refusal::new(status, "closed", cors),
    })
}
