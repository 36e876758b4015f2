//! A driver of one's own, tried with histories. This one is as small as it gets: it does at once what the
//! engine orders, and neither its network nor its store ever fails.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bayeux_core::{
    Batch, Call, CallTicket, ConnectionId, DecodeLimits, Engine, Input, Instant, Laziness,
    Messages, Output, Payload, Peer, Seed, SessionId, Transport,
};
use bayeux_fuzz::history::cast::{self, Fact};
use bayeux_fuzz::history::{Setting, Step, history};
use bayeux_fuzz::invariants::{Broken, Watch};
use bayeux_fuzz::play::{Server, play};
use bayeux_fuzz::rig::{InMemory, Store, config};
use bayeux_fuzz::seen::Seen;
use bayeux_fuzz::{deciders, seen};
use proptest::prelude::*;
use serde_json::Value;

struct Driver {
    engine: Engine,
    /// Beside the comparison with the model: what is always true.
    watch: Watch,
    store: InMemory,
    now: Instant,
    connections: BTreeMap<ConnectionId, Connection>,
    /// The sessions that a history calls `#0`, `#1`, …
    sessions: Vec<String>,
    calls: u64,
    seen: Seen,
}

struct Connection {
    transport: Transport,
    /// Whether the engine wants a frame.
    asked: bool,
    frames: VecDeque<String>,
}

impl Driver {
    fn new(setting: Setting) -> Self {
        let config = config(setting);
        Self {
            engine: Engine::new(config.clone(), Seed::new([7; 32])),
            watch: Watch::new(config),
            store: InMemory::new(),
            now: Instant::EPOCH,
            connections: BTreeMap::new(),
            sessions: Vec::new(),
            calls: 0,
            seen: Seen::default(),
        }
    }

    fn tell(&mut self, input: Input) {
        self.watch.fact(&input);
        self.engine.handle(self.now, input);
    }

    /// Lets everything follow that follows at once.
    fn settle(&mut self) -> Result<(), Broken> {
        loop {
            while let Some(output) = self.engine.poll_output() {
                self.watch.order(&output)?;
                self.obey(output)?;
            }
            let next = match self.store.poll(self.now) {
                Some(input) => Some(input),
                None => self.next_frame()?,
            };
            match next {
                Some(input) => self.tell(input),
                None => return self.watch.drained(&self.engine, self.now),
            }
        }
    }

    fn next_frame(&mut self) -> Result<Option<Input>, Broken> {
        for (id, connection) in &mut self.connections {
            if connection.asked
                && let Some(frame) = connection.frames.pop_front()
            {
                connection.asked = false;
                let messages = Messages::decode(frame, &DecodeLimits::default());
                let messages = messages.map_err(|error| error.to_string())?;
                let connection = *id;
                return Ok(Some(Input::Received {
                    connection,
                    messages,
                }));
            }
        }
        Ok(None)
    }

    fn obey(&mut self, output: Output) -> Result<(), Broken> {
        match output {
            Output::Receive { connection } => {
                if let Some(known) = self.connections.get_mut(&connection) {
                    known.asked = true;
                }
            }
            Output::Send { connection, batch } => {
                self.send(connection, &batch)?;
                self.tell(Input::Written { connection });
            }
            Output::Close { connection, reason } => {
                self.connections.remove(&connection);
                self.heard(connection).closed = Some(reason.name());
                self.tell(Input::Closed { connection });
            }
            Output::Store { ticket, request } => self.store.submit(self.now, ticket, request),
            Output::Decide { ticket, question } => {
                let verdict = deciders::verdict(&question);
                self.tell(Input::Decided { ticket, verdict });
            }
            Output::Return { .. } | Output::Report(_) => {}
        }
        Ok(())
    }

    /// The client has it at once, and the name of its session as the history has it.
    fn send(&mut self, connection: ConnectionId, batch: &Batch) -> Result<(), Broken> {
        for frame in batch.frames() {
            let frame = serde_json::from_slice::<Vec<Value>>(frame);
            for mut message in frame.map_err(|error| error.to_string())? {
                let greeting = message.get("channel") == Some(&"/meta/handshake".into());
                if let Some(session) = message.get_mut("clientId")
                    && let Some(real) = session.as_str()
                {
                    let known = self.sessions.iter().position(|known| known == real);
                    if known.is_none() && greeting {
                        self.sessions.push(real.to_owned());
                    }
                    if let Some(at) = self.sessions.iter().position(|known| known == real) {
                        *session = cast::name(u32::try_from(at).ok()).into();
                    }
                }
                self.heard(connection).messages.push(message);
            }
        }
        let known = self.connections.get(&connection);
        if known.is_some_and(|known| known.transport.is_exchange()) {
            self.connections.remove(&connection);
        }
        Ok(())
    }

