//! Shards and cores.

use std::num::NonZeroU32;
use std::thread;

use super::Finding;

/// Whether each shard finds a core.
pub(super) fn check(shards: NonZeroU32) -> Finding {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    held_against(shards, cores)
}

fn held_against(shards: NonZeroU32, cores: usize) -> Finding {
    if u64::from(shards.get()) <= cores as u64 {
        return Finding::fine(format!("shards: {shards}, on {cores} cores"));
    }
    Finding::warning(
        format!("shards: {shards} are to share {cores} cores, which makes each of them slower"),
        format!("leave out --shards, or let it be {cores}"),
    )
}

#[cfg(test)]
mod tests {
    use super::super::Severity;
    use super::*;

    #[test]
    fn each_shard_should_have_a_core() {
        let shards = NonZeroU32::new(4).unwrap();

        assert_eq!(held_against(shards, 4).severity, Severity::Fine);
        assert_eq!(held_against(shards, 3).severity, Severity::Warning);
    }
}
