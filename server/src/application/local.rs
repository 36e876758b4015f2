//! Sessions of the application's own.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bayeux_core::{Batch, Call, CloseReason, DecodeLimits, Message, Messages, SessionId};
use futures_channel::oneshot;
use futures_util::Stream;

use crate::guarded::Guarded;
use crate::inbox::Fact;
use crate::router::{Engagement, Router};

/// Where a shard puts the events of a local session: one batch at a time.
#[derive(Default)]
pub(crate) struct LocalEnd(Guarded<State>);

#[derive(Default)]
struct State {
    batch: Option<Batch>,
    is_closed: bool,
    waker: Option<Waker>,
}

impl LocalEnd {
    pub(crate) fn deliver(&self, batch: Batch) {
        self.change(|state| state.batch = Some(batch));
    }

    pub(crate) fn close(&self, _reason: CloseReason) {
        self.change(|state| state.is_closed = true);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let waker = {
            let mut state = self.0.lock();
            change(&mut state);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn poll_batch(&self, cx: &Context<'_>) -> Poll<Option<Batch>> {
        let mut state = self.0.lock();
        if let Some(batch) = state.batch.take() {
            return Poll::Ready(Some(batch));
        }
        if state.is_closed {
            return Poll::Ready(None);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// The events of channels that the application subscribed to, in order.
///
/// Who takes them slowly is served slowly: events gather in the session's bounded queue, under the
/// policy that holds for every session. Dropped, it ends its session.
pub struct Subscription {
    router: Arc<Router>,
    session: SessionId,
    end: Arc<LocalEnd>,
    engagement: Engagement,
    ready: VecDeque<Message>,
}

impl Subscription {
    pub(crate) fn new(
        router: Arc<Router>,
        session: SessionId,
        end: Arc<LocalEnd>,
        engagement: Engagement,
    ) -> Self {
        Self {
            router,
            session,
            end,
            engagement,
            ready: VecDeque::new(),
        }
    }

    /// The session behind it.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }

    fn unpack(&mut self, batch: &Batch) {
        // Our own engine wrote it.
        let limits = DecodeLimits {
            max_size: usize::MAX,
            max_depth: usize::MAX,
            max_messages: usize::MAX,
        };
        for frame in batch.frames() {
            let messages = Messages::decode(frame.clone(), &limits).unwrap_or_default();
            self.ready.extend(messages);
        }
    }
}

impl Stream for Subscription {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Poll::Ready(Some(message));
            }
            match self.end.poll_batch(cx) {
                Poll::Ready(Some(batch)) => {
                    self.unpack(&batch);
                    self.engagement.written();
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let (answer, _) = oneshot::channel();
        let call = Call::Disconnect {
            session: self.session,
        };
        self.router
            .tell(self.engagement.shard(), Fact::Call(call, answer));
    }
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription")
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}
