//! npm `cometd` through `cometd-nodejs-client`, unmodified, against the server binary.

mod scenarios;

use bayeux_tests::live::{Client, Cutter, Library, Server, Settings, Transport};
use scenarios::Case;
use serde_json::json;

const WEBSOCKET: Case = Case {
    library: Library::CometD,
    transport: Transport::WebSocket,
    shards: 1,
};
const LONG_POLLING: Case = Case {
    transport: Transport::LongPolling,
    ..WEBSOCKET
};
const WEBSOCKET_ON_4_SHARDS: Case = Case {
    shards: 4,
    ..WEBSOCKET
};
const LONG_POLLING_ON_4_SHARDS: Case = Case {
    shards: 4,
    ..LONG_POLLING
};
const ACK_OVER_WEBSOCKET: Case = Case {
    library: Library::CometDWithAck,
    ..WEBSOCKET
};
const ACK_OVER_LONG_POLLING: Case = Case {
    library: Library::CometDWithAck,
    ..LONG_POLLING_ON_4_SHARDS
};

// Proves: AD-2, CH-6, CH-7, CN-2, DC-1, FI-5, HS-11, PB-11, SU-2, WS-6
#[test]
fn cometd_converses_over_websocket() {
    scenarios::converses(WEBSOCKET);
}

// Proves: AD-2, CH-6, CH-7, CN-2, CN-12, DC-1, FI-5, HS-11, PB-11, SU-2
#[test]
fn cometd_converses_over_long_polling() {
    scenarios::converses(LONG_POLLING);
}

// Proves: WS-6, WS-8
#[test]
fn cometd_converses_over_websocket_on_4_shards() {
    scenarios::converses(WEBSOCKET_ON_4_SHARDS);
}

// Proves: LP-1, MO-7
#[test]
fn cometd_converses_over_long_polling_on_4_shards() {
    scenarios::converses(LONG_POLLING_ON_4_SHARDS);
}

// Proves: AK-1, AK-2, AK-13
#[test]
fn cometd_converses_over_websocket_with_ack() {
    scenarios::converses(ACK_OVER_WEBSOCKET);
}

// Proves: AK-1, AK-2, AK-13
#[test]
fn cometd_converses_over_long_polling_with_ack() {
    scenarios::converses(ACK_OVER_LONG_POLLING);
}

// Proves: FI-4, PB-3, PB-5, PB-7, SU-7
#[test]
fn cometd_gets_to_the_letter_what_was_published_over_websocket() {
    scenarios::keeps_to_the_letter(WEBSOCKET_ON_4_SHARDS);
}

// Proves: FI-4, PB-3, PB-5, PB-7, SU-7
#[test]
fn cometd_gets_to_the_letter_what_was_published_over_long_polling() {
    scenarios::keeps_to_the_letter(LONG_POLLING);
}

// Proves: MO-6
#[test]
fn cometd_publishes_a_burst_over_websocket() {
    scenarios::publishes_a_burst(WEBSOCKET_ON_4_SHARDS);
}

// Proves: LP-2
#[test]
fn cometd_publishes_a_burst_over_long_polling() {
    scenarios::publishes_a_burst(LONG_POLLING_ON_4_SHARDS);
}

// Proves: AD-4, CN-10, SU-10, TM-11, WS-20
#[test]
fn cometd_survives_restarts_over_websocket() {
    scenarios::survives_restarts(WEBSOCKET);
}

// Proves: AD-4, CN-10, SU-10, TM-11
#[test]
fn cometd_survives_restarts_over_long_polling() {
    scenarios::survives_restarts(LONG_POLLING);
}

// Proves: AD-4, CN-10, SU-10, TM-11
#[test]
fn cometd_survives_restarts_of_4_shards_over_websocket() {
    scenarios::survives_restarts(WEBSOCKET_ON_4_SHARDS);
}

// Proves: AD-4, CN-10, SU-10, TM-11
#[test]
fn cometd_survives_restarts_of_4_shards_over_long_polling() {
    scenarios::survives_restarts(LONG_POLLING_ON_4_SHARDS);
}

