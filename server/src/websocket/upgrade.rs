//! From a request to a websocket.

use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::handshake::derive_accept_key;
use async_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use bayeux_core::Peer;
use http::header::{
    CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    UPGRADE,
};
use http::{Method, Request, Response, StatusCode};
use hyper::rt::{Read, Write};
use hyper::upgrade::Upgraded;

use super::drive::Drive;
use super::stream::Stream;
use crate::http::{Body, Caller};
use crate::line::{Asking, Line};
use crate::router::Gateway;
use crate::runtime::Task;
use crate::socket::Socket;

/// What a websocket takes over from its request.
pub(crate) struct Handover {
    pub(crate) gateway: Gateway,
    pub(crate) peer: Peer,
    /// Keeps the connection below from being taken for idle.
    pub(crate) asking: Option<Asking>,
}

/// Agrees to open a websocket, and starts the task that runs it.
pub(crate) fn respond<B>(
    caller: &Caller,
    mut request: Request<B>,
    peer: Peer,
    protocol: Option<&str>,
    asking: Option<Asking>,
) -> Response<Body> {
    let mut response = Response::new(Body::default());
    let headers = response.headers_mut();
    if let Some(protocol) = protocol.and_then(|protocol| HeaderValue::from_str(protocol).ok()) {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    // HTTP/2 has agreed with a plain 200.
    if request.method() != Method::CONNECT {
        let key = request
            .headers()
            .get(SEC_WEBSOCKET_KEY)
            .map_or(&b""[..], HeaderValue::as_bytes);
        if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key)) {
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        }
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    }

    let upgrade = hyper::upgrade::on(&mut request);
    let handover = Handover {
        gateway: caller.gateway.clone(),
        peer,
        asking,
    };
    let (take_over, runtime) = (caller.take_over, caller.runtime.clone());
    caller.runtime.spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            // A task of its own, so that what the upgrade needed is not kept.
            runtime.spawn(take_over(upgraded, handover));
        }
    });
    response
}

/// Runs a websocket over the socket below an HTTP/1 connection of ours, or over a stream of an
/// HTTP/2 connection.
pub(crate) fn take_over<T>(upgraded: Upgraded, handover: Handover) -> Task
where
    T: Read + Write + Unpin + Send + 'static,
{
    match upgraded.downcast::<Socket<T>>() {
        Ok(parts) => {
            // A slice of hyper's read buffer, which it would keep alive.
            let early = parts.read_buf.to_vec();
            drop(parts.read_buf);
            Box::pin(run(parts.io, early, handover))
        }
        Err(upgraded) => take_over_opaque(upgraded, handover),
    }
}

/// Runs a websocket over a connection that another application owns.
pub(crate) fn take_over_opaque(upgraded: Upgraded, handover: Handover) -> Task {
    let line = Line::of_websocket(handover.gateway.clone());
    Box::pin(run(Socket::new(upgraded, line, None), Vec::new(), handover))
}

async fn run<T>(mut socket: Socket<T>, early: Vec<u8>, handover: Handover)
where
    T: Read + Write + Unpin + Send + 'static,
{
    let limit = Some(handover.gateway.router.site.decode.max_size);
    // Small buffers: tungstenite's own cost 134 KiB a connection and four times the time.
    let config = WebSocketConfig::default()
        .read_buffer_size(1024)
        .write_buffer_size(16 << 10)
        .max_write_buffer_size(64 << 10)
        .max_message_size(limit)
        .max_frame_size(limit);
    let line = std::sync::Arc::clone(socket.line());
    socket.becomes_websocket();
    let stream = Stream::new(socket, &early);
    let stream = if early.is_empty() {
        WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await
    } else {
        WebSocketStream::from_partially_read(stream, early, Role::Server, Some(config)).await
    };
    Box::pin(Drive::new(stream, line, handover)).await;
}
