//! Many clients at once, each in many rooms.

use bayeux_tests::live::Client;
use serde_json::json;

use super::Case;

/// A hundred clients sit in ten rooms each: each gets each message of each room once.
pub(crate) fn share_rooms(case: Case) {
    const CLIENTS: usize = 100;
    const ROUNDS: usize = 10;
    let rooms: Vec<String> = (0..10).map(|room| format!("/rooms/{room}")).collect();
    let site = case.site();
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| case.client(&site.url())).collect();
    for client in &mut clients {
        client.subscribe_all(&rooms);
    }

    // Each client publishes one message.
    let mut expected = Vec::new();
    let turns = (0..ROUNDS).flat_map(|round| rooms.iter().map(move |room| (room, round)));
    for (client, (room, round)) in clients.iter_mut().zip(turns) {
        client.publish(room, json!(round));
        expected.push((room.clone(), Some(round)));
    }
    expected.sort();

    for client in &mut clients {
        let mut received: Vec<_> = (0..expected.len())
            .map(|_| client.event())
            .map(|event| {
                (
                    event.channel,
                    event.data.as_u64().and_then(|round| round.try_into().ok()),
                )
            })
            .collect();
        received.sort();
        assert_eq!(received, expected);
    }
    // An event that came twice would stand before this one.
    if let Some(first) = clients.first_mut() {
        first.publish("/rooms/0", json!("end"));
    }
    for client in &mut clients {
        client.expect_event("/rooms/0", "end");
        assert_eq!(client.handshakes_unasked(), 0, "all in one session");
    }
    // Over websockets alone no shard has to do with another's sessions.
    site.stop();
}
