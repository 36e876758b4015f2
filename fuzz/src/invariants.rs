//! What is always true of an engine, whatever happens to it.
//!
//! A [`Watch`] sees the facts that an engine takes in and the orders that it gives, and says which promise
//! was broken. It can stand beside any driver.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use bayeux_core::{
    CallTicket, Config, ConnectionId, DecisionTicket, Engine, Input, Instant, Load, Output,
    ReportKind, StoreTicket, Transport,
};

/// A promise that was broken, in words.
pub type Broken = String;

/// Who watches one engine.
#[derive(Debug)]
pub struct Watch {
    config: Config,
    connections: BTreeMap<ConnectionId, Connection>,
    stored: BTreeSet<StoreTicket>,
    decided: BTreeSet<DecisionTicket>,
    called: BTreeSet<CallTicket>,
}

#[derive(Debug)]
struct Connection {
    transport: Transport,
    /// It has had its one response, or is closed.
    over: bool,
    unwritten: bool,
    /// How many frames it may hand over.
    asked: u32,
}

impl Watch {
    /// Watches an engine that begins with this configuration.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            connections: BTreeMap::new(),
            stored: BTreeSet::new(),
            decided: BTreeSet::new(),
            called: BTreeSet::new(),
        }
    }

    /// The engine is about to be told this.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "only facts about connections and calls matter"
    )]
    pub fn fact(&mut self, input: &Input) {
        match input {
            Input::Opened {
                connection,
                transport,
                ..
            } => {
                let new = Connection {
                    transport: *transport,
                    over: false,
                    unwritten: false,
                    asked: 1,
                };
                self.connections.insert(*connection, new);
            }
            Input::Received { connection, .. } => {
                if let Some(connection) = self.connections.get_mut(connection) {
                    connection.asked = connection.asked.saturating_sub(1);
                }
            }
            Input::Written { connection } => {
                if let Some(connection) = self.connections.get_mut(connection) {
                    connection.unwritten = false;
                    connection.over |= connection.transport.is_exchange();
                }
            }
            Input::Closed { connection } => {
                self.connections.remove(connection);
            }
            Input::Called { ticket, .. } => {
                self.called.insert(*ticket);
            }
            _ => {}
        }
    }

    /// The engine has ordered this.
    ///
    /// # Errors
    ///
    /// The promise that this breaks: an exchange gets one `Send` or `Close`, a connection has one unwritten
    /// `Send` at most, a frame is asked for once, a ticket is used once, a call is answered once, and the
    /// engine finds nothing broken in itself.
    pub fn order(&mut self, output: &Output) -> Result<(), Broken> {
        match output {
            Output::Receive { connection } => self.receive(*connection),
            Output::Send { connection, batch } => self.send(*connection, batch.frames().len()),
            Output::Close { connection, .. } => self.close(*connection),
            Output::Store { ticket, .. } => once(&mut self.stored, *ticket),
            Output::Decide { ticket, .. } => once(&mut self.decided, *ticket),
            Output::Return { ticket, .. } => match self.called.remove(ticket) {
                true => Ok(()),
                false => Err(format!(
                    "{ticket:?} was answered and not called, or answered twice"
                )),
            },
            Output::Report(report) => {
                if let ReportKind::Broken(what) = &report.kind {
                    return Err(format!("the engine is broken: {what}"));
                }
                Ok(())
            }
        }
    }

    fn open(&mut self, connection: ConnectionId) -> Result<&mut Connection, Broken> {
        let known = self
            .connections
            .get_mut(&connection)
            .filter(|known| !known.over);
        known.ok_or_else(|| format!("{connection:?} is over, or never began"))
    }

    fn receive(&mut self, connection: ConnectionId) -> Result<(), Broken> {
        let known = self.open(connection)?;
        if known.transport.is_exchange() {
            return Err(format!(
                "{connection:?} is an exchange, and was asked for a frame"
            ));
        }
        known.asked += 1;
        if known.asked > 1 {
            return Err(format!("{connection:?} was asked for a frame twice"));
        }
        Ok(())
    }

    fn send(&mut self, connection: ConnectionId, frames: usize) -> Result<(), Broken> {
        let known = self.open(connection)?;
        if known.unwritten {
            return Err(format!("{connection:?} has a batch that is not written"));
        }
        known.unwritten = true;
        match (known.transport.is_exchange(), frames) {
            (_, 0) => Err(format!("{connection:?} was sent nothing")),
            (true, 2..) => Err(format!(
                "{connection:?} is an exchange, and was sent {frames} frames"
            )),
            _ => Ok(()),
        }
    }

    fn close(&mut self, connection: ConnectionId) -> Result<(), Broken> {
        self.open(connection)?.over = true;
        Ok(())
    }

    /// What holds when an engine has no more orders to give, at `now`.
    ///
    /// # Errors
    ///
    /// The promise that does not hold: what is due is done, limits hold, and without sessions and
    /// connections nothing is left of them.
    pub fn drained(&self, engine: &Engine, now: Instant) -> Result<(), Broken> {
        if let Some(due) = engine.poll_timeout().filter(|due| *due <= now) {
            return Err(format!("at {now:?} what was due at {due:?} is not done"));
        }
        let load = engine.load();
        let limits = &self.config.limits;
        within("sessions", load.sessions, limits.max_sessions)?;
        within("connections", load.connections, limits.max_connections)?;
        within("channels", load.channels, limits.max_channels)?;
        let subscriptions = load.sessions.saturating_mul(limits.max_subscriptions);
        within("subscriptions", load.subscriptions, subscriptions)?;
        let counted: usize = engine.census().iter().map(|(_, _, count)| count).sum();
        if counted != load.sessions {
            return Err(format!(
                "{} sessions, of which {counted} are counted",
                load.sessions
            ));
        }
        if load.sessions == 0 && load.subscriptions > 0 {
            return Err(format!(
                "no session, and {} subscriptions",
                load.subscriptions
            ));
        }
        Ok(())
    }

    /// What holds long after everybody has gone: the engine holds what a new one holds.
    ///
    /// # Errors
    ///
    /// What it still holds.
    pub fn gone(&self, engine: &Engine) -> Result<(), Broken> {
        let load = engine.load();
        if load != Load::default() {
            return Err(format!(
                "everybody has gone, and the engine still holds {load:?}"
            ));
        }
        Ok(())
    }
}

fn once<T: Ord + Copy + Debug>(known: &mut BTreeSet<T>, ticket: T) -> Result<(), Broken> {
    match known.insert(ticket) {
        true => Ok(()),
        false => Err(format!("{ticket:?} was used twice")),
    }
}

fn within(what: &str, count: usize, limit: usize) -> Result<(), Broken> {
    match count <= limit {
        true => Ok(()),
        false => Err(format!("{count} {what}, and {limit} are the most")),
    }
}
