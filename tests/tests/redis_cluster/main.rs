//! Several servers with one Redis, behind a balancer that sends each request to the next.
#![expect(clippy::indexing_slicing, reason = "a test that fails panics")]

mod costs;
mod crowd;
mod outages;

use bayeux_tests::live::{Balancer, Client, Library, Redis, Server, Settings, Transport};

/// Servers with one Redis.
struct Cluster {
    servers: Vec<Server>,
    balancer: Balancer,
    settings: Settings,
    redis: Redis,
}

impl Cluster {
    fn of(count: usize) -> Self {
        Self::with(count, Redis::start())
    }

    fn with(count: usize, redis: Redis) -> Self {
        let settings = Settings::default()
            .shards(2)
            .store(&redis.url())
            .option("timeout", 5_000);
        let servers: Vec<_> = (0..count).map(|_| Server::start(&settings)).collect();
        let balancer = Balancer::before(&servers);
        Self {
            servers,
            balancer,
            settings,
            redis,
        }
    }

    /// One of them dies without a word, and another takes its place.
    fn replace(&mut self, at: usize) {
        self.balancer.seat(at, None);
        self.servers.remove(at).kill();
        let server = Server::start(&self.settings);
        self.balancer.seat(at, Some(&server));
        self.servers.insert(at, server);
    }
}

#[test]
fn unmodified_clients_find_their_sessions_at_any_server() {
    for (library, transport) in [
        (Library::CometD, Transport::LongPolling),
        (Library::CometDWithAck, Transport::LongPolling),
        (Library::Faye, Transport::LongPolling),
        (Library::CometD, Transport::WebSocket),
    ] {
        let cluster = Cluster::of(3);
        let url = cluster.balancer.url();
        let mut alice = Client::connected(library, transport, &url);
        let mut bob = Client::connected(library, transport, &url);

        alice.subscribe("/chat/*");
        for number in 0..20 {
            bob.publish("/chat/room", number.into());
            alice.expect_event("/chat/room", number);
        }
        alice.unsubscribe("/chat/*");
        alice.disconnect();
        bob.disconnect();
    }
}
