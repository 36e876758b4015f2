//! A Bayeux server inside of a hyper application on smol, whose own routes publish and subscribe.
//!
//! ```sh
//! cargo run -p bayeux-server-smol --example mounted
//! ```
//!
//! JSON that is sent to `/say` goes to all who have subscribed to `/chat` at `/bayeux`. Whoever asks
//! for `/next` waits for what is said next, there or here.

use std::convert::Infallible;
use std::error::Error;
use std::io;

use bayeux_core::http::Scheme;
use bayeux_core::{ChannelName, Payload};
use bayeux_server_smol::{Body, CallError, Handle, Server, Service};
use futures_util::StreamExt as _;
use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use smol::net::TcpListener;
use smol_hyper::rt::FuturesIo;

fn main() -> Result<(), Box<dyn Error>> {
    smol::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:8080").await?;
        let running = Server::builder().start().await?;
        println!("http://{}/bayeux, /say and /next", listener.local_addr()?);
        run(listener, running.service(), running.handle()).await?;
        Ok(())
    })
}

/// Serves the application, until it cannot accept any more.
async fn run(listener: TcpListener, service: Service, handle: Handle) -> io::Result<()> {
    loop {
        let (socket, peer) = listener.accept().await?;
        // Told who comes: there are limits for each address.
        let bayeux = service.of(peer, Scheme::Http);
        let handle = handle.clone();
        let application = service_fn(move |request| {
            let (bayeux, handle) = (bayeux.clone(), handle.clone());
            route(request, bayeux, handle)
        });
        let serving = http1::Builder::new()
            .serve_connection(FuturesIo::new(socket), application)
            // For websockets.
            .with_upgrades();
        smol::spawn(serving).detach();
    }
}

async fn route(
    request: Request<Incoming>,
    bayeux: Service,
    handle: Handle,
) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path();
    if path == "/bayeux" || path.starts_with("/bayeux/") {
        return bayeux.answer(request).await;
    }
    let answered = match (request.method(), path) {
        (&Method::POST, "/say") => say(handle, request.into_body()).await,
        (&Method::GET, "/next") => next(handle).await,
        _ => Err(StatusCode::NOT_FOUND),
    };
    let (status, text) = match answered {
        Ok(text) => (StatusCode::OK, text),
        Err(status) => (status, String::new()),
    };
    let mut response = Response::new(Body::from(Bytes::from(text)));
    *response.status_mut() = status;
    Ok(response)
}

async fn say(handle: Handle, body: Incoming) -> Result<String, StatusCode> {
    let body = body.collect().await.map_err(|_| StatusCode::BAD_REQUEST)?;
    let json = String::from_utf8(body.to_bytes().into()).map_err(|_| StatusCode::BAD_REQUEST)?;
    let data = Payload::parse(json).map_err(|_| StatusCode::BAD_REQUEST)?;
    handle.publish(chat(), data).await.map_err(status)?;
    Ok(String::new())
}

async fn next(handle: Handle) -> Result<String, StatusCode> {
    let mut said = handle.subscribe(chat().into()).await.map_err(status)?;
    let event = said.next().await.and_then(|event| event.data);
    let data = event.ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(data.as_str().into())
}

#[expect(clippy::expect_used, reason = "it is written here")]
fn chat() -> ChannelName {
    "/chat".parse().expect("a channel")
}

fn status(_: CallError) -> StatusCode {
    StatusCode::SERVICE_UNAVAILABLE
}

#[cfg(test)]
#[path = "../../server/tests/of_both/chat.rs"]
mod tests;

/// Serves the application, for the test.
#[cfg(test)]
fn serve(listener: std::net::TcpListener, running: &bayeux_server_smol::Running) {
    let listener = smol::Async::new(listener).unwrap().into();
    smol::spawn(run(listener, running.service(), running.handle())).detach();
}
