//! The seam: all that a runtime has to lend.
//!
//! It is small because hyper's traits carry most of it. A socket is anything with
//! [`hyper::rt::Read`] and [`hyper::rt::Write`]; what is left is a timer and a way to start a task.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Executor, Sleep, Timer};

/// A task without result.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A timer, and a way to start a task on the thread (or the runtime) that one is on.
#[derive(Clone)]
pub struct Runtime {
    timer: Arc<dyn Timer + Send + Sync>,
    spawn: Arc<dyn Fn(Task) + Send + Sync>,
}

impl Runtime {
    /// What these lend.
    pub fn new<T, S>(timer: T, spawn: S) -> Self
    where
        T: Timer + Send + Sync + 'static,
        S: Fn(Task) + Send + Sync + 'static,
    {
        Self {
            timer: Arc::new(timer),
            spawn: Arc::new(spawn),
        }
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        (self.spawn)(Box::pin(task));
    }

    /// `future`, or `None` if it takes longer than `limit`. A future that is ready at once costs no
    /// timer.
    pub(crate) fn within<F: Future + Unpin>(&self, limit: Duration, future: F) -> Within<'_, F> {
        Within {
            runtime: self,
            limit,
            future,
            sleep: None,
        }
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Runtime")
    }
}

impl Timer for Runtime {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.timer.sleep(duration)
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn Sleep>> {
        self.timer.sleep_until(deadline)
    }

    fn now(&self) -> std::time::Instant {
        self.timer.now()
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn Sleep>>, deadline: std::time::Instant) {
        self.timer.reset(sleep, deadline);
    }
}

impl<F> Executor<F> for Runtime
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.spawn(future);
    }
}

/// A future with a time limit.
pub(crate) struct Within<'r, F> {
    runtime: &'r Runtime,
    limit: Duration,
    future: F,
    sleep: Option<Pin<Box<dyn Sleep>>>,
}

impl<F: Future + Unpin> Future for Within<'_, F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(output) = Pin::new(&mut self.future).poll(cx) {
            return Poll::Ready(Some(output));
        }
        let (runtime, limit) = (self.runtime, self.limit);
        let sleep = self.sleep.get_or_insert_with(|| runtime.timer.sleep(limit));
        sleep.as_mut().poll(cx).map(|()| None)
    }
}

#[cfg(test)]
impl Runtime {
    /// Runs no task, and is not to be asked to wait.
    pub(crate) fn of_nothing() -> Self {
        struct NoTimer;
        impl Timer for NoTimer {
            fn sleep(&self, _: Duration) -> Pin<Box<dyn Sleep>> {
                panic!("nothing takes time")
            }

            fn sleep_until(&self, _: std::time::Instant) -> Pin<Box<dyn Sleep>> {
                panic!("nothing takes time")
            }
        }
        Self::new(NoTimer, drop)
    }
}
