//! What lies in the inbox of a node: messages of its sessions that reached another node, the answers to
//! those that it sent on itself, and which of its sessions were claimed.

use std::sync::Arc;

use bayeux_core::{
    BrowserId, DecodeLimits, Fence, HttpVersion, Id, Message, Messages, Payload, Peer, PeerDetails,
    Position, SessionId, Transport,
};
use bytes::Bytes;

use crate::codec::{Reader, Unreadable, Writer};
use crate::entry;

/// A letter. Who is to read it, of the engines of a node, stands outside.
#[derive(Clone, Debug)]
pub(crate) enum Letter {
    /// For a session of this node.
    Forward {
        /// The node that wants to know, and its own number for it.
        asker: Box<str>,
        number: u64,
        session: SessionId,
        messages: Messages,
        peer: Peer,
        transport: Transport,
    },
    /// What became of the forward with this number: the replies, or `None` if it was refused.
    Answer {
        number: u64,
        replies: Option<Vec<Payload>>,
    },
    /// Written by the script that claims, which was called by that node.
    Taken {
        session: SessionId,
        fence: Fence,
        by: Box<str>,
    },
    /// How far a session had come that was claimed under this fence.
    Parting {
        session: SessionId,
        fence: Fence,
        cursor: Position,
    },
}

const FORWARD: u8 = b'F';
const ANSWER: u8 = b'A';
/// `T`, then the session, the fence and the node, with spaces between: what Lua writes without effort.
const TAKEN: u8 = b'T';
const PARTING: u8 = b'P';

/// What was checked when it came in is not limited here.
const LIMITS: DecodeLimits = DecodeLimits {
    max_size: usize::MAX,
    max_depth: 1 << 20,
    max_messages: usize::MAX,
};

pub(crate) fn forward(
    asker: &str,
    number: u64,
    session: SessionId,
    messages: &Messages,
    (peer, transport): (&Peer, Transport),
) -> Vec<u8> {
    let mut writer = Writer::default();
    writer
        .byte(FORWARD)
        .text(asker)
        .number(number)
        .text(session.text())
        .text(transport.name())
        .optional(peer.address, |writer, address| {
            writer.text(address.to_string());
        })
        .optional(peer.browser, |writer, browser| {
            writer.text(browser.text());
        })
        .byte(peer.secure.into())
        .byte((peer.http == HttpVersion::Two).into())
        .optional(peer.details.as_deref(), write_details)
        .rest(json(messages))
        .end()
}

fn write_details(writer: &mut Writer, details: &PeerDetails) {
    writer
        .optional(details.origin.as_deref(), |writer, origin| {
            writer.text(origin);
        })
        .text(&*details.path)
        .number(details.headers.len() as u64);
    for (name, value) in &details.headers {
        writer.text(&**name).text(&**value);
    }
}

pub(crate) fn answer(number: u64, replies: Option<&[Payload]>) -> Vec<u8> {
    let mut writer = Writer::default();
    writer
        .byte(ANSWER)
        .number(number)
        .optional(replies, |writer, replies| {
            writer.number(replies.len() as u64);
            for reply in replies {
                writer.text(reply.as_bytes());
            }
        })
        .end()
}

pub(crate) fn parting(session: SessionId, fence: Fence, cursor: Position) -> Vec<u8> {
    let mut writer = Writer::default();
    writer
        .byte(PARTING)
        .text(session.text())
        .number(fence.0)
        .number(cursor.number())
        .end()
}

pub(crate) fn decode(bytes: Bytes) -> Result<Letter, Unreadable> {
    let mut reader = Reader::new(bytes);
    match reader.byte()? {
        FORWARD => read_forward(&mut reader),
        ANSWER => {
            let number = reader.number()?;
            let replies = reader.optional(|reader| {
                let count = reader.number()?;
                let reply = |_| Payload::parse(reader.text()?).map_err(|_| Unreadable);
                (0..count).map(reply).collect()
            })?;
            Ok(Letter::Answer { number, replies })
        }
        TAKEN => {
            let rest = reader.rest();
            let text = str::from_utf8(&rest).map_err(|_| Unreadable)?;
            let (session, rest) = text.split_once(' ').ok_or(Unreadable)?;
            let (fence, by) = rest.split_once(' ').ok_or(Unreadable)?;
            Ok(Letter::Taken {
                session: entry::session(session)?,
                fence: Fence(fence.parse().map_err(|_| Unreadable)?),
                by: by.into(),
            })
        }
        PARTING => Ok(Letter::Parting {
            session: entry::session(&reader.string()?)?,
            fence: Fence(reader.number()?),
            cursor: Position::new(reader.number()?),
        }),
        _ => Err(Unreadable),
    }
}

fn read_forward(reader: &mut Reader) -> Result<Letter, Unreadable> {
    let asker = reader.string()?;
    let number = reader.number()?;
    let session = entry::session(&reader.string()?)?;
    let transport = reader.string()?;
    let mut transports = Transport::ALL.into_iter();
    let transport = transports.find(|known| known.name() == &*transport);
    let peer = Peer {
        address: reader.optional(|reader| reader.string()?.parse().map_err(|_| Unreadable))?,
        browser: reader.optional(|reader| BrowserId::parse(&reader.string()?).ok_or(Unreadable))?,
        secure: reader.byte()? != 0,
        http: match reader.byte()? {
            0 => HttpVersion::One,
            _ => HttpVersion::Two,
        },
        details: reader.optional(read_details)?,
    };
    Ok(Letter::Forward {
        asker,
        number,
        session,
        messages: Messages::decode(reader.rest(), &LIMITS).map_err(|_| Unreadable)?,
        peer,
        transport: transport.ok_or(Unreadable)?,
    })
}

