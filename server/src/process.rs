//! What the operating system says of this process. On systems without `/proc` it says nothing.

use std::fs;

/// The figures that Prometheus' own clients give for a process; what is not known is left out.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) cpu_seconds: Option<f64>,
    /// Since 1970.
    pub(crate) started_seconds: Option<f64>,
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) virtual_bytes: Option<u64>,
    pub(crate) threads: Option<u64>,
    pub(crate) open_descriptors: Option<u64>,
    pub(crate) most_descriptors: Option<u64>,
}

impl Figures {
    /// Those of now: a handful of small files.
    pub(crate) fn now() -> Self {
        let text = |name: &str| fs::read_to_string(name).unwrap_or_default();
        let (status, stat) = (text("/proc/self/status"), text("/proc/self/stat"));
        Self {
            cpu_seconds: cpu_seconds(&stat),
            started_seconds: started_seconds(&stat, &text("/proc/stat")),
            resident_bytes: kilobytes(&status, "VmRSS:"),
            virtual_bytes: kilobytes(&status, "VmSize:"),
            threads: number_after(&status, "Threads:"),
            open_descriptors: open_descriptors(),
            most_descriptors: crate::descriptors::Limits::now().soft,
        }
    }
}

fn number_after(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

fn kilobytes(status: &str, name: &str) -> Option<u64> {
    Some(number_after(status, name)? * 1024)
}

/// The fields of `/proc/self/stat` behind the name of the program, which may contain anything; the first
/// of them is the third of all.
fn field(stat: &str, number: usize) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(number - 3)?.parse().ok()
}

#[expect(clippy::cast_precision_loss, reason = "ticks of centuries fit")]
fn seconds(ticks: u64) -> f64 {
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

fn cpu_seconds(stat: &str) -> Option<f64> {
    Some(seconds(field(stat, 14)? + field(stat, 15)?))
}

#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit")]
fn started_seconds(stat: &str, system: &str) -> Option<f64> {
    Some(number_after(system, "btime ")? as f64 + seconds(field(stat, 22)?))
}

/// Since Linux 6.2 the folder's size is their number; before, nobody knows without counting, which would
/// take longer the more there are.
fn open_descriptors() -> Option<u64> {
    let size = fs::metadata("/proc/self/fd").ok()?.len();
    (size > 0).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 1000 1 2 3";

    #[test]
    fn a_program_may_be_named_as_it_likes() {
        let ticks = rustix::param::clock_ticks_per_second() as f64;

        assert_eq!(cpu_seconds(STAT), Some(300.0 / ticks));
        assert_eq!(
            started_seconds(STAT, "cpu 1\nbtime 1700000000\n"),
            Some(1_700_000_000.0 + 1000.0 / ticks)
        );
        assert_eq!(cpu_seconds(""), None);
    }

    #[test]
    fn this_process_has_figures() {
        let figures = Figures::now();

        assert!(figures.resident_bytes > Some(0), "{figures:?}");
        assert!(
            figures.started_seconds > Some(1_500_000_000.0),
            "{figures:?}"
        );
        assert!(figures.most_descriptors > Some(0), "{figures:?}");
        assert!(figures.threads > Some(0), "{figures:?}");
    }
}
