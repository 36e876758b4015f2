//! The end of a server that is busy.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use bayeux_tests::live::{
    Deadline, Ending, HttpConnection, Opcode, Response, Server, Settings, WebSocket,
};
use serde_json::{Value, json};

const POLLERS: usize = 30;
const SOCKETS: usize = 30;

/// How many events are through when the server is told to end.
const BEFORE: u64 = 300;

/// The server's window is 2 s, and it waits 3.5 s more for those who are slow. This machine may be slow too.
const PATIENCE: Duration = Duration::from_secs(20);

fn handshake() -> Value {
    json!([{
        "channel": "/meta/handshake", "ext": {"ack": true},
        "supportedConnectionTypes": ["websocket", "long-polling"]
    }])
}

fn subscribe(session: &Value) -> Value {
    json!([{"channel": "/meta/subscribe", "clientId": session, "subscription": "/load"}])
}

fn connect(session: &Value, ack: &Value) -> Value {
    json!([{"channel": "/meta/connect", "clientId": session, "connectionType": "any", "ext": {"ack": ack}}])
}

fn ask(connection: &mut HttpConnection, messages: &Value) -> Option<Response> {
    connection.send("POST", Server::PATH, &[], &messages.to_string());
    connection.response_or_end("POST")
}

/// Publishes 1, 2, 3 … until the server does not answer any more; `done` is the last that was granted.
fn publish_all(address: SocketAddr, done: &AtomicU64) {
    let mut connection = HttpConnection::open(address);
    let session = ask(&mut connection, &handshake())
        .expect("a handshake")
        .messages()[0]["clientId"]
        .clone();
    for number in 1.. {
        let publish = json!([{"channel": "/load", "clientId": session, "data": number}]);
        match ask(&mut connection, &publish) {
            Some(response)
                if response.status == 200 && response.messages()[0]["successful"] == true =>
            {
                done.store(number, Ordering::SeqCst);
            }
            _ => return,
        }
    }
}

/// What a client with acknowledgement got.
#[derive(Default)]
struct Got {
    events: Vec<u64>,
    ack: Value,
    advice: Value,
}

impl Got {
    fn take(&mut self, messages: &[Value]) {
        for message in messages {
            if message["channel"] == "/load" {
                self.events.extend(message["data"].as_u64());
            } else if message["channel"] == "/meta/connect" {
                self.ack = message["ext"]["ack"].clone();
                self.advice = message["advice"].clone();
            }
        }
    }
}

/// Connects again and again until the server ends that in good order.
fn poll_all(address: SocketAddr) -> Got {
    let mut connection = HttpConnection::open(address);
    let session = ask(&mut connection, &handshake())
        .expect("a handshake")
        .messages()[0]["clientId"]
        .clone();
    ask(&mut connection, &subscribe(&session)).expect("a subscription");
    let mut got = Got {
        ack: json!(0),
        ..Got::default()
    };
    loop {
        let response =
            ask(&mut connection, &connect(&session, &got.ack)).expect("every connect is answered");
        got.take(&response.messages());
        if response.header("Connection") == Some("close") {
            return got;
        }
    }
}

/// The same over a websocket, until it is closed.
fn stream_all(address: SocketAddr) -> (Got, Option<Ending>) {
    let mut socket = WebSocket::open(address, Server::PATH, &[]);
    socket.send(&handshake());
    let session = socket.messages()[0]["clientId"].clone();
    socket.send(&subscribe(&session));
    socket.messages();
    let mut got = Got {
        ack: json!(0),
        ..Got::default()
    };
    socket.send(&connect(&session, &got.ack));
    let mut advice = json!(null);
    while let Some(frame) = socket.frame() {
        match frame.opcode {
            Opcode::Text => {
                let messages: Vec<Value> =
                    serde_json::from_slice(&frame.payload).expect("an array");
                got.take(&messages);
                if !got.advice.is_null() {
                    advice = got.advice.take();
                }
                socket.send(&connect(&session, &got.ack));
            }
            Opcode::Close => {
                got.advice = advice;
                let code = frame.payload.first_chunk().copied().map(u16::from_be_bytes);
                return (got, Some(code.map_or(Ending::Empty, Ending::Code)));
            }
            Opcode::Continuation | Opcode::Binary | Opcode::Ping | Opcode::Pong => {}
        }
    }
    (got, None)
}

// Proves: TM-11, DE-7, WS-12
#[test]
fn a_busy_server_that_is_told_to_end_loses_nothing_that_it_has_promised() {
    let mut server = Server::start(&Settings::default().shards(2));
    let address = server.address();
    let pollers: Vec<_> = (0..POLLERS)
        .map(|_| thread::spawn(move || poll_all(address)))
        .collect();
    let sockets: Vec<_> = (0..SOCKETS)
        .map(|_| thread::spawn(move || stream_all(address)))
        .collect();
    let done = Arc::new(AtomicU64::new(0));
    let publisher = thread::spawn({
        let done = Arc::clone(&done);
        move || publish_all(address, &done)
    });
    let patience = Deadline::usual();
    while done.load(Ordering::SeqCst) < BEFORE {
        assert!(patience.left().is_some(), "nothing is published");
        thread::yield_now();
    }

    let granted = done.load(Ordering::SeqCst);
    server.signal("TERM");
    let patience = Deadline::after(PATIENCE);
    assert_eq!(server.end(), Some(0));
    assert!(patience.left().is_some(), "later than its window");

    publisher.join().expect("the publisher was answered");
    for poller in pollers {
        let got = poller.join().expect("the poller was answered");
        check(&got, granted);
    }
    for socket in sockets {
        let (got, code) = socket.join().expect("the socket was served");
        assert_eq!(code, Some(Ending::Code(1001)));
        check(&got, granted);
    }
}

/// All that was granted before the end began, in order, none twice and none missing; and the advice to come again.
#[track_caller]
fn check(got: &Got, granted: u64) {
    let last = got.events.last().copied().unwrap_or_default();
    let first = got.events.first().copied().unwrap_or(1);
    assert_eq!(got.events, Vec::from_iter(first..=last), "events");
    assert!(last >= granted, "{last} of {granted}");
    assert_eq!(got.advice["reconnect"], "retry", "{}", got.advice);
    assert!(
        got.advice["interval"].is_u64() && got.advice["timeout"].is_u64(),
        "{}",
        got.advice
    );
}
