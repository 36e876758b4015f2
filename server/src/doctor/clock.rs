//! The clock of the machine.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Finding;

/// When this was written, about, since 1970: a clock before it is wrong.
const WRITTEN: Duration = Duration::from_secs(1_764_547_200);

/// Certificates and tokens are good for a time, as the clock has it.
pub(super) fn check(now: SystemTime) -> Finding {
    match now.duration_since(UNIX_EPOCH) {
        Ok(since) if since >= WRITTEN => Finding::fine("clock: plausible"),
        _ => Finding::warning(
            "clock: it stands before this program was made, so certificates and tokens will be refused",
            "set the clock, and have it kept right by NTP (timedatectl set-ntp true)",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Severity;
    use super::*;

    #[test]
    fn a_clock_that_began_at_zero_is_noticed() {
        for (now, severity) in [
            (UNIX_EPOCH, Severity::Warning),
            (UNIX_EPOCH - Duration::from_secs(1), Severity::Warning),
            (UNIX_EPOCH + WRITTEN, Severity::Fine),
        ] {
            assert_eq!(check(now).severity, severity, "{now:?}");
        }
    }
}
