//! What Linux says of a process, and a server that is started here.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;

/// In the units of `/proc/PID/stat`: 100 a second, whatever the kernel's own tick is.
const TICKS_PER_SECOND: f64 = 100.0;

/// What a process has used so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// User and system time of all threads, in seconds.
    pub(crate) cpu: f64,
    /// Resident memory, in KiB.
    pub(crate) rss: f64,
}

impl Usage {
    pub(crate) fn of(pid: u32) -> Result<Self, Failure> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        Ok(Self {
            cpu: cpu(&stat).ok_or("unknown layout of /proc/PID/stat")?,
            rss: rss(&status).ok_or("unknown layout of /proc/PID/status")?,
        })
    }

    /// The server's, if it is known.
    pub(crate) fn of_server(pid: Option<u32>) -> Result<Option<Self>, Failure> {
        pid.map(Self::of).transpose()
    }
}

/// What the server and this process use up, from a beginning to an end.
pub(crate) struct Spent {
    pid: Option<u32>,
    server: Option<Usage>,
    generator: Usage,
}

/// What was used up.
pub(crate) struct Bill {
    /// If the server's process is known.
    pub(crate) server: Option<ServerBill>,
    /// CPU seconds of this process.
    pub(crate) generator: f64,
}

pub(crate) struct ServerBill {
    /// CPU seconds.
    pub(crate) cpu: f64,
    /// In KiB.
    pub(crate) rss_before: f64,
    pub(crate) rss_after: f64,
}

impl Spent {
    pub(crate) fn begin(pid: Option<u32>) -> Result<Self, Failure> {
        Ok(Self {
            pid,
            server: Usage::of_server(pid)?,
            generator: Usage::of(std::process::id())?,
        })
    }

    pub(crate) fn end(self) -> Result<Bill, Failure> {
        let server = self.server.zip(Usage::of_server(self.pid)?);
        Ok(Bill {
            server: server.map(|(before, after)| ServerBill {
                cpu: after.cpu - before.cpu,
                rss_before: before.rss,
                rss_after: after.rss,
            }),
            generator: Usage::of(std::process::id())?.cpu - self.generator.cpu,
        })
    }
}

/// A server of this process, which is killed when it is dropped.
pub(crate) struct Server(Child);

impl Server {
    /// Starts it and waits until it listens.
    pub(crate) fn start(command: &str, at: SocketAddr, deadline: Instant) -> Result<Self, Failure> {
        let mut words = command.split_whitespace();
        let program = words.next().ok_or("no command to start a server")?;
        let child = Command::new(program)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut server = Self(child);
        while TcpStream::connect(at).is_err() {
            if let Some(status) = server.0.try_wait()? {
                return Err(format!("{program} has ended: {status}").into());
            }
            if Instant::now() > deadline {
                return Err(format!("out of time: nobody listens at {at}").into());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(server)
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn cpu(stat: &str) -> Option<f64> {
    // The name, in parentheses, may have spaces; utime and stime are fields 14 and 15.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

fn rss(status: &str) -> Option<f64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_found_behind_a_name_with_spaces() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20";

        assert_eq!(cpu(stat), Some(3.0));
        assert_eq!(rss("Name:\tx\nVmRSS:\t    1234 kB\n"), Some(1234.0));
    }
}
