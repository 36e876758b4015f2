//! Access as a decider of the engines.

use std::future::{Future, ready};
use std::pin::Pin;

use bayeux_core::{Operations, Question, Role, Verdict};

use super::Access;
use crate::application::Decide;
use crate::clock::since_1970;

/// The decider that asks the rules.
pub(crate) struct Guard(Access);

impl Guard {
    pub(crate) const fn new(access: Access) -> Self {
        Self(access)
    }

    /// It is asked about everything.
    pub(crate) const fn role() -> Role {
        Role::Policy(Operations::ALL)
    }
}

impl Decide for Guard {
    fn decide(&self, question: Question) -> Pin<Box<dyn Future<Output = Verdict> + Send>> {
        Box::pin(ready(self.0.verdict(&question, since_1970())))
    }
}
