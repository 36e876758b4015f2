//! Writes that reach Redis when their session is another server's: Redis refuses them.

use bayeux_tests::live::{Cutter, Deadline, HttpConnection, Redis, Server, Settings, WebSocket};
use serde_json::{Value, json};

use super::crowd::Session;

/// Two servers with one Redis; what the first one says to it goes through a proxy.
struct Pair {
    redis: Redis,
    cutter: Cutter,
    first: Server,
    second: Server,
    /// Hears what is published on `/stale`, by way of the second.
    reader: Session,
    writer: Session,
}

impl Pair {
    fn start() -> Self {
        let redis = Redis::start();
        let cutter = Cutter::to(redis.address());
        // One shard: what it counts is of one piece.
        let settings = Settings::default().shards(1).admin();
        let behind = format!("redis://{}", cutter.address());
        let first = Server::start(&settings.clone().store(&behind));
        let second = Server::start(&settings.store(&redis.url()));
        first.until_ready();
        second.until_ready();
        let mut reader = Session::open(second.address());
        reader.connect(0);
        reader.subscribe("/stale");
        let writer = Session::open(first.address());
        Self {
            redis,
            cutter,
            first,
            second,
            reader,
            writer,
        }
    }

    /// The writer publishes that at the first server, on whose way to Redis it is held up. Gives where the answer comes.
    fn publish_and_hold(&mut self, number: u64) -> WebSocket {
        self.writer.move_to(self.first.address());
        self.writer.connect(0);
        self.cutter.hold_at(&format!("\"data\":{number}}}"));
        let mut socket = WebSocket::open(self.first.address(), Server::PATH, &[]);
        socket.send(&json!([
            {"channel": "/stale", "clientId": self.writer.id, "data": number, "id": "stale"}
        ]));
        self.cutter.wait_for_hold();
        socket
    }

    /// The writer comes to the second server, whose its session is from then on.
    fn take_over(&mut self) {
        self.writer.move_to(self.second.address());
        self.writer.connect(0);
    }

    /// All that was published is this, and was heard once.
    fn expect_stored(mut self, mut granted: Vec<u64>, last: u64) {
        let deadline = Deadline::usual();
        while self.writer.publish("/stale", last) != Some(true) {
            assert!(deadline.left().is_some(), "nothing can be published");
        }
        while self.reader.received.last() != Some(&last) {
            assert!(
                deadline.left().is_some(),
                "heard: {:?}",
                self.reader.received
            );
            self.reader.connect(100);
        }
        granted.push(last);
        assert_eq!(self.reader.received, granted, "as it was answered");
        let log = self.redis.say(&["XRANGE", "{bayeux}:log", "-", "+"]);
        assert_eq!(log.matches("\"/stale\"").count(), granted.len(), "{log}");
    }
}

/// How many writes Redis has refused to that server.
fn refused(server: &Server) -> u64 {
    let mut connection = HttpConnection::open(server.admin_address());
    let response = connection.request("GET", "/metrics", &[], "");
    let text = String::from_utf8_lossy(&response.body).into_owned();
    let value = |line: &str| {
        line.strip_prefix("bayeux_redis_fenced_total ")?
            .parse()
            .ok()
    };
    text.lines().find_map(value).expect("the metric")
}

/// The answer to what was published there.
#[track_caller]
fn answer(socket: &mut WebSocket) -> Value {
    loop {
        let mut messages = socket.messages().into_iter();
        if let Some(reply) = messages.find(|message| message["id"] == "stale") {
            return reply;
        }
    }
}

#[test]
fn a_write_under_way_as_its_session_is_taken_is_refused_and_goes_after_its_session() {
    // A server waits for Redis for a second: on a busy machine one of some has to do.
    const ATTEMPTS: u64 = 10;
    let mut pair = Pair::start();
    let mut granted = Vec::new();
    assert_eq!(refused(&pair.first), 0);

    for number in 1..=ATTEMPTS {
        let mut socket = pair.publish_and_hold(number);
        pair.take_over();
        pair.cutter.release();

        let reply = answer(&mut socket);
        if reply["successful"] == true {
            granted.push(number);
        } else {
            assert_eq!(reply["error"], "503::unavailable", "{reply}");
        }
        if refused(&pair.first) > 0 {
            break;
        }
        pair.first.until_ready();
    }

    assert_eq!(refused(&pair.first), 1, "by Redis, and counted");
    assert_eq!(granted.len(), 1, "by who has the session now");
    assert_eq!(refused(&pair.second), 0);
    pair.expect_stored(granted, ATTEMPTS + 1);
}

#[test]
fn a_write_of_a_server_that_stood_still_is_refused_if_its_session_was_taken() {
    let mut pair = Pair::start();
    let mut socket = pair.publish_and_hold(1);

    pair.first.signal("STOP");
    pair.take_over();
    let deadline = Deadline::usual();
    let leases = |redis: &Redis| {
        let keys = redis.keys().into_iter();
        keys.filter(|key| key.contains(":node:")).count()
    };
    while leases(&pair.redis) > 1 {
        assert!(deadline.left().is_some(), "its lease does not end");
        std::thread::yield_now();
    }
    // Redis looks at the fence of each session that something is to be appended for.
    let looked = pair.redis.calls("hget");
    pair.cutter.release();
    while pair.redis.calls("hget") == looked {
        assert!(deadline.left().is_some(), "it does not come to Redis");
        std::thread::yield_now();
    }
    pair.first.signal("CONT");

    let reply = answer(&mut socket);
    let granted = if reply["successful"] == true {
        // The answer of Redis was waiting for it, and the message went after its session.
        assert_eq!(refused(&pair.first), 1, "by Redis, and counted");
        vec![1]
    } else {
        assert_eq!(reply["error"], "503::unavailable", "{reply}");
        Vec::new()
    };
    pair.expect_stored(granted, 2);
}
