//! An entry of the log as one field of a Redis stream.
//!
//! The field tells who appended it, by a number of their own: so a node knows its own entries when they
//! come back by the log, whatever became of the reply.

use bayeux_core::{
    ChannelName, Characters, Destination, Echo, Entry, Event, Grammar, Laziness, NewEntry,
    Position, SessionId,
};
use bytes::Bytes;

use crate::codec::{Reader, Unreadable, Writer};

/// What a node is known by in its entries.
pub(crate) type Author = [u8; 8];

/// An entry as it is kept, but for its position.
#[derive(Clone, Debug)]
pub(crate) struct StoredEntry {
    pub(crate) author: Author,
    /// The author's count of its appends.
    pub(crate) number: u64,
    pub(crate) origin: Option<SessionId>,
    pub(crate) to: Destination,
    pub(crate) event: Event,
    pub(crate) laziness: Laziness,
    pub(crate) echo: Echo,
}

impl StoredEntry {
    /// It at its place in the log.
    pub(crate) fn at(self, position: u64) -> Entry {
        Entry {
            position: Position::new(position),
            origin: self.origin,
            to: self.to,
            event: self.event,
            laziness: self.laziness,
            echo: self.echo,
        }
    }
}

const LAZY: u8 = 1;
const TO_OTHERS: u8 = 2;
const HAS_ORIGIN: u8 = 4;
const TO_SESSION: u8 = 8;

/// What the nodes of a cluster may have been configured to allow: they check names, the log keeps them.
pub(crate) const GRAMMAR: Grammar = Grammar {
    characters: Characters::Wide,
    max_length: usize::MAX,
    max_depth: usize::MAX,
};

pub(crate) fn encode(author: &Author, number: u64, entry: &NewEntry) -> Vec<u8> {
    let mut flags = 0;
    if entry.laziness == Laziness::Lazy {
        flags |= LAZY;
    }
    if entry.echo == Echo::ToOthers {
        flags |= TO_OTHERS;
    }
    if entry.origin.is_some() {
        flags |= HAS_ORIGIN;
    }
    if matches!(entry.to, Destination::Session(_)) {
        flags |= TO_SESSION;
    }
    let mut writer = Writer::default();
    writer.byte(flags).rest(author).number(number);
    if let Some(origin) = entry.origin {
        writer.text(origin.text());
    }
    match &entry.to {
        Destination::Channel(channel) => writer.text(channel.as_str()),
        Destination::Session(session) => writer.text(session.text()),
    };
    writer.rest(entry.event.object()).end()
}

pub(crate) fn decode(bytes: Bytes) -> Result<StoredEntry, Unreadable> {
    let mut reader = Reader::new(bytes);
    let flags = reader.byte()?;
    let author = (*reader.take(8)?).try_into().map_err(|_| Unreadable)?;
    let number = reader.number()?;
    let has = |flag| flags & flag != 0;
    let origin = if has(HAS_ORIGIN) {
        Some(session(&reader.string()?)?)
    } else {
        None
    };
    let to = reader.string()?;
    let to = if has(TO_SESSION) {
        Destination::Session(session(&to)?)
    } else {
        Destination::Channel(ChannelName::parse(&to, &GRAMMAR).map_err(|_| Unreadable)?)
    };
    Ok(StoredEntry {
        author,
        number,
        origin,
        to,
        event: Event::from_object(reader.rest()),
        laziness: if has(LAZY) {
            Laziness::Lazy
        } else {
            Laziness::Prompt
        },
        echo: if has(TO_OTHERS) {
            Echo::ToOthers
        } else {
            Echo::ToPublisher
        },
    })
}

pub(crate) fn session(text: &str) -> Result<SessionId, Unreadable> {
    SessionId::parse(text).ok_or(Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: char) -> SessionId {
        SessionId::parse(&digit.to_string().repeat(25)).unwrap()
    }

    #[test]
    fn an_entry_comes_back_as_it_was() {
        let channel = Destination::Channel(ChannelName::parse("/a/\u{e9}", &GRAMMAR).unwrap());
        for (to, origin) in [
            (channel, None),
            (Destination::Session(id('1')), Some(id('2'))),
        ] {
            let new = NewEntry {
                origin,
                fence: None,
                to: to.clone(),
                event: Event::from_object(r#"{ "data" : "é\u0000" }"#),
                laziness: Laziness::Lazy,
                echo: Echo::ToOthers,
            };

            let stored = decode(encode(b"author!!", 300, &new).into()).unwrap();

            assert_eq!((&stored.author, stored.number), (b"author!!", 300));
            assert_eq!((stored.origin, stored.to), (origin, to));
            assert_eq!(stored.event.object(), new.event.object());
            assert_eq!((stored.laziness, stored.echo), (new.laziness, new.echo));
        }
    }

    #[test]
    fn what_is_no_entry_is_unreadable() {
        for bytes in [&b""[..], b"\0short", b"\x04author!!\x01\x03abc"] {
            assert!(decode(Bytes::from_static(bytes)).is_err(), "{bytes:?}");
        }
    }
}
