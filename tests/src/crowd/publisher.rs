//! Those who publish, at a steady pace, and remember what they were told.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{CHANNEL, Session};
use crate::live::Cluster;

/// How many there are, each in a way of its own.
pub(super) const PUBLISHERS: u64 = 2;

/// One of them.
pub(super) struct Publisher {
    end: Sender<()>,
    thread: JoinHandle<Published>,
}

/// What was published.
#[derive(Debug, Default)]
pub(super) struct Published {
    /// What was granted.
    pub(super) granted: Vec<u64>,
    /// How many were refused, since the store or the owner of the session could not be reached.
    pub(super) refused: u64,
    /// How many were not answered: nobody knows what became of them.
    pub(super) unanswered: u64,
}

impl Publisher {
    /// One brings its session to whoever it asks, the other leaves its session where it is.
    pub(super) fn start_all(cluster: &Cluster, pace: Duration, granted: &Sender<()>) -> Vec<Self> {
        let start = |number| {
            let session = Session::open(cluster.balancer.address());
            let ((end, ended), granted) = (channel(), granted.clone());
            let thread = thread::spawn(move || publish(session, number, pace, &ended, &granted));
            Self { end, thread }
        };
        (0..PUBLISHERS).map(start).collect()
    }

    /// Has all of them end.
    pub(super) fn end_all(all: Vec<Self>) -> Published {
        let mut sum = Published::default();
        for Self { end, thread } in all {
            drop(end);
            let published = thread.join().unwrap_or_else(|panic| resume_unwind(panic));
            sum.granted.extend(published.granted);
            sum.refused += published.refused;
            sum.unanswered += published.unanswered;
        }
        sum
    }
}

/// Publishes rising numbers, of which each tells by its remainder whose it is.
fn publish(
    mut session: Session,
    first: u64,
    pace: Duration,
    end: &Receiver<()>,
    granted: &Sender<()>,
) -> Published {
    let mut published = Published::default();
    let mut number = first;
    while end.recv_timeout(pace) == Err(RecvTimeoutError::Timeout) {
        number += PUBLISHERS;
        let answer = match first {
            0 => session.publish(CHANNEL, number),
            _ => session.publish_from_afar(CHANNEL, number),
        };
        match answer {
            Some(true) => {
                published.granted.push(number);
                granted.send(()).ok();
            }
            Some(false) => published.refused += 1,
            None => published.unanswered += 1,
        }
    }
    published
}
