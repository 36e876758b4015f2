//! Servers with one Redis, behind a balancer that sends each request to the next.

use super::{Balancer, Redis, Server, Settings};

/// A running cluster; dropping it kills all of it.
#[derive(Debug)]
pub struct Cluster {
    /// Those that live, in the order of the balancer's seats.
    pub servers: Vec<Server>,
    /// In front of them, without affinity.
    pub balancer: Balancer,
    /// What they have in common.
    pub redis: Redis,
    settings: Settings,
}

impl Cluster {
    /// That many servers of two shards with a Redis that keeps nothing on disk.
    pub fn of(count: usize) -> Self {
        Self::with(count, Redis::start())
    }

    /// The same with that Redis.
    pub fn with(count: usize, redis: Redis) -> Self {
        let settings = Settings::default().shards(2).option("timeout", 5_000);
        Self::of_servers(count, redis, settings)
    }

    /// That many servers with these settings, and that Redis.
    pub fn of_servers(count: usize, redis: Redis, settings: Settings) -> Self {
        let settings = settings.store(&redis.url());
        let servers: Vec<_> = (0..count).map(|_| Server::start(&settings)).collect();
        servers.iter().for_each(Server::until_ready);
        Self {
            balancer: Balancer::before(&servers),
            servers,
            redis,
            settings,
        }
    }

    /// One of them dies without a word, and another takes its place.
    pub fn replace(&mut self, at: usize) {
        self.balancer.seat(at, None);
        self.servers.remove(at).kill();
        let server = Server::start(&self.settings);
        server.until_ready();
        self.balancer.seat(at, Some(&server));
        self.servers.insert(at, server);
    }

    /// How often a session has gone from one server to another so far, the former one alive or dead.
    pub fn moves(&self) -> u64 {
        // What raises a fence, and nothing else does.
        self.redis.calls("hincrby")
    }

    /// Ends it as an operator would, one server after the other.
    pub fn stop(self) {
        for server in self.servers {
            server.stop();
        }
    }

    /// Ends all servers at once, as a crash would.
    pub fn kill(self) {
        for server in self.servers {
            server.kill();
        }
    }
}
