//! What an application has to say: deciders that answer after a while, too late, never, or with a no.

use bayeux_core::{
    Admission, Decider, DeciderId, DecisionTicket, Input, Operations, Question, Role,
    SessionSettings, Subject, Verdict,
};

use super::world::{Happening, World};

/// Looks at what comes in, and at what each session gets.
const INCOMING: DeciderId = DeciderId(1);
const POLICY: DeciderId = DeciderId(2);
const SESSION: DeciderId = DeciderId(3);

/// Those that are there in a run which has some.
pub(super) fn deciders() -> Vec<Decider> {
    let all = Operations {
        handshake: true,
        create: true,
        subscribe: true,
        publish: true,
    };
    [
        (INCOMING, Role::Incoming),
        (POLICY, Role::Policy(all)),
        (SESSION, Role::SessionOutgoing),
    ]
    .into_iter()
    .map(|(id, role)| Decider { id, role })
    .collect()
}

impl World {
    /// A node asks its application.
    pub(super) fn decide(&mut self, node: usize, ticket: DecisionTicket, question: &Question) {
        let life = self.nodes.get(node).map_or(0, |node| node.life);
        let chance = if self.is_peaceful {
            0
        } else {
            self.plan.bad_verdicts
        };
        let mut after = self.dice.millis(0..20);
        let mut verdict = allowed(question);
        if self.dice.permille(chance) {
            match self.dice.below(3) {
                0 => return,
                1 => after = self.dice.millis(500..15_000),
                _ if may_be_denied(question) => verdict = Verdict::Deny(Box::default()),
                _ => {}
            }
        }
        let input = Box::new(Input::Decided { ticket, verdict });
        self.after(after, Happening::Told { life, input });
    }
}

/// Each session has its events looked at.
fn allowed(question: &Question) -> Verdict {
    if !matches!(question.subject, Subject::Handshake(_)) {
        return Verdict::Allow;
    }
    let settings = SessionSettings {
        outgoing: vec![SESSION],
        ..SessionSettings::default()
    };
    Verdict::Admit(Box::new(Admission {
        settings,
        ..Admission::default()
    }))
}

/// What a client tries again, or can do without.
fn may_be_denied(question: &Question) -> bool {
    matches!(
        question.subject,
        Subject::Subscribe(..) | Subject::Publish(..) | Subject::Create(..)
    )
}
