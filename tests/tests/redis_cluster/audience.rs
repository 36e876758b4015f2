//! Acknowledging clients that begin anew when they are told to, and a publisher: what they were told is compared.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bayeux_tests::live::Deadline;
use serde_json::{Value, json};

use bayeux_tests::crowd::post;

/// How long a client waits before it tries again what was not answered.
const BACK_OFF: Duration = Duration::from_millis(100);

/// How long a connect is held.
const HOLD: u32 = 1_000;

/// What all of them share.
#[derive(Default)]
struct Shared {
    /// How many publishes were answered as stored.
    stored: AtomicU64,
    /// The number of the last of them.
    newest: AtomicU64,
    /// Whoever has heard a number above this one has heard all; 0 until it is over.
    last: AtomicU64,
    /// How many still listen.
    listening: AtomicUsize,
    /// How many sessions there have been.
    sessions: AtomicUsize,
    /// What clients were told to wait before they begin anew, in ms.
    waits: Mutex<Vec<u64>>,
}

impl Shared {
    #[track_caller]
    fn until_sessions(&self, wanted: usize) {
        let deadline = Deadline::after(Deadline::USUAL * 2);
        while self.sessions.load(Ordering::Relaxed) < wanted {
            assert!(deadline.left().is_some(), "not everybody comes");
            Deadline::after(BACK_OFF).pass();
        }
    }
}

/// A client; its requests may fail.
struct Follower {
    address: SocketAddr,
    session: Option<String>,
    ack: u64,
    /// What it has heard in each session.
    heard: Vec<Vec<u64>>,
    shared: Arc<Shared>,
}

impl Follower {
    fn new(address: SocketAddr, shared: &Arc<Shared>) -> Self {
        Self {
            address,
            session: None,
            ack: 0,
            heard: Vec::new(),
            shared: Arc::clone(shared),
        }
    }

    /// Sends that as the session it has, if it has one; gives the answer.
    fn send(&mut self, mut messages: Value) -> Option<Vec<Value>> {
        for message in messages.as_array_mut().into_iter().flatten() {
            message["clientId"] = self.session.clone().into();
        }
        let Some(replies) = post(self.address, &messages) else {
            Deadline::after(BACK_OFF).pass();
            return None;
        };
        for message in &replies {
            self.take(message);
        }
        Some(replies)
    }

    fn take(&mut self, message: &Value) {
        if let (None, Some(number)) = (message.get("successful"), message["data"].as_u64()) {
            self.heard.last_mut().expect("a session").push(number);
        }
        if message["channel"] != "/meta/connect" {
            return;
        }
        self.ack = message["ext"]["ack"].as_u64().unwrap_or(self.ack);
        if message["advice"]["reconnect"] == "handshake" {
            self.session = None;
            let wait = message["advice"]["interval"].as_u64().unwrap_or(0);
            let mut waits = self
                .shared
                .waits
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            waits.push(wait);
            drop(waits);
            Deadline::after(Duration::from_millis(wait)).pass();
        }
    }

    /// Shakes hands, unless it has a session.
    fn begin(&mut self) {
        while self.session.is_none() {
            let replies = self.send(json!([{
                "channel": "/meta/handshake", "version": "1.0", "ext": {"ack": true},
                "supportedConnectionTypes": ["long-polling"]
            }]));
            let reply = replies.and_then(|replies| replies.into_iter().next());
            let id = reply.and_then(|reply| reply["clientId"].as_str().map(str::to_owned));
            if id.is_none() {
                Deadline::after(BACK_OFF).pass();
            }
            self.session = id;
        }
        self.ack = 0;
        self.heard.push(Vec::new());
    }

