//! The channels of one engine and who listens to them.
//!
//! A pattern has at most one node. Finding the nodes that match a name costs one look-up for each pattern
//! that could match it (CH-7), however many channels there are.

use alloc::vec::Vec;
use core::hash::Hasher;

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;
use slab::Slab;
use smallvec::SmallVec;

use super::{ChannelKind, ChannelName, ChannelPattern};

/// All channels that exist, by key and by text.
pub(crate) struct Channels {
    nodes: Slab<Channel>,
    index: Index,
}

/// Where a channel is in [`Channels`]; used again after the channel is gone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct ChannelKey(u32);

impl ChannelKey {
    fn slot(self) -> usize {
        self.0 as usize
    }
}

/// One channel: a name, or a pattern somebody subscribed to.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) pattern: ChannelPattern,
    pub(crate) subscribers: Vec<Subscriber>,
    pub(crate) traits: ChannelTraits,
    /// When it goes if nobody uses it until then; `None` while it is in use (CH-13).
    pub(crate) idle_until: Option<u64>,
}

/// One session's subscription to one channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Subscriber {
    /// The session.
    pub(crate) session: u32,
    /// Which of that session's subscriptions this is.
    pub(crate) entry: u32,
}

/// How a channel differs from an ordinary one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct ChannelTraits {
    /// Its events may wait that many milliseconds for company (QU-6).
    pub(crate) lazy: Option<u32>,
    /// A publisher does not get its own events (PB-7).
    pub(crate) no_echo: bool,
    /// It stays though nobody uses it (CH-13).
    pub(crate) persistent: bool,
}

/// What [`Channels::take`] moved: `subscriber` is at `index` now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Moved {
    pub(crate) subscriber: Subscriber,
    pub(crate) index: u32,
}

impl Channels {
    /// No channels yet; `keys` keep peers from choosing names that collide.
    pub(crate) fn new(keys: (u64, u64)) -> Self {
        Self {
            nodes: Slab::new(),
            index: Index::new(keys),
        }
    }

    /// The node for `pattern`, made if it is not there.
    pub(crate) fn create(&mut self, pattern: ChannelPattern) -> ChannelKey {
        if let Some(key) = self.find(pattern.as_str()) {
            return key;
        }
        let hash = self.index.hash(pattern.as_str());
        let traits = ChannelTraits::default();
        let channel = Channel {
            pattern,
            subscribers: Vec::new(),
            traits,
            idle_until: None,
        };
        let key = ChannelKey(self.nodes.insert(channel) as u32);
        self.index.insert(hash, key, &self.nodes);
        key
    }

    /// Takes out a channel, which must have no subscribers.
    pub(crate) fn remove(&mut self, key: ChannelKey) {
        let Some(channel) = self.nodes.get(key.slot()) else {
            return;
        };
        debug_assert!(
            channel.subscribers.is_empty(),
            "a channel in use is not removed"
        );
        let hash = self.index.hash(channel.pattern.as_str());
        self.index.remove(hash, key);
        self.nodes.remove(key.slot());
    }

    /// Adds `subscriber` and says at which index of `subscribers`.
    pub(crate) fn add(&mut self, key: ChannelKey, subscriber: Subscriber) -> u32 {
        let Some(channel) = self.nodes.get_mut(key.slot()) else {
            debug_assert!(false, "subscribers are added to channels that exist");
            return 0;
        };
        channel.subscribers.push(subscriber);
        (channel.subscribers.len() - 1) as u32
    }

    /// Takes out the subscriber at `index`; the last one takes its place, and is returned if there is one.
    pub(crate) fn take(&mut self, key: ChannelKey, index: u32) -> Option<Moved> {
        let subscribers = &mut self.nodes.get_mut(key.slot())?.subscribers;
        if index as usize >= subscribers.len() {
            debug_assert!(false, "only a subscriber can be taken out");
            return None;
        }
        subscribers.swap_remove(index as usize);
        let subscriber = *subscribers.get(index as usize)?;
        Some(Moved { subscriber, index })
    }

