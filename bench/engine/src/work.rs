//! What is measured: each work sets up its world, and then does a number of units of one thing.

use std::hint::black_box;

use bayeux_core::Transport;

use crate::world::{Client, World, decode};

/// One kind of work.
#[derive(Clone, Copy)]
pub(crate) struct Work {
    /// Its name on the command line and in the list of figures.
    pub(crate) name: &'static str,
    /// What the figure is for one of.
    pub(crate) unit: &'static str,
    /// How many units are done at the least for a figure.
    pub(crate) least: u64,
    /// Whether it takes minutes, and is left out unless it is named.
    pub(crate) is_long: bool,
    /// Does so many units.
    pub(crate) run: fn(u64),
}

/// All there is.
pub(crate) const ALL: [Work; 10] = [
    Work {
        name: "decode-1",
        unit: "a frame of one publish of 200 bytes, decoded",
        least: 1_000,
        is_long: false,
        run: |count| decode_frames(count, 1),
    },
    Work {
        name: "decode-10",
        unit: "a frame of ten publishes of 200 bytes, decoded",
        least: 200,
        is_long: false,
        run: |count| decode_frames(count, 10),
    },
    Work {
        name: "match-10000",
        unit: "a publish to one of 10,000 channels, each with a subscriber, below 100 patterns of another",
        least: 500,
        is_long: false,
        run: match_channels,
    },
    Work {
        name: "fanout-1",
        unit: "a publish to one websocket",
        least: 1_000,
        is_long: false,
        run: |count| fan_out(count, 1),
    },
    Work {
        name: "fanout-1000",
        unit: "a publish to 1,000 websockets",
        least: 20,
        is_long: false,
        run: |count| fan_out(count, 1_000),
    },
    Work {
        name: "fanout-100000",
        unit: "a publish to 100,000 websockets",
        least: 1,
        is_long: true,
        run: |count| fan_out(count, 100_000),
    },
    Work {
        name: "rooms",
        unit: "a batch of ten publishes, each to 100 of 1,000 websockets",
        least: 20,
        is_long: false,
        run: rooms,
    },
    Work {
        name: "poll",
        unit: "a held poll answered with one event, and the next one held",
        least: 500,
        is_long: false,
        run: poll,
    },
    Work {
        name: "ack",
        unit: "an event to one websocket that acknowledges, and its next connect",
        least: 500,
        is_long: false,
        run: acknowledged,
    },
    Work {
        name: "session",
        unit: "handshake, first connect, subscribe to two channels, connect, all over a websocket",
        least: 200,
        is_long: false,
        run: sessions,
    },
];

fn decode_frames(count: u64, messages: usize) {
    let client = World::new().join(&[]);
    let frame = serde_json::Value::from(vec![client.publish("/room/7"); messages]).to_string();
    for _ in 0..count {
        black_box(decode(black_box(frame.clone())));
    }
}

fn match_channels(count: u64) {
    let channels: Vec<_> = (0..10_000)
        .map(|number| format!("/area/{}/room/{number}", number % 100))
        .collect();
    let patterns: Vec<_> = (0..100).map(|area| format!("/area/{area}/**")).collect();
    let mut world = World::new();
    let publisher = world.join(&[]);
    world.join(&channels);
    world.join(&patterns);
    world.stop_reading();
    for channel in channels.iter().cycle().take(as_usize(count)) {
        publish(&mut world, &publisher, channel, 2);
    }
}

fn fan_out(count: u64, subscribers: u64) {
    let mut world = World::new();
    let publisher = world.join(&[]);
    for _ in 0..subscribers {
        world.join(&["/news".to_owned()]);
    }
    world.stop_reading();
    for _ in 0..count {
        publish(&mut world, &publisher, "/news", subscribers);
    }
}

/// One publish, which so many frames come of beside its reply.
fn publish(world: &mut World, publisher: &Client, channel: &str, deliveries: u64) {
    let before = world.sent;
    world.receive(
        publisher.socket,
        decode(publisher.publish(channel).to_string()),
    );
    assert_eq!(world.sent - before, deliveries + 1, "{channel}");
}

fn rooms(count: u64) {
    let mut world = World::new();
    let publisher = world.join(&[]);
    for number in 0..1_000 {
        let rooms: Vec<_> = (0..10)
            .map(|room| format!("/room/{}", (number * 7 + room * 10) % 100))
            .collect();
        world.join(&rooms);
    }
    world.stop_reading();
    for number in 0..count {
        let before = world.sent;
        let batch = vec![publisher.publish(&format!("/room/{}", number % 100)); 10];
        let frame = serde_json::Value::from(batch).to_string();
        world.receive(publisher.socket, decode(frame));
        assert_eq!(
            world.sent - before,
            101,
            "a frame for each, and the replies"
        );
    }
}

fn poll(count: u64) {
    let mut world = World::new();
    let publisher = world.join(&[]);
    let client = world.join(&["/news".to_owned()]);
    world.stop_reading();
    let connect = client.connect("long-polling").to_string();
    hold(&mut world, &connect);
    for _ in 0..count {
        publish(&mut world, &publisher, "/news", 1);
        hold(&mut world, &connect);
    }
}

fn hold(world: &mut World, connect: &str) {
    let exchange = world.open(Transport::LongPolling);
    world.receive(exchange, decode(connect.to_owned()));
}

fn acknowledged(count: u64) {
    let mut world = World::new();
    let publisher = world.join(&[]);
    let client = world.join_acknowledging(&["/news".to_owned()]);
    world.stop_reading();
    for number in 0..count {
        let before = world.sent;
        world.receive(
            publisher.socket,
            decode(publisher.publish("/news").to_string()),
        );
        assert_eq!(
            world.sent - before,
            2,
            "the reply, and the event with its connect's"
        );
        let connect = client.acknowledge(number + 1);
        world.receive(client.socket, decode(connect.to_string()));
    }
}

fn sessions(count: u64) {
    let mut world = World::new();
    for number in 0..count {
        world.join(&[format!("/room/{}", number % 100), format!("/user/{number}")]);
    }
    assert_eq!(world.sessions(), as_usize(count));
}

/// So many sessions, each with a room of a thousand and a channel of its own, and a publisher.
pub(crate) fn crowd(sessions: u64) -> (World, Client) {
    let mut world = World::new();
    let publisher = world.join(&[]);
    for number in 0..sessions {
        let (room, user) = (number / ROOM, number);
        world.join(&[format!("/room/{room}"), format!("/user/{user}")]);
    }
    world.stop_reading();
    (world, publisher)
}

/// Sessions in a room of a crowd.
pub(crate) const ROOM: u64 = 1_000;

/// An event to each of the first rooms of a crowd, again and again, so many in all.
pub(crate) fn visit((world, publisher): &mut (World, Client), rooms: u64, count: u64) {
    for number in 0..count {
        publish(world, publisher, &format!("/room/{}", number % rooms), ROOM);
    }
}

fn as_usize(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
