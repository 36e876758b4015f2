//! The master dies, and Sentinels put a copy of it in its place.

use std::time::Duration;

use bayeux_tests::live::{Balancer, Deadline, Redis, Server, Settings, Watched};

use super::audience::Audience;
use super::number_from;

#[test]
fn sessions_outlive_a_failover_or_are_told_that_something_was_lost() {
    const CLIENTS: usize = 20;
    // How often; ten times by hand, in `.ci/full`.
    let failovers = number_from("REDIS_FAILOVERS", 1);
    let mut watched = Watched::start();
    let (servers, balancer) = servers(&watched);
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

#[test]
fn every_client_is_told_of_a_failover_to_a_copy_that_was_behind() {
    const CLIENTS: usize = 20;
    const LOST: u64 = 20;
    let mut watched = Watched::start();
    let (servers, balancer) = servers(&watched);
    let audience = Audience::gather(CLIENTS, balancer.address());
    audience.until_stored(20);

    watched.part();
    // One of them may have been stored before, and answered after.
    audience.until_stored(LOST + 1);
    let entries = |redis: &Redis| entries(redis).len() as u64;
    let behind = entries(watched.master()) - entries(watched.copy());
    assert!(behind >= LOST, "the copy has all but {behind}");
    watched.fail_over();
    servers.iter().for_each(Server::until_ready);

    audience.until_sessions(2 * CLIENTS);
    audience.until_stored(20);
    let outcome = audience.end();
    println!(
        "the copy was {behind} behind; {} stored, {} of them heard by nobody; told to wait for {:?} ms",
        outcome.stored(),
        outcome.unheard(),
        outcome.waits
    );
    // Each session ends once, and nobody is led to believe that nothing is missing.
    assert_eq!(outcome.lost_sessions(), CLIENTS);
    outcome.expect_no_silent_loss();
    assert!(outcome.waits.iter().all(|wait| *wait <= 5_000));
    let kept = self::entries(watched.master());
    let is_rising = kept.is_sorted_by(|one, next| one < next);
    assert!(is_rising, "stored twice: {kept:?}");
}

/// What was published and is kept there, in order.
fn entries(redis: &Redis) -> Vec<u64> {
    let log = redis.say(&["XRANGE", "{bayeux}:log", "-", "+"]);
    let numbers = log.split("\"data\":").skip(1).map(|rest| {
        let end = rest.find(|letter: char| !letter.is_ascii_digit());
        rest[..end.unwrap_or(rest.len())].parse()
    });
    numbers.collect::<Result<_, _>>().expect("numbers")
}

/// Two servers with whoever is the master, and a balancer before them.
fn servers(watched: &Watched) -> ([Server; 2], Balancer) {
    let settings = Settings::default().shards(2).store(&watched.url());
    let servers = [(); 2].map(|()| Server::start(&settings));
    servers.iter().for_each(Server::until_ready);
    let balancer = Balancer::before(servers.len());
    for (seat, server) in servers.iter().enumerate() {
        balancer.seat(seat, Some(server));
    }
    (servers, balancer)
}

const HOUR: Duration = Duration::from_secs(3_600);
