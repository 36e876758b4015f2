//! What Redis is asked for: nothing by a poll, nothing by a delivery, one entry by a publish.

use std::collections::BTreeMap;

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
    // What is told once is told by then: that the cookies have come back.
    writer.subscribe("/b");
    for session in readers.iter().chain([&writer]) {
        let key = format!("{{bayeux}}:s:{}", session.id);
        assert_eq!(redis.say(&["HGET", &key, "d"]), "1");
    }
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

    let mut calls = calls(&redis);
    // To read the log is one call, however many entries come; the test itself asks for the rest.
    for free in ["xread", "xtrim", "info", "config|resetstat"] {
        calls.remove(free);
    }
    // Each beat renews the lease in one script.
    let beats = calls.get("set").copied().unwrap_or_default();
    let mut expected: BTreeMap<String, u64> = ["set", "exists", "pexpire", "xinfo|stream"]
        .map(|command| (command.to_owned(), beats))
        .into();
    expected.retain(|_, calls| *calls > 0);
    // Each publish is one script: the fence, and the entry.
    expected.insert("evalsha".into(), beats + 10);
    expected.insert("hget".into(), 10);
    expected.insert("xadd".into(), 10);
    assert_eq!(calls, expected);
}

/// How often each command was called since the statistics were reset.
fn calls(redis: &Redis) -> BTreeMap<String, u64> {
    let statistics = redis.say(&["INFO", "commandstats"]);
    let of_command = |line: &str| {
        let (command, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        let (calls, _) = rest.split_once(',')?;
        Some((command.to_owned(), calls.parse().ok()?))
    };
    statistics.lines().filter_map(of_command).collect()
}
