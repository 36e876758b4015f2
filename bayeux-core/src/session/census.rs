//! How many sessions there are of each kind, known without walking them.

use crate::call::Phase;
use crate::io::Transport;
use crate::session::Session;

/// How many sessions an engine has, by what they are doing and by what they came.
///
/// It is kept as they change, so that asking costs the same however many there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Census([[usize; TRANSPORTS]; PHASES]);

const PHASES: usize = Phase::ALL.len();

/// One more, for sessions that came by none.
const TRANSPORTS: usize = Transport::ALL.len() + 1;

impl Census {
    /// The number of sessions in this phase whose last handshake or connect came by that transport; a
    /// session of the application's own came by none.
    #[must_use]
    pub fn count(&self, phase: Phase, transport: Option<Transport>) -> usize {
        let row = self.0.get(phase as usize);
        row.and_then(|row| row.get(column(transport)))
            .copied()
            .unwrap_or(0)
    }

    /// Every kind with its number.
    pub fn iter(&self) -> impl Iterator<Item = (Phase, Option<Transport>, usize)> {
        let transports = || Transport::ALL.into_iter().map(Some).chain([None]);
        let kinds = Phase::ALL
            .into_iter()
            .flat_map(move |phase| transports().map(move |transport| (phase, transport)));
        kinds.map(|(phase, transport)| (phase, transport, self.count(phase, transport)))
    }

    /// The sum with that of another engine.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        let cells = self.0.iter_mut().flatten();
        for (cell, more) in cells.zip(other.0.iter().flatten()) {
            *cell += more;
        }
        self
    }

    pub(super) fn of<'a>(sessions: impl Iterator<Item = &'a Session>) -> Self {
        let mut census = Self::default();
        sessions.for_each(|session| census.add(session));
        census
    }

    pub(super) fn add(&mut self, session: &Session) {
        if let Some(cell) = self.cell(session) {
            *cell += 1;
        }
    }

    pub(super) fn remove(&mut self, session: &Session) {
        if let Some(cell) = self.cell(session) {
            *cell -= 1;
        }
    }

    fn cell(&mut self, session: &Session) -> Option<&mut usize> {
        let row = self.0.get_mut(session.phase() as usize)?;
        row.get_mut(column(session.transport))
    }
}

fn column(transport: Option<Transport>) -> usize {
    transport.map_or(TRANSPORTS - 1, |transport| transport as usize)
}
