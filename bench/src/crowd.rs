//! Sessions in numbers, set up and kept alive.

use std::time::{Duration, Instant};

use crate::session::{Session, Transport};
use crate::swarm::{Heard, Swarm};
use crate::{Common, Failure};

/// Connections, each with a session of the same number.
pub(crate) struct Crowd {
    pub(crate) swarm: Swarm,
    pub(crate) sessions: Vec<Session>,
}

impl Crowd {
    pub(crate) fn new(common: &Common, transport: Transport) -> Result<Self, Failure> {
        Ok(Self {
            swarm: Swarm::new(common.url.clone(), transport)?,
            sessions: Vec::new(),
        })
    }

    /// Adds sessions and waits until all are set up, so many at a time.
    pub(crate) fn gather(
        &mut self,
        sessions: impl IntoIterator<Item = Session>,
        at_a_time: usize,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let mut coming = sessions.into_iter();
        let mut ready = self.sessions.len();
        let mut is_complete = false;
        while !is_complete || ready < self.sessions.len() {
            while !is_complete && self.sessions.len() - ready < at_a_time {
                match coming.next() {
                    Some(session) => {
                        self.sessions.push(session);
                        self.swarm.open()?;
                    }
                    None => is_complete = true,
                }
            }
            ready += self.turn(deadline)?;
        }
        Ok(())
    }

    /// Keeps them alive for some time.
    pub(crate) fn rest(&mut self, time: Duration) -> Result<(), Failure> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.turn(end + Duration::from_secs(1))?;
        }
        Ok(())
    }

    /// Says how many sessions have become ready.
    fn turn(&mut self, deadline: Instant) -> Result<usize, Failure> {
        let mut ready = 0;
        let sessions = &mut self.sessions;
        if Instant::now() > deadline {
            let count = sessions.iter().filter(|session| session.is_ready()).count();
            return Err(format!("out of time with {count} of {} sessions", sessions.len()).into());
        }
        self.swarm
            .turn(Duration::from_millis(100), |index, heard| {
                let Some(session) = sessions.get_mut(index) else {
                    return Ok(None);
                };
                let messages = match heard {
                    Heard::Opened => return Ok(Some(session.opened())),
                    Heard::Messages(messages) => messages,
                    Heard::Closed => return session.closed().map(|()| None),
                };
                let was_ready = session.is_ready();
                let answer = session.received(messages)?;
                ready += usize::from(session.is_ready() && !was_ready);
                Ok(answer)
            })?;
        Ok(ready)
    }
}
