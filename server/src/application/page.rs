//! Long lists, a page at a time, across all shards.

use std::fmt;
use std::str::FromStr;

use bayeux_core::{Call, CallResult, ChannelPattern, SessionId};

use super::handle::{CallError, Handle, refused};

/// How often the engines are asked for one page. Where many sessions have gone, there are gaps.
const ROUNDS: u32 = 16;

/// A part of a list. What comes or goes while one reads on may be missing or stand there twice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T> {
    /// What is in it: as many as were asked for at the most; perhaps none though there is more.
    pub items: Vec<T>,
    /// Where the next one begins, if there is more.
    pub next: Option<Cursor>,
}

/// A place in a list, to be kept as text between two pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    shard: u32,
    from: u32,
}

impl Cursor {
    /// The beginning.
    pub const FIRST: Self = Self { shard: 0, from: 0 };
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}", self.shard, self.from)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let number = |text: &str| u32::from_str_radix(text, 16).map_err(|_| CursorError);
        let (shard, from) = text.split_once('-').ok_or(CursorError)?;
        let cursor = Self {
            shard: number(shard)?,
            from: number(from)?,
        };
        // What we did not write ourselves, such as a sign or a zero too many, is none.
        (cursor.to_string() == text)
            .then_some(cursor)
            .ok_or(CursorError)
    }
}

/// A text is no [`Cursor`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CursorError;

impl fmt::Display for CursorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is no place in a list")
    }
}

impl std::error::Error for CursorError {}

impl Handle {
    /// Some sessions of this process, in no order: `limit` of them at the most.
    ///
    /// # Errors
    ///
    /// If the server has stopped.
    pub async fn sessions_from(
        &self,
        from: Cursor,
        limit: u32,
    ) -> Result<Page<SessionId>, CallError> {
        let call = |from, limit| Call::ListSessions { from, limit };
        self.page_of_sessions(from, limit, call).await
    }

    /// Some of the sessions of this process that are subscribed to exactly this pattern.
    ///
    /// # Errors
    ///
    /// If the server has stopped.
    pub async fn subscribers_from(
        &self,
        pattern: &ChannelPattern,
        from: Cursor,
        limit: u32,
    ) -> Result<Page<SessionId>, CallError> {
        let call = |from, limit| Call::ListSubscribers {
            pattern: pattern.clone(),
            from,
            limit,
        };
        self.page_of_sessions(from, limit, call).await
    }

    /// Some channels of this process, each once, with how many of its sessions are subscribed to them.
    ///
    /// # Errors
    ///
    /// If the server has stopped.
    pub async fn channels_from(
        &self,
        from: Cursor,
        limit: u32,
    ) -> Result<Page<(ChannelPattern, u32)>, CallError> {
        let mut walk = Walk::new(self, from, limit);
        while let Some((shard, from, limit)) = walk.step() {
            let call = Call::ListChannels { from, limit };
            let (channels, next) = self.channels_of(shard, call).await?;
            let channels = self.of_all_shards(shard, channels).await?;
            walk.take(channels, next);
        }
        Ok(walk.page())
    }

    pub(super) async fn channels_of(
        &self,
        shard: u32,
        call: Call,
    ) -> Result<(Vec<(ChannelPattern, u32)>, Option<u32>), CallError> {
        let result = self.ask(shard, call).await?;
        let CallResult::Channels(channels, next) = result else {
            return Err(refused(&result));
        };
        Ok((channels, next))
    }

    async fn page_of_sessions(
        &self,
        from: Cursor,
        limit: u32,
        call: impl Fn(u32, u32) -> Call,
    ) -> Result<Page<SessionId>, CallError> {
        let mut walk = Walk::new(self, from, limit);
        while let Some((shard, from, limit)) = walk.step() {
            let result = self.ask(shard, call(from, limit)).await?;
            let CallResult::Sessions(sessions, next) = result else {
                return Err(refused(&result));
            };
            walk.take(sessions, next);
        }
        Ok(walk.page())
    }

    /// Of the `channels` that `shard` has, those that no shard before it has, with their subscribers on
    /// all shards.
    async fn of_all_shards(
        &self,
        shard: u32,
        mut channels: Vec<(ChannelPattern, u32)>,
    ) -> Result<Vec<(ChannelPattern, u32)>, CallError> {
        for other in (0..self.shards()).filter(|other| *other != shard) {
            if channels.is_empty() {
                break;
            }
            let patterns = channels
                .iter()
                .map(|(pattern, _)| pattern.clone())
                .collect();
            let call = Call::FindChannels { patterns };
            let (found, _) = self.channels_of(other, call).await?;
            // In the order of the question.
            let mut found = found.into_iter().peekable();
            channels.retain_mut(|(pattern, subscribers)| {
                let Some((_, more)) = found.next_if(|(other, _)| other == pattern) else {
                    return true;
                };
                *subscribers = subscribers.saturating_add(more);
                other > shard
            });
        }
        Ok(channels)
    }
}

/// A page that is being put together, shard by shard.
struct Walk<T> {
    shards: u32,
    at: Option<Cursor>,
    limit: u32,
    rounds: u32,
    items: Vec<T>,
}

impl<T> Walk<T> {
    fn new(handle: &Handle, from: Cursor, limit: u32) -> Self {
        let shards = handle.shards();
        Self {
            shards,
            at: Some(from).filter(|at| at.shard < shards),
            limit,
            rounds: ROUNDS + shards,
            items: Vec::new(),
        }
    }

    /// Which shard to ask next, from where on, and for how many; `None` if that is enough.
    fn step(&mut self) -> Option<(u32, u32, u32)> {
        let Cursor { shard, from } = self.at?;
        let missing = self.missing();
        self.rounds = self.rounds.checked_sub(1)?;
        (missing > 0).then_some((shard, from, missing))
    }

    fn missing(&self) -> u32 {
        let had = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        self.limit.saturating_sub(had)
    }

    /// What that shard has, and where it goes on.
    fn take(&mut self, items: Vec<T>, next: Option<u32>) {
        self.items.extend(items);
        self.at = self.at.and_then(|at| match next {
            Some(from) => Some(Cursor { from, ..at }),
            None => Some(Cursor {
                shard: at.shard + 1,
                from: 0,
            })
            .filter(|at| at.shard < self.shards),
        });
    }

    fn page(self) -> Page<T> {
        Page {
            items: self.items,
            next: self.at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_list_survives_as_text_and_nothing_else_is_one() {
        let place = Cursor {
            shard: 3,
            from: 4_000_000_000,
        };

        assert_eq!(place.to_string().parse(), Ok(place));
        for text in [
            "",
            "0",
            "0-",
            "-0",
            "+0-0",
            "00-0",
            "0-g",
            "0-100000000",
            "0-0-0",
            "A-0",
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(CursorError), "{text:?}");
        }
    }
}
