//! Unmodified clients against the server binary: each library, over each of its transports, in each scenario.
//!
//! Each of them once against three servers behind a load balancer; with the variable `BAYEUX_NODES`, in every scenario
//! against that many.

mod scenarios;

/// A module for each client, in it one for each setup, in that a test for each scenario.
macro_rules! clients {
    ($($client:ident: $software:ident over $transport:ident {
        $($place:ident($setup:ident($count:literal)): $($scenario:ident),+;)+
    })+) => {
        $(mod $client {$(mod $place {
            use crate::scenarios::{self, Case, Setup};
            use bayeux_tests::live::{Software, Transport};

            const CASE: Case = Case {
                software: Software::$software,
                transport: Transport::$transport,
                setup: Setup::$setup($count),
            };

            $(#[test]
            fn $scenario() {
                scenarios::$scenario(CASE);
            })+
        })+})+
    };
}

// Proves: AD-6, CH-6, CH-7, CN-10, CN-11, DC-1, FI-4, HS-10, MO-6, PB-3, PB-5, PB-7, PB-11, QU-1, SU-2, SU-7, SU-10,
// TM-10, TM-11, WS-5, WS-10, WS-11
clients! {
    faye_over_websocket: Faye over WebSocket {
        on_1_shard(Shards(1)): converses, keeps_to_the_letter, is_told_refusals, survives_restarts, outlasts_a_stall;
        on_4_shards(Shards(4)): converses, publishes_a_burst, survives_restarts, survives_cut_connections;
        in_a_cluster(Nodes(3)): converses;
    }
}

// Proves: AD-6, CH-6, CH-7, CN-10, CN-11, CN-14, DC-1, FI-4, HS-11, HT-11, LP-2, MO-6, MO-7, PB-3, PB-5, PB-7, PB-11,
// QU-7, SU-2, SU-7, SU-10, TM-11
clients! {
    faye_over_long_polling: Faye over LongPolling {
        on_1_shard(Shards(1)): converses, is_told_refusals, survives_restarts;
        on_4_shards(Shards(4)): converses, keeps_to_the_letter, publishes_a_burst, survives_restarts,
            survives_cut_connections, outlasts_a_stall;
        in_a_cluster(Nodes(3)): converses;
    }
}

// Proves: CH-6, CH-7, CN-10, DC-1, HS-10, PB-11, SU-2, SU-10, TM-11, WS-3, WS-10
clients! {
    faye_on_a_page_over_websocket: FayeOnPage over WebSocket {
        on_4_shards(Shards(4)): converses, survives_restarts, survives_cut_connections;
        in_a_cluster(Nodes(3)): converses;
    }
    faye_on_a_foreign_page_over_websocket: FayeOnForeignPage over WebSocket {
        on_4_shards(Shards(4)): converses, survives_restarts, survives_cut_connections, sees_nothing_unless_allowed;
    }
}

// Proves: CH-6, CH-7, CN-10, CN-14, DC-1, LP-2, LP-4, PB-11, SU-2, SU-10, TM-11, XO-1, XO-2, XO-3, XO-4, XO-6
clients! {
    faye_on_a_page_over_long_polling: FayeOnPage over LongPolling {
        on_4_shards(Shards(4)): converses, publishes_a_burst, survives_restarts, survives_cut_connections;
        in_a_cluster(Nodes(3)): converses;
    }
    faye_on_a_foreign_page_over_long_polling: FayeOnForeignPage over LongPolling {
        on_4_shards(Shards(4)): converses, publishes_a_burst, survives_restarts, survives_cut_connections,
            sees_nothing_unless_allowed;
    }
}

// Proves: CB-1, CB-3, CB-6, CB-9, CH-6, CH-7, CN-10, DC-1, PB-11, SU-2, SU-10, TM-11
clients! {
    faye_on_a_page_over_callback_polling: FayeOnPage over CallbackPolling {
        on_4_shards(Shards(4)): converses, keeps_to_the_letter, survives_restarts, survives_cut_connections;
        in_a_cluster(Nodes(3)): converses;
    }
    faye_on_a_foreign_page_over_callback_polling: FayeOnForeignPage over CallbackPolling {
        on_4_shards(Shards(4)): converses, survives_restarts, survives_cut_connections, sees_nothing_unless_allowed;
    }
}

