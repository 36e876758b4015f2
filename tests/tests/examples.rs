//! The examples serve the clients that are in use, unmodified.

use bayeux_tests::live::{Client, Server, Software, Transport};
use serde_json::json;

const CLIENTS: [(Software, Transport); 5] = [
    (Software::Faye, Transport::WebSocket),
    (Software::Faye, Transport::LongPolling),
    (Software::CometD, Transport::WebSocket),
    (Software::CometDWithAck, Transport::LongPolling),
    (Software::Faye, Transport::WebSocket),
];

/// Each client hears what the next one says, and leaves.
fn converse(server: &Server) {
    let connected = |(software, transport)| Client::connected(software, transport, &server.url());
    let mut speaker = connected(CLIENTS[0]);
    for (number, client) in CLIENTS.into_iter().enumerate().skip(1) {
        let channel = format!("/news/{number}");
        let mut listener = connected(client);
        listener.subscribe(&channel);
        speaker.publish(&channel, json!({ "number": number }));
        listener.expect_event(&channel, json!({ "number": number }));
        speaker.disconnect();
        speaker = listener;
    }
    speaker.disconnect();
}

#[test]
fn faye_and_cometd_talk_to_each_other_over_a_loop_that_blocks() {
    converse(&Server::example("--example", "blocking"));
}

#[test]
fn faye_and_cometd_talk_to_each_other_over_async_std() {
    converse(&Server::example("--bin", "bayeux-example-async-std"));
}
