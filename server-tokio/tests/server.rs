//! What a server does inside of an application, on tokio.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what goes wrong here is to be seen"
)]

use std::net::TcpListener;

use bayeux_core::http::Scheme;
use bayeux_server_tokio as server;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;

#[path = "../../server/tests/of_both/access.rs"]
mod access;
#[path = "../../server/tests/of_both/embedding.rs"]
mod embedding;
#[path = "../../server/tests/of_both/limits.rs"]
mod limits;
#[path = "../../server/tests/of_both/metrics.rs"]
mod metrics;
#[path = "../../server/tests/of_both/tls.rs"]
mod tls;

/// Runs a future of an application to its end.
fn run<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap().block_on(future)
}

/// Serves an application that is nothing but this service.
fn mount(listener: TcpListener, service: server::Service) {
    run(async {
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        while let Ok((socket, peer)) = listener.accept().await {
            let service = service.of(peer, Scheme::Http);
            let serving = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
            tokio::spawn(serving.with_upgrades());
        }
    });
}
