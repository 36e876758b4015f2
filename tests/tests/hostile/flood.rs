//! Much of what is allowed.

use bayeux_tests::live::{Deadline, Kept, Opcode, Server, Settings, Siege, WebSocket};
use serde_json::{Value, json};

/// Frames for which nobody waits, each a text of less than 126 bytes, masked with zeros.
fn texts(text: &str, count: usize) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("a short text");
    assert!(length < 126);
    let frame = [&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat();
    frame.repeat(count)
}

/// The messages in the next frames, so many of them.
fn messages(socket: &mut WebSocket, count: usize) -> Vec<Value> {
    let mut messages = Vec::new();
    while messages.len() < count {
        messages.extend(socket.messages());
    }
    messages
}

// Proves: HS-13, HS-17, DE-16, TM-3, TM-6
#[test]
fn a_hundred_thousand_handshakes_without_a_connect_cost_what_the_limit_allows() {
    /// At each of four times.
    const HANDSHAKES: usize = 25_000;
    const TOGETHER: usize = 500;
    const SESSIONS: usize = 5_000;
    const EACH: u64 = 2 << 10;
    let kept = Kept {
        once: SESSIONS as u64 * EACH,
        again: 2 << 20,
    };
    let settings = Settings::default()
        .option("maxInterval", 4_000)
        .option("limits.maxSessions", SESSIONS);
    let handshakes = texts(
        r#"[{"channel":"/meta/handshake","supportedConnectionTypes":["websocket"]}]"#,
        TOGETHER,
    );

    Siege::begin(settings).endures(kept, |siege| {
        let mut attacker = siege.websocket();
        for _ in 0..HANDSHAKES / TOGETHER {
            attacker.send_raw(&handshakes);
            count_granted(&messages(&mut attacker, TOGETHER));
            siege.nobody_notices();
            let growth = siege.growth();
            assert!(growth < kept.once + kept.again, "{growth} bytes");
        }
        // There is room for others soon.
        let soon = Deadline::usual();
        let mut granted = 0;
        while granted < TOGETHER {
            assert!(soon.left().is_some(), "the sessions are kept for ever");
            siege.nobody_notices();
            attacker.send_raw(&handshakes);
            granted += count_granted(&messages(&mut attacker, TOGETHER));
        }
    });
}

/// How many of the replies grant a handshake; the others say when to try again.
#[track_caller]
fn count_granted(replies: &[Value]) -> usize {
    let refused = |reply: &&Value| reply["successful"] != true;
    for reply in replies.iter().filter(refused) {
        assert_eq!(reply["error"], "503::unavailable");
        assert_eq!(reply["advice"]["reconnect"], "handshake");
    }
    replies.len() - replies.iter().filter(refused).count()
}

// Proves: HT-8, WS-13
#[test]
fn requests_whose_answers_are_not_read_are_not_read_either() {
    const PEERS: usize = 50;
    /// What the system does not take of answers, and what was read of requests.
    const EACH: u64 = 256 << 10;
    let kept = Kept {
        once: PEERS as u64 * EACH,
        again: 2 << 20,
    };
    let siege = Siege::begin(Settings::default().option("limits.writeTimeout", 1_500));
    let pages = "GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1_000);

    siege.endures(kept, |siege| {
        let before = siege.growth();
        let mut peers: Vec<_> = (0..PEERS).map(|_| siege.connection()).collect();
        // Until each is cut off.
        while !peers.is_empty() {
            peers.retain_mut(|peer| peer.send_raw(pages.as_bytes()));
            siege.nobody_notices();
            let growth = siege.growth().saturating_sub(before);
            assert!(growth < PEERS as u64 * EACH, "{growth} bytes");
        }
    });
}

// Proves: WS-13
#[test]
fn messages_whose_replies_are_not_read_are_not_read_either() {
    const PEERS: usize = 2;
    const EACH: u64 = 2 << 20;
    let kept = Kept {
        once: PEERS as u64 * EACH,
        again: 2 << 20,
    };
    let siege = Siege::begin(Settings::default().option("limits.writeTimeout", 1_500));
    let messages = texts(
        r#"[{"channel":"/a","id":"a long one, so that the reply is long as well"}]"#,
        2_000,
    );

    siege.endures(kept, |siege| {
        let before = siege.growth();
        let mut peers: Vec<_> = (0..PEERS).map(|_| siege.websocket()).collect();
        while !peers.is_empty() {
            peers.retain_mut(|peer| peer.send_raw(&messages));
            siege.nobody_notices();
            let growth = siege.growth().saturating_sub(before);
            assert!(growth < PEERS as u64 * EACH, "{growth} bytes");
        }
    });
}

// Proves: WS-4
#[test]
fn a_flood_of_small_frames_is_served_in_turn_with_others() {
    const FRAMES: usize = 5_000;
    let siege = Siege::of_defaults();
    let ping = [0x89, 0x80, 0, 0, 0, 0].repeat(FRAMES);
    let pong = [0x8A, 0x80, 0, 0, 0, 0].repeat(FRAMES);
    let life = texts("[]", FRAMES);
    let fragment = [0x00, 0x80, 0, 0, 0, 0].repeat(FRAMES);
    let kept = Kept {
        once: 8 << 20,
        again: 1 << 20,
    };

    siege.endures(kept, |siege| {
        let mut attackers: Vec<_> = (0..4).map(|_| siege.websocket()).collect();
        for (attacker, flood) in attackers.iter_mut().zip([&ping, &pong, &life, &fragment]) {
            if flood.starts_with(&[0x00]) {
                attacker.send_raw(&[0x01, 0x80, 0, 0, 0, 0]);
            }
            for _ in 0..4 {
                attacker.send_raw(flood);
                siege.nobody_notices();
            }
        }
        let mut pongs = 0;
        while pongs < 4 * FRAMES {
            let frame = attackers[0].frame();
            assert_eq!(frame.map(|frame| frame.opcode), Some(Opcode::Pong));
            pongs += 1;
        }
    });
}

// Proves: WS-5, MO-1
#[test]
fn one_socket_after_another_for_one_session_leaves_nothing_behind() {
    const TIMES: usize = 1_000;
    let kept = Kept {
        once: 8 << 20,
        again: 3 * 200 * TIMES as u64,
    };

    Siege::of_defaults().endures(kept, |siege| {
        let mut first = siege.websocket();
        first.send(&json!([{"channel": "/meta/handshake", "supportedConnectionTypes": ["websocket"]}]));
        let session = first.messages()[0]["clientId"].clone();
        let connect = json!([{"channel": "/meta/connect", "clientId": session, "connectionType": "websocket"}]);
        for number in 0..TIMES {
            let mut next = WebSocket::open(siege.address(), Server::PATH, &[]);
            next.send(&connect);
            if number % 100 == 0 {
                siege.nobody_notices();
            }
        }
        first.send(&json!([{"channel": "/meta/disconnect", "clientId": session}]));
        assert_eq!(first.messages()[0]["successful"], true);
    });
}
