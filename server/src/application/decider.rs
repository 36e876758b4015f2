//! Those whom the engines ask.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bayeux_core::{DeciderId, Question, Report, Subject, Verdict};

/// Somebody who answers questions: a policy, an authorizer, an extension, a handler of a channel.
///
/// Every function from a [`Question`] to a future of a [`Verdict`] is one. It is called on the
/// thread of a shard, so it must not block; a future that is not ready at once is run as a task. One
/// that panics denies what it was asked to allow, and lets everything else go on (PL-6).
///
/// ```
/// use bayeux_core::{Denial, Question, Verdict};
/// # fn takes(_: impl bayeux_server::Decide) {}
/// takes(async |question: Question| match question.session {
///     Some(_) => Verdict::Allow,
///     None => Verdict::Deny(Box::new(Denial::default())),
/// });
/// ```
pub trait Decide: Send + Sync + 'static {
    /// The answer to `question`.
    fn decide(&self, question: Question) -> Pin<Box<dyn Future<Output = Verdict> + Send>>;
}

impl<F, A> Decide for F
where
    F: Fn(Question) -> A + Send + Sync + 'static,
    A: Future<Output = Verdict> + Send + 'static,
{
    fn decide(&self, question: Question) -> Pin<Box<dyn Future<Output = Verdict> + Send>> {
        Box::pin(self(question))
    }
}

/// A decider that all shards share.
pub(crate) type DynDecide = Arc<dyn Decide>;

/// A decider that was asked and has not answered. Where it panics, that is its answer.
pub(crate) struct Asked {
    deciding: Pin<Box<dyn Future<Output = Verdict> + Send>>,
    fallback: Fallback,
}

/// What a decider says by a panic (PL-6).
#[derive(Clone, Copy)]
struct Fallback {
    decider: DeciderId,
    is_denial: bool,
}

impl Asked {
    /// The verdict of one that knows at once.
    pub(crate) fn ask(decide: &dyn Decide, question: Question) -> Result<Verdict, Self> {
        let fallback = Fallback {
            decider: question.decider,
            is_denial: matches!(
                question.subject,
                Subject::Handshake(_)
                    | Subject::Create(..)
                    | Subject::Subscribe(..)
                    | Subject::Publish(..)
            ),
        };
        let asked = catch_unwind(AssertUnwindSafe(|| {
            let mut deciding = decide.decide(question);
            let mut cx = Context::from_waker(Waker::noop());
            match deciding.as_mut().poll(&mut cx) {
                Poll::Ready(verdict) => Ok(verdict),
                Poll::Pending => Err(Self { deciding, fallback }),
            }
        }));
        asked.unwrap_or_else(|_| Ok(fallback.verdict()))
    }
}

impl Future for Asked {
    type Output = Verdict;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Verdict> {
        let polled = catch_unwind(AssertUnwindSafe(|| self.deciding.as_mut().poll(cx)));
        polled.unwrap_or_else(|_| Poll::Ready(self.fallback.verdict()))
    }
}

impl Fallback {
    fn verdict(self) -> Verdict {
        tracing::error!(decider = ?self.decider, "a decider panicked");
        if self.is_denial {
            Verdict::Deny(Box::default())
        } else {
            Verdict::Abstain
        }
    }
}

/// Somebody who hears all reports, on the threads of the shards. A panic is logged, no more.
pub(crate) type Listener = Arc<dyn Fn(&Report) + Send + Sync>;
