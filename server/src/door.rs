//! Where requests come in: sockets of our own, and services that other applications mount.

use std::convert::Infallible;
use std::future::{Future, poll_fn, ready};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use ::http::{Request, Response};
use bayeux_core::http::Scheme;
use futures_util::FutureExt;
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::server::conn::http2;
use hyper::service::service_fn;

use crate::admission::Admitted;
use crate::entrance::Entrance;
use crate::http::{Body, Caller, respond};
use crate::line::Line;
use crate::requests::Requests;
use crate::router::Gateway;
use crate::runtime::{Runtime, Task};
use crate::socket::Socket;
use crate::websocket::{take_over, take_over_opaque};

/// What an HTTP/2 connection begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How many streams an HTTP/2 connection may have: the polls of many sessions may share one.
const STREAMS: u32 = 128;

/// How much a peer may send on one of them, and on all together, before it is read.
const WINDOWS: (u32, u32) = (64 << 10, 1 << 20);

/// How much of a response waits in a stream's buffer.
const WAITING: usize = 64 << 10;

/// How large the headers of a request may be, decoded.
const HEADERS: u32 = 16 << 10;

/// Serves sockets on the thread of one shard.
#[derive(Clone)]
pub(crate) struct Door {
    gateway: Gateway,
    runtime: Runtime,
}

impl Door {
    pub(crate) fn new(gateway: Gateway, runtime: Runtime) -> Self {
        Self { gateway, runtime }
    }

    /// Serves a socket that was accepted to its end: over TLS if the server has a certificate. Websockets go
    /// on as tasks of their own.
    pub(crate) fn accept<T>(
        self,
        io: T,
        address: SocketAddr,
        admitted: Admitted,
    ) -> impl Future<Output = ()> + Send + use<T>
    where
        T: Read + Write + Unpin + Send + 'static,
    {
        // In a box, which is given back before most of the time is spent.
        Box::pin(self.begin(io, address, admitted)).flatten()
    }

    /// Finds out what a socket speaks; what is left to do with it then.
    async fn begin<T>(self, io: T, address: SocketAddr, admitted: Admitted) -> Task
    where
        T: Read + Write + Unpin + Send + 'static,
    {
        let site = &self.gateway.router.site;
        let Some(tls) = &site.tls else {
            return self.serve(io, address, Scheme::Http, admitted).await;
        };
        let handshake = self.runtime.within(site.deadlines.tls, tls.handshake(io));
        match handshake.await {
            Some(Ok(io)) => return self.serve(io, address, Scheme::Https, admitted).await,
            Some(Err(error)) => {
                site.tally.tls_handshakes_failed.up();
                tracing::debug!(%error, "a TLS handshake failed");
            }
            None => {
                site.tally.tls_handshakes_late.up();
                tracing::debug!("a TLS handshake took too long");
            }
        }
        Box::pin(ready(()))
    }

    /// Finds out whether a peer speaks HTTP/2, which it begins with, or HTTP/1.
    async fn serve<T>(self, io: T, address: SocketAddr, scheme: Scheme, admitted: Admitted) -> Task
    where
        T: Read + Write + Unpin + Send + 'static,
    {
        let entrance = admitted.entrance();
        let line = Line::of_requests(self.gateway.clone());
        let mut socket = Socket::new(io, Arc::clone(&line), Some(admitted));
        let Ok(is_http2) = poll_fn(|cx| socket.poll_preface(cx, PREFACE)).await else {
            return Box::pin(ready(()));
        };
        let caller = Caller {
            gateway: self.gateway,
            runtime: self.runtime,
            line: Some(line),
            address: Some(address),
            scheme,
            entrance,
            take_over: take_over::<T>,
        };
        if is_http2 {
            Box::pin(serve_http2(socket, Arc::new(caller)))
        } else {
            Box::pin(Requests::new(socket, caller))
        }
    }
}

/// Serves an HTTP/2 connection to its end.
fn serve_http2<T>(socket: Socket<T>, caller: Arc<Caller>) -> impl Future<Output = ()> + Send
where
    T: Read + Write + Unpin + Send + 'static,
{
    socket.line().speaks_http2();
    let runtime = caller.runtime.clone();
    let patience = caller.gateway.router.site.patience.write;
    let answering = Arc::clone(&caller);
    let service = service_fn(move |request: Request<Incoming>| {
        respond(Arc::clone(&answering), request).map(Ok::<_, Infallible>)
    });
    let serving = http2::Builder::new(runtime.clone())
        .timer(runtime)
        .enable_connect_protocol()
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(WINDOWS.0)
        .initial_connection_window_size(WINDOWS.1)
        .max_send_buf_size(WAITING)
        .max_header_list_size(HEADERS)
        .keep_alive_interval(patience)
        .keep_alive_timeout(patience)
        .serve_connection(socket, service);
    serving.map(move |served| {
        if let Err(error) = served {
            caller.broken(&error);
        }
    })
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door")
            .field("place", &self.gateway.place)
            .finish_non_exhaustive()
    }
}

/// The server as a service for a path of another application: every request is taken as ours,
/// whatever its path.
///
/// Its sockets stay where they are; all that they bring is handed to the shards. A response counts
/// as written when the application's HTTP library has taken it: nobody above can know more.
#[derive(Clone)]
pub struct Service {
    caller: Arc<Caller>,
}

impl Service {
    pub(crate) fn new(gateway: Gateway, runtime: Runtime) -> Self {
        let caller = Caller {
            gateway,
            runtime,
            line: None,
            address: None,
            scheme: Scheme::Http,
            entrance: Entrance::Clients,
            take_over: take_over_opaque,
        };
        Self {
            caller: Arc::new(caller),
        }
    }

    /// The same for the requests of one connection, which comes from `address` by `scheme`: for the
    /// limits per address, and for deciders. Without, the limits per address do not hold.
    #[must_use]
    pub fn of(&self, address: SocketAddr, scheme: Scheme) -> Self {
        let Caller {
            gateway,
            runtime,
            line,
            entrance,
            take_over,
            ..
        } = &*self.caller;
        let caller = Caller {
            gateway: gateway.clone(),
            runtime: runtime.clone(),
            line: line.clone(),
            address: Some(address),
            scheme,
            entrance: *entrance,
            take_over: *take_over,
        };
        Self {
            caller: Arc::new(caller),
        }
    }

    /// Answers a request.
    pub fn answer<B>(&self, request: Request<B>) -> Answer
    where
        B: http_body::Body + Unpin + Send + 'static,
        B::Data: Send,
    {
        Box::pin(respond(Arc::clone(&self.caller), request).map(Ok))
    }
}

/// A response on its way. Dropped, it tells the shards that the client went away.
pub type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl<B> hyper::service::Service<Request<B>> for Service
where
    B: http_body::Body + Unpin + Send + 'static,
    B::Data: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, request: Request<B>) -> Answer {
        self.answer(request)
    }
}

#[cfg(feature = "tower")]
impl<B> tower_service::Service<Request<B>> for Service
where
    B: http_body::Body + Unpin + Send + 'static,
    B::Data: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answer {
        self.answer(request)
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service")
            .field("address", &self.caller.address)
            .finish_non_exhaustive()
    }
}
