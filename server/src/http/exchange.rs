//! A request that waits for its answer.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bayeux_core::{Batch, CloseReason};

use crate::guarded::Guarded;
use crate::line::Line;
use crate::router::Engagement;

/// Where the engine's answer to a request is put.
pub(crate) struct Exchange {
    state: Guarded<State>,
    /// The socket below; none if another application owns it.
    line: Option<Arc<Line>>,
}

/// How an exchange ends.
pub(crate) enum Outcome {
    /// With these messages.
    Answered(Batch),
    /// Without.
    Closed(CloseReason),
}

enum State {
    Waiting(Option<Waker>),
    Decided(Outcome),
    Writing,
    /// It is going to be sent elsewhere, unless it turns out to have left.
    BrokenOff,
    /// The operating system has it all, and the engine is being told.
    Written,
}

impl Exchange {
    pub(crate) fn new(line: Option<Arc<Line>>) -> Arc<Self> {
        Arc::new(Self {
            state: Guarded::new(State::Waiting(None)),
            line,
        })
    }

    /// The engine's answer.
    pub(crate) fn answer(&self, batch: Batch) {
        self.decide(Outcome::Answered(batch));
    }

    /// The engine's refusal. An answer that is being written is broken off, with the socket below: it is
    /// going to be sent elsewhere. One that has left stays: the client may have read it, and sent its next
    /// request over the same socket.
    pub(crate) fn close(&self, reason: CloseReason) {
        self.decide(Outcome::Closed(reason));
    }

    fn decide(&self, outcome: Outcome) {
        let mut state = self.state.lock();
        match &mut *state {
            State::Waiting(waker) => {
                let waker = waker.take();
                *state = State::Decided(outcome);
                drop(state);
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
            State::Decided(decided) => *decided = outcome,
            State::Writing => {
                *state = State::BrokenOff;
                if let Some(line) = &self.line {
                    line.break_off();
                }
            }
            State::BrokenOff | State::Written => {}
        }
    }

    /// Whoever writes has it all. With a socket of ours below, it is written when that is flushed;
    /// without, nobody can know more.
    pub(super) fn taken(self: Arc<Self>, engagement: Engagement) {
        match self.line.clone() {
            Some(line) => line.response_taken(self, engagement),
            None => engagement.written_and_over(),
        }
    }

    /// The operating system has it all. Says whether it was to be broken off.
    pub(crate) fn written(&self) -> bool {
        let before = std::mem::replace(&mut *self.state.lock(), State::Written);
        matches!(before, State::BrokenOff)
    }

    /// The engine's answer or refusal, when it comes.
    pub(crate) fn poll_outcome(&self, cx: &Context<'_>) -> Poll<Outcome> {
        let mut state = self.state.lock();
        if let State::Waiting(Some(waker)) = &*state
            && waker.will_wake(cx.waker())
        {
            return Poll::Pending;
        }
        match std::mem::replace(&mut *state, State::Writing) {
            State::Decided(outcome) => Poll::Ready(outcome),
            State::Waiting(_) | State::Writing | State::BrokenOff | State::Written => {
                *state = State::Waiting(Some(cx.waker().clone()));
                Poll::Pending
            }
        }
    }
}
