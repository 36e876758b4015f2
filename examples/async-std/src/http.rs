//! HTTP by hyper: one request after another on each TCP connection, and the way to a websocket.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use async_std::future::timeout;
use async_std::net::TcpStream;
use async_std::task;
use async_tungstenite::tungstenite::handshake::derive_accept_key;
use bayeux_core::http::{
    Callback, Cors, Refusal, RequestHead, ResponseHead, Route, Scheme, body_texts, route,
};
use bayeux_core::{Batch, BrowserId, Input, Messages, Peer, Transport};
use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use smol_hyper::rt::{FuturesIo, SmolTimer};

use crate::net::{Connection, Net, Order, PATIENCE, SILENCE};
use crate::websocket;

/// The status for a connect that a newer one replaced.
const DUPLICATE: u16 = 500;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Serves one TCP connection to its end.
pub(crate) async fn serve(net: Arc<Net>, stream: TcpStream, address: SocketAddr) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let net = Arc::clone(&net);
        async move { Ok::<_, Infallible>(respond(net, address, request).await) }
    });
    // Whatever ends a connection was told to the engine, and nobody else wants to know.
    let _ = http1::Builder::new()
        .timer(SmolTimer::new())
        .header_read_timeout(SILENCE)
        .serve_connection(FuturesIo::new(stream), service)
        .with_upgrades()
        .await;
}

async fn respond(net: Arc<Net>, address: SocketAddr, request: Request<Incoming>) -> Response<Body> {
    if !names_one_host(&request) {
        return refuse(&Refusal::bad_request(
            "not one Host header",
            &Cors::default(),
        ));
    }
    let (peer, route) = {
        let head = head_of(&request);
        let peer = Peer {
            address: Some(address.ip()).filter(|address| !address.is_loopback()),
            browser: net.cookie.find(&head).and_then(BrowserId::parse),
            ..Peer::default()
        };
        (peer, route(&head, &net.options))
    };
    match route {
        Route::NotOurs => refuse(&Refusal::not_found()),
        Route::Refuse(refusal) => refuse(&refusal),
        Route::Preflight(head) => response(&head, Body::default()),
        Route::WebSocket { protocol } => upgrade(net, peer, request, protocol.as_deref()),
        Route::Callback {
            callback,
            texts,
            cors,
        } => exchange(&net, peer, texts, Some(&callback), &cors).await,
        Route::Poll { cors } => match read(&net, request, &cors).await {
            Ok(texts) => exchange(&net, peer, texts, None, &cors).await,
            Err(refusal) => refuse(&refusal),
        },
    }
}

/// Tells the engine what has come, and makes a response of what it orders. If the peer goes away
/// meanwhile, hyper drops this, and the connection with it.
async fn exchange(
    net: &Arc<Net>,
    peer: Peer,
    texts: Vec<Bytes>,
    callback: Option<&Callback>,
    cors: &Cors,
) -> Response<Body> {
    let messages = match Messages::decode_all(texts, &net.limits) {
        Ok(messages) => messages,
        Err(error) => return refuse(&Refusal::undecodable(error, cors)),
    };
    let transport = match callback {
        Some(_) => Transport::CallbackPolling,
        None => Transport::LongPolling,
    };
    let mut connection = Connection::open(net, transport, peer);
    net.say(Input::Received {
        connection: connection.name,
        messages,
    });
    match connection.orders.next().await {
        Some(Order::Send(batch)) => answer(net, connection, &batch, callback, cors),
        Some(Order::Close(reason)) => refuse(&Refusal::closed(reason, DUPLICATE, cors)),
        Some(Order::Receive) | None => refuse(&Refusal::unavailable(cors)),
    }
}

fn answer(
    net: &Net,
    connection: Connection,
    batch: &Batch,
    callback: Option<&Callback>,
    cors: &Cors,
) -> Response<Body> {
    let array = batch.frames().next().cloned().unwrap_or_default();
    let (mut head, content) = match callback {
        Some(callback) => (ResponseHead::script(cors), callback.wrap(&array)),
        None => (ResponseHead::json(cors), array),
    };
    let cookie = batch.cookie();
    let cookie = cookie.map(|browser| net.cookie.set(&browser.text(), Scheme::Http));
    head.headers.extend(cookie);

    // Written is what hyper has taken: it does not say more. Dropped before, it is not.
    let mut connection = Some(connection);
    let body = Full::new(content).map_frame(move |frame| {
        if let Some(connection) = connection.take() {
            connection.written_and_over();
        }
        frame
    });
    let mut response = response(&head, body.boxed_unsync());
    if batch.is_last() {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    response
}

/// Agrees to open a websocket, and starts the task that serves it.
fn upgrade(
    net: Arc<Net>,
    peer: Peer,
    mut request: Request<Incoming>,
    protocol: Option<&str>,
) -> Response<Body> {
    let key = request.headers().get("sec-websocket-key");
    let accept = derive_accept_key(key.map_or(b"", HeaderValue::as_bytes));
    let agreed = Response::builder()
        .status(101)
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-accept", accept);
    let agreed = match protocol {
        Some(protocol) => agreed.header("sec-websocket-protocol", protocol),
        None => agreed,
    };
    let upgraded = hyper::upgrade::on(&mut request);
    task::spawn(async move {
        if let Ok(upgraded) = upgraded.await {
            websocket::serve(net, upgraded, peer).await;
        }
    });
    agreed.body(Body::default()).unwrap_or_default()
}

/// The texts in the body of a request.
async fn read(net: &Net, request: Request<Incoming>, cors: &Cors) -> Result<Vec<Bytes>, Refusal> {
    if request.body().size_hint().lower() > net.limits.max_size as u64 {
        return Err(Refusal::too_large(cors)); // It says so before it comes.
    }
    let content_type = request.headers().get(CONTENT_TYPE).cloned();
    let body = Limited::new(request.into_body(), net.limits.max_size).collect();
    let body = match timeout(PATIENCE, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(Refusal::too_large(cors)),
        Ok(Err(_)) => return Err(Refusal::bad_request("no body", cors)),
        Err(_) => return Err(Refusal::new(408, "too slow", cors)),
    };
    let content_type = content_type.as_ref().and_then(|it| it.to_str().ok());
    body_texts(content_type, &body).map_err(|error| Refusal::bad_request(error.as_str(), cors))
}

fn head_of(request: &Request<Incoming>) -> RequestHead<'_> {
    let target = request.uri().path_and_query().map_or("/", |it| it.as_str());
    let headers = request.headers().iter();
    let headers = headers.map(|(name, value)| (name.as_str(), value.as_bytes()));
    RequestHead::new(request.method().as_str(), target, headers)
}

/// The own origin is told by the `Host`, so there must be one and no more.
fn names_one_host(request: &Request<Incoming>) -> bool {
    match request.headers().get_all(HOST).iter().count() {
        0 => request.version() == Version::HTTP_10,
        count => count == 1,
    }
}

fn refuse(refusal: &Refusal) -> Response<Body> {
    let body = Full::from(refusal.text);
    response(&refusal.head, body.boxed_unsync())
}

fn response(head: &ResponseHead, body: Body) -> Response<Body> {
    let mut response = Response::builder().status(head.status);
    for header in &head.headers {
        response = response.header(header.name, &*header.value);
    }
    response.body(body).unwrap_or_default()
}