    /// The same, and subscribes.
    fn join(&mut self) {
        loop {
            self.begin();
            while self.session.is_some() {
                let subscribe = json!([{"channel": "/meta/subscribe", "subscription": "/load"}]);
                let replies = self.send(subscribe).unwrap_or_default();
                if replies.iter().any(|reply| reply["successful"] == true) {
                    self.shared.sessions.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                // One that was lost meanwhile is told so.
                self.connect(0);
            }
        }
    }

    fn connect(&mut self, timeout: u32) {
        self.send(json!([self.connect_message(timeout)]));
    }

    fn connect_message(&self, timeout: u32) -> Value {
        json!({
            "channel": "/meta/connect", "connectionType": "long-polling",
            "advice": {"timeout": timeout}, "ext": {"ack": self.ack}
        })
    }

    /// Listens until it is over.
    fn listen(mut self) -> Heard {
        loop {
            let last = self.shared.last.load(Ordering::Relaxed);
            let newest = self.heard.iter().flatten().last();
            if last > 0 && newest.is_some_and(|newest| *newest > last) {
                break;
            }
            if self.session.is_none() {
                self.join();
            }
            self.connect(HOLD);
        }
        self.shared.listening.fetch_sub(1, Ordering::Relaxed);
        self.heard
    }

    /// Publishes one number after the other until nobody listens; gives those that were answered as stored.
    fn publish(mut self) -> Vec<u64> {
        let mut stored = Vec::new();
        for number in 1.. {
            if self.shared.listening.load(Ordering::Relaxed) == 0 {
                break;
            }
            if self.session.is_none() {
                self.begin();
            }
            // The connect brings the session to whoever is asked.
            let publish = json!({"channel": "/load", "data": number, "id": "p"});
            let replies = self.send(json!([self.connect_message(0), publish]));
            let reply = replies.and_then(|all| all.into_iter().find(|reply| reply["id"] == "p"));
            match reply {
                Some(reply) if reply["successful"] == true => {
                    stored.push(number);
                    self.shared.newest.store(number, Ordering::Relaxed);
                    self.shared.stored.fetch_add(1, Ordering::Relaxed);
                }
                Some(_) => Deadline::after(BACK_OFF).pass(),
                None => {}
            }
        }
        stored
    }
}

/// What a client has heard in each of its sessions.
type Heard = Vec<Vec<u64>>;

/// Clients and a publisher at work.
pub(crate) struct Audience {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<Heard>>,
    publisher: JoinHandle<Vec<u64>>,
}

/// What became of them.
pub(crate) struct Outcome {
    stored: Vec<u64>,
    heard: Vec<Heard>,
    /// What clients were told to wait before they began anew, in ms, in order of size.
    pub(crate) waits: Vec<u64>,
}

impl Audience {
    /// That many subscribers, which all have subscribed when this returns.
    pub(crate) fn gather(count: usize, address: SocketAddr) -> Self {
        let shared = Arc::new(Shared::default());
        shared.listening.store(count, Ordering::Relaxed);
        // Each listens from the beginning, so that none expires while others come.
        let clients = (0..count).map(|_| {
            let follower = Follower::new(address, &shared);
            thread::spawn(|| follower.listen())
        });
        let clients = clients.collect();
        shared.until_sessions(count);
        let publisher = Follower::new(address, &shared);
        Self {
            clients,
            publisher: thread::spawn(|| publisher.publish()),
            shared,
        }
    }

    /// Waits until so many more publishes were answered as stored.
    #[track_caller]
    pub(crate) fn until_stored(&self, more: u64) {
        let wanted = self.shared.stored.load(Ordering::Relaxed) + more;
        let deadline = Deadline::after(Deadline::USUAL * 2);
        while self.shared.stored.load(Ordering::Relaxed) < wanted {
            assert!(deadline.left().is_some(), "nothing can be published");
            Deadline::after(BACK_OFF).pass();
        }
    }

    /// Waits until there have been so many sessions of subscribers.
    #[track_caller]
    pub(crate) fn until_sessions(&self, wanted: usize) {
        self.shared.until_sessions(wanted);
    }

    /// Lets all hear the end of it.
    pub(crate) fn end(self) -> Outcome {
        let last = self.shared.newest.load(Ordering::Relaxed);
        self.shared.last.store(last.max(1), Ordering::Relaxed);
        let joined = |panic| std::panic::resume_unwind(panic);
        let heard = self
            .clients
            .into_iter()
            .map(|client| client.join().unwrap_or_else(joined));
        let heard = heard.collect();
        let stored = self
            .publisher
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let mut waits = self
            .shared
            .waits
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        waits.sort_unstable();
        Outcome {
            stored,
            heard,
            waits: std::mem::take(&mut waits),
        }
    }
}

impl Outcome {
    /// How many sessions were lost.
    pub(crate) fn lost_sessions(&self) -> usize {
        self.heard.iter().map(|heard| heard.len() - 1).sum()
    }

    /// How many publishes were answered as stored.
    pub(crate) fn stored(&self) -> usize {
        self.stored.len()
    }

    /// How many of these nobody has heard.
    pub(crate) fn unheard(&self) -> usize {
        let heard: BTreeSet<u64> = self
            .heard
            .iter()
            .flat_map(|heard| heard.iter().flatten().copied())
            .collect();
        let last = heard.last().copied().unwrap_or_default();
        let missing = self
            .stored
            .iter()
            .filter(|number| **number <= last && !heard.contains(number));
        missing.count()
    }

    /// Nobody has heard anything twice, or out of order; and each session has heard all that was stored between the first
    /// and the last that it has heard.
    #[track_caller]
    pub(crate) fn expect_no_silent_loss(&self) {
        for sessions in &self.heard {
            assert!(
                sessions
                    .iter()
                    .flatten()
                    .is_sorted_by(|one, next| one < next),
                "out of order or twice: {sessions:?}"
            );
            for numbers in sessions {
                self.expect_all_between(numbers);
            }
        }
    }

    #[track_caller]
    fn expect_all_between(&self, numbers: &[u64]) {
        let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else {
            return;
        };
        let known: BTreeSet<_> = numbers.iter().collect();
        let lost: Vec<_> = self
            .stored
            .iter()
            .filter(|number| (first..=last).contains(number) && !known.contains(number))
            .collect();
        assert!(lost.is_empty(), "lost without a word: {lost:?}");
    }
}
