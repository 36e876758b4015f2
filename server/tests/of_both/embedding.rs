//! A server inside of an application: its handle, its deciders, and its service at a path of the
//! application's own.

use std::future::{Future, poll_fn};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroU32;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bayeux_core::{Operations, Payload, Role, Verdict};
use futures_executor::block_on;
use futures_util::StreamExt as _;
use futures_util::future::{Either, select};
use hyper::Request;
use hyper::body::Body as _;

use crate::server::{Body, CallError, Handle, Running, Server, Service};

const PATIENCE: Duration = Duration::from_secs(30);

const HANDSHAKE: &str = r#"[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"]}]"#;

fn started() -> Running {
    let builder = Server::builder().shards(NonZeroU32::new(3).unwrap());
    let mut builder = builder.listen("127.0.0.1:0".parse().unwrap());
    builder.settings().shutdown_window = Duration::from_millis(100);
    block_on(builder.start()).unwrap()
}

fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// The response to a POST on a connection of its own.
fn post(address: SocketAddr, path: &str, body: &str) -> String {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    let mut socket = connect(address);
    socket.write_all((head + body).as_bytes()).unwrap();
    let mut response = String::new();
    socket.read_to_string(&mut response).unwrap();
    response
}

fn session_in(response: &str) -> &str {
    let (_, rest) = response.split_once(r#""clientId":""#).unwrap();
    rest.split_once('"').unwrap().0
}

/// A connect of `session`, long-polling.
fn connect_of(session: &str) -> String {
    format!(
        r#"[{{"channel":"/meta/connect","clientId":"{session}","connectionType":"long-polling"}}]"#
    )
}

/// The body of the answer to `messages`, of which nothing has been read.
async fn ask(service: &Service, messages: String) -> Body {
    let request = Request::post("/").header("Host", "a").body(messages);
    let Ok(response) = service.answer(request.unwrap()).await;
    response.into_body()
}

/// The body, read to its end.
async fn read(mut body: Body) -> String {
    let mut text = String::new();
    while let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        text += std::str::from_utf8(&frame.into_data().unwrap()).unwrap();
    }
    text
}

/// A session that has connected once and is subscribed to `/news`.
async fn reader(service: &Service) -> String {
    let welcome = read(ask(service, HANDSHAKE.to_owned()).await).await;
    let session = session_in(&welcome).to_owned();
    read(ask(service, connect_of(&session)).await).await;
    let subscribe = format!(
        r#"[{{"channel":"/meta/subscribe","clientId":"{session}","subscription":"/news"}}]"#
    );
    read(ask(service, subscribe).await).await;
    session
}

async fn publish(handle: &Handle, data: &str) {
    let data = Payload::parse(data.to_owned()).unwrap();
    handle
        .publish("/news".parse().unwrap(), data)
        .await
        .unwrap();
}

/// The answer to a connect, with the event 1 and unread, and a newer connect that waits for what becomes of it.
async fn older_and_newer(service: &Service, handle: &Handle) -> (Body, impl Future<Output = Body>) {
    let session = reader(service).await;
    publish(handle, "1").await;
    let older = ask(service, connect_of(&session)).await;

    let newer = Box::pin(ask(service, connect_of(&session)));
    match select(newer, Box::pin(held(handle))).await {
        Either::Left((body, _)) => panic!("answered with {}", read(body).await),
        Either::Right(((), newer)) => (older, newer),
    }
}

/// Resolves once a connect is held.
async fn held(handle: &Handle) {
    while handle.counters().await.unwrap().connects_held == 0 {
        later().await;
    }
}

