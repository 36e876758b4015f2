//! What Redis is asked for: nothing by a poll, nothing by a delivery, one entry by a publish.

use bayeux_tests::live::{Redis, Server, Settings};

use super::crowd::Session;

/// How often each command was called since the last reset.
fn calls(redis: &Redis, command: &str) -> u64 {
    let statistics = redis.say(&["INFO", "commandstats"]);
    let line = statistics
        .lines()
        .find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    let number = line.and_then(|line| line.split(',').next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[test]
fn polls_and_deliveries_cost_redis_nothing_and_a_publish_one_entry() {
    let redis = Redis::start();
    let server = Server::start(&Settings::default().store(&redis.url()));
    let mut readers: Vec<_> = (0..5).map(|_| Session::open(server.address())).collect();
    for reader in &mut readers {
        reader.connect(0);
        reader.subscribe("/a");
    }
    let mut writer = Session::open(server.address());
    writer.connect(0);
    redis.say(&["CONFIG", "RESETSTAT"]);

    for number in 1..=10 {
        assert_eq!(writer.publish("/a", number), Some(true));
    }
    for reader in &mut readers {
        while reader.received.last() != Some(&10) {
            reader.connect(100);
        }
        for _ in 0..10 {
            reader.connect(0);
        }
    }

    assert_eq!(calls(&redis, "xadd"), 10);
    // The fence of each publish; nobody has claimed, subscribed or read.
    assert_eq!(calls(&redis, "hget"), 10);
    for none in ["hgetall", "hset", "hincrby", "xrange"] {
        assert_eq!(calls(&redis, none), 0, "{none}");
    }
}
