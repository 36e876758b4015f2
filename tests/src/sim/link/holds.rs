//! Which connection has the newest connect of a session, and has not answered it.

use bayeux_core::{Message, Messages, SessionId};

use super::super::thief::Aim;
use super::super::world::World;
use super::{Frame, Link};

const CONNECT: &str = "/meta/connect";

impl World {
    /// A frame has come to a node.
    pub(super) fn has_come(&mut self, link: u64, messages: &Messages) {
        let aim = self.links.get(&link).map(|link| link.aim);
        if aim != Some(Aim::Steals) && messages.iter().any(is_connect) {
            self.is_newest(link, messages.session().and_then(SessionId::parse));
        }
    }

    /// The newest connect of a session has come by this connection.
    fn is_newest(&mut self, link: u64, session: Option<SessionId>) {
        for (number, entry) in &mut self.links {
            if *number == link {
                entry.holds = session.map(|session| (session, self.now));
            } else if entry.holds.map(|(of, _)| of) == session {
                entry.holds = None;
            }
        }
    }

    /// A session whose connect was held is away from now on; whoever reads nothing was so before.
    pub(super) fn may_have_let_go(&mut self, link: u64) {
        let Some(entry) = self.links.get(&link) else {
            return;
        };
        let reads = !entry.stuck || entry.unwritten.is_none();
        if let Some((session, _)) = entry.holds
            && reads
            && self.store.keeps(entry.life, session)
        {
            self.judge.alive(&session.text(), self.now);
        }
    }
}

impl Link {
    /// What goes out may answer the connect.
    pub(super) fn answers(&mut self, frames: &[Frame]) {
        if frames.iter().any(answers_connect) {
            self.holds = None;
        }
    }
}

fn is_connect(message: &Message) -> bool {
    message.channel.as_deref() == Some(CONNECT)
}

/// Nothing that clients publish names that channel.
fn answers_connect(frame: &Frame) -> bool {
    str::from_utf8(frame).is_ok_and(|text| text.contains(CONNECT))
}

#[cfg(test)]
mod tests {
    use bayeux_core::{SessionId, Transport};

    use super::super::super::judge::Bias;
    use super::super::super::story::{Story, Telling};
    use super::super::super::world::World;

    #[test]
    fn what_another_connection_has_taken_over_keeps_no_session_alive() {
        let mut world = World::new(0, Story::new(Telling::Silent), Bias::None);
        let session = SessionId::parse("0123456789abcdefghijklmno");
        let old = world.open(0, Transport::WebSocket);
        let new = world.open(0, Transport::LongPolling);

        world.is_newest(old, session);
        world.is_newest(new, session);

        let holds = |link| world.links.get(&link).map(|link| link.holds.is_some());
        assert_eq!(holds(old), Some(false));
        assert_eq!(holds(new), Some(true));
    }
}
