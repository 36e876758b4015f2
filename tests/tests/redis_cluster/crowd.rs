//! Acknowledging clients under load, while servers are killed: nothing is lost, nothing comes twice.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use bayeux_tests::live::{Deadline, Server, Wire};
use serde_json::{Value, json};

use super::Cluster;

/// A session with acknowledged delivery, over requests that each may fail.
pub(crate) struct Session {
    address: SocketAddr,
    pub(crate) id: String,
    ack: u64,
    /// What it has received, in order.
    pub(crate) received: Vec<u64>,
    asks_for_ack: bool,
}

impl Session {
    pub(crate) fn open(address: SocketAddr) -> Self {
        Self::open_as(address, true)
    }

    /// With acknowledged delivery or without.
    pub(crate) fn open_as(address: SocketAddr, asks_for_ack: bool) -> Self {
        let mut session = Self {
            address,
            id: String::new(),
            ack: 0,
            received: Vec::new(),
            asks_for_ack,
        };
        let handshake = json!([{
            "channel": "/meta/handshake", "version": "1.0", "ext": {"ack": asks_for_ack},
            "supportedConnectionTypes": ["long-polling"]
        }]);
        let replies = session.insist(&handshake, |replies| replies[0]["successful"] == true);
        session.id = replies[0]["clientId"].as_str().unwrap_or_default().into();
        session
    }

    pub(crate) fn subscribe(&mut self, channel: &str) {
        let subscribe = json!([{
            "channel": "/meta/subscribe", "clientId": self.id, "subscription": channel
        }]);
        let replies = self.insist(&subscribe, |replies| {
            replies.iter().any(|reply| reply["successful"] == true)
        });
        self.take(&replies);
    }

    /// Connects once; whether that was answered.
    pub(crate) fn connect(&mut self, timeout: u32) -> bool {
        let mut connect = json!([{
            "channel": "/meta/connect", "clientId": self.id, "connectionType": "long-polling",
            "advice": {"timeout": timeout}
        }]);
        if self.asks_for_ack {
            connect[0]["ext"] = json!({"ack": self.ack});
        }
        let Some(replies) = post(self.address, &connect) else {
            return false;
        };
        self.take(&replies);
        true
    }

    /// Publishes once; `None` if nobody knows whether it was stored.
    pub(crate) fn publish(&mut self, channel: &str, number: u64) -> Option<bool> {
        // The connect brings the session to whoever is asked.
        let messages = json!([
            {"channel": "/meta/connect", "clientId": self.id, "connectionType": "long-polling",
             "advice": {"timeout": 0}, "ext": {"ack": self.ack}},
            {"channel": channel, "clientId": self.id, "data": number, "id": "p"}
        ]);
        let replies = post(self.address, &messages)?;
        self.take(&replies);
        let reply = replies.iter().find(|reply| reply["id"] == "p")?;
        Some(reply["successful"] == true)
    }

    /// Its requests go there from now on.
    pub(crate) fn move_to(&mut self, address: SocketAddr) {
        self.address = address;
    }

    /// Ends it.
    pub(crate) fn disconnect(&mut self) {
        let disconnect = json!([{"channel": "/meta/disconnect", "clientId": self.id}]);
        self.insist(&disconnect, |replies| {
            replies.iter().any(|reply| reply["successful"] == true)
        });
    }

    /// Whether it is told to begin anew.
    pub(crate) fn is_unknown(&self) -> bool {
        let connect = json!([{
            "channel": "/meta/connect", "clientId": self.id, "connectionType": "long-polling",
            "advice": {"timeout": 0}
        }]);
        let replies = post(self.address, &connect).unwrap_or_default();
        replies
            .iter()
            .any(|reply| reply["advice"]["reconnect"] == "handshake")
    }

    fn take(&mut self, messages: &[Value]) {
        for message in messages {
            if let (None, Some(number)) = (message.get("successful"), message["data"].as_u64()) {
                self.received.push(number);
            }
            if message["channel"] == "/meta/connect" {
                assert!(
                    message["successful"] == true || message["advice"]["reconnect"] == "retry",
                    "the session is lost: {message}; {:?}",
                    self.received.last()
                );
                self.ack = message["ext"]["ack"].as_u64().unwrap_or(self.ack);
            }
        }
    }

