//! What becomes of the way to the store, and of what is in it.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a few notices out of many are looked at"
)]

use bayeux_core::{
    Destination, Echo, Entry, Event, Input, Laziness, MemoryStore, NewEntry, Notice, StoreReply,
    StoreRequest, StoreTicket,
};

use super::super::world::World;
use super::notified;

impl World {
    /// A node cannot reach the store any more. What was answered before comes before that is known, or
    /// it straggles.
    pub(in crate::sim) fn cut_store(&mut self, life: u64, straggles: bool) {
        let now = self.now;
        let Some(line) = self.store.lines.get_mut(&life).filter(|l| l.away.is_none()) else {
            return;
        };
        line.away = Some(now);
        line.cuts += 1;
        self.give_up_claims(life);
        let Some(line) = self.store.lines.get_mut(&life) else {
            return;
        };
        let replies = if straggles { now } else { line.replies };
        let at = line.of_log(now.max(replies));
        let open: Vec<StoreTicket> = line.open.keys().copied().collect();
        for ticket in open {
            if self.dice.permille(500) {
                self.answer_store(life, ticket, StoreReply::Failed);
            } else if let Some(line) = self.store.lines.get_mut(&life) {
                line.forget(ticket);
            }
        }
        self.tell_node(life, at, notified(Notice::Down));
    }

    /// A node can reach the store again: first it hears which sessions it has lost.
    pub(in crate::sim) fn mend_store(&mut self, life: u64) {
        let now = self.now;
        let Some(line) = self.store.lines.get_mut(&life) else {
            return;
        };
        if line.away.take().is_none() {
            return;
        }
        let node = line.node;
        let mut after = Vec::new();
        let before = line
            .sessions
            .values()
            .copied()
            .max()
            .unwrap_or(now)
            .max(now);
        line.entries = line.entries.max(before);
        let position = line.tail;
        let lost = line.lost.take();
        line.tail = lost.unwrap_or(position);
        let mut taken = Vec::new();
        while let Some(input) = self.store.memory.poll(node, now) {
            match input {
                // Whoever asked has given up.
                Input::Stored { .. } => {}
                Input::Notified {
                    notice: Notice::Taken { session, fence },
                } => taken.push((session, fence)),
                other => after.push(other),
            }
        }
        let Some(line) = self.store.lines.get_mut(&life) else {
            return;
        };
        for (session, _) in &taken {
            line.of_session(Some(*session), before);
        }
        for input in &after {
            if let Input::Notified { notice } = input {
                match notice {
                    Notice::Entries(entries) => {
                        line.tail = entries.last().map_or(line.tail, |last| last.position);
                    }
                    Notice::Reset { position } => line.tail = *position,
                    _ => {}
                }
            }
        }
        for (session, fence) in taken {
            self.tell_node(life, before, notified(Notice::Taken { session, fence }));
        }
        let at = self
            .store
            .lines
            .get_mut(&life)
            .map_or(before, |line| line.of_log(before));
        self.tell_node(life, at, notified(Notice::Up { position }));
        if let Some(position) = lost {
            self.tell_node(life, at, notified(Notice::Reset { position }));
        }
        for input in after {
            self.tell_node(life, at, input);
        }
    }

    /// The store has lost its sessions and the end of its log, or all of it. All nodes are cut off from it.
    /// They hear of it at once, or each as it finds the store again.
    pub(in crate::sim) fn lose_store(&mut self, lost: usize, later: bool) {
        self.judge.reset(self.now);
        self.store.owners.clear();
        self.store.former.clear();
        self.store.partings.clear();
        self.store.memory = MemoryStore::new(self.store.options.clone());
        let now = self.now;
        let kept = self.store.history.len().saturating_sub(lost);
        let gone = self.store.history.split_off(kept);
        // Positions that were given are not given again.
        let fillers = gone.iter().filter_map(|_| filler());
        self.store.history.extend(fillers);
        let before = self.store.memory.attach();
        for entry in &self.store.history {
            let entry = StoreRequest::Append(Box::new(entry.clone()));
            let ticket = StoreTicket::new(0);
            self.store.memory.submit(before, now, ticket, entry);
        }
        self.store.memory.detach(before, now);
        self.store.observer = self.store.memory.attach();
        let position = self.store.memory.end();
        let mut facts = Vec::new();
        for (life, line) in &mut self.store.lines {
            line.node = self.store.memory.attach();
            // What it is told first is told below.
            let _ = self.store.memory.poll(line.node, now);
            if later {
                line.lost = Some(position);
                continue;
            }
            line.tail = position;
            let at = line.of_log(now);
            facts.push((*life, at));
        }
        for (life, at) in facts {
            self.tell_node(life, at, notified(Notice::Reset { position }));
        }
    }
}

/// An entry as somebody might append it once more.
pub(super) fn anew(entry: &Entry) -> NewEntry {
    NewEntry {
        origin: entry.origin,
        fence: None,
        to: entry.to.clone(),
        event: entry.event.clone(),
        laziness: entry.laziness,
        echo: entry.echo,
    }
}

/// An entry before which nobody has begun.
fn filler() -> Option<NewEntry> {
    Some(NewEntry {
        origin: None,
        fence: None,
        to: Destination::Channel("/lost".parse().ok()?),
        event: Event::from_object("{}"),
        laziness: Laziness::Prompt,
        echo: Echo::ToPublisher,
    })
}