fn read_details(reader: &mut Reader) -> Result<Arc<PeerDetails>, Unreadable> {
    let origin = reader.optional(Reader::string)?;
    let path = reader.string()?;
    let count = reader.number()?;
    let header = |_| Ok((reader.string()?, reader.string()?));
    Ok(Arc::new(PeerDetails {
        origin,
        path,
        headers: (0..count).map(header).collect::<Result<_, Unreadable>>()?,
    }))
}

/// Messages as they could have come in: decoded again they are the same.
fn json(messages: &Messages) -> String {
    let objects: Vec<_> = messages.iter().map(object).collect();
    format!("[{}]", objects.join(","))
}

fn object(message: &Message) -> String {
    let string = |text: &str| Payload::string(text).as_str().to_owned();
    let mut members = Vec::new();
    let mut member = |name: &str, value: Option<String>| {
        members.extend(value.map(|value| format!("{}:{value}", string(name))));
    };
    member("channel", message.channel.as_deref().map(string));
    member(
        "id",
        match &message.id {
            Id::Absent => None,
            Id::Given(id) => Some(id.as_json().to_owned()),
            Id::Invalid => Some("true".into()),
        },
    );
    member("clientId", message.session.as_deref().map(string));
    let raw = |payload: &Payload| payload.as_str().to_owned();
    member("data", message.data.as_ref().map(raw));
    let ext = message.ext.as_ref();
    member("ext", ext.map(|ext| raw(ext.as_payload())));
    member(
        "advice",
        message.advice.map(|advice| {
            let part = |name, value: Option<u64>| value.map(|value| format!("\"{name}\":{value}"));
            let parts = [
                part("timeout", advice.timeout),
                part("interval", advice.interval),
            ];
            let parts: Vec<_> = parts.into_iter().flatten().collect();
            format!("{{{}}}", parts.join(","))
        }),
    );
    let subscription = message.subscription.as_ref();
    member("subscription", subscription.map(|names| raw(&names.raw)));
    member(
        "connectionType",
        message.connection_type.as_deref().map(string),
    );
    let types = message.connection_types.as_ref().map(|types| {
        let types: Vec<_> = types.iter().map(|name| string(name)).collect();
        format!("[{}]", types.join(","))
    });
    member("supportedConnectionTypes", types);
    member("timestamp", message.timestamp.as_ref().map(raw));
    for (name, value) in &message.others {
        member(name, Some(raw(value)));
    }
    format!("{{{}}}", members.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> SessionId {
        SessionId::parse(&"7".repeat(25)).unwrap()
    }

    #[test]
    fn messages_come_back_as_they_were() {
        for body in [
            r#"[{"channel":"/a","clientId":"x","id":"1","data":{"n":1.50},"o\"ther":[1e40],"ext":{"a":{}}}]"#,
            r#"[{"channel":"/meta/connect","connectionType":"websocket","id":7,"advice":{"timeout":0}},{}]"#,
            r#"[{"channel":"/meta/subscribe","subscription":["/a","/b"],"id":{},"clientId":5,"data":null}]"#,
            r#"[{"subscription":7,"supportedConnectionTypes":["a","b"],"timestamp":"x","advice":{"interval":5}}]"#,
        ] {
            let messages = Messages::decode(body, &DecodeLimits::default()).unwrap();
            let sender = (&Peer::default(), Transport::WebSocket);

            let letter = decode(forward("node", 9, id(), &messages, sender).into()).unwrap();

            let Letter::Forward {
                asker,
                number,
                session,
                messages: came,
                transport: Transport::WebSocket,
                ..
            } = letter
            else {
                panic!("{letter:?}");
            };
            assert_eq!((&*asker, number, session), ("node", 9, id()));
            assert_eq!(format!("{came:?}"), format!("{messages:?}"));
        }
    }

    #[test]
    fn answers_and_takings_are_read() {
        let replies = [Payload::string("a"), Payload::null()];
        for sent in [Some(&replies[..]), Some(&[]), None] {
            match decode(answer(300, sent).into()) {
                Ok(Letter::Answer {
                    number: 300,
                    replies,
                }) => {
                    assert_eq!(replies.as_deref(), sent);
                }
                other => panic!("{other:?}"),
            }
        }
        let taken = format!("T{} 12 node.7", id().text());
        match decode(taken.into()) {
            Ok(Letter::Taken { session, fence, by }) => {
                assert_eq!((session, fence, &*by), (id(), Fence(12), "node.7"));
            }
            other => panic!("{other:?}"),
        }
        match decode(parting(id(), Fence(12), Position::new(300)).into()) {
            Ok(Letter::Parting {
                session,
                fence,
                cursor,
            }) => {
                assert_eq!((session, fence, cursor.number()), (id(), Fence(12), 300));
            }
            other => panic!("{other:?}"),
        }
        assert!(decode(Bytes::from_static(b"X")).is_err());
    }
}
