//! One shard: an engine, and the turn that serves it.
//!
//! A turn takes in all facts there are, carries out all orders they lead to, and sets one timer.
//! Websockets are written to from within the turn. Invariant: after a turn the engine has no order
//! left.

use std::collections::HashMap;
use std::future::Future;
use std::hash::{BuildHasherDefault, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bayeux_core::{
    Call, CallResult, CallTicket, Change, ConnectionId, DeciderId, DecisionTicket, Engine, Input,
    Instant, Messages, Output, Question, Report, ReportKind, Verdict,
};
use bytes::Bytes;
use futures_channel::oneshot;
use hyper::rt::{Sleep, Timer};

use crate::application::{Asked, DynDecide, Listener};
use crate::carrier::{Carrier, Ended, Sent};
use crate::clock::WallClock;
use crate::complaints::Complaints;
use crate::deadlines::Deadlines;
use crate::frames::Frames;
use crate::inbox::{Fact, Opening};
use crate::measure::{Measure, Noted};
use crate::router::{Gateway, Place};
use crate::runtime::Runtime;
use crate::store::LogEnd;

/// How long publishes are gathered at the most, while more come in without a pause.
const GATHERING: Duration = Duration::from_millis(1);

/// How many batches are taken together at the most.
const TOGETHER: usize = 64;

/// And how large they may be together before no further one is taken.
const TOGETHER_BYTES: usize = 64 << 10;

/// One engine with everything that it needs: a future to be run on a thread of its own.
///
/// It never ends. A runtime that makes tasks pause after so much IO must run it without that, or a
/// fan-out is cut up.
pub(crate) struct Shard {
    engine: Engine,
    gateway: Gateway,
    runtime: Runtime,
    log: LogEnd,
    wall_clock: WallClock,
    connections: HashMap<ConnectionId, Open, BuildHasherDefault<IdHasher>>,
    /// How many of them have an order to send under way.
    writing: usize,
    frames: Frames,
    deadlines: Deadlines,
    calls: HashMap<CallTicket, oneshot::Sender<CallResult>>,
    next_call: u64,
    deciders: HashMap<DeciderId, DynDecide>,
    listener: Option<Listener>,
    facts: Vec<Fact>,
    orders: Vec<Output>,
    /// Since when the log is left unread to gather what comes in.
    gathering: Option<Instant>,
    alarm: Alarm,
    drain: Drain,
    noted: Noted,
    complaints: Complaints,
}

/// A connection that the engine knows of.
struct Open {
    carrier: Carrier,
    is_writing: bool,
}

/// The one timer.
#[derive(Default)]
struct Alarm {
    sleep: Option<Pin<Box<dyn Sleep>>>,
    at: Option<Instant>,
}

/// The end, if it has begun.
#[derive(Default)]
struct Drain {
    is_drained: bool,
    waiting: Vec<oneshot::Sender<()>>,
}

impl Shard {
    pub(crate) fn new(
        engine: Engine,
        gateway: Gateway,
        runtime: Runtime,
        log: LogEnd,
        wall_clock: WallClock,
        listener: Option<Listener>,
    ) -> Self {
        Self {
            engine,
            gateway,
            runtime,
            log,
            wall_clock,
            connections: HashMap::default(),
            writing: 0,
            frames: Frames::default(),
            deadlines: Deadlines::default(),
            calls: HashMap::new(),
            next_call: 0,
            deciders: HashMap::new(),
            listener,
            facts: Vec::new(),
            orders: Vec::with_capacity(TOGETHER),
            gathering: None,
            alarm: Alarm::default(),
            drain: Drain::default(),
            noted: Noted::default(),
            complaints: Complaints::default(),
        }
    }

    fn turn(&mut self, now: Instant, facts: &mut Vec<Fact>) {
        let has_facts = !facts.is_empty();
        for fact in facts.drain(..) {
            self.take(now, fact);
        }
        self.deadlines.check(now);
        self.set_wall_clock(now);
        if self.engine.poll_timeout().is_some_and(|due| due <= now) {
            self.tell(now, Input::Elapsed);
        }
        self.obey(now);
        if self.is_gathering(now, has_facts) {
            return;
        }
        while let Some(input) = self.log.next(now, &self.gateway.router) {
            self.tell(now, input);
            self.obey(now);
        }
        self.frames.clear();
        self.complaints.hear(now, self.engine.counters());
        if self.drain.is_drained && self.writing == 0 {
            for waiting in self.drain.waiting.drain(..) {
                let _ = waiting.send(());
            }
        }
    }

    /// Tells the engine, before it looks at what ends by the time of day, if that was set.
    fn set_wall_clock(&mut self, now: Instant) {
        let clock = self.gateway.router.clock;
        if let Some(wall_clock) = self.wall_clock.moved(now, || clock.wall_clock()) {
            let change = Change::WallClock(wall_clock);
            self.tell(now, Input::Configured { change });
        }
    }

    /// Hands the engine a fact. All of them pass here, so this is where they can be seen.
    fn tell(&mut self, now: Instant, fact: Input) {
        tracing::trace!(?fact);
        self.engine.handle(now, fact);
    }

    /// Whether the log is to be read a turn later: while publishes are coming in, the frames right
    /// behind them are taken first, so that their events leave in one write to each subscriber.
    /// Without a further fact that turn follows at once.
    fn is_gathering(&mut self, now: Instant, has_facts: bool) -> bool {
        let since = match self.gathering {
            None if self.log.has_submitted() => now,
            Some(since) if has_facts && now < since + GATHERING => since,
            None | Some(_) => {
                self.gathering = None;
                return false;
            }
        };
        self.gathering = Some(since);
        true
    }

    fn take(&mut self, now: Instant, fact: Fact) {
        match fact {
            Fact::Input(Input::Received {
                connection,
                messages,
            }) => self.receive(now, connection, messages),
            Fact::Input(input) => {
                self.note(&input);
                self.tell(now, input);
            }
            Fact::Opened(opening) => self.open(now, *opening),
            Fact::Watch(at, what) => self.deadlines.add(at, what),
            Fact::Call(call, answer) => self.call(now, call, answer),
            Fact::OpenLocal(connection, end, answer) => {
                let carrier = Carrier::Local(end);
                self.connections.insert(
                    connection,
                    Open {
                        carrier,
                        is_writing: false,
                    },
                );
                self.call(now, Call::Open { connection }, answer);
            }
            Fact::AddDecider(decider, decide) => {
                self.deciders.insert(decider.id, decide);
                self.tell(
                    now,
                    Input::Configured {
                        change: Change::AddDecider(decider),
                    },
                );
            }
            Fact::RemoveDecider(id) => {
                self.tell(
                    now,
                    Input::Configured {
                        change: Change::RemoveDecider(id),
                    },
                );
                self.deciders.remove(&id);
            }
            Fact::Measure(answer) => {
                let _ = answer.send(Box::new(self.measure(now)));
            }
            Fact::Drain(over, answer) => {
                self.drain.waiting.push(answer);
                self.tell(now, Input::Draining { over });
            }
        }
    }

    /// The next frame of a websocket. If that is bound to no session here, and the frame names one of
    /// another shard, it is that shard's from now on.
    fn receive(&mut self, now: Instant, connection: ConnectionId, messages: Messages) {
        let elsewhere = self.gateway.named(&messages).filter(|shard| {
            *shard != self.gateway.place.shard() && !self.engine.carries(connection)
        });
        if let Some(shard) = elsewhere
            && let Some(Carrier::Duplex(duplex)) =
                self.connections.get(&connection).map(|open| &open.carrier)
        {
            duplex.hand_on(connection, shard, messages);
            self.forget(connection);
            self.tell(now, Input::Closed { connection });
            return;
        }
        self.tell(
            now,
            Input::Received {
                connection,
                messages,
            },
        );
    }

    /// Keeps the table in step with what the engine is told.
    fn note(&mut self, input: &Input) {
        if let Input::Closed { connection } = input {
            self.forget(*connection);
        }
        if let Input::Written { connection } = input {
            self.written(*connection);
        }
    }

    fn written(&mut self, connection: ConnectionId) {
        let Some(open) = self.connections.get_mut(&connection) else {
            return;
        };
        if std::mem::take(&mut open.is_writing) {
            self.writing -= 1;
        }
        if matches!(open.carrier, Carrier::Exchange(_)) {
            self.connections.remove(&connection);
        }
    }

    fn forget(&mut self, connection: ConnectionId) {
        if self
            .connections
            .remove(&connection)
            .is_some_and(|open| open.is_writing)
        {
            self.writing -= 1;
        }
    }

    fn open(&mut self, now: Instant, opening: Opening) {
        let Opening {
            connection,
            transport,
            peer,
            carrier,
            messages,
        } = opening;
        self.connections.insert(
            connection,
            Open {
                carrier,
                is_writing: false,
            },
        );
        self.tell(
            now,
            Input::Opened {
                connection,
                transport,
                peer,
            },
        );
        self.tell(
            now,
            Input::Received {
                connection,
                messages,
            },
        );
    }

    fn call(&mut self, now: Instant, call: Call, answer: oneshot::Sender<CallResult>) {
        let ticket = CallTicket::new(self.next_call);
        self.next_call += 1;
        self.calls.insert(ticket, answer);
        self.tell(now, Input::Called { ticket, call });
    }

    /// Carries out all orders.
    ///
    /// In a fan-out each is for another socket, and with many of them that one's state is in no cache.
    /// So several batches are taken together, and what they need is asked for before the first is
    /// sent: then it comes at once instead of piece by piece.
    fn obey(&mut self, now: Instant) {
        let mut orders = std::mem::take(&mut self.orders);
        loop {
            self.take_orders(&mut orders);
            if orders.is_empty() {
                break;
            }
            self.prefetch(&orders);
            for order in orders.drain(..) {
                self.carry_out(now, order);
            }
        }
        self.orders = orders;
    }

    /// The next orders: batches as long as they are few and small, and up to one of another kind. What
    /// comes of that may change the batches behind it.
    fn take_orders(&mut self, orders: &mut Vec<Output>) {
        let mut bytes = 0;
        while orders.len() < TOGETHER
            && bytes < TOGETHER_BYTES
            && let Some(order) = self.engine.poll_output()
        {
            bytes += if let Output::Send { batch, .. } = &order {
                batch.frames().map(Bytes::len).sum()
            } else {
                TOGETHER_BYTES
            };
            orders.push(order);
        }
    }

    /// Has the processor fetch what the orders to send need first.
    fn prefetch(&self, orders: &[Output]) {
        let mut is_any = false;
        for order in orders {
            if let Output::Send { connection, .. } = order
                && let Some(open) = self.connections.get(connection)
            {
                is_any |= open.carrier.prefetch();
            }
        }
        std::hint::black_box(is_any);
    }

    fn carry_out(&mut self, now: Instant, order: Output) {
        match order {
            Output::Receive { connection } => {
                if let Some(open) = self.connections.get(&connection) {
                    open.carrier.receive(connection);
                }
            }
            Output::Send { connection, batch } => {
                let Some(open) = self.connections.get_mut(&connection) else {
                    return;
                };
                match open.carrier.send(now, connection, batch, &mut self.frames) {
                    Sent::Written => self.tell(now, Input::Written { connection }),
                    Sent::Later => {
                        if !std::mem::replace(&mut open.is_writing, true) {
                            self.writing += 1;
                        }
                    }
                }
            }
            Output::Close { connection, reason } => {
                self.noted.closed(reason);
                let open = self.connections.get(&connection);
                let ended = open.map(|open| open.carrier.close(connection, reason));
                if ended != Some(Ended::Later) {
                    self.forget(connection);
                    self.tell(now, Input::Closed { connection });
                }
            }
            Output::Store { ticket, request } => self.log.submit(now, ticket, request),
            Output::Decide { ticket, question } => self.decide(now, ticket, *question),
            Output::Return { ticket, result } => {
                if let Some(answer) = self.calls.remove(&ticket) {
                    let _ = answer.send(result);
                }
            }
            Output::Report(report) => self.report(&report),
        }
    }

    /// Asks a decider. One that knows at once costs no task.
    fn decide(&mut self, now: Instant, ticket: DecisionTicket, question: Question) {
        let Some(decide) = self.deciders.get(&question.decider) else {
            self.tell(
                now,
                Input::Decided {
                    ticket,
                    verdict: Verdict::Abstain,
                },
            );
            return;
        };
        match Asked::ask(&**decide, question) {
            Ok(verdict) => self.tell(now, Input::Decided { ticket, verdict }),
            Err(asked) => {
                let gateway = self.gateway.clone();
                self.runtime.spawn(async move {
                    let verdict = asked.await;
                    let input = Input::Decided { ticket, verdict };
                    gateway.tell(gateway.place.shard(), Fact::Input(input));
                });
            }
        }
    }

    fn measure(&self, now: Instant) -> Measure {
        let log = self.log.measure();
        Measure {
            at: now,
            counters: *self.engine.counters(),
            load: self.engine.load(),
            census: *self.engine.census(),
            seen: self.engine.seen(),
            has_store: self.engine.has_store() && log.is_there,
            writing: self.writing,
            noted: self.noted.clone(),
            log,
        }
    }

    fn report(&mut self, report: &Report) {
        if report.kind == ReportKind::Drained {
            self.drain.is_drained = true;
        }
        self.noted.heard(report);
        if let Some(listener) = &self.listener {
            let told = catch_unwind(AssertUnwindSafe(|| listener(report)));
            if told.is_err() {
                tracing::error!("a listener to the reports panicked");
            }
        }
    }
}

impl Future for Shard {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let router = std::sync::Arc::clone(&this.gateway.router);
        let Place::Shard(here) = this.gateway.place else {
            return Poll::Ready(());
        };
        let Some(inbox) = router.inbox(here) else {
            return Poll::Ready(());
        };

        let mut facts = std::mem::take(&mut this.facts);
        inbox.take(&mut facts);
        this.turn(router.clock.now(), &mut facts);
        if facts.capacity() > 4096 {
            facts.shrink_to(256);
        }
        this.facts = facts;

        let due = match (this.engine.poll_timeout(), this.deadlines.next()) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        let is_due = due.is_some_and(|due| this.alarm.poll(due, &router.clock, &this.runtime, cx));
        // One turn, then the others on this thread.
        if inbox.listen(cx.waker()) || is_due || this.gathering.is_some() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        if let Some(inbox) = self.gateway.router.inbox(self.gateway.place.shard()) {
            inbox.close();
        }
    }
}

impl Alarm {
    /// Sets the timer unless it rings early enough already; says whether it is time.
    ///
    /// A deadline that moves away is left: the timer rings for nothing, once.
    fn poll(
        &mut self,
        due: Instant,
        clock: &crate::clock::Clock,
        runtime: &Runtime,
        cx: &mut Context<'_>,
    ) -> bool {
        if self.at.is_none_or(|at| due < at) {
            let deadline = clock.system(due);
            match &mut self.sleep {
                Some(sleep) => runtime.reset(sleep, deadline),
                None => self.sleep = Some(runtime.sleep_until(deadline)),
            }
            self.at = Some(due);
        }
        let Some(sleep) = &mut self.sleep else {
            return false;
        };
        if sleep.as_mut().poll(cx).is_pending() {
            return false;
        }
        self.at = None;
        true
    }
}

/// For names that this process gives out itself: spreads the low bits of a counter.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .rotate_left(32);
    }
}
