//! What a request wants, and who gives it.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bayeux_core::http::{
    Callback, Cors, Options, Refusal, RequestHead, ResponseHead, Route, Scheme, body_texts, route,
    upgrade,
};
use bayeux_core::{
    Batch, BrowserId, CloseReason, DecodeError, HttpVersion, Messages, Peer, PeerDetails, Transport,
};
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::header::{CONNECTION, HOST, HeaderValue};
use http::{Method, Request, Response, Version, request};
use hyper::upgrade::Upgraded;

use super::body::{self, BodyFailure};
use super::desk::head_alike;
use super::exchange::{Exchange, Outcome};
use super::page;
use super::response::{Body, Delivery, add_header, refusal, response};
use crate::admin;
use crate::carrier::Carrier;
use crate::entrance::Entrance;
use crate::inbox::Opening;
use crate::line::{Asking, Line};
use crate::probe::Probe;
use crate::router::{Engagement, Gateway, Place};
use crate::runtime::{Runtime, Task};
use crate::tally::Tally;
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
    /// Which way it came in.
    pub(crate) entrance: Entrance,
    /// What runs a websocket once the upgrade is through.
    pub(crate) take_over: fn(Upgraded, Handover) -> Task,
}

impl Caller {
    /// Whether nothing is on its way through the socket below.
    pub(crate) fn is_quiet(&self) -> bool {
        self.line.as_ref().is_some_and(|line| line.is_quiet())
    }

    /// Its connection broke, or the peer is just gone.
    pub(crate) fn broken(&self, error: &hyper::Error) {
        self.gateway.router.site.tally.broken(error);
        tracing::debug!(%error, "a connection broke");
    }

    /// Who mounts the server chooses the path.
    fn options(&self) -> &Options {
        let site = &self.gateway.router.site;
        match self.gateway.place {
            Place::Shard(_) => &site.http,
            Place::Mounted(_) => &site.mounted,
        }
    }
}

/// Begins to answer a request. Of that, no more than the body outlives this call.
pub(crate) fn respond<B>(caller: Arc<Caller>, request: Request<B>) -> Responding
where
    B: http_body::Body + Unpin + Send + 'static,
    B::Data: Send,
{
    let asking = caller.line.as_ref().map(Line::ask);
    let alike = head_alike(&request);
    let at_once = |stage, asking| Responding {
        stage,
        asking,
        alike: None,
    };
    if !names_one_host(&request) {
        caller.gateway.router.site.tally.hosts_refused.up();
        let refused = Refusal::bad_request("not one Host header", &Cors::default());
        return at_once(Stage::answered(refusal(refused)), asking);
    }
    if caller.entrance == Entrance::Admin {
        let answering = admin::respond(caller, request).map(Stage::answered);
        return at_once(Stage::Reading(Box::pin(answering)), asking);
    }
    if caller.line.is_some()
        && let Some(response) = page::client_file(&caller.gateway.router.site, &request)
    {
        return at_once(Stage::answered(response), asking);
    }
    let (asked, route) = {
        let head = head_of(&request);
        let asked = Asked::new(&caller, &request, &head);
        let options = caller.options();
        let route = if is_connect(&request) {
            upgrade(&head, options)
        } else {
            route(&head, options)
        };
        (asked, route)
    };
    let stage = match route {
        Route::NotOurs => match Probe::of(&request) {
            Some(probe) => Stage::Reading(Box::pin(async move {
                Stage::answered(probe.answer(&caller).await)
            })),
            None => Stage::answered(page::respond(&caller.gateway.router.site, &request)),
        },
        Route::Preflight(head) => Stage::answered(response(head, Body::default())),
        Route::Refuse(refused) => {
            let tally = &caller.gateway.router.site.tally;
            if refused == Refusal::origin_not_allowed() {
                tally.origins_refused.up();
            } else {
                tally.requests_refused.up();
            }
            Stage::answered(refusal(refused))
        }
        Route::WebSocket { protocol } => {
            let protocol = protocol.as_deref();
            let response = websocket::respond(&caller, request, asked.peer, protocol, asking);
            return at_once(Stage::answered(response), None);
        }
        Route::Poll { cors } => {
            let (request::Parts { mut headers, .. }, body) = request.into_parts();
            let content_type = headers.remove(http::header::CONTENT_TYPE);
            Stage::Reading(Box::pin(read(caller, asked, content_type, body, cors)))
        }
        Route::Callback {
            callback,
            texts,
            cors,
        } => {
            let callback = Some(Box::new(callback));
            if !request.body().is_end_stream() {
                // It stays where its end is looked for.
                let stage = Stage::exchange(caller, asked, texts, Shape { callback, cors });
                return at_once(stage, asking);
            }
            Stage::exchange(caller, asked, texts, Shape { callback, cors })
        }
    };
    Responding {
        stage,
        asking,
        alike,
    }
}

/// A response on its way.
pub(crate) struct Responding {
    stage: Stage,
    asking: Option<Asking>,
    /// A head that is answered like its own, if it can wait apart from its connection.
    alike: Option<&'static [u8]>,
}

