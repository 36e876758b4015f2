//! The master dies, and Sentinels put a copy of it in its place.

use std::time::Duration;

use bayeux_tests::live::{Balancer, Deadline, Server, Settings, Watched};

use super::audience::Audience;
use super::number_from;

#[test]
fn sessions_outlive_a_failover_or_are_told_that_something_was_lost() {
    const CLIENTS: usize = 20;
    // How often; ten times by hand, in `.ci/full`.
    let failovers = number_from("REDIS_FAILOVERS", 1);
    let mut watched = Watched::start();
    let settings = Settings::default().shards(2).store(&watched.url());
    let servers = [(); 2].map(|()| Server::start(&settings));
    servers.iter().for_each(Server::until_ready);
    let balancer = Balancer::before(servers.len());
    for (seat, server) in servers.iter().enumerate() {
        balancer.seat(seat, Some(server));
    }
    let audience = Audience::gather(CLIENTS, balancer.address());

    for round in 0..failovers {
        if round > 0 {
            watched.mend();
        }
        audience.until_stored(50);
        let before = Deadline::after(HOUR);
        watched.fail_over();
        let agreed = before.left();
        servers.iter().for_each(Server::until_ready);
        let ready = before.left();
        audience.until_stored(50);
        let after = |left: Option<Duration>| HOUR.saturating_sub(left.unwrap_or_default());
        println!(
            "failover {round}: the Sentinels agreed after {:.1?}, the servers were ready after {:.1?}",
            after(agreed),
            after(ready)
        );
    }

    let outcome = audience.end();
    println!(
        "{} stored, {} of them heard by nobody, {} sessions lost of {CLIENTS}",
        outcome.stored(),
        outcome.unheard(),
        outcome.lost_sessions()
    );
    outcome.expect_no_silent_loss();
}

const HOUR: Duration = Duration::from_secs(3_600);
