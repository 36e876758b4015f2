//! One engine, whose store is the test.

use super::*;

/// An engine that has seen the log up to `seen`.
pub(super) fn engine(seen: u64) -> Script {
    let mut script = Script::with_scripted_store(Config::default());
    script.notify(Notice::Up { position: at(seen) });
    script
}

pub(super) fn record(acknowledged: bool, start: u64, since: u64) -> SessionRecord {
    SessionRecord {
        session: session_id(),
        fence: Fence(3),
        browser: None,
        bound: false,
        settings: SessionSettings {
            acknowledged,
            ..SessionSettings::default()
        }
        .into(),
        start: at(start),
        released: None,
        end: at(0),
        subscriptions: subscriptions(since),
    }
}

/// That record, of a session that an engine has let go of there.
pub(super) fn released_at(position: u64, record: SessionRecord) -> SessionRecord {
    SessionRecord {
        released: Some(at(position)),
        ..record
    }
}

pub(super) fn subscriptions(since: u64) -> Vec<StoredSubscription> {
    vec![StoredSubscription {
        pattern: "/news".parse().unwrap(),
        since: at(since),
    }]
}

/// An entry whose data is its position.
pub(super) fn entry(position: u64) -> Entry {
    Entry {
        position: at(position),
        origin: None,
        to: Destination::Channel("/news".parse().unwrap()),
        event: Event::deliver(&"/news".parse().unwrap(), &Payload::from(json!(position))),
        laziness: Laziness::Prompt,
        echo: Echo::ToPublisher,
    }
}

pub(super) fn entries(positions: impl IntoIterator<Item = u64>) -> Vec<Entry> {
    positions.into_iter().map(entry).collect()
}

pub(super) fn log(script: &mut Script, positions: impl IntoIterator<Item = u64>) {
    script.notify(Notice::Entries(entries(positions)));
}

pub(super) fn client(transport: Transport, socket: Option<ConnectionId>) -> Client {
    Client {
        session: session_id().text().to_string(),
        transport,
        socket,
        peer: Peer::default(),
    }
}

pub(super) fn stranger(script: &mut Script, transport: Transport) -> Client {
    let socket = (transport == SOCKET).then(|| script.open(SOCKET));
    client(transport, socket)
}

pub(super) fn ack(number: i64) -> Value {
    json!({"ext": {"ack": number}})
}

/// A connect of a session that is elsewhere; the store hands it over.
pub(super) fn claim(
    script: &mut Script,
    record: SessionRecord,
    members: Value,
) -> (Client, ConnectionId) {
    claim_over(script, HTTP, record, members)
}

pub(super) fn claim_over(
    script: &mut Script,
    transport: Transport,
    record: SessionRecord,
    members: Value,
) -> (Client, ConnectionId) {
    let client = stranger(script, transport);
    let connection = script.connect_with(&client, members);
    let (ticket, request) = script.take_store();
    assert!(matches!(request, StoreRequest::Claim { session, .. } if session == session_id()));
    script.stored(ticket, StoreReply::Claimed(Box::new(record)));
    (client, connection)
}

/// The store is asked to read `(after, until]`.
pub(super) fn is_read(script: &mut Script, after: u64, until: u64) -> StoreTicket {
    let (ticket, request) = script.take_store();
    match request {
        StoreRequest::Read {
            session,
            subscriptions: asked,
            after: from,
            until: to,
            limit: _,
        } => {
            assert_eq!(session, session_id());
            assert_eq!((from, to), (at(after), at(until)));
            assert!(!asked.is_empty());
        }
        other => panic!("{other:?}"),
    }
    ticket
}

/// A session of this engine, connected and subscribed to `/news`.
pub(super) fn own(script: &mut Script, transport: Transport, ext: Value) -> Client {
    let connection = script.open(transport);
    let handshake = json!({"id": "h", "channel": "/meta/handshake", "version": "1.0", "ext": ext});
    script.send(connection, handshake);
    done(script);
    let reply = script.take(connection);
    let client = Client {
        session: reply[0]["clientId"].as_str().unwrap().to_owned(),
        ..client(transport, (transport == SOCKET).then_some(connection))
    };
    script.first_connect(&client);
    let connection = script.request(&client, subscribe(&client, "/news"));
    done(script);
    assert_eq!(script.take(connection)[0]["successful"], true);
    client
}

pub(super) fn subscribe(client: &Client, pattern: &str) -> Value {
    json!({
        "id": "s", "channel": "/meta/subscribe", "clientId": client.session,
        "subscription": pattern,
    })
}

/// The store does what it was asked.
pub(super) fn done(script: &mut Script) {
    let (ticket, _) = script.take_store();
    script.stored(ticket, StoreReply::Done);
}

pub(super) fn name(client: &Client) -> SessionId {
    SessionId::parse(&client.session).unwrap()
}

/// Everything that the engine releases, with the cursor of each.
pub(super) fn released(script: &mut Script) -> Vec<(SessionId, Position)> {
    let mut released = Vec::new();
    while script.has_store_requests() {
        let (ticket, request) = script.take_store();
        script.stored(ticket, StoreReply::Done);
        if let StoreRequest::Release {
            session, cursor, ..
        } = request
        {
            released.push((session, cursor));
        }
    }
    released
}

pub(super) fn drain(script: &mut Script, millis: u64) {
    let over = Duration::from_millis(millis);
    script.fact(Input::Draining { over });
}
