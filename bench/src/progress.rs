//! How far a run has come, for whoever waits for it: a line on standard error.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::{Duration, Instant};

/// One phase of a run, which counts to an end.
pub(crate) struct Progress {
    what: &'static str,
    all: usize,
    period: Duration,
    due: Instant,
    is_terminal: bool,
}

impl Progress {
    pub(crate) fn new(what: &'static str, all: usize) -> Self {
        let is_terminal = stderr().is_terminal();
        let period = Duration::from_secs(if is_terminal { 1 } else { 5 });
        Self {
            what,
            all,
            period,
            due: Instant::now() + period,
            is_terminal,
        }
    }

    /// Tells it, if it has not been told for a while.
    pub(crate) fn tell(&mut self, done: usize) {
        let now = Instant::now();
        if now < self.due {
            return;
        }
        self.due = now + self.period;
        let (what, all) = (self.what, self.all);
        // That nobody can read it is no reason to fail.
        let _ = if self.is_terminal {
            write!(stderr(), "\r{done} of {all} {what}\x1b[K")
        } else {
            writeln!(stderr(), "{done} of {all} {what}")
        };
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_terminal {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}
