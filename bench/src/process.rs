//! What Linux says of a process.

use std::fs;

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
