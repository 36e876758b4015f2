//! A Bayeux server inside of a hyper application: mounted at `/bayeux` beside a route of the
//! application's own, with a decider and a publish through the handle.
//!
//! ```sh
//! cargo run -p bayeux-server-tokio --example mounted
//! ```
//!
//! Then `/time` answers with the time since the start, and clients that subscribe to `/time` at
//! `/bayeux` are told it every second.

use std::convert::Infallible;
use std::error::Error;
use std::time::{Duration, Instant};

use bayeux_core::http::Scheme;
use bayeux_core::{Operations, Payload, Question, Role, Subject, Verdict};
use bayeux_server_tokio::{Body, Handle, Running, Server, Service};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    let running = start().await?;
    println!("http://{}/time and /bayeux", listener.local_addr()?);

    let started = Instant::now();
    tokio::select! {
        result = serve(listener, running.service(), started) => result?,
        result = tick(running.handle(), started) => result?,
        result = tokio::signal::ctrl_c() => result?,
    }
    running.shutdown().await;
    Ok(())
}

/// The Bayeux server: no listener of its own, and only the application publishes to `/time`.
async fn start() -> Result<Running, Box<dyn Error>> {
    let running = Server::builder().start().await?;
    let publishes = Operations {
        publish: true,
        ..Operations::default()
    };
    let decide = async |question: Question| {
        let of_time = matches!(&question.subject, Subject::Publish(channel, _) if channel.as_str() == "/time");
        if of_time {
            Verdict::Deny(Box::default())
        } else {
            Verdict::Allow
        }
    };
    running
        .handle()
        .add_decider(Role::Policy(publishes), decide)
        .await?;
    Ok(running)
}

/// Tells the time to whoever has subscribed to it.
async fn tick(handle: Handle, started: Instant) -> Result<(), Box<dyn Error>> {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    loop {
        seconds.tick().await;
        let time = Payload::parse(started.elapsed().as_secs().to_string())?;
        handle.publish("/time".parse()?, time).await?;
    }
}

/// Serves the application, until it cannot accept any more.
async fn serve(listener: TcpListener, bayeux: Service, started: Instant) -> std::io::Result<()> {
    loop {
        let (socket, peer) = listener.accept().await?;
        let bayeux = bayeux.of(peer, Scheme::Http);
        let application = service_fn(move |request| route(request, bayeux.clone(), started));
        let serving = http1::Builder::new()
            .serve_connection(TokioIo::new(socket), application)
            // For websockets.
            .with_upgrades();
        tokio::spawn(serving);
    }
}

async fn route(
    request: Request<Incoming>,
    bayeux: Service,
    started: Instant,
) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path();
    if path == "/bayeux" || path.starts_with("/bayeux/") {
        return bayeux.answer(request).await;
    }
    let (status, text) = match path {
        "/time" => (StatusCode::OK, format!("{}\n", started.elapsed().as_secs())),
        _ => (StatusCode::NOT_FOUND, "not here\n".into()),
    };
    let mut response = Response::new(Body::from(Bytes::from(text)));
    *response.status_mut() = status;
    Ok(response)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use futures_util::StreamExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;

    async fn ask(address: SocketAddr, request: &str) -> String {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        socket.read_to_string(&mut response).await.unwrap();
        response
    }

    async fn post(address: SocketAddr, body: &str) -> String {
        let length = body.len();
        let request = format!(
            "POST /bayeux HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        ask(address, &request).await
    }

    #[tokio::test]
    async fn both_are_served_and_the_time_is_the_applications_to_tell() {
        let running = start().await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let started = Instant::now();
        let handle = running.handle();
        let mut times = handle.subscribe("/time".parse().unwrap()).await.unwrap();
        tokio::spawn(serve(listener, running.service(), started));
        tokio::spawn(async move { tick(handle, started).await.map_err(drop) });

        let event = times.next().await.unwrap();
        assert_eq!(event.channel.as_deref(), Some("/time"));

        let get = "GET /time HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        assert!(ask(address, get).await.starts_with("HTTP/1.1 200"));
        let get = get.replace("time", "other");
        assert!(ask(address, &get).await.starts_with("HTTP/1.1 404"));

        let welcome = post(
            address,
            r#"[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"]}]"#,
        )
        .await;
        let (_, rest) = welcome.split_once(r#""clientId":""#).unwrap();
        let session = rest.split_once('"').unwrap().0;
        let publish =
            |channel| format!(r#"[{{"channel":"{channel}","clientId":"{session}","data":1}}]"#);
        let refused = post(address, &publish("/time")).await;
        assert!(refused.contains(r#""successful":false"#), "{refused}");
        let taken = post(address, &publish("/chat")).await;
        assert!(taken.contains(r#""successful":true"#), "{taken}");
        drop(times);
        running.shutdown().await;
    }
}
