//! The life of a channel: it comes with its first use, stays while somebody is subscribed, and goes a
//! while after (CH-13).
//!
//! A subscription stands in two lists, its session's and its channel's, and each has its place in the
//! other: both are changed here, together.

use crate::channel::{ChannelKey, ChannelPattern, Subscriber};
use crate::decide::covers;
use crate::report::ReportKind;
use crate::session::{SessionKey, Subscribed};
use crate::store::Position;
use crate::timer::Alarm;
use crate::turn::Turn;

impl Turn<'_> {
    /// Subscribes a session; whether it was not subscribed before.
    pub(crate) fn add_subscription(
        &mut self,
        key: SessionKey,
        pattern: &ChannelPattern,
        since: Position,
    ) -> bool {
        let channel = self.touch_channel(pattern);
        let Some(session) = self.sessions.get(key) else {
            return false;
        };
        if session
            .subscriptions
            .iter()
            .any(|subscribed| subscribed.channel == channel)
        {
            return false;
        }
        let id = session.id;
        let entry = u32::try_from(session.subscriptions.len()).unwrap_or(u32::MAX);
        let index = self.channels.add(
            channel,
            Subscriber {
                session: key.slot(),
                entry,
            },
        );
        self.keep_channel(channel);
        if let Some(session) = self.sessions.get_mut(key) {
            session.subscriptions.push(Subscribed {
                channel,
                index,
                since,
            });
        }
        self.report(ReportKind::Subscribed(id, pattern.clone()));
        true
    }

    /// Takes a subscription away; whether it was there.
    pub(crate) fn remove_subscription(
        &mut self,
        key: SessionKey,
        pattern: &ChannelPattern,
    ) -> bool {
        let Some(channel) = self.channels.find(pattern.as_str()) else {
            return false;
        };
        let Some(session) = self.sessions.get_mut(key) else {
            return false;
        };
        let id = session.id;
        let place = session
            .subscriptions
            .iter()
            .position(|held| held.channel == channel);
        let Some(place) = place else { return false };
        let removed = session.subscriptions.swap_remove(place);
        let moved = session.subscriptions.get(place).copied();
        if let Some(moved) = moved {
            // The last subscription has taken its place: its channel has to know.
            let entry = u32::try_from(place).unwrap_or(u32::MAX);
            if let Some(channel) = self.channels.get_mut(moved.channel)
                && let Some(subscriber) = channel.subscribers.get_mut(moved.index as usize)
            {
                subscriber.entry = entry;
            }
        }
        self.leave_channel(channel, removed.index);
        self.report(ReportKind::Unsubscribed(id, pattern.clone()));
        true
    }

    pub(crate) fn unsubscribe_all(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        for subscribed in core::mem::take(&mut session.subscriptions) {
            self.leave_channel(subscribed.channel, subscribed.index);
        }
    }

    /// Takes the subscriber at `index` from a channel.
    pub(crate) fn leave_channel(&mut self, channel: ChannelKey, index: u32) {
        if let Some(moved) = self.channels.take(channel, index)
            && let Some((_, session)) = self.sessions.at_slot(moved.subscriber.session)
        {
            let entry = moved.subscriber.entry as usize;
            if let Some(subscribed) = session.subscriptions.get_mut(entry) {
                subscribed.index = moved.index;
            }
        }
        let empty = self
            .channels
            .get(channel)
            .is_some_and(|entry| entry.subscribers.is_empty());
        if empty {
            self.let_channel_idle(channel);
        }
    }

    /// A channel is published to: it comes into being, if there is room (CH-13).
    pub(crate) fn use_channel(&mut self, channel: &ChannelPattern) {
        let existing = self.channels.find(channel.as_str());
        if existing.is_some() || self.channels.len() < self.config.limits.max_channels {
            self.touch_channel(channel);
        } else {
            self.counters.channels_limited += 1;
        }
    }

    /// The channel of `pattern`, made if it is not there; it does not stay for that alone (CH-13).
    pub(crate) fn touch_channel(&mut self, pattern: &ChannelPattern) -> ChannelKey {
        if let Some(channel) = self.channels.find(pattern.as_str()) {
            if self
                .channels
                .get(channel)
                .is_some_and(|entry| entry.subscribers.is_empty())
            {
                self.let_channel_idle(channel);
            }
            return channel;
        }
        let channel = self.channels.create(pattern.clone());
        let persistent = self.is_persistent(pattern);
        if let Some(entry) = self.channels.get_mut(channel) {
            entry.persistent = persistent;
        }
        self.report(ReportKind::ChannelCreated(pattern.clone()));
        self.let_channel_idle(channel);
        channel
    }

    /// Whether the configuration has a channel stay (CH-13).
    fn is_persistent(&self, pattern: &ChannelPattern) -> bool {
        let mut rules = self.config.channels.iter().filter(|rule| rule.persistent);
        rules.any(|rule| covers(&rule.pattern, pattern))
    }

    /// A channel that nobody is subscribed to goes after three sweeps (CH-13).
    fn let_channel_idle(&mut self, channel: ChannelKey) {
        let at = self.now + self.config.sweep_period.saturating_mul(3);
        let Some(entry) = self.channels.get_mut(channel) else {
            return;
        };
        if entry.persistent {
            return;
        }
        let before = entry.idle_until.replace(at);
        if let Some(before) = before {
            self.timers.clear(before, Alarm::Channel(channel));
        }
        self.timers.set(at, Alarm::Channel(channel));
    }

    /// Somebody is subscribed: the channel stays.
    fn keep_channel(&mut self, channel: ChannelKey) {
        let idle = self
            .channels
            .get_mut(channel)
            .and_then(|entry| entry.idle_until.take());
        if let Some(at) = idle {
            self.timers.clear(at, Alarm::Channel(channel));
        }
    }

    /// Nobody has used a channel for three sweeps.
    pub(crate) fn channel_alarm(&mut self, channel: ChannelKey) {
        let Some(entry) = self.channels.get_mut(channel) else {
            return;
        };
        entry.idle_until = None;
        if entry.subscribers.is_empty() {
            let pattern = entry.pattern.clone();
            self.channels.remove(channel);
            self.report(ReportKind::ChannelRemoved(pattern));
        }
    }
}