impl Responding {
    /// Whether it may be written to a connection that has read a like head in its place: the engine has all that
    /// there is to read of its own.
    pub(crate) fn alike(&self) -> Option<&'static [u8]> {
        match self.stage {
            Stage::Waiting(_) | Stage::Answered(_) => self.alike,
            Stage::Reading(_) | Stage::Over => None,
        }
    }

    /// Ready once there is a response.
    pub(crate) fn poll_answered(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            self.stage = match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Reading(mut reading) => match reading.as_mut().poll(cx) {
                    Poll::Ready(next) => next,
                    Poll::Pending => {
                        self.stage = Stage::Reading(reading);
                        return Poll::Pending;
                    }
                },
                Stage::Waiting(waiting) => match waiting.exchange.poll_outcome(cx) {
                    Poll::Ready(outcome) => Stage::answered(waiting.respond(outcome)),
                    Poll::Pending => {
                        self.stage = Stage::Waiting(waiting);
                        return Poll::Pending;
                    }
                },
                answered @ Stage::Answered(_) => {
                    self.stage = answered;
                    return Poll::Ready(());
                }
                Stage::Over => return Poll::Pending,
            };
        }
    }
}

/// How far it is. Most requests that there are at a time wait for the engine, so that stage is small and the
/// others are elsewhere.
enum Stage {
    /// The body is being read.
    Reading(Pin<Box<dyn Future<Output = Self> + Send>>),
    /// The engine is to answer.
    Waiting(Waiting),
    /// There it is.
    Answered(Box<Response<Body>>),
    Over,
}

impl Stage {
    fn answered(response: Response<Body>) -> Self {
        Self::Answered(Box::new(response))
    }

    /// Has the engine answer the messages.
    fn exchange(caller: Arc<Caller>, asked: Asked, texts: Vec<Bytes>, shape: Shape) -> Self {
        match Messages::decode_all(texts, &caller.gateway.router.site.decode) {
            Ok(messages) => Self::Waiting(Waiting::new(caller, asked, messages, shape)),
            Err(error) => Self::failed(&caller, Failure::Frame(error), &shape.cors),
        }
    }

    fn failed(caller: &Caller, failure: Failure, cors: &Cors) -> Self {
        failure.count(&caller.gateway.router.site.tally);
        Self::answered(refusal(failure.refusal(cors)))
    }
}

impl Future for Responding {
    type Output = Response<Body>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response<Body>> {
        ready!(self.poll_answered(cx));
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Answered(response) => {
                let asking = self.asking.take();
                Poll::Ready(response.map(|body| body.to(asking)))
            }
            Stage::Reading(_) | Stage::Waiting(_) | Stage::Over => Poll::Pending,
        }
    }
}

/// Reads the body, and has the engine answer what is in it.
async fn read<B>(
    caller: Arc<Caller>,
    asked: Asked,
    content_type: Option<HeaderValue>,
    body: B,
    cors: Cors,
) -> Stage
where
    B: http_body::Body + Unpin,
{
    match texts_of(&caller, content_type, body).await {
        Ok(texts) => {
            let callback = None;
            Stage::exchange(caller, asked, texts, Shape { callback, cors })
        }
        Err(failure) => Stage::failed(&caller, failure, &cors),
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

/// Whether it has no more than one `Host`, and over HTTP/1.1 not less (RFC 9112, section 3.2): the own
/// origin is told by it.
fn names_one_host<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let has_one = hosts.next().is_some();
    let has_more = hosts.next().is_some();
    !has_more && (has_one || request.version() != Version::HTTP_11)
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
    fn count(&self, tally: &Tally) {
        match self {
            Self::Body(BodyFailure::TooLarge) => tally.too_large.up(),
            Self::Body(BodyFailure::TooSlow) => tally.bodies_late.up(),
            Self::Body(BodyFailure::Broken) => tally.bodies_broken.up(),
            Self::Form(_) => tally.not_messages.up(),
            Self::Frame(error) => tally.unusable(*error),
        }
    }

    fn refusal(&self, cors: &Cors) -> Refusal {
        match self {
            Self::Body(BodyFailure::TooLarge) => Refusal::too_large(cors),
            Self::Body(BodyFailure::TooSlow) => Refusal::new(408, "too slow", cors),
            Self::Body(BodyFailure::Broken) => Refusal::bad_request("no body", cors),
            Self::Form(error) => Refusal::bad_request(error.as_str(), cors),
            Self::Frame(error) => Refusal::undecodable(*error, cors),
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

/// A request that waits for its answer.
struct Waiting {
    caller: Arc<Caller>,
    exchange: Arc<Exchange>,
    engagement: Engagement,
    shape: Shape,
    scheme: Scheme,
    version: HttpVersion,
}

impl Waiting {
    fn new(caller: Arc<Caller>, asked: Asked, messages: Messages, shape: Shape) -> Self {
        let Asked { peer, scheme } = asked;
        let transport = match shape.callback {
            Some(_) => Transport::CallbackPolling,
            None => Transport::LongPolling,
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
        Self {
            caller,
            exchange,
            engagement,
            shape,
            scheme,
            version,
        }
    }

    fn respond(self, outcome: Outcome) -> Response<Body> {
        let Self {
            caller,
            exchange,
            engagement,
            shape,
            scheme,
            version,
        } = self;
        let (mut response, is_last) = match outcome {
            Outcome::Answered(batch) => {
                let delivery = Delivery {
                    engagement,
                    exchange,
                };
                let response = answer(&caller, &batch, delivery, &shape, scheme);
                (response, batch.is_last())
            }
            Outcome::Closed(reason) => {
                drop(engagement);
                let duplicate = caller.gateway.router.site.duplicate_status;
                let response = refusal(Refusal::closed(reason, duplicate, &shape.cors));
                (response, reason == CloseReason::Shutdown)
            }
        };
        if is_last && version == HttpVersion::One {
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
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
