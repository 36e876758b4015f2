//! How many files and sockets the process may have open.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a server has open beside the sockets of its clients, with room to spare: listeners, logs, the
/// runtimes' own.
pub(crate) const RESERVE: u64 = 256;

/// The limits on open files and sockets; `None`: there is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Limits {
    /// What holds.
    pub(crate) soft: Option<u64>,
    /// How far the process may raise it by itself.
    pub(crate) hard: Option<u64>,
}

impl Limits {
    /// Those that hold now.
    pub(crate) fn now() -> Self {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        Self {
            soft: current,
            hard: maximum,
        }
    }

    /// The soft limit that `sockets` need, as far as the hard limit allows; it is never lowered.
    pub(crate) fn soft_for(&self, sockets: usize) -> Option<u64> {
        let soft = self.soft?;
        let wanted = u64::try_from(sockets)
            .unwrap_or(u64::MAX)
            .saturating_add(RESERVE);
        let allowed = self.hard.map_or(wanted, |hard| wanted.min(hard));
        Some(soft.max(allowed))
    }
}

/// Raises the soft limit for so many sockets as far as the hard limit allows; says what holds before and
/// after.
///
/// # Errors
///
/// If the operating system does not allow it after all.
pub(crate) fn raise(sockets: usize) -> io::Result<(Limits, Limits)> {
    let before = Limits::now();
    let soft = before.soft_for(sockets);
    if soft != before.soft {
        let raised = Rlimit {
            current: soft,
            maximum: before.hard,
        };
        setrlimit(Resource::Nofile, raised)?;
    }
    Ok((before, Limits::now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_rises_as_far_as_is_needed_and_allowed_and_never_falls() {
        for (soft, hard, sockets, raised) in [
            (Some(1_024), Some(4_096), 1_000, Some(1_256)),
            (Some(1_024), Some(4_096), 1_000_000, Some(4_096)),
            (Some(1_024), None, 1_000_000, Some(1_000_256)),
            (Some(4_096), Some(4_096), 10, Some(4_096)),
            (None, None, 10, None),
        ] {
            let limits = Limits { soft, hard };

            assert_eq!(limits.soft_for(sockets), raised, "{limits:?} {sockets}");
        }
    }

    #[test]
    fn what_is_allowed_is_done() {
        let hard = Limits::now().hard;

        let (before, after) = raise(0).unwrap();

        assert!(after.soft >= before.soft);
        assert_eq!(after.hard, hard);
    }
}
