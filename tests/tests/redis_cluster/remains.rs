//! What is left in Redis of those who have gone.

use bayeux_tests::live::{Cluster, Deadline, Redis, Settings};

use super::crowd::Session;

/// How long a session is kept that nobody keeps alive: twice timeout and maxInterval, and the retention.
const TTL: u64 = 2 * (1_000 + 4_000) + 1_000;

fn cluster() -> Cluster {
    let settings = Settings::default()
        .shards(2)
        .option("timeout", 1_000)
        .option("maxInterval", 4_000)
        .option("limits.logRetention", 1_000);
    Cluster::of_servers(2, Redis::start(), settings)
}

/// Sessions that have subscribed and published, at any server.
fn sessions(cluster: &Cluster, count: usize) -> Vec<Session> {
    let open = |_| {
        let mut session = Session::open(cluster.balancer.address());
        session.connect(0);
        session.subscribe("/a");
        session.publish("/a", 1);
        session
    };
    (0..count).map(open).collect()
}

/// The keys with that in their names.
fn keys(redis: &Redis, part: &str) -> Vec<String> {
    let keys = redis.keys().into_iter();
    keys.filter(|key| key.contains(part)).collect()
}

/// For how many ms that key is there at the most.
fn left(redis: &Redis, key: &str) -> Option<u64> {
    let answer = redis.say(&["PTTL", key]);
    answer.strip_prefix(':').and_then(|left| left.parse().ok())
}

/// Waits until nothing is left but log, meta, leases and inboxes.
#[track_caller]
fn until_swept(redis: &Redis) {
    let deadline = Deadline::usual();
    while !keys(redis, ":s:").is_empty() {
        assert!(deadline.left().is_some(), "{:?}", keys(redis, ":s:"));
        std::thread::yield_now();
    }
    for key in redis.keys() {
        let is_known = ["log", "meta"]
            .iter()
            .any(|name| key == format!("{{bayeux}}:{name}"))
            || [":node:", ":in:"].iter().any(|part| key.contains(part));
        assert!(is_known, "{key}");
    }
}

#[test]
fn nothing_is_left_of_those_who_have_gone() {
    let cluster = cluster();
    for session in &mut sessions(&cluster, 5) {
        session.disconnect();
    }

    let left = keys(&cluster.redis, ":s:");
    assert!(left.is_empty(), "{left:?}");
    let Cluster { servers, redis, .. } = cluster;
    for server in servers {
        server.stop();
    }
    let mut left = redis.keys();
    left.sort();
    assert_eq!(left, ["{bayeux}:log", "{bayeux}:meta"]);
}

#[test]
fn clients_that_leave_without_a_word_are_swept_out_by_their_servers() {
    let cluster = cluster();
    drop(sessions(&cluster, 4));

    until_swept(&cluster.redis);

    assert_eq!(keys(&cluster.redis, ":node:").len(), 2, "both servers live");
}

#[test]
fn what_servers_leave_that_end_is_gone_within_one_time_to_live() {
    for is_killed in [true, false] {
        let cluster = cluster();
        drop(sessions(&cluster, 4));
        let Cluster { servers, redis, .. } = cluster;
        for server in servers {
            if is_killed {
                server.kill();
            } else {
                server.stop();
            }
        }

        let kept = keys(&redis, ":s:");
        assert!(!kept.is_empty(), "they may come back");
        for key in kept {
            let left = left(&redis, &key);
            assert!(left.is_none_or(|left| left <= TTL), "{key}: {left:?}");
        }
        until_swept(&redis);
        for (part, most) in [(":node:", 5_000), (":in:", 60_000)] {
            for key in keys(&redis, part) {
                let left = left(&redis, &key);
                assert!(left.is_none_or(|left| left <= most), "{key}: {left:?}");
            }
        }
    }
}
