//! What became of the messages.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::member::Heard;
use super::publisher::{PUBLISHERS, Published};
use super::{Delivery, Kind, Maker, Progress};
use crate::live::Transport;

/// What it came to.
#[derive(Debug)]
pub struct Report {
    /// How many servers were killed.
    pub kills: usize,
    /// How many sessions of theirs others took over, each of which was waited for.
    pub takeovers: usize,
    /// How often a session went to another server in all, those that its client moved between living ones included.
    pub moves: u64,
    /// How long servers were killed.
    pub took: Duration,
    /// How many publishes were granted.
    pub granted: usize,
    /// How many were refused.
    pub refused: u64,
    /// How many were not answered.
    pub unanswered: u64,
    /// How many messages clients with acknowledgement received.
    pub delivered: usize,
    /// What clients without acknowledgement lost, by transport.
    pub lost: Vec<Loss>,
    /// Which promises were not kept.
    pub faults: Vec<String>,
}

/// What clients without acknowledgement lost that speak over one transport.
#[derive(Clone, Copy, Debug)]
pub struct Loss {
    /// That one.
    pub transport: Transport,
    /// How many messages did not come.
    pub lost: usize,
    /// Of how many that were granted, those of each client counted.
    pub granted: usize,
    /// How often one of them was taken over.
    pub takeovers: usize,
}

impl Report {
    pub(super) fn of(
        published: &Published,
        heard: &[Heard],
        progress: &Progress,
        moves: u64,
        took: Duration,
    ) -> Self {
        let granted: BTreeSet<u64> = published.granted.iter().copied().collect();
        let [acknowledging, plain] = [Delivery::Acknowledged, Delivery::Plain].map(|delivery| {
            heard
                .iter()
                .filter(move |heard| heard.kind.delivery == delivery)
        });
        let mut faults = Vec::new();
        // All of them have subscribed to the one log before anything was published.
        let first = acknowledging.clone().next();
        let log = first.map_or(&[][..], |heard| &heard.numbers);
        faults.extend(first.and_then(|heard| heard.not_in_order()));
        faults.extend(first.and_then(|heard| heard.lacks(&granted)));
        faults.extend(acknowledging.clone().filter_map(|heard| heard.differs(log)));
        faults.extend(plain.clone().filter_map(|heard| heard.is_no_part(log)));
        let lost = [Transport::LongPolling, Transport::WebSocket].map(|transport| {
            let is_one =
                |kind: &Kind| kind.transport == transport && kind.delivery == Delivery::Plain;
            let clients = plain.clone().filter(|heard| is_one(&heard.kind));
            Loss {
                transport,
                lost: clients.clone().map(|heard| heard.lost(&granted)).sum(),
                granted: clients.count() * granted.len(),
                takeovers: progress
                    .takeovers
                    .iter()
                    .filter(|kind| is_one(kind))
                    .count(),
            }
        });
        Self {
            kills: progress.kills,
            takeovers: progress.takeovers.len(),
            moves,
            took,
            granted: granted.len(),
            refused: published.refused,
            unanswered: published.unanswered,
            delivered: acknowledging.map(|heard| heard.numbers.len()).sum(),
            lost: lost.into(),
            faults,
        }
    }
}

impl Heard {
    /// Something that came twice, or after what was published later by the same publisher.
    fn not_in_order(&self) -> Option<String> {
        let wrong = (0..PUBLISHERS).find(|publisher| {
            let its = self
                .numbers
                .iter()
                .filter(|number| *number % PUBLISHERS == *publisher);
            !its.is_sorted_by(|one, next| one < next)
        })?;
        Some(format!(
            "{}: twice or out of order: publisher {wrong} in {:?}",
            self.kind, self.numbers
        ))
    }

    /// What was granted and did not come.
    fn lacks(&self, granted: &BTreeSet<u64>) -> Option<String> {
        let received: BTreeSet<u64> = self.numbers.iter().copied().collect();
        let lost: Vec<_> = granted.difference(&received).collect();
        (!lost.is_empty()).then(|| format!("{}: lost: {lost:?}", self.kind))
    }

    /// Where it did not receive what that one has.
    fn differs(&self, log: &[u64]) -> Option<String> {
        if self.numbers == log {
            return None;
        }
        let at = self
            .numbers
            .iter()
            .zip(log)
            .take_while(|(one, other)| one == other)
            .count();
        let near = |numbers: &[u64]| {
            let near = numbers.iter().skip(at.saturating_sub(3)).take(8);
            near.copied().collect::<Vec<_>>()
        };
        Some(format!(
            "{}: message {at} differs: {:?} instead of {:?}",
            self.kind,
            near(&self.numbers),
            near(log)
        ))
    }

    /// What is not there in its place, or once more.
    fn is_no_part(&self, log: &[u64]) -> Option<String> {
        let mut log = log.iter();
        let (at, number) = self
            .numbers
            .iter()
            .enumerate()
            .find(|(_, number)| !log.any(|entry| entry == *number))?;
        let near: Vec<_> = self
            .numbers
            .iter()
            .skip(at.saturating_sub(5))
            .take(8)
            .collect();
        Some(format!(
            "{}: {number} twice, or out of order: {near:?}",
            self.kind
        ))
    }

    /// How many of these did not come.
    fn lost(&self, granted: &BTreeSet<u64>) -> usize {
        let received: BTreeSet<u64> = self.numbers.iter().copied().collect();
        granted.difference(&received).count()
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            maker,
            transport,
            delivery,
        } = self;
        match maker {
            Maker::Own => write!(formatter, "own")?,
            Maker::Unmodified(software) => write!(formatter, "{software:?}")?,
        }
        write!(formatter, " over {}, {delivery:?}", transport.name())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "{} takeovers from {} killed servers in {:.0?}; {} moves of sessions in all",
            self.takeovers, self.kills, self.took, self.moves
        )?;
        writeln!(
            formatter,
            "{} publishes granted, {} refused, {} unanswered; {} messages to clients with acknowledgement",
            self.granted, self.refused, self.unanswered, self.delivered
        )?;
        for loss in &self.lost {
            writeln!(
                formatter,
                "without acknowledgement over {}: lost {} of {} in {} takeovers",
                loss.transport.name(),
                loss.lost,
                loss.granted,
                loss.takeovers
            )?;
        }
        for fault in &self.faults {
            writeln!(formatter, "BROKEN: {fault}")?;
        }
        Ok(())
    }
}
