//! The channels of one engine and who listens to them.
//!
//! A pattern has at most one node. Finding the nodes that match a name costs one look-up for each pattern
//! that could match it (CH-7), however many channels there are.

use alloc::vec::Vec;
use core::hash::{BuildHasher, Hasher};

use siphasher::sip::SipHasher13;
use slab::Slab;
use smallvec::SmallVec;

use super::{ChannelKind, ChannelName, ChannelPattern};
use crate::keyed::Index;
use crate::page::page;

/// All channels that exist, by key and by text.
pub(crate) struct Channels {
    nodes: Slab<Channel>,
    index: Index,
    /// How many subscribers all of them have together.
    subscriptions: usize,
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
    pub(crate) subscribers: SmallVec<[Subscriber; 2]>,
    /// It stays though nobody uses it (CH-13).
    pub(crate) persistent: bool,
    /// When it goes if nobody uses it until then; `None` while it is in use (CH-13).
    pub(crate) idle_until: Option<crate::Instant>,
}

/// One session's subscription to one channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Subscriber {
    /// The session.
    pub(crate) session: u32,
    /// Which of that session's subscriptions this is.
    pub(crate) entry: u32,
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
            subscriptions: 0,
        }
    }

    /// The node for `pattern`, made if it is not there.
    pub(crate) fn create(&mut self, pattern: ChannelPattern) -> ChannelKey {
        if let Some(key) = self.find(pattern.as_str()) {
            return key;
        }
        let hash = self.hash(pattern.as_str());
        let channel = Channel {
            pattern,
            subscribers: SmallVec::new(),
            persistent: false,
            idle_until: None,
        };
        let key = ChannelKey(self.nodes.insert(channel) as u32);
        let (index, nodes) = (&mut self.index, &self.nodes);
        index.insert(hash, key.0, |keys, slot| {
            let channel = nodes.get(slot as usize);
            channel.map_or(0, |channel| {
                hash_of(keys.build_hasher(), channel.pattern.as_str())
            })
        });
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
        let hash = self.hash(channel.pattern.as_str());
        self.index.remove(hash, key.0);
        self.nodes.remove(key.slot());
    }

    /// Adds `subscriber` and says at which index of `subscribers`.
    pub(crate) fn add(&mut self, key: ChannelKey, subscriber: Subscriber) -> u32 {
        let Some(channel) = self.nodes.get_mut(key.slot()) else {
            debug_assert!(false, "subscribers are added to channels that exist");
            return 0;
        };
        channel.subscribers.push(subscriber);
        self.subscriptions += 1;
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
        self.subscriptions -= 1;
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

    pub(crate) const fn subscriptions(&self) -> usize {
        self.subscriptions
    }

    /// The channels from slot `from` on, at most `limit` of them, each with the number of its
    /// subscribers, and the slot where to go on if there may be more.
    pub(crate) fn page(&self, from: u32, limit: u32) -> (Vec<(ChannelPattern, u32)>, Option<u32>) {
        page(from, limit, self.nodes.capacity(), |slot| {
            let channel = self.nodes.get(slot)?;
            let subscribers = u32::try_from(channel.subscribers.len()).unwrap_or(u32::MAX);
            Some((channel.pattern.clone(), subscribers))
        })
    }

    /// The channel whose pattern is `text`, which is in normal form.
    pub(crate) fn find(&self, text: &str) -> Option<ChannelKey> {
        self.look_up(self.hash(text), text, "")
    }

    /// `pattern` in the memory of its channel, if it has one.
    pub(crate) fn shared(&self, pattern: ChannelPattern) -> ChannelPattern {
        let key = self.find(pattern.as_str());
        let channel = key.and_then(|key| self.get(key));
        channel.map_or(pattern, |channel| channel.pattern.clone())
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

    fn hash(&self, text: &str) -> u64 {
        hash_of(self.index.hasher(), text)
    }

    fn look_up(&self, hash: u64, base: &str, suffix: &str) -> Option<ChannelKey> {
        let found = self.index.find(hash, |slot| {
            let text = self
                .nodes
                .get(slot as usize)
                .map(|channel| channel.pattern.as_str());
            text.and_then(|text| text.strip_prefix(base)) == Some(suffix)
        });
        found.map(ChannelKey)
    }
}

/// The first segment of `text` with the slash before it, and what follows.
fn next_segment(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('/')?;
    let end = inner.find('/').map_or(text.len(), |at| at + 1);
    text.split_at_checked(end)
}

fn hash_of(mut hasher: SipHasher13, text: &str) -> u64 {
    hasher.write(text.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use alloc::collections::{BTreeMap, BTreeSet};
    use alloc::format;
    use alloc::string::{String, ToString};

    use proptest::prelude::*;

    use super::*;

    // Proves: CH-7
    #[test]
    fn a_name_finds_its_own_channel_and_the_patterns_above_it() {
        let mut channels = channels(&[
            "/a/b", "/a/b/c", "/a/*", "/a/b/*", "/a/b/**", "/a/**", "/*", "/**",
        ]);

        assert_eq!(
            found(&channels, "/a/b/c"),
            ["/a/b/c", "/a/b/*", "/a/b/**", "/a/**", "/**"]
        );
        assert_eq!(found(&channels, "/a/b"), ["/a/b", "/a/*", "/a/**", "/**"]);
        assert_eq!(found(&channels, "/x"), ["/*", "/**"]);

        let key = channels.find("/a/**").unwrap();
        channels.remove(key);
        assert_eq!(found(&channels, "/a/b"), ["/a/b", "/a/*", "/**"]);
        assert_eq!(channels.len(), 7);
        assert!(channels.get(key).is_none());
    }

    // Proves: CH-9
    #[test]
    fn wildcards_do_not_reach_into_meta_and_service_channels() {
        // CH-9
        let channels = channels(&[
            "/service/x",
            "/service/*",
            "/service/**",
            "/**",
            "/meta/*",
            "/*",
        ]);

        assert_eq!(found(&channels, "/service/x"), ["/service/x"]);
        assert_eq!(found(&channels, "/meta/connect"), [""; 0]);
    }

    #[test]
    fn creating_a_channel_that_exists_gives_that_one() {
        let mut channels = channels(&["/a"]);

        let key = channels.create("/a".parse().unwrap());

        assert_eq!(Some(key), channels.find("/a"));
        assert_eq!(channels.len(), 1);
    }

    #[test]
    fn the_last_subscriber_takes_the_place_of_one_that_leaves() {
        let mut channels = channels(&["/a"]);
        let key = channels.find("/a").unwrap();
        let subscriber = |session| Subscriber {
            session,
            entry: session + 10,
        };
        assert_eq!(
            [1, 2, 3].map(|session| channels.add(key, subscriber(session))),
            [0, 1, 2]
        );

        assert_eq!(
            channels.take(key, 0),
            Some(Moved {
                subscriber: subscriber(3),
                index: 0
            })
        );
        assert_eq!(channels.take(key, 1), None);
        assert_eq!(channels.get(key).unwrap().subscribers[..], [subscriber(3)]);
        assert_eq!(channels.take(key, 0), None);
        assert!(channels.get(key).unwrap().subscribers.is_empty());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Subscribe(String, u32),
        Unsubscribe(String, u32),
        Publish(String),
    }

    proptest! {
        #[test]
        fn the_index_agrees_with_a_naive_one(
            keys in any::<(u64, u64)>(),
            steps in prop::collection::vec(step(), 0..60),
        ) {
            let mut channels = Channels::new(keys);
            let mut naive = BTreeMap::<String, BTreeSet<u32>>::new();
            for step in steps {
                match step {
                    Step::Subscribe(text, session) => {
                        if naive.entry(text.clone()).or_default().insert(session) {
                            let key = channels.create(text.parse().unwrap());
                            channels.add(key, Subscriber { session, entry: 0 });
                        }
                    }
                    Step::Unsubscribe(text, session) => {
                        let known = naive.get_mut(&text).is_some_and(|all| all.remove(&session));
                        if naive.get(&text).is_some_and(BTreeSet::is_empty) {
                            naive.remove(&text);
                        }
                        prop_assert_eq!(unsubscribe(&mut channels, &text, session), known);
                    }
                    Step::Publish(text) => {
                        let name: ChannelName = text.parse().unwrap();
                        let mut expected: Vec<&str> = naive.keys().map(String::as_str).collect();
                        expected.retain(|text| text.parse::<ChannelPattern>().unwrap().matches(&name));
                        let mut actual = found(&channels, &text);
                        actual.sort();
                        prop_assert_eq!(actual, expected);
                    }
                }
                prop_assert_eq!(channels.len(), naive.len());
                prop_assert_eq!(channels.index.len(), naive.len());
            }
            for (text, sessions) in &naive {
                let channel = channels.get(channels.find(text).unwrap()).unwrap();
                let actual = channel.subscribers.iter().map(|subscriber| subscriber.session);
                prop_assert_eq!(&actual.collect::<BTreeSet<_>>(), sessions);
                prop_assert_eq!(channel.subscribers.len(), sessions.len());
            }
        }
    }

    #[test]
    fn among_many_channels_a_name_finds_only_its_own() {
        let mut channels = channels(&[]);
        let names = (0..10_000).map(|n| format!("/c/{n}"));
        for text in names {
            channels.create(text.parse().unwrap());
        }

        assert_eq!(found(&channels, "/c/7"), ["/c/7"]);
        assert_eq!(channels.len(), 10_000);
    }

    fn unsubscribe(channels: &mut Channels, text: &str, session: u32) -> bool {
        let Some(key) = channels.find(text) else {
            return false;
        };
        let subscribers = &channels.get(key).unwrap().subscribers;
        let Some(index) = subscribers
            .iter()
            .position(|other| other.session == session)
        else {
            return false;
        };
        let last = *subscribers.last().unwrap();
        let moved = channels.take(key, index as u32);
        if let Some(moved) = moved {
            assert_eq!((moved.subscriber, moved.index), (last, index as u32));
        }
        if channels.get(key).unwrap().subscribers.is_empty() {
            channels.remove(key);
        }
        true
    }

    fn channels(patterns: &[&str]) -> Channels {
        let mut channels = Channels::new((1, 2));
        for pattern in patterns {
            channels.create(pattern.parse().unwrap());
        }
        channels
    }

    fn found(channels: &Channels, name: &str) -> Vec<String> {
        let mut out = SmallVec::new();
        channels.matching(&name.parse().unwrap(), &mut out);
        out.iter()
            .map(|key| channels.get(*key).unwrap().pattern.to_string())
            .collect()
    }

    fn step() -> impl Strategy<Value = Step> {
        let name = "(/(a|b|service)){1,3}";
        let pattern = "((/(a|b|service)){0,2}/[*]{1,2})|((/(a|b|service)){1,3})";
        prop_oneof![
            (pattern, 0..3_u32).prop_map(|(text, session)| Step::Subscribe(text, session)),
            (pattern, 0..3_u32).prop_map(|(text, session)| Step::Unsubscribe(text, session)),
            name.prop_map(Step::Publish),
        ]
    }
}
