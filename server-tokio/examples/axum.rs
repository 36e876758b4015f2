//! A Bayeux server inside of an axum application, whose own routes publish and subscribe.
//!
//! ```sh
//! cargo run -p bayeux-server-tokio --example axum
//! ```
//!
//! JSON that is sent to `/say` goes to all who have subscribed to `/chat` at `/bayeux`. Whoever asks
//! for `/next` waits for what is said next, there or here.

use std::error::Error;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::IntoMakeServiceWithConnectInfo;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{Response, StatusCode};
use axum::routing::{any, get, post};
use bayeux_core::http::Scheme;
use bayeux_core::{ChannelName, Payload};
use bayeux_server_tokio::{CallError, Handle, Running, Server, Service};
use futures_util::StreamExt as _;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    let running = Server::builder().start().await?;
    println!("http://{}/bayeux, /say and /next", listener.local_addr()?);

    tokio::select! {
        result = axum::serve(listener, application(&running)) => result?,
        result = tokio::signal::ctrl_c() => result?,
    }
    running.shutdown().await;
    Ok(())
}

fn application(running: &Running) -> IntoMakeServiceWithConnectInfo<Router, SocketAddr> {
    let bayeux = any(bayeux).with_state(running.service());
    Router::new()
        .route("/say", post(say))
        .route("/next", get(next))
        .route("/bayeux", bayeux.clone())
        .route("/bayeux/{*rest}", bayeux)
        .with_state(running.handle())
        .into_make_service_with_connect_info()
}

/// Bayeux, told who comes: there are limits for each address.
async fn bayeux(
    State(service): State<Service>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response<Body> {
    let Ok(response) = service.of(peer, Scheme::Http).answer(request).await;
    response.map(Body::new)
}

async fn say(State(handle): State<Handle>, json: String) -> Result<StatusCode, StatusCode> {
    let data = Payload::parse(json).map_err(|_| StatusCode::BAD_REQUEST)?;
    handle.publish(chat(), data).await.map_err(status)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn next(State(handle): State<Handle>) -> Result<String, StatusCode> {
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
fn serve(listener: std::net::TcpListener, running: &Running) {
    let application = application(running);
    std::thread::spawn(move || {
        let mut tokio = tokio::runtime::Builder::new_current_thread();
        let tokio = tokio.enable_all().build().unwrap();
        tokio.block_on(async {
            listener.set_nonblocking(true).unwrap();
            let listener = TcpListener::from_std(listener).unwrap();
            axum::serve(listener, application).await
        })
    });
}