    fn heard(&mut self, connection: ConnectionId) -> &mut seen::Heard {
        let number = u32::try_from(connection.number());
        self.seen.on(number.unwrap_or(u32::MAX))
    }

    /// A frame as its client would write it, who knows the real names.
    fn written(&self, messages: &[Value]) -> String {
        let mut messages = messages.to_vec();
        for message in &mut messages {
            if let Some(session) = message.get_mut("clientId")
                && let Some(number) = session.as_str().and_then(cast::number)
                && let Some(real) = self.real(number)
            {
                *session = real.into();
            }
        }
        Value::from(messages).to_string()
    }

    fn real(&self, session: u32) -> Option<&str> {
        let at = usize::try_from(session).ok()?;
        self.sessions.get(at).map(String::as_str)
    }

    fn session(&self, number: u32) -> Result<SessionId, Broken> {
        let session = self.real(number).and_then(SessionId::parse);
        session.ok_or_else(|| format!("#{number} is no session"))
    }

    fn call(&mut self, call: Call) {
        self.calls += 1;
        let ticket = CallTicket::new(self.calls);
        self.tell(Input::Called { ticket, call });
    }

    fn pass(&mut self, time: Duration) -> Result<(), Broken> {
        let end = self.now + time;
        while let Some(due) = self.engine.poll_timeout().filter(|due| *due <= end) {
            self.now = due;
            self.tell(Input::Elapsed);
            self.settle()?;
        }
        self.now = end;
        Ok(())
    }
}

impl Server for Driver {
    fn meet(&mut self, fact: &Fact) -> Result<(), Broken> {
        match fact {
            Fact::Opened {
                connection,
                transport,
            } => {
                let connection = ConnectionId::new(u64::from(*connection));
                let transport = match transport {
                    cast::Transport::Poll => Transport::LongPolling,
                    cast::Transport::Callback => Transport::CallbackPolling,
                    cast::Transport::Socket => Transport::WebSocket,
                };
                let new = Connection {
                    transport,
                    asked: true,
                    frames: VecDeque::new(),
                };
                self.connections.insert(connection, new);
                let peer = Peer::default();
                self.tell(Input::Opened {
                    connection,
                    transport,
                    peer,
                });
            }
            Fact::Frame {
                connection,
                messages,
            } => {
                let frame = self.written(messages);
                let connection = ConnectionId::new(u64::from(*connection));
                if let Some(known) = self.connections.get_mut(&connection) {
                    known.frames.push_back(frame);
                }
            }
            Fact::Cut { connection } => {
                let connection = ConnectionId::new(u64::from(*connection));
                if self.connections.remove(&connection).is_some() {
                    self.tell(Input::Closed { connection });
                }
            }
            Fact::Publish {
                channel,
                data,
                lazy,
            } => self.call(Call::Publish {
                channel: channel.parse().map_err(|error| format!("{error}"))?,
                data: Payload::from(Value::from(*data)),
                ext: None,
                laziness: laziness(*lazy),
            }),
            Fact::Deliver {
                session,
                channel,
                data,
                lazy,
            } => self.call(Call::Deliver {
                session: self.session(*session)?,
                channel: channel.parse().map_err(|error| format!("{error}"))?,
                data: Payload::from(Value::from(*data)),
                laziness: laziness(*lazy),
            }),
            Fact::Disconnect { session } => {
                let session = self.session(*session)?;
                self.call(Call::Disconnect { session });
            }
            Fact::Pass { millis } => self.pass(Duration::from_millis(u64::from(*millis)))?,
            Fact::Wire { .. } | Fact::Store { .. } => return Err("nothing fails here".to_owned()),
        }
        self.settle()
    }

    fn seen(&mut self) -> Seen {
        std::mem::take(&mut self.seen)
    }

    fn finish(&mut self) -> Result<(), Broken> {
        for connection in std::mem::take(&mut self.connections).into_keys() {
            self.tell(Input::Closed { connection });
        }
        self.settle()?;
        self.pass(Duration::from_secs(3_600))?;
        self.watch.gone(&self.engine)
    }
}

fn laziness(lazy: bool) -> Laziness {
    match lazy {
        true => Laziness::Lazy,
        false => Laziness::Prompt,
    }
}

proptest! {
    #[test]
    fn a_driver_of_ones_own_does_what_the_model_says(mut history in history(40)) {
        // What this driver cannot do is left out: any part of a history is one too.
        history.steps.retain(|step| !matches!(step, Step::Wire { .. } | Step::Store { .. }));
        let mut driver = Driver::new(history.setting);

        let played = play(&history, &mut driver);

        prop_assert!(played.is_ok(), "{}", played.map_or_else(|failure| failure.to_string(), |()| String::new()));
    }
}
