//! Browser cookies at several servers: a session is its browser's, whichever server a request comes to.

use std::net::SocketAddr;

use bayeux_tests::live::{Cluster, Deadline, HttpConnection, Poller, Server, WebSocket};
use serde_json::{Value, json};

const WRONG: &str = "BAYEUX_BROWSER=000000000000000000000000";

/// A session, and the cookie that came with it.
struct Browser {
    session: String,
    cookie: String,
}

impl Browser {
    fn open(address: SocketAddr) -> Self {
        let (_, response) = Poller::greet(address, &[]);
        let header = response.header("Set-Cookie").expect("a cookie");
        let cookie = header.split(';').next().unwrap_or_default().to_owned();
        let session = response.messages()[0]["clientId"]
            .as_str()
            .map(str::to_owned);
        Self {
            session: session.expect("a session"),
            cookie,
        }
    }

    fn connect(&self, timeout: u32) -> Value {
        json!([{
            "channel": "/meta/connect", "id": "c", "clientId": self.session,
            "connectionType": "long-polling", "advice": {"timeout": timeout}
        }])
    }

    fn publish(&self) -> Value {
        json!([{"channel": "/x", "id": "p", "clientId": self.session, "data": 1}])
    }

    /// Whether the last of these messages is granted with that cookie, or none.
    fn may(&self, address: SocketAddr, cookie: Option<&str>, messages: &Value) -> bool {
        let headers: Vec<_> = cookie
            .map(|cookie| ("Cookie", cookie))
            .into_iter()
            .collect();
        let mut connection = HttpConnection::open(address);
        let response = connection.request("POST", Server::PATH, &headers, &messages.to_string());
        let replies = response.messages();
        let reply = replies.last().expect("a reply");
        let is_granted = reply["successful"] == true;
        let is_refused = reply["error"] == "402::session_unknown";
        assert!(is_granted != is_refused, "{reply}");
        is_granted
    }
}

// Proves: BR-3, BR-4, BR-6
#[test]
fn a_session_is_its_browsers_at_every_server() {
    let cluster = Cluster::of(3);
    let (all, each) = (
        cluster.balancer.address(),
        [0, 1, 2].map(|at| cluster.servers[at].address()),
    );
    let browser = Browser::open(all);
    let own = Some(&*browser.cookie);
    assert!(
        browser.may(all, None, &browser.publish()),
        "it is still open"
    );

    assert!(browser.may(all, own, &browser.connect(0)));
    let key = format!("{{bayeux}}:s:{}", browser.session);
    let deadline = Deadline::usual();
    while cluster.redis.say(&["HGET", &key, "d"]) != "1" {
        assert!(deadline.left().is_some(), "nobody tells Redis");
        std::thread::yield_now();
    }

    // To the next server each time, which has it from then on.
    let written = || cluster.redis.calls("hset") - cluster.moves();
    let before = written();
    for _ in 0..6 {
        assert!(browser.may(all, own, &browser.connect(0)));
        assert!(browser.may(all, own, &browser.publish()));
    }
    assert_eq!(written(), before, "Redis was told once");

    // Whoever has no cookie, or another, cannot even move it.
    let moves = cluster.moves();
    for cookie in [None, Some(WRONG)] {
        for server in each {
            assert!(
                !browser.may(server, cookie, &browser.connect(0)),
                "{cookie:?}"
            );
            assert!(
                !browser.may(server, cookie, &browser.publish()),
                "{cookie:?}"
            );
        }
    }
    assert_eq!(cluster.moves(), moves);

    // A websocket may have none, at any of them.
    for server in each {
        let mut bare = WebSocket::open(server, Server::PATH, &[]);
        bare.send(&browser.publish());
        assert_eq!(bare.messages()[0]["successful"], true);
        let mut wrong = WebSocket::open(server, Server::PATH, &[("Cookie", WRONG)]);
        wrong.send(&browser.publish());
        assert_eq!(wrong.messages()[0]["error"], "402::session_unknown");
    }
    assert_eq!(cluster.moves(), moves);
}
