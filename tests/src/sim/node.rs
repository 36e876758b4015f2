//! A node: an engine, and the driver that does what it orders.
//!
//! The driver holds the engine to what always has to be true: an exchange gets one answer or end, a
//! connection has one unwritten batch at most, and what is due is done.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a few facts and orders out of many are looked at"
)]

use std::collections::VecDeque;
use std::time::Duration;

use bayeux_core::{
    Call, CallTicket, Change, Engine, Input, Instant, Laziness, Load, Output, Payload, ReportKind,
    Seed,
};
use serde_json::json;

use super::judge::Verdict;
use super::ledger::Ledger;
use super::plan::LEASE;
use super::world::{Happening, Mend, World};

pub(super) struct Node {
    pub(super) number: usize,
    /// Which of all lives of nodes this is.
    pub(super) life: u64,
    state: State,
    ledger: Option<Ledger>,
}

enum State {
    Dead,
    Running(Box<Engine>),
    /// It stands still; what comes meanwhile waits.
    Paused(Box<Engine>, VecDeque<Fact>),
}

/// Something for a node to see.
enum Fact {
    Input(Box<Input>),
    Wire(u64),
    /// A connection is gone.
    Gone(u64),
}

impl Node {
    pub(super) const fn dead(number: usize) -> Self {
        Self {
            number,
            life: 0,
            state: State::Dead,
            ledger: None,
        }
    }

    /// When its engine wants to look at the time.
    pub(super) fn due(&self) -> Option<Instant> {
        match &self.state {
            State::Running(engine) => engine.poll_timeout(),
            State::Dead | State::Paused(..) => None,
        }
    }

    pub(super) const fn is_alive(&self) -> bool {
        !matches!(self.state, State::Dead)
    }

    /// Its engine takes in a fact, if it runs.
    fn take_in(&mut self, input: Input, now: Instant) {
        let State::Running(engine) = &mut self.state else {
            return;
        };
        if let Some(ledger) = &mut self.ledger {
            ledger.told(&input, engine.load().sessions, now);
        }
        engine.handle(now, input);
    }

    pub(super) fn engine(&self) -> Option<&Engine> {
        match &self.state {
            State::Running(engine) | State::Paused(engine, _) => Some(engine),
            State::Dead => None,
        }
    }
}

impl World {
    /// A node starts, if it does not run.
    pub(super) fn start_node(&mut self, number: usize) {
        let seed = Seed::new(self.dice.bytes());
        let life = self.new_life();
        let engine = Engine::new(self.plan.config.clone(), seed);
        let Some(node) = self.nodes.get_mut(number).filter(|node| !node.is_alive()) else {
            return;
        };
        node.life = life;
        node.state = State::Running(Box::new(engine));
        node.ledger = Some(Ledger::new(&self.plan.config, self.plan.crowded));
        self.story
            .tell(self.now, || format!("node {number}   starts (life {life})"));
        self.attach(life);
    }

    fn node_of(&mut self, life: u64) -> Option<&mut Node> {
        self.nodes.iter_mut().find(|node| node.life == life)
    }

    /// The store tells a node something, or a decider does.
    pub(super) fn told(&mut self, life: u64, input: Input) {
        let Some(number) = self.node_of(life).map(|node| node.number) else {
            return;
        };
        self.story.tell(self.now, || {
            let text: String = format!("{input:?}").chars().take(130).collect();
            format!("node {number}   < {text}")
        });
        self.fact(number, input);
    }

    /// A node takes in a fact, unless it stands still.
    pub(super) fn fact(&mut self, number: usize, input: Input) {
        let now = self.now;
        let due = self.nodes.get(number).and_then(Node::due);
        let may_need_room = matches!(input, Input::Received { .. } | Input::Stored { .. });
        if self.plan.crowded && may_need_room && due.is_some_and(|due| due <= now) {
            // What ends at the same time makes room: the ledger is to see that first.
            self.elapsed(number);
        }
        let Some(node) = self.nodes.get_mut(number) else {
            return;
        };
        match &mut node.state {
            State::Dead => return,
            State::Paused(_, backlog) => {
                backlog.push_back(Fact::Input(Box::new(input)));
                return;
            }
            State::Running(_) => node.take_in(input, now),
        }
        self.facts += 1;
        self.obey(number);
    }

