//! What a listener is for.

/// Whom the sockets of a listener come from, and so what is served on them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Entrance {
    /// Bayeux clients: the protocol, the page, the probes.
    Clients,
    /// Backends and operators: the HTTP API, the probes, the metrics.
    Admin,
}

impl Entrance {
    /// What bounds its sockets in all, as an operator knows it.
    pub(crate) const fn limit(self) -> &'static str {
        match self {
            Self::Clients => "limits.maxSockets",
            Self::Admin => "the number of connections that the HTTP API may have",
        }
    }

    /// What bounds those from one address.
    pub(crate) const fn limit_per_address(self) -> &'static str {
        match self {
            Self::Clients => "limits.maxSocketsPerAddress",
            Self::Admin => "the number of connections that the HTTP API may have from one address",
        }
    }
}
