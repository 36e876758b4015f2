//! Stores in a Redis of the test's own: each node has a driver on a thread.

#![expect(
    clippy::disallowed_methods,
    reason = "Redis has a clock of its own: what depends on time takes it"
)]

use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant as SystemTime};

use bayeux_backend_redis::{Options, RedisStore, SharedStore, Surroundings, Timer, drive};
use bayeux_core::{Input, Instant, StoreRequest, StoreTicket};
use bayeux_tests::live::{Cutter, Redis};
use bayeux_tests::store_contract::{Node, Setup, StoreUnderTest, Wait};
use futures_channel::oneshot;
use futures_util::future::select;

/// What a driver runs on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Runtime {
    Tokio,
    Smol,
}

/// A store set up so; `None` if it has no such bound.
pub(crate) fn store(setup: &Setup, runtime: Runtime) -> Option<Box<dyn StoreUnderTest>> {
    if setup.max_bytes.is_some() || setup.max_sessions.is_some() {
        return None;
    }
    let usual = Options::default();
    let options = Options {
        retention: setup.retention.unwrap_or(usual.retention),
        max_entries: setup.max_entries.unwrap_or(usual.max_entries),
        session_ttl: setup.session_ttl.unwrap_or(usual.session_ttl),
        max_forwards: setup.max_inbox.unwrap_or(usual.max_forwards),
        forward_timeout: setup.forward_timeout.unwrap_or(usual.forward_timeout),
        // Where sessions are to die soon, so are nodes.
        lease: Duration::from_secs(if setup.session_ttl.is_some() { 1 } else { 3 }),
        ..usual
    };
    Some(Box::new(Rig {
        redis: Redis::start(),
        options,
        runtime,
        outages: setup.outages,
        epoch: SystemTime::now(),
        nodes: Vec::new(),
    }))
}

struct Rig {
    redis: Redis,
    options: Options,
    runtime: Runtime,
    outages: bool,
    epoch: SystemTime,
    nodes: Vec<Line>,
}

/// A node.
struct Line {
    store: Arc<SharedStore>,
    name: String,
    news: Receiver<()>,
    cutter: Option<Cutter>,
    driver: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Rig {
    fn now(&self) -> Instant {
        Instant::from_epoch(self.epoch.elapsed())
    }
}

impl StoreUnderTest for Rig {
    fn attach(&mut self) -> Node {
        let mut random = [7; 16];
        random[0] = u8::try_from(self.nodes.len()).unwrap_or_default();
        let store = RedisStore::new(self.options.clone(), random);
        let name = store.node().to_owned();
        let store = Arc::new(SharedStore::new(store));
        store.attach();
        let cutter = self.outages.then(|| Cutter::to(self.redis.address()));
        let address = cutter
            .as_ref()
            .map_or(self.redis.address(), Cutter::address);
        let (sender, news) = channel();
        let epoch = self.epoch;
        let surroundings = Surroundings {
            now: Box::new(move || Instant::from_epoch(epoch.elapsed())),
            timer: timer(self.runtime),
            wake: Box::new(move |_| {
                let _ = sender.send(());
            }),
        };
        let target = format!("redis://{address}").parse().expect("a URL");
        let driving = drive(Arc::clone(&store), target, surroundings);
        let (stop, stopped) = oneshot::channel();
        let runtime = self.runtime;
        let thread = std::thread::spawn(move || run(runtime, driving, stopped));
        self.nodes.push(Line {
            store,
            name,
            news,
            cutter,
            driver: Some((stop, thread)),
        });
        Node(self.nodes.len() - 1)
    }

    fn kill(&mut self, node: Node) {
        let line = &mut self.nodes[node.0];
        stop(line);
        let lease = format!("{{{}}}:node:{}", self.options.prefix, line.name);
        // What tells of it is that nothing is said.
        while self.redis.say(&["EXISTS", &lease]) != ":0" {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn submit(&mut self, node: Node, ticket: StoreTicket, request: StoreRequest) {
        let now = self.now();
        self.nodes[node.0].store.submit(0, now, ticket, request);
    }

    fn next(&mut self, node: Node, wait: Wait) -> Option<Input> {
        let wait = match wait {
            Wait::Long => Duration::from_secs(60),
            Wait::Short => Duration::from_millis(250),
        };
        let end = SystemTime::now() + wait;
        loop {
            let now = self.now();
            let line = &self.nodes[node.0];
            if let Some(input) = line.store.poll(0, now) {
                return Some(input);
            }
            let left = end.saturating_duration_since(SystemTime::now());
            if line.news.recv_timeout(left).is_err() {
                return None;
            }
        }
    }

    /// Redis has a clock of its own.
    fn pass(&mut self, time: Duration) {
        std::thread::sleep(time);
    }

    fn cut(&mut self, node: Node) {
        let cutter = self.nodes[node.0].cutter.as_ref().expect("a cutter");
        cutter.lead_to(None);
        cutter.cut_all();
    }

    fn restore(&mut self, node: Node) {
        let cutter = self.nodes[node.0].cutter.as_ref().expect("a cutter");
        cutter.lead_to(Some(self.redis.address()));
    }

    fn cut_inside(&mut self, node: Node, text: &str) {
        let cutter = self.nodes[node.0].cutter.as_ref().expect("a cutter");
        cutter.cut_inside(text);
    }

    fn keep(&mut self) {
        self.redis.say(&["SAVE"]);
    }

    fn lose(&mut self) {
        self.redis.restart();
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.nodes.iter_mut().for_each(stop);
    }
}

fn stop(line: &mut Line) {
    if let Some((stop, thread)) = line.driver.take() {
        drop(stop);
        assert!(thread.join().is_ok(), "a driver panicked");
    }
}

fn timer(runtime: Runtime) -> Box<Timer> {
    match runtime {
        Runtime::Tokio => Box::new(|time| Box::pin(tokio::time::sleep(time))),
        Runtime::Smol => Box::new(|time| {
            Box::pin(async move {
                smol::Timer::after(time).await;
            })
        }),
    }
}

/// Drives a store until it is told to stop, as if it had died.
fn run(runtime: Runtime, driving: impl Future<Output = ()>, stopped: oneshot::Receiver<()>) {
    let main = async {
        select(pin!(driving), stopped).await;
    };
    match runtime {
        Runtime::Tokio => {
            let tokio = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            tokio.expect("a runtime").block_on(main);
        }
        Runtime::Smol => smol::block_on(main),
    }
}
