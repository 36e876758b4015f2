//! A page of what stands in numbered slots, some of them empty.

use alloc::vec::Vec;

/// So many slots may be looked at for a small page: gaps cost the caller few calls, and the engine little time.
const LOOKED_AT: u32 = 1_024;

/// What `get` finds in the slots from `from` on, at most `limit` of it, and the slot where to go on if not all
/// of the slots before `end` were looked at.
pub(crate) fn page<T>(
    from: u32,
    limit: u32,
    end: usize,
    get: impl Fn(usize) -> Option<T>,
) -> (Vec<T>, Option<u32>) {
    let end = u32::try_from(end).unwrap_or(u32::MAX);
    let stop = from.saturating_add(limit.max(LOOKED_AT)).min(end);
    let mut found = Vec::new();
    for slot in from..stop {
        if found.len() >= limit as usize {
            return (found, Some(slot));
        }
        found.extend(get(slot as usize));
    }
    (found, (stop < end).then_some(stop))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_filled_over_gaps_and_its_work_is_bounded() {
        let rare = |slot: usize| (slot % 100 == 99).then_some(slot);

        assert_eq!(
            page(0, 3, 1_000, rare),
            (Vec::from([99, 199, 299]), Some(300))
        );
        assert_eq!(page(800, 3, 1_000, rare), (Vec::from([899, 999]), None));
        assert_eq!(
            page(0, 3, 5_000, |_| None::<()>),
            (Vec::new(), Some(LOOKED_AT))
        );
        assert_eq!(page(1_000, 3, 1_000, rare), (Vec::new(), None));
        assert_eq!(page(7, 0, 1_000, rare), (Vec::new(), Some(7)));
    }
}
