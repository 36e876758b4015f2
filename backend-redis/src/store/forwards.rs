//! Messages on their way to the owner of their session, and their answers on the way back.
//!
//! A letter stays in the inbox until the engine that it is for looks at it, and whoever takes it out has
//! it. So a letter that is still there when its reader is dead was never seen.

use std::collections::BTreeMap;

use bayeux_core::{Messages, Payload, Peer, Transport};

use super::*;
use crate::letter::Letter;

#[derive(Default)]
pub(super) struct Forwards {
    /// What engines of this node wait for.
    sent: BTreeMap<u64, Sent>,
    /// What engines of this node have to answer.
    handed: BTreeMap<ForwardTicket, Handed>,
}

/// A forward under way.
struct Sent {
    asker: Asker,
    due: Instant,
    /// Not asked after before.
    again: Instant,
    session: SessionId,
    letter: Vec<u8>,
    /// Where it lies: the owner of the session, and its name in the inbox of that.
    place: Option<(Box<str>, String)>,
    /// How often an owner that had just lost the session has refused it.
    refusals: u8,
}

/// How often a letter goes after its session.
const MOST_REFUSALS: u8 = 5;

/// The node of the owner of a session.
fn node_of(owner: &str) -> &str {
    owner.rsplit_once('/').map_or(owner, |(node, _)| node)
}

/// A forward that an engine has been told of.
struct Handed {
    shard: u32,
    asker: Box<str>,
    number: u64,
    /// Nobody waits any more.
    due: Instant,
}

impl RedisStore {
    pub(super) fn forward(
        &mut self,
        asker: Asker,
        session: SessionId,
        messages: &Messages,
        sender: (&Peer, Transport),
    ) {
        if self.forwards.sent.len() >= self.options.max_forwards {
            self.seats.reply(asker, StoreReply::Failed);
            return;
        }
        let number = self.number();
        let sent = Sent {
            asker,
            due: self.now + self.options.forward_timeout,
            again: self.now + self.options.beat(),
            session,
            letter: letter::forward(&self.node, number, session, messages, sender),
            place: None,
            refusals: 0,
        };
        self.forwards.sent.insert(number, sent);
        self.post(number, "");
    }

    /// Puts a letter into the inbox of whoever has its session, but for who has refused it.
    fn post(&mut self, number: u64, refused: &str) {
        let Some(sent) = self.forwards.sent.get(&number) else {
            return;
        };
        let key = self.keys.session(sent.session);
        let mut words = self.names.call(Script::Forward, &[&key]);
        words
            .arg(&*self.keys.leases)
            .arg(&*self.keys.inboxes)
            .arg(u8::from(self.link.may_judge(self.now, self.options.lease)))
            .arg(&sent.letter)
            .arg(MAX_LETTERS)
            .arg(refused);
        self.order(Purpose::Forward(number), words);
    }

    /// The owner does not have the session any more: somebody else may.
    pub(super) fn refused(&mut self, number: u64) {
        let Some(sent) = self.forwards.sent.get_mut(&number) else {
            return;
        };
        sent.refusals += 1;
        match sent.place.take() {
            Some((owner, _)) if sent.refusals < MOST_REFUSALS => self.post(number, &owner),
            _ => self.settled(number, StoreReply::Unowned),
        }
    }

    /// A letter lies in the inbox of the owner.
    pub(super) fn posted(&mut self, number: u64, owner: Box<str>, id: String) {
        self.counts.forwards_sent += 1;
        if let Some(sent) = self.forwards.sent.get_mut(&number) {
            sent.place = Some((owner, id));
        }
    }

    /// A forward is over.
    pub(super) fn settled(&mut self, number: u64, reply: StoreReply) {
        if let Some(sent) = self.forwards.sent.remove(&number) {
            self.seats.reply(sent.asker, reply);
        }
    }

    /// All are over: nobody knows whether they were done.
    pub(super) fn forwards_failed(&mut self) {
        for (_, sent) in std::mem::take(&mut self.forwards.sent) {
            self.seats.reply(sent.asker, StoreReply::Failed);
        }
    }