// Proves: CH-6, CH-7, CN-10, DC-1, FI-4, PB-3, PB-5, PB-7, PB-11, SU-2, SU-7, SU-10, TM-11
clients! {
    faye_on_ruby_over_websocket: FayeOnRuby over WebSocket {
        on_4_shards(Shards(4)): converses, keeps_to_the_letter, is_told_refusals, publishes_a_burst, survives_restarts,
            survives_cut_connections;
        in_a_cluster(Nodes(3)): converses;
    }
    faye_on_ruby_over_long_polling: FayeOnRuby over LongPolling {
        on_4_shards(Shards(4)): converses, is_told_refusals, survives_restarts, survives_cut_connections;
        in_a_cluster(Nodes(3)): converses;
    }
}

// Proves: AD-2, AD-4, CH-6, CH-7, CN-2, CN-10, DC-1, FI-4, FI-5, HS-11, MO-6, PB-3, PB-5, PB-7, PB-11, QU-1, SU-2,
// SU-7, SU-10, TM-10, TM-11, WS-6, WS-8, WS-10, WS-11, WS-20
clients! {
    cometd_over_websocket: CometD over WebSocket {
        on_1_shard(Shards(1)): converses, is_told_refusals, survives_restarts, outlasts_a_stall;
        on_4_shards(Shards(4)): converses, keeps_to_the_letter, publishes_a_burst, survives_restarts,
            survives_cut_connections;
        in_a_cluster(Nodes(3)): converses;
    }
}

// Proves: AD-2, AD-4, CH-6, CH-7, CN-2, CN-10, CN-12, CN-14, DC-1, FI-4, FI-5, HS-11, HT-11, LP-1, LP-2, MO-6, MO-7,
// PB-3, PB-5, PB-7, PB-11, QU-7, SU-2, SU-7, SU-10, TM-11
clients! {
    cometd_over_long_polling: CometD over LongPolling {
        on_1_shard(Shards(1)): converses, keeps_to_the_letter, is_told_refusals, survives_restarts;
        on_4_shards(Shards(4)): converses, publishes_a_burst, survives_restarts, survives_cut_connections,
            outlasts_a_stall;
        in_a_cluster(Nodes(3)): converses;
    }
}

// Proves: AK-1, AK-2, AK-3, AK-5, AK-6, AK-11, AK-12, AK-13, CN-10, CN-15, MO-5, MO-6, SU-10, WS-10
clients! {
    cometd_with_ack_over_websocket: CometDWithAck over WebSocket {
        on_1_shard(Shards(1)): converses, survives_restarts, gets_each_event_once;
        on_4_shards(Shards(4)): gets_each_event_once;
        in_a_cluster(Nodes(3)): gets_each_event_once;
    }
    cometd_with_ack_over_long_polling: CometDWithAck over LongPolling {
        on_1_shard(Shards(1)): gets_each_event_once;
        on_4_shards(Shards(4)): converses, gets_each_event_once;
        in_a_cluster(Nodes(3)): gets_each_event_once;
    }
    cometd_with_ack_on_a_page_over_websocket: CometDOnPageWithAck over WebSocket {
        on_4_shards(Shards(4)): converses, survives_restarts, gets_each_event_once;
        in_a_cluster(Nodes(3)): gets_each_event_once;
    }
    cometd_with_ack_on_a_page_over_long_polling: CometDOnPageWithAck over LongPolling {
        on_4_shards(Shards(4)): converses, survives_restarts, gets_each_event_once;
        in_a_cluster(Nodes(3)): gets_each_event_once;
    }
    cometd_with_ack_on_a_page_over_callback_polling: CometDOnPageWithAck over CallbackPolling {
        on_4_shards(Shards(4)): converses, survives_restarts, gets_each_event_once;
        in_a_cluster(Nodes(3)): gets_each_event_once;
    }
    cometd_with_ack_on_java_over_websocket: CometDOnJavaWithAck over WebSocket {
        on_4_shards(Shards(4)): converses, survives_restarts, gets_each_event_once, share_rooms;
        in_a_cluster(Nodes(3)): gets_each_event_once;
    }
    cometd_with_ack_on_java_over_http_1: CometDOnJavaWithAck over LongPolling {
        on_4_shards(Shards(4)): converses, survives_restarts, gets_each_event_once, share_rooms;
        in_a_cluster(Nodes(3)): gets_each_event_once;
    }
    cometd_with_ack_on_java_over_http_2: CometDOnJavaOverHttp2WithAck over LongPolling {
        on_4_shards(Shards(4)): converses, survives_restarts, gets_each_event_once, share_rooms;
        in_a_cluster(Nodes(3)): gets_each_event_once;
    }
}