/// Resolves a turn later.
fn later() -> impl Future<Output = ()> + Send {
    let mut is_later = false;
    poll_fn(move |cx| {
        cx.waker().wake_by_ref();
        if std::mem::replace(&mut is_later, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
}

#[test]
fn what_is_published_arrives_at_a_subscription_in_order() {
    let running = started();
    let handle = running.handle();
    let mut news = block_on(handle.subscribe("/news/*".parse().unwrap())).unwrap();

    for number in 0..500 {
        let data = Payload::parse(number.to_string()).unwrap();
        block_on(handle.publish("/news/a".parse().unwrap(), data)).unwrap();
    }

    for number in 0..500 {
        let event = block_on(news.next()).unwrap();
        assert_eq!(event.channel.as_deref(), Some("/news/a"));
        assert_eq!(event.data.unwrap().as_str(), number.to_string());
    }
    assert_eq!(block_on(handle.sessions()).unwrap(), [news.session()]);
    let session = news.session();
    drop(news);
    assert_eq!(block_on(handle.inspect(session)), Err(CallError::Unknown));
    block_on(running.shutdown());
}

#[test]
fn a_decider_is_asked_on_every_shard_until_it_is_removed() {
    let running = started();
    let address = running.addresses()[0];
    let handle = running.handle();
    let role = Role::Policy(Operations {
        handshake: true,
        ..Operations::default()
    });
    let decider = handle.add_decider(role, async |_| {
        later().await;
        Verdict::Deny(Box::default())
    });
    let decider = block_on(decider).unwrap();

    for _ in 0..6 {
        let refused = post(address, "/bayeux", HANDSHAKE);
        assert!(refused.contains(r#""successful":false"#), "{refused}");
    }

    block_on(handle.remove_decider(decider)).unwrap();
    let welcome = post(address, "/bayeux", HANDSHAKE);
    assert!(welcome.contains(r#""successful":true"#), "{welcome}");
    block_on(running.shutdown());
}

#[test]
fn a_decider_that_panics_denies_what_it_should_allow_and_stops_nothing_else() {
    let running = started();
    let address = running.addresses()[0];
    let handle = running.handle();

    let panics_at_once = |_| -> std::future::Ready<Verdict> { panic!("at once, as it should") };
    let panics_later = async |_| -> Verdict {
        later().await;
        panic!("later, as it should")
    };
    for is_later in [false, true] {
        let add = |role| {
            if is_later {
                block_on(handle.add_decider(role, panics_later)).unwrap()
            } else {
                block_on(handle.add_decider(role, panics_at_once)).unwrap()
            }
        };
        let policy = add(Role::Policy(Operations::ALL));
        for _ in 0..6 {
            let refused = post(address, "/bayeux", HANDSHAKE);
            assert!(refused.contains("403::handshake_denied"), "{refused}");
        }
        block_on(handle.remove_decider(policy)).unwrap();

        let extension = add(Role::Incoming);
        for _ in 0..6 {
            let welcome = post(address, "/bayeux", HANDSHAKE);
            assert!(welcome.contains(r#""successful":true"#), "{welcome}");
        }
        block_on(handle.remove_decider(extension)).unwrap();
    }
    block_on(running.shutdown());
}

#[test]
fn a_listener_that_panics_stops_nothing() {
    let builder = Server::builder().shards(NonZeroU32::new(1).unwrap());
    let builder = builder.reports(|_| panic!("as it should"));
    let builder = builder.listen("127.0.0.1:0".parse().unwrap());
    let running = block_on(builder.start()).unwrap();

    for _ in 0..2 {
        let welcome = post(running.addresses()[0], "/bayeux", HANDSHAKE);
        assert!(welcome.contains(r#""successful":true"#), "{welcome}");
    }
    block_on(running.shutdown());
}

#[test]
fn a_session_is_found_from_whichever_shard_its_requests_reach() {
    let running = started();
    let address = running.addresses()[0];
    let welcome = post(address, "/bayeux", HANDSHAKE);
    let session = session_in(&welcome);

    for _ in 0..6 {
        let connect = format!(
            r#"[{{"channel":"/meta/connect","clientId":"{session}","connectionType":"long-polling","advice":{{"timeout":0}}}}]"#
        );
        let reply = post(address, "/cometd/connect", &connect);
        assert!(reply.contains(r#""successful":true"#), "{reply}");
    }

    assert!(running.handle().crossed() > 0, "some came to other shards");
    block_on(running.shutdown());
}

#[test]
fn a_service_is_mounted_in_another_server_at_any_path() {
    let running = started();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let service = running.service();
    std::thread::spawn(move || crate::mount(listener, service));

    let welcome = post(address, "/any/path", HANDSHAKE);
    assert!(welcome.contains(r#""successful":true"#), "{welcome}");
    let sessions = block_on(running.handle().sessions()).unwrap();
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0].text(), session_in(&welcome));

    let mut socket = connect(address);
    let upgrade = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    socket.write_all(upgrade.as_bytes()).unwrap();
    // "{}" with the mask 0.
    socket
        .write_all(&[0x81, 0x82, 0, 0, 0, 0, b'{', b'}'])
        .unwrap();
    let mut response = Vec::new();
    while !String::from_utf8_lossy(&response).contains("successful") {
        let mut chunk = [0; 1024];
        let count = socket.read(&mut chunk).unwrap();
        assert!(count > 0, "{}", String::from_utf8_lossy(&response));
        response.extend(&chunk[..count]);
    }
    block_on(running.shutdown());
}

// Proves: MO-5
#[test]
fn an_answer_that_is_read_to_its_end_is_not_sent_again_to_a_newer_connect() {
    let running = started();
    let (service, handle) = (running.service(), running.handle());
    crate::run(async {
        let (older, newer) = older_and_newer(&service, &handle).await;

        assert!(read(older).await.contains(r#""data":1"#));
        publish(&handle, "2").await;

        let newer = read(newer.await).await;
        assert!(newer.contains(r#""data":2"#), "{newer}");
        assert!(!newer.contains(r#""data":1"#), "{newer}");
    });
    block_on(running.shutdown());
}

// Proves: QU-9
#[test]
fn an_answer_that_is_dropped_unread_goes_with_a_newer_connect() {
    let running = started();
    let (service, handle) = (running.service(), running.handle());
    crate::run(async {
        let (older, newer) = older_and_newer(&service, &handle).await;

        drop(older);

        let newer = read(newer.await).await;
        assert!(newer.contains(r#""data":1"#), "{newer}");
    });
    block_on(running.shutdown());
}

#[test]
fn at_shutdown_a_held_connect_is_answered_and_calls_end() {
    let running = started();
    let address = running.addresses()[0];
    let handle = running.handle();
    let welcome = post(address, "/bayeux", HANDSHAKE);
    let connect = format!(
        r#"[{{"channel":"/meta/connect","clientId":"{}","connectionType":"long-polling"}}]"#,
        session_in(&welcome)
    );
    post(address, "/bayeux", &connect);
    let held = std::thread::spawn(move || post(address, "/bayeux", &connect));
    while block_on(handle.counters()).unwrap().connects_held == 0 {
        assert!(!held.is_finished(), "the connect is held");
    }

    block_on(running.shutdown());

    let answer = held.join().unwrap();
    assert!(answer.contains("/meta/connect"), "{answer}");
    let late = block_on(handle.sessions());
    assert_eq!(late, Err(CallError::Stopped), "a stopped server says so");
}
