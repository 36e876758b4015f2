//! What is agreed with a session, as one field of its hash: all that does not change while it lives.

use bayeux_core::{
    DeciderId, Echo, Fence, Identity, Payload, Position, SessionId, SessionRecord, SessionSettings,
};
use bytes::Bytes;

use crate::codec::{Reader, Unreadable, Writer};

pub(crate) fn encode(record: &SessionRecord) -> Vec<u8> {
    let SessionSettings {
        acknowledged,
        deliver_only,
        timeout,
        interval,
        max_interval,
        echo,
        outgoing,
        identity,
        until,
    } = &*record.settings;
    let mut writer = Writer::default();
    writer
        .number(record.start.number())
        .byte((*acknowledged).into())
        .optional(*deliver_only, |writer, deliver_only| {
            writer.byte(deliver_only.into());
        });
    for duration in [timeout, interval, max_interval, until] {
        writer.optional(*duration, |writer, duration| {
            writer.duration(duration);
        });
    }
    writer.optional(*echo, |writer, echo| {
        writer.byte((echo == Echo::ToOthers).into());
    });
    writer.number(outgoing.len() as u64);
    for decider in outgoing {
        writer.number(decider.0.into());
    }
    writer
        .optional(identity.as_ref(), |writer, identity| {
            writer.text(identity.words().as_bytes());
        })
        .end()
}

/// The record, but for its fence, its browser, its subscriptions and what a claim says.
pub(crate) fn decode(session: SessionId, bytes: Bytes) -> Result<SessionRecord, Unreadable> {
    let reader = &mut Reader::new(bytes);
    let start = Position::new(reader.number()?);
    let acknowledged = reader.byte()? != 0;
    let deliver_only = reader.optional(|reader| Ok(reader.byte()? != 0))?;
    let timeout = reader.optional(Reader::duration)?;
    let interval = reader.optional(Reader::duration)?;
    let max_interval = reader.optional(Reader::duration)?;
    let until = reader.optional(Reader::duration)?;
    let echo = reader.optional(|reader| {
        Ok(match reader.byte()? {
            0 => Echo::ToPublisher,
            _ => Echo::ToOthers,
        })
    })?;
    let mut outgoing = Vec::new();
    for _ in 0..reader.number()? {
        outgoing.push(DeciderId(
            reader.number()?.try_into().map_err(|_| Unreadable)?,
        ));
    }
    let identity = reader.optional(|reader| {
        let words = Payload::parse(reader.text()?).map_err(|_| Unreadable)?;
        Ok(Identity::new(words))
    })?;
    Ok(SessionRecord {
        session,
        fence: Fence::default(),
        browser: None,
        bound: false,
        settings: SessionSettings {
            acknowledged,
            deliver_only,
            timeout,
            interval,
            max_interval,
            echo,
            outgoing,
            identity,
            until,
        }
        .into(),
        start,
        released: None,
        end: Position::ZERO,
        subscriptions: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_record_comes_back_as_it_was() {
        let session = SessionId::parse(&"7".repeat(25)).unwrap();
        let mut record = SessionRecord {
            session,
            fence: Fence::default(),
            browser: None,
            bound: false,
            settings: SessionSettings::default().into(),
            start: Position::ZERO,
            released: None,
            end: Position::ZERO,
            subscriptions: Vec::new(),
        };
        assert_eq!(decode(session, encode(&record).into()), Ok(record.clone()));

        record.start = Position::new(1 << 40);
        record.settings = SessionSettings {
            acknowledged: true,
            deliver_only: Some(false),
            timeout: Some(Duration::from_millis(12_345)),
            interval: Some(Duration::ZERO),
            max_interval: Some(Duration::from_nanos(7)),
            echo: Some(Echo::ToOthers),
            outgoing: vec![DeciderId(3), DeciderId(1)],
            identity: Some(Identity::new(Payload::string("ann"))),
            until: Some(Duration::from_secs(1_700_000_000)),
        }
        .into();
        assert_eq!(decode(session, encode(&record).into()), Ok(record));
        assert_eq!(
            decode(session, Bytes::from_static(b"\x01\x02ab")),
            Err(Unreadable)
        );
    }
}
