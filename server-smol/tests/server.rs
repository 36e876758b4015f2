//! What a server does inside of an application, on smol.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what goes wrong here is to be seen"
)]

use std::net::TcpListener;

use async_executor::Executor;
use async_io::Async;
use bayeux_core::http::Scheme;
use bayeux_server_smol as server;
use hyper::server::conn::http1;
use smol_hyper::rt::FuturesIo;

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
    async_io::block_on(future)
}

/// Serves an application that is nothing but this service.
fn mount(listener: TcpListener, service: server::Service) {
    let executor = Executor::new();
    run(executor.run(async {
        let listener = Async::new(listener).unwrap();
        while let Ok((socket, peer)) = listener.accept().await {
            let service = service.of(peer, Scheme::Http);
            let serving = http1::Builder::new().serve_connection(FuturesIo::new(socket), service);
            executor.spawn(serving.with_upgrades()).detach();
        }
    }));
}
