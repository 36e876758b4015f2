//! Access as a decider of the engines.

use std::future::{Future, ready};
use std::pin::Pin;
use std::time::Duration;

use bayeux_core::{Operations, Question, Role, Verdict};

use super::Access;
use crate::application::Decide;
use crate::clock::Clock;

/// The decider that asks the rules.
pub(crate) struct Guard {
    access: Access,
    clock: Clock,
    /// The clock's epoch as the time since 1970: the same that the engines have.
    wall_clock: Duration,
}

impl Guard {
    pub(crate) const fn new(access: Access, clock: Clock, wall_clock: Duration) -> Self {
        Self {
            access,
            clock,
            wall_clock,
        }
    }

    /// It is asked about everything.
    pub(crate) const fn role() -> Role {
        Role::Policy(Operations::ALL)
    }
}

impl Decide for Guard {
    fn decide(&self, question: Question) -> Pin<Box<dyn Future<Output = Verdict> + Send>> {
        let now = self.wall_clock + self.clock.now().since_epoch();
        Box::pin(ready(self.access.verdict(&question, now)))
    }
}