    pub(super) fn elapsed(&mut self, number: usize) {
        self.fact(number, Input::Elapsed);
    }

    /// What was sent on a connection is on the wire.
    pub(super) fn wire(&mut self, link: u64) {
        let Some(number) = self.links.get(&link).map(|link| link.node) else {
            return;
        };
        let Some(node) = self.nodes.get_mut(number) else {
            return;
        };
        match &mut node.state {
            State::Dead => {}
            State::Paused(_, backlog) => backlog.push_back(Fact::Wire(link)),
            State::Running(_) => self.written(link),
        }
    }

    /// Lets a node that stands still see later that a connection is gone; whether it does.
    pub(super) fn is_seen_later(&mut self, number: usize, link: u64) -> bool {
        match self.nodes.get_mut(number).map(|node| &mut node.state) {
            Some(State::Paused(_, backlog)) => {
                backlog.push_back(Fact::Gone(link));
                true
            }
            Some(State::Dead | State::Running(_)) | None => false,
        }
    }

    /// Does what an engine orders.
    fn obey(&mut self, number: usize) {
        loop {
            let Some(State::Running(engine)) = self.nodes.get_mut(number).map(|n| &mut n.state)
            else {
                return;
            };
            let Some(output) = engine.poll_output() else {
                let due = engine.poll_timeout();
                if due.is_some_and(|due| due <= self.now) {
                    self.fail(format!("node {number} has not done what was due"));
                }
                let verdict = self.ledger_of(number).map_or(Ok(()), Ledger::is_settled);
                return self.hold(verdict);
            };
            let now = self.now;
            let verdict = self
                .ledger_of(number)
                .map_or(Ok(()), |ledger| ledger.orders(&output, now));
            self.hold(verdict.map_err(|why| format!("node {number}: {why}")));
            self.obey_one(number, output);
        }
    }

    fn ledger_of(&mut self, number: usize) -> Option<&mut Ledger> {
        self.nodes.get_mut(number)?.ledger.as_mut()
    }

    fn obey_one(&mut self, number: usize, output: Output) {
        match output {
            Output::Receive { connection } => self.receive(connection.number()),
            Output::Send { connection, batch } => {
                let frames = batch.frames().cloned().collect();
                self.send(connection.number(), frames, batch.cookie());
            }
            Output::Close { connection, reason } => {
                self.close(connection.number(), reason.name());
            }
            Output::Store { ticket, request } => {
                let life = self.nodes.get(number).map_or(0, |node| node.life);
                self.ask_store(life, ticket, request);
            }
            Output::Decide { ticket, question } => self.decide(number, ticket, &question),
            Output::Return { .. } => {}
            Output::Report(report) => self.reported(number, report.kind),
        }
    }

    fn reported(&mut self, number: usize, kind: ReportKind) {
        let life = self.nodes.get(number).map_or(0, |node| node.life);
        match kind {
            ReportKind::Broken(what) => self.fail(format!("the engine is broken: {what}")),
            ReportKind::Drained => self.drained(number),
            ReportKind::SessionCreated(session) => self.session_began(life, session),
            ReportKind::SessionRemoved(session, why) => {
                self.session_ended(life, session);
                self.is_removed(life, session, why);
            }
            ReportKind::Delivered(session, position) => self.is_written(life, session, position),
            ReportKind::Dropped(session, position) => self.is_dropped(life, session, position),
            _ => {}
        }
    }

    /// A fact that follows at once on an order.
    pub(super) fn fact_now(&mut self, number: usize, input: Input) {
        let now = self.now;
        if let Some(node) = self.nodes.get_mut(number) {
            node.take_in(input, now);
        }
    }

    // Faults.