    pub(crate) fn get(&self, key: ChannelKey) -> Option<&Channel> {
        self.nodes.get(key.slot())
    }

    pub(crate) fn get_mut(&mut self, key: ChannelKey) -> Option<&mut Channel> {
        self.nodes.get_mut(key.slot())
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The channel whose pattern is `text`, which is in normal form.
    pub(crate) fn find(&self, text: &str) -> Option<ChannelKey> {
        self.look_up(self.index.hash(text), text, "")
    }

    /// Puts into `out` the channels whose subscribers get an event on `name`: `name` itself, then the
    /// patterns that match it, nearest first (CH-7, CH-9).
    pub(crate) fn matching(&self, name: &ChannelName, out: &mut SmallVec<[ChannelKey; 8]>) {
        out.clear();
        let text = name.as_str();
        if name.kind() != ChannelKind::Broadcast {
            out.extend(self.find(text));
            return;
        }
        // One pass from the root: the hash of each base is continued to that of the next.
        let mut hasher = self.index.hasher();
        let mut base = "";
        let mut rest = text;
        while let Some((segment, below)) = next_segment(rest) {
            out.extend(self.look_up_below(&hasher, base, "/**"));
            if below.is_empty() {
                out.extend(self.look_up_below(&hasher, base, "/*"));
            }
            hasher.write(segment.as_bytes());
            rest = below;
            base = text.get(..text.len() - rest.len()).unwrap_or(text);
        }
        out.extend(self.look_up(hasher.finish(), text, ""));
        out.reverse();
    }

    /// The channel `base` + `suffix`, given the hasher that has seen `base`.
    fn look_up_below(&self, hasher: &SipHasher13, base: &str, suffix: &str) -> Option<ChannelKey> {
        let mut hasher = *hasher;
        hasher.write(suffix.as_bytes());
        self.look_up(hasher.finish(), base, suffix)
    }

    fn look_up(&self, hash: u64, base: &str, suffix: &str) -> Option<ChannelKey> {
        self.index.find(hash, |key| {
            let text = self
                .nodes
                .get(key.slot())
                .map(|channel| channel.pattern.as_str());
            text.and_then(|text| text.strip_prefix(base)) == Some(suffix)
        })
    }
}

/// The first segment of `text` with the slash before it, and what follows.
fn next_segment(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('/')?;
    let end = inner.find('/').map_or(text.len(), |at| at + 1);
    text.split_at_checked(end)
}

/// Keys by the hash of their text. It cannot be walked, so nothing depends on the order of hashes.
struct Index {
    keys: (u64, u64),
    table: HashTable<ChannelKey>,
}

impl Index {
    fn new(keys: (u64, u64)) -> Self {
        Self {
            keys,
            table: HashTable::new(),
        }
    }

    fn insert(&mut self, hash: u64, key: ChannelKey, nodes: &Slab<Channel>) {
        let keys = self.keys;
        let rehash = |key: &ChannelKey| {
            nodes
                .get(key.slot())
                .map_or(0, |channel| hash_of(keys, channel.pattern.as_str()))
        };
        self.table.insert_unique(hash, key, rehash);
    }

    fn remove(&mut self, hash: u64, key: ChannelKey) {
        if let Ok(entry) = self.table.find_entry(hash, |other| *other == key) {
            entry.remove();
        }
    }

    fn find(&self, hash: u64, is_it: impl Fn(ChannelKey) -> bool) -> Option<ChannelKey> {
        self.table.find(hash, |key| is_it(*key)).copied()
    }

    fn hash(&self, text: &str) -> u64 {
        hash_of(self.keys, text)
    }

    fn hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.keys.0, self.keys.1)
    }
}

fn hash_of(keys: (u64, u64), text: &str) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(keys.0, keys.1);
    hasher.write(text.as_bytes());
    hasher.finish()
}