    /// Sends it until it is answered so.
    fn insist(&self, messages: &Value, is_it: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let deadline = Deadline::usual();
        while deadline.left().is_some() {
            if let Some(replies) = post(self.address, messages)
                && is_it(&replies)
            {
                return replies;
            }
            thread::yield_now();
        }
        panic!("{messages} is not answered as it should be");
    }
}

/// What is answered; `None` if nothing whole is.
pub(crate) fn post(address: SocketAddr, messages: &Value) -> Option<Vec<Value>> {
    let body = messages.to_string();
    let mut wire = Wire::open(address);
    let request = format!(
        "POST {} HTTP/1.1\r\nHost: cluster\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        Server::PATH,
        body.len()
    );
    wire.send(request.as_bytes());
    let answer = String::from_utf8(wire.rest()).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    if !head.starts_with("HTTP/1.1 200") {
        return None;
    }
    // One that broke off is no JSON.
    serde_json::from_str(body).ok()
}

const LAST: u64 = u64::MAX;

/// Clients that take in all that comes on a channel until the last of it.
struct Crowd(Vec<JoinHandle<Vec<u64>>>);

impl Crowd {
    fn gather(count: usize, address: SocketAddr) -> Self {
        let sessions: Vec<_> = (0..count)
            .map(|_| {
                let mut session = Session::open(address);
                session.connect(0);
                session.subscribe("/load");
                session
            })
            .collect();
        let clients = sessions.into_iter().map(|mut session| {
            thread::spawn(move || {
                while session.received.last() != Some(&LAST) {
                    if !session.connect(1_000) {
                        thread::yield_now();
                    }
                }
                session.received
            })
        });
        Self(clients.collect())
    }

    /// What each of them has received.
    fn end(self) -> Vec<Vec<u64>> {
        let ended = self.0.into_iter().map(JoinHandle::join);
        ended
            .map(|received| received.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    }
}

/// What a publisher was told to be stored, and what it may have been.
#[derive(Default)]
struct Told {
    stored: Vec<u64>,
    last: u64,
}

#[test]
fn acknowledging_clients_lose_nothing_and_get_nothing_twice_when_servers_are_killed() {
    const CLIENTS: usize = 20;
    const KILLS: usize = 6;
    let mut cluster = Cluster::of(3);
    let address = cluster.balancer.address();
    let crowd = Crowd::gather(CLIENTS, address);

    let is_over = Arc::new(AtomicBool::new(false));
    let published = Arc::new(AtomicU64::new(0));
    let told = Arc::new(Mutex::new(Told::default()));
    let publisher = {
        let (is_over, published) = (Arc::clone(&is_over), Arc::clone(&published));
        let told = Arc::clone(&told);
        thread::spawn(move || {
            let mut session = Session::open(address);
            let mut number = 0;
            while !is_over.load(Ordering::Relaxed) {
                number += 1;
                let stored = session.publish("/load", number);
                let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                told.last = number;
                if stored == Some(true) {
                    told.stored.push(number);
                    published.fetch_add(1, Ordering::Relaxed);
                }
            }
            while session.publish("/load", LAST) != Some(true) {}
        })
    };
    for kill in 0..KILLS {
        let before = published.load(Ordering::Relaxed);
        let deadline = Deadline::usual();
        while published.load(Ordering::Relaxed) < before + 100 {
            assert!(deadline.left().is_some(), "nothing can be published");
            thread::yield_now();
        }
        cluster.replace(kill % 3);
    }
    is_over.store(true, Ordering::Relaxed);
    assert!(publisher.join().is_ok(), "the publisher");
    let all = crowd.end();

    let told = told.lock().unwrap_or_else(PoisonError::into_inner);
    for received in all {
        // What nobody knows may be missing, and the last one may be there twice.
        let mut numbers = received.iter().filter(|number| **number <= told.last);
        assert!(
            numbers.clone().is_sorted_by(|one, next| one < next),
            "out of order or twice: {received:?}"
        );
        for stored in &told.stored {
            assert!(
                numbers.any(|number| number == stored),
                "{stored} was lost: {received:?}"
            );
        }
    }
    println!("{} stored of {}", told.stored.len(), told.last);
}
