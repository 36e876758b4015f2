//! Chance, from one seed: `SplitMix64`, written out so that a seed means the same for ever.

use core::ops::Range;
use std::time::Duration;

/// Everything that happens by chance in one run.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) const fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `end`; 0 if that is 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        let word = self.word();
        let end = end.max(1) as u64;
        usize::try_from(word % end).unwrap_or(0)
    }

    /// Whether something happens that happens so many times in a thousand.
    pub(super) fn permille(&mut self, chance: u32) -> bool {
        self.word() % 1_000 < u64::from(chance)
    }

    pub(super) fn millis(&mut self, range: Range<u64>) -> Duration {
        let width = range.end.saturating_sub(range.start).max(1);
        Duration::from_millis(range.start + self.word() % width)
    }

    /// One of these; nothing of nothing.
    pub(super) fn pick<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        all.get(self.below(all.len())).copied()
    }

    pub(super) fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.word().to_le_bytes());
        }
        bytes
    }
}
