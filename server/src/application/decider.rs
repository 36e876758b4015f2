//! Those whom the engines ask.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bayeux_core::{Question, Report, Verdict};

/// Somebody who answers questions: a policy, an authorizer, an extension, a handler of a channel.
///
/// Every function from a [`Question`] to a future of a [`Verdict`] is one. It is called on the
/// thread of a shard, so it must not block; a future that is not ready at once is run as a task.
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

/// Somebody who hears all reports, on the threads of the shards.
pub type Listener = Arc<dyn Fn(&Report) + Send + Sync>;
