//! Clients of a cluster whose servers are killed, one after the other, while messages are published.
//!
//! Each request of a client goes to the next server. A session that was a killed server's is taken over by the one that
//! its client comes to next: [`Plan`] says how many such takeovers there are to be, [`Report`] what became of the messages.

mod judge;
mod member;
mod publisher;
mod session;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use crate::live::{Cluster, Deadline};
pub use judge::{Loss, Report};
use member::Listener;
pub use member::{Kind, Maker};
use publisher::Publisher;
pub use session::{Delivery, Session, post};

/// The channel that everybody has subscribed to.
const CHANNEL: &str = "/load";

/// What is published when everything else has been.
const LAST: u64 = 1 << 40;

/// How large it is to be.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Servers.
    pub servers: usize,
    /// Clients with acknowledgement: half of them unmodified ones, half over websockets.
    pub acknowledging: usize,
    /// Clients without, in the same way.
    pub plain: usize,
    /// How many sessions of killed servers others have taken over in the end.
    pub takeovers: usize,
    /// The time between two publishes of a publisher; there are two.
    pub pace: Duration,
    /// How many publishes are granted between two kills, at least.
    pub between: usize,
    /// After that long no other server is killed.
    pub longest: Duration,
}

/// How far it has come.
#[derive(Debug, Default)]
struct Progress {
    kills: usize,
    /// Who was taken over, once for each time.
    takeovers: Vec<Kind>,
}

impl Plan {
    /// Carries it out; `tell` is told of the progress.
    ///
    /// # Panics
    ///
    /// If a client loses its session, or nothing is published or taken over any more.
    pub fn run(&self, mut tell: impl FnMut(&str)) -> Report {
        let mut cluster = Cluster::of(self.servers);
        let (tell_end, ended) = channel();
        // Each listens from the beginning, so that none expires while others come.
        let listeners: Vec<Listener> = self
            .kinds()
            .map(|kind| kind.join(&cluster, tell_end.clone()))
            .collect();
        drop(tell_end);
        let kinds: BTreeMap<String, Kind> = listeners.iter().map(Listener::entry).collect();
        tell(&format!("{} clients have subscribed", kinds.len()));

        let before = cluster.moves();
        let deadline = Deadline::after(self.longest);
        let (tell_granted, granted) = channel();
        let publishers = Publisher::start_all(&cluster, self.pace, &tell_granted);
        drop(tell_granted);
        let mut progress = Progress::default();
        while progress.takeovers.len() < self.takeovers && deadline.left().is_some() {
            let at = progress.kills % self.servers;
            let mut orphans = cluster.replace(at);
            orphans.retain(|orphan| kinds.contains_key(orphan));
            progress.kills += 1;
            let taken = orphans.iter().filter_map(|orphan| kinds.get(orphan));
            progress.takeovers.extend(taken);
            self.await_takeovers(&cluster, &granted, orphans);
            let (takeovers, kills) = (progress.takeovers.len(), progress.kills);
            tell(&format!("{takeovers} takeovers after {kills} kills"));
        }
        let took = self.longest - deadline.left().unwrap_or_default();
        let moves = cluster.moves() - before;
        let published = Publisher::end_all(publishers);
        publish_last(&cluster, &ended);
        let heard: Vec<_> = listeners.into_iter().map(Listener::end).collect();
        Report::of(&published, &heard, &progress, moves, took)
    }

    /// Everybody who joins: with acknowledgement and without, polling and not, ours and others'.
    fn kinds(&self) -> impl Iterator<Item = Kind> {
        let acknowledging =
            (0..self.acknowledging).map(|at| Kind::in_turn(at, Delivery::Acknowledged));
        let plain = (0..self.plain).map(|at| Kind::in_turn(at, Delivery::Plain));
        acknowledging.chain(plain)
    }

    /// Waits until all of these have another owner, and enough was published meanwhile.
    fn await_takeovers(
        &self,
        cluster: &Cluster,
        granted: &Receiver<()>,
        mut orphans: BTreeSet<String>,
    ) {
        let deadline = Deadline::after(Deadline::USUAL * 2);
        let mut wanted = self.between;
        while wanted > 0 || !orphans.is_empty() {
            let left = deadline.left();
            let next = left.map(|left| granted.recv_timeout(left));
            assert_eq!(
                next,
                Some(Ok(())),
                "not taken over: {orphans:?}; to be published: {wanted}"
            );
            wanted = wanted.saturating_sub(1);
            if !orphans.is_empty() {
                let owned = cluster.sessions();
                orphans.retain(|orphan| !owned.contains(orphan));
            }
        }
    }
}

/// Publishes the last message until everybody has it: who does not acknowledge may lose one.
fn publish_last(cluster: &Cluster, ended: &Receiver<Infallible>) {
    let mut publisher = Session::open(cluster.balancer.address());
    let deadline = Deadline::after(Deadline::USUAL * 2);
    loop {
        publisher.publish(CHANNEL, LAST);
        if ended.recv_timeout(Duration::from_millis(500)) == Err(RecvTimeoutError::Disconnected) {
            return;
        }
        assert!(
            deadline.left().is_some(),
            "not everybody gets the last message"
        );
    }
}