// Proves: AD-4, CH-6, CH-7, CN-2, CN-10, DC-1, PB-11, SU-2, SU-10, TM-11, WS-3, WS-6, WS-10, WS-20
clients! {
    cometd_on_a_page_over_websocket: CometDOnPage over WebSocket {
        on_4_shards(Shards(4)): converses, survives_restarts, survives_cut_connections;
        in_a_cluster(Nodes(3)): converses;
    }
    cometd_on_a_foreign_page_over_websocket: CometDOnForeignPage over WebSocket {
        on_4_shards(Shards(4)): converses, survives_restarts, survives_cut_connections, sees_nothing_unless_allowed;
    }
}

// Proves: AD-4, CH-6, CH-7, CN-2, CN-10, CN-14, DC-1, LP-1, LP-4, PB-11, SU-2, SU-10, TM-11, XO-1, XO-2, XO-3, XO-4
clients! {
    cometd_on_a_page_over_long_polling: CometDOnPage over LongPolling {
        on_4_shards(Shards(4)): converses, publishes_a_burst, survives_restarts, survives_cut_connections;
        in_a_cluster(Nodes(3)): converses;
    }
    cometd_on_a_foreign_page_over_long_polling: CometDOnForeignPage over LongPolling {
        on_4_shards(Shards(4)): converses, publishes_a_burst, survives_restarts, survives_cut_connections,
            sees_nothing_unless_allowed;
    }
}

// Proves: CB-1, CB-3, CB-6, CB-7, CB-9, CH-6, CH-7, CN-10, DC-1, PB-11, SU-2, SU-10, TM-11
clients! {
    cometd_on_a_page_over_callback_polling: CometDOnPage over CallbackPolling {
        on_4_shards(Shards(4)): converses, keeps_to_the_letter, publishes_a_burst, survives_restarts,
            survives_cut_connections;
        in_a_cluster(Nodes(3)): converses;
    }
    cometd_on_a_foreign_page_over_callback_polling: CometDOnForeignPage over CallbackPolling {
        on_4_shards(Shards(4)): converses, survives_restarts, survives_cut_connections, sees_nothing_unless_allowed;
    }
}

// Proves: AD-4, CH-6, CH-7, CN-2, CN-10, CN-14, DC-1, PB-11, SU-2, SU-10, TM-11, WS-10, WS-20
clients! {
    cometd_on_java_over_websocket: CometDOnJava over WebSocket {
        on_4_shards(Shards(4)): converses, publishes_a_burst, survives_restarts, survives_cut_connections, share_rooms;
        in_a_cluster(Nodes(3)): converses;
    }
    cometd_on_java_over_http_1: CometDOnJava over LongPolling {
        on_4_shards(Shards(4)): converses, publishes_a_burst, survives_restarts, survives_cut_connections, share_rooms;
        in_a_cluster(Nodes(3)): converses;
    }
    cometd_on_java_over_http_2: CometDOnJavaOverHttp2 over LongPolling {
        on_4_shards(Shards(4)): converses, publishes_a_burst, survives_restarts, survives_cut_connections, share_rooms;
        in_a_cluster(Nodes(3)): converses;
    }
}

// Proves: AD-4, CH-6, CH-7, CN-2, CN-10, CN-14, DC-1, FI-4, PB-3, PB-5, PB-7, PB-11, SU-2, SU-7, SU-10, TM-11, WS-10
clients! {
    aiocometd_over_websocket: AioCometD over WebSocket {
        on_4_shards(Shards(4)): converses, keeps_to_the_letter, is_told_refusals, publishes_a_burst, survives_restarts,
            survives_cut_connections;
        in_a_cluster(Nodes(3)): converses;
    }
    aiocometd_over_long_polling: AioCometD over LongPolling {
        on_4_shards(Shards(4)): converses, keeps_to_the_letter, is_told_refusals, publishes_a_burst, survives_restarts,
            survives_cut_connections;
        in_a_cluster(Nodes(3)): converses;
    }
}
