//! What a publish costs Redis: processor time, by the number of subscribers, of nodes that read the log, and of publishes
//! that are under way at a time. By hand: `cargo bench -p bayeux-tests --bench redis_work`, or with those
//! three numbers behind `--` for one line of it.
//!
//! Redis is a process of its own, and so measured apart. Nodes are real stores in this process, each with a driver on a
//! thread, as a server has one; the first of them publishes, as a session with a fence does. Redis is asked how much
//! processor time it has used (`INFO cpu`) and how long its commands took (`INFO commandstats`), before the first publish
//! and when every node has read the last.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement takes time, and stops where something is wrong"
)]

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant as SystemTime};

use bayeux_backend_redis::{Options, RedisStore, SharedStore, Surroundings, drive};
use bayeux_core::{
    Destination, Echo, Event, Fence, Input, Instant, Laziness, NewEntry, Position, SessionId,
    SessionRecord, StoreReply, StoreRequest, StoreTicket, StoredSubscription,
};
use bayeux_tests::live::Redis;

const PUBLISHES: u64 = 20_000;

fn main() {
    println!("subscribers nodes in-flight | µs of Redis, of that in: append xread | per second");
    let wanted = std::env::args().filter_map(|word| word.parse().ok());
    if let [subscribers, nodes, in_flight] = *wanted.collect::<Vec<_>>() {
        return measure(subscribers, nodes, in_flight);
    }
    for subscribers in [1, 100, 10_000] {
        for nodes in [1, 3, 10] {
            for in_flight in [1, 32, 256] {
                measure(subscribers, nodes, in_flight);
            }
        }
    }
}

fn measure(subscribers: usize, nodes: usize, in_flight: usize) {
    let redis = Redis::start();
    let epoch = SystemTime::now();
    let mut nodes: Vec<_> = (0..nodes)
        .map(|at| Node::start(&redis, at, epoch))
        .collect();
    for (at, node) in (0..subscribers).zip((0..nodes.len()).cycle()) {
        let opened = nodes
            .get_mut(node)
            .map(|node| node.ask(StoreRequest::Open(record(at))));
        assert!(matches!(opened, Some(StoreReply::Done)), "{opened:?}");
    }
    let mut nodes = nodes.into_iter();
    let mut first = nodes.next().expect("a node that publishes");
    let (ended, end) = channel();
    let count = nodes.len();
    let readers: Vec<_> = nodes
        .map(|node| {
            let ended = ended.clone();
            thread::spawn(move || node.read(&ended))
        })
        .collect();

    redis.say(&["CONFIG", "RESETSTAT"]);
    let (before, began) = (used(&redis), SystemTime::now());
    first.publish(in_flight);
    for _ in 0..count {
        end.recv().expect("a reader");
    }
    let took = began.elapsed();
    let per_publish = |time: f64| time / PUBLISHES as f64;
    println!(
        "{subscribers:>11} {:>5} {in_flight:>9} | {:>12.2} {:>22.2} {:>5.2} | {:>10.0}",
        count + 1,
        per_publish(used(&redis) - before),
        per_publish(spent(&redis, "evalsha")),
        per_publish(spent(&redis, "xread")),
        PUBLISHES as f64 / took.as_secs_f64()
    );
    first.store.close();
    for reader in readers {
        reader.join().expect("a reader");
    }
}

/// The processor time that Redis has used, in µs.
fn used(redis: &Redis) -> f64 {
    let said = redis.say(&["INFO", "cpu"]);
    let number = |name: &str| {
        let mut lines = said.lines();
        let value = lines.find_map(|line| line.strip_prefix(name));
        value
            .and_then(|value| value.parse::<f64>().ok())
            .expect("a number")
    };
    (number("used_cpu_user:") + number("used_cpu_sys:")) * 1e6
}

/// How long calls of that command took, in µs.
fn spent(redis: &Redis, command: &str) -> f64 {
    let said = redis.say(&["INFO", "commandstats"]);
    let line = said
        .lines()
        .find(|line| line.starts_with(&format!("cmdstat_{command}:")));
    let value = line.and_then(|line| line.split_once("usec=")?.1.split(',').next());
    value
        .and_then(|value| value.parse().ok())
        .unwrap_or_default()
}

