//! Servers with one Redis, behind a balancer that sends each request to the next.

use std::collections::BTreeSet;
use std::thread;

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
    /// The names that the servers go by, of which each is used once.
    names: Vec<String>,
    started: usize,
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

    /// That many servers with these settings, and that Redis; done when they are ready.
    pub fn of_servers(count: usize, redis: Redis, settings: Settings) -> Self {
        let mut cluster = Self {
            servers: Vec::new(),
            balancer: Balancer::before(count),
            settings: settings.store(&redis.url()),
            redis,
            names: Vec::new(),
            started: 0,
        };
        let started: Vec<_> = (0..count).map(|_| cluster.start()).collect();
        for (at, (name, server)) in started.into_iter().enumerate() {
            cluster.seat(at, name, server);
        }
        cluster
    }

    /// One of them dies without a word, and another takes its place. Gives the sessions that it had.
    pub fn replace(&mut self, at: usize) -> BTreeSet<String> {
        self.balancer.seat(at, None);
        self.servers.remove(at).kill();
        let name = self.names.remove(at);
        let orphans = self.sessions_of(&name);
        let (name, server) = self.start();
        self.seat(at, name, server);
        orphans
    }

    /// One more, and its name.
    fn start(&mut self) -> (String, Server) {
        self.started += 1;
        let name = format!("server-{}", self.started);
        let server = Server::start(&self.settings.clone().node_name(&name));
        (name, server)
    }

    fn seat(&mut self, at: usize, name: String, server: Server) {
        server.until_ready();
        self.balancer.seat(at, Some(&server));
        self.servers.insert(at, server);
        self.names.insert(at, name);
    }

    /// The sessions that one of those who live has.
    pub fn sessions(&self) -> BTreeSet<String> {
        let of_each = self.names.iter().flat_map(|name| self.sessions_of(name));
        of_each.collect()
    }

    /// The sessions whose owner goes by that name, as Redis has it.
    fn sessions_of(&self, name: &str) -> BTreeSet<String> {
        const OWNED: &str = "local owned = {}
            for _, key in ipairs(redis.call('KEYS', '{bayeux}:s:*')) do
              local owner = redis.call('HGET', key, 'o')
              if string.sub(owner, 1, #ARGV[1]) == ARGV[1] then
                table.insert(owned, string.match(key, ':s:(.*)'))
              end
            end
            return owned";
        // Behind the dot is what its life is told apart by.
        let owned = self.redis.say(&["EVAL", OWNED, "0", &format!("{name}.")]);
        owned.lines().skip(1).map(str::to_owned).collect()
    }

    /// How often a session has gone from one server to another so far, the former one alive or dead.
    pub fn moves(&self) -> u64 {
        // What raises a fence, and nothing else does.
        self.redis.calls("hincrby")
    }

    /// Ends it as an operator would, all servers at a time.
    pub fn stop(self) {
        thread::scope(|scope| {
            for server in self.servers {
                scope.spawn(|| server.stop());
            }
        });
    }

    /// Ends all servers at once, as a crash would.
    pub fn kill(self) {
        for server in self.servers {
            server.kill();
        }
    }
}
