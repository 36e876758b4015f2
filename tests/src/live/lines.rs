//! What somebody says, as lines that one can wait for.
//!
//! The last lines are kept: a wait that fails prints them.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;

use super::Deadline;

/// How many lines a failed wait prints.
const KEPT: usize = 60;

/// The lines of one speaker, of all its streams together.
#[derive(Debug)]
pub(super) struct Lines {
    name: String,
    lines: Receiver<String>,
    seen: VecDeque<String>,
}

impl Lines {
    /// Those that come on these streams from now on.
    pub(super) fn of(
        name: String,
        streams: impl IntoIterator<Item = Box<dyn Read + Send>>,
    ) -> Self {
        let (sender, lines) = channel();
        for stream in streams {
            forward(stream, sender.clone());
        }
        Self {
            name,
            lines,
            seen: VecDeque::new(),
        }
    }

    /// The next line; `None` once all streams have ended.
    pub(super) fn next(&mut self, what: &str, deadline: Deadline) -> Option<String> {
        let Some(left) = deadline.left() else {
            self.fail(&format!("did not do this in time: {what}"));
        };
        match self.lines.recv_timeout(left) {
            Ok(line) => {
                if self.seen.len() == KEPT {
                    self.seen.pop_front();
                }
                self.seen.push_back(line.clone());
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                self.fail(&format!("did not do this in time: {what}"))
            }
        }
    }

    /// Waits for the end of all streams, until a deadline.
    pub(super) fn drain(&mut self) {
        let deadline = Deadline::usual();
        while let Some(left) = deadline.left() {
            if self.lines.recv_timeout(left).is_err() {
                break;
            }
        }
    }

    /// Fails the test, with what was said.
    pub(super) fn fail(&mut self, what: &str) -> ! {
        while let Ok(line) = self.lines.try_recv() {
            self.seen.push_back(line);
        }
        let mut said = String::new();
        for line in &self.seen {
            writeln!(said, "  {line}").ok();
        }
        panic!("{} {what}\nit said:\n{said}", self.name);
    }
}

fn forward(stream: Box<dyn Read + Send>, sender: Sender<String>) {
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while reader
            .read_until(b'\n', &mut line)
            .is_ok_and(|length| length > 0)
        {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            if sender.send(text).is_err() {
                break;
            }
            line.clear();
        }
    });
}
