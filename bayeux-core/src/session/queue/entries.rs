//! What waits in a queue: mostly nothing or one event, for which it asks for no memory.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::{mem, slice};

use super::Queued;

/// Events in order.
#[expect(
    clippy::box_collection,
    reason = "a session is smaller by what is not there when nothing or one event waits"
)]
#[derive(Debug, Default)]
pub(super) enum Entries {
    #[default]
    None,
    One(Queued),
    /// As many as there are, so long as there are some.
    Many(Box<VecDeque<Queued>>),
}

impl Entries {
    pub(super) fn push(&mut self, queued: Queued) {
        if let Self::Many(all) = self {
            all.push_back(queued);
            return;
        }
        *self = match mem::take(self) {
            Self::One(first) => {
                let mut all = VecDeque::with_capacity(8);
                all.extend([first, queued]);
                Self::Many(Box::new(all))
            }
            Self::None | Self::Many(_) => Self::One(queued),
        };
    }

    /// Takes out the one at `index`.
    pub(super) fn remove(&mut self, index: usize) -> Option<Queued> {
        if let Self::Many(all) = self {
            let queued = all.remove(index);
            if all.is_empty() {
                *self = Self::None;
            }
            return queued;
        }
        if index > 0 {
            return None;
        }
        match mem::take(self) {
            Self::One(queued) => Some(queued),
            Self::None | Self::Many(_) => None,
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<&Queued> {
        match self {
            Self::None => None,
            Self::One(queued) => (index == 0).then_some(queued),
            Self::Many(all) => all.get(index),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Queued> + Clone {
        let (front, back) = match self {
            Self::None => (&[][..], &[][..]),
            Self::One(queued) => (slice::from_ref(queued), &[][..]),
            Self::Many(all) => all.as_slices(),
        };
        front.iter().chain(back)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Queued> {
        let (front, back) = match self {
            Self::None => (&mut [][..], &mut [][..]),
            Self::One(queued) => (slice::from_mut(queued), &mut [][..]),
            Self::Many(all) => all.as_mut_slices(),
        };
        front.iter_mut().chain(back)
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(_) => 1,
            Self::Many(all) => all.len(),
        }
    }

    /// Takes out everything.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Queued> + use<> {
        let mut all = mem::take(self);
        core::iter::from_fn(move || all.remove(0))
    }
}