/// A store with its driver.
struct Node {
    store: Arc<SharedStore>,
    news: Receiver<()>,
    epoch: SystemTime,
    tickets: u64,
    /// The last entry that was heard of.
    heard: Position,
}

impl Node {
    fn start(redis: &Redis, at: usize, epoch: SystemTime) -> Self {
        let mut random = [7; 16];
        random[0] = u8::try_from(at).unwrap_or_default();
        let store = Arc::new(SharedStore::new(RedisStore::new(
            Options::default(),
            random,
        )));
        store.attach();
        let (sender, news) = channel();
        let surroundings = Surroundings {
            now: Box::new(move || Instant::from_epoch(epoch.elapsed())),
            timer: Box::new(|time| Box::pin(tokio::time::sleep(time))),
            wake: Box::new(move |_| {
                sender.send(()).ok();
            }),
        };
        let target = redis.url().parse().expect("a URL");
        let driving = drive(Arc::clone(&store), target, surroundings);
        thread::spawn(move || {
            let tokio = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            tokio.expect("a runtime").block_on(driving);
        });
        let mut node = Self {
            store,
            news,
            epoch,
            tickets: 0,
            heard: Position::ZERO,
        };
        // `Up`
        node.next();
        node
    }

    fn next(&mut self) -> Input {
        loop {
            let now = Instant::from_epoch(self.epoch.elapsed());
            if let Some(input) = self.store.poll(0, now) {
                if let Input::Notified {
                    notice: bayeux_core::Notice::Entries(entries),
                } = &input
                {
                    self.heard = entries.last().map_or(self.heard, |last| last.position);
                }
                return input;
            }
            let waited = self.news.recv_timeout(Duration::from_secs(30));
            waited.expect("news from Redis");
        }
    }

    fn submit(&mut self, request: StoreRequest) {
        self.tickets += 1;
        let now = Instant::from_epoch(self.epoch.elapsed());
        self.store
            .submit(0, now, StoreTicket::new(self.tickets), request);
    }

    fn ask(&mut self, request: StoreRequest) -> StoreReply {
        self.submit(request);
        loop {
            if let Input::Stored { reply, .. } = self.next() {
                return reply;
            }
        }
    }

    /// Publishes all, so many at a time, and reads them.
    fn publish(&mut self, in_flight: usize) {
        let mut left = PUBLISHES;
        for _ in 0..in_flight {
            self.submit(entry());
            left -= 1;
        }
        let mut stored = 0;
        while stored < PUBLISHES || self.heard.number() < PUBLISHES {
            if let Input::Stored { reply, .. } = self.next() {
                assert!(matches!(reply, StoreReply::Appended(_)), "{reply:?}");
                stored += 1;
                if left > 0 {
                    left -= 1;
                    self.submit(entry());
                }
            }
        }
    }

    /// Reads all.
    fn read(mut self, ended: &Sender<()>) {
        while self.heard.number() < PUBLISHES {
            self.next();
        }
        ended.send(()).ok();
        self.store.close();
    }
}

fn id(number: usize) -> SessionId {
    SessionId::parse(&format!("{number:025}")).expect("25 digits")
}

/// A session that is subscribed.
fn record(number: usize) -> Box<SessionRecord> {
    Box::new(SessionRecord {
        subscriptions: vec![StoredSubscription {
            pattern: "/news".parse().expect("a pattern"),
            since: Position::ZERO,
        }],
        ..SessionRecord::new(id(number))
    })
}

/// 200 bytes, published by the first session.
fn entry() -> StoreRequest {
    let event = format!(r#"{{"channel":"/news","data":"{}"}}"#, "x".repeat(170));
    StoreRequest::Append(Box::new(NewEntry {
        origin: Some(id(0)),
        fence: Some(Fence(1)),
        to: Destination::Channel("/news".parse().expect("a channel")),
        event: Event::from_object(event),
        laziness: Laziness::Prompt,
        echo: Echo::ToPublisher,
    }))
}