    pub(super) fn crash(&mut self, number: usize) {
        let Some(node) = self.nodes.get_mut(number).filter(|node| node.is_alive()) else {
            return;
        };
        let life = node.life;
        self.lose_links(number, life);
        if let Some(node) = self.nodes.get_mut(number) {
            node.state = State::Dead;
        }
        // The store sees it when the lease is over; or at once, the connection being closed.
        let seen = if self.dice.permille(500) {
            LEASE
        } else {
            Duration::ZERO
        };
        self.after(seen, Happening::Detached { life });
        let again = self.dice.millis(100..15_000);
        self.after(again, Happening::Mended(Mend::Start(number)));
    }

    pub(super) fn stop(&mut self, number: usize) {
        let over = self.dice.millis(0..3_000);
        self.fact(number, Input::Draining { over });
    }

    /// A node has let go of everything: it stops once what is under way is written.
    fn drained(&mut self, number: usize) {
        let Some(node) = self.nodes.get(number) else {
            return;
        };
        let life = node.life;
        self.story.tell(self.now, || {
            format!("node {number}   has let go of everything")
        });
        self.lose_links(number, life);
        if let Some(node) = self.nodes.get_mut(number) {
            node.state = State::Dead;
        }
        self.after(Duration::ZERO, Happening::Detached { life });
        let again = self.dice.millis(100..5_000);
        self.after(again, Happening::Mended(Mend::Start(number)));
    }

    pub(super) fn pause(&mut self, number: usize, time: Duration) {
        let Some(node) = self.nodes.get_mut(number) else {
            return;
        };
        let life = node.life;
        let before = core::mem::replace(&mut node.state, State::Dead);
        node.state = match before {
            State::Running(engine) => State::Paused(engine, VecDeque::new()),
            other => other,
        };
        self.after(time, Happening::Mended(Mend::Resume(number, life)));
    }

    /// A node that stood still sees everything: at once, or one after the other.
    pub(super) fn resume(&mut self, number: usize, life: u64) {
        let Some(node) = self.nodes.get_mut(number).filter(|node| node.life == life) else {
            return;
        };
        let before = core::mem::replace(&mut node.state, State::Dead);
        let State::Paused(engine, backlog) = before else {
            node.state = before;
            return;
        };
        node.state = State::Running(engine);
        let at_once = !self.plan.crowded && self.dice.permille(500);
        self.fact_now(number, Input::Elapsed);
        for fact in backlog {
            // What it had ordered before it saw the end of a connection comes first.
            if !at_once || !matches!(fact, Fact::Input(_)) {
                self.obey(number);
            }
            match fact {
                Fact::Input(input) => self.fact_now(number, *input),
                Fact::Wire(link) => self.written(link),
                Fact::Gone(link) => self.is_gone(link),
            }
        }
        self.fact(number, Input::Elapsed);
    }

    pub(super) fn set_clock(&mut self, number: usize, wall: Duration) {
        let change = Change::WallClock(wall);
        self.fact(number, Input::Configured { change });
    }

    /// The application of a node publishes.
    pub(super) fn publish_on(&mut self, number: usize, channel: &str, what: u64) {
        let Ok(channel) = channel.parse() else {
            return;
        };
        self.story
            .tell(self.now, || format!("node {number}   publishes n{what}"));
        let call = Call::Publish {
            channel,
            data: Payload::from(json!({"n": what})),
            ext: None,
            laziness: Laziness::Prompt,
        };
        let ticket = CallTicket::new(what);
        self.fact(number, Input::Called { ticket, call });
    }

    /// Whether an engine that everybody has left holds what a new one holds.
    pub(super) fn is_empty(&self, number: usize) -> Verdict {
        let Some(engine) = self.nodes.get(number).and_then(Node::engine) else {
            return Err(format!("node {number} does not run"));
        };
        let load = engine.load();
        if load != Load::default() {
            return Err(format!("node {number} still holds {load:?}"));
        }
        let counted: usize = engine.census().iter().map(|(_, _, count)| count).sum();
        if counted > 0 {
            return Err(format!("node {number} counts {counted} sessions"));
        }
        Ok(())
    }
}
