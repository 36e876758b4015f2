//! A child process, its output as lines that one can wait for.
//!
//! What a process said is kept: a wait that fails prints it.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;

use super::Deadline;

/// How many lines a failed wait prints.
const KEPT: usize = 60;

/// A running child; dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    seen: VecDeque<String>,
}

impl Process {
    /// Starts the command with pipes on all three of its standard streams.
    ///
    /// # Panics
    ///
    /// If it cannot be started: a missing program is a failure, never a reason to skip a test.
    pub fn start(name: impl Into<String>, command: &mut Command) -> Self {
        let name = name.into();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} cannot be started ({command:?}): {error}"));

        let (sender, lines) = channel();
        forward(child.stdout.take(), sender.clone());
        forward(child.stderr.take(), sender);
        let input = child.stdin.take();
        Self {
            name,
            child,
            input,
            lines,
            seen: VecDeque::new(),
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What the system tells of it under that name.
    pub fn told(&self, name: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{name}", self.id())).unwrap_or_default()
    }

    /// Writes one line to its standard input.
    pub fn write_line(&mut self, line: &str) {
        let written = self
            .input
            .as_mut()
            .map(|input| writeln!(input, "{line}").and_then(|()| input.flush()));
        if !matches!(written, Some(Ok(()))) {
            self.fail(&format!("does not take {line:?}: {written:?}"));
        }
    }

    /// Writes that text to its standard input and ends the input.
    pub fn write_last(&mut self, text: &str) {
        // A process that does not read it is told apart by what it does.
        if let Some(mut input) = self.input.take() {
            input.write_all(text.as_bytes()).ok();
        }
    }

    /// The next line that it prints on either stream; `None` once both have ended.
    pub fn next_line(&mut self, what: &str, deadline: Deadline) -> Option<String> {
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

    /// Waits for a line from which something can be read.
    pub fn wait_for<T>(&mut self, what: &str, mut read: impl FnMut(&str) -> Option<T>) -> T {
        let deadline = Deadline::usual();
        while let Some(line) = self.next_line(what, deadline) {
            if let Some(found) = read(&line) {
                return found;
            }
        }
        self.fail(&format!("ended before this: {what}"));
    }

    /// Asks it to end with SIGTERM and gives what it still printed; it must exit with 0.
    pub fn terminate(&mut self) -> Vec<String> {
        self.signal("TERM");
        match self.end() {
            (Some(0), last) => last,
            (code, _) => self.fail(&format!("did not end well after SIGTERM: {code:?}")),
        }
    }

    /// Waits until it ends by itself, and gives its exit code, if it was no signal, and what it still printed.
    pub fn end(&mut self) -> (Option<i32>, Vec<String>) {
        let deadline = Deadline::usual();
        let mut last = Vec::new();
        while let Some(line) = self.next_line("end", deadline) {
            last.push(line);
        }
        match self.child.wait() {
            Ok(status) => (status.code(), last),
            Err(error) => self.fail(&format!("has no exit code: {error}")),
        }
    }

    /// Ends it at once, as a crash would, and waits for those that it started, which share its output.
    pub fn kill(&mut self) {
        // An error says that it has ended already.
        self.child.kill().ok();
        self.child.wait().ok();
        let deadline = Deadline::usual();
        while let Some(left) = deadline.left() {
            if self.lines.recv_timeout(left).is_err() {
                break;
            }
        }
    }

    /// Fails the test, with what this process said.
    pub fn fail(&mut self, what: &str) -> ! {
        while let Ok(line) = self.lines.try_recv() {
            self.seen.push_back(line);
        }
        let mut said = String::new();
        for line in &self.seen {
            writeln!(said, "  {line}").ok();
        }
        panic!("{} {what}\nit said:\n{said}", self.name);
    }

    /// Sends it that signal.
    pub fn signal(&mut self, name: &str) {
        let sent = Command::new("sh")
            .arg("-c")
            .arg(format!("kill -{name} {}", self.id()))
            .status();
        if !sent.as_ref().is_ok_and(|status| status.success()) {
            self.fail(&format!("cannot be sent SIG{name}: {sent:?}"));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn forward(stream: Option<impl Read + Send + 'static>, sender: Sender<String>) {
    let Some(stream) = stream else { return };
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
