//! What a listener is for.

/// Whom the sockets of a listener come from, and so what is served on them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Entrance {
    /// Bayeux clients: the protocol, the page, the probes.
    Clients,
    /// Backends and operators: the HTTP API, the probes, the metrics.
    Admin,
}