// Proves: AK-12, CN-10, SU-10
#[test]
fn cometd_with_ack_survives_restarts() {
    scenarios::survives_restarts(ACK_OVER_WEBSOCKET);
}

// Proves: TM-10, WS-10, WS-11
#[test]
fn cometd_survives_cut_connections_over_websocket() {
    scenarios::survives_cut_connections(WEBSOCKET_ON_4_SHARDS);
}

// Proves: CN-14, HT-11
#[test]
fn cometd_survives_cut_connections_over_long_polling() {
    scenarios::survives_cut_connections(LONG_POLLING_ON_4_SHARDS);
}

// Proves: MO-6, QU-1
#[test]
fn cometd_outlasts_a_stall_over_websocket() {
    scenarios::outlasts_a_stall(WEBSOCKET);
}

// Proves: MO-6, QU-7
#[test]
fn cometd_outlasts_a_stall_over_long_polling() {
    scenarios::outlasts_a_stall(LONG_POLLING_ON_4_SHARDS);
}

// Proves: AK-3, AK-5, AK-6, AK-11, MO-5, MO-6
#[test]
fn cometd_with_ack_gets_each_event_once_whatever_breaks_over_websocket() {
    gets_each_event_once(Transport::WebSocket, 1);
}

// Proves: AK-3, AK-5, AK-6, CN-15, MO-5, MO-6
#[test]
fn cometd_with_ack_gets_each_event_once_whatever_breaks_over_long_polling() {
    gets_each_event_once(Transport::LongPolling, 1);
}

// Proves: AK-6, AK-13, WS-10
#[test]
fn cometd_with_ack_gets_each_event_once_over_websocket_on_4_shards() {
    gets_each_event_once(Transport::WebSocket, 4);
}

// Proves: AK-6, AK-13
#[test]
fn cometd_with_ack_gets_each_event_once_over_long_polling_on_4_shards() {
    gets_each_event_once(Transport::LongPolling, 4);
}

/// The connection breaks inside the response that carries an event, at each of several places, and events go on being
/// published meanwhile.
fn gets_each_event_once(transport: Transport, shards: u16) {
    const ROUNDS: u64 = 6;
    let server = Server::start(&Settings::default().shards(shards));
    let cutter = Cutter::before(&server);
    let mut client = Client::connected(Library::CometDWithAck, transport, &cutter.url());
    // This one polls: it has two connections, and with several shards its facts cross.
    let mut publisher = Client::connected(Library::CometD, Transport::LongPolling, &server.url());
    client.subscribe("/numbers");

    let mut published = 0_u64;
    let mut publish = |count: u64| {
        for _ in 0..count {
            published += 1;
            let data = json!({"number": published, "text": format!("this is {published}.")});
            publisher.publish("/numbers", data);
        }
        published
    };
    let mut received = 0_u64;
    for round in 0..ROUNDS {
        let next = received + 1;
        // In the event, before it, and behind it where the reply stands.
        cutter.cut_inside(&match round % 3 {
            0 => format!("this is {next}."),
            1 => "\"/numbers\"".to_owned(),
            _ => "\"ack\":".to_owned(),
        });
        publish(1);
        cutter.wait_for_cut();
        let last = publish(3);
        while received < last {
            received += 1;
            let data = json!({"number": received, "text": format!("this is {received}.")});
            client.expect_event("/numbers", data);
        }
        // And at a moment that nobody chose.
        publish(2);
        cutter.cut_all();
        let last = publish(2);
        while received < last {
            received += 1;
            let event = client.event();
            assert_eq!(
                event.data.get("number"),
                Some(&json!(received)),
                "in order, and none twice"
            );
        }
    }

    // An event that came twice would stand before this one.
    publisher.publish("/numbers", json!("end"));
    client.expect_event("/numbers", "end");
    assert_eq!(client.handshakes_unasked(), 0, "all in one session");
    let crossed = server.stop();
    assert_eq!(
        crossed > 0,
        shards > 1,
        "facts that crossed shards: {crossed}"
    );
}
