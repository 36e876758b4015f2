//! A server under attack, with healthy clients beside whoever attacks it.

use std::collections::VecDeque;
use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{Deadline, HttpConnection, Poller, Server, Settings, WebSocket};

/// A server of one thread, so that whatever keeps that busy is noticed, and two clients that are served meanwhile.
#[derive(Debug)]
pub struct Siege {
    server: Server,
    healthy: Healthy,
    /// What it took up before.
    bytes: u64,
    descriptors: usize,
}

impl Siege {
    /// A channel to which nobody may succeed to publish: the healthy clients would notice.
    pub const FORBIDDEN: &str = "/forbidden";

    /// How many events the server keeps: more than an attacker publishes within a turn of the healthy clients, since a
    /// session that has not been told of what is no longer kept is lost.
    const LOGGED: usize = 2_000;

    /// How often an attack is repeated.
    const REPEATED: u32 = 3;
    /// How often who keeps more may come to rest.
    const CHANCES: u32 = 3;

    /// Starts a server, and measures it once it has done all that healthy clients ask for.
    #[track_caller]
    pub fn begin(settings: Settings) -> Self {
        // What the healthy clients publish shall not grow the log.
        let settings = settings
            .shards(1)
            .option("limits.maxLogEntries", Self::LOGGED);
        let mut server = Server::start(&settings);
        let mut healthy = Healthy::new(server.address());
        for _ in 0..2 {
            let mut publisher = Poller::connected(server.address());
            let event = publisher.publish("/unheard", "x".repeat(64));
            let part = Value::from(vec![event; Self::LOGGED / 10]);
            for _ in 0..10 {
                let replies = publisher.post(part.clone());
                assert!(replies.iter().all(is_success), "the log can be filled");
            }
            publisher.post(json!([publisher.disconnect()]));
            for _ in 0..10 {
                healthy.take_turn();
            }
        }
        let (bytes, descriptors) = (server.resident(), server.open_descriptors());
        Self {
            server,
            healthy,
            bytes,
            descriptors,
        }
    }

    /// With the server's defaults.
    #[track_caller]
    pub fn of_defaults() -> Self {
        Self::begin(Settings::default())
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The server.
    pub fn server(&mut self) -> &mut Server {
        &mut self.server
    }

    /// A websocket of the attacker's.
    #[track_caller]
    pub fn websocket(&self) -> WebSocket {
        WebSocket::open(self.address(), Server::PATH, &[])
    }

    /// A connection of the attacker's.
    pub fn connection(&self) -> HttpConnection {
        HttpConnection::open(self.address())
    }

    /// The memory that the server occupies beyond what it did in the beginning.
    pub fn growth(&mut self) -> u64 {
        self.server.resident().saturating_sub(self.bytes)
    }

    /// The healthy clients are served: a publish is answered, and its event reaches both of them, one by a connect that
    /// was held since the last time.
    #[track_caller]
    pub fn nobody_notices(&mut self) {
        self.healthy.take_turn();
    }

    /// Has the attack carried out once, and then some times more: the server must give back its sockets each time, and all
    /// memory but what is allowed to stay; then it must end well. Whoever keeps more has another chance, beginning at what it
    /// keeps now: an allocator comes to rest, a leak goes on.
    #[track_caller]
    pub fn endures(mut self, kept: Kept, mut attack: impl FnMut(&mut Self)) {
        attack(&mut self);
        self.gives_back_all_but(kept.once);

        let mut keeps = Ok(());
        for _ in 0..Self::CHANCES {
            let bytes = self.growth();
            for _ in 0..Self::REPEATED {
                attack(&mut self);
            }
            keeps = self.tries_to_give_back_all_but(bytes + kept.again);
            if keeps.is_ok() {
                break;
            }
        }
        keeps.unwrap_or_else(|kept| panic!("{kept}"));
        self.server.stop();
    }

    /// Ends the server, which must end well.
    pub fn end(self) {
        self.server.stop();
    }

    /// Waits until the server has given back its sockets, and all memory but so many bytes, while the healthy clients are
    /// served.
    #[track_caller]
    pub fn gives_back_all_but(&mut self, bytes: u64) {
        let kept = self.tries_to_give_back_all_but(bytes);
        kept.unwrap_or_else(|kept| panic!("{kept}"));
    }

    /// The same; says what it keeps if that is more.
    #[track_caller]
    fn tries_to_give_back_all_but(&mut self, bytes: u64) -> Result<(), String> {
        let deadline = Deadline::usual();
        loop {
            self.nobody_notices();
            let (growth, descriptors) = (self.growth(), self.server.open_descriptors());
            if growth <= bytes && descriptors <= self.descriptors {
                return Ok(());
            }
            if deadline.left().is_none() {
                return Err(format!(
                    "kept: {growth} bytes, where {bytes} may be, and {descriptors} descriptors instead of {}",
                    self.descriptors
                ));
            }
        }
    }
}

/// How much larger than before a server may be after an attack, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// After the first one: pages of its program that it had not needed before, and what the allocator does not give back
    /// of what was in use at the same time.
    pub once: u64,
    /// After all others, beyond that: what leaks.
    pub again: u64,
}

