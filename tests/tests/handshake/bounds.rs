//! How many handshakes, sessions and connections there may be (HS-17).

use super::*;

fn from(address: &str) -> Peer {
    Peer {
        address: Some(address.parse().unwrap()),
        ..Peer::default()
    }
}

/// Whether a handshake from there succeeds; if not, it is told to try later.
fn admits(script: &mut Script, peer: Peer) -> bool {
    let connection = script.post_as(peer, handshake());
    let reply = script.take(connection);
    let admitted = reply[0]["successful"] == json!(true);
    if !admitted {
        assert_eq!(reply[0]["error"], json!("503::unavailable"));
        assert_eq!(reply[0]["advice"]["reconnect"], json!("handshake"));
        assert!(reply[0]["advice"]["interval"].as_u64().unwrap() <= 5_000);
        assert_eq!(script.cookie(connection), None);
    }
    admitted
}

fn limited(limits: Limits) -> Script {
    Script::new(Config {
        limits,
        ..Config::default()
    })
}

// Proves: HS-17
#[test]
fn the_bounds_are_those_of_the_digest() {
    let limits = Limits::default();

    assert_eq!(limits.max_handshakes_per_second, 100);
    assert_eq!(limits.max_sessions_per_address, 10_000);
}

// Proves: HS-17
#[test]
fn handshakes_of_one_address_are_bounded_in_each_second() {
    let mut script = limited(Limits {
        max_handshakes_per_second: 3,
        ..Limits::default()
    });
    for (at, address, admitted) in [
        (0, "192.0.2.1", true),
        (0, "192.0.2.1", true),
        (500, "::ffff:192.0.2.1", true),
        (999, "192.0.2.1", false),
        (999, "192.0.2.2", true),
        (1_000, "192.0.2.1", true),
        (1_000, "2001:db8::1", true),
        (1_000, "2001:db8::2", true),
        (1_000, "2001:db8::ffff:3", true),
        (1_000, "2001:db8::4", false),
        (1_000, "2001:db8:0:1::1", true),
    ] {
        assert_eq!(
            admits(script.at(at), from(address)),
            admitted,
            "{at} {address}"
        );
    }
    assert_eq!(script.engine().counters().handshakes_limited, 2);
    script.expect_no_trace();
}

// Proves: HS-17
#[test]
fn loopback_and_clients_without_address_are_not_bounded() {
    let limits = Limits {
        max_handshakes_per_second: 0,
        max_sessions_per_address: 0,
        ..Limits::default()
    };
    let mut script = limited(limits);

    for peer in [
        from("127.0.0.1"),
        from("127.8.9.1"),
        from("::1"),
        Peer::default(),
    ] {
        assert!(admits(&mut script, peer.clone()), "{peer:?}");
    }

    assert!(!admits(&mut script, from("192.0.2.1")));
    script.expect_no_trace();
}

// Proves: HS-17
#[test]
fn sessions_of_one_address_are_bounded_until_one_of_them_is_gone() {
    for expired in [false, true] {
        let mut script = limited(Limits {
            max_sessions_per_address: 2,
            ..Limits::default()
        });
        let peer = from("192.0.2.1");
        let alice = script.handshaken_as(peer.clone(), POLLING, Value::Null);
        assert!(admits(script.at(5_000), peer.clone()));
        assert!(!admits(&mut script, peer.clone()));
        assert!(admits(&mut script, from("192.0.2.2")));

        if expired {
            script.at(10_000);
        } else {
            let bye = json!({"channel": "/meta/disconnect", "clientId": alice.session});
            script.post(bye);
        }

        assert!(admits(&mut script, peer.clone()), "{expired}");
        assert!(!admits(&mut script, peer));
        script.expect_no_trace();
    }
}

// Proves: HS-17
#[test]
fn sessions_are_bounded_in_total() {
    let mut script = limited(Limits {
        max_sessions: 2,
        ..Limits::default()
    });

    assert!(admits(&mut script, from("192.0.2.1")));
    assert!(admits(script.at(5_000), Peer::default()));
    assert!(!admits(&mut script, from("127.0.0.1")));

    assert!(admits(script.at(10_000), from("127.0.0.1")));
    script.expect_no_trace();
}

// Proves: HS-17
#[test]
fn handshakes_that_wait_at_the_same_time_do_not_slip_past_a_bound() {
    for per_address in [false, true] {
        for slow_store in [false, true] {
            let bound = if per_address {
                Limits {
                    max_sessions_per_address: 1,
                    ..Limits::default()
                }
            } else {
                Limits {
                    max_sessions: 1,
                    ..Limits::default()
                }
            };
            let config = if slow_store {
                Config::default()
            } else {
                asking()
            };
            let mut script = Script::new(Config {
                limits: bound,
                ..config
            });
            if slow_store {
                script.stall_store();
            }
            let both = [0, 1].map(|_| script.post_as(from("192.0.2.1"), handshake()));

            if slow_store {
                script.resume_store();
            } else {
                script.decide(Verdict::Allow).decide(Verdict::Allow);
            }

            let replies = both.map(|connection| script.take(connection));
            assert_eq!(replies[0][0]["successful"], json!(true));
            assert_eq!(replies[1][0]["error"], json!("503::unavailable"));
            assert_eq!(script.engine().load().sessions, 1);
            if per_address {
                assert_eq!(script.engine().counters().handshakes_limited, 1);
            }
            script.expect_no_trace();
        }
    }
}

// Proves: HS-17
#[test]
fn those_who_are_sent_away_come_back_at_different_times() {
    let mut script = limited(Limits {
        max_sessions: 0,
        ..Limits::default()
    });

    let mut intervals: Vec<_> = (0..20)
        .map(|_| {
            let connection = script.post(handshake());
            script.take(connection)[0]["advice"]["interval"].as_u64()
        })
        .collect();

    intervals.sort_unstable();
    intervals.dedup();
    assert!(intervals.len() > 10, "{intervals:?}");
    script.expect_no_trace();
}

// Proves: HS-17
#[test]
fn connections_beyond_their_bound_are_closed() {
    let mut script = limited(Limits {
        max_connections: 1,
        ..Limits::default()
    });
    script.open(SOCKET);

    let second = script.open(SOCKET);

    script.expect_closed(second, bayeux_core::CloseReason::Limit);
    assert_eq!(script.engine().counters().connections_limited, 1);
    script.expect_no_trace();
}
