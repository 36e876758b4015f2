//! Redis comes back without what it was told, or without the end of it.

use bayeux_tests::live::Cluster;

use super::audience::Audience;
use super::number_from;

#[test]
fn clients_come_back_spread_out_after_a_redis_that_has_lost_everything() {
    // How many there are; more of them by hand.
    let clients = number_from("REDIS_CLIENTS", 40);
    let mut cluster = Cluster::of(2);
    let audience = Audience::gather(clients, cluster.balancer.address());
    audience.until_stored(20);

    cluster.redis.restart();

    audience.until_sessions(2 * clients);
    let outcome = audience.end();
    outcome.expect_no_silent_loss();
    // That of the publisher too.
    assert!(outcome.waits.len() >= clients, "{:?}", outcome.waits);
    let of_seconds = |second: usize| {
        let second = second as u64 * 1_000;
        let within = second..second + 1_000;
        outcome
            .waits
            .iter()
            .filter(|wait| within.contains(wait))
            .count()
    };
    println!(
        "told to wait, by second: {:?}",
        [0, 1, 2, 3, 4, 5].map(of_seconds)
    );
    assert!(outcome.waits.iter().all(|wait| *wait <= 5_000));
    for second in 0..5 {
        assert!(of_seconds(second) < clients / 2, "{:?}", outcome.waits);
    }
}

#[test]
fn clients_begin_anew_after_a_redis_that_has_lost_the_end_of_what_it_was_told() {
    const CLIENTS: usize = 10;
    let mut cluster = Cluster::of(2);
    let audience = Audience::gather(CLIENTS, cluster.balancer.address());
    audience.until_stored(20);
    cluster.redis.say(&["SAVE"]);
    audience.until_stored(20);

    cluster.redis.restart();

    audience.until_sessions(2 * CLIENTS);
    audience.until_stored(20);
    let outcome = audience.end();
    outcome.expect_no_silent_loss();
    assert_eq!(outcome.lost_sessions(), CLIENTS);
}
