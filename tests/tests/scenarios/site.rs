//! What a case runs against: one server, or several behind a load balancer without affinity.

use std::net::SocketAddr;

use bayeux_tests::live::{Cluster, Redis, Server, Settings};

/// What is to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setup {
    /// One server with so many shards, and its sessions in memory.
    Shards(u16),
    /// So many servers with one Redis.
    Nodes(usize),
}

/// What is there.
pub(super) enum Site {
    Server(Server),
    Cluster(Box<Cluster>),
}

impl Site {
    pub(super) fn start(setup: Setup, settings: Settings) -> Self {
        match setup.wanted() {
            Setup::Shards(shards) => Self::Server(Server::start(&settings.shards(shards))),
            Setup::Nodes(count) => {
                let settings = settings.shards(2);
                let cluster = Cluster::of_servers(count, Redis::start(), settings);
                Self::Cluster(Box::new(cluster))
            }
        }
    }

    /// Where clients connect.
    pub(super) fn address(&self) -> SocketAddr {
        match self {
            Self::Server(server) => server.address(),
            Self::Cluster(cluster) => cluster.balancer.address(),
        }
    }

    /// The URL that a client takes.
    pub(super) fn url(&self) -> String {
        format!("http://{}{}", self.address(), Server::PATH)
    }

    /// Ends it as an operator would.
    pub(super) fn stop(self) {
        match self {
            Self::Server(server) => {
                server.stop();
            }
            Self::Cluster(cluster) => cluster.stop(),
        }
    }

    /// Ends it as a crash would.
    pub(super) fn kill(self) {
        match self {
            Self::Server(server) => server.kill(),
            Self::Cluster(cluster) => cluster.kill(),
        }
    }
}

impl Setup {
    /// `BAYEUX_NODES` says that it is to be several servers, whatever the table says.
    pub(super) fn wanted(self) -> Self {
        match std::env::var("BAYEUX_NODES").map(|count| count.parse()) {
            Ok(Ok(count)) => Self::Nodes(count),
            Ok(Err(error)) => panic!("BAYEUX_NODES is a number of servers: {error}"),
            Err(_) => self,
        }
    }
}
