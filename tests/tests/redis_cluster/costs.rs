//! What Redis is asked for: nothing by a poll, nothing by a delivery, one entry by a publish.

use bayeux_tests::live::{Redis, Server, Settings};

use super::crowd::Session;

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

    assert_eq!(redis.calls("xadd"), 10);
    // The fence of each publish; nobody has claimed, subscribed or read.
    assert_eq!(redis.calls("hget"), 10);
    for none in ["hgetall", "hset", "hincrby", "xrange"] {
        assert_eq!(redis.calls(none), 0, "{none}");
    }
}
