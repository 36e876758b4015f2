//! Time (section 15).

use super::Model;

/// What falls due; of what is due at once, the first of these.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Due {
    Expiry(u32),
    Hold(u32),
    Lazy,
    Idle(u32),
}

impl Model {
    pub(super) fn pass(&mut self, millis: u64) {
        let target = self.now + millis;
        while let Some((at, due)) = self.next_due(target) {
            self.now = at;
            match due {
                Due::Hold(session) => self.release(session),
                Due::Lazy => {}
                Due::Expiry(session) => self.expire(session),
                Due::Idle(connection) => {
                    self.seen.on(connection).closed = Some("idle");
                    self.closed(connection);
                }
            }
            if self.next_due(at).is_none() {
                self.wake_all(None);
            }
        }
        self.now = target;
    }

    /// What is due next, up to and with `target`.
    fn next_due(&self, target: u64) -> Option<(u64, Due)> {
        let mut all = Vec::new();
        for (number, session) in &self.sessions {
            all.extend(
                session
                    .hold
                    .as_ref()
                    .map(|hold| (hold.until, Due::Hold(*number))),
            );
            all.extend(
                session
                    .expires
                    .map(|expires| (expires, Due::Expiry(*number))),
            );
            let lazy = session.queue.iter().filter_map(|event| event.lazy);
            all.extend(
                lazy.filter(|lazy| *lazy > self.now)
                    .map(|lazy| (lazy, Due::Lazy)),
            );
        }
        for (number, open) in &self.connections {
            all.extend(open.closes.map(|closes| (closes, Due::Idle(*number))));
        }
        all.into_iter().filter(|(at, _)| *at <= target).min()
    }
}
