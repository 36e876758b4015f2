//! Clients in numbers, set up and kept alive.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::progress::Progress;
use crate::session::{Next, Session, Transport};
use crate::swarm::{Answer, Heard, Swarm};
use crate::{Common, Failure};

/// A connection that has rested for longer may be being closed by the server: that of Node.js does so after 5 s.
const FRESH: Duration = Duration::from_secs(4);
const PATIENCE: Duration = Duration::from_millis(100);

/// Clients, known by their number, and their connections.
pub(crate) struct Crowd {
    swarm: Swarm,
    clients: Vec<Client>,
    /// Whose each connection is.
    owners: Vec<usize>,
    at_a_time: usize,
    deadline: Instant,
}

struct Client {
    session: Session,
    /// The connection that its connects go over.
    main: usize,
    /// What it publishes over, while the other is taken by a poll.
    aside: Option<Box<Aside>>,
}

struct Aside {
    connection: usize,
    stage: Stage,
    waiting: VecDeque<String>,
}

#[derive(Clone, Copy)]
enum Stage {
    Opening,
    Busy,
    Free { since: Instant },
    Closed,
}

/// Told what a client has received.
pub(crate) type Hear<'a> = &'a mut dyn FnMut(usize, &[u8]) -> Result<(), Failure>;

impl Crowd {
    pub(crate) fn new(common: &Common) -> Result<Self, Failure> {
        Ok(Self {
            swarm: Swarm::new(common.url.clone())?,
            clients: Vec::new(),
            owners: Vec::new(),
            at_a_time: common.opening.get(),
            deadline: common.deadline(),
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.clients.len()
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(crate) fn session(&self, client: usize) -> Option<&Session> {
        self.clients.get(client).map(|client| &client.session)
    }

    /// Adds clients and waits until all are set up.
    pub(crate) fn gather(
        &mut self,
        sessions: impl ExactSizeIterator<Item = Session>,
    ) -> Result<(), Failure> {
        let count = sessions.len();
        let mut sessions = sessions;
        self.set_up(count, |crowd, _| {
            let Some(session) = sessions.next() else {
                return Ok(());
            };
            let main = crowd.swarm.open(session.profile().first_transport())?;
            crowd.owners.push(crowd.clients.len());
            crowd.clients.push(Client {
                session,
                main,
                aside: None,
            });
            Ok(())
        })
    }

    /// The server has gone: opens all connections anew, and waits until all sessions are set up again.
    pub(crate) fn return_all(&mut self) -> Result<(), Failure> {
        for client in &mut self.clients {
            client.session.lost();
            self.swarm.close(client.main);
        }
        self.set_up(self.clients.len(), |crowd, index| {
            let client = crowd.clients.get(index).ok_or("no such client")?;
            let transport = client.session.profile().transport;
            crowd.swarm.reopen(client.main, transport)
        })
    }

    /// Begins so many, a few at a time, and waits until they are ready.
    fn set_up(
        &mut self,
        count: usize,
        mut begin: impl FnMut(&mut Self, usize) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut progress = Progress::new("sessions", count);
        let (mut begun, mut ready) = (0, 0);
        while ready < count {
            while begun < count && begun - ready < self.at_a_time {
                begin(self, begun)?;
                begun += 1;
            }
            ready += self.turn(PATIENCE, &mut |_, _| Ok(()))?;
            progress.tell(ready);
        }
        Ok(())
    }

    /// Keeps them alive for some time.
    pub(crate) fn rest(&mut self, time: Duration, hear: Hear<'_>) -> Result<(), Failure> {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.turn(left.min(PATIENCE), hear)?;
        }
    }

    /// Publishes for a client.
    pub(crate) fn publish(&mut self, client: usize, messages: String) -> Result<(), Failure> {
        let owner = self.clients.get_mut(client).ok_or("no such client")?;
        if owner.session.profile().transport == Transport::WebSocket {
            return self.swarm.send(owner.main, &messages);
        }
        if owner.aside.is_none() {
            let connection = self.swarm.open(Transport::LongPolling)?;
            self.swarm.share_cookie(owner.main, connection);
            self.owners.push(client);
            owner.aside = Some(Box::new(Aside {
                connection,
                stage: Stage::Opening,
                waiting: VecDeque::new(),
            }));
        }
        let aside = owner
            .aside
            .as_mut()
            .ok_or("no connection to publish over")?;
        match aside.stage {
            Stage::Free { since } if since.elapsed() < FRESH => {
                aside.stage = Stage::Busy;
                return self.swarm.send(aside.connection, &messages);
            }
            Stage::Free { .. } | Stage::Closed => {
                aside.stage = Stage::Opening;
                self.swarm
                    .reopen(aside.connection, Transport::LongPolling)?;
            }
            Stage::Opening | Stage::Busy => {}
        }
        aside.waiting.push_back(messages);
        Ok(())
    }

    /// Has a client that rests ask for something to be answered at once.
    pub(crate) fn poll(&mut self, client: usize) -> Result<(), Failure> {
        let client = self.clients.get(client).ok_or("no such client")?;
        self.swarm
            .send(client.main, &client.session.brief_connect())
    }

    /// Waits for something to happen, and says how many sessions have become ready.
    pub(crate) fn turn(&mut self, patience: Duration, hear: Hear<'_>) -> Result<usize, Failure> {
        let clients = &mut self.clients;
        if Instant::now() > self.deadline {
            let ready = clients.iter().filter(|client| client.session.is_ready());
            let (ready, all) = (ready.count(), clients.len());
            return Err(format!("out of time, with {ready} of {all} sessions set up").into());
        }
        let owners = &self.owners;
        let mut ready = 0;
        self.swarm.turn(patience, |connection, heard| {
            let owner = *owners.get(connection).ok_or("nobody's connection")?;
            let client = clients.get_mut(owner).ok_or("no such client")?;
            if connection != client.main {
                return client.heard_aside(heard, &mut |messages| hear(owner, messages));
            }
            let was_ready = client.session.is_ready();
            let next = match heard {
                Heard::Opened => return Ok(Some(Answer::Send(client.session.opened()))),
                Heard::Closed => return client.session.closed().map(|()| None),
                Heard::Messages(messages) => {
                    hear(owner, messages)?;
                    client.session.received(messages)?
                }
            };
            ready += usize::from(client.session.is_ready() && !was_ready);
            Ok(match next {
                Next::Nothing => None,
                Next::Send(messages) => Some(Answer::Send(messages)),
                Next::Upgrade => Some(Answer::Upgrade),
            })
        })?;
        Ok(ready)
    }

    /// How many connections there are.
    pub(crate) fn connections(&self) -> usize {
        self.swarm.len()
    }
}

impl Client {
    fn heard_aside(
        &mut self,
        heard: Heard<'_>,
        hear: &mut dyn FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<Option<Answer>, Failure> {
        let aside = self.aside.as_mut().ok_or("nobody's connection")?;
        match heard {
            Heard::Opened => {}
            Heard::Messages(messages) => {
                hear(messages)?;
                self.session.published(messages)?;
            }
            Heard::Closed if matches!(aside.stage, Stage::Free { .. }) => {
                aside.stage = Stage::Closed;
                return Ok(None);
            }
            Heard::Closed => {
                return Err("the server closed a connection instead of an answer".into());
            }
        }
        let next = aside.waiting.pop_front();
        aside.stage = match next {
            Some(_) => Stage::Busy,
            None => Stage::Free {
                since: Instant::now(),
            },
        };
        Ok(next.map(Answer::Send))
    }
}
