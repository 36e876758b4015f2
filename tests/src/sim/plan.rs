//! What a seed has in store: how many there are, how bad the weather is, and what breaks when.

use std::time::Duration;

use bayeux_core::{BrowserBinding, Config, MemoryOptions, Reports};

use super::bounds::{make_crowded, make_lazy, make_tight};
use super::decider::deciders;
use super::dice::Dice;
use super::judge::Bounds;

/// How long the troubles last, and everything after them.
pub(super) const CALM: Duration = Duration::from_secs(64);
/// How long after the calm everybody must have what was published then.
pub(super) const PROBED: Duration = Duration::from_secs(15);
/// By when whatever was left behind has to be gone.
pub(super) const FORGOTTEN: Duration = Duration::from_secs(170);
/// A node that was not heard of for so long is taken as dead.
pub(super) const LEASE: Duration = Duration::from_secs(5);

/// What one run is like.
pub(super) struct Plan {
    pub(super) nodes: usize,
    pub(super) clients: usize,
    pub(super) config: Config,
    pub(super) memory: MemoryOptions,
    /// For how long things break.
    pub(super) trouble: Duration,
    /// Nothing breaks, and each client stays with its node: then nobody loses anything.
    pub(super) calm: bool,
    /// At most connections break: then nobody loses anything but what was on the wire.
    pub(super) gentle: bool,
    /// How many connections in a thousand come to a bad end.
    pub(super) bad_connections: u32,
    /// How many requests to the store in a thousand fail.
    pub(super) bad_requests: u32,
    /// How many messages in a thousand take long.
    pub(super) slow: u32,
    /// How many verdicts in a thousand come late, never, or say no.
    pub(super) bad_verdicts: u32,
    /// How long events on a channel may wait for company, if they may.
    pub(super) lazy: Option<Duration>,
    /// Frames, queues and the rest are small.
    pub(super) tight: bool,
    /// Engines take few sessions and connections, as long as things break.
    pub(super) crowded: bool,
    /// How many browsers there are; none if clients keep no cookies.
    pub(super) browsers: usize,
    /// A claim waits for the former owner.
    pub(super) parting: bool,
    pub(super) faults: Vec<(Duration, Fault)>,
}

/// Something that breaks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// A node dies, and another is started in its place.
    Crash(usize),
    /// A node stops as it should, and another is started in its place.
    Stop(usize),
    /// A node stands still.
    Pause(usize, Duration),
    /// A node cannot reach the store.
    Cut(usize, Duration),
    /// Nobody can.
    Outage(Duration),
    /// The store comes back without its sessions and without so many entries at the end of its log.
    Reset(Duration, usize),
    /// The same, and each node finds the store again, and learns what it has lost, at a time of its own.
    Failover(Duration, usize),
    /// The wall clock of a node is set.
    Clock(usize, Duration),
}

impl Plan {
    pub(super) fn new(dice: &mut Dice) -> Self {
        let calm = dice.permille(120);
        let gentle = calm || dice.permille(120);
        let nodes = if gentle && !calm {
            1
        } else {
            1 + dice.below(4)
        };
        let trims = !gentle && dice.permille(150);
        let resets = !gentle && dice.permille(150);
        let trouble = dice.millis(20_000..120_000);
        let mut config = Config {
            reports: Reports { messages: true },
            ..Config::default()
        };
        let asks = dice.permille(250);
        if asks {
            config.deciders = deciders();
        }
        let lazy = dice.permille(200);
        let lazy = lazy.then(|| make_lazy(dice, &mut config)).flatten();
        let tight = lazy.is_none() && dice.permille(200);
        if tight {
            make_tight(dice, &mut config);
        }
        let browsers = dice.permille(250);
        let browsers = if browsers { 1 + dice.below(5) } else { 0 };
        if browsers > 0 && dice.permille(500) {
            config.browser_binding = BrowserBinding::Strict;
        }
        let clients = 1 + dice.below(6);
        let mut memory = MemoryOptions::for_config(&config);
        memory.max_batch = 1 + dice.below(20);
        if trims {
            memory.max_entries = 3 + dice.below(30);
        }
        let crowded = !gentle && dice.permille(150);
        if crowded {
            make_crowded(dice, &mut config, clients);
        }
        let quiet = [0, 0, 20, 60, 150];
        let mut plan = Self {
            nodes,
            clients,
            config,
            memory,
            trouble,
            calm,
            gentle,
            bad_connections: if calm {
                0
            } else {
                dice.pick(&quiet).unwrap_or(0)
            },
            bad_requests: if gentle {
                0
            } else {
                dice.pick(&[0, 0, 5, 30]).unwrap_or(0)
            },
            bad_verdicts: if asks && !gentle {
                dice.pick(&[0, 20, 100]).unwrap_or(0)
            } else {
                0
            },
            slow: dice.pick(&[0, 10, 100]).unwrap_or(0),
            lazy,
            tight,
            crowded,
            browsers,
            parting: dice.permille(500),
            faults: Vec::new(),
        };
        if !gentle {
            for _ in 0..dice.below(8) {
                let fault = plan.fault(dice);
                plan.add(dice, fault);
            }
        }
        if resets {
            let away = dice.millis(10..8_000);
            let lost = dice.pick(&[1, 3, 10, usize::MAX]).unwrap_or(0);
            let fault = if dice.permille(500) {
                Fault::Reset(away, lost)
            } else {
                Fault::Failover(away, lost)
            };
            plan.add(dice, fault);
        }
        plan
    }

    /// What has room for so much and no more.
    pub(super) fn bounds(&self) -> Bounds {
        Bounds {
            log: self.memory.max_entries,
            events: self.config.limits.max_queued_events,
            bytes: self.config.limits.max_queued_bytes,
        }
    }

    fn fault(&self, dice: &mut Dice) -> Fault {
        let node = dice.below(self.nodes);
        match dice.below(12) {
            0..=3 => Fault::Crash(node),
            4..=5 => Fault::Stop(node),
            6..=7 => Fault::Pause(node, dice.millis(50..20_000)),
            8..=9 => Fault::Cut(node, dice.millis(50..20_000)),
            10 => Fault::Outage(dice.millis(50..15_000)),
            _ => Fault::Clock(node, dice.millis(0..10_000_000)),
        }
    }

    fn add(&mut self, dice: &mut Dice, fault: Fault) {
        let millis = u64::try_from(self.trouble.as_millis()).unwrap_or(u64::MAX);
        let at = dice.millis(1_000..millis);
        self.faults.push((at, fault));
    }
}
