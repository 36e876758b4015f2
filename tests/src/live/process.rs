//! A child process, its output as lines that one can wait for.

use std::io::{Read, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::{fs, thread};

use super::Deadline;
use super::lines::Lines;

/// A running child; dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    input: Option<ChildStdin>,
    lines: Lines,
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

        let output = child.stdout.take().map(boxed);
        let errors = child.stderr.take().map(boxed);
        let input = child.stdin.take();
        Self {
            child,
            input,
            lines: Lines::of(name, output.into_iter().chain(errors)),
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
        self.lines.next(what, deadline)
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
        self.lines.drain();
    }

    /// Fails the test, with what this process said.
    pub fn fail(&mut self, what: &str) -> ! {
        self.lines.fail(what)
    }

    /// Sends it that signal; after `STOP` waits until it stands still, since its threads may run on for a while.
    pub fn signal(&mut self, name: &str) {
        let sent = Command::new("sh")
            .arg("-c")
            .arg(format!("kill -{name} {}", self.id()))
            .status();
        if !sent.as_ref().is_ok_and(|status| status.success()) {
            self.fail(&format!("cannot be sent SIG{name}: {sent:?}"));
        }
        let deadline = Deadline::usual();
        while name == "STOP" && !self.stands_still() {
            assert!(deadline.left().is_some(), "a thread of it does not stop");
            thread::yield_now();
        }
    }

    /// Whether all its threads are stopped.
    fn stands_still(&self) -> bool {
        let threads = fs::read_dir(format!("/proc/{}/task", self.id())).expect("it runs");
        let mut states = threads.map(|thread| {
            let stat = fs::read_to_string(thread.expect("a thread").path().join("stat"));
            // `12 (name) T …`
            stat.is_ok_and(|stat| {
                stat.rsplit(") ")
                    .next()
                    .is_some_and(|rest| rest.starts_with('T'))
            })
        });
        states.all(|is_stopped| is_stopped)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn boxed(stream: impl Read + Send + 'static) -> Box<dyn Read + Send> {
    Box::new(stream)
}
