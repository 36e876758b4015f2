//! The limit on open files and sockets.

use super::Finding;
use crate::config::Sockets;
use crate::descriptors::{Limits, RESERVE};

/// Fewer than this are of no use to a server.
const LEAST: u64 = 64;

/// Enough for who has not said how many they want.
const PLENTY: u64 = 10_000;

/// Whether `sockets` fit below the limit, which the server raises as far as it may.
pub(super) fn check(limits: Limits, sockets: usize) -> Finding {
    let Some(most) = limits.soft_for(sockets) else {
        return Finding::fine("open files: no limit");
    };
    let room = most.saturating_sub(RESERVE);
    let advice = format!(
        "raise the hard limit: LimitNOFILE={} in the unit of systemd, nofile in \
         /etc/security/limits.conf, --ulimit nofile= of containers; or lower limits.maxSockets",
        u64::try_from(sockets)
            .unwrap_or(u64::MAX)
            .saturating_add(RESERVE)
    );
    if most <= RESERVE + LEAST {
        return Finding::problem(
            format!("open files: no more than {most} are allowed, too few for any server"),
            advice,
        );
    }
    if sockets == Sockets::default().total && room >= PLENTY {
        return Finding::fine(format!(
            "open files: {most} are allowed, enough for about {room} connections"
        ));
    }
    if u64::try_from(sockets).is_ok_and(|sockets| sockets <= room) {
        return Finding::fine(format!(
            "open files: {most} are allowed, enough for limits.maxSockets = {sockets}"
        ));
    }
    Finding::warning(
        format!(
            "open files: {most} are allowed, enough for about {room} connections; \
             limits.maxSockets = {sockets} is more, and those beyond will wait unaccepted"
        ),
        advice,
    )
}

#[cfg(test)]
mod tests {
    use super::super::Severity;
    use super::*;

    #[test]
    fn the_limit_is_held_against_the_sockets() {
        for (soft, hard, sockets, severity) in [
            (Some(1_024), Some(1_048_576), 1_000_000, Severity::Fine),
            (Some(1_024), Some(20_000), 1_000_000, Severity::Fine),
            (Some(1_024), Some(20_000), 30_000, Severity::Warning),
            (Some(1_024), Some(1_024), 1_000_000, Severity::Warning),
            (Some(1_024), Some(4_096), 3_840, Severity::Fine),
            (Some(1_024), Some(4_096), 3_841, Severity::Warning),
            (Some(128), Some(128), 10, Severity::Problem),
            (None, None, 1_000_000_000, Severity::Fine),
        ] {
            let finding = check(Limits { soft, hard }, sockets);

            assert_eq!(finding.severity, severity, "{finding:?}");
        }
    }

    #[test]
    fn the_advice_names_the_number() {
        let limits = Limits {
            soft: Some(1_024),
            hard: Some(4_096),
        };

        let finding = check(limits, 20_000);

        assert!(
            finding.text.contains("about 3840 connections"),
            "{finding:?}"
        );
        assert!(finding.advice.unwrap().contains("LimitNOFILE=20256"));
    }
}
