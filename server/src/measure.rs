//! What the shards have to say of themselves at a moment: for metrics, and for whether they are ready.
//!
//! Asking costs one fact a shard, however much it serves.

use std::time::Duration;

use bayeux_backend_redis::Counts;
use bayeux_core::{
    Census, CloseReason, Counters, Instant, Load, Position, Removal, Report, ReportKind,
};
use futures_channel::oneshot;
use hyper::rt::Timer;

use crate::guarded::Guarded;
use crate::inbox::Fact;
use crate::router::Router;
use crate::runtime::Runtime;

/// How long all shards together may take to answer. One that turns needs milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// One shard at a moment.
#[derive(Clone, Debug)]
pub(crate) struct Measure {
    /// When that was.
    pub(crate) at: Instant,
    pub(crate) counters: Counters,
    pub(crate) load: Load,
    pub(crate) census: Census,
    /// How far it has read the log.
    pub(crate) seen: Position,
    pub(crate) has_store: bool,
    /// Connections whose last order to send is not yet carried out.
    pub(crate) writing: usize,
    pub(crate) noted: Noted,
    pub(crate) log: LogMeasure,
}

/// What each shard said last, for counts that must not go down because one is late to be asked.
#[derive(Debug)]
pub(crate) struct Latest(Guarded<Vec<Option<Measure>>>);

impl Latest {
    pub(crate) fn new(shards: u32) -> Self {
        Self(Guarded::new((0..shards).map(|_| None).collect()))
    }

    /// The newest of each shard, `measures` taken into account; `None` for one that never answered.
    pub(crate) fn with(&self, measures: &[Option<Measure>]) -> Vec<Option<Measure>> {
        let mut latest = self.0.lock();
        for (known, measure) in latest.iter_mut().zip(measures) {
            let Some(measure) = measure else { continue };
            // Who asked earlier may hear of it later.
            if known.as_ref().is_none_or(|known| known.at <= measure.at) {
                *known = Some(measure.clone());
            }
        }
        latest.clone()
    }
}

#[cfg(test)]
impl Measure {
    /// A shard to which nothing has happened.
    pub(crate) fn nothing() -> Self {
        Self {
            at: Instant::EPOCH,
            counters: Counters::default(),
            load: Load::default(),
            census: Census::default(),
            seen: Position::ZERO,
            has_store: true,
            writing: 0,
            noted: Noted::default(),
            log: LogMeasure {
                end: Position::ZERO,
                entries: 0,
                bytes: 0,
                sessions: 0,
                is_there: true,
                redis: None,
            },
        }
    }
}

/// The log of the process at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogMeasure {
    pub(crate) end: Position,
    pub(crate) entries: usize,
    pub(crate) bytes: usize,
    pub(crate) sessions: usize,
    /// Whether it can be reached.
    pub(crate) is_there: bool,
    /// What the store in Redis has counted, if that is where it is.
    pub(crate) redis: Option<Counts>,
}

/// What a shard has counted of what its engine said; never goes down.
#[derive(Clone, Debug, Default)]
pub(crate) struct Noted {
    pub(crate) opened: u64,
    pub(crate) connected: u64,
    ended: [u64; Removal::ALL.len()],
    closed: [u64; CloseReason::ALL.len()],
    pub(crate) channels_created: u64,
    pub(crate) channels_removed: u64,
    pub(crate) subscribed: u64,
    pub(crate) unsubscribed: u64,
    pub(crate) broken: u64,
}

impl Noted {
    /// Counts what the engine said, and has it logged.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "reports of messages are counted by the engine"
    )]
    pub(crate) fn heard(&mut self, report: &Report) {
        tracing::trace!(?report);
        match report.kind {
            ReportKind::SessionCreated(session) => {
                self.opened += 1;
                tracing::debug!(?session, "session opened");
            }
            ReportKind::SessionConnected(session) => {
                self.connected += 1;
                tracing::debug!(?session, "session connected");
            }
            ReportKind::SessionRemoved(session, why) => {
                self.ended(why);
                tracing::debug!(?session, reason = why.name(), "session ended");
            }
            ReportKind::ChannelCreated(_) => self.channels_created += 1,
            ReportKind::ChannelRemoved(_) => self.channels_removed += 1,
            ReportKind::Subscribed(..) => self.subscribed += 1,
            ReportKind::Unsubscribed(..) => self.unsubscribed += 1,
            ReportKind::Broken(what) => {
                self.broken += 1;
                tracing::error!(what, "a fault of this server");
            }
            _ => {}
        }
    }

    fn ended(&mut self, why: Removal) {
        if let Some(count) = self.ended.get_mut(why as usize) {
            *count += 1;
        }
    }

    pub(crate) fn closed(&mut self, why: CloseReason) {
        if let Some(count) = self.closed.get_mut(why as usize) {
            *count += 1;
        }
    }

    /// Why sessions ended, and how many.
    pub(crate) fn endings(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let count = |why| self.ended.get(why as usize).copied().unwrap_or(0);
        let all = Removal::ALL.into_iter();
        all.map(move |why| (why.name(), count(why)))
    }

    /// Why the engine ended connections, and how many.
    pub(crate) fn closings(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let count = |why| self.closed.get(why as usize).copied().unwrap_or(0);
        let all = CloseReason::ALL.into_iter();
        all.map(move |why| (why.name(), count(why)))
    }
}

/// What each shard says, in order; `None` for one that does not answer in time, or is gone. Without a
/// runtime there is no time that it could be late for.
pub(crate) async fn measures(router: &Router, runtime: Option<&Runtime>) -> Vec<Option<Measure>> {
    let ask = |shard| {
        let (answer, answered) = oneshot::channel();
        router.tell(shard, Fact::Measure(answer));
        answered
    };
    let asked: Vec<_> = (0..router.shards()).map(ask).collect();
    let end = runtime.map(|runtime| (runtime, runtime.now() + PATIENCE));
    let mut measures = Vec::with_capacity(asked.len());
    for answered in asked {
        let measure = match end {
            Some((runtime, end)) => {
                let left = end.saturating_duration_since(runtime.now());
                runtime.within(left, answered).await
            }
            None => Some(answered.await),
        };
        measures.push(measure.and_then(Result::ok).map(|measure| *measure));
    }
    measures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_place_and_a_name_of_its_own() {
        let mut noted = Noted::default();
        for why in Removal::ALL {
            noted.ended(why);
        }
        for why in CloseReason::ALL {
            noted.closed(why);
        }

        assert!(
            noted
                .endings()
                .chain(noted.closings())
                .all(|(_, count)| count == 1)
        );
        let names: std::collections::BTreeSet<_> = noted.endings().map(|(name, _)| name).collect();
        assert_eq!(names.len(), Removal::ALL.len());
    }
}
