//! npm `faye`, unmodified, against the server binary.

mod scenarios;

use bayeux_tests::live::{Library, Transport};
use scenarios::Case;

const WEBSOCKET: Case = Case {
    library: Library::Faye,
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

// Proves: CN-11, CH-6, CH-7, DC-1, HS-10, PB-11, SU-2
#[test]
fn faye_converses_over_websocket() {
    scenarios::converses(WEBSOCKET);
}

// Proves: CN-11, CH-6, CH-7, DC-1, HS-11, PB-11, SU-2
#[test]
fn faye_converses_over_long_polling() {
    scenarios::converses(LONG_POLLING);
}

// Proves: HS-10, WS-5
#[test]
fn faye_converses_over_websocket_on_4_shards() {
    scenarios::converses(WEBSOCKET_ON_4_SHARDS);
}

// Proves: LP-2, MO-7
#[test]
fn faye_converses_over_long_polling_on_4_shards() {
    scenarios::converses(LONG_POLLING_ON_4_SHARDS);
}

// Proves: FI-4, PB-3, PB-5, PB-7, SU-7
#[test]
fn faye_gets_to_the_letter_what_was_published_over_websocket() {
    scenarios::keeps_to_the_letter(WEBSOCKET);
}

// Proves: FI-4, PB-3, PB-5, PB-7, SU-7
#[test]
fn faye_gets_to_the_letter_what_was_published_over_long_polling() {
    scenarios::keeps_to_the_letter(LONG_POLLING_ON_4_SHARDS);
}

// Proves: MO-6
#[test]
fn faye_publishes_a_burst_over_websocket() {
    scenarios::publishes_a_burst(WEBSOCKET_ON_4_SHARDS);
}

// Proves: LP-2
#[test]
fn faye_publishes_a_burst_over_long_polling() {
    scenarios::publishes_a_burst(LONG_POLLING_ON_4_SHARDS);
}

// Proves: AD-6, CN-10, SU-10, TM-11
#[test]
fn faye_survives_restarts_over_websocket() {
    scenarios::survives_restarts(WEBSOCKET);
}

// Proves: AD-6, CN-10, SU-10, TM-11
#[test]
fn faye_survives_restarts_over_long_polling() {
    scenarios::survives_restarts(LONG_POLLING);
}

// Proves: AD-6, CN-10, SU-10, TM-11
#[test]
fn faye_survives_restarts_of_4_shards_over_websocket() {
    scenarios::survives_restarts(WEBSOCKET_ON_4_SHARDS);
}

// Proves: AD-6, CN-10, SU-10, TM-11
#[test]
fn faye_survives_restarts_of_4_shards_over_long_polling() {
    scenarios::survives_restarts(LONG_POLLING_ON_4_SHARDS);
}

// Proves: TM-10, WS-10, WS-11
#[test]
fn faye_survives_cut_connections_over_websocket() {
    scenarios::survives_cut_connections(WEBSOCKET_ON_4_SHARDS);
}

// Proves: CN-14, HT-11
#[test]
fn faye_survives_cut_connections_over_long_polling() {
    scenarios::survives_cut_connections(LONG_POLLING_ON_4_SHARDS);
}

// Proves: MO-6, QU-1
#[test]
fn faye_outlasts_a_stall_over_websocket() {
    scenarios::outlasts_a_stall(WEBSOCKET);
}

// Proves: MO-6, QU-7
#[test]
fn faye_outlasts_a_stall_over_long_polling() {
    scenarios::outlasts_a_stall(LONG_POLLING_ON_4_SHARDS);
}
