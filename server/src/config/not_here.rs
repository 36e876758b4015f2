//! Options of CometD that nothing here would be different for: refused, with a word why.

use super::key::Table;

/// An option that is none of ours.
pub(crate) struct NotHere {
    pub(crate) table: Table,
    pub(crate) name: &'static str,
    pub(crate) why: &'static str,
}

const fn not_here(table: Table, name: &'static str, why: &'static str) -> NotHere {
    NotHere { table, name, why }
}

/// All that people may bring along.
pub(crate) static NOT_HERE: [NotHere; 9] = [
    not_here(
        Table::Top,
        "sweepThreads",
        "no thread sweeps: each session has a deadline of its own",
    ),
    not_here(
        Table::Top,
        "jsonDebug",
        "what is wrong with a message is in the reply to it",
    ),
    not_here(
        Table::Top,
        "jsonContext",
        "there is one JSON implementation",
    ),
    not_here(
        Table::Top,
        "transports",
        "transports are no classes: see allowedTransports",
    ),
    not_here(
        Table::WebSocket,
        "cometdURLMapping",
        "every path has every transport: see --path",
    ),
    not_here(
        Table::WebSocket,
        "bufferSize",
        "buffers grow as they are needed",
    ),
    not_here(
        Table::WebSocket,
        "enableExtension",
        "no websocket extension is negotiated",
    ),
    not_here(
        Table::WebSocket,
        "maxMessageSize",
        "one limit is for all transports: see limits.maxMessageSize",
    ),
    not_here(
        Table::CallbackPolling,
        "metaConnectDeliverOnly",
        "on callback-polling messages always travel with the replies to connects",
    ),
];