/// Who publishes and is subscribed over a websocket, and who is subscribed by long-polling.
#[derive(Debug)]
struct Healthy {
    socket: WebSocket,
    publisher: Value,
    /// Has a connect held between two turns.
    polling: HttpConnection,
    poller: Value,
    turn: u64,
}

impl Healthy {
    const CHANNEL: &str = "/healthy";

    #[track_caller]
    fn new(address: SocketAddr) -> Self {
        let mut socket = WebSocket::open(address, Server::PATH, &[]);
        socket.send(&handshake());
        let publisher = socket.messages()[0]["clientId"].clone();
        let subscription = json!([Self::CHANNEL, Siege::FORBIDDEN]);
        socket.send(&json!([
            connect(&publisher),
            {"channel": "/meta/subscribe", "clientId": publisher, "subscription": subscription},
        ]));
        let replies = socket.messages();
        assert!(replies.iter().all(is_success), "{replies:?}");
        socket.send(&json!([connect(&publisher)]));

        let mut polling = HttpConnection::open(address);
        let poller = post(&mut polling, &handshake())[0]["clientId"].clone();
        let subscribe = json!([
            connect(&poller),
            {"channel": "/meta/subscribe", "clientId": poller, "subscription": Self::CHANNEL},
        ]);
        let replies = post(&mut polling, &subscribe);
        assert!(replies.iter().all(is_success), "{replies:?}");
        send(&mut polling, &json!([connect(&poller)]));
        Self {
            socket,
            publisher,
            polling,
            poller,
            turn: 0,
        }
    }

    #[track_caller]
    fn take_turn(&mut self) {
        self.turn += 1;
        let event = json!({"channel": Self::CHANNEL, "data": self.turn});
        let reply = json!({"channel": Self::CHANNEL, "id": self.turn, "successful": true});
        self.socket.send(&json!([{
            "channel": Self::CHANNEL, "id": self.turn, "clientId": self.publisher, "data": self.turn
        }]));

        let mut due = VecDeque::from([event.clone(), reply]);
        while !due.is_empty() {
            for message in self.socket.messages() {
                if message["channel"] == "/meta/connect" {
                    assert!(is_success(&message), "{message}");
                    self.socket.send(&json!([connect(&self.publisher)]));
                } else {
                    assert_eq!(due.pop_front(), Some(message), "by websocket");
                }
            }
        }
        loop {
            let messages = self.polling.response("POST").messages();
            let (reply, events) = messages.split_last().expect("a reply to the connect");
            assert!(is_success(reply), "{reply}");
            send(&mut self.polling, &json!([connect(&self.poller)]));
            match events {
                [] => {}
                [only] => break assert_eq!(*only, event, "by long-polling"),
                _ => panic!("one event was due: {events:?}"),
            }
        }
    }
}

fn handshake() -> Value {
    json!([{
        "channel": "/meta/handshake", "version": "1.0",
        "supportedConnectionTypes": ["websocket", "long-polling"]
    }])
}

fn connect(session: &Value) -> Value {
    json!({"channel": "/meta/connect", "clientId": session, "connectionType": "any"})
}

fn is_success(message: &Value) -> bool {
    message["successful"] == true
}

fn send(connection: &mut HttpConnection, messages: &Value) {
    connection.send("POST", Server::PATH, &[], &messages.to_string());
}

#[track_caller]
fn post(connection: &mut HttpConnection, messages: &Value) -> Vec<Value> {
    send(connection, messages);
    connection.response("POST").messages()
}
