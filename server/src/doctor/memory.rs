//! What the limits may cost at the worst.

use std::fs;

use super::{Finding, in_bytes};
use crate::config::Settings;
use crate::descriptors::{Limits, RESERVE};

/// More than a connection costs with its session, if nothing waits for it: there is room for TLS, and for what reads
/// HTTP, which stays between two requests.
const CONNECTION: u128 = 24 << 10;

/// About what a process costs that serves nobody.
const BASE: u128 = 16 << 20;

/// How much the process may have; `None` if that is not known.
pub(super) fn available() -> Option<u128> {
    let text = |name| fs::read_to_string(name).unwrap_or_default();
    let machine = kilobytes(&text("/proc/meminfo"), "MemAvailable:");
    // Within a container the control group counts.
    let group = text("/sys/fs/cgroup/memory.max").trim().parse().ok();
    machine.into_iter().chain(group).min()
}

fn kilobytes(text: &str, name: &str) -> Option<u128> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u128 = rest.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// Whether as many connections as there may be fit, and what full queues would add.
pub(super) fn check(settings: &Settings, available: Option<u128>) -> Finding {
    let connections = connections(settings, Limits::now());
    let log = settings.memory.max_bytes as u128;
    let idle = BASE + log + connections * CONNECTION;
    let queue = settings.engine.limits.max_queued_bytes as u128;
    let said = format!(
        "memory: {connections} connections and a log of {} need about {}; a client that does not read keeps \
         up to {} more (limits.maxQueuedBytes), all of them together {} at the worst",
        in_bytes(log),
        in_bytes(idle),
        in_bytes(queue),
        in_bytes(idle + connections * queue),
    );
    match available {
        Some(available) if idle > available => Finding::warning(
            format!("{said}; there are {}", in_bytes(available)),
            "lower limits.maxSockets or limits.maxLogBytes, or have more memory: a process that runs out of \
             it is ended by the system",
        ),
        Some(available) => Finding::fine(format!("{said}; there are {}", in_bytes(available))),
        None => Finding::fine(said),
    }
}

/// How many there may be: by the settings, and by the limit on open files.
fn connections(settings: &Settings, limits: Limits) -> u128 {
    let sockets = settings.sockets.total;
    let files = limits
        .soft_for(sockets)
        .map(|most| most.saturating_sub(RESERVE));
    let sockets = sockets as u128;
    files.map_or(sockets, |files| sockets.min(files.into()))
}

#[cfg(test)]
mod tests {
    use super::super::Severity;
    use super::*;

    fn settings(sockets: usize) -> Settings {
        let mut settings = Settings::default();
        settings.sockets.total = sockets;
        settings
    }

    #[test]
    fn what_may_be_needed_is_held_against_what_there_is() {
        for (sockets, available, severity) in [
            (100, Some(1 << 30), Severity::Fine),
            (100, Some(200 << 20), Severity::Warning),
            (100, None, Severity::Fine),
        ] {
            let finding = check(&settings(sockets), available);

            assert_eq!(finding.severity, severity, "{finding:?}");
        }
    }

    #[test]
    fn connections_without_files_are_not_counted() {
        let limits = Limits {
            soft: Some(1_024),
            hard: Some(1_256),
        };

        assert_eq!(connections(&settings(1_000_000), limits), 1_000);
        assert_eq!(connections(&settings(10), limits), 10);
    }

    #[test]
    fn the_worst_is_said_in_numbers() {
        let finding = check(&settings(100), None);

        // 16 MiB, the log's 256 MiB, 100 times 24 KiB; and 100 times 4 MiB on top.
        assert!(finding.text.contains("need about 275 MiB"), "{finding:?}");
        assert!(finding.text.contains("together 675 MiB"), "{finding:?}");
    }
}