    /// Ends what waits for too long, and asks after the nodes that others wait for.
    pub(super) fn look_after_forwards(&mut self) {
        let now = self.now;
        self.forwards.handed.retain(|_, handed| handed.due > now);
        let late = self
            .forwards
            .sent
            .iter()
            .filter(|(_, sent)| sent.due <= now);
        let late: Vec<u64> = late.map(|(number, _)| *number).collect();
        for number in late {
            let letter = self
                .forwards
                .sent
                .get(&number)
                .and_then(|sent| sent.place.clone());
            if let Some((owner, id)) = letter {
                self.discard(&self.keys.inbox(node_of(&owner)), &[&id]);
            }
            self.settled(number, StoreReply::Failed);
        }
        if !self.link.may_judge(now, self.options.lease) {
            return;
        }
        let beat = self.options.beat();
        let mut asks = Vec::new();
        for (number, sent) in &mut self.forwards.sent {
            if let Some((owner, id)) = sent.place.as_ref().filter(|_| sent.again <= now) {
                let node = node_of(owner);
                sent.again = now + beat;
                let keys = [&*self.keys.lease(node), &self.keys.inbox(node)];
                let mut words = self.names.call(Script::Settle, &keys);
                words.arg(id);
                asks.push((*number, words));
            }
        }
        for (number, words) in asks {
            self.order(Purpose::Settle(number), words);
        }
    }

    /// An engine of this node looks at what lies there for it, but for messages of sessions that are on their way to
    /// it: it would refuse them, and the session would be claimed away again by whoever has sent them.
    pub(super) fn look_at_letters(&mut self, shard: u32) {
        let Some(seat) = self.seats.get_mut(shard) else {
            return;
        };
        for waiting in std::mem::take(&mut seat.letters) {
            if self.is_for_one_to_come(shard, &waiting.letter) {
                if let Some(seat) = self.seats.get_mut(shard) {
                    seat.letters.push_back(waiting);
                }
                continue;
            }
            let mut words = redis::cmd("XDEL");
            words.arg(self.keys.inbox(&self.node)).arg(&waiting.id);
            self.order(Purpose::Accept(shard, Box::new(waiting)), words);
        }
    }

    fn is_for_one_to_come(&self, shard: u32, letter: &Letter) -> bool {
        let Letter::Forward { session, .. } = letter else {
            return false;
        };
        self.coming.contains_key(&(*session, shard))
    }

    /// A letter is this node's to do.
    pub(super) fn accepted(&mut self, shard: u32, letter: Letter) {
        let Letter::Forward {
            asker,
            number,
            session,
            messages,
            peer,
            transport,
        } = letter
        else {
            return;
        };
        self.counts.forwards_received += 1;
        let forward = ForwardTicket::new(self.number());
        let due = self.now + self.options.forward_timeout * 2;
        let handed = Handed {
            shard,
            asker,
            number,
            due,
        };
        self.forwards.handed.insert(forward, handed);
        self.seats.notify(
            shard,
            Notice::Forwarded {
                forward,
                session,
                messages,
                peer,
                transport,
            },
        );
    }

    /// An engine answers a forward, or refuses it.
    pub(super) fn answer(
        &mut self,
        asker: Asker,
        forward: ForwardTicket,
        replies: Option<&[Payload]>,
    ) {
        let handed = self.forwards.handed.get(&forward);
        if handed.is_none_or(|handed| handed.shard != asker.0) {
            self.seats.reply(asker, StoreReply::Done);
            return;
        }
        if let Some(handed) = self.forwards.handed.remove(&forward) {
            let letter = letter::answer(handed.number, replies);
            let words = self.letter_to(&handed.asker, letter);
            self.order(Purpose::Write(asker), words);
        }
    }

    /// Puts a letter into the inbox of a node, if that is still there.
    pub(super) fn letter_to(&self, node: &str, letter: Vec<u8>) -> Cmd {
        let mut words = redis::cmd("XADD");
        words
            .arg(self.keys.inbox(node))
            .arg(&["NOMKSTREAM", "MAXLEN", "~"])
            .arg(MAX_LETTERS)
            .arg(&["*", "s", "0", "l"])
            .arg(letter);
        words
    }

    /// Takes letters out of an inbox.
    pub(super) fn discard(&mut self, inbox: &str, ids: &[&str]) {
        if !ids.is_empty() {
            let mut words = redis::cmd("XDEL");
            words.arg(inbox).arg(ids);
            self.order(Purpose::Nothing, words);
        }
    }
}
