//! A server inside of an application: its handle, its deciders, and its service at a path of the
//! application's own.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what goes wrong here is to be seen"
)]

use std::num::NonZeroU32;
use std::time::Duration;

use bayeux_core::http::Scheme;
use bayeux_core::{Operations, Payload, Role, Verdict};
use bayeux_server_tokio::{CallError, Running, Server};
use futures_util::StreamExt as _;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const HANDSHAKE: &str = r#"[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"]}]"#;

async fn started() -> Running {
    let builder = Server::builder().shards(NonZeroU32::new(3).unwrap());
    let mut builder = builder.listen("127.0.0.1:0".parse().unwrap());
    builder.settings().shutdown_window = Duration::from_millis(100);
    builder.start().await.unwrap()
}

/// The response to a POST on a connection of its own.
async fn post(address: std::net::SocketAddr, path: &str, body: &str) -> String {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all((head + body).as_bytes()).await.unwrap();
    let mut response = String::new();
    let reading = socket.read_to_string(&mut response);
    timeout(Duration::from_secs(10), reading)
        .await
        .unwrap()
        .unwrap();
    response
}

fn session_in(response: &str) -> &str {
    let (_, rest) = response.split_once(r#""clientId":""#).unwrap();
    rest.split_once('"').unwrap().0
}

#[tokio::test]
async fn what_is_published_arrives_at_a_subscription_in_order() {
    let running = started().await;
    let handle = running.handle();
    let mut news = handle.subscribe("/news/*".parse().unwrap()).await.unwrap();

    for number in 0..500 {
        let data = Payload::parse(number.to_string()).unwrap();
        handle
            .publish("/news/a".parse().unwrap(), data)
            .await
            .unwrap();
    }

    for number in 0..500 {
        let event = timeout(Duration::from_secs(10), news.next())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(event.channel.as_deref(), Some("/news/a"));
        assert_eq!(event.data.unwrap().as_str(), number.to_string());
    }
    assert_eq!(handle.sessions().await.unwrap(), [news.session()]);
    let session = news.session();
    drop(news);
    assert_eq!(handle.inspect(session).await, Err(CallError::Unknown));
    running.shutdown().await;
}

#[tokio::test]
async fn a_decider_is_asked_on_every_shard_until_it_is_removed() {
    let running = started().await;
    let address = running.addresses()[0];
    let handle = running.handle();
    let role = Role::Policy(Operations {
        handshake: true,
        ..Operations::default()
    });
    let decider = handle.add_decider(role, async |_| {
        tokio::task::yield_now().await;
        Verdict::Deny(Box::default())
    });
    let decider = decider.await.unwrap();

    for _ in 0..6 {
        let refused = post(address, "/bayeux", HANDSHAKE).await;
        assert!(refused.contains(r#""successful":false"#), "{refused}");
    }

    handle.remove_decider(decider).await.unwrap();
    let welcome = post(address, "/bayeux", HANDSHAKE).await;
    assert!(welcome.contains(r#""successful":true"#), "{welcome}");
    running.shutdown().await;
}

#[tokio::test]
async fn a_decider_that_panics_denies_what_it_should_allow_and_stops_nothing_else() {
    let running = started().await;
    let address = running.addresses()[0];
    let handle = running.handle();

    let at_once = |_| -> std::future::Ready<Verdict> { panic!("at once, as it should") };
    let later = async |_| -> Verdict {
        tokio::task::yield_now().await;
        panic!("later, as it should")
    };
    for is_later in [false, true] {
        let role = Role::Policy(Operations::ALL);
        let policy = if is_later {
            handle.add_decider(role, later).await
        } else {
            handle.add_decider(role, at_once).await
        };
        for _ in 0..6 {
            let refused = post(address, "/bayeux", HANDSHAKE).await;
            assert!(refused.contains("403::handshake_denied"), "{refused}");
        }
        handle.remove_decider(policy.unwrap()).await.unwrap();

        let extension = if is_later {
            handle.add_decider(Role::Incoming, later).await
        } else {
            handle.add_decider(Role::Incoming, at_once).await
        };
        for _ in 0..6 {
            let welcome = post(address, "/bayeux", HANDSHAKE).await;
            assert!(welcome.contains(r#""successful":true"#), "{welcome}");
        }
        handle.remove_decider(extension.unwrap()).await.unwrap();
    }
    running.shutdown().await;
}

#[tokio::test]
async fn a_listener_that_panics_stops_nothing() {
    let builder = Server::builder().shards(NonZeroU32::new(1).unwrap());
    let builder = builder.reports(|_| panic!("as it should"));
    let running = builder.listen("127.0.0.1:0".parse().unwrap()).start().await;
    let running = running.unwrap();

    for _ in 0..2 {
        let welcome = post(running.addresses()[0], "/bayeux", HANDSHAKE).await;
        assert!(welcome.contains(r#""successful":true"#), "{welcome}");
    }
    running.shutdown().await;
}

#[tokio::test]
async fn a_session_is_found_from_whichever_shard_its_requests_reach() {
    let running = started().await;
    let address = running.addresses()[0];
    let welcome = post(address, "/bayeux", HANDSHAKE).await;
    let session = session_in(&welcome);

    for _ in 0..6 {
        let connect = format!(
            r#"[{{"channel":"/meta/connect","clientId":"{session}","connectionType":"long-polling","advice":{{"timeout":0}}}}]"#
        );
        let reply = post(address, "/cometd/connect", &connect).await;
        assert!(reply.contains(r#""successful":true"#), "{reply}");
    }

    assert!(running.handle().crossed() > 0, "some came to other shards");
    running.shutdown().await;
}

#[tokio::test]
async fn a_service_is_mounted_in_another_server_at_any_path() {
    let running = started().await;
    let service = running.service();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, peer)) = listener.accept().await {
            let service = service.of(peer, Scheme::Http);
            let serving = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
            tokio::spawn(serving.with_upgrades());
        }
    });

    let welcome = post(address, "/any/path", HANDSHAKE).await;
    assert!(welcome.contains(r#""successful":true"#), "{welcome}");
    let sessions = running.handle().sessions().await.unwrap();
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0].text(), session_in(&welcome));

    let mut socket = TcpStream::connect(address).await.unwrap();
    let upgrade = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    socket.write_all(upgrade.as_bytes()).await.unwrap();
    // "{}" with the mask 0.
    socket
        .write_all(&[0x81, 0x82, 0, 0, 0, 0, b'{', b'}'])
        .await
        .unwrap();
    let mut response = Vec::new();
    while !String::from_utf8_lossy(&response).contains("successful") {
        let read = timeout(Duration::from_secs(10), socket.read_buf(&mut response)).await;
        assert!(
            read.unwrap().unwrap() > 0,
            "{}",
            String::from_utf8_lossy(&response)
        );
    }
    running.shutdown().await;
}

#[tokio::test]
async fn at_shutdown_a_held_connect_is_answered_and_calls_end() {
    let running = started().await;
    let address = running.addresses()[0];
    let handle = running.handle();
    let welcome = post(address, "/bayeux", HANDSHAKE).await;
    let connect = format!(
        r#"[{{"channel":"/meta/connect","clientId":"{}","connectionType":"long-polling"}}]"#,
        session_in(&welcome)
    );
    post(address, "/bayeux", &connect).await;
    let held = tokio::spawn(async move { post(address, "/bayeux", &connect).await });
    let is_held = async { while handle.counters().await.unwrap().connects_held == 0 {} };
    timeout(Duration::from_secs(10), is_held)
        .await
        .expect("the connect is held");

    running.shutdown().await;

    let answer = held.await.unwrap();
    assert!(answer.contains("/meta/connect"), "{answer}");
    let late = timeout(Duration::from_secs(5), handle.sessions()).await;
    assert_eq!(
        late.expect("a stopped server says so"),
        Err(CallError::Stopped)
    );
}
