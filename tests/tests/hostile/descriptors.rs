//! More peers than the process may have descriptors.

use bayeux_tests::live::{Deadline, Settings, Siege};

/// As many as the server may have, and more peers than that.
const MOST: u32 = 64;
const PEERS: usize = 200;

/// What the server says when it cannot accept, and how long it waits then at the most.
const PAUSES: &str = "no connections are taken for a while";
const LONGEST: &str = "pause=1s";

// Proves: DE-16
#[test]
fn without_descriptors_the_server_waits_for_some_and_does_not_spin() {
    let mut siege = Siege::begin(Settings::default().descriptors(MOST));
    // The system accepts them all.
    let mut peers: Vec<_> = (0..PEERS).map(|_| siege.connection()).collect();
    for peer in &mut peers {
        peer.send_raw(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }

    siege.server().says_all(&[PAUSES, LONGEST]);
    let before = siege.server().processor_time();
    // Two pauses of a second each, at least.
    for _ in 0..3 {
        siege.server().says_all(&[PAUSES, LONGEST]);
    }
    let time = siege.server().processor_time() - before;
    assert!(
        time < 50,
        "{time} hundredths of a second in two seconds or more"
    );
    siege.nobody_notices();

    // Those that were not served are, when others go.
    let mut last = peers.pop().expect("the last peer");
    drop(peers);
    assert_eq!(last.response("GET").status, 200);
    let deadline = Deadline::usual();
    while siege.connection().request("GET", "/", &[], "").status != 200 {
        assert!(deadline.left().is_some());
    }
    drop((last, siege.websocket()));
    siege.gives_back_all_but(8 << 20);
    siege.end();
}
