//! What Redis says, taken apart.

use bytes::Bytes;
use redis::Value;

use crate::codec::Unreadable;

/// The name of an entry of a stream: the epoch, and the position.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct EntryId {
    pub(crate) epoch: u64,
    pub(crate) position: u64,
}

impl EntryId {
    fn parse(text: &[u8]) -> Result<Self, Unreadable> {
        let text = str::from_utf8(text).map_err(|_| Unreadable)?;
        let (epoch, position) = text.split_once('-').ok_or(Unreadable)?;
        Ok(Self {
            epoch: epoch.parse().map_err(|_| Unreadable)?,
            position: position.parse().map_err(|_| Unreadable)?,
        })
    }
}

impl std::fmt::Display for EntryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.epoch, self.position)
    }
}

/// An entry of a stream: its name, its fields and their values in turn.
pub(crate) struct StreamEntry {
    pub(crate) id: Bytes,
    fields: Vec<Bytes>,
}

impl StreamEntry {
    pub(crate) fn id(&self) -> Result<EntryId, Unreadable> {
        EntryId::parse(&self.id)
    }

    pub(crate) fn field(&self, name: &str) -> Option<&Bytes> {
        pairs(&self.fields)
            .find_map(|(known, value)| (**known == *name.as_bytes()).then_some(value))
    }
}

pub(crate) fn pairs(flat: &[Bytes]) -> impl Iterator<Item = (&Bytes, &Bytes)> {
    flat.chunks_exact(2).filter_map(|pair| match pair {
        [name, value] => Some((name, value)),
        _ => None,
    })
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "of all that Redis could say, one thing is meant"
)]
pub(crate) fn array(value: Value) -> Result<Vec<Value>, Unreadable> {
    match value {
        Value::Array(values) => Ok(values),
        Value::Nil => Ok(Vec::new()),
        _ => Err(Unreadable),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "of all that Redis could say, one thing is meant"
)]
pub(crate) fn bytes(value: Value) -> Result<Bytes, Unreadable> {
    match value {
        Value::BulkString(bytes) => Ok(bytes.into()),
        Value::SimpleString(text) => Ok(text.into()),
        Value::Int(number) => Ok(number.to_string().into()),
        _ => Err(Unreadable),
    }
}

pub(crate) fn text(value: Value) -> Result<String, Unreadable> {
    let bytes = bytes(value)?;
    str::from_utf8(&bytes)
        .map(Into::into)
        .map_err(|_| Unreadable)
}

pub(crate) fn number(value: Value) -> Result<u64, Unreadable> {
    parse(&bytes(value)?)
}

pub(crate) fn parse(bytes: &[u8]) -> Result<u64, Unreadable> {
    let text = str::from_utf8(bytes).map_err(|_| Unreadable)?;
    text.parse().map_err(|_| Unreadable)
}

pub(crate) fn id(value: Value) -> Result<EntryId, Unreadable> {
    EntryId::parse(&bytes(value)?)
}

pub(crate) fn flat(value: Value) -> Result<Vec<Bytes>, Unreadable> {
    array(value)?.into_iter().map(bytes).collect()
}

pub(crate) fn exactly<const COUNT: usize>(value: Value) -> Result<[Value; COUNT], Unreadable> {
    array(value)?.try_into().map_err(|_| Unreadable)
}

/// The entries of one stream.
pub(crate) fn stream(value: Value) -> Result<Vec<StreamEntry>, Unreadable> {
    let entry = |value| {
        let [id, fields] = exactly(value)?;
        Ok(StreamEntry {
            id: bytes(id)?,
            fields: flat(fields)?,
        })
    };
    array(value)?.into_iter().map(entry).collect()
}

/// What `XREAD` says: the streams that have something, by name.
pub(crate) fn streams(value: Value) -> Result<Vec<(Bytes, Vec<StreamEntry>)>, Unreadable> {
    let pair = |value| {
        let [name, entries] = exactly(value)?;
        Ok((bytes(name)?, stream(entries)?))
    };
    array(value)?.into_iter().map(pair).collect()
}
